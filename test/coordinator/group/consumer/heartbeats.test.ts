import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ErrorCode } from '../../../../src/protocol/error-codes.ts'
import type { HeartbeatOptions } from '../../../support/consumer-rig.ts'
import { assignedBy, ConsumerRig, codeOf, idOf } from '../../../support/consumer-rig.ts'

const test = suite('heartbeats of consumer groups')

const names = (rig: ConsumerRig): string[] => rig.written.map(record => record.name.replace('ConsumerGroup', ''))

/** Members a and b with three partitions of foo each, at epoch 3. */
function twoMembers(config: Record<string, number | string> = {}): ConsumerRig {
  const rig = new ConsumerRig({ foo: 6 }, config)
  rig.heartbeat('a', 0)
  rig.heartbeat('b', 0)
  rig.heartbeat('a', 2)
  rig.heartbeat('a', 2, { owned: { foo: [0, 1, 2] } })
  rig.heartbeat('b', 3)
  assert.is(rig.group().stateName, 'Stable')
  return rig
}

test('what a heartbeat has to bring is asked for by name', () => {
  const rig = new ConsumerRig({ foo: 6 })
  const refused = (memberId: string, epoch: number, options: HeartbeatOptions = {}) =>
    codeOf(() => rig.heartbeat(memberId, epoch, options))
  assert.is(refused('', 0), ErrorCode.INVALID_REQUEST, 'a member makes its id')
  assert.is(refused('', 1, { version: 0 }), ErrorCode.INVALID_REQUEST)
  assert.is(refused('', -1, { version: 0 }), ErrorCode.INVALID_REQUEST)
  assert.is(refused(' ', 0), ErrorCode.INVALID_REQUEST, 'blank is empty')
  assert.is(refused('a', 0, { group: '' }), ErrorCode.INVALID_REQUEST)
  assert.is(refused('a', 0, { instance: '' }), ErrorCode.INVALID_REQUEST)
  assert.is(refused('a', 0, { rack: '' }), ErrorCode.INVALID_REQUEST)
  assert.is(refused('a', 0, { rebalanceMs: -1 }), ErrorCode.INVALID_REQUEST)
  assert.is(refused('a', 0, { owned: null }), ErrorCode.INVALID_REQUEST)
  assert.is(refused('a', 0, { owned: { foo: [1] } }), ErrorCode.INVALID_REQUEST)
  assert.is(refused('a', 0, { topics: null }), ErrorCode.INVALID_REQUEST)
  assert.is(refused('a', -2), ErrorCode.INVALID_REQUEST, 'who leaves for a while has an instance id')
  assert.is(refused('a', -3), ErrorCode.INVALID_REQUEST)
  assert.is(refused('a', 0, { assignor: 'mine' }), ErrorCode.UNSUPPORTED_ASSIGNOR)
  assert.is(rig.table.size, 0)
})

test('a member of a group that does not exist is told so unless it joins', () => {
  const rig = new ConsumerRig({ foo: 6 })
  assert.is(
    codeOf(() => rig.heartbeat('a', 1)),
    ErrorCode.GROUP_ID_NOT_FOUND,
  )
  assert.is(
    codeOf(() => rig.heartbeat('a', -1)),
    ErrorCode.GROUP_ID_NOT_FOUND,
  )
  assert.is(
    codeOf(() => rig.heartbeat('a', 0)),
    ErrorCode.NONE,
  )
})

test('a member that does not make its id gets one', () => {
  const rig = new ConsumerRig({ foo: 6 })
  const { memberId } = rig.heartbeat('', 0, { version: 0 })
  assert.match(memberId!, /^[\w][\w-]{21}$/)
  assert.ok(rig.group().hasMember(memberId!))
})

test('the first member gets everything in one answer', () => {
  const rig = new ConsumerRig({ foo: 6 })
  const answer = rig.heartbeat('a', 0)
  assert.equal(answer, {
    errorCode: 0,
    memberId: 'a',
    memberEpoch: 2,
    heartbeatIntervalMs: 5_000,
    assignment: { topicPartitions: [{ topicId: idOf('foo'), partitions: [0, 1, 2, 3, 4, 5] }] },
  })
  assert.equal(names(rig), [
    'MemberMetadata',
    'Metadata',
    'TargetAssignmentMember',
    'TargetAssignmentMetadata',
    'CurrentMemberAssignment',
  ])
  assert.is(rig.group().stateName, 'Stable')
})

