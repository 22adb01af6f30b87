/**
 * The records of the metadata log: their framing (frame version, API key, version, message), and
 * reserved values in them.
 *
 * Invariants: a record whose key or version this release does not know is an error, never skipped: skipping it would
 * make another cluster of the same log. Framing is Kafka's, byte for byte.
 */
import { OdradekError } from '../base/errors.ts'
import { readerFor, writerFor } from '../protocol/compile.ts'
import { joinParts } from '../protocol/messages.ts'
import { Reader } from '../protocol/reader.ts'
import {
  brokerRegistrationChangeRecord,
  fenceBrokerRecord,
  registerBrokerRecord,
  registerControllerRecord,
  unfenceBrokerRecord,
  unregisterBrokerRecord,
} from '../protocol/records/brokers.ts'
import {
  abortTransactionRecord,
  beginTransactionRecord,
  endTransactionRecord,
  noOpRecord,
  zkMigrationStateRecord,
} from '../protocol/records/log-marks.ts'
import {
  accessControlEntryRecord,
  delegationTokenRecord,
  removeAccessControlEntryRecord,
  removeDelegationTokenRecord,
  removeUserScramCredentialRecord,
  userScramCredentialRecord,
} from '../protocol/records/security.ts'
import { clientQuotaRecord, configRecord, featureLevelRecord, producerIdsRecord } from '../protocol/records/settings.ts'
import {
  clearElrRecord,
  partitionChangeRecord,
  partitionRecord,
  removeTopicRecord,
  topicRecord,
} from '../protocol/records/topics.ts'
import type { Message, MessageInput, Schema } from '../protocol/schema.ts'
import { inRange } from '../protocol/schema.ts'
import { Writer } from '../protocol/writer.ts'

const schemas = {
  RegisterBrokerRecord: registerBrokerRecord,
  UnregisterBrokerRecord: unregisterBrokerRecord,
  TopicRecord: topicRecord,
  PartitionRecord: partitionRecord,
  ConfigRecord: configRecord,
  PartitionChangeRecord: partitionChangeRecord,
  FenceBrokerRecord: fenceBrokerRecord,
  UnfenceBrokerRecord: unfenceBrokerRecord,
  RemoveTopicRecord: removeTopicRecord,
  DelegationTokenRecord: delegationTokenRecord,
  UserScramCredentialRecord: userScramCredentialRecord,
  FeatureLevelRecord: featureLevelRecord,
  ClientQuotaRecord: clientQuotaRecord,
  ProducerIdsRecord: producerIdsRecord,
  BrokerRegistrationChangeRecord: brokerRegistrationChangeRecord,
  AccessControlEntryRecord: accessControlEntryRecord,
  RemoveAccessControlEntryRecord: removeAccessControlEntryRecord,
  NoOpRecord: noOpRecord,
  ZkMigrationStateRecord: zkMigrationStateRecord,
  RemoveUserScramCredentialRecord: removeUserScramCredentialRecord,
  BeginTransactionRecord: beginTransactionRecord,
  EndTransactionRecord: endTransactionRecord,
  AbortTransactionRecord: abortTransactionRecord,
  RemoveDelegationTokenRecord: removeDelegationTokenRecord,
  RegisterControllerRecord: registerControllerRecord,
  ClearElrRecord: clearElrRecord,
} as const

type Schemas = typeof schemas
export type RecordName = keyof Schemas

/** A record as it was read: every field is there. */
export type MetadataRecord = {
  [Name in RecordName]: { readonly name: Name; readonly version: number; readonly data: Message<Schemas[Name]> }
}[RecordName]

/** A record to be written. */
export type NewRecord = {
  [Name in RecordName]: { readonly name: Name; readonly version: number; readonly data: MessageInput<Schemas[Name]> }
}[RecordName]

/** The data of one kind of record. */
export type DataOf<Name extends RecordName> = Message<Schemas[Name]>
export type NewDataOf<Name extends RecordName> = MessageInput<Schemas[Name]>

/** The metadata log or a snapshot holds what this release cannot read. */
export class MetadataError extends OdradekError {
  constructor(message: string, options?: { cause?: unknown }) {
    super('ERR_METADATA', message, options)
  }
}

const FRAME_VERSION = 1

const namesByKey = new Map<number, RecordName>()
for (const [name, schema] of Object.entries(schemas)) namesByKey.set(schema.apiKey!, name as RecordName)

const writer = new Writer()

/** The bytes of a record's value. */
export function encodeRecord(record: NewRecord): Uint8Array {
  const schema: Schema = schemas[record.name]
  writer.begin()
  writer.uvarint(FRAME_VERSION)
  writer.uvarint(schema.apiKey!)
  writer.uvarint(record.version)
  writerFor(schema, record.version)(writer, record.data)
  return joinParts(writer.finish())
}

/**
 * The record in a record's value.
 * @throws MetadataError for an unknown kind or version; ProtocolError when the bytes are malformed
 */
export function decodeRecord(value: Uint8Array): MetadataRecord {
  const reader = new Reader(value)
  const frame = reader.uvarint()
  if (frame !== FRAME_VERSION) throw new MetadataError(`a metadata record has frame version ${frame}; 1 is known`)
  const key = reader.uvarint()
  const version = reader.uvarint()
  const name = namesByKey.get(key)
  if (name === undefined) throw new MetadataError(`a metadata record is of kind ${key}, which a newer release wrote`)
  const schema: Schema = schemas[name]
  if (!inRange(schema.versions, version)) {
    throw new MetadataError(`a ${name} is of version ${version}; up to ${schema.versions.to} are known`)
  }
  return { name, version, data: readerFor(schema, version)(reader) } as MetadataRecord
}

export interface Endpoint {
  readonly name: string
  readonly host: string
  readonly port: number
  /** Kafka's SecurityProtocol id: 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL. */
  readonly securityProtocol: number
}

export interface VersionRange {
  readonly name: string
  readonly minSupportedVersion: number
  readonly maxSupportedVersion: number
}

/** Directory ids that name no directory. */
export const DirectoryId = {
  /** From before brokers told their directories. */
  migrating: 'AAAAAAAAAAAAAAAAAAAAAA',
  /** The broker has not said where it put the replica. */
  unassigned: 'AAAAAAAAAAAAAAAAAAAAAQ',
  /** The directory is offline. */
  lost: 'AAAAAAAAAAAAAAAAAAAAAg',
} as const
