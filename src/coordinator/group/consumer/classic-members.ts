/**
 * Members of a consumer group that still speak the classic protocol: their joins, syncs, heartbeats and leaves.
 *
 * The group assigns, so no member leads and each join is answered at once, with the member's epoch as its generation. A
 * heartbeat tells the member to join again when there is something to give up or to get; the join says what it still
 * owns, which stands for the acknowledgement; the sync then brings what it owns.
 *
 * Invariants: `respond` is called exactly once: within the call when nothing is written, else when that is settled. A
 * member that was told to join, or has joined and must sync, is fenced when it doesn't within its rebalance timeout.
 */
import { randomUuid } from '../../../base/uuid.ts'
import type { JoinGroupRequest, JoinGroupResponseInput } from '../../../protocol/apis/11-join-group.ts'
import type { HeartbeatRequest, HeartbeatResponseInput } from '../../../protocol/apis/12-heartbeat.ts'
import type { LeaveGroupRequest, LeaveGroupResponseInput } from '../../../protocol/apis/13-leave-group.ts'
import type { SyncGroupRequest, SyncGroupResponseInput } from '../../../protocol/apis/14-sync-group.ts'
import type { KafkaErrorCode } from '../../../protocol/error-codes.ts'
import { ErrorCode } from '../../../protocol/error-codes.ts'
import { ProtocolError } from '../../../protocol/protocol-error.ts'
import type { ConsumerProtocolSubscription } from '../../../protocol/records/consumer-protocol.ts'
import type { Outcome } from '../../shard.ts'
import { Refusal } from '../../shard.ts'
import {
  checkJoin,
  checkSync,
  codeOfFailedAppend,
  joinAnswerIn,
  joinRefusal,
  leaveAnswer,
  leavingMembers,
  rebalanceTimeoutOf,
  syncRefusal,
} from '../classic/answers.ts'
import { decodeSubscription } from '../classic/consumer-protocol.ts'
import type { JoinAnswer, SyncAnswer } from '../classic/member.ts'
import type { GroupContext, RequestOrigin } from '../context.ts'
import type { GroupRecord } from '../records.ts'
import type { TopicPartitions } from './assignment.ts'
import type { Fencing } from './fencing.ts'
import type { ConsumerGroup } from './group.ts'
import { CONSUMER_PROTOCOL_TYPE } from './group.ts'
import type { ConsumerMember, MemberMetadata } from './member.ts'
import { isReconciledTo, MemberState, newMember, sortedNames } from './member.ts'
import { checkRoom, joinStatic, staticMemberOf } from './membership.ts'
import type { Migration } from './migration.ts'
import { assignmentBytes } from './migration.ts'
import type { Draft, Steps, Subscribed } from './steps.ts'
import { newDraft } from './steps.ts'
import type { MemberTimers } from './timers.ts'

type Done = Outcome<GroupRecord, void>

const NOTHING: Done = { records: [], response: undefined }

/** Since this version a new member comes back with the id that it is given before it is taken. */
const FIRST_WITH_KNOWN_ID = 4

export class ClassicMembers {
  readonly #context: GroupContext
  readonly #steps: Steps
  readonly #timers: MemberTimers
  readonly #migration: Migration
  readonly #fencing: Fencing

  constructor(context: GroupContext, steps: Steps, timers: MemberTimers, migration: Migration, fencing: Fencing) {
    this.#context = context
    this.#steps = steps
    this.#timers = timers
    this.#migration = migration
    this.#fencing = fencing
  }

  /** To a group with members. */
  join(origin: RequestOrigin, group: ConsumerGroup, request: JoinGroupRequest, respond: JoinAnswer): Done {
    const answer = joinAnswerIn(origin.apiVersion, respond)
    try {
      return this.#join(origin, group, request, answer)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      answer(joinRefusal(error.code, ''))
      return NOTHING
    }
  }

