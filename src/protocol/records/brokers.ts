/** Metadata records about brokers and controllers. */
import type { Message, MessageInput } from '../schema.ts'
import { array, bool, int8, int16, int32, int64, message, string, uint16, uuid } from '../schema.ts'

/** A broker has registered, or registered anew. */
export const registerBrokerRecord = message(
  'RegisterBrokerRecord',
  { apiKey: 0, versions: '0-4', flexible: '0+' },
  {
    brokerId: int32('0+'),
    isMigratingZkBroker: bool('2+', { default: false }),
    /** One per start of the broker process. */
    incarnationId: uuid('0+'),
    /** The offset of this record when it was written: each registration has a larger one. */
    brokerEpoch: int64('0+'),
    endPoints: array('0+', {
      name: string('0+'),
      host: string('0+'),
      port: uint16('0+'),
      /** 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL. */
      securityProtocol: int16('0+'),
    }),
    features: array('0+', {
      name: string('0+'),
      minSupportedVersion: int16('0+'),
      maxSupportedVersion: int16('0+'),
    }),
    rack: string('0+', { nullable: '0+' }),
    fenced: bool('0+', { default: true }),
    inControlledShutdown: bool('1+', { default: false }),
    logDirs: array('3+', 'uuid', { tagged: '3+', tag: 0 }),
    /** Directories that take no new partitions; null: the broker has not told. */
    cordonedLogDirs: array('4+', 'uuid', { nullable: '4+', default: null, tagged: '4+', tag: 1 }),
  },
)
export type RegisterBrokerRecord = Message<typeof registerBrokerRecord>
export type RegisterBrokerRecordInput = MessageInput<typeof registerBrokerRecord>

/** A broker was removed for good. */
export const unregisterBrokerRecord = message(
  'UnregisterBrokerRecord',
  { apiKey: 1, versions: '0', flexible: '0+' },
  {
    brokerId: int32('0+'),
    brokerEpoch: int64('0+'),
  },
)
export type UnregisterBrokerRecord = Message<typeof unregisterBrokerRecord>
export type UnregisterBrokerRecordInput = MessageInput<typeof unregisterBrokerRecord>

/** A broker may not lead; written before version 3.3 only, kept to be read. */
export const fenceBrokerRecord = message(
  'FenceBrokerRecord',
  { apiKey: 7, versions: '0', flexible: '0+' },
  {
    id: int32('0+'),
    epoch: int64('0+'),
  },
)
export type FenceBrokerRecord = Message<typeof fenceBrokerRecord>
export type FenceBrokerRecordInput = MessageInput<typeof fenceBrokerRecord>

/** A broker may lead again; written before version 3.3 only, kept to be read. */
export const unfenceBrokerRecord = message(
  'UnfenceBrokerRecord',
  { apiKey: 8, versions: '0', flexible: '0+' },
  {
    id: int32('0+'),
    epoch: int64('0+'),
  },
)
export type UnfenceBrokerRecord = Message<typeof unfenceBrokerRecord>
export type UnfenceBrokerRecordInput = MessageInput<typeof unfenceBrokerRecord>

/** What changed about a registration. */
export const brokerRegistrationChangeRecord = message(
  'BrokerRegistrationChangeRecord',
  { apiKey: 17, versions: '0-3', flexible: '0+' },
  {
    brokerId: int32('0+'),
    brokerEpoch: int64('0+'),
    /** -1: unfenced; 0: as it was; 1: fenced. */
    fenced: int8('0+', { tagged: '0+', tag: 0 }),
    /** 0: as it was; 1: shutting down. */
    inControlledShutdown: int8('1+', { tagged: '1+', tag: 1 }),
    /** Empty: as they were. */
    logDirs: array('2+', 'uuid', { tagged: '2+', tag: 2 }),
    /** null: as they were. */
    cordonedLogDirs: array('3+', 'uuid', { nullable: '3+', default: null, tagged: '3+', tag: 3 }),
  },
)
export type BrokerRegistrationChangeRecord = Message<typeof brokerRegistrationChangeRecord>
export type BrokerRegistrationChangeRecordInput = MessageInput<typeof brokerRegistrationChangeRecord>

/** A controller has registered its end points and features. */
export const registerControllerRecord = message(
  'RegisterControllerRecord',
  { apiKey: 27, versions: '0', flexible: '0+' },
  {
    controllerId: int32('0+'),
    incarnationId: uuid('0+'),
    zkMigrationReady: bool('0+'),
    endPoints: array('0+', {
      name: string('0+'),
      host: string('0+'),
      port: uint16('0+'),
      securityProtocol: int16('0+'),
    }),
    features: array('0+', {
      name: string('0+'),
      minSupportedVersion: int16('0+'),
      maxSupportedVersion: int16('0+'),
    }),
  },
)
export type RegisterControllerRecord = Message<typeof registerControllerRecord>
export type RegisterControllerRecordInput = MessageInput<typeof registerControllerRecord>
