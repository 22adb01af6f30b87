/**
 * ConsumerGroupDescribe (69): each group succeeds or fails by itself, answered in the order of the request.
 * UNSUPPORTED_VERSION as for the heartbeat.
 */
import type { ConsumerGroupDescribeRequest } from '../../protocol/apis/69-consumer-group-describe.ts'
import { consumerGroupDescribe } from '../../protocol/apis/69-consumer-group-describe.ts'
import { ErrorCode } from '../../protocol/error-codes.ts'
import { GROUP_OPERATIONS } from '../authorized-operations.ts'
import type { Handler } from '../context.ts'
import { servesConsumerGroups } from '../serves-consumer-groups.ts'

const NOT_ASKED = -2147483648

export const consumerGroupDescribeHandler: Handler<ConsumerGroupDescribeRequest> = {
  apiKey: consumerGroupDescribe.key,

  async handle({ broker }, request) {
    if (!servesConsumerGroups(broker))
      return consumerGroupDescribeHandler.failure(request, ErrorCode.UNSUPPORTED_VERSION)
    const groups = await broker.groups.consumerGroupDescribe(request.groupIds)
    const operations = request.includeAuthorizedOperations ? GROUP_OPERATIONS : NOT_ASKED
    return {
      groups: groups.map(group => ({
        ...group,
        authorizedOperations: group.errorCode === ErrorCode.NONE ? operations : NOT_ASKED,
      })),
    }
  },

  failure(request, errorCode) {
    const nothing = { errorCode, groupState: '', groupEpoch: 0, assignmentEpoch: 0, assignorName: '', members: [] }
    return { groups: request.groupIds.map(groupId => ({ groupId, ...nothing })) }
  },
}
