/**
 * The records of `__consumer_offsets`: which there are, and their bytes. Key: the kind as int16, then the key message in its
 * version 0; value: its version as int16, then the message; no value: a tombstone. Byte for byte as Apache Kafka writes them.
 *
 * Invariants: a kind or version that this release does not know is passed over on load, never rewritten; share and streams
 * groups' records are among those. The legacy kind of an offset (0) is read as the present one (1).
 */
import { ZERO_UUID } from '../../base/uuid.ts'
import { decodeMessage, encodeMessage } from '../../protocol/messages.ts'
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
  legacyOffsetCommitValue,
  offsetCommitKey,
  offsetCommitValue,
} from '../../protocol/records/groups.ts'
import type { Message, Schema } from '../../protocol/schema.ts'
import { inRange } from '../../protocol/schema.ts'
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

/** A commit. One with an expire timestamp is written as clients of its time knew it: without leader epoch and topic id. */
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

const namesByType = new Map<number, GroupRecordName>()
for (const [name, { type }] of Object.entries(kinds)) namesByType.set(type, name as GroupRecordName)
namesByType.set(LEGACY_OFFSET_COMMIT, 'OffsetCommit')

export const groupRecordSerde: RecordSerde<GroupRecord> = {
  serialize(record) {
    const kind: { type: number; key: Schema; value: Schema } = kinds[record.name]
    return {
      key: versioned(kind.type, encodeMessage(kind.key, 0, record.key)),
      value:
        record.value === null
          ? null
          : versioned(record.version, encodeMessage(kind.value, record.version, record.value)),
    }
  },

  deserialize({ key, value }: RecordBytes) {
    const type = int16(key)
    const name = namesByType.get(type)
    if (name === undefined) return undefined
    const kind: { key: Schema; value: Schema } = kinds[name]
    const itsKey = decodeMessage(kind.key, 0, key.subarray(2))
    if (value === null) return { name, key: itsKey, version: -1, value: null } as GroupRecord
    const version = int16(value)
    if (type === LEGACY_OFFSET_COMMIT) {
      const legacy = decodeMessage(legacyOffsetCommitValue, 0, value.subarray(2))
      return { name, key: itsKey, version: 0, value: { ...NO_OFFSET_COMMIT, ...legacy } } as GroupRecord
    }
    if (!inRange(kind.value.versions, version)) return undefined
    return { name, key: itsKey, version, value: decodeMessage(kind.value, version, value.subarray(2)) } as GroupRecord
  },
}

/** What the legacy offset commit lacks. */
const NO_OFFSET_COMMIT = { leaderEpoch: -1, expireTimestamp: -1, topicId: ZERO_UUID }

function int16(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getInt16(0)
}

function versioned(version: number, message: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(2 + message.length)
  new DataView(bytes.buffer).setInt16(0, version)
  bytes.set(message, 2)
  return bytes
}
