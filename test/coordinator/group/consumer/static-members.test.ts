import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ErrorCode } from '../../../../src/protocol/error-codes.ts'
import { assignedBy, ConsumerRig, codeOf } from '../../../support/consumer-rig.ts'

const test = suite('static members of consumer groups')

const one = { instance: 'one' }

/** Static members a and b with three partitions each, at epoch 3. */
function twoMembers(): ConsumerRig {
  const rig = new ConsumerRig({ foo: 6 })
  rig.heartbeat('a', 0, one)
  rig.heartbeat('b', 0, { instance: 'two' })
  rig.heartbeat('a', 2, one)
  rig.heartbeat('a', 2, { ...one, owned: { foo: [0, 1, 2] } })
  rig.heartbeat('b', 3, { instance: 'two' })
  assert.is(rig.group().stateName, 'Stable')
  return rig
}

test('a static member that has left for a while comes back under a new id and gets what it had, without a rebalance', () => {
  const rig = twoMembers()
  const left = rig.heartbeat('a', -2, one)
  assert.equal([left.memberId, left.memberEpoch], ['a', -2])
  assert.is(rig.written.length, 1)
  assert.is(rig.group().epoch, 3, 'nobody else notices')
  assert.is(rig.heartbeat('b', 3, { instance: 'two' }).assignment, null)

  const back = rig.heartbeat('c', 0, one)
  assert.equal([back.memberId, back.memberEpoch, assignedBy(back)], ['c', 3, { foo: [0, 1, 2] }])
  assert.is(rig.group().epoch, 3)
  assert.not.ok(rig.group().hasMember('a'))
  assert.is(rig.group().staticMember('one')?.memberId, 'c')
  assert.equal([...rig.group().targetOf('c').values()], [new Set([0, 1, 2])])
  assert.is(rig.group().stateName, 'Stable')
  assert.equal(rig.reload().hardState(), rig.hardState())
})

test('partitions of a member that is away were given before all epochs', () => {
  const rig = twoMembers()
  rig.heartbeat('a', -2, one)
  assert.equal(
    [...rig.member('a').assigned.values()].flatMap(epochs => [...epochs.values()]),
    [0, 0, 0],
  )
})

test('a static member that comes back with another subscription moves the group on', () => {
  const rig = twoMembers()
  rig.createTopics({ bar: 2 })
  rig.heartbeat('a', -2, one)
  const back = rig.heartbeat('c', 0, { ...one, topics: ['bar'] })
  assert.is(rig.group().epoch, 4)
  assert.equal(assignedBy(back), { bar: [0, 1] })
})

test('a static member that does not come back in time is fenced', () => {
  const rig = twoMembers()
  rig.heartbeat('a', -2, one)
  rig.advance(40_000)
  rig.heartbeat('b', 3, { instance: 'two' })
  rig.advance(5_000)
  assert.not.ok(rig.group().hasMember('a'))
  assert.equal(assignedBy(rig.heartbeat('b', 3, { instance: 'two' })), { foo: [0, 1, 2, 3, 4, 5] })
})

test('a static member that leaves for good is gone at once', () => {
  const rig = twoMembers()
  rig.heartbeat('a', -1, one)
  assert.not.ok(rig.group().hasMember('a'))
  assert.is(rig.group().staticMember('one'), undefined)
  assert.is(rig.group().epoch, 4)
})

test('an instance id is not given away while its member is there', () => {
  const rig = twoMembers()
  assert.is(
    codeOf(() => rig.heartbeat('c', 0, one)),
    ErrorCode.UNRELEASED_INSTANCE_ID,
  )
})

test('a member whose instance id another one has now is fenced', () => {
  const rig = twoMembers()
  rig.heartbeat('a', -2, one)
  rig.heartbeat('c', 0, one)
  assert.is(
    codeOf(() => rig.heartbeat('a', 3, one)),
    ErrorCode.FENCED_INSTANCE_ID,
  )
  assert.is(
    codeOf(() => rig.heartbeat('a', -1, one)),
    ErrorCode.FENCED_INSTANCE_ID,
  )
  assert.is(
    codeOf(() => rig.heartbeat('a', -2, one)),
    ErrorCode.FENCED_INSTANCE_ID,
  )
})

test('an instance id that nobody has is unknown', () => {
  const rig = twoMembers()
  const three = { instance: 'three' }
  assert.is(
    codeOf(() => rig.heartbeat('a', 3, three)),
    ErrorCode.UNKNOWN_MEMBER_ID,
  )
  assert.is(
    codeOf(() => rig.heartbeat('a', -1, three)),
    ErrorCode.UNKNOWN_MEMBER_ID,
  )
  assert.is(
    codeOf(() => rig.heartbeat('a', -2, three)),
    ErrorCode.UNKNOWN_MEMBER_ID,
  )
})

test('a static member with a wrong epoch is fenced like any other', () => {
  const rig = twoMembers()
  assert.is(
    codeOf(() => rig.heartbeat('a', 4, one)),
    ErrorCode.FENCED_MEMBER_EPOCH,
  )
})

test('a member that is away, and its timers, come back with the coordinator', () => {
  const rig = twoMembers()
  rig.heartbeat('a', -2, one)
  const loaded = rig.reload()
  assert.equal(loaded.hardState(), rig.hardState())
  const back = loaded.heartbeat('c', 0, one)
  assert.equal(assignedBy(back), { foo: [0, 1, 2] })
})

test.run()
