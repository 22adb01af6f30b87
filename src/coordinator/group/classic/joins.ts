/**
 * JoinGroup to a classic group, or to one that is yet to be.
 *
 * Invariants: each request is answered once: at once, when its generation begins, or when it becomes clear that none
 * will. A request that is refused leaves everything as it was, so it makes no group.
 */
import type { JoinGroupRequest } from '../../../protocol/apis/11-join-group.ts'
import type { KafkaErrorCode } from '../../../protocol/error-codes.ts'
import { ErrorCode } from '../../../protocol/error-codes.ts'
import type { GroupContext, RequestOrigin } from '../context.ts'
import { checkJoin, codeOfFailedAppend, joinAnswerIn, joinRefusal, rebalanceTimeoutOf } from './answers.ts'
import { ClassicGroup } from './group.ts'
import type { JoinAnswer, MemberProfile } from './member.ts'
import { ClassicMember } from './member.ts'
import { newMemberId } from './member-id.ts'
import type { Done, Rebalances } from './rebalances.ts'
import { joinedAnswer, NOTHING } from './rebalances.ts'
import type { ClassicRecords } from './records.ts'

/** One request on its way through a group. */
interface Join {
  readonly apiVersion: number
  readonly request: JoinGroupRequest
  /** What the member says of itself, under the id that the request has. */
  readonly profile: MemberProfile
  readonly answer: JoinAnswer
  readonly reason: string
}

/** Since version 4 a new member comes back with the id that it is given before it is taken. */
const FIRST_WITH_KNOWN_ID = 4
/** Since version 9 a leader can be told that its generation has assignments already. */
const FIRST_WITH_SKIPPED_ASSIGNMENT = 9

export class Joins {
  readonly #context: GroupContext
  readonly #records: ClassicRecords
  readonly #rebalances: Rebalances

  constructor(context: GroupContext, records: ClassicRecords, rebalances: Rebalances) {
    this.#context = context
    this.#records = records
    this.#rebalances = rebalances
  }

