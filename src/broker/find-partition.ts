/** Finds a partition by name for APIs that ask by name, or says in Kafka's words why there is none. */
import type { Partition } from '../partition/partition.ts'
import type { KafkaErrorCode } from '../protocol/error-codes.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import type { RequestContext } from './context.ts'

/** @returns the partition, or UNKNOWN_TOPIC_OR_PARTITION, or NOT_LEADER_OR_FOLLOWER when another broker holds it. */
export function findPartition(context: RequestContext, topic: string, index: number): Partition | KafkaErrorCode {
  const known = context.broker.image().topicsByName.get(topic)
  if (known?.partitions[index] === undefined) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
  return context.broker.replicas.partition(topic, index) ?? ErrorCode.NOT_LEADER_OR_FOLLOWER
}
