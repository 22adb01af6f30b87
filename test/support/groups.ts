/** What tests of group APIs ask a broker for, over bare connections. */
import type { Api } from '../../src/protocol/api.ts'
import { findCoordinator } from '../../src/protocol/apis/10-find-coordinator.ts'
import { joinGroup } from '../../src/protocol/apis/11-join-group.ts'
import { syncGroup } from '../../src/protocol/apis/14-sync-group.ts'
import { consumerGroupHeartbeat } from '../../src/protocol/apis/68-consumer-group-heartbeat.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import type { WireClient } from './wire-client.ts'

/** Asks for the group's coordinator until there is one. */
export async function findGroup(client: WireClient, groupId: string): Promise<void> {
  for (;;) {
    const found = await client.send(findCoordinator, 4, { keyType: 0, coordinatorKeys: [groupId], key: '' })
    if (found.coordinators[0]!.errorCode === 0) return
    await new Promise(resolve => setTimeout(resolve, 100))
  }
}

let groups = 0

/** A group id of its own, whose coordinator is found. */
export async function newGroup(client: WireClient): Promise<string> {
  const groupId = `group-${process.pid}-${++groups}`
  await findGroup(client, groupId)
  return groupId
}

export interface Membership {
  readonly memberId: string
  readonly generationId: number
}

/** The bytes of a ConsumerProtocolSubscription (version 0) to `topics`. */
export function subscription(topics: readonly string[]): Uint8Array {
  const names = topics.map(topic => new TextEncoder().encode(topic))
  const bytes = new Uint8Array(2 + 4 + names.reduce((sum, name) => sum + 2 + name.length, 0) + 4)
  const view = new DataView(bytes.buffer)
  view.setInt32(2, names.length)
  let at = 6
  for (const name of names) {
    view.setInt16(at, name.length)
    bytes.set(name, at + 2)
    at += 2 + name.length
  }
  view.setInt32(at, -1)
  return bytes
}

/** Joins and syncs the only member of a classic group. */
export async function joinAlone(
  client: WireClient,
  groupId: string,
  topics: readonly string[] = [],
): Promise<Membership> {
  const request = {
    groupId,
    sessionTimeoutMs: 30_000,
    rebalanceTimeoutMs: 30_000,
    memberId: '',
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: subscription(topics) }],
  }
  const first = await client.send(joinGroup, 5, request)
  if (first.errorCode !== ErrorCode.MEMBER_ID_REQUIRED) throw new Error(`first join: ${first.errorCode}`)
  const { memberId } = first
  const joined = await client.send(joinGroup, 5, { ...request, memberId })
  if (joined.errorCode !== 0) throw new Error(`join: ${joined.errorCode}`)
  const { generationId } = joined
  const assignments = [{ memberId, assignment: new Uint8Array([1, 2, 3]) }]
  const synced = await client.send(syncGroup, 3, { groupId, generationId, memberId, assignments })
  if (synced.errorCode !== 0) throw new Error(`sync: ${synced.errorCode}`)
  return { memberId, generationId }
}

/** All versions of an API from `from` on. */
export function versionsFrom(api: Api, from: number): number[] {
  return Array.from({ length: api.maxVersion - from + 1 }, (_, index) => from + index)
}

/**
 * Joins the first member of a consumer group and heartbeats until it has its assignment and nothing more is to come.
 */
export async function joinConsumerGroup(
  client: WireClient,
  groupId: string,
  topics: readonly string[],
  memberId = `member-${++groups}`,
): Promise<{ memberId: string; memberEpoch: number; topicPartitions: readonly TopicPartitions[] }> {
  const request = { groupId, memberId }
  let answer = await client.send(consumerGroupHeartbeat, 1, {
    ...request,
    memberEpoch: 0,
    rebalanceTimeoutMs: 30_000,
    subscribedTopicNames: topics,
    topicPartitions: [],
  })
  let owned: readonly TopicPartitions[] = []
  for (;;) {
    if (answer.errorCode !== 0) throw new Error(`heartbeat: ${answer.errorCode} ${answer.errorMessage}`)
    const { memberEpoch, assignment } = answer
    if (assignment !== null) owned = assignment.topicPartitions
    if (owned.length > 0) {
      await client.send(consumerGroupHeartbeat, 1, { ...request, memberEpoch, topicPartitions: owned })
      return { memberId, memberEpoch, topicPartitions: owned }
    }
    await new Promise(resolve => setTimeout(resolve, 20))
    answer = await client.send(consumerGroupHeartbeat, 1, { ...request, memberEpoch })
  }
}

interface TopicPartitions {
  readonly topicId: string
  readonly partitions: readonly number[]
}
