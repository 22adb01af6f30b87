/**
 * AllocateProducerIds (67): gives a broker the next block of producer ids, so that each id is given once in a cluster.
 */
import type {
  AllocateProducerIdsRequest,
  AllocateProducerIdsResponseInput,
} from '../protocol/apis/67-allocate-producer-ids.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import type { OperationContext, OperationResult } from './operation.ts'

const BLOCK = 1000
const LAST_ID = 0x7fffffffffffffffn

export function allocateProducerIds(
  { state }: OperationContext,
  request: AllocateProducerIdsRequest,
): OperationResult<AllocateProducerIdsResponseInput> {
  const { brokerId, brokerEpoch } = request
  const refuse = (errorCode: number) => ({ records: [], answer: { errorCode, producerIdStart: 0n, producerIdLen: 0 } })
  if (state.image.brokers.get(brokerId)?.epoch !== brokerEpoch) return refuse(ErrorCode.STALE_BROKER_EPOCH)
  const first = state.image.nextProducerId < 0n ? 0n : state.image.nextProducerId
  if (first > LAST_ID - BigInt(BLOCK)) return refuse(ErrorCode.UNKNOWN_SERVER_ERROR)
  const nextProducerId = first + BigInt(BLOCK)
  return {
    records: [{ name: 'ProducerIdsRecord', version: 0, data: { brokerId, brokerEpoch, nextProducerId } }],
    answer: { errorCode: ErrorCode.NONE, producerIdStart: first, producerIdLen: BLOCK },
  }
}
