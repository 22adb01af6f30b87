/** ListPartitionReassignments (46): the partitions whose replicas are on their way to another set. */
import type { TopicImage } from '../metadata/image.ts'
import type {
  ListPartitionReassignmentsRequest,
  ListPartitionReassignmentsResponseInput,
} from '../protocol/apis/46-list-partition-reassignments.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import type { OperationContext, OperationResult } from './operation.ts'
import { isReassigned } from './reassignment.ts'

type Topic = ListPartitionReassignmentsResponseInput['topics'][number]

export function listPartitionReassignments(
  { state }: OperationContext,
  request: ListPartitionReassignmentsRequest,
): OperationResult<ListPartitionReassignmentsResponseInput> {
  const { topicsByName } = state.image
  const topics: Topic[] = []
  if (request.topics === null) {
    for (const topic of topicsByName.values()) topics.push(...underWay(topic, topic.partitions.keys()))
  } else {
    for (const { name, partitionIndexes } of request.topics) {
      const topic = topicsByName.get(name)
      if (topic !== undefined) topics.push(...underWay(topic, partitionIndexes))
    }
  }
  return { records: [], answer: { errorCode: ErrorCode.NONE, errorMessage: null, topics } }
}

/** The topic with those of its partitions that are reassigned; nothing when none is. */
function underWay({ name, partitions: all }: TopicImage, indexes: Iterable<number>): Topic[] {
  const partitions: Topic['partitions'][number][] = []
  for (const partitionIndex of indexes) {
    const partition = all[partitionIndex]
    if (partition === undefined || !isReassigned(partition)) continue
    const { replicas, addingReplicas, removingReplicas } = partition
    partitions.push({ partitionIndex, replicas, addingReplicas, removingReplicas })
  }
  return partitions.length === 0 ? [] : [{ name, partitions }]
}
