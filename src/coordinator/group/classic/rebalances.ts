/**
 * How a classic group moves from one generation to the next, and the timers that drive it when members are silent: a
 * session for each member, one wait for joins, one for syncs.
 *
 * Invariants: a group that waits for joins has its join timer set, one that waits for syncs its sync timer, so no
 * member can hold the others up for longer than the rebalance timeout. A timer acts only on the group that set it, as
 * long as that is the group of its id and not dead.
 */
import type { KafkaErrorCode } from '../../../protocol/error-codes.ts'
import { ErrorCode } from '../../../protocol/error-codes.ts'
import type { Outcome } from '../../shard.ts'
import type { GroupContext } from '../context.ts'
import type { GroupRecord } from '../records.ts'
import type { ClassicGroup } from './group.ts'
import type { ClassicMember, MemberSession } from './member.ts'
import { NO_ASSIGNMENT } from './member.ts'
import type { ClassicRecords } from './records.ts'

export type Done = Outcome<GroupRecord, void>

export const NOTHING: Done = { records: [], response: undefined }

/** Timers here look at the group anew, and are set again by whatever they do. */
const UNTRIED = { retry: false }

/** How long a new member, who can't send heartbeats, may wait for its first generation; then its join is answered. */
const NEW_MEMBER_JOIN_TIMEOUT_MS = 300_000

export class Rebalances {
  readonly #context: GroupContext
  readonly #records: ClassicRecords

  constructor(context: GroupContext, records: ClassicRecords) {
    this.#context = context
    this.#records = records
  }

  // Sessions.

  /** The member has been heard of: its session begins anew. */
  keepAlive(group: ClassicGroup, member: ClassicMember): void {
    if (member.session?.group !== group) member.session = this.#session(group, member.memberId)
    const { key, expire } = member.session
    this.#context.timers.schedule(key, member.sessionTimeoutMs, expire, UNTRIED)
  }

  /** It has asked for the first time and is not answered yet. */
  awaitNewMember(group: ClassicGroup, member: ClassicMember): void {
    this.#startSession(group, member.memberId, NEW_MEMBER_JOIN_TIMEOUT_MS)
  }

  /** An id was given out, to be brought back before the session is over. */
  awaitPendingMember(group: ClassicGroup, memberId: string, sessionTimeoutMs: number): void {
    group.members.addPendingJoin(memberId)
    this.#startSession(group, memberId, sessionTimeoutMs)
  }

  /** The session of an id that nobody has any more. */
  forget(group: ClassicGroup, memberId: string): void {
    this.#context.timers.cancel(sessionKey(group, memberId))
  }

  /** Takes a member, or an id that was given out, out of the group. */
  remove(group: ClassicGroup, memberId: string): void {
    this.forget(group, memberId)
    group.remove(memberId)
  }

  /** Who waits is told, and the group is not touched again: it was unloaded, or never came to be. */
  dissolve(group: ClassicGroup, errorCode: KafkaErrorCode): void {
    const { timers } = this.#context
    group.transitionTo('Dead')
    timers.cancel(joinKey(group))
    timers.cancel(syncKey(group))
    for (const member of group.members.all()) timers.cancel(sessionKey(group, member.memberId))
    for (const memberId of group.members.pendingJoin) timers.cancel(sessionKey(group, memberId))
    group.answerJoins(errorCode)
    group.answerSyncs(errorCode)
  }

