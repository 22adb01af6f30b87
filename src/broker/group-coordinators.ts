/**
 * Groups on this broker: follows who leads the partitions of `__consumer_offsets`, and has their
 * shards loaded and unloaded.
 *
 * Invariants: publishes after `Replicas`, which gives the partitions their leadership. A shard is loaded once
 * per leadership. The topic is created once however many ask for it at the same time. After `close` nobody
 * waits for a group any more.
 */
import type { Logger } from '../base/logger.ts'
import type { BrokerConfig } from '../config/broker-config.ts'
import type { RegexPort } from '../coordinator/group/context.ts'
import type { GroupRecord } from '../coordinator/group/records.ts'
import { groupRecordSerde } from '../coordinator/group/records.ts'
import { GroupService } from '../coordinator/group/service.ts'
import { GroupSettings } from '../coordinator/group/settings.ts'
import { GroupShard } from '../coordinator/group/shard.ts'
import type { ListenFirst, PartitionWriter } from '../coordinator/ports.ts'
import { CoordinatorRuntime } from '../coordinator/runtime.ts'
import type { Host } from '../host/host.ts'
import type { MetadataDelta } from '../metadata/delta.ts'
import type { MetadataImage, TopicImage } from '../metadata/image.ts'
import { groupConfigs } from '../metadata/image.ts'
import type { MetadataPublisher } from '../metadata/loader.ts'
import { compileRegex, matchRegex } from '../native/pure.ts'
import type { CreateTopicsResponse } from '../protocol/apis/19-create-topics.ts'
import { createTopics } from '../protocol/apis/19-create-topics.ts'
import type { KafkaErrorCode } from '../protocol/error-codes.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import type { ControllerPort, GroupCoordinatorPort, ReplicaPort } from './context.ts'

export const GROUPS_TOPIC = '__consumer_offsets'

const CREATE_TIMEOUT_MS = 30_000
/** A look-up of a coordinator waits so long for its shard. */
const READY_TIMEOUT_MS = 10_000
const LOOK_AGAIN_MS = 10

export interface GroupCoordinatorsOptions {
  readonly host: Host
  readonly logger: Logger
  readonly nodeId: number
  readonly config: () => BrokerConfig
  readonly image: () => MetadataImage
  readonly controller: ControllerPort
  readonly replicas: ReplicaPort
  readonly writer: PartitionWriter
  readonly listenFirst: ListenFirst
}

/** So much of an expression is logged. */
const LOGGED = 200

/** An expression that is given up for its cost matches nothing, and the log says so. */
export function regexPort(logger: Logger): RegexPort {
  return {
    check: compileRegex,
    matching(pattern, names) {
      const { names: matching, error } = matchRegex(pattern, names)
      if (error !== undefined)
        logger.warn({ pattern: pattern.slice(0, LOGGED), reason: error }, 'a subscription matches no topic')
      return [...matching]
    },
  }
}

export class GroupCoordinators implements MetadataPublisher, GroupCoordinatorPort {
  readonly name = 'group coordinators'
  readonly groups: GroupService
  readonly #options: GroupCoordinatorsOptions
  readonly #runtime: CoordinatorRuntime<GroupShard, GroupRecord>
  #creating: Promise<KafkaErrorCode> | undefined
  readonly #loading = new Map<number, Promise<void>>()
  #closed = false

