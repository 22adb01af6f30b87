/** A shard of groups on the real runtime over a log in memory, and what is asked of it in tests. */
import { silentLogger } from '../../src/base/logger.ts'
import { brokerConfigOf } from '../../src/config/broker-config.ts'
import { encodeSubscription } from '../../src/coordinator/group/classic/consumer-protocol.ts'
import type { GroupRecord } from '../../src/coordinator/group/records.ts'
import { groupRecordSerde } from '../../src/coordinator/group/records.ts'
import { GroupSettings } from '../../src/coordinator/group/settings.ts'
import { GroupShard } from '../../src/coordinator/group/shard.ts'
import type { MetadataImage, PartitionImage, TopicImage } from '../../src/metadata/image.ts'
import { emptyImage } from '../../src/metadata/image.ts'
import type { JoinGroupRequest, JoinGroupResponseInput } from '../../src/protocol/apis/11-join-group.ts'
import type { ConsumerGroupHeartbeatRequest } from '../../src/protocol/apis/68-consumer-group-heartbeat.ts'
import { CoordinatorRig } from './coordinator.ts'

export type GroupShardRig = CoordinatorRig<GroupShard, GroupRecord>

export const origin = { apiVersion: 10, clientId: 'client', clientHost: '/127.0.0.1' }
export const topicId = 'aaaaaaaaaaaaaaaaaaaaaA'
const subscription = encodeSubscription(1, { topics: ['t'], userData: null, ownedPartitions: [] })
export const MINUTE_MS = 60_000
export const CHECK_MS = 10 * MINUTE_MS
export const RETENTION_MS = 7 * 24 * 60 * MINUTE_MS

export function topicOf(name: string, partitions: number): TopicImage {
  const partition: PartitionImage = {
    replicas: [1],
    directories: ['DDDDDDDDDDDDDDDDDDDDDA'],
    isr: [1],
    removingReplicas: [],
    addingReplicas: [],
    elr: [],
    lastKnownElr: [],
    leader: 1,
    leaderRecoveryState: 0,
    leaderEpoch: 0,
    partitionEpoch: 0,
  }
  return { name, id: topicId, partitions: new Array(partitions).fill(partition) }
}

/** One topic at most: all have the same id. */
export function imageWith(name?: string, partitions = 0): MetadataImage {
  const topics = name === undefined ? [] : [topicOf(name, partitions)]
  return {
    ...emptyImage,
    topicsByName: new Map(topics.map(topic => [topic.name, topic])),
    topicsById: new Map(topics.map(topic => [topic.id, topic])),
  }
}

export function groupShardRig(options: { seed?: number; image?: () => MetadataImage } = {}): GroupShardRig {
  const config = brokerConfigOf(new Map([['group.initial.rebalance.delay.ms', '0']]))
  const settings = new GroupSettings(
    () => config,
    () => undefined,
  )
  return new CoordinatorRig<GroupShard, GroupRecord>({
    ...options,
    serde: groupRecordSerde,
    makeShard: (context, { clock, random }) =>
      new GroupShard(
        { clock, random, logger: silentLogger, settings, regex: { check: () => undefined, matching: () => [] } },
        context,
      ),
  })
}

export function commit(groupId: string, topic: string, offsets: readonly (readonly [number, bigint])[], id = topicId) {
  const partitions = offsets.map(([partitionIndex, committedOffset]) => ({
    partitionIndex,
    committedOffset,
    committedLeaderEpoch: -1,
    committedMetadata: '',
  }))
  return (shard: GroupShard) =>
    shard.commitOffsets(origin, {
      groupId,
      generationIdOrMemberEpoch: -1,
      memberId: '',
      groupInstanceId: null,
      retentionTimeMs: -1,
      topics: [{ name: topic, topicId: id, partitions }],
    })
}

export function offsetsOf(shard: GroupShard, groupId: string): Record<string, readonly [string, number, string]> {
  const found: Record<string, readonly [string, number, string]> = {}
  for (const topic of shard.committedOffsets(groupId)) {
    for (const [partition, { offset, leaderEpoch, metadata }] of topic) {
      found[`${topic.topic}/${partition}`] = [String(offset), leaderEpoch, metadata]
    }
  }
  return found
}

export function everything(shard: GroupShard) {
  return shard
    .listGroups([], [])
    .sort((a, b) => (a.groupId < b.groupId ? -1 : 1))
    .map(group => ({ ...group, offsets: offsetsOf(shard, group.groupId) }))
}

export function joinGroup(
  groupId: string,
  respond: (response: JoinGroupResponseInput) => void,
  more: Partial<JoinGroupRequest> = {},
) {
  const request: JoinGroupRequest = {
    groupId,
    sessionTimeoutMs: 30_000,
    rebalanceTimeoutMs: 30_000,
    memberId: '',
    groupInstanceId: null,
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: subscription }],
    reason: null,
    ...more,
  }
  return (shard: GroupShard) => shard.join({ ...origin, apiVersion: 3 }, request, respond)
}

/** Epoch 0: of a member that joins and subscribes to `t`. */
export function heartbeat(groupId: string, memberEpoch = 0, memberId = 'member') {
  const request: ConsumerGroupHeartbeatRequest = {
    groupId,
    memberId,
    memberEpoch,
    instanceId: null,
    rackId: null,
    rebalanceTimeoutMs: memberEpoch === 0 ? 30_000 : -1,
    subscribedTopicNames: memberEpoch === 0 ? ['t'] : null,
    subscribedTopicRegex: null,
    serverAssignor: null,
    topicPartitions: memberEpoch === 0 ? [] : null,
  }
  return (shard: GroupShard) => shard.consumerHeartbeat({ ...origin, apiVersion: 1 }, request)
}
