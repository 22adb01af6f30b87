/**
 * The classic groups of one shard: what their members, tools and committed offsets ask of them.
 *
 * Requests are for a group of this kind, or for none, or (JoinGroup) for an empty group of another kind, which
 * becomes a classic one. `respond` of a join or sync is called exactly once, inside the call or later; if the
 * operation as a whole is refused (`Outcome` never committed, the shard unloaded), by then the request may have
 * been answered here already.
 */

import type { JoinGroupRequest } from '../../../protocol/apis/11-join-group.ts'
import type { HeartbeatRequest, HeartbeatResponseInput } from '../../../protocol/apis/12-heartbeat.ts'
import type { LeaveGroupRequest, LeaveGroupResponseInput } from '../../../protocol/apis/13-leave-group.ts'
import type { SyncGroupRequest } from '../../../protocol/apis/14-sync-group.ts'
import type { DescribeGroupsResponseInput } from '../../../protocol/apis/15-describe-groups.ts'
import type { KafkaErrorCode } from '../../../protocol/error-codes.ts'
import { ErrorCode } from '../../../protocol/error-codes.ts'
import type { Outcome } from '../../shard.ts'
import type { GroupContext, RequestOrigin } from '../context.ts'
import type { GroupRecord, GroupRecordOf } from '../records.ts'
import { leaveAnswer, leavingMembers } from './answers.ts'
import { ClassicGroup } from './group.ts'
import { Joins } from './joins.ts'
import type { JoinAnswer, SyncAnswer } from './member.ts'
import { NO_ASSIGNMENT } from './member.ts'
import type { Done } from './rebalances.ts'
import { NOTHING, Rebalances } from './rebalances.ts'
import { ClassicRecords, groupOfRecord } from './records.ts'
import { Syncs } from './syncs.ts'

export type DescribedClassicGroup = DescribeGroupsResponseInput['groups'][number]

export class ClassicGroups {
  readonly #context: GroupContext
  readonly #records = new ClassicRecords()
  readonly #rebalances: Rebalances
  readonly #joins: Joins
  readonly #syncs: Syncs

  constructor(context: GroupContext) {
    this.#context = context
    this.#rebalances = new Rebalances(context, this.#records)
    this.#joins = new Joins(context, this.#records, this.#rebalances)
    this.#syncs = new Syncs(context, this.#records, this.#rebalances)
  }

  // Requests of members.

  join(origin: RequestOrigin, request: JoinGroupRequest, respond: JoinAnswer): Done {
    return this.#joins.join(origin, request, respond)
  }

  sync(origin: RequestOrigin, request: SyncGroupRequest, respond: SyncAnswer): Done {
    return this.#syncs.sync(origin, request, respond)
  }

