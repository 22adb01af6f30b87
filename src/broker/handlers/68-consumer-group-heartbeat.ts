/**
 * ConsumerGroupHeartbeat (68): the group's coordinator answers. UNSUPPORTED_VERSION when `group.version` or
 * `group.coordinator.rebalance.protocols` has no consumer groups.
 */
import type { ConsumerGroupHeartbeatRequest } from '../../protocol/apis/68-consumer-group-heartbeat.ts'
import { consumerGroupHeartbeat } from '../../protocol/apis/68-consumer-group-heartbeat.ts'
import { ErrorCode } from '../../protocol/error-codes.ts'
import type { Handler } from '../context.ts'
import { originOf } from '../request-origin.ts'
import { servesConsumerGroups } from '../serves-consumer-groups.ts'

export const consumerGroupHeartbeatHandler: Handler<ConsumerGroupHeartbeatRequest> = {
  apiKey: consumerGroupHeartbeat.key,

  handle(context, request) {
    const { broker } = context
    if (!servesConsumerGroups(broker))
      return consumerGroupHeartbeatHandler.failure(request, ErrorCode.UNSUPPORTED_VERSION)
    broker.groups.consumerGroupHeartbeat(originOf(context), request, response => context.answer(response))
    return undefined
  },

  failure(_request, errorCode) {
    return { errorCode, memberEpoch: 0, heartbeatIntervalMs: 0 }
  },
}