  #startSession(group: ClassicGroup, memberId: string, timeoutMs: number): void {
    const { key, expire } = this.#session(group, memberId)
    this.#context.timers.schedule(key, timeoutMs, expire, UNTRIED)
  }

  #session(group: ClassicGroup, memberId: string): MemberSession {
    const expire = () => (this.#isCurrent(group) ? this.#sessionExpired(group, memberId) : NOTHING)
    return { group, key: sessionKey(group, memberId), expire }
  }

  #sessionExpired(group: ClassicGroup, memberId: string): Done {
    const { groupId } = group
    const isPending = group.members.pendingJoin.has(memberId)
    const member = group.members.get(memberId)
    if (!isPending && (member === undefined || member.isWaiting)) return NOTHING
    this.#context.logger.info({ groupId, memberId }, 'a member of a classic group has not been heard of and is removed')
    group.remove(memberId)
    return isPending ? this.#completeWhenAllJoined(group) : this.afterLoss(group, 'the session of a member is over')
  }

  // The course of a rebalance.

  /** A member is gone. */
  afterLoss(group: ClassicGroup, reason: string): Done {
    return group.state === 'PreparingRebalance'
      ? this.#completeWhenAllJoined(group)
      : this.prepareOrComplete(group, reason)
  }

  /** A member came or changed, or is gone: a rebalance begins, or the one that waits for members may now go on. */
  prepareOrComplete(group: ClassicGroup, reason: string): Done {
    return group.canRebalance ? this.prepare(group, reason) : this.completeIfJoined(group)
  }

  /** Everybody has to join again. The first members of an empty group are given time to be joined by more. */
  prepare(group: ClassicGroup, reason: string): Done {
    const { timers, settings, logger } = this.#context
    if (group.state === 'CompletingRebalance') this.propagate(group, undefined, ErrorCode.REBALANCE_IN_PROGRESS)
    group.members.clearPendingSync()
    timers.cancel(syncKey(group))
    const isInitial = group.isEmpty
    group.transitionTo('PreparingRebalance')
    const { groupId, generationId } = group
    logger.info({ groupId, generationId, reason }, 'a classic group rebalances')
    if (!isInitial) return group.members.haveAllJoined ? this.complete(group) : this.#awaitJoins(group)
    const delayMs = settings.initialRebalanceDelayMs
    group.newMemberAdded = false
    this.#awaitMore(group, delayMs, Math.max(group.members.rebalanceTimeoutMs - delayMs, 0))
    return NOTHING
  }

  /** Goes on when all members have joined; an initial rebalance always waits for its time. */
  completeIfJoined(group: ClassicGroup): Done {
    return group.previousState === 'Empty' ? NOTHING : this.#completeWhenAllJoined(group)
  }

  #completeWhenAllJoined(group: ClassicGroup): Done {
    return group.state === 'PreparingRebalance' && group.members.haveAllJoined ? this.complete(group) : NOTHING
  }

  /** Waits for joins; who has not joined by then is left behind. */
  #awaitJoins(group: ClassicGroup): Done {
    this.#schedule(joinKey(group), group.members.rebalanceTimeoutMs, group, () => this.complete(group))
    return NOTHING
  }

  /** Waits for more first members, `restMs` longer at most. */
  #awaitMore(group: ClassicGroup, delayMs: number, restMs: number): void {
    this.#schedule(joinKey(group), delayMs, group, () => {
      if (!group.newMemberAdded || restMs === 0) return this.complete(group)
      group.newMemberAdded = false
      this.#awaitMore(
        group,
        Math.min(this.#context.settings.initialRebalanceDelayMs, restMs),
        Math.max(restMs - delayMs, 0),
      )
      return NOTHING
    })
  }

  /**
   * Ends the wait for joins: dynamic members who have not joined are removed, the others are the next generation.
   * Static members keep their place until their session is over; while none but those are left, nothing can begin.
   */
  complete(group: ClassicGroup): Done {
    const { timers, logger } = this.#context
    timers.cancel(joinKey(group))
    const left = Array.from(group.members.all()).filter(member => member.join === undefined && !member.isStatic)
    for (const { memberId } of left) this.remove(group, memberId)
    if (!group.electLeader() && group.members.size > 0) {
      logger.warn(
        { groupId: group.groupId },
        'no member of a classic group has joined its rebalance; it goes on waiting',
      )
      return this.#awaitJoins(group)
    }
    group.startNextGeneration()
    if (group.isEmpty) return this.#empty(group)
    for (const member of group.members.all()) {
      group.members.addPendingSync(member.memberId)
      group.members.answerJoin(member, joinedAnswer(group, member))
      this.keepAlive(group, member)
      member.isNew = false
    }
    const { groupId, generationId } = group
    logger.debug({ groupId, generationId, members: group.members.size }, 'a classic group has a new generation')
    this.#schedule(syncKey(group), group.members.rebalanceTimeoutMs, group, () =>
      this.#syncsExpired(group, generationId),
    )
    return NOTHING
  }

  #empty(group: ClassicGroup): Done {
    const { groupId, generationId } = group
    return {
      records: [this.#records.of(group)],
      response: undefined,
      settled: code => {
        if (code === ErrorCode.NONE) return
        // After a crash the generation before comes back, and its members time out.
        this.#context.logger.warn({ groupId, generationId, code }, 'that a classic group is empty could not be written')
      },
    }
  }

  // Syncs.

  synced(group: ClassicGroup, memberId: string): void {
    if (group.members.endPendingSync(memberId)) this.#context.timers.cancel(syncKey(group))
  }

  #syncsExpired(group: ClassicGroup, generationId: number): Done {
    const silent = Array.from(group.members.pendingSync)
    const isPast = generationId !== group.generationId || group.state === 'PreparingRebalance' || group.isEmpty
    if (isPast || silent.length === 0) return NOTHING
    for (const memberId of silent) this.remove(group, memberId)
    return this.prepare(group, `${silent.length} members have not synced in time`)
  }

  /** Hands out assignments, or the reason why there are none, to all who wait for theirs. */
  propagate(
    group: ClassicGroup,
    assignments: ReadonlyMap<string, Uint8Array> | undefined,
    errorCode: KafkaErrorCode,
  ): void {
    for (const member of group.members.all()) {
      member.assignment = assignments?.get(member.memberId) ?? NO_ASSIGNMENT
      const isAnswered = group.members.answerSync(member, {
        errorCode,
        protocolType: errorCode === ErrorCode.NONE ? group.protocolType : null,
        protocolName: errorCode === ErrorCode.NONE ? group.protocolName : null,
        assignment: member.assignment,
      })
      // While it waited its session may have run out without effect.
      if (isAnswered) this.keepAlive(group, member)
    }
  }

  #schedule(key: string, delayMs: number, group: ClassicGroup, act: () => Done): void {
    this.#context.timers.schedule(key, delayMs, () => (this.#isCurrent(group) ? act() : NOTHING), UNTRIED)
  }

  #isCurrent(group: ClassicGroup): boolean {
    return this.#context.groups.get(group.groupId) === group && group.state !== 'Dead'
  }
}

/** The answer to who is in the present generation: only the leader hears of the others. */
export function joinedAnswer(group: ClassicGroup, member: ClassicMember) {
  return {
    errorCode: ErrorCode.NONE,
    generationId: group.generationId,
    protocolType: group.protocolType,
    protocolName: group.protocolName,
    leader: group.leaderId ?? '',
    skipAssignment: false,
    memberId: member.memberId,
    members: group.isLeader(member.memberId) ? membersForLeader(group) : [],
  }
}

function membersForLeader(group: ClassicGroup) {
  return Array.from(group.members.all(), member => ({
    memberId: member.memberId,
    groupInstanceId: member.groupInstanceId,
    metadata: member.metadata(group.protocolName ?? '') ?? NO_ASSIGNMENT,
  }))
}

// Lengths keep keys apart, since both ids may hold any character.
const sessionKey = ({ groupId }: ClassicGroup, memberId: string) =>
  `classic-session-${groupId.length}-${groupId}-${memberId}`
const joinKey = ({ groupId }: ClassicGroup) => `classic-join-${groupId}`
const syncKey = ({ groupId }: ClassicGroup) => `classic-sync-${groupId}`
