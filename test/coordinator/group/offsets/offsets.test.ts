import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ZERO_UUID } from '../../../../src/base/uuid.ts'
import type { GroupRecord } from '../../../../src/coordinator/group/records.ts'
import { Refusal } from '../../../../src/coordinator/shard.ts'
import { ErrorCode } from '../../../../src/protocol/error-codes.ts'
import { OffsetsRig } from './rig.ts'

const test = suite('offsets')

const DAY_MS = 24 * 60 * 60 * 1000
const RETENTION_MS = 7 * DAY_MS
const FIRST_ID = 'aaaaaaaaaaaaaaaaaaaaaA'
const SECOND_ID = 'bbbbbbbbbbbbbbbbbbbbbA'
const NOT_A_MEMBER = { memberId: null, memberEpoch: -1 }

function refusal(operation: () => unknown): number {
  try {
    operation()
  } catch (error) {
    if (error instanceof Refusal) return error.code
    throw error
  }
  return 0
}

function one(partitionIndex: number, committedOffset: bigint) {
  return [{ partitionIndex, committedOffset }]
}

function tombstones(records: readonly GroupRecord[]): string[] {
  return records.map(({ key, value }) => {
    assert.is(value, null)
    return 'topic' in key ? `${key.topic}/${key.partition}` : 'group'
  })
}

function expire(rig: OffsetsRig, groupId: string): { gone: string[]; empty: boolean } {
  const records: GroupRecord[] = []
  const empty = rig.offsets.expire(rig.groups.get(groupId)!, records)
  rig.run({ records, response: undefined })
  return { gone: tombstones(records), empty }
}

test('a commit makes a simple group when the committer is no member and there is no group', () => {
  const rig = new OffsetsRig()
  const response = rig.run(rig.commit('g', 't', one(3, 7n)))
  assert.equal(response.topics, [{ name: 't', topicId: ZERO_UUID, partitions: [{ partitionIndex: 3, errorCode: 0 }] }])
  assert.ok(rig.groups.get('g'))
  assert.equal(rig.fetched('g'), { 't/3': 7n })
})

test('a commit that is refused leaves neither group nor offset', () => {
  const rig = new OffsetsRig()
  const mark = rig.timeline.mark
  rig.run(rig.commit('g', 't', one(0, 1n)))
  rig.revert(0, mark)
  assert.is(rig.groups.get('g'), undefined)
  assert.equal(rig.fetched('g'), {})
  assert.is(rig.offsets.groupIds().size, 0)
})

test('a commit with a generation for no group answers by what its version knows', () => {
  const rig = new OffsetsRig()
  const commit = (apiVersion: number) =>
    refusal(() =>
      rig.offsets.commit(
        { apiVersion, clientId: '', clientHost: '' },
        {
          groupId: 'g',
          generationIdOrMemberEpoch: 0,
          memberId: 'm',
          groupInstanceId: null,
          retentionTimeMs: -1,
          topics: [],
        },
      ),
    )
  assert.is(commit(8), ErrorCode.ILLEGAL_GENERATION)
  assert.is(commit(9), ErrorCode.GROUP_ID_NOT_FOUND)
})

test('a commit keeps alive the member of a classic group, and asks a group of another kind nothing such', () => {
  const rig = new OffsetsRig()
  rig.group('classic')
  rig.group('new').kind = 'consumer'
  rig.run(rig.commit('classic', 't', one(0, 1n), { memberId: 'm', generationIdOrMemberEpoch: 4 }))
  rig.run(rig.commit('new', 't', one(0, 1n), { memberId: 'm', generationIdOrMemberEpoch: 4 }))
  assert.equal(rig.committedMembers, ['classic/m'])
})

test("a commit fails as a whole with the group's code, before anybody is kept alive", () => {
  const rig = new OffsetsRig()
  rig.group('g').refuses.commit = ErrorCode.UNKNOWN_MEMBER_ID
  assert.is(
    refusal(() => rig.commit('g', 't', one(0, 1n))),
    ErrorCode.UNKNOWN_MEMBER_ID,
  )
  assert.equal(rig.committedMembers, [])
})

