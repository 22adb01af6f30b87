/**
 * The committed offsets of one shard's groups: commit, fetch, delete, expire, and the replay of their records.
 *
 * Invariants: offsets change in `replay` and `replayEndTransactionMarker` only. Whether a group allows an operation is
 * the group's to say; a commit without a generation to a group that does not exist makes a simple one when it is
 * replayed. An offset that a transaction has pending is neither expired nor does its group go while it is open.
 */
import { ZERO_UUID } from '../../../base/uuid.ts'
import type { OffsetCommitRequest, OffsetCommitResponseInput } from '../../../protocol/apis/08-offset-commit.ts'
import type { OffsetFetchRequest, OffsetFetchResponseInput } from '../../../protocol/apis/09-offset-fetch.ts'
import type { OffsetDeleteRequest, OffsetDeleteResponseInput } from '../../../protocol/apis/47-offset-delete.ts'
import { ErrorCode } from '../../../protocol/error-codes.ts'
import type { OffsetCommitValue } from '../../../protocol/records/groups.ts'
import type { Outcome, ReplayOrigin } from '../../shard.ts'
import { Refusal } from '../../shard.ts'
import type { GroupContext, RequestOrigin } from '../context.ts'
import type { ExpirationRule, Group } from '../group.ts'
import { GroupKind } from '../group.ts'
import type { GroupRecord, GroupRecordOf } from '../records.ts'
import { offsetCommitRecord, offsetCommitTombstone } from '../records.ts'
import { PendingOffsets } from './pending-offsets.ts'
import { OffsetTable } from './table.ts'
import type { TopicOffsets } from './topic-offsets.ts'

type Written<T> = T extends readonly (infer Element)[] ? Element : never
type Present<T> = T extends null | undefined ? never : T

/** One group of an OffsetFetch from version 8; the topics of a request carry names, and ids where they are known. */
export type OffsetFetchGroup = OffsetFetchRequest['groups'][number]
export type OffsetFetchGroupResponse = Written<Present<OffsetFetchResponseInput['groups']>>
type FetchedTopic = Written<OffsetFetchGroupResponse['topics']>
type FetchedPartition = Written<FetchedTopic['partitions']>

/** What offsets need of classic groups. */
export interface OffsetsPorts {
  /** Puts a group without members and protocol type into the table. */
  createSimpleGroup(groupId: string): void
  /** A member of a classic group has committed, which keeps it alive as a heartbeat does. */
  memberCommitted(groupId: string, memberId: string): void
}

/** From this version on, who commits for a group that does not exist knows the code that says so. */
const GROUP_ID_NOT_FOUND_SINCE = 9

const INVALID_OFFSET = -1n

export class Offsets {
  readonly #context: GroupContext
  readonly #ports: OffsetsPorts
  readonly #committed: OffsetTable
  readonly #pending: PendingOffsets

  constructor(context: GroupContext, ports: OffsetsPorts) {
    this.#context = context
    this.#ports = ports
    this.#committed = new OffsetTable(context.timeline)
    this.#pending = new PendingOffsets(context.timeline)
  }

  /** Topics are known, with name and id. @throws Refusal with Kafka's code when the whole commit is refused. */
  commit(origin: RequestOrigin, request: OffsetCommitRequest): Outcome<GroupRecord, OffsetCommitResponseInput> {
    const { groupId, retentionTimeMs } = request
    const check = this.#checkCommit(origin, request)
    const nowMs = this.#context.clock.wallMs()
    const expireTimestamp = retentionTimeMs === -1 ? -1 : Math.min(nowMs + retentionTimeMs, Number.MAX_SAFE_INTEGER)
    const longest = this.#context.settings.offsetMetadataMaxBytes
    const records: GroupRecord[] = []
    const topics = request.topics.map(({ name, topicId, partitions }) => ({
      name,
      topicId,
      partitions: partitions.map(partition => {
        const { partitionIndex } = partition
        const metadata = partition.committedMetadata ?? ''
        if (metadata.length > longest) return { partitionIndex, errorCode: ErrorCode.OFFSET_METADATA_TOO_LARGE }
        check?.(name, topicId, partitionIndex)
        records.push(
          offsetCommitRecord(groupId, name, partitionIndex, {
            offset: partition.committedOffset,
            leaderEpoch: partition.committedLeaderEpoch,
            metadata,
            commitTimestamp: nowMs,
            expireTimestamp,
            topicId,
          }),
        )
        return { partitionIndex, errorCode: 0 }
      }),
    }))
    return { records, response: { topics } }
  }

