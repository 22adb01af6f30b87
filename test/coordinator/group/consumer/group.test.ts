import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ZERO_UUID } from '../../../../src/base/uuid.ts'
import type { GroupRecord } from '../../../../src/coordinator/group/records.ts'
import { ErrorCode } from '../../../../src/protocol/error-codes.ts'
import { ConsumerRig, codeOf, idOf } from '../../../support/consumer-rig.ts'

const test = suite('a consumer group')

/** a at epoch 3 with foo 0 to 2 given at 2; b got the rest at 3. */
function twoMembers(): ConsumerRig {
  const rig = new ConsumerRig({ foo: 6 })
  rig.heartbeat('a', 0)
  rig.heartbeat('b', 0, { instance: 'two' })
  rig.heartbeat('a', 2)
  rig.heartbeat('a', 2, { owned: { foo: [0, 1, 2] } })
  rig.heartbeat('b', 3, { instance: 'two' })
  return rig
}

const commit = (rig: ConsumerRig, memberId: string, generationOrEpoch: number, apiVersion = 9, transactional = false) =>
  rig.group().checkOffsetCommit({ memberId, generationOrEpoch, apiVersion, transactional, groupInstanceId: null })

test('a member commits with its epoch, and may be behind for what it had by then', () => {
  const rig = twoMembers()
  assert.is(commit(rig, 'a', 3), undefined)
  const check = commit(rig, 'a', 2)
  check!('foo', idOf('foo'), 0)
  check!('foo', ZERO_UUID, 2)
  assert.is(
    codeOf(() => check!('foo', idOf('foo'), 3)),
    ErrorCode.STALE_MEMBER_EPOCH,
    'not its own',
  )
  assert.is(
    codeOf(() => check!('bar', ZERO_UUID, 0)),
    ErrorCode.STALE_MEMBER_EPOCH,
  )
  const checkOfB = commit(rig, 'b', 2)
  assert.is(
    codeOf(() => checkOfB!('foo', idOf('foo'), 5)),
    ErrorCode.STALE_MEMBER_EPOCH,
    'given later',
  )
})

test('a member that has yet to give up a partition may commit for it', () => {
  const rig = twoMembers()
  rig.heartbeat('c', 0)
  rig.heartbeat('a', 3)
  const { pendingRevocation } = rig.member('a')
  assert.equal([...pendingRevocation.get(idOf('foo'))!], [[2, 2]])
  commit(rig, 'a', 2)!('foo', idOf('foo'), 2)
  assert.is(
    codeOf(() => commit(rig, 'a', 1)!('foo', idOf('foo'), 2)),
    ErrorCode.STALE_MEMBER_EPOCH,
  )
})

test('a commit is refused of a stranger, from the future, and in a version that knows no epochs', () => {
  const rig = twoMembers()
  assert.is(
    codeOf(() => commit(rig, 'c', 3)),
    ErrorCode.UNKNOWN_MEMBER_ID,
  )
  assert.is(
    codeOf(() => commit(rig, '', -1)),
    ErrorCode.UNKNOWN_MEMBER_ID,
  )
  assert.is(
    codeOf(() => commit(rig, 'a', 4)),
    ErrorCode.STALE_MEMBER_EPOCH,
  )
  assert.is(
    codeOf(() => commit(rig, 'a', 3, 8)),
    ErrorCode.UNSUPPORTED_VERSION,
  )
  assert.is(commit(rig, 'a', 3, 5, true), undefined, 'of a transaction')
  assert.is(commit(rig, '', -1, 5, true), undefined)
})

test('tools commit to an empty group, and to no other', () => {
  const rig = twoMembers()
  rig.heartbeat('a', -1)
  rig.heartbeat('b', -1, { instance: 'two' })
  assert.is(commit(rig, '', -1), undefined)
})

test('offsets are read by members with their epoch, and by anybody who claims to be none', () => {
  const group = twoMembers().group()
  group.checkOffsetFetch(null, -1)
  group.checkOffsetFetch('a', 3)
  assert.is(
    codeOf(() => group.checkOffsetFetch('a', 2)),
    ErrorCode.STALE_MEMBER_EPOCH,
  )
  assert.is(
    codeOf(() => group.checkOffsetFetch('c', 3)),
    ErrorCode.UNKNOWN_MEMBER_ID,
  )
  assert.is(
    codeOf(() => group.checkOffsetFetch('', -1)),
    ErrorCode.UNKNOWN_MEMBER_ID,
  )
})

test('a group is deleted when it is empty, with records for everything it has', () => {
  const rig = twoMembers()
  assert.is(
    codeOf(() => rig.group().checkDelete()),
    ErrorCode.NON_EMPTY_GROUP,
  )
  const records = rig.group().tombstones()
  assert.equal(
    records.map(record => record.name.replace('ConsumerGroup', '')),
    [
      ...['CurrentMemberAssignment', 'CurrentMemberAssignment'],
      ...['TargetAssignmentMember', 'TargetAssignmentMember', 'TargetAssignmentMetadata'],
      ...['MemberMetadata', 'MemberMetadata', 'PartitionMetadata', 'Metadata'],
    ],
  )
  rig.run(() => ({ records, response: undefined }))
  assert.is(rig.table.size, 0)
  rig.growTopic('foo', 7)
})

