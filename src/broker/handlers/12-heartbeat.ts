/** Heartbeat (12): the group's coordinator answers. */
import type { HeartbeatRequest } from '../../protocol/apis/12-heartbeat.ts'
import { heartbeat } from '../../protocol/apis/12-heartbeat.ts'
import type { Handler } from '../context.ts'
import { originOf } from '../request-origin.ts'

export const heartbeatHandler: Handler<HeartbeatRequest> = {
  apiKey: heartbeat.key,

  handle(context, request) {
    context.broker.groups.heartbeat(originOf(context), request, response => context.answer(response))
    return undefined
  },

  failure(_request, errorCode) {
    return { errorCode }
  },
}
