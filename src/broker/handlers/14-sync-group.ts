/**
 * SyncGroup (14): the group's coordinator answers, maybe only when the leader has assigned. From version 5 a member
 * must name the protocol: INCONSISTENT_GROUP_PROTOCOL.
 */
import type { SyncGroupRequest } from '../../protocol/apis/14-sync-group.ts'
import { syncGroup } from '../../protocol/apis/14-sync-group.ts'
import { ErrorCode } from '../../protocol/error-codes.ts'
import type { Handler } from '../context.ts'
import { originOf } from '../request-origin.ts'

const PROTOCOL_SINCE_VERSION = 5

export const syncGroupHandler: Handler<SyncGroupRequest> = {
  apiKey: syncGroup.key,

  handle(context, request) {
    const { protocolType, protocolName } = request
    if (context.version >= PROTOCOL_SINCE_VERSION && (protocolType === null || protocolName === null))
      return syncGroupHandler.failure(request, ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
    context.broker.groups.syncGroup(originOf(context), request, response => context.answer(response))
    return undefined
  },

  failure(_request, errorCode) {
    return { errorCode, assignment: new Uint8Array(0) }
  },
}
