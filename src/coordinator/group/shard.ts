/**
 * All groups and committed offsets of one partition of `__consumer_offsets`: who of classic groups, consumer groups and
 * offsets an operation concerns, and what concerns groups of any kind.
 *
 * Invariants: a request of the classic protocol goes where the group of its id is at home; one without a group is the
 * classic groups' to answer. A group goes only together with its offsets, in one operation.
 */

import type { MetadataDelta } from '../../metadata/delta.ts'
import type { MetadataImage } from '../../metadata/image.ts'
import type { OffsetCommitRequest, OffsetCommitResponseInput } from '../../protocol/apis/08-offset-commit.ts'
import type { JoinGroupRequest, JoinGroupResponseInput } from '../../protocol/apis/11-join-group.ts'
import type { HeartbeatRequest, HeartbeatResponseInput } from '../../protocol/apis/12-heartbeat.ts'
import type { LeaveGroupRequest, LeaveGroupResponseInput } from '../../protocol/apis/13-leave-group.ts'
import type { SyncGroupRequest, SyncGroupResponseInput } from '../../protocol/apis/14-sync-group.ts'
import type { DescribeGroupsResponseInput } from '../../protocol/apis/15-describe-groups.ts'
import type { ListGroupsResponseInput } from '../../protocol/apis/16-list-groups.ts'
import type { DeleteGroupsResponseInput } from '../../protocol/apis/42-delete-groups.ts'
import type { OffsetDeleteRequest, OffsetDeleteResponseInput } from '../../protocol/apis/47-offset-delete.ts'
import type {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponseInput,
} from '../../protocol/apis/68-consumer-group-heartbeat.ts'
import type { ConsumerGroupDescribeResponseInput } from '../../protocol/apis/69-consumer-group-describe.ts'
import { ErrorCode } from '../../protocol/error-codes.ts'
import type { CoordinatorShard, Outcome, ReplayOrigin, ShardContext } from '../shard.ts'
import { Refusal } from '../shard.ts'
import { ClassicGroup } from './classic/group.ts'
import { ClassicGroups } from './classic/groups.ts'
import { ConsumerGroup } from './consumer/group.ts'
import { ConsumerGroups } from './consumer/groups.ts'
import type { GroupContext, RequestOrigin } from './context.ts'
import type { Group } from './group.ts'
import { GroupKind } from './group.ts'
import { GroupTable } from './groups.ts'
import type { OffsetFetchGroup, OffsetFetchGroupResponse } from './offsets/offsets.ts'
import { Offsets } from './offsets/offsets.ts'
import type { TopicOffsets } from './offsets/topic-offsets.ts'
import type { GroupRecord } from './records.ts'
import { startSweep } from './sweep.ts'

/** What every shard of this broker has alike. */
export type GroupShardPorts = Pick<GroupContext, 'clock' | 'random' | 'logger' | 'settings' | 'regex'>

type ListedGroup = ListGroupsResponseInput['groups'][number]
type DescribedGroup = DescribeGroupsResponseInput['groups'][number]
type DescribedConsumerGroup = ConsumerGroupDescribeResponseInput['groups'][number]
type DeletedGroup = DeleteGroupsResponseInput['results'][number]

interface Topic {
  readonly id: string
  readonly name: string
}

const EXPIRY = 'expiry of offsets'

/** Groups that are deleted together and named in the log; of more, it has the number. */
const LOGGED_GROUPS = 10

/** From this version on DescribeGroups has a code for a group that does not exist. */
const GROUP_ID_NOT_FOUND_SINCE = 6

export class GroupShard implements CoordinatorShard<GroupRecord> {
  readonly #context: GroupContext
  readonly #classic: ClassicGroups
  readonly #consumer: ConsumerGroups
  readonly #offsets: Offsets
  /** The topics there were before the load. */
  readonly #topicsBefore: MetadataImage['topicsById']
  #sweeps = 0

