/**
 * LeaveGroup (13): the group's coordinator answers for each member. Up to version 2 there is one member, whose code is
 * that of the whole answer.
 */
import type { LeaveGroupRequest } from '../../protocol/apis/13-leave-group.ts'
import { leaveGroup } from '../../protocol/apis/13-leave-group.ts'
import { ErrorCode } from '../../protocol/error-codes.ts'
import type { Handler } from '../context.ts'
import { originOf } from '../request-origin.ts'

const SEVERAL_SINCE_VERSION = 3

export const leaveGroupHandler: Handler<LeaveGroupRequest> = {
  apiKey: leaveGroup.key,

  handle(context, request) {
    const { groups } = context.broker
    const origin = originOf(context)
    if (context.version >= SEVERAL_SINCE_VERSION) {
      groups.leaveGroup(origin, request, response => context.answer(response))
      return undefined
    }
    const members = [{ memberId: request.memberId, groupInstanceId: null, reason: null }]
    groups.leaveGroup(origin, { ...request, members }, response => {
      const { errorCode } = response
      const its = response.members[0]?.errorCode ?? ErrorCode.NONE
      context.answer({ errorCode: errorCode === ErrorCode.NONE ? its : errorCode, members: [] })
    })
    return undefined
  },

  failure(_request, errorCode) {
    return { errorCode, members: [] }
  },
}