  constructor(options: GroupCoordinatorsOptions) {
    this.#options = options
    const { host, logger, config, image } = options
    const regex = regexPort(logger)
    const settings = new GroupSettings(config, groupId => groupConfigs(image(), groupId))
    const { clock, random } = host
    this.#runtime = new CoordinatorRuntime<GroupShard, GroupRecord>({
      host,
      logger,
      writer: options.writer,
      serde: groupRecordSerde,
      listenFirst: options.listenFirst,
      makeShard: context => new GroupShard({ clock, random, logger, settings, regex }, context),
      image,
      topic: GROUPS_TOPIC,
      lingerMs: () => config().number('group.coordinator.append.linger.ms'),
      timerPatienceMs: () => settings.commitTimeoutMs,
    })
    const partitionCount = () => this.#topic()?.partitions.length ?? config().number('offsets.topic.num.partitions')
    this.groups = new GroupService({
      runtime: this.#runtime,
      settings,
      logger,
      partitionCount,
      highWatermark: (topic, partition) => options.replicas.partition(topic, partition)?.highWatermark,
    })
    this.groups.start()
  }

  /** Ends all shards: whoever waits for an answer gets one. */
  close(): void {
    this.#closed = true
    this.groups.close()
    this.#runtime.close()
  }

  #topic(): TopicImage | undefined {
    return this.#options.image().topicsByName.get(GROUPS_TOPIC)
  }

  publish(delta: MetadataDelta, image: MetadataImage): void {
    const deleted = [...delta.deletedTopics.values()]
    for (const topic of deleted) {
      if (topic.name !== GROUPS_TOPIC) continue
      for (const partition of this.#runtime.partitions()) this.#runtime.resigned(partition, undefined)
    }
    const topic = image.topicsByName.get(GROUPS_TOPIC)
    if (topic !== undefined && delta.changedTopics.has(topic.id)) this.#follow(topic)
    this.#runtime.onMetadata(delta, image)
    if (deleted.length > 0) this.groups.onTopicsDeleted(deleted)
  }

  #follow(topic: TopicImage): void {
    for (const [index, { leader, leaderEpoch }] of topic.partitions.entries()) {
      if (leader === this.#options.nodeId) this.#runtime.elected(index, leaderEpoch)
      else this.#runtime.resigned(index, leaderEpoch)
    }
  }

  partitionFor(groupId: string): number {
    return this.groups.partitionFor(groupId)
  }

  createTopic(clientId: string | null): Promise<KafkaErrorCode> {
    if (this.#topic() !== undefined) return Promise.resolve(ErrorCode.NONE)
    this.#creating ??= this.#create(clientId).finally(() => {
      this.#creating = undefined
    })
    return this.#creating
  }

  async #create(clientId: string | null): Promise<KafkaErrorCode> {
    const { host, controller, replicas, logger } = this.#options
    const config = this.#options.config()
    const segmentBytes = config.text('offsets.topic.segment.bytes')
    const topic = {
      name: GROUPS_TOPIC,
      numPartitions: config.number('offsets.topic.num.partitions'),
      replicationFactor: config.number('offsets.topic.replication.factor'),
      assignments: [],
      configs: [
        { name: 'cleanup.policy', value: 'compact' },
        { name: 'compression.type', value: 'producer' },
        { name: 'segment.bytes', value: segmentBytes },
      ],
    }
    const request = { topics: [topic], timeoutMs: CREATE_TIMEOUT_MS, validateOnly: false }
    const deadlineMs = host.clock.monotonicMs() + CREATE_TIMEOUT_MS
    const answer = await controller.handle(createTopics.key, createTopics.maxVersion, request, { clientId, deadlineMs })
    const { errorCode, errorMessage } = (answer as CreateTopicsResponse).topics[0]!
    if (errorCode !== ErrorCode.NONE && errorCode !== ErrorCode.TOPIC_ALREADY_EXISTS) {
      logger.warn({ errorCode }, `${GROUPS_TOPIC} could not be created: ${errorMessage}`)
      return errorCode as KafkaErrorCode
    }
    await replicas.whenReady(GROUPS_TOPIC)
    return ErrorCode.NONE
  }

  async whenReady(partition: number): Promise<number> {
    const leader = () => this.#topic()?.partitions[partition]?.leader ?? -1
    if (leader() !== this.#options.nodeId) return leader()
    if (this.#isOffline(partition)) return -1
    let loading = this.#loading.get(partition)
    if (loading === undefined) {
      loading = this.#whenLoaded(partition).finally(() => this.#loading.delete(partition))
      this.#loading.set(partition, loading)
    }
    await loading
    return this.#isOffline(partition) ? -1 : leader()
  }

  /** Its log can't be used, and won't be soon: to wait for it would hold up whoever asked for others too. */
  #isOffline(partition: number): boolean {
    return this.#options.replicas.partition(GROUPS_TOPIC, partition)?.unavailable === ErrorCode.KAFKA_STORAGE_ERROR
  }

  async #whenLoaded(partition: number): Promise<void> {
    const { clock, timers } = this.#options.host
    const deadlineMs = clock.monotonicMs() + READY_TIMEOUT_MS
    while (!this.#closed && !this.#isOffline(partition) && clock.monotonicMs() < deadlineMs) {
      try {
        await this.#runtime.read(partition, 'find coordinator', () => undefined)
        return
      } catch {
        await new Promise<void>(resolve => timers.at(clock.monotonicMs() + LOOK_AGAIN_MS, resolve))
      }
    }
  }
}
