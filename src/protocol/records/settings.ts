/** Metadata records about configs, quotas, features and producer ids. */
import type { Message, MessageInput } from '../schema.ts'
import { array, bool, float64, int8, int16, int32, int64, int64Exact, message, string } from '../schema.ts'

/** One config key of one resource. */
export const configRecord = message(
  'ConfigRecord',
  { apiKey: 4, versions: '0', flexible: '0+' },
  {
    /** 2 topic, 4 broker, 16 client metrics, 32 group. */
    resourceType: int8('0+'),
    /** Empty for the default of all brokers. */
    resourceName: string('0+'),
    name: string('0+'),
    /** null: the key is removed. */
    value: string('0+', { nullable: '0+' }),
  },
)
export type ConfigRecord = Message<typeof configRecord>
export type ConfigRecordInput = MessageInput<typeof configRecord>

/** One quota of one entity. */
export const clientQuotaRecord = message(
  'ClientQuotaRecord',
  { apiKey: 14, versions: '0', flexible: '0+' },
  {
    entity: array('0+', {
      entityType: string('0+'),
      /** null: the default entity of the type. */
      entityName: string('0+', { nullable: '0+' }),
    }),
    key: string('0+'),
    value: float64('0+'),
    remove: bool('0+'),
  },
)
export type ClientQuotaRecord = Message<typeof clientQuotaRecord>
export type ClientQuotaRecordInput = MessageInput<typeof clientQuotaRecord>

/** A feature is finalised at a level. */
export const featureLevelRecord = message(
  'FeatureLevelRecord',
  { apiKey: 12, versions: '0', flexible: '0+' },
  {
    name: string('0+'),
    /** 0: the feature is no longer finalised. */
    featureLevel: int16('0+'),
  },
)
export type FeatureLevelRecord = Message<typeof featureLevelRecord>
export type FeatureLevelRecordInput = MessageInput<typeof featureLevelRecord>

/** A block of producer ids was given to a broker. */
export const producerIdsRecord = message(
  'ProducerIdsRecord',
  { apiKey: 15, versions: '0', flexible: '0+' },
  {
    brokerId: int32('0+'),
    brokerEpoch: int64('0+', { default: -1 }),
    /** The first producer id that no block holds. */
    nextProducerId: int64Exact('0+'),
  },
)
export type ProducerIdsRecord = Message<typeof producerIdsRecord>
export type ProducerIdsRecordInput = MessageInput<typeof producerIdsRecord>