test('a member that subscribes to nothing is a member all the same', () => {
  const rig = new ConsumerRig({ foo: 6 })
  const answer = rig.heartbeat('a', 0, { topics: [] })
  assert.is(answer.memberEpoch, 1)
  assert.equal(answer.assignment, { topicPartitions: [] })
  assert.equal(names(rig), ['MemberMetadata', 'CurrentMemberAssignment'])
  assert.is(rig.reload().group().epoch, 1)
})

test('a member that subscribes to a topic that does not exist waits for it', () => {
  const rig = new ConsumerRig()
  assert.equal(assignedBy(rig.heartbeat('a', 0)), {})
  rig.createTopics({ foo: 2 })
  const answer = rig.heartbeat('a', 2)
  assert.equal(assignedBy(answer), { foo: [0, 1] })
  assert.is(answer.memberEpoch, 3)
})

test('a partition goes to its new owner only when the former one has let go of it', () => {
  const rig = new ConsumerRig({ foo: 6 })
  rig.heartbeat('a', 0)
  assert.equal(assignedBy(rig.heartbeat('b', 0)), {}, 'all is still with a')
  assert.is(rig.group().stateName, 'Reconciling')
  const told = rig.heartbeat('a', 2)
  assert.is(told.memberEpoch, 2, 'a stays in its epoch')
  assert.equal(assignedBy(told), { foo: [0, 1, 2] })
  assert.is(rig.heartbeat('b', 3).assignment, null)
  assert.is(rig.heartbeat('a', 2).assignment, null, 'a has not said what it owns')
  assert.is(rig.heartbeat('b', 3).assignment, null)
  assert.is(rig.heartbeat('a', 2, { owned: { foo: [0, 1, 2] } }).memberEpoch, 3)
  assert.equal(assignedBy(rig.heartbeat('b', 3)), { foo: [3, 4, 5] })
  assert.is(rig.group().stateName, 'Stable')
})

test('a heartbeat that says nothing new writes nothing and is told nothing', () => {
  const rig = twoMembers()
  for (const member of ['a', 'b']) {
    assert.is(rig.heartbeat(member, 3).assignment, null)
    assert.equal(rig.written, [])
  }
})

test('a member that says everything is told everything', () => {
  const rig = twoMembers()
  const full = { rebalanceMs: 60_000, topics: ['foo'], owned: { foo: [0, 1, 2] } }
  assert.equal(assignedBy(rig.heartbeat('a', 3, full)), { foo: [0, 1, 2] })
  assert.equal(rig.written, [])
  assert.is(rig.heartbeat('a', 3, { ...full, rebalanceMs: -1 }).assignment, null)
})

test('a member is fenced with an epoch that is not its own', () => {
  const rig = twoMembers()
  assert.is(
    codeOf(() => rig.heartbeat('a', 4)),
    ErrorCode.FENCED_MEMBER_EPOCH,
  )
  assert.is(
    codeOf(() => rig.heartbeat('a', 1, { owned: {} })),
    ErrorCode.FENCED_MEMBER_EPOCH,
  )
  assert.is(
    codeOf(() => rig.heartbeat('c', 3)),
    ErrorCode.UNKNOWN_MEMBER_ID,
  )
})

test('a member one epoch behind goes on when it owns no more than it may: the answer was lost', () => {
  const rig = twoMembers()
  assert.is(
    codeOf(() => rig.heartbeat('a', 2)),
    ErrorCode.FENCED_MEMBER_EPOCH,
    'it does not say what it owns',
  )
  assert.is(
    codeOf(() => rig.heartbeat('a', 2, { owned: { foo: [0, 5] } })),
    ErrorCode.FENCED_MEMBER_EPOCH,
  )
  assert.is(
    codeOf(() => rig.heartbeat('a', 2, { owned: { bar: [0] } })),
    ErrorCode.FENCED_MEMBER_EPOCH,
  )
  assert.is(rig.heartbeat('a', 2, { owned: { foo: [0, 1] } }).memberEpoch, 3)
})