test('a group is described with what its members own, have to give up and shall own', () => {
  const rig = new ConsumerRig({ foo: 2 })
  rig.heartbeat('a', 0, { rack: 'rack', instance: 'one' })
  rig.heartbeat('b', 0)
  rig.heartbeat('a', 2, { instance: 'one' })
  const described = rig.consumer.describe(rig.group())
  assert.equal(
    { ...described, members: [] },
    {
      errorCode: 0,
      groupId: 'g',
      groupState: 'Reconciling',
      groupEpoch: 3,
      assignmentEpoch: 3,
      assignorName: 'uniform',
      members: [],
    },
  )
  const foo = (...partitions: number[]) => ({
    topicPartitions: partitions.length === 0 ? [] : [{ topicId: idOf('foo'), topicName: 'foo', partitions }],
  })
  assert.equal(described.members[0], {
    memberId: 'a',
    instanceId: 'one',
    rackId: 'rack',
    memberEpoch: 2,
    clientId: 'client',
    clientHost: '/127.0.0.1',
    subscribedTopicNames: ['foo'],
    subscribedTopicRegex: '',
    assignment: foo(0, 1),
    targetAssignment: foo(0),
    memberType: 1,
  })
  const { assignment, targetAssignment } = described.members[1]!
  assert.equal([assignment, targetAssignment], [foo(), foo(1)])
  rig.deleteTopic('foo')
  assert.equal(rig.consumer.describe(rig.group()).members[0]!.assignment, foo(), 'a topic that is no more')
})

test('a group is the same whichever records compaction has left out', () => {
  const rig = twoMembers()
  rig.heartbeat('a', -1)
  rig.heartbeat('b', 3, { instance: 'two' })
  const last = new Map(rig.log.map((bytes, index) => [bytes.key.toString(), index]))
  const compacted = rig.log.filter((bytes, index) => last.get(bytes.key.toString()) === index)
  assert.ok(compacted.length < rig.log.length)
  assert.equal(rig.reload(compacted).hardState(), rig.hardState())
  const withoutTombstones = compacted.filter(bytes => bytes.value !== null)
  assert.equal(rig.reload(withoutTombstones).hardState(), rig.hardState())
})

test('tombstones for what is not there do nothing, whatever there is in its place', () => {
  const rig = twoMembers()
  const tombstones: GroupRecord[] = rig.group().tombstones()
  const empty = new ConsumerRig()
  for (const record of tombstones) empty.replay(record)
  assert.is(empty.table.size, 0)
  empty.classic.createSimpleGroup('g')
  for (const record of tombstones) empty.replay(record)
  assert.is(empty.table.get('g')?.kind, 'classic')
})

test('a member whose progress was compacted away goes with its metadata', () => {
  const rig = twoMembers()
  const metadata = rig
    .group()
    .tombstones()
    .filter(record => record.name === 'ConsumerGroupMemberMetadata')
  rig.run(() => ({ records: metadata, response: undefined }))
  assert.ok(rig.group().isEmpty)
  assert.not.ok(rig.group().isOwned(idOf('foo'), 0))
})

test('a group that has only offsets gives way to a consumer group, live and in a replay', () => {
  const rig = new ConsumerRig({ foo: 1 })
  rig.classic.createSimpleGroup('g')
  rig.heartbeat('a', 0)
  assert.is(rig.group().memberCount, 1)
  const loaded = new ConsumerRig()
  loaded.classic.createSimpleGroup('g')
  for (const record of rig.written) if (record.name !== 'GroupMetadata') loaded.replay(record)
  assert.is(loaded.group().memberCount, 1)
})

test('assignment records of older releases count as given at the epoch of the member', () => {
  const rig = twoMembers()
  const value = {
    memberEpoch: 3,
    previousMemberEpoch: 2,
    state: 0,
    assignedPartitions: [{ topicId: idOf('foo'), partitions: [0, 1], assignmentEpochs: [] }],
    partitionsPendingRevocation: [],
  }
  const key = { groupId: 'g', memberId: 'a' }
  rig.replay({ name: 'ConsumerGroupCurrentMemberAssignment', key, version: 0, value })
  assert.equal(
    [...rig.member('a').assigned.get(idOf('foo'))!],
    [
      [0, 3],
      [1, 3],
    ],
  )
  rig.replay({
    name: 'ConsumerGroupCurrentMemberAssignment',
    key,
    version: 0,
    value: { ...value, memberEpoch: -2, state: 9 },
  })
  assert.equal(
    [...rig.member('a').assigned.get(idOf('foo'))!],
    [
      [0, 0],
      [1, 0],
    ],
  )
  assert.is(rig.member('a').state, 127)
})

test.run()
