/**
 * One step of a member towards its target assignment. Pure.
 *
 * A member first gives up what it shall not own: it stays in its epoch (unrevoked partitions) until a heartbeat shows
 * that it let go. Then it enters the target's epoch with everything that nobody else holds, and is stable if that is
 * all, or waits for what others still hold (unreleased partitions).
 *
 * Invariants: a partition is given only when no member owns it or has yet to give it up. The target epoch is reached
 * only without partitions to revoke.
 */
import { ErrorCode } from '../../../protocol/error-codes.ts'
import { Refusal } from '../../shard.ts'
import type { Assignment } from '../assignors/assignor.ts'
import type { PartitionEpochs, TopicPartitions } from './assignment.ts'
import { assignedTo, intersects, NO_PARTITIONS, partitionsOf } from './assignment.ts'
import type { ConsumerMember } from './member.ts'
import { isReconciledTo, MemberState, withProgress } from './member.ts'

export interface Reconciliation {
  readonly targetEpoch: number
  readonly target: Assignment
  /** The subscription is another than before: the assignment has to fit it even if the target is not newer. */
  readonly subscriptionChanged: boolean
  /** Of the member, now. */
  isSubscribedTo(topicId: string): boolean
  /** Whether a member owns the partition, or has it yet to give up. */
  isOwned(topicId: string, partition: number): boolean
  /** What the member says that it owns; null: it didn't say. */
  readonly owned: readonly TopicPartitions[] | null
}

/** @returns `member` itself when it can't or needn't move. @throws Refusal FENCED_MEMBER_EPOCH in an unknown state. */
export function reconcile(member: ConsumerMember, step: Reconciliation): ConsumerMember {
  if (!step.subscriptionChanged && isReconciledTo(member, step.targetEpoch)) return member
  switch (member.state) {
    case MemberState.stable:
      if (member.memberEpoch !== step.targetEpoch) return advance(member, member.memberEpoch, step)
      return dropUnsubscribed(member, step)
    case MemberState.unrevokedPartitions:
      if (!stillOwns(step, member.pendingRevocation)) return advance(member, member.memberEpoch, step)
      return step.subscriptionChanged ? dropUnsubscribed(member, step) : member
    case MemberState.unreleasedPartitions:
      return advance(member, member.memberEpoch, step)
    case MemberState.unknown:
      // Written by a newer release: only a member that starts over without partitions can go on.
      if (step.owned === null || step.owned.length > 0) {
        throw new Refusal(ErrorCode.FENCED_MEMBER_EPOCH, 'The state of the member is unknown; it has to join again.')
      }
      return advance(member, step.targetEpoch, step)
  }
}

function advance(member: ConsumerMember, epoch: number, step: Reconciliation): ConsumerMember {
  const kept = new Map<string, Map<number, number>>()
  const toRevoke = new Map<string, Map<number, number>>()
  let gained = false
  let unreleased = false

  for (const [topicId, epochs] of member.assigned) {
    const target = step.isSubscribedTo(topicId) ? assignedTo(step.target, topicId) : undefined
    for (const [partition, givenAt] of epochs) {
      put(target?.has(partition) ? kept : toRevoke, topicId, partition, givenAt)
    }
  }
  const mustRevoke = toRevoke.size > 0 && stillOwns(step, toRevoke)
  if (mustRevoke) {
    return moved(member, epoch, MemberState.unrevokedPartitions, kept, toRevoke)
  }

  for (const [topicId, partitions] of step.target) {
    if (!step.isSubscribedTo(topicId)) continue
    const already = partitionsOf(member.assigned, topicId)
    const revoked = partitionsOf(member.pendingRevocation, topicId)
    for (const partition of partitions) {
      if (already.has(partition)) continue
      // What this member itself was to give up is free for it.
      if (step.isOwned(topicId, partition) && !revoked.has(partition)) {
        unreleased = true
      } else {
        put(kept, topicId, partition, step.targetEpoch)
        gained = true
      }
    }
  }
  const state = unreleased ? MemberState.unreleasedPartitions : MemberState.stable
  const assigned = gained || toRevoke.size > 0 ? kept : member.assigned
  return moved(member, step.targetEpoch, state, assigned, NO_PARTITIONS)
}

/** Takes the topics away that the member no longer subscribes to, within its epoch. */
function dropUnsubscribed(member: ConsumerMember, step: Reconciliation): ConsumerMember {
  const kept = new Map<string, ReadonlyMap<number, number>>()
  const toRevoke = new Map(member.pendingRevocation)
  for (const [topicId, epochs] of member.assigned) {
    if (step.isSubscribedTo(topicId)) kept.set(topicId, epochs)
    else toRevoke.set(topicId, new Map([...partitionsOf(toRevoke, topicId), ...epochs]))
  }
  if (kept.size === member.assigned.size) return member
  if (stillOwns(step, toRevoke)) {
    return moved(member, member.memberEpoch, MemberState.unrevokedPartitions, kept, toRevoke)
  }
  return moved(member, member.memberEpoch, member.state, kept, member.pendingRevocation)
}

function moved(
  member: ConsumerMember,
  epoch: number,
  state: MemberState,
  assigned: PartitionEpochs,
  pendingRevocation: PartitionEpochs,
): ConsumerMember {
  return withProgress(member, {
    memberEpoch: epoch,
    previousMemberEpoch: member.memberEpoch,
    state,
    assigned,
    pendingRevocation,
  })
}

/** A member that doesn't say what it owns still owns everything. */
function stillOwns(step: Reconciliation, partitions: PartitionEpochs): boolean {
  return step.owned === null || intersects(step.owned, partitions)
}

function put(into: Map<string, Map<number, number>>, topicId: string, partition: number, epoch: number): void {
  let epochs = into.get(topicId)
  if (epochs === undefined) into.set(topicId, (epochs = new Map()))
  epochs.set(partition, epoch)
}
