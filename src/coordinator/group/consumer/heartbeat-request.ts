/** What a ConsumerGroupHeartbeat has to bring, whatever the group. */
import type { ConsumerGroupHeartbeatRequest } from '../../../protocol/apis/68-consumer-group-heartbeat.ts'
import { ErrorCode } from '../../../protocol/error-codes.ts'
import { Refusal } from '../../shard.ts'
import { JOIN_EPOCH, LEAVE_EPOCH, STATIC_LEAVE_EPOCH } from './member.ts'

/** From this version on members make their own ids. */
const MEMBERS_MAKE_IDS = 1

/** @throws Refusal INVALID_REQUEST, UNSUPPORTED_ASSIGNOR */
export function checkHeartbeat(
  apiVersion: number,
  request: ConsumerGroupHeartbeatRequest,
  assignors: readonly string[],
): void {
  const { memberEpoch } = request
  if (apiVersion >= MEMBERS_MAKE_IDS || memberEpoch > 0 || memberEpoch === LEAVE_EPOCH) {
    refuseBlank(request.memberId, 'member id')
  }
  refuseBlank(request.groupId, 'group id')
  refuseBlank(request.instanceId, 'instance id')
  refuseBlank(request.rackId, 'rack id')

  if (memberEpoch === JOIN_EPOCH) checkJoin(request)
  else if (memberEpoch === STATIC_LEAVE_EPOCH && request.instanceId === null) {
    throw invalid('Only a member with an instance id leaves for a while.')
  } else if (memberEpoch < STATIC_LEAVE_EPOCH) {
    throw invalid(`There is no member epoch ${memberEpoch}.`)
  }

  const { serverAssignor } = request
  if (serverAssignor !== null && !assignors.includes(serverAssignor)) {
    const text = `No assignor "${serverAssignor}" here; there is ${assignors.join(', ')}.`
    throw new Refusal(ErrorCode.UNSUPPORTED_ASSIGNOR, text)
  }
}

function checkJoin(request: ConsumerGroupHeartbeatRequest): void {
  if (request.rebalanceTimeoutMs === -1) throw invalid('A member that joins brings its rebalance timeout.')
  if (request.topicPartitions === null || request.topicPartitions.length > 0) {
    throw invalid('A member that joins owns no partitions, and says so.')
  }
  if (request.subscribedTopicNames === null && request.subscribedTopicRegex === null) {
    throw invalid('A member that joins brings the topics that it subscribes to, or a regular expression.')
  }
}

function refuseBlank(value: string | null, what: string): void {
  if (value !== null && value.trim() === '') throw invalid(`The ${what} is empty.`)
}

function invalid(text: string): Refusal {
  return new Refusal(ErrorCode.INVALID_REQUEST, text)
}
