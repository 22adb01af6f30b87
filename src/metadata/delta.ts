/**
 * Changes on top of an image: records are replayed one by one, then `apply` gives the next image.
 *
 * Invariants: the base is never touched. What a record means is decided here alone, for the log, for snapshots and for
 * the controller's own state. A record that does not fit what is there (a partition of an unknown topic, a change to
 * another epoch's registration) is a MetadataError: the log and its reader have parted. A delta is applied once.
 */
import { PersistentMap } from '../base/persistent-map.ts'
import type {
  AclImage,
  BrokerImage,
  ClientQuotaImage,
  ControllerImage,
  DelegationTokenImage,
  MetadataImage,
  PartitionImage,
  QuotaEntityPart,
  ScramImage,
  TopicImage,
} from './image.ts'
import { configKey, emptyImage } from './image.ts'
import type { DataOf, MetadataRecord } from './records.ts'
import { DirectoryId, MetadataError } from './records.ts'
import { shared } from './shared-partition.ts'

/** Fields of a PartitionChangeRecord that say "as it was". */
const NO_LEADER_CHANGE = -2
const NO_RECOVERY_CHANGE = -1

interface TopicDraft {
  readonly name: string
  readonly id: string
  readonly partitions: PartitionImage[]
}

/** Where an image stands in the log. */
export interface Provenance {
  readonly offset: number
  readonly epoch: number
  readonly timestampMs: number
}

export class MetadataDelta {
  readonly base: MetadataImage
  readonly deletedTopics = new Map<string, TopicImage>()
  readonly changedConfigs = new Set<string>()
  readonly changedBrokers = new Set<number>()
  readonly changedFeatures = new Set<string>()
  readonly #topics = new Map<string, TopicDraft>()
  readonly #topicIds = new Map<string, string>()
  readonly #configs = new Map<string, Map<string, string>>()
  readonly #features = new Draft<string, number>()
  readonly #brokers = new Draft<number, BrokerImage>()
  readonly #controllers = new Draft<number, ControllerImage>()
  readonly #quotas = new Draft<string, ClientQuotaImage>()
  readonly #acls = new Draft<string, AclImage>()
  readonly #scram = new Draft<string, ScramImage>()
  readonly #tokens = new Draft<string, DelegationTokenImage>()
  #nextProducerId: bigint

  constructor(base: MetadataImage) {
    this.base = base
    this.#nextProducerId = base.nextProducerId
  }

  /** What leads from nothing to `image`; it only tells, and is not to be replayed on or applied. */
  static to(image: MetadataImage): MetadataDelta {
    const delta = new MetadataDelta(emptyImage)
    for (const topic of image.topicsById.values()) {
      delta.#topics.set(topic.id, { name: topic.name, id: topic.id, partitions: [...topic.partitions] })
    }
    for (const key of image.configs.keys()) delta.changedConfigs.add(key)
    for (const id of image.brokers.keys()) delta.changedBrokers.add(id)
    for (const name of image.features.keys()) delta.changedFeatures.add(name)
    return delta
  }

