/**
 * Metadata (3), versions 0 to 13: the brokers that can be reached, and topics with their leaders.
 *
 * All topics: an empty list in version 0, null later. By name, or (version 12) by id, where an unknown id is answered
 * with UNKNOWN_TOPIC_ID and names next to ids are ignored. A name that doesn't exist is created when the request and
 * `auto.create.topics.enable` allow it; the answer then waits until the topic can be written, so that a client's first
 * attempt succeeds (Kafka answers UNKNOWN_TOPIC_OR_PARTITION at once and the client comes again). Topics that the
 * broker keeps for itself are not created this way.
 *
 * A partition whose leader can't be reached has LEADER_NOT_AVAILABLE (LISTENER_NOT_FOUND from version 6 when the broker
 * is there without an address for this client). The broker that answers names itself as controller: clients send it
 * what is the controller's.
 */

import { ZERO_UUID } from '../../base/uuid.ts'
import type { PartitionImage, TopicImage } from '../../metadata/image.ts'
import type { MetadataRequest } from '../../protocol/apis/03-metadata.ts'
import { metadata } from '../../protocol/apis/03-metadata.ts'
import type { CreateTopicsResponse } from '../../protocol/apis/19-create-topics.ts'
import { createTopics } from '../../protocol/apis/19-create-topics.ts'
import type { KafkaErrorCode } from '../../protocol/error-codes.ts'
import { ErrorCode } from '../../protocol/error-codes.ts'
import { CLUSTER_OPERATIONS, TOPIC_OPERATIONS } from '../authorized-operations.ts'
import type { Handler, RequestContext } from '../context.ts'
import { isInternalTopic, isValidTopicName } from '../topic-names.ts'

const BY_ID_SINCE_VERSION = 12
const LISTENER_NOT_FOUND_SINCE_VERSION = 6
const FENCED_REPLICAS_ERROR_VERSION = 0
const AUTO_CREATE_TIMEOUT_MS = 30_000
const NOT_ASKED = -2147483648

export const metadataHandler: Handler<MetadataRequest> = {
  apiKey: metadata.key,

  handle(context, request) {
    const { version } = context
    const image = context.broker.image()
    const { topics } = request
    if (topics === null || (version === 0 && topics.length === 0))
      return respond(context, request, [...image.topicsByName.values()], [])
    if (version < BY_ID_SINCE_VERSION && topics.some(topic => topic.name === null || topic.topicId !== ZERO_UUID))
      return metadataHandler.failure(request, ErrorCode.INVALID_REQUEST)

    const ids = new Set(topics.map(topic => topic.topicId).filter(id => id !== ZERO_UUID))
    if (ids.size > 0) {
      const found: TopicImage[] = []
      const missing: Missing[] = []
      for (const id of ids) {
        const topic = image.topicsById.get(id)
        if (topic === undefined) missing.push({ name: null, topicId: id, errorCode: ErrorCode.UNKNOWN_TOPIC_ID })
        else found.push(topic)
      }
      return respond(context, request, found, missing)
    }
    return byName(context, request, new Set(topics.map(topic => topic.name ?? '')))
  },

  failure(request, errorCode) {
    return {
      brokers: [],
      topics: (request.topics ?? []).map(topic => ({
        errorCode,
        name: topic.name ?? '',
        topicId: topic.topicId,
        partitions: [],
      })),
      errorCode,
    }
  },
}

interface Missing {
  name: string | null
  topicId: string
  errorCode: KafkaErrorCode
}

function byName(context: RequestContext, request: MetadataRequest, names: ReadonlySet<string>) {
  const { broker } = context
  const mayCreate = request.allowAutoTopicCreation && broker.config.boolean('auto.create.topics.enable')
  const known = broker.image().topicsByName
  const wanted: string[] = []
  const missing: Missing[] = []
  for (const name of names) {
    if (known.has(name)) continue
    if (!isValidTopicName(name)) missing.push(missed(name, ErrorCode.INVALID_TOPIC_EXCEPTION))
    else if (!mayCreate || isInternalTopic(name)) missing.push(missed(name, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION))
    else wanted.push(name)
  }
  if (wanted.length === 0) return respond(context, request, present(context, names), missing)
  return create(context, wanted).then(refused => {
    const created = broker.image().topicsByName
    for (const name of wanted) {
      if (!created.has(name)) missing.push(missed(name, refused.get(name) ?? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION))
    }
    return respond(context, request, present(context, names), missing)
  })
}

function missed(name: string, errorCode: KafkaErrorCode): Missing {
  return { name, topicId: ZERO_UUID, errorCode }
}

