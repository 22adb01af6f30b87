/** CreatePartitions (37): gives topics more partitions. They never get fewer. */
import type { NewRecord } from '../metadata/records.ts'
import { partitionData } from '../metadata/snapshot.ts'
import type { CreatePartitionsRequest, CreatePartitionsResponseInput } from '../protocol/apis/37-create-partitions.ts'
import { describeError, ErrorCode } from '../protocol/error-codes.ts'
import { namesThatRepeat, noneServes } from './create-topics.ts'
import type { ApiError, OperationContext, OperationResult } from './operation.ts'
import { MAX_RECORDS_PER_OPERATION } from './operation.ts'
import { manualPlacementProblem, newPartition, placeReplicas } from './placement.ts'

type Topic = CreatePartitionsRequest['topics'][number]

export function createPartitions(
  context: OperationContext,
  request: CreatePartitionsRequest,
): OperationResult<CreatePartitionsResponseInput> {
  const twice = namesThatRepeat(request.topics.map(topic => topic.name))
  const results: CreatePartitionsResponseInput['results'][number][] = [...twice].map(name => ({
    name,
    errorCode: ErrorCode.INVALID_REQUEST,
    errorMessage: 'Duplicate topic name.',
  }))
  const records: NewRecord[] = []
  for (const topic of request.topics) {
    if (twice.has(topic.name)) continue
    const made = morePartitions(context, topic, MAX_RECORDS_PER_OPERATION - records.length)
    if (Array.isArray(made)) records.push(...made)
    const error = Array.isArray(made) ? { code: ErrorCode.NONE, message: null } : made
    results.push({ name: topic.name, errorCode: error.code, errorMessage: error.message })
  }
  return { records: request.validateOnly ? [] : records, answer: { results } }
}

function morePartitions(context: OperationContext, topic: Topic, recordsLeft: number): NewRecord[] | ApiError {
  const refuse = (code: number, message: string): ApiError => ({ code, message })
  const { name, count, assignments } = topic
  const existing = context.state.image.topicsByName.get(name)
  if (existing === undefined) {
    return refuse(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, describeError(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION).text)
  }
  const present = existing.partitions.length
  if (count === present) return refuse(ErrorCode.INVALID_PARTITIONS, `Topic already has ${present} partition(s).`)
  if (count < present) {
    const message = `The topic ${name} currently has ${present} partition(s); ${count} would not be an increase.`
    return refuse(ErrorCode.INVALID_PARTITIONS, message)
  }
  const additional = count - present
  if (assignments !== null && assignments.length !== additional) {
    const message = `Attempted to add ${additional} additional partition(s), but only ${assignments.length} assignment(s) were specified.`
    return refuse(ErrorCode.INVALID_REPLICA_ASSIGNMENT, message)
  }
  if (additional > recordsLeft) {
    return refuse(ErrorCode.POLICY_VIOLATION, 'Unable to perform excessively large batch operation.')
  }
  const replicationFactor = existing.partitions[0]?.replicas.length ?? 1
  for (const { brokerIds } of assignments ?? []) {
    const problem = manualPlacementProblem(context, brokerIds, replicationFactor)
    if (problem !== undefined) return problem
  }
  const replicas = assignments?.map(each => each.brokerIds) ?? placeReplicas(context, additional, replicationFactor)
  if ('code' in replicas) return replicas

  const records: NewRecord[] = []
  for (const [index, list] of replicas.entries()) {
    const partition = newPartition(context, list)
    if (partition === undefined) return noneServes(present + index)
    const data = partitionData(existing.id, present + index, partition)
    records.push({ name: 'PartitionRecord', version: context.versions.partition, data })
  }
  return records
}