test('a commit fails as a whole when the check of one partition says no', () => {
  const rig = new OffsetsRig()
  rig.group('g').checkPartition = (topic, topicId, partition) => {
    assert.equal([topic, topicId], ['t', FIRST_ID])
    if (partition === 1) throw new Refusal(ErrorCode.STALE_MEMBER_EPOCH)
  }
  const topics = [0, 1].map(partitionIndex => ({
    name: 't',
    topicId: FIRST_ID,
    partitions: [{ partitionIndex, committedOffset: 1n, committedLeaderEpoch: -1, committedMetadata: null }],
  }))
  assert.is(
    refusal(() => rig.commit('g', '', [], { topics })),
    ErrorCode.STALE_MEMBER_EPOCH,
  )
  assert.is(
    refusal(() => rig.commit('g', '', [], { topics: topics.slice(0, 1) })),
    0,
  )
})

test('metadata is too long for its partition alone when it has more characters than allowed', () => {
  const rig = new OffsetsRig()
  rig.configs.set('offset.metadata.max.bytes', '4')
  const response = rig.run(
    rig.commit('g', 't', [
      { partitionIndex: 0, committedOffset: 1n, committedMetadata: 'àààà' },
      { partitionIndex: 1, committedOffset: 1n, committedMetadata: 'abcde' },
      { partitionIndex: 2, committedOffset: 1n, committedMetadata: null },
    ]),
  )
  assert.equal(
    response.topics[0]!.partitions.map(each => each.errorCode),
    [0, ErrorCode.OFFSET_METADATA_TOO_LARGE, 0],
  )
  assert.equal(rig.fetched('g'), { 't/0': 1n, 't/2': 1n })
  const [topic] = rig.offsets.fetch({ groupId: 'g', ...NOT_A_MEMBER, topics: null }, false).topics
  assert.equal(
    topic!.partitions.map(each => each.metadata),
    ['àààà', ''],
  )
})

test('an offset comes back exactly when it is the largest int64', () => {
  const rig = new OffsetsRig()
  const offsets = [2n ** 63n - 1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 53n - 1n, -1n, -(2n ** 63n), 0n]
  for (const offset of offsets) {
    rig.run(rig.commit('g', 't', one(0, offset)))
    assert.equal(rig.fetched('g'), { 't/0': offset })
    rig.reload()
    assert.equal(rig.fetched('g'), { 't/0': offset })
  }
})

test('a commit record has value version 4, and 1 when it expires at a time of its own', () => {
  const rig = new OffsetsRig()
  const withId = [
    {
      name: 't',
      topicId: FIRST_ID,
      partitions: [{ partitionIndex: 0, committedOffset: 1n, committedLeaderEpoch: 9, committedMetadata: 'x' }],
    },
  ]
  const present = rig.commit('g', '', [], { topics: withId }).records[0]!
  assert.equal(present, {
    name: 'OffsetCommit',
    key: { group: 'g', topic: 't', partition: 0 },
    version: 4,
    value: {
      offset: 1n,
      leaderEpoch: 9,
      metadata: 'x',
      commitTimestamp: rig.nowMs,
      expireTimestamp: -1,
      topicId: FIRST_ID,
    },
  })
  const old = rig.commit('g', '', [], { topics: withId, retentionTimeMs: 1000 }).records[0]!
  assert.is(old.version, 1)
  assert.equal(old.value, {
    offset: 1n,
    leaderEpoch: -1,
    metadata: 'x',
    commitTimestamp: rig.nowMs,
    expireTimestamp: rig.nowMs + 1000,
    topicId: ZERO_UUID,
  })
})