  /** Ids of the topics that were created or changed; the next image has them. */
  get changedTopics(): ReadonlySet<string> {
    return new Set(this.#topics.keys())
  }

  /** @throws MetadataError when the record does not fit what is there. */
  replay(record: MetadataRecord): void {
    switch (record.name) {
      case 'TopicRecord':
        this.#topics.set(record.data.topicId, { name: record.data.name, id: record.data.topicId, partitions: [] })
        this.#topicIds.set(record.data.name, record.data.topicId)
        return
      case 'PartitionRecord':
        this.#replayPartition(record.data)
        return
      case 'PartitionChangeRecord':
        this.#replayPartitionChange(record.data)
        return
      case 'RemoveTopicRecord':
        this.#removeTopic(record.data.topicId)
        return
      case 'ClearElrRecord':
        this.#clearElr(record.data.topicName)
        return
      case 'ConfigRecord':
        this.#replayConfig(record.data)
        return
      case 'RegisterBrokerRecord':
        this.#registerBroker(record.data)
        return
      case 'UnregisterBrokerRecord':
        this.#registered(record.data.brokerId, record.data.brokerEpoch)
        this.#setBroker(record.data.brokerId, undefined)
        return
      case 'FenceBrokerRecord':
        this.#changeBroker(record.data.id, record.data.epoch, { fenced: true })
        return
      case 'UnfenceBrokerRecord':
        this.#changeBroker(record.data.id, record.data.epoch, { fenced: false })
        return
      case 'BrokerRegistrationChangeRecord':
        this.#replayRegistrationChange(record.data)
        return
      case 'RegisterControllerRecord':
        this.#registerController(record.data)
        return
      case 'FeatureLevelRecord':
        this.#replayFeature(record.data)
        return
      case 'ProducerIdsRecord':
        this.#nextProducerId = record.data.nextProducerId
        return
      case 'ClientQuotaRecord':
        this.#replayQuota(record.data)
        return
      case 'AccessControlEntryRecord':
        this.#acls.set(record.data.id, record.data)
        return
      case 'RemoveAccessControlEntryRecord':
        this.#acls.delete(record.data.id)
        return
      case 'UserScramCredentialRecord':
        this.#scram.set(scramKey(record.data), record.data)
        return
      case 'RemoveUserScramCredentialRecord':
        this.#scram.delete(scramKey(record.data))
        return
      case 'DelegationTokenRecord':
        this.#tokens.set(record.data.tokenId, record.data)
        return
      case 'RemoveDelegationTokenRecord':
        this.#tokens.delete(record.data.tokenId)
        return
      case 'NoOpRecord':
      case 'ZkMigrationStateRecord':
      case 'BeginTransactionRecord':
      case 'EndTransactionRecord':
      case 'AbortTransactionRecord':
        return
    }
  }

  /** The image after everything that was replayed. */
  apply(at: Provenance): MetadataImage {
    const { base } = this
    let topicsById = persistent(base.topicsById)
    let topicsByName = persistent(base.topicsByName)
    for (const [id, topic] of this.deletedTopics) {
      topicsById = topicsById.without(id)
      topicsByName = topicsByName.without(topic.name)
    }
    for (const topic of this.#topics.values()) {
      const image: TopicImage = { name: topic.name, id: topic.id, partitions: topic.partitions }
      topicsById = topicsById.with(topic.id, image)
      topicsByName = topicsByName.with(topic.name, image)
    }
    let configs = persistent(base.configs)
    for (const [key, values] of this.#configs) {
      configs = values.size === 0 ? configs.without(key) : configs.with(key, values)
    }
    return {
      offset: at.offset,
      epoch: at.epoch,
      timestampMs: at.timestampMs,
      features: this.#features.over(base.features),
      brokers: this.#brokers.over(base.brokers),
      controllers: this.#controllers.over(base.controllers),
      topicsByName,
      topicsById,
      configs,
      nextProducerId: this.#nextProducerId,
      clientQuotas: this.#quotas.over(base.clientQuotas),
      acls: this.#acls.over(base.acls),
      scram: this.#scram.over(base.scram),
      delegationTokens: this.#tokens.over(base.delegationTokens),
    }
  }

  /** The topic as it stands, to be changed. */
  #topic(id: string): TopicDraft {
    const draft = this.#topics.get(id)
    if (draft !== undefined) return draft
    const topic = this.deletedTopics.has(id) ? undefined : this.base.topicsById.get(id)
    if (topic === undefined) throw new MetadataError(`a record names topic id ${id}, which does not exist`)
    const copy: TopicDraft = { name: topic.name, id, partitions: topic.partitions.slice() }
    this.#topics.set(id, copy)
    return copy
  }

