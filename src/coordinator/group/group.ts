/**
 * What every kind of group is to the rest of the coordinator: offsets, listings, deletion and
 * expiry need no more than this.
 *
 * Invariants: methods that check throw `Refusal` with Kafka's code for the caller's API and change nothing.
 */
import type { GroupRecord } from './records.ts'

/** As ListGroups names them. */
export const GroupKind = { classic: 'classic', consumer: 'consumer' } as const
export type GroupKind = (typeof GroupKind)[keyof typeof GroupKind]

export interface OffsetCommitCheck {
  readonly memberId: string
  readonly groupInstanceId: string | null
  /** Generation of a classic group's member, or epoch of a consumer group's. -1: none. */
  readonly generationOrEpoch: number
  readonly transactional: boolean
  /** Of OffsetCommit (or TxnOffsetCommit): decides between STALE_MEMBER_EPOCH and older codes. */
  readonly apiVersion: number
}

/** When the offsets of a group expire: from the time that `base` gives for each (or for all of them). */
export interface ExpirationRule {
  /** Milliseconds since 1970 from which the retention of an offset counts that was committed at `commitTimestampMs`. */
  base(commitTimestampMs: number): number
}

export interface Group {
  readonly kind: GroupKind
  readonly groupId: string
  /** As ListGroups and the describe APIs name it: `Stable`, `Empty`, `PreparingRebalance`, `Reconciling`, ... */
  readonly stateName: string
  /** `consumer` for consumers; empty for a classic group that has only offsets. */
  readonly protocolType: string
  readonly isEmpty: boolean
  /** Members of the group; 0 when empty. */
  readonly memberCount: number
  hasMember(memberId: string): boolean
  /** Whether members of the group read `topic`: its offsets then never expire and can't be deleted. */
  isSubscribedToTopic(topic: string): boolean
  /**
   * Whether the commit is allowed at all. @returns a check of each partition, or undefined when the group has none to
   * make (a consumer group's member that is behind may commit what it still owns).
   */
  checkOffsetCommit(
    commit: OffsetCommitCheck,
  ): ((topic: string, topicId: string, partition: number) => void) | undefined
  /** `memberId` null and a negative epoch: the caller is no member, and may read. */
  checkOffsetFetch(memberId: string | null, memberEpoch: number): void
  checkOffsetDelete(): void
  /** NON_EMPTY_GROUP unless it may be deleted. */
  checkDelete(): void
  /** The records that delete the group itself (its offsets apart). */
  tombstones(): GroupRecord[]
  /** undefined: no offset of this group expires as it is now. */
  expirationRule(): ExpirationRule | undefined
}