  /** @throws Refusal with the group's code. */
  fetch(request: OffsetFetchGroup, requireStable: boolean): OffsetFetchGroupResponse {
    const { groupId } = request
    const exists = this.#mayFetch(request)
    if (request.topics === null) {
      const all = exists ? this.#committed.topics(groupId) : []
      return { groupId, topics: all.map(offsets => this.#fetchAll(groupId, offsets, requireStable)) }
    }
    return {
      groupId,
      topics: request.topics.map(({ name, topicId, partitionIndexes }) => {
        const offsets = exists ? this.#committed.topic(groupId, name) : undefined
        const partitions = partitionIndexes.map(index => {
          if (requireStable && exists && this.#pending.has(groupId, name, index)) return unstable(index)
          const value = offsets?.get(index)
          return value === undefined || differ(value.topicId, topicId) ? none(index) : fetched(index, value)
        })
        return { name, topicId, partitions }
      }),
    }
  }

  /** @throws Refusal when the group does not exist or has members that are not consumers. */
  delete(request: OffsetDeleteRequest): Outcome<GroupRecord, OffsetDeleteResponseInput> {
    const { groupId } = request
    const group = this.#group(groupId)
    group.checkOffsetDelete()
    const records: GroupRecord[] = []
    const topics = request.topics.map(({ name, partitions }) => {
      const subscribed = group.isSubscribedToTopic(name)
      return {
        name,
        partitions: partitions.map(({ partitionIndex }) => {
          if (subscribed) return { partitionIndex, errorCode: ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC }
          if (this.#committed.has(groupId, name, partitionIndex) || this.#pending.has(groupId, name, partitionIndex)) {
            records.push(offsetCommitTombstone(groupId, name, partitionIndex))
          }
          return { partitionIndex, errorCode: 0 }
        }),
      }
    })
    return { records, response: { errorCode: 0, throttleTimeMs: 0, topics } }
  }

  /** Adds the tombstones of all offsets of a group, pending ones included. @returns how many. */
  deleteAll(groupId: string, records: GroupRecord[]): number {
    const before = records.length
    for (const offsets of this.#committed.topics(groupId)) {
      for (const partition of offsets.partitions()) {
        records.push(offsetCommitTombstone(groupId, offsets.topic, partition))
      }
    }
    for (const { topic, partition } of this.#pending.ofGroup(groupId)) {
      if (!this.#committed.has(groupId, topic, partition))
        records.push(offsetCommitTombstone(groupId, topic, partition))
    }
    return records.length - before
  }

  /**
   * Adds the tombstones of the offsets of `group` that have expired.
   * @returns whether none will be left, and none is pending: the group itself may go when it is empty.
   */
  expire(group: Group, records: GroupRecord[]): boolean {
    const { groupId } = group
    const topics = this.#committed.topics(groupId)
    if (topics.length === 0) return !this.#pending.hasGroup(groupId)
    const rule = group.expirationRule()
    if (rule === undefined) return false
    const nowMs = this.#context.clock.wallMs()
    const retentionMs = this.#context.settings.offsetsRetentionMs
    let allExpired = true
    for (const offsets of topics) {
      if (group.isSubscribedToTopic(offsets.topic)) {
        allExpired = false
        continue
      }
      for (const [partition, value] of offsets) {
        if (isExpired(value, rule, nowMs, retentionMs) && !this.#pending.has(groupId, offsets.topic, partition)) {
          records.push(offsetCommitTombstone(groupId, offsets.topic, partition))
        } else {
          allExpired = false
        }
      }
    }
    return allExpired && !this.#pending.hasGroup(groupId)
  }

  /** Groups that have committed or pending offsets. */
  groupIds(): Set<string> {
    return new Set([...this.#committed.groupIds(), ...this.#pending.groupIds()])
  }

  /** Adds the tombstones of a group's offsets in a topic that was deleted. Those of another topic of that name stay. */
  forgetTopic(groupId: string, topic: { readonly name: string; readonly id: string }, records: GroupRecord[]): void {
    for (const [partition, { topicId }] of this.#committed.topic(groupId, topic.name) ?? []) {
      if (!differ(topicId, topic.id)) records.push(offsetCommitTombstone(groupId, topic.name, partition))
    }
    for (const { topic: name, partition } of this.#pending.ofGroup(groupId)) {
      if (name !== topic.name) continue
      const committed = this.#committed.get(groupId, name, partition)
      if (committed !== undefined && !differ(committed.topicId, topic.id)) continue
      for (const { topicId } of this.#pending.values(groupId, name, partition)) {
        if (differ(topicId, topic.id)) continue
        records.push(offsetCommitTombstone(groupId, name, partition))
        break
      }
    }
  }

  /** The committed offsets of a group, by topic and partition. */
  committed(groupId: string): readonly TopicOffsets[] {
    return this.#committed.topics(groupId)
  }

  replay(record: GroupRecordOf<'OffsetCommit'>, origin: ReplayOrigin): void {
    const { group, topic, partition } = record.key
    if (record.value === null) {
      this.#committed.remove(group, topic, partition)
      this.#pending.remove(group, topic, partition)
      return
    }
    if (this.#context.groups.get(group) === undefined) this.#ports.createSimpleGroup(group)
    if (origin.producerId === -1n) this.#committed.put(group, topic, partition, record.value, origin.offset)
    else this.#pending.put(origin.producerId, group, topic, partition, record.value, origin.offset)
  }

  /** A commit that was written after the transaction's own, outside of it, wins. */
  replayEndTransactionMarker(producerId: bigint, committed: boolean): void {
    const ended = this.#pending.take(producerId)
    if (ended === undefined || !committed) return
    for (const groupId of ended.groupIds()) {
      for (const offsets of ended.topics(groupId)) {
        for (const [partition, { recordOffset, ...value }] of offsets) {
          const present = this.#committed.get(groupId, offsets.topic, partition)
          if (present !== undefined && present.recordOffset > recordOffset) continue
          this.#committed.put(groupId, offsets.topic, partition, value, recordOffset)
        }
      }
    }
  }

  #group(groupId: string): Group {
    const group = this.#context.groups.get(groupId)
    if (group === undefined) throw new Refusal(ErrorCode.GROUP_ID_NOT_FOUND, `group ${groupId} does not exist`)
    return group
  }

  #checkCommit(origin: RequestOrigin, request: OffsetCommitRequest): ReturnType<Group['checkOffsetCommit']> {
    const { groupId, memberId, groupInstanceId, generationIdOrMemberEpoch: generationOrEpoch } = request
    const { apiVersion } = origin
    const group = this.#context.groups.get(groupId)
    if (group === undefined) {
      if (generationOrEpoch < 0) return undefined
      throw new Refusal(
        apiVersion >= GROUP_ID_NOT_FOUND_SINCE ? ErrorCode.GROUP_ID_NOT_FOUND : ErrorCode.ILLEGAL_GENERATION,
      )
    }
    const commit = { memberId, groupInstanceId, generationOrEpoch, transactional: false, apiVersion }
    const check = group.checkOffsetCommit(commit)
    if (group.kind === GroupKind.classic) this.#ports.memberCommitted(groupId, memberId)
    return check
  }

  /** Whether the group is there; one that isn't has no offsets, which is no error. */
  #mayFetch({ groupId, memberId, memberEpoch }: OffsetFetchGroup): boolean {
    const group = this.#context.groups.get(groupId)
    if (group === undefined) return false
    try {
      group.checkOffsetFetch(memberId, memberEpoch)
      return true
    } catch (error) {
      if (error instanceof Refusal && error.code === ErrorCode.GROUP_ID_NOT_FOUND) return false
      throw error
    }
  }

  #fetchAll(groupId: string, offsets: TopicOffsets, requireStable: boolean): FetchedTopic {
    const partitions: FetchedPartition[] = []
    for (const [index, value] of offsets) {
      const pending = requireStable && this.#pending.has(groupId, offsets.topic, index)
      partitions.push(pending ? unstable(index) : fetched(index, value))
    }
    return { name: offsets.topic, topicId: ZERO_UUID, partitions }
  }
}

function isExpired(value: OffsetCommitValue, rule: ExpirationRule, nowMs: number, retentionMs: number): boolean {
  if (value.expireTimestamp !== -1) return nowMs >= value.expireTimestamp
  return nowMs - rule.base(value.commitTimestamp) >= retentionMs
}

/** Whether both are known and not the same: offsets of one topic say nothing of a later one of that name. */
function differ(topicId: string, other: string): boolean {
  return topicId !== other && topicId !== ZERO_UUID && other !== ZERO_UUID
}

function fetched(partitionIndex: number, { offset, leaderEpoch, metadata }: OffsetCommitValue): FetchedPartition {
  return { partitionIndex, committedOffset: offset, committedLeaderEpoch: leaderEpoch, metadata, errorCode: 0 }
}

function none(partitionIndex: number): FetchedPartition {
  return { partitionIndex, committedOffset: INVALID_OFFSET, committedLeaderEpoch: -1, metadata: '', errorCode: 0 }
}

function unstable(partitionIndex: number): FetchedPartition {
  return { ...none(partitionIndex), errorCode: ErrorCode.UNSTABLE_OFFSET_COMMIT }
}