  #replayPartition(data: DataOf<'PartitionRecord'>): void {
    const topic = this.#topic(data.topicId)
    if (data.partitionId < 0 || data.partitionId > topic.partitions.length) {
      throw new MetadataError(`partition ${data.partitionId} of topic ${topic.name} comes out of turn`)
    }
    topic.partitions[data.partitionId] = shared({
      replicas: data.replicas,
      directories: directoriesOf(data.directories, data.replicas.length),
      isr: data.isr,
      removingReplicas: data.removingReplicas,
      addingReplicas: data.addingReplicas,
      elr: data.eligibleLeaderReplicas ?? [],
      lastKnownElr: data.lastKnownElr ?? [],
      leader: data.leader,
      leaderRecoveryState: data.leaderRecoveryState,
      leaderEpoch: data.leaderEpoch,
      partitionEpoch: data.partitionEpoch,
    })
  }

  #replayPartitionChange(data: DataOf<'PartitionChangeRecord'>): void {
    const topic = this.#topic(data.topicId)
    const before = topic.partitions[data.partitionId]
    if (before === undefined) {
      throw new MetadataError(`partition ${data.partitionId} of topic ${topic.name} changes and does not exist`)
    }
    topic.partitions[data.partitionId] = changedPartition(before, data)
  }

  #removeTopic(id: string): void {
    const topic = this.#topic(id)
    this.#topics.delete(id)
    this.#topicIds.delete(topic.name)
    const before = this.base.topicsById.get(id)
    if (before !== undefined) this.deletedTopics.set(id, before)
    const key = 'topic:' + topic.name
    if (this.#configs.has(key) || this.base.configs.has(key)) {
      this.#configs.set(key, new Map())
      this.changedConfigs.add(key)
    }
  }

  #clearElr(topicName: string): void {
    const ids =
      topicName === ''
        ? [...this.base.topicsById.keys(), ...this.#topics.keys()].filter(id => !this.deletedTopics.has(id))
        : [this.#topicIds.get(topicName) ?? this.base.topicsByName.get(topicName)?.id ?? '']
    for (const id of new Set(ids)) {
      const partitions = this.#topics.get(id)?.partitions ?? this.base.topicsById.get(id)?.partitions
      if (partitions === undefined) throw new MetadataError(`a record names topic ${topicName}, which does not exist`)
      for (const [index, partition] of partitions.entries()) {
        if (partition.elr.length === 0 && partition.lastKnownElr.length === 0) continue
        this.#topic(id).partitions[index] = {
          ...partition,
          elr: [],
          lastKnownElr: [],
          partitionEpoch: partition.partitionEpoch + 1,
        }
      }
    }
  }

  #replayConfig(data: DataOf<'ConfigRecord'>): void {
    const key = configKey(data.resourceType, data.resourceName)
    if (key === undefined) throw new MetadataError(`a ConfigRecord is for resource type ${data.resourceType}`)
    let values = this.#configs.get(key)
    if (values === undefined) {
      values = new Map(this.base.configs.get(key))
      this.#configs.set(key, values)
    }
    if (data.value === null) values.delete(data.name)
    else values.set(data.name, data.value)
    this.changedConfigs.add(key)
  }

  #registerBroker(data: DataOf<'RegisterBrokerRecord'>): void {
    this.#setBroker(data.brokerId, {
      id: data.brokerId,
      epoch: data.brokerEpoch,
      incarnationId: data.incarnationId,
      endpoints: data.endPoints,
      features: data.features,
      rack: data.rack,
      fenced: data.fenced,
      inControlledShutdown: data.inControlledShutdown,
      isMigratingZkBroker: data.isMigratingZkBroker,
      logDirs: data.logDirs,
      cordonedLogDirs: data.cordonedLogDirs,
    })
  }

  #replayRegistrationChange(data: DataOf<'BrokerRegistrationChangeRecord'>): void {
    this.#changeBroker(data.brokerId, data.brokerEpoch, {
      ...(data.fenced === 0 ? {} : { fenced: data.fenced > 0 }),
      ...(data.inControlledShutdown === 0 ? {} : { inControlledShutdown: true }),
      ...(data.logDirs.length === 0 ? {} : { logDirs: data.logDirs }),
      ...(data.cordonedLogDirs === null ? {} : { cordonedLogDirs: data.cordonedLogDirs }),
    })
  }

  #registered(id: number, epoch: number): BrokerImage {
    const broker = this.#brokers.get(id, this.base.brokers)
    if (broker?.epoch !== epoch) {
      throw new MetadataError(`a record changes broker ${id} of epoch ${epoch}, which is not registered`)
    }
    return broker
  }

  #changeBroker(id: number, epoch: number, change: Partial<BrokerImage>): void {
    this.#setBroker(id, { ...this.#registered(id, epoch), ...change })
  }

  #setBroker(id: number, broker: BrokerImage | undefined): void {
    this.changedBrokers.add(id)
    if (broker === undefined) this.#brokers.delete(id)
    else this.#brokers.set(id, broker)
  }

  #registerController(data: DataOf<'RegisterControllerRecord'>): void {
    this.#controllers.set(data.controllerId, {
      id: data.controllerId,
      incarnationId: data.incarnationId,
      zkMigrationReady: data.zkMigrationReady,
      endpoints: data.endPoints,
      features: data.features,
    })
  }

  #replayFeature(data: DataOf<'FeatureLevelRecord'>): void {
    // kraft.version is raft's own, told by control records; old logs may hold a feature record of it all the same.
    if (data.name === 'kraft.version') return
    this.changedFeatures.add(data.name)
    if (data.featureLevel === 0) this.#features.delete(data.name)
    else this.#features.set(data.name, data.featureLevel)
  }

  #replayQuota(data: DataOf<'ClientQuotaRecord'>): void {
    const key = quotaKey(data.entity)
    const values = new Map(this.#quotas.get(key, this.base.clientQuotas)?.values)
    if (data.remove) values.delete(data.key)
    else values.set(data.key, data.value)
    if (values.size === 0) this.#quotas.delete(key)
    else this.#quotas.set(key, { entity: data.entity, values })
  }
}

