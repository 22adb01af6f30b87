/**
 * AllocateProducerIds (67), version 0: a broker gets a block of producer ids from the controller.
 */
import { api } from '../api.ts'
import type { Message, MessageInput } from '../schema.ts'
import { int16, int32, int64, int64Exact, message } from '../schema.ts'

const range = { apiKey: 67, versions: '0', flexible: '0+' }

const allocateProducerIdsRequest = message('AllocateProducerIdsRequest', range, {
  brokerId: int32('0+'),
  brokerEpoch: int64('0+', { default: -1 }),
})

const allocateProducerIdsResponse = message('AllocateProducerIdsResponse', range, {
  throttleTimeMs: int32('0+', { default: 0 }),
  errorCode: int16('0+'),
  /** The block is [start, start + len). */
  producerIdStart: int64Exact('0+'),
  producerIdLen: int32('0+'),
})

export const allocateProducerIds = api(allocateProducerIdsRequest, allocateProducerIdsResponse)
export type AllocateProducerIdsRequest = Message<typeof allocateProducerIdsRequest>
export type AllocateProducerIdsRequestInput = MessageInput<typeof allocateProducerIdsRequest>
export type AllocateProducerIdsResponse = Message<typeof allocateProducerIdsResponse>
export type AllocateProducerIdsResponseInput = MessageInput<typeof allocateProducerIdsResponse>