test('a fetch answers -1 for each partition when the group is unknown or has no offset there', () => {
  const rig = new OffsetsRig()
  const fetch = (groupId: string) =>
    rig.offsets.fetch(
      { groupId, ...NOT_A_MEMBER, topics: [{ name: 't', topicId: FIRST_ID, partitionIndexes: [0, 1] }] },
      false,
    )
  const none = { committedOffset: -1n, committedLeaderEpoch: -1, metadata: '', errorCode: 0 }
  assert.equal(fetch('nobody'), {
    groupId: 'nobody',
    topics: [
      {
        name: 't',
        topicId: FIRST_ID,
        partitions: [
          { partitionIndex: 0, ...none },
          { partitionIndex: 1, ...none },
        ],
      },
    ],
  })
  rig.run(
    rig.commit('g', 't', [{ partitionIndex: 1, committedOffset: 5n, committedLeaderEpoch: 3, committedMetadata: 'm' }]),
  )
  assert.equal(fetch('g').topics[0]!.partitions, [
    { partitionIndex: 0, ...none },
    { partitionIndex: 1, committedOffset: 5n, committedLeaderEpoch: 3, metadata: 'm', errorCode: 0 },
  ])
  rig.group('dead').refuses.fetch = ErrorCode.GROUP_ID_NOT_FOUND
  assert.equal(fetch('dead').topics[0]!.partitions[0], { partitionIndex: 0, ...none })
  assert.equal(rig.offsets.fetch({ groupId: 'dead', ...NOT_A_MEMBER, topics: null }, false).topics, [])
})

test("a fetch fails with the group's code when the caller is no member", () => {
  const rig = new OffsetsRig()
  rig.group('g').refuses.fetch = ErrorCode.STALE_MEMBER_EPOCH
  assert.is(
    refusal(() => rig.fetched('g')),
    ErrorCode.STALE_MEMBER_EPOCH,
  )
})

test('an offset does not count for a later topic of that name', () => {
  const rig = new OffsetsRig()
  const partitions = one(0, 5n).map(each => ({ ...each, committedLeaderEpoch: -1, committedMetadata: '' }))
  rig.run(rig.commit('g', '', [], { topics: [{ name: 't', topicId: FIRST_ID, partitions }] }))
  const fetch = (topicId: string) =>
    rig.offsets.fetch({ groupId: 'g', ...NOT_A_MEMBER, topics: [{ name: 't', topicId, partitionIndexes: [0] }] }, false)
      .topics[0]!.partitions[0]!.committedOffset
  assert.equal([fetch(FIRST_ID), fetch(SECOND_ID), fetch(ZERO_UUID)], [5n, -1n, 5n])
})

test('offsets of one topic under several ids keep their own', () => {
  const rig = new OffsetsRig()
  const ids = [ZERO_UUID, FIRST_ID, SECOND_ID, FIRST_ID]
  ids.forEach((topicId, partitionIndex) => {
    const partition = { partitionIndex, committedOffset: 5n, committedLeaderEpoch: 2147483646, committedMetadata: '' }
    rig.run(rig.commit('g', '', [], { topics: [{ name: 't', topicId, partitions: [partition] }] }))
  })
  const kept = [...rig.offsets.committed('g')[0]!].map(([, { topicId, leaderEpoch }]) => [topicId, leaderEpoch])
  assert.equal(
    kept,
    ids.map(id => [id, 2147483646]),
  )
})

test('a fetch that requires stable offsets is told of a partition whose transaction is open', () => {
  const rig = new OffsetsRig()
  rig.run(rig.commit('g', 't', one(0, 1n)))
  rig.run(rig.commit('g', 't', one(1, 1n)))
  rig.run(rig.commit('g', 't', one(0, 9n)), 77n)
  assert.equal(rig.fetched('g'), { 't/0': 1n, 't/1': 1n })
  assert.equal(rig.fetched('g', true), { 't/0': ErrorCode.UNSTABLE_OFFSET_COMMIT, 't/1': 1n })
  const asked = rig.offsets.fetch(
    { groupId: 'g', ...NOT_A_MEMBER, topics: [{ name: 't', topicId: ZERO_UUID, partitionIndexes: [0, 1, 2] }] },
    true,
  ).topics[0]!.partitions
  assert.equal(
    asked.map(each => [each.errorCode, each.committedOffset]),
    [
      [ErrorCode.UNSTABLE_OFFSET_COMMIT, -1n],
      [0, 1n],
      [0, -1n],
    ],
  )
  rig.append({ producerId: 77n, committed: true })
  assert.equal(rig.fetched('g', true), { 't/0': 9n, 't/1': 1n })
})