/** The partition after a change record. */
function changedPartition(before: PartitionImage, data: DataOf<'PartitionChangeRecord'>): PartitionImage {
  const replicas = data.replicas ?? before.replicas
  const leads = data.leader !== NO_LEADER_CHANGE
  return shared({
    replicas,
    directories: directoriesOf(data.directories ?? before.directories, replicas.length),
    isr: data.isr ?? before.isr,
    removingReplicas: data.removingReplicas ?? before.removingReplicas,
    addingReplicas: data.addingReplicas ?? before.addingReplicas,
    elr: data.eligibleLeaderReplicas ?? before.elr,
    lastKnownElr: data.lastKnownElr ?? before.lastKnownElr,
    leader: leads ? data.leader : before.leader,
    leaderRecoveryState:
      data.leaderRecoveryState === NO_RECOVERY_CHANGE ? before.leaderRecoveryState : data.leaderRecoveryState,
    leaderEpoch: leads ? before.leaderEpoch + 1 : before.leaderEpoch,
    partitionEpoch: before.partitionEpoch + 1,
  })
}

function directoriesOf(directories: readonly string[], replicas: number): readonly string[] {
  return directories.length === replicas ? directories : new Array<string>(replicas).fill(DirectoryId.migrating)
}

/** Key of a SCRAM credential in an image. */
function scramKey(of: { name: string; mechanism: number }): string {
  return `${of.mechanism}:${of.name}`
}

/** Key of a quota entity in an image; the order of its parts does not matter. */
export function quotaKey(entity: readonly QuotaEntityPart[]): string {
  return JSON.stringify(entity.map(part => [part.entityType, part.entityName]).sort(([a], [b]) => (a! < b! ? -1 : 1)))
}

function persistent<K extends string, V>(map: ReadonlyMap<K, V>): PersistentMap<K, V> {
  if (map instanceof PersistentMap) return map
  let copy = PersistentMap.of<K, V>()
  for (const [key, value] of map) copy = copy.with(key, value)
  return copy
}

/** Changes to a small map: sets and deletions, laid over the base when applied. */
class Draft<K, V> {
  readonly #changes = new Map<K, V | undefined>()

  get(key: K, base: ReadonlyMap<K, V>): V | undefined {
    return this.#changes.has(key) ? this.#changes.get(key) : base.get(key)
  }

  set(key: K, value: V): void {
    this.#changes.set(key, value)
  }

  delete(key: K): void {
    this.#changes.set(key, undefined)
  }

  over(base: ReadonlyMap<K, V>): ReadonlyMap<K, V> {
    if (this.#changes.size === 0) return base
    const merged = new Map(base)
    for (const [key, value] of this.#changes) {
      if (value === undefined) merged.delete(key)
      else merged.set(key, value)
    }
    return merged
  }
}