  heartbeat(_origin: RequestOrigin, request: HeartbeatRequest): Outcome<GroupRecord, HeartbeatResponseInput> {
    return { records: [], response: { errorCode: this.#heartbeat(request) } }
  }

  #heartbeat({ groupId, memberId, groupInstanceId, generationId }: HeartbeatRequest): KafkaErrorCode {
    const group = this.#get(groupId)
    if (group === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
    if (group.state === 'Dead') return ErrorCode.COORDINATOR_NOT_AVAILABLE
    const code = group.checkMember(memberId, groupInstanceId)
    const member = group.members.get(memberId)
    if (code !== ErrorCode.NONE || member === undefined) return code
    if (generationId !== group.generationId) return ErrorCode.ILLEGAL_GENERATION
    this.#rebalances.keepAlive(group, member)
    // Who has joined and waits for its assignment may send heartbeats already.
    return group.state === 'PreparingRebalance' ? ErrorCode.REBALANCE_IN_PROGRESS : ErrorCode.NONE
  }

  /**
   * Members leave, by their own request or by that of a tool, which names static members by their instance id alone.
   */
  leave(origin: RequestOrigin, request: LeaveGroupRequest): Outcome<GroupRecord, LeaveGroupResponseInput> {
    const group = this.#get(request.groupId)
    if (group?.state === 'Dead')
      return { records: [], response: { errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE, members: [] } }
    const left = leavingMembers(origin.apiVersion, request).map(({ memberId, groupInstanceId, reason }) => {
      const errorCode =
        group === undefined ? ErrorCode.UNKNOWN_MEMBER_ID : this.#leave(group, memberId, groupInstanceId)
      if (errorCode === ErrorCode.NONE)
        this.#context.logger.debug({ groupId: request.groupId, memberId, reason }, 'a member leaves a classic group')
      return { memberId, groupInstanceId, errorCode }
    })
    const response = leaveAnswer(origin.apiVersion, left)
    if (group === undefined || group.isEmpty || left.every(({ errorCode }) => errorCode !== ErrorCode.NONE))
      return { records: [], response }
    return { ...this.#rebalances.prepareOrComplete(group, 'members have left'), response }
  }

  #leave(group: ClassicGroup, memberId: string, groupInstanceId: string | null): KafkaErrorCode {
    if (memberId === '') {
      const present = groupInstanceId === null ? undefined : group.members.idOfInstance(groupInstanceId)
      if (present === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
      this.#rebalances.remove(group, present)
      return ErrorCode.NONE
    }
    const isPending = group.members.pendingJoin.has(memberId)
    const code = isPending ? ErrorCode.NONE : group.checkMember(memberId, groupInstanceId)
    if (code === ErrorCode.NONE) this.#rebalances.remove(group, memberId)
    return code
  }

  // Of tools, offsets and consumer groups.

  /** As DescribeGroups has it; what a member subscribes to only while that is what the group works by. */
  describe(group: ClassicGroup): DescribedClassicGroup {
    const protocolData = group.state === 'Stable' ? (group.protocolName ?? '') : ''
    return {
      errorCode: ErrorCode.NONE,
      groupId: group.groupId,
      groupState: group.stateName,
      protocolType: group.protocolType,
      protocolData,
      members: Array.from(group.members.all(), member => ({
        memberId: member.memberId,
        groupInstanceId: member.groupInstanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        memberMetadata: (group.state === 'Stable' ? member.metadata(protocolData) : undefined) ?? NO_ASSIGNMENT,
        memberAssignment: member.assignment,
      })),
    }
  }

  /** A group for offsets that are committed without members; in a replay. */
  createSimpleGroup(groupId: string): void {
    this.#context.groups.set(new ClassicGroup(this.#context, groupId))
  }

  /** A commit is a sign of life, unless the member should be waiting for its assignment. */
  memberCommitted(groupId: string, memberId: string): void {
    const group = this.#get(groupId)
    const member = group?.members.get(memberId)
    if (group === undefined || member === undefined) return
    if (group.state === 'Stable' || group.state === 'PreparingRebalance') this.#rebalances.keepAlive(group, member)
  }

  /**
   * The record of a group that was made of another kind: when it is replayed, that group is the one of its id, with the
   * requests that wait in it.
   */
  recordOf(group: ClassicGroup): GroupRecord {
    return this.#records.of(group)
  }

  /**
   * The sessions of all members begin now: of a group that was made of another kind, or is back since that was undone.
   */
  startSessions(group: ClassicGroup): void {
    for (const member of group.members.all()) this.#rebalances.keepAlive(group, member)
  }

  /** Makes the members of a group that is not empty join again. */
  rebalance(group: ClassicGroup, reason: string): Done {
    return group.isEmpty ? NOTHING : this.#rebalances.prepareOrComplete(group, reason)
  }

  // Life of the shard.

  replay(record: GroupRecordOf<'GroupMetadata'>): void {
    const { groups } = this.#context
    const groupId = record.key.group
    const { value } = record
    if (value === null) {
      if (this.#get(groupId) !== undefined) groups.delete(groupId)
      return
    }
    const group = this.#records.sourceOf(record) ?? groupOfRecord(this.#context, groupId, value)
    group.committed.value = value
    groups.set(group)
  }

  onLoaded(): void {
    const { settings } = this.#context
    for (const group of this.#all()) {
      group.refreshTopics()
      this.startSessions(group)
      if (group.members.size > settings.classicMaxSize)
        this.rebalance(group, 'the group has more members than it may have')
    }
  }

  /** Everybody who waits is sent to the coordinator that comes after this one. */
  onUnloaded(): void {
    for (const group of this.#all())
      if (group.state !== 'Dead') this.#rebalances.dissolve(group, ErrorCode.NOT_COORDINATOR)
  }

  #get(groupId: string): ClassicGroup | undefined {
    const group = this.#context.groups.get(groupId)
    return group instanceof ClassicGroup ? group : undefined
  }

  /** As they are now: what is done to one may replace it. */
  #all(): ClassicGroup[] {
    return Array.from(this.#context.groups.all()).filter(group => group instanceof ClassicGroup)
  }
}
