/**
 * InitProducerId (22), versions 0 to 5: get a producer id and epoch.
 *
 * Version 2 brought the flexible encoding, 3 resuming with a known id and epoch, 4 PRODUCER_FENCED, 5
 * TRANSACTION_ABORTABLE. Kafka's version 6 (two-phase commit) is not stable and is not served.
 */
import { api } from '../api.ts'
import type { Message, MessageInput } from '../schema.ts'
import { int16, int32, int64Exact, message, string } from '../schema.ts'

const range = { apiKey: 22, versions: '0-5', flexible: '2+' }

const initProducerIdRequest = message('InitProducerIdRequest', range, {
  /** null: idempotence only. */
  transactionalId: string('0+', { nullable: '0+' }),
  transactionTimeoutMs: int32('0+'),
  /** -1: a new one is wanted. */
  producerId: int64Exact('3+', { default: -1n }),
  producerEpoch: int16('3+', { default: -1 }),
})

const initProducerIdResponse = message('InitProducerIdResponse', range, {
  throttleTimeMs: int32('0+', { default: 0, ignorable: true }),
  errorCode: int16('0+'),
  producerId: int64Exact('0+', { default: -1n }),
  producerEpoch: int16('0+'),
})

export const initProducerId = api(initProducerIdRequest, initProducerIdResponse)
export type InitProducerIdRequest = Message<typeof initProducerIdRequest>
export type InitProducerIdRequestInput = MessageInput<typeof initProducerIdRequest>
export type InitProducerIdResponse = Message<typeof initProducerIdResponse>
export type InitProducerIdResponseInput = MessageInput<typeof initProducerIdResponse>