  #join(origin: RequestOrigin, group: ConsumerGroup, request: JoinGroupRequest, answer: JoinAnswer): Done {
    const { settings } = this.#context
    const { groupInstanceId: instanceId, protocols } = request
    const refused = checkJoin(settings, request)
    if (refused !== ErrorCode.NONE) {
      answer(joinRefusal(refused, request.memberId))
      return NOTHING
    }
    if (settings.migrationPolicy === 'disabled') {
      throw new Refusal(
        ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
        'Consumer groups take no members of the classic protocol.',
      )
    }
    const isNew = request.memberId === ''
    const memberId = isNew ? randomUuid(this.#context.random) : request.memberId
    checkRoom(group, memberId, settings.consumerMaxSize)
    const names = protocols.map(protocol => protocol.name)
    if (!group.supportsClassicProtocols(request.protocolType, names)) {
      throw new Refusal(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    }
    if (isNew && instanceId === null && origin.apiVersion >= FIRST_WITH_KNOWN_ID) {
      answer(joinRefusal(ErrorCode.MEMBER_ID_REQUIRED, memberId))
      return NOTHING
    }

    const draft = newDraft()
    const subscription = subscriptionOf(request)
    const before = memberOf(group, memberId, instanceId, isNew, draft.records)
    const replaced = group.staticMember(instanceId)
    const said = saidBy(before, origin, request, subscription)
    const subscribed = this.#steps.subscribe(draft, group, before, said, ['changed', 'resolved'])
    const owned = this.#ownedOf(subscription)
    const canDowngrade = replaced !== undefined && this.#migration.canDowngrade(group, new Set([replaced]), true)
    const member = canDowngrade
      ? this.#downgrade(draft, group, subscribed, replaced, owned)
      : this.#advance(draft, group, before, subscribed, owned)

    for (const effect of draft.effects) effect()
    const rebalanceTimeoutMs = rebalanceTimeoutOf(origin.apiVersion, request)
    const settled = (code: KafkaErrorCode): void => {
      if (code !== ErrorCode.NONE) {
        answer(joinRefusal(codeOfFailedAppend(code), request.memberId))
        return
      }
      if (!canDowngrade) this.#joined(group.groupId, member, request.sessionTimeoutMs, rebalanceTimeoutMs)
      answer(joinedAnswer(member))
    }
    return { records: draft.records, response: undefined, atomic: true, settled }
  }

  #joined(groupId: string, { memberId }: ConsumerMember, sessionTimeoutMs: number, rebalanceTimeoutMs: number): void {
    this.#timers.endJoin(groupId, memberId)
    this.#timers.startSession(groupId, memberId, sessionTimeoutMs)
    this.#timers.startSync(groupId, memberId, rebalanceTimeoutMs)
  }

