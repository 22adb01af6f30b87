/** JoinGroup (11): the group's coordinator answers, maybe only when the whole group has come together. */
import type { JoinGroupRequest, JoinGroupResponseInput } from '../../protocol/apis/11-join-group.ts'
import { joinGroup } from '../../protocol/apis/11-join-group.ts'
import type { Handler } from '../context.ts'
import { originOf } from '../request-origin.ts'

const NULL_PROTOCOL_SINCE_VERSION = 7

export const joinGroupHandler: Handler<JoinGroupRequest> = {
  apiKey: joinGroup.key,

  handle(context, request) {
    const { version } = context
    // The oldest version has one timeout for both purposes.
    const asked = version === 0 ? { ...request, rebalanceTimeoutMs: request.sessionTimeoutMs } : request
    context.broker.groups.joinGroup(originOf(context), asked, response => {
      context.answer({ ...response, protocolName: protocolName(response, version) })
    })
    return undefined
  },

  failure(_request, errorCode) {
    return { errorCode, protocolName: '', leader: '', memberId: '', members: [] }
  },
}

/** No protocol is null since there is a null for it. */
function protocolName(response: JoinGroupResponseInput, version: number): string | null {
  const name = response.protocolName ?? ''
  return name === '' && version >= NULL_PROTOCOL_SINCE_VERSION ? null : name
}
