import { readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ZERO_UUID } from '../../../src/base/uuid.ts'
import { groupRecordSerde, offsetCommitRecord, offsetCommitTombstone } from '../../../src/coordinator/group/records.ts'
import { encodeMessage } from '../../../src/protocol/messages.ts'
import {
  groupMetadataKey,
  legacyOffsetCommitKey,
  legacyOffsetCommitValue,
  offsetCommitKey,
} from '../../../src/protocol/records/groups.ts'
import { batchesOf } from '../../../src/records/batch.ts'
import { recordsOf } from '../../../src/records/iterate.ts'

const test = suite('group records')

const segment = readFileSync(new URL('../../vectors/groups/offsets.log', import.meta.url))

function behind(first: number, message: Uint8Array): Uint8Array {
  return Uint8Array.of(first >> 8, first, ...message)
}

const withValue = { offset: 1n, leaderEpoch: 2, metadata: 'm', commitTimestamp: 3, topicId: 'aaaaaaaaaaaaaaaaaaaaaA' }

test('every record that Kafka wrote is read, and written again byte for byte', () => {
  const kinds = new Map<string, number>()
  for (const batch of batchesOf(segment)) {
    if (batch.isControl) continue
    for (const { key, value } of recordsOf(batch)) {
      const record = groupRecordSerde.deserialize({ key: key!, value })
      assert.ok(record)
      const kind = record.value === null ? `${record.name}, a tombstone` : record.name
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1)
      const again = groupRecordSerde.serialize(record)
      assert.equal(Buffer.from(again.key), Buffer.from(key!))
      assert.equal(again.value && Buffer.from(again.value), value && Buffer.from(value))
    }
  }
  assert.equal([...kinds.keys()].sort(), [
    'ConsumerGroupCurrentMemberAssignment',
    'ConsumerGroupCurrentMemberAssignment, a tombstone',
    'ConsumerGroupMemberMetadata',
    'ConsumerGroupMemberMetadata, a tombstone',
    'ConsumerGroupMetadata',
    'ConsumerGroupMetadata, a tombstone',
    'ConsumerGroupPartitionMetadata, a tombstone',
    'ConsumerGroupRegularExpression',
    'ConsumerGroupRegularExpression, a tombstone',
    'ConsumerGroupTargetAssignmentMember',
    'ConsumerGroupTargetAssignmentMember, a tombstone',
    'ConsumerGroupTargetAssignmentMetadata',
    'ConsumerGroupTargetAssignmentMetadata, a tombstone',
    'GroupMetadata',
    'GroupMetadata, a tombstone',
    'OffsetCommit',
    'OffsetCommit, a tombstone',
  ])
})

test('a commit has what its version can hold', () => {
  const present = { ...withValue, expireTimestamp: -1 }
  const old = { ...withValue, expireTimestamp: 4 }
  const roundTrip = (value: typeof present) =>
    groupRecordSerde.deserialize(groupRecordSerde.serialize(offsetCommitRecord('g', 't', 7, value)))
  const key = { group: 'g', topic: 't', partition: 7 }
  assert.equal(roundTrip(present), { name: 'OffsetCommit', key, version: 4, value: present })
  assert.equal(roundTrip(old), {
    name: 'OffsetCommit',
    key,
    version: 1,
    value: { ...old, leaderEpoch: -1, topicId: ZERO_UUID },
  })
  const tombstone = offsetCommitTombstone('g', 't', 7)
  assert.equal(groupRecordSerde.deserialize(groupRecordSerde.serialize(tombstone)), tombstone)
})

test('the legacy kind of a commit is read as the present one', () => {
  const key = { group: 'g', topic: 't', partition: 7 }
  const keyBytes = behind(0, encodeMessage(legacyOffsetCommitKey, 0, key))
  const value = { offset: 2n ** 63n - 1n, metadata: 'm', commitTimestamp: 3 }
  const valueBytes = behind(0, encodeMessage(legacyOffsetCommitValue, 0, value))
  assert.equal(groupRecordSerde.deserialize({ key: keyBytes, value: valueBytes }), {
    name: 'OffsetCommit',
    key,
    version: 0,
    value: { ...value, leaderEpoch: -1, expireTimestamp: -1, topicId: ZERO_UUID },
  })
  assert.equal(groupRecordSerde.deserialize({ key: keyBytes, value: null }), offsetCommitTombstone('g', 't', 7))
})

test('a kind or version from a later release is passed over', () => {
  const message = encodeMessage(groupMetadataKey, 0, { group: 'g' })
  for (const kind of [9, 15, 17, 1000, -1]) {
    assert.is(groupRecordSerde.deserialize({ key: behind(kind, message), value: behind(0, message) }), undefined)
  }
  assert.is(groupRecordSerde.deserialize({ key: behind(2, message), value: behind(5, message) }), undefined)
})

test('a record that is cut short is refused, and the one after it is read', () => {
  const good = groupRecordSerde.serialize(offsetCommitRecord('g', 't', 7, { ...withValue, expireTimestamp: -1 }))
  for (let length = 0; length < good.key.length; length++) {
    assert.throws(() => groupRecordSerde.deserialize({ key: good.key.subarray(0, length), value: null }), /./)
  }
  for (let length = 0; length < good.value!.length; length++) {
    assert.throws(() => groupRecordSerde.deserialize({ key: good.key, value: good.value!.subarray(0, length) }), /./)
  }
  assert.ok(groupRecordSerde.deserialize(good))
})

test('a record that cannot be written leaves nothing in the one after it', () => {
  const tooLong = offsetCommitTombstone('g'.repeat(32768), 't', 0)
  assert.throws(() => groupRecordSerde.serialize(tooLong))
  const key = { group: 'g', topic: 't', partition: 1 }
  assert.equal(
    groupRecordSerde.serialize(offsetCommitTombstone('g', 't', 1)).key,
    behind(1, encodeMessage(offsetCommitKey, 0, key)),
  )
})

test.run()