  #advance(
    draft: Draft,
    group: ConsumerGroup,
    before: ConsumerMember,
    subscribed: Subscribed,
    owned: readonly TopicPartitions[],
  ): ConsumerMember {
    const target = this.#steps.target(draft, group, before, subscribed)
    return this.#steps.reconcile(draft, group, subscribed.member, target, subscribed.subscriptionChanged, owned)
  }

  /**
   * The last member of the consumer protocol is replaced by this one: the group becomes classic with the target it has.
   */
  #downgrade(
    draft: Draft,
    group: ConsumerGroup,
    subscribed: Subscribed,
    replaced: ConsumerMember,
    owned: readonly TopicPartitions[],
  ): ConsumerMember {
    const { subscriptionChanged } = subscribed
    let { member } = subscribed
    const { epoch } = group.targetVersion
    const isStale = epoch < subscribed.epoch
    if (!isStale) {
      const target = { epoch, assignment: group.targetOf(member.memberId, member.instanceId) }
      member = this.#steps.reconcile(draft, group, member, target, subscriptionChanged, owned)
    }
    const members = [...group.members.values()].filter(other => other !== replaced)
    const isSettled = !isStale && [member, ...members].every(other => isReconciledTo(other, epoch))
    const reason = isSettled ? undefined : 'the group became classic before everybody had what it shall have'
    draft.records.push(...this.#migration.downgrade(group, new Set([replaced]), member, reason))
    return member
  }

  sync(origin: RequestOrigin, group: ConsumerGroup, request: SyncGroupRequest, respond: SyncAnswer): Done {
    const { groupId, memberId } = request
    try {
      const refused = checkSync(origin.apiVersion, request)
      if (refused !== ErrorCode.NONE) throw new Refusal(refused)
      const member = classicMemberOf(group, memberId, request.groupInstanceId)
      checkGeneration(member, request.generationId)
      checkProtocol(member, request)
      this.#checkNoRebalance(group, member)
      const response = this.#syncAnswer(member, request)
      const settled = (code: KafkaErrorCode): void => {
        if (code === ErrorCode.NONE) {
          this.#timers.endSync(groupId, memberId)
          this.#timers.startSession(groupId, memberId, member.classic!.sessionTimeoutMs)
        }
        respond(code === ErrorCode.NONE ? response : syncRefusal(codeOfFailedAppend(code)))
      }
      return { records: [], response: undefined, settled }
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      respond(syncRefusal(error.code))
      return NOTHING
    }
  }

  #syncAnswer(member: ConsumerMember, request: SyncGroupRequest): SyncGroupResponseInput {
    const subscription = member.classic?.supportedProtocols[0]?.metadata
    return {
      errorCode: ErrorCode.NONE,
      protocolType: request.protocolType,
      protocolName: request.protocolName,
      assignment: assignmentBytes(member.assigned, subscription, this.#context.image()),
    }
  }

  heartbeat(group: ConsumerGroup, request: HeartbeatRequest): Outcome<GroupRecord, HeartbeatResponseInput> {
    const { groupId, memberId } = request
    try {
      const member = classicMemberOf(group, memberId, request.groupInstanceId)
      checkGeneration(member, request.generationId)
      this.#timers.startSession(groupId, memberId, member.classic!.sessionTimeoutMs)
      const mustJoin =
        member.memberEpoch < group.targetVersion.epoch ||
        member.state === MemberState.unrevokedPartitions ||
        (member.state === MemberState.unreleasedPartitions && !group.isWaitingForRelease(member))
      if (mustJoin) this.#timers.startJoin(groupId, memberId, member.rebalanceTimeoutMs)
      return { records: [], response: { errorCode: mustJoin ? ErrorCode.REBALANCE_IN_PROGRESS : ErrorCode.NONE } }
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      return { records: [], response: { errorCode: error.code } }
    }
  }

  /** Of members of either protocol: tools know no other way to remove one. */
  leave(
    origin: RequestOrigin,
    group: ConsumerGroup,
    request: LeaveGroupRequest,
  ): Outcome<GroupRecord, LeaveGroupResponseInput> {
    const leaving = new Set<ConsumerMember>()
    const left = leavingMembers(origin.apiVersion, request).map(({ memberId, groupInstanceId, reason }) => {
      const { member, errorCode } = leavingMember(group, memberId, groupInstanceId)
      if (member !== undefined) {
        leaving.add(member)
        this.#context.logger.debug({ groupId: group.groupId, memberId, reason }, 'a member leaves a consumer group')
      }
      return { memberId, groupInstanceId, errorCode }
    })
    return this.#fencing.fence(group, [...leaving], leaveAnswer(origin.apiVersion, left))
  }

  /** A member that still gives up partitions has joined already, and is not asked to again before that is done. */
  #checkNoRebalance(group: ConsumerGroup, member: ConsumerMember): void {
    if (group.targetVersion.epoch <= member.memberEpoch || member.state === MemberState.unrevokedPartitions) return
    this.#timers.startJoin(group.groupId, member.memberId, member.rebalanceTimeoutMs)
    throw new Refusal(ErrorCode.REBALANCE_IN_PROGRESS)
  }

  #ownedOf(subscription: ConsumerProtocolSubscription): TopicPartitions[] {
    const owned: TopicPartitions[] = []
    for (const { topic, partitions } of subscription.ownedPartitions) {
      const id = this.#context.image().topicsByName.get(topic)?.id
      if (id !== undefined) owned.push({ topicId: id, partitions })
    }
    return owned
  }
}

