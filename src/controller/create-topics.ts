/**
 * CreateTopics (19): creates topics, each for itself; one that cannot be created does not hinder the others.
 *
 * Order of checks as in Kafka: names twice in the request, the number of partitions of all together, then per topic its
 * name, whether it exists, its configs, its partitions and replicas.
 */
import { randomUuid, ZERO_UUID } from '../base/uuid.ts'
import { describeTopic } from '../config/describe.ts'
import { validateTopicConfigs } from '../config/topic-config.ts'
import type { PartitionImage } from '../metadata/image.ts'
import { ConfigResource } from '../metadata/image.ts'
import type { NewRecord } from '../metadata/records.ts'
import { partitionData } from '../metadata/snapshot.ts'
import type { CreateTopicsRequest, CreateTopicsResponseInput } from '../protocol/apis/19-create-topics.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import type { ApiError, OperationContext, OperationResult } from './operation.ts'
import { MAX_RECORDS_PER_OPERATION } from './operation.ts'
import { manualPlacementProblem, newPartition, placeReplicas } from './placement.ts'
import { CLUSTER_METADATA_TOPIC, collisionKey, topicNameProblem } from './topic-names.ts'

type CreatableTopic = CreateTopicsRequest['topics'][number]
type TopicResult = CreateTopicsResponseInput['topics'][number]

const MAX_PARTITIONS_PER_REQUEST = 10_000

export function createTopics(
  context: OperationContext,
  request: CreateTopicsRequest,
  version: number,
): OperationResult<CreateTopicsResponseInput> {
  const twice = namesThatRepeat(request.topics.map(topic => topic.name))
  const topics = request.topics.filter(({ name }) => !twice.has(name) && name !== CLUSTER_METADATA_TOPIC)
  const records: NewRecord[] = []
  const results: TopicResult[] = []

  const tooMany = partitionsIn(context, topics) > MAX_PARTITIONS_PER_REQUEST
  for (const topic of topics) {
    const made = tooMany
      ? { code: ErrorCode.POLICY_VIOLATION, message: 'Excessively large number of partitions per request.' }
      : createTopic(context, topic, version, MAX_RECORDS_PER_OPERATION - records.length)
    if ('code' in made) {
      results.push(failedTopic(topic.name, made))
    } else {
      records.push(...made.records)
      results.push(made.answer)
    }
  }
  for (const name of twice) {
    results.push(failedTopic(name, { code: ErrorCode.INVALID_REQUEST, message: 'Duplicate topic name.' }))
  }
  if (!twice.has(CLUSTER_METADATA_TOPIC) && request.topics.some(topic => topic.name === CLUSTER_METADATA_TOPIC)) {
    const message = `Creation of internal topic ${CLUSTER_METADATA_TOPIC} is prohibited.`
    results.push(failedTopic(CLUSTER_METADATA_TOPIC, { code: ErrorCode.INVALID_REQUEST, message }))
  }
  return { records: request.validateOnly ? [] : records, answer: { topics: results } }
}

function failedTopic(name: string, { code, message }: ApiError): TopicResult {
  return { name, topicId: ZERO_UUID, errorCode: code, errorMessage: message, configs: [] }
}

/** Names that come more than once, in order. */
export function namesThatRepeat(names: readonly string[]): Set<string> {
  const seen = new Set<string>()
  const twice = new Set<string>()
  for (const name of names) {
    if (seen.has(name)) twice.add(name)
    seen.add(name)
  }
  return twice
}

function createTopic(
  context: OperationContext,
  topic: CreatableTopic,
  version: number,
  recordsLeft: number,
): OperationResult<TopicResult> | ApiError {
  const { name } = topic
  const nameProblem = topicNameProblem(name) ?? collisionProblem(context, name)
  const { image } = context.state
  // Kafka checks existence after the name and lets it win, so an existing name with a collision is "exists".
  if (image.topicsByName.has(name)) {
    return { code: ErrorCode.TOPIC_ALREADY_EXISTS, message: `Topic '${name}' already exists.` }
  }
  if (nameProblem !== undefined) return { code: ErrorCode.INVALID_TOPIC_EXCEPTION, message: nameProblem }
  const configs = configsOf(context, topic)
  if (!(configs instanceof Map)) return configs
  const partitions = topic.assignments.length > 0 ? assigned(context, topic) : placed(context, topic)
  if (!Array.isArray(partitions)) return partitions

  const topicId = newTopicId(context)
  const records: NewRecord[] = [{ name: 'TopicRecord', version: 0, data: { name, topicId } }]
  for (const [key, value] of configs) {
    const data = { resourceType: ConfigResource.topic, resourceName: name, name: key, value }
    records.push({ name: 'ConfigRecord', version: 0, data })
  }
  if (context.elrEnabled && configs.has('min.insync.replicas')) {
    records.push({ name: 'ClearElrRecord', version: 0, data: { topicName: name } })
  }
  for (const [index, partition] of partitions.entries()) {
    const data = partitionData(topicId, index, partition)
    records.push({ name: 'PartitionRecord', version: context.versions.partition, data })
  }
  if (records.length > recordsLeft) {
    return { code: ErrorCode.POLICY_VIOLATION, message: 'Unable to perform excessively large batch operation.' }
  }
  return { records, answer: createdTopic(context, name, topicId, partitions, configs, version) }
}