test('a member that joins again with its id keeps its place', () => {
  const rig = twoMembers()
  const answer = rig.heartbeat('a', 0)
  assert.equal([answer.memberEpoch, assignedBy(answer)], [3, { foo: [0, 1, 2] }])
  assert.equal(rig.written, [])
})

test('a member that leaves is gone with all its records, and others get what it owned', () => {
  const rig = twoMembers()
  assert.is(rig.heartbeat('a', -1).memberEpoch, -1)
  assert.equal(names(rig), ['CurrentMemberAssignment', 'TargetAssignmentMember', 'MemberMetadata', 'Metadata'])
  assert.ok(rig.written.slice(0, 3).every(record => record.value === null))
  assert.equal(rig.timers, ['session b'])
  assert.is(rig.group().stateName, 'Assigning')
  assert.equal(assignedBy(rig.heartbeat('b', 3)), { foo: [0, 1, 2, 3, 4, 5] })
})

test('the last member leaves an empty group behind', () => {
  const rig = twoMembers()
  rig.heartbeat('a', -1)
  rig.heartbeat('b', -1)
  assert.is(rig.group().stateName, 'Empty')
  assert.ok(rig.group().isEmpty)
  assert.is(rig.group().epoch, 5)
  assert.equal(rig.timers, [])
  assert.is(rig.reload().group().epoch, 5)
})

test('a group takes no more members than it may have', () => {
  const rig = new ConsumerRig({ foo: 6 }, { 'group.consumer.max.size': 1 })
  rig.heartbeat('a', 0)
  assert.is(
    codeOf(() => rig.heartbeat('b', 0)),
    ErrorCode.GROUP_MAX_SIZE_REACHED,
  )
  assert.is(
    codeOf(() => rig.heartbeat('', 0, { version: 0 })),
    ErrorCode.GROUP_MAX_SIZE_REACHED,
  )
  assert.is(rig.heartbeat('a', 2).errorCode, 0)
})

test('a subscription that changes moves the group on, and what it drops is taken away at once', () => {
  const rig = new ConsumerRig({ foo: 2, bar: 2 })
  rig.heartbeat('a', 0, { topics: ['foo', 'bar'] })
  const answer = rig.heartbeat('a', 2, { topics: ['bar'] })
  assert.equal([answer.memberEpoch, assignedBy(answer)], [2, { bar: [0, 1] }], 'it still has to give up foo')
  assert.is(rig.heartbeat('a', 2, { owned: { bar: [0, 1] } }).memberEpoch, 3)
})

test('a subscription in another order, or with names twice, is the same', () => {
  const rig = new ConsumerRig({ foo: 2, bar: 2 })
  rig.heartbeat('a', 0, { topics: ['foo', 'bar'] })
  rig.heartbeat('a', 2, { topics: ['bar', 'foo', 'bar'] })
  assert.equal(rig.written, [])
})

test('what a member says of itself is kept, and moves the group on only when it is the subscription', () => {
  const rig = twoMembers()
  rig.heartbeat('a', 3, { rack: 'rack-1', assignor: 'range', rebalanceMs: 1_000 })
  assert.equal(names(rig), ['MemberMetadata'])
  const { rackId, serverAssignor, rebalanceTimeoutMs } = rig.member('a')
  assert.equal([rackId, serverAssignor, rebalanceTimeoutMs], ['rack-1', 'range', 1_000])
  rig.heartbeat('a', 3)
  assert.equal(rig.written, [], 'what is left out stays')
})

test('the assignor that most members want is used, else the first of the broker', () => {
  const rig = new ConsumerRig({ foo: 4, bar: 2 })
  const range = { topics: ['foo', 'bar'], assignor: 'range' }
  rig.heartbeat('a', 0, range)
  assert.is(rig.group().preferredAssignor(), 'range')
  rig.heartbeat('b', 0, { ...range, assignor: 'uniform' })
  rig.heartbeat('c', 0, { ...range, assignor: 'uniform' })
  assert.is(rig.group().preferredAssignor(), 'uniform')
  rig.heartbeat('b', -1)
  assert.is(rig.group().preferredAssignor(), 'range', 'the first by name of equals')
})

test('a topic that grows is assigned anew at the next heartbeat', () => {
  const rig = new ConsumerRig({ foo: 2 })
  rig.heartbeat('a', 0)
  rig.growTopic('foo', 3)
  assert.equal(assignedBy(rig.heartbeat('a', 2)), { foo: [0, 1, 2] })
  rig.heartbeat('a', 3)
  assert.equal(rig.written, [])
})