function memberOf(
  group: ConsumerGroup,
  memberId: string,
  instanceId: string | null,
  isNew: boolean,
  records: GroupRecord[],
): ConsumerMember {
  if (instanceId === null) return group.members.get(memberId) ?? newMember(memberId)
  return isNew
    ? joinStatic(group, { memberId, instanceId, speaksClassic: true }, records)
    : staticMemberOf(group, instanceId, memberId)
}

function subscriptionOf({ protocols }: JoinGroupRequest): ConsumerProtocolSubscription {
  try {
    return decodeSubscription(protocols[0]!.metadata)
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    throw new Refusal(ErrorCode.UNKNOWN_SERVER_ERROR, `The subscription cannot be read: ${error.message}`)
  }
}

function saidBy(
  member: ConsumerMember,
  origin: RequestOrigin,
  request: JoinGroupRequest,
  subscription: ConsumerProtocolSubscription,
): MemberMetadata {
  return {
    instanceId: request.groupInstanceId ?? member.instanceId,
    rackId: subscription.rackId || member.rackId,
    rebalanceTimeoutMs: rebalanceTimeoutOf(origin.apiVersion, request),
    clientId: origin.clientId,
    clientHost: origin.clientHost,
    subscribedTopicNames: sortedNames(subscription.topics),
    subscribedTopicRegex: '',
    serverAssignor: member.serverAssignor,
    classic: {
      sessionTimeoutMs: request.sessionTimeoutMs,
      supportedProtocols: request.protocols.map(({ name, metadata }) => ({ name, metadata })),
    },
  }
}

function joinedAnswer(member: ConsumerMember): JoinGroupResponseInput {
  return {
    errorCode: ErrorCode.NONE,
    memberId: member.memberId,
    generationId: member.memberEpoch,
    protocolType: CONSUMER_PROTOCOL_TYPE,
    protocolName: member.classic?.supportedProtocols[0]?.name ?? '',
    leader: '',
    members: [],
  }
}

/** @throws Refusal UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID */
function classicMemberOf(group: ConsumerGroup, memberId: string, instanceId: string | null): ConsumerMember {
  const member = instanceId === null ? group.memberOrThrow(memberId) : staticMemberOf(group, instanceId, memberId)
  if (member.classic === null) throw new Refusal(ErrorCode.UNKNOWN_MEMBER_ID)
  return member
}

function leavingMember(
  group: ConsumerGroup,
  memberId: string,
  instanceId: string | null,
): { member?: ConsumerMember; errorCode: KafkaErrorCode } {
  const member = instanceId === null ? group.members.get(memberId) : group.staticMember(instanceId)
  if (member === undefined) return { errorCode: ErrorCode.UNKNOWN_MEMBER_ID }
  // Tools name static members by their instance id alone.
  if (memberId !== '' && memberId !== member.memberId) return { errorCode: ErrorCode.FENCED_INSTANCE_ID }
  return { member, errorCode: ErrorCode.NONE }
}

function checkGeneration(member: ConsumerMember, generationId: number): void {
  if (generationId !== member.memberEpoch) throw new Refusal(ErrorCode.ILLEGAL_GENERATION)
}

function checkProtocol(member: ConsumerMember, { protocolType, protocolName }: SyncGroupRequest): void {
  const expected = member.classic?.supportedProtocols[0]?.name
  const isOther =
    (protocolType !== null && protocolType !== CONSUMER_PROTOCOL_TYPE) ||
    (protocolName !== null && protocolName !== expected)
  if (isOther) throw new Refusal(ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
}
