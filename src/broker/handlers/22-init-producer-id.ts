/**
 * InitProducerId (22), versions 0 to 5: a producer id for an idempotent producer, epoch 0. There are no transactions: a
 * transactional id is refused with INVALID_REQUEST. A known producer id without its epoch, or the other way
 * round, is an INVALID_REQUEST too; with both (version 3) an idempotent producer asks to go on, and gets a
 * new id, as Kafka gives it.
 */
import type { InitProducerIdRequest } from '../../protocol/apis/22-init-producer-id.ts'
import { initProducerId } from '../../protocol/apis/22-init-producer-id.ts'
import type { KafkaErrorCode } from '../../protocol/error-codes.ts'
import { ErrorCode } from '../../protocol/error-codes.ts'
import type { Handler } from '../context.ts'

export const initProducerIdHandler: Handler<InitProducerIdRequest> = {
  apiKey: initProducerId.key,

  async handle(context, request) {
    if (request.transactionalId !== null) return refused(ErrorCode.INVALID_REQUEST)
    if (request.producerId === -1n ? request.producerEpoch !== -1 : request.producerEpoch === -1)
      return refused(ErrorCode.INVALID_REQUEST)
    const { errorCode, producerId } = await context.broker.producerIds.next()
    return errorCode === 0 ? { errorCode, producerId, producerEpoch: 0 } : refused(errorCode)
  },

  failure: (_request, errorCode) => refused(errorCode),
}

function refused(errorCode: KafkaErrorCode) {
  return { errorCode, producerId: -1n, producerEpoch: -1 }
}
