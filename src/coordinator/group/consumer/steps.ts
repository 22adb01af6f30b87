/**
 * What the heartbeat of a member and the join of one that speaks the classic protocol have in common: take up what the
 * member says, move the group's epoch and target if that asks for it, and bring the member one
 * step nearer to its target.
 *
 * Invariants: an operation gathers records and effects in a `Draft` and has the effects (timers, waiting answers) only
 * when nothing can refuse it any more.
 */

import type { Assignment, PartitionAssignor } from '../assignors/assignor.ts'
import type { GroupContext } from '../context.ts'
import type { GroupRecord } from '../records.ts'
import type { TopicPartitions } from './assignment.ts'
import { reconcile } from './current-assignment.ts'
import type { ConsumerGroup } from './group.ts'
import type { ConsumerMember, MemberMetadata } from './member.ts'
import { MemberState, sameNames, withMetadata } from './member.ts'
import type { MetadataHashes } from './metadata-hash.ts'
import { currentAssignmentRecord, memberMetadataRecord } from './records.ts'
import type { RegexChange, Regexes } from './regexes.ts'
import { isHomogeneousWith, subscriptionTest, updateSubscription } from './subscription.ts'
import { computeTarget } from './target-assignment.ts'
import type { MemberTimers } from './timers.ts'

/** An operation in the making. */
export interface Draft {
  readonly records: GroupRecord[]
  /** Once nothing can refuse it. */
  readonly effects: (() => void)[]
  /** If its records are not written. */
  readonly undone: (() => void)[]
}

export function newDraft(): Draft {
  return { records: [], effects: [], undone: [] }
}

export interface Subscribed {
  readonly member: ConsumerMember
  /** The group's, with the change. */
  readonly epoch: number
  /** The member subscribes to something else than before. */
  readonly subscriptionChanged: boolean
}

export interface Target {
  readonly epoch: number
  readonly assignment: Assignment
}

export class Steps {
  readonly #context: GroupContext
  readonly #hashes: MetadataHashes
  readonly #regexes: Regexes
  readonly #timers: MemberTimers
  readonly #assignors: ReadonlyMap<string, PartitionAssignor>

  constructor(
    context: GroupContext,
    hashes: MetadataHashes,
    regexes: Regexes,
    timers: MemberTimers,
    assignors: readonly PartitionAssignor[],
  ) {
    this.#context = context
    this.#hashes = hashes
    this.#regexes = regexes
    this.#timers = timers
    this.#assignors = new Map(assignors.map(assignor => [assignor.name, assignor]))
  }

  /** Name of the assignor of groups whose members want none in particular. */
  get defaultAssignor(): string {
    return this.#context.settings.consumerAssignors[0] ?? 'uniform'
  }

  /**
   * `bumpsAt`: which change of the member's regular expression asks for a new target at once. One that is yet to
   * be resolved does so later.
   * @throws Refusal INVALID_REGULAR_EXPRESSION
   */
  subscribe(
    draft: Draft,
    group: ConsumerGroup,
    before: ConsumerMember,
    said: MemberMetadata,
    bumpsAt: readonly RegexChange[],
  ): Subscribed {
    const member = withMetadata(before, said)
    if (member !== before) draft.records.push(memberMetadataRecord(group.groupId, member))
    const namesChanged = !sameNames(before.subscribedTopicNames, member.subscribedTopicNames)
    const regex = this.#regexes.update(group, before, member, draft.records)
    if (regex.refresh) draft.effects.push(() => this.#regexes.refresh(group.groupId))

    const bump = namesChanged || bumpsAt.includes(regex.change)
    const subscriptionChanged = namesChanged || regex.change !== 'none'
    const nowMs = this.#context.clock.wallMs()
    if (!bump && !group.needsRefresh(nowMs)) return { member, epoch: group.epoch, subscriptionChanged }
    const world = { hashes: this.#hashes, image: this.#context.image(), nowMs }
    const epoch = updateSubscription({ group, before, after: member, bump }, world, draft.records)
    return { member, epoch, subscriptionChanged }
  }

  /** The target for the group's epoch; the present one while the assignment interval has not passed. */
  target(draft: Draft, group: ConsumerGroup, before: ConsumerMember, subscribed: Subscribed): Target {
    const { member, epoch } = subscribed
    const present = group.targetVersion
    const nowMs = this.#context.clock.wallMs()
    if (present.epoch >= epoch || !this.#mayCompute(group, nowMs)) {
      return { epoch: present.epoch, assignment: group.targetOf(member.memberId, member.instanceId) }
    }
    const wanted = group.preferredAssignor(before, member) ?? this.defaultAssignor
    const assignor = this.#assignors.get(wanted) ?? this.#assignors.get(this.defaultAssignor)!
    const homogeneous = isHomogeneousWith(group, before, member)
    const image = this.#context.image()
    const computed = computeTarget({ group, epoch, updated: member, homogeneous, assignor, image, nowMs })
    draft.records.push(...computed.records)
    this.#context.logger.info(
      { groupId: group.groupId, epoch, assignor: assignor.name },
      'a consumer group has a new target assignment',
    )
    return { epoch, assignment: computed.target }
  }

  /** @returns the member after the step. @throws Refusal FENCED_MEMBER_EPOCH */
  reconcile(
    draft: Draft,
    group: ConsumerGroup,
    member: ConsumerMember,
    target: Target,
    subscriptionChanged: boolean,
    owned: readonly TopicPartitions[] | null,
  ): ConsumerMember {
    const after = reconcile(member, {
      targetEpoch: target.epoch,
      target: target.assignment,
      subscriptionChanged,
      isSubscribedTo: subscriptionTest(group, member, this.#context.image()),
      isOwned: (topicId, partition) => group.isOwned(topicId, partition),
      owned,
    })
    if (after === member) return member
    const { groupId } = group
    const { memberId } = after
    draft.records.push(currentAssignmentRecord(groupId, after))
    // Those with the classic protocol have other timers.
    if (after.classic === null) {
      draft.effects.push(() => {
        if (after.state !== MemberState.unrevokedPartitions) this.#timers.endRebalance(groupId, memberId)
        else this.#timers.startRebalance(groupId, memberId, after.memberEpoch, after.rebalanceTimeoutMs)
      })
    }
    return after
  }

  #mayCompute(group: ConsumerGroup, nowMs: number): boolean {
    const { timestampMs } = group.targetVersion
    if (timestampMs === 0) return true
    const intervalMs = this.#context.settings.consumerAssignmentIntervalMs(group.groupId)
    // 0 computes at once even if the clock was set back.
    return intervalMs === 0 || nowMs >= timestampMs + intervalMs
  }
}
