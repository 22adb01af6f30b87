/**
 * ConsumerGroupHeartbeat: a member joins, changes its mind, acknowledges what it gave up, and is told what it owns.
 *
 * Invariants: a heartbeat that brings nothing new to a member that is where it shall be writes nothing. The answer
 * names the assignment only when the member asks for all of it or it changed.
 */

import { randomUuid } from '../../../base/uuid.ts'
import type {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponseInput,
} from '../../../protocol/apis/68-consumer-group-heartbeat.ts'
import { ErrorCode } from '../../../protocol/error-codes.ts'
import { Timeline } from '../../../timeline/timeline.ts'
import type { Outcome } from '../../shard.ts'
import { Refusal } from '../../shard.ts'
import type { ClassicGroup } from '../classic/group.ts'
import type { GroupContext, RequestOrigin } from '../context.ts'
import type { GroupRecord } from '../records.ts'
import { listPartitions, samePartitions } from './assignment.ts'
import { ConsumerGroup } from './group.ts'
import type { ConsumerMember, MemberMetadata } from './member.ts'
import { JOIN_EPOCH, newMember, sortedNames } from './member.ts'
import { checkEpoch, checkRoom, joinStatic, staticMemberOf } from './membership.ts'
import type { Migration } from './migration.ts'
import type { Draft, Steps } from './steps.ts'
import { newDraft } from './steps.ts'
import type { MemberTimers } from './timers.ts'

type Answer = ConsumerGroupHeartbeatResponseInput

export class Heartbeats {
  readonly #context: GroupContext
  readonly #steps: Steps
  readonly #timers: MemberTimers
  readonly #migration: Migration

  constructor(context: GroupContext, steps: Steps, timers: MemberTimers, migration: Migration) {
    this.#context = context
    this.#steps = steps
    this.#timers = timers
    this.#migration = migration
  }

  /** Not of a member that leaves. */
  handle(origin: RequestOrigin, request: ConsumerGroupHeartbeatRequest): Outcome<GroupRecord, Answer> {
    const { groupId } = request
    const { settings } = this.#context
    const draft = newDraft()
    const group = this.#groupOf(request, draft)
    checkRoom(group, request.memberId, settings.consumerMaxSize)
    const memberId = request.memberId === '' ? randomUuid(this.#context.random) : request.memberId
    const before = memberOf(group, memberId, request, draft.records)

    const subscribed = this.#steps.subscribe(draft, group, before, saidBy(before, origin, request), ['resolved'])
    const target = this.#steps.target(draft, group, before, subscribed)
    const { subscriptionChanged } = subscribed
    const owned = request.topicPartitions
    const after = this.#steps.reconcile(draft, group, subscribed.member, target, subscriptionChanged, owned)

    for (const effect of draft.effects) effect()
    this.#timers.startSession(groupId, memberId, settings.consumerSessionTimeoutMs(groupId))
    const tellAll = request.memberEpoch === JOIN_EPOCH || isFull(request)
    const response: Answer = {
      errorCode: 0,
      memberId,
      memberEpoch: after.memberEpoch,
      heartbeatIntervalMs: settings.consumerHeartbeatIntervalMs(groupId),
      assignment:
        tellAll || !samePartitions(before.assigned, after.assigned)
          ? { topicPartitions: listPartitions(after.assigned) }
          : null,
    }
    if (draft.undone.length === 0) return { records: draft.records, response, atomic: true }
    const settled = (code: number): void => {
      if (code !== 0) for (const undo of draft.undone) undo()
    }
    return { records: draft.records, response, atomic: true, settled }
  }

  /** A group that is not in the table yet has a timeline of its own: replay makes the one that stays. */
  #groupOf({ groupId, memberEpoch }: ConsumerGroupHeartbeatRequest, draft: Draft): ConsumerGroup {
    const group = this.#context.groups.get(groupId)
    if (group instanceof ConsumerGroup) return group
    if (memberEpoch !== JOIN_EPOCH) {
      throw new Refusal(ErrorCode.GROUP_ID_NOT_FOUND, `No consumer group ${groupId}.`)
    }
    if (group !== undefined && !group.isEmpty) return this.#migration.upgrade(group as ClassicGroup, draft)
    if (group !== undefined) draft.records.push(...group.tombstones())
    return new ConsumerGroup(groupId, new Timeline(), () => this.#context.image())
  }
}

function memberOf(
  group: ConsumerGroup,
  memberId: string,
  { instanceId, memberEpoch, topicPartitions }: ConsumerGroupHeartbeatRequest,
  records: GroupRecord[],
): ConsumerMember {
  const joins = memberEpoch === JOIN_EPOCH
  if (instanceId !== null && joins) {
    return joinStatic(group, { memberId, instanceId, speaksClassic: false }, records)
  }
  let member: ConsumerMember
  if (instanceId !== null) member = staticMemberOf(group, instanceId, memberId)
  else if (joins) member = group.members.get(memberId) ?? newMember(memberId)
  else member = group.memberOrThrow(memberId)
  checkEpoch(member, memberEpoch, topicPartitions)
  return member
}

/** What a request leaves out is as before. */
function saidBy(member: ConsumerMember, origin: RequestOrigin, request: ConsumerGroupHeartbeatRequest): MemberMetadata {
  const names = request.subscribedTopicNames
  return {
    instanceId: request.instanceId ?? member.instanceId,
    rackId: request.rackId ?? member.rackId,
    rebalanceTimeoutMs: request.rebalanceTimeoutMs === -1 ? member.rebalanceTimeoutMs : request.rebalanceTimeoutMs,
    clientId: origin.clientId,
    clientHost: origin.clientHost,
    subscribedTopicNames: names === null ? member.subscribedTopicNames : sortedNames(names),
    subscribedTopicRegex: request.subscribedTopicRegex ?? member.subscribedTopicRegex,
    serverAssignor: request.serverAssignor ?? member.serverAssignor,
    classic: null,
  }
}

/** Everything that only a member that starts over, or lost an answer, has to say. */
function isFull(request: ConsumerGroupHeartbeatRequest): boolean {
  return (
    request.rebalanceTimeoutMs !== -1 &&
    (request.subscribedTopicNames !== null || request.subscribedTopicRegex !== null) &&
    request.topicPartitions !== null
  )
}