test("an aborted transaction's offsets are gone, and its partitions stable", () => {
  const rig = new OffsetsRig()
  rig.run(rig.commit('g', 't', one(0, 9n)), 77n)
  rig.append({ producerId: 77n, committed: false })
  assert.equal(rig.fetched('g', true), {})
  assert.ok(rig.groups.get('g'), 'the record made the group')
})

test('a commit outside of the transaction wins when it was written after', () => {
  const rig = new OffsetsRig()
  rig.run(rig.commit('g', 't', one(0, 9n)), 77n)
  rig.run(rig.commit('g', 't', one(0, 3n)))
  rig.append({ producerId: 77n, committed: true })
  assert.equal(rig.fetched('g', true), { 't/0': 3n })
})

test('a partition is unstable as long as one of two transactions is open', () => {
  const rig = new OffsetsRig()
  rig.run(rig.commit('g', 't', one(0, 1n)))
  rig.run(rig.commit('g', 't', one(0, 9n)), 77n)
  rig.run(rig.commit('g', 't', one(0, 8n)), 78n)
  rig.append({ producerId: 77n, committed: true })
  assert.equal(rig.fetched('g', true), { 't/0': ErrorCode.UNSTABLE_OFFSET_COMMIT })
  rig.append({ producerId: 78n, committed: true })
  assert.equal(rig.fetched('g', true), { 't/0': 8n })
})

test('a tombstone takes what transactions have pending', () => {
  const rig = new OffsetsRig()
  rig.run(rig.commit('g', 't', one(0, 9n)), 77n)
  rig.run(rig.commit('g', 't', one(1, 9n)), 77n)
  const { records } = rig.offsets.delete({ groupId: 'g', topics: [{ name: 't', partitions: [{ partitionIndex: 0 }] }] })
  assert.equal(tombstones(records), ['t/0'])
  rig.run({ records, response: undefined })
  rig.append({ producerId: 77n, committed: true })
  assert.equal(rig.fetched('g', true), { 't/1': 9n })
})

test('offsets are deleted but for topics that the group reads', () => {
  const rig = new OffsetsRig()
  rig.group('g').subscribed.add('read')
  for (const topic of ['read', 't']) rig.run(rig.commit('g', topic, [...one(0, 1n), ...one(1, 1n)]))
  const partitions = [{ partitionIndex: 0 }, { partitionIndex: 5 }]
  const response = rig.run(
    rig.offsets.delete({
      groupId: 'g',
      topics: [
        { name: 'read', partitions },
        { name: 't', partitions },
      ],
    }),
  )
  assert.equal(
    response.topics.map(topic => topic.partitions.map(each => each.errorCode)),
    [
      [ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC, ErrorCode.GROUP_SUBSCRIBED_TO_TOPIC],
      [0, 0],
    ],
  )
  assert.equal(rig.fetched('g'), { 'read/0': 1n, 'read/1': 1n, 't/1': 1n })
})

test('a deletion is refused when there is no group or the group refuses', () => {
  const rig = new OffsetsRig()
  const remove = () => rig.offsets.delete({ groupId: 'g', topics: [] })
  assert.is(refusal(remove), ErrorCode.GROUP_ID_NOT_FOUND)
  rig.group('g').refuses.delete = ErrorCode.NON_EMPTY_GROUP
  assert.is(refusal(remove), ErrorCode.NON_EMPTY_GROUP)
})

test('an offset expires when the retention has passed since its commit, not before', () => {
  const rig = new OffsetsRig()
  rig.run(rig.commit('g', 't', one(0, 1n)))
  rig.nowMs += 1
  rig.run(rig.commit('g', 't', one(1, 1n)))
  rig.nowMs += RETENTION_MS - 2
  assert.equal(expire(rig, 'g'), { gone: [], empty: false })
  rig.nowMs += 1
  assert.equal(expire(rig, 'g'), { gone: ['t/0'], empty: false })
  rig.nowMs += 1
  assert.equal(expire(rig, 'g'), { gone: ['t/1'], empty: true })
  assert.equal(expire(rig, 'g'), { gone: [], empty: true })
})

