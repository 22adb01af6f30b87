/**
 * SyncGroup to a classic group: the leader hands in the assignments, and when they are committed
 * every member gets its own.
 *
 * Invariants: assignments are written once in a generation, however often the leader repeats itself, and nobody gets
 * one that is not in the log. Each request is answered once.
 */
import type { SyncGroupRequest } from '../../../protocol/apis/14-sync-group.ts'
import type { KafkaErrorCode } from '../../../protocol/error-codes.ts'
import { ErrorCode } from '../../../protocol/error-codes.ts'
import type { GroupContext, RequestOrigin } from '../context.ts'
import { checkSync, codeOfFailedAppend, syncRefusal } from './answers.ts'
import { ClassicGroup } from './group.ts'
import type { ClassicMember, SyncAnswer } from './member.ts'
import type { Done, Rebalances } from './rebalances.ts'
import { NOTHING } from './rebalances.ts'
import type { ClassicRecords } from './records.ts'

export class Syncs {
  readonly #context: GroupContext
  readonly #records: ClassicRecords
  readonly #rebalances: Rebalances

  constructor(context: GroupContext, records: ClassicRecords, rebalances: Rebalances) {
    this.#context = context
    this.#records = records
    this.#rebalances = rebalances
  }

  sync(origin: RequestOrigin, request: SyncGroupRequest, respond: SyncAnswer): Done {
    const code = checkSync(origin.apiVersion, request)
    const group = this.#context.groups.get(request.groupId)
    const refused = code === ErrorCode.NONE ? checkGroup(group, request) : code
    const member = group instanceof ClassicGroup ? group.members.get(request.memberId) : undefined
    if (refused !== ErrorCode.NONE || !(group instanceof ClassicGroup) || member === undefined) {
      respond(syncRefusal(refused))
      return NOTHING
    }
    return this.#sync(group, member, request, respond)
  }

  #sync(group: ClassicGroup, member: ClassicMember, request: SyncGroupRequest, respond: SyncAnswer): Done {
    if (group.state === 'PreparingRebalance') {
      respond(syncRefusal(ErrorCode.REBALANCE_IN_PROGRESS))
      return NOTHING
    }
    this.#rebalances.synced(group, member.memberId)
    if (group.state === 'Stable') {
      const { protocolType, protocolName } = group
      respond({ errorCode: ErrorCode.NONE, protocolType, protocolName, assignment: member.assignment })
      return NOTHING
    }
    group.members.awaitSync(member, respond)
    const isFirstOfLeader = group.isLeader(member.memberId) && group.assigningGeneration !== group.generationId
    return isFirstOfLeader ? this.#assign(group, request) : NOTHING
  }

  /** Who is left out gets nothing; who is not a member is passed over. */
  #assign(group: ClassicGroup, request: SyncGroupRequest): Done {
    const { generationId } = group
    const assignments = new Map(request.assignments.map(({ memberId, assignment }) => [memberId, assignment]))
    group.assigningGeneration = generationId
    return {
      records: [this.#records.of(group, assignments)],
      response: undefined,
      settled: code => {
        // Meanwhile the group may have begun to rebalance, and told its members so.
        if (group.state !== 'CompletingRebalance' || group.generationId !== generationId) return
        group.assigningGeneration = -1
        if (code === ErrorCode.NONE) {
          this.#rebalances.propagate(group, assignments, ErrorCode.NONE)
          group.transitionTo('Stable')
          return
        }
        this.#rebalances.propagate(group, undefined, codeOfFailedAppend(code))
        this.#rebalances.prepareOrComplete(group, `assignments could not be written (error ${code})`)
      },
    }
  }
}

function checkGroup(group: unknown, request: SyncGroupRequest): KafkaErrorCode {
  if (!(group instanceof ClassicGroup) || group.isEmpty) return ErrorCode.UNKNOWN_MEMBER_ID
  if (group.state === 'Dead') return ErrorCode.COORDINATOR_NOT_AVAILABLE
  const code = group.checkMember(request.memberId, request.groupInstanceId)
  if (code !== ErrorCode.NONE) return code
  if (request.generationId !== group.generationId) return ErrorCode.ILLEGAL_GENERATION
  return differs(request.protocolType, group.protocolType) || differs(request.protocolName, group.protocolName)
    ? ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    : ErrorCode.NONE
}

/** Where both sides name one. */
function differs(asked: string | null, present: string | null): boolean {
  return asked !== null && present !== null && asked !== present
}