  join(origin: RequestOrigin, request: JoinGroupRequest, respond: JoinAnswer): Done {
    const { groupId, memberId } = request
    const join = joinOf(origin, request, respond)
    const refused = checkJoin(this.#context.settings, request)
    if (refused !== ErrorCode.NONE) return refuse(join, refused)
    const existing = this.#context.groups.get(groupId)
    if (existing instanceof ClassicGroup) return this.#watched(existing, this.#joinGroup(existing, join))
    if (existing !== undefined && !existing.isEmpty) return refuse(join, ErrorCode.INCONSISTENT_GROUP_PROTOCOL, '')
    if (memberId !== '') return refuse(join, ErrorCode.UNKNOWN_MEMBER_ID)

    const group = new ClassicGroup(this.#context, groupId)
    if (!supports(group, request)) return refuse(join, ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    this.#joinAnew(group, join)
    const records = [...(existing?.tombstones() ?? []), this.#records.ofNew(group)]
    return this.#watched(group, { records, response: undefined, atomic: true })
  }

  /**
   * A group that is not there any more, since what made it was not written, has nobody left who answers its members.
   */
  #watched(group: ClassicGroup, done: Done): Done {
    const settled = (code: KafkaErrorCode) => {
      done.settled?.(code)
      if (code === ErrorCode.NONE || group.state === 'Dead') return
      if (this.#context.groups.get(group.groupId) !== group) this.#rebalances.dissolve(group, codeOfFailedAppend(code))
    }
    return { ...done, settled }
  }

  #joinGroup(group: ClassicGroup, join: Join): Done {
    const { memberId } = join.request
    if (!this.#hasRoomFor(group, memberId)) {
      this.#rebalances.remove(group, memberId)
      refuse(join, ErrorCode.GROUP_MAX_SIZE_REACHED, '')
      return group.state === 'PreparingRebalance' ? this.#rebalances.completeIfJoined(group) : NOTHING
    }
    if (group.state === 'Dead') return refuse(join, ErrorCode.COORDINATOR_NOT_AVAILABLE)
    if (!supports(group, join.request)) return refuse(join, ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    return memberId === '' ? this.#joinAnew(group, join) : this.#joinAgain(group, join)
  }

  /**
   * While a rebalance waits for members, they have room in the order in which they join, and the last ones lose theirs
   * when the limit was lowered. Otherwise members have theirs.
   */
  #hasRoomFor(group: ClassicGroup, memberId: string): boolean {
    const { members } = group
    const max = this.#context.settings.classicMaxSize
    switch (group.state) {
      case 'PreparingRebalance':
        return members.get(memberId)?.join !== undefined || members.awaitingJoin < max
      case 'CompletingRebalance':
      case 'Stable':
        return members.has(memberId) || members.size < max
      default:
        return true
    }
  }

  /** Without an id: a new member, or a static one that has started anew. */
  #joinAnew(group: ClassicGroup, join: Join): Done {
    const { groupInstanceId, clientId } = join.profile
    const memberId = newMemberId(this.#context.random, groupInstanceId ?? clientId)
    if (groupInstanceId !== null) {
      const present = group.members.get(group.members.idOfInstance(groupInstanceId) ?? '')
      return present === undefined ? this.#add(group, join, memberId) : this.#restart(group, join, present, memberId)
    }
    if (join.apiVersion < FIRST_WITH_KNOWN_ID) return this.#add(group, join, memberId)
    this.#rebalances.awaitPendingMember(group, memberId, join.profile.sessionTimeoutMs)
    join.answer(joinRefusal(ErrorCode.MEMBER_ID_REQUIRED, memberId))
    return NOTHING
  }

  /** With an id that the group has given. */
  #joinAgain(group: ClassicGroup, join: Join): Done {
    const { memberId, groupInstanceId, protocols } = join.request
    if (group.members.pendingJoin.has(memberId)) {
      // Only members without an instance id are given one before they are taken.
      if (groupInstanceId !== null) return refuse(join, ErrorCode.UNKNOWN_SERVER_ERROR, '')
      return this.#add(group, join, memberId)
    }
    const code = group.checkMember(memberId, groupInstanceId)
    const member = group.members.get(memberId)
    if (code !== ErrorCode.NONE || member === undefined) {
      join.answer(joinRefusal(code, memberId, null))
      return NOTHING
    }
    // Nothing new: the answer of the present generation was lost, or a follower has missed nothing. A leader of a
    // stable group asks for a rebalance by joining: it may have seen what it doesn't say, as that a topic has grown.
    const hasNews = !member.matches(protocols) || (group.state === 'Stable' && group.isLeader(memberId))
    if (group.state !== 'PreparingRebalance' && !hasNews) {
      join.answer(joinedAnswer(group, member))
      return NOTHING
    }
    group.members.update(member, join.profile)
    group.members.awaitJoin(member, join.answer)
    return this.#rebalances.prepareOrComplete(group, `a member joins again: ${join.reason}`)
  }

  #add(group: ClassicGroup, join: Join, memberId: string): Done {
    const member = new ClassicMember({ ...join.profile, memberId })
    member.isNew = true
    if (group.state === 'PreparingRebalance' && group.previousState === 'Empty') group.newMemberAdded = true
    group.add(member)
    group.members.awaitJoin(member, join.answer)
    this.#rebalances.awaitNewMember(group, member)
    return this.#rebalances.prepareOrComplete(group, `a new member joins: ${join.reason}`)
  }

  /**
   * A static member is back under a new id and has the place of the old one. A stable group goes on without a rebalance
   * if what it has agreed on stays the same; only the new id has to be written.
   */
  #restart(group: ClassicGroup, join: Join, present: ClassicMember, memberId: string): Done {
    const { state, leaderId } = group
    this.#rebalances.forget(group, present.memberId)
    const member = new ClassicMember({ ...present, memberId })
    group.replace(present, member)
    this.#rebalances.keepAlive(group, member)
    group.members.update(member, join.profile)
    group.members.awaitJoin(member, join.answer)
    if (state === 'PreparingRebalance') return this.#rebalances.completeIfJoined(group)
    // Between join and sync the leader may have been told the old id already, and would assign to that one.
    if (state !== 'Stable' || group.members.selectProtocol() !== group.protocolName)
      return this.#rebalances.prepare(group, `a static member has started anew: ${join.reason}`)

    const { generationId } = group
    const settled = (code: KafkaErrorCode) => {
      // Replaced once more, or in a rebalance by now, which answers it.
      if (group.members.get(memberId) !== member) return
      if (group.state !== 'Stable' || group.generationId !== generationId) return
      if (code === ErrorCode.NONE) this.#answerRestarted(group, join, member, leaderId)
      else this.#takeBack(group, member, present, codeOfFailedAppend(code))
    }
    return { records: [this.#records.of(group)], response: undefined, settled }
  }

  /** Before version 9 a leader must not take itself for one, lest it assigns what nobody will fetch. */
  #answerRestarted(group: ClassicGroup, join: Join, member: ClassicMember, formerLeaderId: string | null): void {
    const joined = joinedAnswer(group, member)
    group.members.answerJoin(
      member,
      join.apiVersion >= FIRST_WITH_SKIPPED_ASSIGNMENT
        ? { ...joined, skipAssignment: group.isLeader(member.memberId) }
        : { ...joined, leader: formerLeaderId ?? '', members: [] },
    )
  }

  #takeBack(group: ClassicGroup, member: ClassicMember, former: ClassicMember, errorCode: KafkaErrorCode): void {
    const { groupId, generationId, protocolType, protocolName, leaderId } = group
    this.#context.logger.warn({ groupId, errorCode }, 'the new id of a static member could not be written')
    const leader = leaderId === member.memberId ? former.memberId : (leaderId ?? '')
    const refusal = { ...joinRefusal(errorCode, ''), generationId, protocolType, protocolName, leader }
    group.members.answerJoin(member, refusal)
    this.#rebalances.forget(group, member.memberId)
    group.replace(member, former)
    this.#rebalances.keepAlive(group, former)
  }
}

function joinOf(origin: RequestOrigin, request: JoinGroupRequest, respond: JoinAnswer): Join {
  const { apiVersion, clientId, clientHost } = origin
  const { memberId, groupInstanceId, sessionTimeoutMs, protocolType, protocols } = request
  const rebalanceTimeoutMs = rebalanceTimeoutOf(apiVersion, request)
  return {
    apiVersion,
    request,
    profile: {
      memberId,
      groupInstanceId,
      clientId,
      clientHost,
      rebalanceTimeoutMs,
      sessionTimeoutMs,
      protocolType,
      protocols,
    },
    answer: joinAnswerIn(apiVersion, respond),
    reason: request.reason || 'no reason given',
  }
}

function refuse({ answer, request }: Join, code: KafkaErrorCode, memberId = request.memberId): Done {
  answer(joinRefusal(code, memberId))
  return NOTHING
}

function supports(group: ClassicGroup, { protocolType, protocols }: JoinGroupRequest): boolean {
  return group.supports(
    protocolType,
    protocols.map(protocol => protocol.name),
  )
}