test('an offset that came with a retention of its own expires by it, whatever the group says', () => {
  const rig = new OffsetsRig()
  rig.group('g').rule = { base: () => rig.nowMs }
  rig.run(rig.commit('g', 't', one(0, 1n), { retentionTimeMs: 1000 }))
  rig.nowMs += 999
  assert.equal(expire(rig, 'g'), { gone: [], empty: false })
  rig.nowMs += 1
  assert.equal(expire(rig, 'g'), { gone: ['t/0'], empty: true })
})

test('nothing expires while the group has no rule, and nothing of a topic that it reads', () => {
  const rig = new OffsetsRig()
  const group = rig.group('g')
  rig.run(rig.commit('g', 'read', one(0, 1n)))
  rig.run(rig.commit('g', 't', one(0, 1n)))
  rig.nowMs += RETENTION_MS
  group.rule = undefined
  assert.equal(expire(rig, 'g'), { gone: [], empty: false })
  group.rule = { base: commitTimestampMs => commitTimestampMs }
  group.subscribed.add('read')
  assert.equal(expire(rig, 'g'), { gone: ['t/0'], empty: false })
})

test('an offset does not expire while a transaction has one pending there, nor is the group found empty', () => {
  const rig = new OffsetsRig()
  rig.run(rig.commit('g', 't', one(0, 1n)))
  rig.run(rig.commit('g', 't', one(0, 2n)), 77n)
  rig.run(rig.commit('g', 't', one(1, 2n)), 78n)
  rig.run(rig.commit('g', 't', one(2, 1n)))
  rig.nowMs += RETENTION_MS
  assert.equal(expire(rig, 'g'), { gone: ['t/2'], empty: false })
  rig.append({ producerId: 77n, committed: false })
  assert.equal(expire(rig, 'g'), { gone: ['t/0'], empty: false })
  assert.equal(expire(rig, 'g'), { gone: [], empty: false })
  rig.append({ producerId: 78n, committed: false })
  assert.equal(expire(rig, 'g'), { gone: [], empty: true })
})

test('all offsets of a group are deleted once each, pending ones too, in order', () => {
  const rig = new OffsetsRig()
  rig.run(rig.commit('g', 'u', [...one(10, 1n), ...one(9, 1n)]))
  rig.run(rig.commit('g', 't', one(0, 1n)))
  rig.run(rig.commit('g', 't', [...one(1, 2n), ...one(0, 2n)]), 77n)
  const records: GroupRecord[] = []
  assert.is(rig.offsets.deleteAll('g', records), 4)
  assert.equal(tombstones(records), ['t/0', 'u/9', 'u/10', 't/1'])
  rig.run({ records, response: undefined })
  assert.is(rig.offsets.groupIds().size, 0)
})

test('offsets of a deleted topic go, those of another topic of that name stay', () => {
  const rig = new OffsetsRig()
  const commit = (partitionIndex: number, topicId: string, producerId?: bigint) => {
    const partition = { partitionIndex, committedOffset: 1n, committedLeaderEpoch: -1, committedMetadata: '' }
    rig.run(rig.commit('g', '', [], { topics: [{ name: 't', topicId, partitions: [partition] }] }), producerId)
  }
  commit(0, FIRST_ID)
  commit(1, SECOND_ID)
  commit(2, ZERO_UUID)
  commit(2, ZERO_UUID, 77n)
  commit(3, FIRST_ID, 77n)
  commit(4, SECOND_ID, 77n)
  rig.run(rig.commit('g', 'u', one(0, 1n)))
  const records: GroupRecord[] = []
  rig.offsets.forgetTopic('g', { name: 't', id: FIRST_ID }, records)
  rig.offsets.forgetTopic('other', { name: 't', id: FIRST_ID }, records)
  assert.equal(tombstones(records), ['t/0', 't/2', 't/3'])
})

test.run()
