/**
 * DeleteRecords (21), versions 0 to 2: moves the log's start. Offset -1 is the high watermark; nothing above it can be
 * deleted, nothing of an internal topic, and nothing of a topic that is compacted only.
 *
 * This broker's replica is the only one, so the low watermark is its log start and `timeoutMs` has nothing to wait for.
 */
import { topicValue } from '../../config/topic-config.ts'
import { topicConfigs } from '../../metadata/image.ts'
import type { DeleteRecordsRequest } from '../../protocol/apis/21-delete-records.ts'
import { deleteRecords } from '../../protocol/apis/21-delete-records.ts'
import { ErrorCode } from '../../protocol/error-codes.ts'
import { Answers } from '../answers.ts'
import type { BrokerPorts, Handler, RequestContext } from '../context.ts'
import { findPartition } from '../find-partition.ts'
import { isInternalTopic } from '../topic-names.ts'

const HIGH_WATERMARK = -1
const NO_LOW_WATERMARK = -1

interface PartitionAnswer {
  readonly partitionIndex: number
  readonly lowWatermark: number
  readonly errorCode: number
}

export const deleteRecordsHandler: Handler<DeleteRecordsRequest> = {
  apiKey: deleteRecords.key,

  async handle(context, request) {
    // Of a partition that comes more than once the last offset counts.
    const wanted = new Map<string, Map<number, number>>()
    for (const { name, partitions } of request.topics) {
      const offsets = wanted.get(name) ?? new Map<number, number>()
      wanted.set(name, offsets)
      for (const { partitionIndex, offset } of partitions) offsets.set(partitionIndex, offset)
    }
    const answers = new Answers()
    const topics = [...wanted].map(([name, offsets]) => {
      const partitions: PartitionAnswer[] = []
      for (const [index, offset] of offsets) answers.add(partitions, answer(context, name, index, offset))
      return { name, partitions }
    })
    await answers.all()
    return { topics }
  },

  failure(request, errorCode) {
    return {
      topics: request.topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex }) => refused(partitionIndex, errorCode)),
      })),
    }
  },
}

function refused(partitionIndex: number, errorCode: number): PartitionAnswer {
  return { partitionIndex, lowWatermark: NO_LOW_WATERMARK, errorCode }
}

function answer(
  context: RequestContext,
  topic: string,
  index: number,
  offset: number,
): PartitionAnswer | Promise<PartitionAnswer> {
  const partition = findPartition(context, topic, index)
  if (partition === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION) return refused(index, partition)
  if (isInternalTopic(topic)) return refused(index, ErrorCode.INVALID_TOPIC_EXCEPTION)
  if (typeof partition === 'number') return refused(index, partition)
  const unavailable = partition.access(-1, true)
  if (unavailable !== 0) return refused(index, unavailable)
  if (isOnlyCompacted(context.broker, topic)) return refused(index, ErrorCode.POLICY_VIOLATION)
  const until = offset === HIGH_WATERMARK ? partition.highWatermark : offset
  return partition.deleteRecordsBefore(until).then(code => {
    if (code !== 0) return refused(index, code)
    return { partitionIndex: index, lowWatermark: partition.logStartOffset, errorCode: ErrorCode.NONE }
  })
}

function isOnlyCompacted(broker: BrokerPorts, topic: string): boolean {
  const configs = topicConfigs(broker.image(), topic)
  const policy = topicValue('cleanup.policy', configs, broker.config) as readonly string[]
  return policy.includes('compact') && !policy.includes('delete')
}
