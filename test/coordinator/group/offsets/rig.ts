/**
 * Offsets on their own: groups are what a test says they are, the log is an array, and appends succeed or are refused.
 */
import { silentLogger } from '../../../../src/base/logger.ts'
import { ZERO_UUID } from '../../../../src/base/uuid.ts'
import { brokerConfigOf } from '../../../../src/config/broker-config.ts'
import type { GroupContext } from '../../../../src/coordinator/group/context.ts'
import type { ExpirationRule, Group } from '../../../../src/coordinator/group/group.ts'
import { GroupTable } from '../../../../src/coordinator/group/groups.ts'
import { Offsets } from '../../../../src/coordinator/group/offsets/offsets.ts'
import type { GroupRecord } from '../../../../src/coordinator/group/records.ts'
import { groupRecordSerde } from '../../../../src/coordinator/group/records.ts'
import { GroupSettings } from '../../../../src/coordinator/group/settings.ts'
import type { Outcome, RecordBytes } from '../../../../src/coordinator/shard.ts'
import { Refusal } from '../../../../src/coordinator/shard.ts'
import { emptyImage } from '../../../../src/metadata/image.ts'
import type { OffsetCommitRequest } from '../../../../src/protocol/apis/08-offset-commit.ts'
import type { KafkaErrorCode } from '../../../../src/protocol/error-codes.ts'
import { Timeline } from '../../../../src/timeline/timeline.ts'

/** A group that allows everything, unless a test says otherwise. */
export class FakeGroup implements Group {
  kind: Group['kind'] = 'classic'
  readonly groupId: string
  stateName = 'Empty'
  protocolType = ''
  isEmpty = true
  memberCount = 0
  rule: ExpirationRule | undefined = { base: commitTimestampMs => commitTimestampMs }
  readonly subscribed = new Set<string>()
  /** Codes with which the checks refuse; 0: they don't. */
  readonly refuses = { commit: 0, fetch: 0, delete: 0 }
  checkPartition: ReturnType<Group['checkOffsetCommit']>

  constructor(groupId: string) {
    this.groupId = groupId
  }

  hasMember(): boolean {
    return false
  }

  isSubscribedToTopic(topic: string): boolean {
    return this.subscribed.has(topic)
  }

  checkOffsetCommit() {
    refuse(this.refuses.commit)
    return this.checkPartition
  }

  checkOffsetFetch(): void {
    refuse(this.refuses.fetch)
  }

  checkOffsetDelete(): void {
    refuse(this.refuses.delete)
  }

  checkDelete(): void {}

  tombstones(): GroupRecord[] {
    return []
  }

  expirationRule() {
    return this.rule
  }
}

function refuse(code: number): void {
  if (code !== 0) throw new Refusal(code as KafkaErrorCode)
}

/** A record of the log, or the end of a transaction. */
export type Logged =
  | { readonly bytes: RecordBytes; readonly producerId: bigint }
  | { readonly producerId: bigint; readonly committed: boolean }

export class OffsetsRig {
  nowMs = 1_700_000_000_000
  readonly configs = new Map<string, string>()
  readonly log: Logged[] = []
  readonly committedMembers: string[] = []
  timeline!: Timeline
  groups!: GroupTable
  offsets!: Offsets

  constructor() {
    this.reload()
  }

  /** From the log alone. */
  reload(): void {
    this.timeline = new Timeline()
    this.groups = new GroupTable(this.timeline)
    const context: GroupContext = {
      clock: { wallMs: () => this.nowMs, monotonicMs: () => this.nowMs },
      random: { u32: () => 0, bytes: length => new Uint8Array(length) },
      logger: silentLogger,
      settings: new GroupSettings(
        () => brokerConfigOf(this.configs),
        () => undefined,
      ),
      regex: { check: () => undefined, matching: () => [] },
      timeline: this.timeline,
      timers: { schedule() {}, putOff: () => false, scheduleIfAbsent() {}, cancel() {}, isScheduled: () => false },
      groups: this.groups,
      image: () => emptyImage,
    }
    this.offsets = new Offsets(context, {
      createSimpleGroup: groupId => this.groups.set(new FakeGroup(groupId)),
      memberCommitted: (groupId, memberId) => void this.committedMembers.push(`${groupId}/${memberId}`),
    })
    for (let offset = 0; offset < this.log.length; offset++) this.#replay(this.log[offset]!, offset)
    this.timeline.forget(this.timeline.mark)
  }

  group(groupId: string): FakeGroup {
    const group = new FakeGroup(groupId)
    this.groups.set(group)
    return group
  }

  /** Appends what an operation wants, and answers. */
  run<T>(outcome: Outcome<GroupRecord, T>, producerId = -1n): T {
    for (const record of outcome.records) this.append({ bytes: groupRecordSerde.serialize(record), producerId })
    return outcome.response
  }

  append(entry: Logged): void {
    this.log.push(entry)
    this.#replay(entry, this.log.length - 1)
  }

  /** Every append since `end` and `mark` is refused. */
  revert(end: number, mark: number): void {
    this.timeline.revertTo(mark)
    this.log.length = end
  }

  /** A commit by who is no member, with what matters to a test. */
  commit(groupId: string, topic: string, partitions: readonly CommitOf[], more: Partial<OffsetCommitRequest> = {}) {
    return this.offsets.commit({ apiVersion: 10, clientId: 'c', clientHost: '/127.0.0.1' }, {
      groupId,
      generationIdOrMemberEpoch: -1,
      memberId: '',
      groupInstanceId: null,
      retentionTimeMs: -1,
      topics: [
        {
          name: topic,
          topicId: ZERO_UUID,
          partitions: partitions.map(each => ({ committedLeaderEpoch: -1, committedMetadata: '', ...each })),
        },
      ],
      ...more,
    } as OffsetCommitRequest)
  }

  /** Everything that the group has: `topic/partition` to offset, or to the name of the error. */
  fetched(groupId: string, requireStable = false): Record<string, bigint | number> {
    const request = { groupId, memberId: null, memberEpoch: -1, topics: null }
    const found: Record<string, bigint | number> = {}
    for (const { name, partitions } of this.offsets.fetch(request, requireStable).topics) {
      for (const { partitionIndex, committedOffset, errorCode } of partitions) {
        found[`${name}/${partitionIndex}`] = errorCode === 0 ? committedOffset : errorCode
      }
    }
    return found
  }

  #replay(entry: Logged, offset: number): void {
    if ('committed' in entry) {
      this.offsets.replayEndTransactionMarker(entry.producerId, entry.committed)
      return
    }
    const record = groupRecordSerde.deserialize(entry.bytes)
    if (record?.name === 'OffsetCommit') {
      this.offsets.replay(record, { offset, producerId: entry.producerId, producerEpoch: 0 })
    }
  }
}

export interface CommitOf {
  readonly partitionIndex: number
  readonly committedOffset: bigint
  readonly committedLeaderEpoch?: number
  readonly committedMetadata?: string | null
}
