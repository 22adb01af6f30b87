/**
 * The metadata of the cluster at one offset of the metadata log: what Kafka calls a MetadataImage.
 *
 * Invariants: immutable, all of it; a newer image shares with an older one what did not change, so `===` on a topic, a
 * partition or a config map means "the same". Built only by `MetadataDelta.apply` (and `emptyImage`). `topicsByName`
 * and `topicsById` hold the same TopicImage objects. Partition n of a topic is at index n.
 */
import { PersistentMap } from '../base/persistent-map.ts'
import type { Endpoint, VersionRange } from './records.ts'

export const LeaderRecoveryState = { recovered: 0, recovering: 1 } as const

/** Leader of a partition that has none. */
export const NO_LEADER = -1

export interface PartitionImage {
  /** Broker ids; the first is the preferred leader. */
  readonly replicas: readonly number[]
  /** Log directory of each replica, in the order of `replicas`. Reserved ids: `DirectoryId` in records.ts. */
  readonly directories: readonly string[]
  readonly isr: readonly number[]
  readonly removingReplicas: readonly number[]
  readonly addingReplicas: readonly number[]
  readonly elr: readonly number[]
  readonly lastKnownElr: readonly number[]
  /** NO_LEADER: nobody leads. */
  readonly leader: number
  /** 1 while the leader of an unclean election recovers. */
  readonly leaderRecoveryState: number
  readonly leaderEpoch: number
  readonly partitionEpoch: number
}

export interface TopicImage {
  readonly name: string
  /** 22 characters of base64url. */
  readonly id: string
  readonly partitions: readonly PartitionImage[]
}

export interface BrokerImage {
  readonly id: number
  readonly epoch: number
  readonly incarnationId: string
  readonly endpoints: readonly Endpoint[]
  readonly features: readonly VersionRange[]
  readonly rack: string | null
  readonly fenced: boolean
  readonly inControlledShutdown: boolean
  readonly isMigratingZkBroker: boolean
  readonly logDirs: readonly string[]
  /** null: the broker has not told yet. */
  readonly cordonedLogDirs: readonly string[] | null
}

export interface ControllerImage {
  readonly id: number
  readonly incarnationId: string
  readonly zkMigrationReady: boolean
  readonly endpoints: readonly Endpoint[]
  readonly features: readonly VersionRange[]
}

export interface AclImage {
  readonly id: string
  readonly resourceType: number
  readonly resourceName: string
  readonly patternType: number
  readonly principal: string
  readonly host: string
  readonly operation: number
  readonly permissionType: number
}

export interface ScramImage {
  readonly name: string
  readonly mechanism: number
  readonly salt: Uint8Array
  readonly storedKey: Uint8Array
  readonly serverKey: Uint8Array
  readonly iterations: number
}

export interface DelegationTokenImage {
  readonly owner: string
  readonly requester: string
  readonly renewers: readonly string[]
  readonly issueTimestamp: number
  readonly maxTimestamp: number
  readonly expirationTimestamp: number
  readonly tokenId: string
}

export interface QuotaEntityPart {
  readonly entityType: string
  readonly entityName: string | null
}

export interface ClientQuotaImage {
  readonly entity: readonly QuotaEntityPart[]
  readonly values: ReadonlyMap<string, number>
}

export interface MetadataImage {
  /** The last offset that is contained; -1 when nothing is. */
  readonly offset: number
  /** Raft epoch of that offset. */
  readonly epoch: number
  /** Append time of that offset's batch, milliseconds since 1970. */
  readonly timestampMs: number
  /** Finalised features by name, `metadata.version` among them. (`kraft.version` is raft's, not a record's.) */
  readonly features: ReadonlyMap<string, number>
  readonly brokers: ReadonlyMap<number, BrokerImage>
  readonly controllers: ReadonlyMap<number, ControllerImage>
  readonly topicsByName: ReadonlyMap<string, TopicImage>
  readonly topicsById: ReadonlyMap<string, TopicImage>
  /**
   * By `configKey`: "topic:name", "broker:1", "broker:" (the cluster-wide default),
   * "group:name", "client-metrics:name".
   */
  readonly configs: ReadonlyMap<string, ReadonlyMap<string, string>>
  /** The first producer id that no block holds; -1 before the first block. */
  readonly nextProducerId: bigint
  /** By entity, see `quotaKey` in delta.ts. */
  readonly clientQuotas: ReadonlyMap<string, ClientQuotaImage>
  readonly acls: ReadonlyMap<string, AclImage>
  /** By "mechanism:user". */
  readonly scram: ReadonlyMap<string, ScramImage>
  readonly delegationTokens: ReadonlyMap<string, DelegationTokenImage>
}

/** The image before the first record. */
export const emptyImage: MetadataImage = {
  offset: -1,
  epoch: -1,
  timestampMs: -1,
  features: new Map(),
  brokers: new Map(),
  controllers: new Map(),
  topicsByName: PersistentMap.of<string, TopicImage>(),
  topicsById: PersistentMap.of<string, TopicImage>(),
  configs: PersistentMap.of<string, ReadonlyMap<string, string>>(),
  nextProducerId: -1n,
  clientQuotas: new Map(),
  acls: new Map(),
  scram: new Map(),
  delegationTokens: new Map(),
}

/** Kafka's ConfigResource types. */
export const ConfigResource = { topic: 2, broker: 4, clientMetrics: 16, group: 32 } as const

const CONFIG_PREFIXES = new Map<number, string>([
  [ConfigResource.topic, 'topic:'],
  [ConfigResource.broker, 'broker:'],
  [ConfigResource.clientMetrics, 'client-metrics:'],
  [ConfigResource.group, 'group:'],
])

/** Key of a resource in `MetadataImage.configs`; undefined for a type that stores no configs. */
export function configKey(resourceType: number, resourceName: string): string | undefined {
  const prefix = CONFIG_PREFIXES.get(resourceType)
  return prefix === undefined ? undefined : prefix + resourceName
}

/** The inverse of `configKey`. */
export function configResource(key: string): { resourceType: number; resourceName: string } {
  const colon = key.indexOf(':')
  const prefix = key.slice(0, colon + 1)
  for (const [resourceType, other] of CONFIG_PREFIXES) {
    if (other === prefix) return { resourceType, resourceName: key.slice(colon + 1) }
  }
  throw new RangeError(`"${key}" is not a key of MetadataImage.configs`)
}

const noConfigs: ReadonlyMap<string, string> = new Map()

/** The dynamic configs of a topic; an empty map when it has none. */
export function topicConfigs(image: MetadataImage, topic: string): ReadonlyMap<string, string> {
  return image.configs.get('topic:' + topic) ?? noConfigs
}

/** The configs of a client metrics subscription; an empty map when it has none. */
export function clientMetricsConfigs(image: MetadataImage, name: string): ReadonlyMap<string, string> {
  return image.configs.get('client-metrics:' + name) ?? noConfigs
}

/** The dynamic configs of a group; an empty map when it has none. */
export function groupConfigs(image: MetadataImage, groupId: string): ReadonlyMap<string, string> {
  return image.configs.get('group:' + groupId) ?? noConfigs
}
