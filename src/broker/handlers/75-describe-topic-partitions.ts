/**
 * DescribeTopicPartitions: topics in the order of their names, page by page. A page ends at the partition limit (the
 * client's, or ours when that is smaller) and says where the next begins.
 */
import { ZERO_UUID } from '../../base/uuid.ts'
import type { MetadataImage, TopicImage } from '../../metadata/image.ts'
import {
  type DescribeTopicPartitionsRequest,
  describeTopicPartitions,
} from '../../protocol/apis/75-describe-topic-partitions.ts'
import { ErrorCode } from '../../protocol/error-codes.ts'
import { TOPIC_OPERATIONS } from '../authorized-operations.ts'
import type { Handler } from '../context.ts'
import { offlineReplicas } from '../offline-replicas.ts'
import { isInternalTopic, isValidTopicName } from '../topic-names.ts'

export const describeTopicPartitionsHandler: Handler<DescribeTopicPartitionsRequest> = {
  apiKey: describeTopicPartitions.key,

  handle(context, request) {
    const { cursor } = request
    const image = context.broker.image()
    const all = request.topics.length === 0
    const from = cursor?.topicName ?? ''
    const names = all ? image.topicsByName.keys() : request.topics.map(topic => topic.name)
    const wanted = [...new Set(names)].filter(name => name >= from).sort((a, b) => (a < b ? -1 : 1))
    // A cursor must point into the topics that were asked for.
    if (cursor && (cursor.partitionIndex < 0 || (!all && !wanted.includes(from)))) {
      return describeTopicPartitionsHandler.failure(request, ErrorCode.INVALID_REQUEST)
    }
    const limit = Math.min(
      context.broker.config.number('max.request.partition.size.limit'),
      request.responsePartitionLimit,
    )
    const start = (name: string) => (cursor && name === from ? cursor.partitionIndex : 0)
    return page(image, wanted, start, Math.max(limit, 1), all)
  },

  failure(request, errorCode) {
    return { topics: request.topics.map(({ name }) => unknownTopic(name, errorCode)), nextCursor: null }
  },
}

function page(
  image: MetadataImage,
  names: readonly string[],
  start: (name: string) => number,
  limit: number,
  skipUnknown: boolean,
): object {
  const topics: object[] = []
  let remaining = limit
  for (const name of names) {
    if (remaining === 0) return { topics, nextCursor: { topicName: name, partitionIndex: 0 } }
    const topic = image.topicsByName.get(name)
    if (topic === undefined) {
      const code = isValidTopicName(name) ? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION : ErrorCode.INVALID_TOPIC_EXCEPTION
      if (!skipUnknown) topics.push(unknownTopic(name, code))
      continue
    }
    const first = start(name)
    const end = Math.min(topic.partitions.length, first + remaining)
    topics.push(knownTopic(image, topic, first, end))
    if (end < topic.partitions.length) return { topics, nextCursor: { topicName: name, partitionIndex: end } }
    remaining -= Math.max(0, end - first)
  }
  return { topics, nextCursor: null }
}

function unknownTopic(name: string | null, errorCode: number): object {
  return {
    errorCode,
    name,
    topicId: ZERO_UUID,
    isInternal: name !== null && isInternalTopic(name),
    partitions: [],
    topicAuthorizedOperations: TOPIC_OPERATIONS,
  }
}

function knownTopic(image: MetadataImage, topic: TopicImage, from: number, end: number): object {
  return {
    errorCode: ErrorCode.NONE,
    name: topic.name,
    topicId: topic.id,
    isInternal: isInternalTopic(topic.name),
    partitions: topic.partitions.slice(from, Math.max(from, end)).map((partition, index) => ({
      errorCode: ErrorCode.NONE,
      partitionIndex: from + index,
      leaderId: image.brokers.has(partition.leader) ? partition.leader : -1,
      leaderEpoch: partition.leaderEpoch,
      replicaNodes: partition.replicas,
      isrNodes: partition.isr,
      eligibleLeaderReplicas: partition.elr,
      lastKnownElr: partition.lastKnownElr,
      offlineReplicas: offlineReplicas(image, partition),
    })),
    topicAuthorizedOperations: TOPIC_OPERATIONS,
  }
}
