/**
 * DescribeGroups (15): each group succeeds or fails by itself, answered in the order of the request. Messages are told
 * from version 6, which has a place for them.
 */
import type { DescribeGroupsRequest } from '../../protocol/apis/15-describe-groups.ts'
import { describeGroups } from '../../protocol/apis/15-describe-groups.ts'
import { ErrorCode } from '../../protocol/error-codes.ts'
import { GROUP_OPERATIONS } from '../authorized-operations.ts'
import type { Handler } from '../context.ts'

const MESSAGE_SINCE_VERSION = 6
const NOT_ASKED = -2147483648

export const describeGroupsHandler: Handler<DescribeGroupsRequest> = {
  apiKey: describeGroups.key,

  async handle({ broker, version }, request) {
    const groups = await broker.groups.describeGroups(request.groups, version)
    const operations = request.includeAuthorizedOperations ? GROUP_OPERATIONS : NOT_ASKED
    return {
      groups: groups.map(group => ({
        ...group,
        errorMessage: version >= MESSAGE_SINCE_VERSION ? group.errorMessage : null,
        authorizedOperations: group.errorCode === ErrorCode.NONE ? operations : NOT_ASKED,
      })),
    }
  },

  failure(request, errorCode) {
    const nothing = { errorCode, groupState: '', protocolType: '', protocolData: '', members: [] }
    return { groups: request.groups.map(groupId => ({ groupId, ...nothing })) }
  },
}