test('a topic that is deleted is taken away, and given again when it is back', () => {
  const rig = new ConsumerRig({ foo: 2, bar: 1 })
  rig.heartbeat('a', 0, { topics: ['foo', 'bar'] })
  rig.deleteTopic('bar')
  assert.equal(assignedBy(rig.heartbeat('a', 2)), { foo: [0, 1] })
  assert.is(rig.heartbeat('a', 2, { owned: { foo: [0, 1] } }).memberEpoch, 3)
  rig.createTopics({ bar: 2 })
  assert.equal(assignedBy(rig.heartbeat('a', 3)), { bar: [0, 1], foo: [0, 1] })
})

test('a topic that nobody in the group reads changes nothing for it', () => {
  const rig = twoMembers()
  rig.createTopics({ other: 2 })
  rig.growTopic('other', 4)
  rig.heartbeat('a', 3)
  assert.equal(rig.written, [])
})

test('a look at topics that was not written is taken again', () => {
  const rig = new ConsumerRig({ foo: 2 })
  rig.heartbeat('a', 0)
  rig.growTopic('foo', 3)
  rig.held = true
  rig.heartbeat('a', 2)
  rig.refuse(ErrorCode.NOT_ENOUGH_REPLICAS)
  rig.held = false
  assert.is(rig.group().epoch, 2)
  assert.equal(assignedBy(rig.heartbeat('a', 2)), { foo: [0, 1, 2] })
})

test('between two assignments lies the interval, and the next heartbeat after it makes the new one', () => {
  const rig = new ConsumerRig({ foo: 6 }, { 'group.consumer.assignment.interval.ms': 1_000 })
  rig.heartbeat('a', 0)
  assert.is(rig.heartbeat('b', 0).memberEpoch, 2, 'b enters the epoch of the present target')
  assert.is(rig.group().stateName, 'Assigning')
  rig.heartbeat('c', 0)
  assert.equal([rig.group().epoch, rig.group().targetVersion.epoch], [4, 2])
  rig.advance(999)
  rig.heartbeat('a', 2)
  assert.equal(rig.written, [])
  rig.advance(1)
  const answer = rig.heartbeat('a', 2)
  assert.equal(rig.group().targetVersion, { epoch: 4, timestampMs: rig.nowMs })
  assert.equal(assignedBy(answer).foo!.length, 2)
})

test('a member that subscribes to nothing gets nothing of an assignment that was due when it joins', () => {
  const rig = new ConsumerRig({ foo: 6 }, { 'group.consumer.assignment.interval.ms': 1_000 })
  rig.heartbeat('a', 0)
  rig.heartbeat('b', 0)
  rig.advance(1_000)
  rig.heartbeat('c', 0, { topics: [] })
  assert.equal([...rig.group().targets.keys()].sort(), ['a', 'b', 'c'])
  assert.is(rig.group().targetOf('c').size, 0)
})

test('without an interval the assignment does not depend on the clock', () => {
  const rig = twoMembers()
  rig.nowMs -= 1_000_000
  rig.heartbeat('c', 0)
  assert.is(rig.group().targetVersion.epoch, 4)
})

test('a record of topics as older releases wrote it is deleted at the next look', () => {
  const rig = twoMembers()
  const value = { topics: [] }
  rig.run(() => ({
    records: [{ name: 'ConsumerGroupPartitionMetadata', key: { groupId: 'g' }, version: 0, value }],
    response: undefined,
  }))
  const loaded = rig.reload()
  assert.ok(loaded.group().hasTopicsRecord)
  loaded.heartbeat('a', 3)
  assert.equal(names(loaded), ['PartitionMetadata'])
  assert.not.ok(loaded.group().hasTopicsRecord)
  loaded.heartbeat('a', 3)
  assert.equal(loaded.written, [])
})

test('a group that was loaded looks at its topics, and goes on without a rebalance', () => {
  const rig = twoMembers().reload()
  assert.equal(rig.timers, ['session a', 'session b'])
  for (const member of ['a', 'b']) {
    assert.is(rig.heartbeat(member, 3).assignment, null)
    assert.equal(rig.written, [])
  }
})

test.run()