function createdTopic(
  context: OperationContext,
  name: string,
  topicId: string,
  partitions: readonly PartitionImage[],
  configs: ReadonlyMap<string, string>,
  version: number,
): TopicResult {
  const result = { name, topicId, errorCode: ErrorCode.NONE, errorMessage: null }
  if (version < 5) return { ...result, configs: [] }
  const described = describeTopic(configs, context.config)
  return {
    ...result,
    numPartitions: partitions.length,
    replicationFactor: partitions[0]!.replicas.length,
    configs: described
      .map(config => ({
        name: config.name,
        value: config.sensitive ? null : config.value,
        readOnly: config.readOnly,
        configSource: config.source,
        isSensitive: config.sensitive,
      }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
  }
}

function partitionsIn({ config }: OperationContext, topics: readonly CreatableTopic[]): number {
  let total = 0
  for (const { assignments, numPartitions } of topics) {
    if (assignments.length > 0) total += assignments.length
    else if (numPartitions === -1) total += config.number('num.partitions')
    else if (numPartitions > 0) total += numPartitions
  }
  return total
}

function collisionProblem({ state }: OperationContext, name: string): string | undefined {
  const key = collisionKey(name)
  const [other] = key === undefined ? [] : (state.collisions.get(key) ?? [])
  return other === undefined ? undefined : `Topic '${name}' collides with existing topic: ${other}`
}

function configsOf(context: OperationContext, topic: CreatableTopic): Map<string, string> | ApiError {
  const nulls = topic.configs.filter(config => config.value === null).map(config => config.name)
  if (nulls.length > 0) {
    const message = `Null value not supported for topic configs: ${nulls.join(',')}`
    return { code: ErrorCode.INVALID_CONFIG, message }
  }
  const configs = new Map(topic.configs.map(config => [config.name, config.value ?? '']))
  const tooLong = [...configs].find(([, value]) => value.length > 32767)
  if (tooLong !== undefined) {
    return { code: ErrorCode.INVALID_CONFIG, message: `The value of ${tooLong[0]} is longer than 32767 characters.` }
  }
  const problem = configs.size === 0 ? undefined : validateTopicConfigs(configs, context.config)
  return problem === undefined ? configs : { code: ErrorCode.INVALID_CONFIG, message: problem }
}

/** Partitions where the request says which brokers hold them. */
function assigned(context: OperationContext, topic: CreatableTopic): PartitionImage[] | ApiError {
  const refuse = (code: number, message: string): ApiError => ({ code, message })
  const { replicationFactor, numPartitions, assignments } = topic
  if (replicationFactor !== -1) {
    return refuse(ErrorCode.INVALID_REQUEST, 'Both a manual assignment and a replication factor were given.')
  }
  if (numPartitions !== -1) {
    return refuse(ErrorCode.INVALID_REQUEST, 'Both a manual assignment and a number of partitions were given.')
  }
  const partitions = new Map<number, PartitionImage>()
  for (const { partitionIndex, brokerIds } of assignments) {
    if (partitions.has(partitionIndex)) {
      const message = `Found multiple manual partition assignments for partition ${partitionIndex}`
      return refuse(ErrorCode.INVALID_REPLICA_ASSIGNMENT, message)
    }
    const [other] = partitions.values()
    const problem = manualPlacementProblem(context, brokerIds, other?.replicas.length)
    if (problem !== undefined) return problem
    const partition = newPartition(context, brokerIds)
    if (partition === undefined) return noneServes(partitionIndex)
    partitions.set(partitionIndex, partition)
  }
  const list: PartitionImage[] = []
  for (let index = 0; index < partitions.size; index++) {
    const partition = partitions.get(index)
    if (partition === undefined) {
      const message = 'partitions should be a consecutive 0-based integer sequence'
      return refuse(ErrorCode.INVALID_REPLICA_ASSIGNMENT, message)
    }
    list.push(partition)
  }
  return list
}

export function noneServes(partitionIndex: number): ApiError {
  const message = `All brokers specified in the manual partition assignment for partition ${partitionIndex} are fenced or in controlled shutdown.`
  return { code: ErrorCode.INVALID_REPLICA_ASSIGNMENT, message }
}

/** Partitions where the controller chooses the brokers. */
function placed(context: OperationContext, topic: CreatableTopic): PartitionImage[] | ApiError {
  const { config } = context
  if (topic.replicationFactor < -1 || topic.replicationFactor === 0) {
    const message = 'Replication factor must be larger than 0, or -1 to use the default value.'
    return { code: ErrorCode.INVALID_REPLICATION_FACTOR, message }
  }
  if (topic.numPartitions < -1 || topic.numPartitions === 0) {
    const message = 'Number of partitions was set to an invalid non-positive value.'
    return { code: ErrorCode.INVALID_PARTITIONS, message }
  }
  const count = topic.numPartitions === -1 ? config.number('num.partitions') : topic.numPartitions
  const factor = topic.replicationFactor === -1 ? config.number('default.replication.factor') : topic.replicationFactor
  const replicas = placeReplicas(context, count, factor)
  if ('code' in replicas) return replicas
  return replicas.map(list => newPartition(context, list)!)
}

function newTopicId(context: OperationContext): string {
  for (;;) {
    const id = randomUuid(context.host.random)
    if (!context.state.image.topicsById.has(id)) return id
  }
}
