/**
 * AlterPartitionReassignments (45): gives partitions other replicas, each for itself. Where the replicas that stay are
 * in sync it is done at once; else it is under way until those that come are.
 *
 * Order of checks as in Kafka: topic, partition; then the brokers, then the number of replicas; or whether there is a
 * change that could be taken back.
 */
import { topicValue } from '../config/topic-config.ts'
import type { PartitionImage, TopicImage } from '../metadata/image.ts'
import { topicConfigs } from '../metadata/image.ts'
import type { NewRecord } from '../metadata/records.ts'
import type {
  AlterPartitionReassignmentsRequest,
  AlterPartitionReassignmentsResponseInput,
} from '../protocol/apis/45-alter-partition-reassignments.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import { reassignmentChange } from './elections.ts'
import type { ApiError, OperationContext, OperationResult } from './operation.ts'
import { MAX_RECORDS_PER_OPERATION } from './operation.ts'
import { manualPlacementProblem } from './placement.ts'
import { assignmentTowards, isReassigned, replicationFactorOf, takenBack } from './reassignment.ts'

type Change = ReturnType<typeof reassignmentChange>

export function alterPartitionReassignments(
  context: OperationContext,
  request: AlterPartitionReassignmentsRequest,
): OperationResult<AlterPartitionReassignmentsResponseInput> {
  const { allowReplicationFactorChange } = request
  const records: NewRecord[] = []
  const responses = request.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex, replicas }) => {
      const altered = alter(context, name, partitionIndex, replicas, allowReplicationFactorChange)
      const made = records.length < MAX_RECORDS_PER_OPERATION ? altered : tooMany
      if (Array.isArray(made)) records.push(...made)
      const { code, message } = Array.isArray(made) ? { code: ErrorCode.NONE, message: null } : made
      return { partitionIndex, errorCode: code, errorMessage: message }
    }),
  }))
  return { records, answer: { allowReplicationFactorChange, errorCode: ErrorCode.NONE, errorMessage: null, responses } }
}

const tooMany: ApiError = {
  code: ErrorCode.POLICY_VIOLATION,
  message: 'Unable to perform excessively large batch operation.',
}

/** The records of one change, none if nothing changes, or why it can't be made. */
function alter(
  context: OperationContext,
  name: string,
  partitionId: number,
  replicas: readonly number[] | null,
  allowReplicationFactorChange: boolean,
): NewRecord[] | ApiError {
  const topic = context.state.image.topicsByName.get(name)
  const unknown = (message: string): ApiError => ({ code: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message })
  if (topic === undefined) return unknown(`Unable to find a topic named ${name}.`)
  const partition = topic.partitions[partitionId]
  if (partition === undefined) return unknown(`Unable to find partition ${name}:${partitionId}.`)
  const change =
    replicas === null
      ? takeBack(context, topic, partitionId, partition)
      : move(context, topic, partition, replicas, allowReplicationFactorChange)
  if (change === undefined) return []
  if ('code' in change) return change
  const data = { ...change, topicId: topic.id, partitionId }
  return [{ name: 'PartitionChangeRecord', version: context.versions.partitionChange, data }]
}

function move(
  context: OperationContext,
  topic: TopicImage,
  partition: PartitionImage,
  target: readonly number[],
  allowReplicationFactorChange: boolean,
): Change | ApiError {
  const problem = manualPlacementProblem(context, target, undefined)
  if (problem !== undefined) return problem
  const factor = replicationFactorOf(partition)
  if (!allowReplicationFactorChange && factor !== target.length) {
    const message = `The replication factor would change from ${factor} to ${target.length}.`
    return { code: ErrorCode.INVALID_REPLICATION_FACTOR, message }
  }
  return reassignmentChange(context, topic, partition, assignmentTowards(partition, target), partition.isr, false)
}

function takeBack(
  context: OperationContext,
  topic: TopicImage,
  partitionId: number,
  partition: PartitionImage,
): Change | ApiError {
  if (!isReassigned(partition)) return { code: ErrorCode.NO_REASSIGNMENT_IN_PROGRESS, message: null }
  const configs = topicConfigs(context.state.image, topic.name)
  const mayBeUnclean = topicValue('unclean.leader.election.enable', configs, context.config) === true
  const { assignment, isr, isUnclean } = takenBack(partition)
  if (isUnclean && !mayBeUnclean) {
    const message = `The reassignment of ${topic.name}:${partitionId} can't be taken back: its leader would be elected uncleanly.`
    return { code: ErrorCode.INVALID_REPLICA_ASSIGNMENT, message }
  }
  return reassignmentChange(context, topic, partition, assignment, isr, mayBeUnclean)
}
