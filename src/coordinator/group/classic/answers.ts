/**
 * What requests of the classic protocol mean and how they are answered in each version. Also for members of consumer
 * groups that still speak it.
 *
 * Invariants: an answer made here can be written in the version of its request.
 */
import type { JoinGroupRequest, JoinGroupResponseInput } from '../../../protocol/apis/11-join-group.ts'
import type { LeaveGroupRequest, LeaveGroupResponseInput } from '../../../protocol/apis/13-leave-group.ts'
import type { SyncGroupRequest, SyncGroupResponseInput } from '../../../protocol/apis/14-sync-group.ts'
import type { KafkaErrorCode } from '../../../protocol/error-codes.ts'
import { ErrorCode } from '../../../protocol/error-codes.ts'
import type { GroupSettings } from '../settings.ts'
import type { JoinAnswer } from './member.ts'
import { NO_ASSIGNMENT } from './member.ts'

type LeavingMember = LeaveGroupRequest['members'][number]
type LeftMember = LeaveGroupResponseInput['members'][number]

/** Code of a join that no group takes, whatever its kind; 0: none. */
export function checkJoin(settings: GroupSettings, request: JoinGroupRequest): KafkaErrorCode {
  const { sessionTimeoutMs } = request
  return sessionTimeoutMs < settings.minSessionTimeoutMs || sessionTimeoutMs > settings.maxSessionTimeoutMs
    ? ErrorCode.INVALID_SESSION_TIMEOUT
    : 0
}

/** Code of a sync that no group takes, whatever its kind; 0: none. From version 5 on the protocol has to be named. */
export function checkSync(apiVersion: number, request: SyncGroupRequest): KafkaErrorCode {
  return apiVersion >= 5 && (request.protocolType === null || request.protocolName === null)
    ? ErrorCode.INCONSISTENT_GROUP_PROTOCOL
    : 0
}

/** How long to wait for the member in a rebalance: before version 1 its session timeout. */
export function rebalanceTimeoutOf(apiVersion: number, request: JoinGroupRequest): number {
  return apiVersion === 0 || request.rebalanceTimeoutMs < 0 ? request.sessionTimeoutMs : request.rebalanceTimeoutMs
}

/** Before version 7 "no protocol" is the empty one. */
export function joinAnswerIn(apiVersion: number, respond: JoinAnswer): JoinAnswer {
  if (apiVersion >= 7) return respond
  return response => respond(response.protocolName === null ? { ...response, protocolName: '' } : response)
}

export function joinRefusal(
  errorCode: KafkaErrorCode,
  memberId: string,
  protocolName: string | null = '',
): JoinGroupResponseInput {
  return { errorCode, memberId, protocolName, leader: '', members: [] }
}

export function syncRefusal(errorCode: KafkaErrorCode): SyncGroupResponseInput {
  return { errorCode, assignment: NO_ASSIGNMENT }
}

/** Who leaves: before version 3 the one member that the request names. */
export function leavingMembers(apiVersion: number, request: LeaveGroupRequest): readonly LeavingMember[] {
  return apiVersion >= 3 ? request.members : [{ memberId: request.memberId, groupInstanceId: null, reason: null }]
}

/** Before version 3 the code of the only member is that of the answer. */
export function leaveAnswer(apiVersion: number, members: readonly LeftMember[]): LeaveGroupResponseInput {
  return apiVersion >= 3 ? { errorCode: 0, members } : { errorCode: members[0]?.errorCode ?? 0, members: [] }
}

/** What members are told when the record that they wait for could not be written. */
export function codeOfFailedAppend(code: KafkaErrorCode): KafkaErrorCode {
  switch (code) {
    case ErrorCode.UNKNOWN_TOPIC_OR_PARTITION:
    case ErrorCode.NOT_ENOUGH_REPLICAS:
    case ErrorCode.REQUEST_TIMED_OUT:
      return ErrorCode.COORDINATOR_NOT_AVAILABLE
    case ErrorCode.NOT_LEADER_OR_FOLLOWER:
    case ErrorCode.KAFKA_STORAGE_ERROR:
      return ErrorCode.NOT_COORDINATOR
    case ErrorCode.MESSAGE_TOO_LARGE:
    case ErrorCode.RECORD_LIST_TOO_LARGE:
    case ErrorCode.INVALID_FETCH_SIZE:
      return ErrorCode.UNKNOWN_SERVER_ERROR
    default:
      return code
  }
}