  constructor(ports: GroupShardPorts, shard: ShardContext<GroupRecord>) {
    const { clock, random, logger, settings, regex } = ports
    const { timeline, timers } = shard
    const image = () => shard.image()
    const groups = new GroupTable(timeline)
    this.#context = { clock, random, logger, settings, regex, timeline, timers, groups, image }
    this.#classic = new ClassicGroups(this.#context)
    this.#consumer = new ConsumerGroups(this.#context, {
      recordOf: group => this.#classic.recordOf(group),
      converted: (group, reason) => this.#converted(group, reason),
    })
    this.#offsets = new Offsets(this.#context, this.#classic)
    this.#topicsBefore = image().topicsById
  }

  // Members.

  /** `respond` is called once, in this call or later. */
  join(
    origin: RequestOrigin,
    request: JoinGroupRequest,
    respond: (response: JoinGroupResponseInput) => void,
  ): Outcome<GroupRecord, void> {
    const group = this.#context.groups.get(request.groupId)
    // An empty consumer group becomes a classic one.
    if (group?.kind === GroupKind.consumer && !group.isEmpty)
      return this.#consumer.classicJoin(origin, request, respond)
    return this.#classic.join(origin, request, respond)
  }

  /** `respond` is called once, in this call or later. */
  sync(
    origin: RequestOrigin,
    request: SyncGroupRequest,
    respond: (response: SyncGroupResponseInput) => void,
  ): Outcome<GroupRecord, void> {
    return this.#isConsumerGroup(request.groupId)
      ? this.#consumer.classicSync(origin, request, respond)
      : this.#classic.sync(origin, request, respond)
  }

  heartbeat(origin: RequestOrigin, request: HeartbeatRequest): Outcome<GroupRecord, HeartbeatResponseInput> {
    return this.#isConsumerGroup(request.groupId)
      ? this.#consumer.classicHeartbeat(origin, request)
      : this.#classic.heartbeat(origin, request)
  }

  leave(origin: RequestOrigin, request: LeaveGroupRequest): Outcome<GroupRecord, LeaveGroupResponseInput> {
    return this.#isConsumerGroup(request.groupId)
      ? this.#consumer.classicLeave(origin, request)
      : this.#classic.leave(origin, request)
  }

  consumerHeartbeat(
    origin: RequestOrigin,
    request: ConsumerGroupHeartbeatRequest,
  ): Outcome<GroupRecord, ConsumerGroupHeartbeatResponseInput> {
    return this.#consumer.heartbeat(origin, request)
  }

  // Offsets.

  commitOffsets(origin: RequestOrigin, request: OffsetCommitRequest): Outcome<GroupRecord, OffsetCommitResponseInput> {
    return this.#offsets.commit(origin, request)
  }

  fetchOffsets(group: OffsetFetchGroup, requireStable: boolean): OffsetFetchGroupResponse {
    return this.#offsets.fetch(group, requireStable)
  }

  deleteOffsets(request: OffsetDeleteRequest): Outcome<GroupRecord, OffsetDeleteResponseInput> {
    return this.#offsets.delete(request)
  }

  /** Of one group, by topic and partition. */
  committedOffsets(groupId: string): readonly TopicOffsets[] {
    return this.#offsets.committed(groupId)
  }

  /** The offsets of topics that are no more go, in the background. */
  onTopicsDeleted(topics: readonly Topic[]): Outcome<GroupRecord, void> {
    this.#forgetTopics(topics)
    return { records: [], response: undefined }
  }

  // Groups of any kind.

  group(groupId: string): Group | undefined {
    return this.#context.groups.get(groupId)
  }

  groupIds(): string[] {
    return Array.from(this.#context.groups.all(), group => group.groupId)
  }

  /** Empty filters let everything pass; states and types are compared without regard to case. */
  listGroups(statesFilter: readonly string[], typesFilter: readonly string[]): ListedGroup[] {
    const states = new Set(statesFilter.map(state => state.trim().toLowerCase()))
    const types = new Set(typesFilter.map(type => type.toLowerCase()))
    const listed: ListedGroup[] = []
    for (const { groupId, protocolType, stateName: groupState, kind: groupType } of this.#context.groups.all()) {
      if (states.size > 0 && !states.has(groupState.toLowerCase())) continue
      if (types.size > 0 && !types.has(groupType)) continue
      listed.push({ groupId, protocolType, groupState, groupType })
    }
    return listed
  }

  /** Classic groups; any other reads as dead. One answer for each id, in that order. */
  describeGroups(groupIds: readonly string[], apiVersion: number): DescribedGroup[] {
    return groupIds.map(groupId => {
      const group = this.group(groupId)
      if (group instanceof ClassicGroup) return this.#classic.describe(group)
      const dead = { groupId, groupState: 'Dead', protocolType: '', protocolData: '', members: [] }
      if (apiVersion < GROUP_ID_NOT_FOUND_SINCE) return { ...dead, errorCode: ErrorCode.NONE }
      return { ...dead, errorCode: ErrorCode.GROUP_ID_NOT_FOUND, errorMessage: notA('classic', groupId, group) }
    })
  }

  /** One answer for each id, in that order. */
  describeConsumerGroups(groupIds: readonly string[]): DescribedConsumerGroup[] {
    return groupIds.map(groupId => {
      const group = this.group(groupId)
      if (group instanceof ConsumerGroup) return this.#consumer.describe(group)
      return {
        errorCode: ErrorCode.GROUP_ID_NOT_FOUND,
        errorMessage: notA('consumer', groupId, group),
        groupId,
        groupState: '',
        groupEpoch: 0,
        assignmentEpoch: 0,
        assignorName: '',
        members: [],
      }
    })
  }

  /** One answer for each id, in that order. */
  deleteGroups(groupIds: readonly string[]): Outcome<GroupRecord, DeletedGroup[]> {
    const records: GroupRecord[] = []
    const codes = new Map<string, number>()
    for (const groupId of new Set(groupIds)) codes.set(groupId, this.#delete(groupId, records))
    const deleted = [...codes].filter(([, code]) => code === ErrorCode.NONE).map(([groupId]) => groupId)
    if (deleted.length > 0) {
      const groups = deleted.length > LOGGED_GROUPS ? deleted.length : deleted
      this.#context.logger.info({ groups }, 'groups are deleted with their offsets')
    }
    return { records, response: groupIds.map(groupId => ({ groupId, errorCode: codes.get(groupId) ?? 0 })) }
  }

  #delete(groupId: string, records: GroupRecord[]): number {
    const group = this.#context.groups.get(groupId)
    if (group === undefined) return ErrorCode.GROUP_ID_NOT_FOUND
    try {
      group.checkDelete()
    } catch (error) {
      if (error instanceof Refusal) return error.code
      throw error
    }
    this.#offsets.deleteAll(groupId, records)
    records.push(...group.tombstones())
    return ErrorCode.NONE
  }

  // Life of the shard.

  replay(record: GroupRecord, origin: ReplayOrigin): void {
    if (record.name === 'OffsetCommit') this.#offsets.replay(record, origin)
    else if (record.name === 'GroupMetadata') this.#classic.replay(record)
    else this.#consumer.replay(record)
  }

  replayEndTransactionMarker(producerId: bigint, _producerEpoch: number, committed: boolean): void {
    this.#offsets.replayEndTransactionMarker(producerId, committed)
  }

  onLoaded(image: MetadataImage): void {
    this.#classic.onLoaded()
    this.#consumer.onLoaded()
    this.#scheduleExpiry()
    const deleted: Topic[] = []
    if (this.#topicsBefore !== image.topicsById) {
      for (const topic of this.#topicsBefore.values()) if (!image.topicsById.has(topic.id)) deleted.push(topic)
    }
    this.#forgetTopics(deleted)
  }

  onUnloaded(): void {
    this.#classic.onUnloaded()
    this.#consumer.onUnloaded()
  }

  onMetadata(delta: MetadataDelta, image: MetadataImage): void {
    this.#consumer.onMetadata(delta, image)
  }

  #isConsumerGroup(groupId: string): boolean {
    return this.group(groupId)?.kind === GroupKind.consumer
  }

  /**
   * A group is about to be classic, as the last consumer has left it: members join again before they are told anything.
   */
  #converted(group: ClassicGroup, reason: string | undefined): void {
    this.#classic.startSessions(group)
    if (reason !== undefined) this.#classic.rebalance(group, reason)
  }

  #scheduleExpiry(): void {
    const { settings, timers } = this.#context
    startSweep(timers, {
      key: EXPIRY,
      delayMs: settings.offsetsRetentionCheckIntervalMs,
      groupIds: () => this.groupIds(),
      visit: (groupId, records) => this.#expire(groupId, records),
      swept: () => this.#scheduleExpiry(),
    })
  }

  /** A group of which nothing is left goes too. */
  #expire(groupId: string, records: GroupRecord[]): void {
    const group = this.group(groupId)
    if (group === undefined) return
    const nothingLeft = this.#offsets.expire(group, records)
    if (nothingLeft && group.isEmpty) records.push(...group.tombstones())
  }

  #forgetTopics(topics: readonly Topic[]): void {
    if (topics.length === 0) return
    startSweep(this.#context.timers, {
      key: `offsets of deleted topics ${this.#sweeps++}`,
      delayMs: 0,
      groupIds: () => [...this.#offsets.groupIds()],
      visit: (groupId, records) => {
        for (const topic of topics) this.#offsets.forgetTopic(groupId, topic, records)
      },
      swept: () => {},
    })
  }
}

function notA(kind: GroupKind, groupId: string, group: Group | undefined): string {
  return group === undefined ? `Group ${groupId} not found.` : `Group ${groupId} is not a ${kind} group.`
}