function present(context: RequestContext, names: ReadonlySet<string>): TopicImage[] {
  const topics: TopicImage[] = []
  for (const name of names) {
    const topic = context.broker.image().topicsByName.get(name)
    if (topic !== undefined) topics.push(topic)
  }
  return topics
}

/** Creates topics with the broker's defaults. @returns why some were not. */
async function create(context: RequestContext, names: readonly string[]): Promise<Map<string, KafkaErrorCode>> {
  const { broker } = context
  const request = {
    topics: names.map(name => ({ name, numPartitions: -1, replicationFactor: -1, assignments: [], configs: [] })),
    timeoutMs: AUTO_CREATE_TIMEOUT_MS,
    validateOnly: false,
  }
  const response = (await broker.controller.handle(createTopics.key, createTopics.maxVersion, request, {
    clientId: context.clientId,
  })) as CreateTopicsResponse
  const refused = new Map<string, KafkaErrorCode>()
  for (const topic of response.topics) {
    if (topic.errorCode === 0 || topic.errorCode === ErrorCode.TOPIC_ALREADY_EXISTS) {
      await broker.replicas.whenReady(topic.name)
    } else {
      // A name that collides with another one can't become a topic; anything else may succeed the next time.
      const invalid = topic.errorCode === ErrorCode.INVALID_TOPIC_EXCEPTION
      refused.set(topic.name, invalid ? topic.errorCode : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
      broker.logger.warn({ topic: topic.name, errorCode: topic.errorCode }, 'a topic could not be created on demand')
    }
  }
  return refused
}

function respond(
  context: RequestContext,
  request: MetadataRequest,
  found: readonly TopicImage[],
  missing: readonly Missing[],
) {
  const { broker, connection } = context
  const image = broker.image()
  const operations = request.includeTopicAuthorizedOperations ? TOPIC_OPERATIONS : NOT_ASKED
  const brokers: { nodeId: number; host: string; port: number; rack: string | null }[] = []
  for (const [nodeId, registered] of image.brokers) {
    const endpoint = broker.endpointOf(nodeId, connection)
    if (endpoint !== undefined)
      brokers.push({ nodeId, host: endpoint.host, port: endpoint.port, rack: registered.rack })
  }
  const reachable = new Set(brokers.map(each => each.nodeId))
  return {
    brokers,
    clusterId: broker.clusterId,
    controllerId: broker.nodeId,
    topics: [
      ...missing.map(topic => ({
        errorCode: topic.errorCode,
        name: topic.name,
        topicId: topic.topicId,
        isInternal: topic.name !== null && isInternalTopic(topic.name),
        partitions: [],
        topicAuthorizedOperations: topic.name === null ? NOT_ASKED : operations,
      })),
      ...found.map(topic => ({
        errorCode: 0,
        name: topic.name,
        topicId: topic.id,
        isInternal: isInternalTopic(topic.name),
        partitions: topic.partitions.map((partition, index) => partitionAnswer(context, partition, index, reachable)),
        topicAuthorizedOperations: operations,
      })),
    ],
    clusterAuthorizedOperations: request.includeClusterAuthorizedOperations ? CLUSTER_OPERATIONS : NOT_ASKED,
    errorCode: 0,
  }
}

function partitionAnswer(
  context: RequestContext,
  partition: PartitionImage,
  index: number,
  reachable: ReadonlySet<number>,
) {
  const { version } = context
  const offline = partition.replicas.filter(replica => !reachable.has(replica))
  const led = reachable.has(partition.leader)
  // Only the oldest clients are told of missing replicas by leaving them out and by an error.
  const hides = version === FENCED_REPLICAS_ERROR_VERSION
  let errorCode: KafkaErrorCode = 0
  if (!led) {
    const registered = context.broker.image().brokers.has(partition.leader)
    errorCode =
      registered && version >= LISTENER_NOT_FOUND_SINCE_VERSION
        ? ErrorCode.LISTENER_NOT_FOUND
        : ErrorCode.LEADER_NOT_AVAILABLE
  } else if (hides && offline.length > 0) errorCode = ErrorCode.REPLICA_NOT_AVAILABLE
  return {
    errorCode,
    partitionIndex: index,
    leaderId: led ? partition.leader : -1,
    leaderEpoch: partition.leaderEpoch,
    replicaNodes: hides ? partition.replicas.filter(replica => reachable.has(replica)) : partition.replicas,
    isrNodes: hides ? partition.isr.filter(replica => reachable.has(replica)) : partition.isr,
    offlineReplicas: offline,
  }
}
