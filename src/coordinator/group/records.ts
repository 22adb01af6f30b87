/**
 * The records of `__consumer_offsets`: which there are, and their bytes. Key: the kind as int16, then the key
 * message in its version 0; value: its version as int16, then the message; no value: a tombstone. Byte for byte as
 * Apache Kafka writes them.
 *
 * Invariants: a kind or version that this release does not know is passed over on load, never rewritten; share and
 * streams groups' records are among those. The legacy kind of an offset (0) is read as the present one (1).
 */
import { ZERO_UUID } from '../../base/uuid.ts'
import { readerFor, writerFor } from '../../protocol/compile.ts'
import { joinParts } from '../../protocol/messages.ts'
import { Reader } from '../../protocol/reader.ts'
import type { OffsetCommitValue } from '../../protocol/records/groups.ts'
import {
  consumerGroupCurrentMemberAssignmentKey,
  consumerGroupCurrentMemberAssignmentValue,
  consumerGroupMemberMetadataKey,
  consumerGroupMemberMetadataValue,
  consumerGroupMetadataKey,
  consumerGroupMetadataValue,
  consumerGroupPartitionMetadataKey,
  consumerGroupPartitionMetadataValue,
  consumerGroupRegularExpressionKey,
  consumerGroupRegularExpressionValue,
  consumerGroupTargetAssignmentMemberKey,
  consumerGroupTargetAssignmentMemberValue,
  consumerGroupTargetAssignmentMetadataKey,
  consumerGroupTargetAssignmentMetadataValue,
  groupMetadataKey,
  groupMetadataValue,
  legacyOffsetCommitKey,
  legacyOffsetCommitValue,
  offsetCommitKey,
  offsetCommitValue,
} from '../../protocol/records/groups.ts'
import type { Message, Schema } from '../../protocol/schema.ts'
import { inRange } from '../../protocol/schema.ts'
import { Writer } from '../../protocol/writer.ts'
import type { RecordBytes, RecordSerde } from '../shard.ts'

const kinds = {
  OffsetCommit: { type: 1, key: offsetCommitKey, value: offsetCommitValue },
  GroupMetadata: { type: 2, key: groupMetadataKey, value: groupMetadataValue },
  ConsumerGroupMetadata: { type: 3, key: consumerGroupMetadataKey, value: consumerGroupMetadataValue },
  ConsumerGroupPartitionMetadata: {
    type: 4,
    key: consumerGroupPartitionMetadataKey,
    value: consumerGroupPartitionMetadataValue,
  },
  ConsumerGroupMemberMetadata: {
    type: 5,
    key: consumerGroupMemberMetadataKey,
    value: consumerGroupMemberMetadataValue,
  },
  ConsumerGroupTargetAssignmentMetadata: {
    type: 6,
    key: consumerGroupTargetAssignmentMetadataKey,
    value: consumerGroupTargetAssignmentMetadataValue,
  },
  ConsumerGroupTargetAssignmentMember: {
    type: 7,
    key: consumerGroupTargetAssignmentMemberKey,
    value: consumerGroupTargetAssignmentMemberValue,
  },
  ConsumerGroupCurrentMemberAssignment: {
    type: 8,
    key: consumerGroupCurrentMemberAssignmentKey,
    value: consumerGroupCurrentMemberAssignmentValue,
  },
  ConsumerGroupRegularExpression: {
    type: 16,
    key: consumerGroupRegularExpressionKey,
    value: consumerGroupRegularExpressionValue,
  },
} as const

type Kinds = typeof kinds
export type GroupRecordName = keyof Kinds

/** Key and value with every field there; `value` null: a tombstone. `version` is the value's, -1 of a tombstone. */
export type GroupRecord = {
  [Name in GroupRecordName]: {
    readonly name: Name
    readonly key: Message<Kinds[Name]['key']>
    readonly version: number
    readonly value: Message<Kinds[Name]['value']> | null
  }
}[GroupRecordName]

export type GroupRecordOf<Name extends GroupRecordName> = Extract<GroupRecord, { readonly name: Name }>

/**
 * A commit. One with an expire timestamp is written as clients of its time knew it: without leader epoch and topic id.
 */
export function offsetCommitRecord(
  groupId: string,
  topic: string,
  partition: number,
  value: OffsetCommitValue,
): GroupRecordOf<'OffsetCommit'> {
  const key = { group: groupId, topic, partition }
  if (value.expireTimestamp === -1) return { name: 'OffsetCommit', key, version: 4, value }
  return { name: 'OffsetCommit', key, version: 1, value: { ...value, leaderEpoch: -1, topicId: ZERO_UUID } }
}

export function offsetCommitTombstone(
  groupId: string,
  topic: string,
  partition: number,
): GroupRecordOf<'OffsetCommit'> {
  return { name: 'OffsetCommit', key: { group: groupId, topic, partition }, version: -1, value: null }
}

const LEGACY_OFFSET_COMMIT = 0

/** What the legacy offset commit lacks. */
const NO_OFFSET_COMMIT = { leaderEpoch: -1, expireTimestamp: -1, topicId: ZERO_UUID }

interface Kind {
  readonly name: GroupRecordName
  readonly type: number
  readonly key: Schema
  readonly value: Schema
}

/** By type. */
const kindsByType: Kind[] = []
for (const [name, kind] of Object.entries(kinds)) kindsByType[kind.type] = { name: name as GroupRecordName, ...kind }
kindsByType[LEGACY_OFFSET_COMMIT] = {
  name: 'OffsetCommit',
  type: LEGACY_OFFSET_COMMIT,
  key: legacyOffsetCommitKey,
  value: legacyOffsetCommitValue,
}

// A load reads a million records and a commit writes one: one reader and one writer serve them
// all, each call to its end.
const reader = new Reader()
const writer = new Writer()

export const groupRecordSerde: RecordSerde<GroupRecord> = {
  serialize(record) {
    const kind: { type: number; key: Schema; value: Schema } = kinds[record.name]
    const key = versioned(kind.type, kind.key, 0, record.key)
    return {
      key,
      value: record.value === null ? null : versioned(record.version, kind.value, record.version, record.value),
    }
  },

  deserialize({ key, value }: RecordBytes) {
    reader.reset(key)
    const kind = kindsByType[reader.int16()]
    if (kind === undefined) return undefined
    const { name } = kind
    const itsKey = readerFor(kind.key, 0)(reader)
    if (value === null) return { name, key: itsKey, version: -1, value: null } as GroupRecord
    reader.reset(value)
    const version = reader.int16()
    if (!inRange(kind.value.versions, version)) return undefined
    const itsValue = readerFor(kind.value, version)(reader)
    if (kind.type !== LEGACY_OFFSET_COMMIT) return { name, key: itsKey, version, value: itsValue } as GroupRecord
    return { name, key: itsKey, version, value: { ...NO_OFFSET_COMMIT, ...itsValue } } as GroupRecord
  },
}

/** A version or kind, then a message. */
function versioned(version: number, schema: Schema, messageVersion: number, message: object): Uint8Array {
  writer.begin()
  writer.int16(version)
  writerFor(schema, messageVersion)(writer, message as never)
  return joinParts(writer.finish())
}
