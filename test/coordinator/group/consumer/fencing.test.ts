import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ErrorCode } from '../../../../src/protocol/error-codes.ts'
import { assignedBy, ConsumerRig, codeOf } from '../../../support/consumer-rig.ts'

const test = suite('fencing of consumers')

/** a has yet to give up half of foo for b. */
function revoking(): ConsumerRig {
  const rig = new ConsumerRig({ foo: 6 })
  rig.heartbeat('a', 0, { rebalanceMs: 10_000 })
  rig.heartbeat('b', 0)
  rig.heartbeat('a', 2)
  return rig
}

test('a member that is silent for its session is fenced', () => {
  const rig = new ConsumerRig({ foo: 6 })
  rig.heartbeat('a', 0)
  rig.advance(44_999)
  rig.heartbeat('a', 2)
  rig.advance(44_999)
  assert.ok(rig.group().hasMember('a'))
  rig.advance(1)
  assert.not.ok(rig.group().hasMember('a'))
  assert.is(rig.group().epoch, 3)
  assert.is(
    codeOf(() => rig.heartbeat('a', 2)),
    ErrorCode.UNKNOWN_MEMBER_ID,
  )
})

test('a member that does not give up its partitions in time is fenced, though it sends heartbeats', () => {
  const rig = revoking()
  assert.equal(rig.timers, ['rebalance a', 'session a', 'session b'])
  rig.advance(9_999)
  rig.heartbeat('a', 2)
  rig.advance(1)
  assert.not.ok(rig.group().hasMember('a'))
  assert.equal(assignedBy(rig.heartbeat('b', 3)), { foo: [0, 1, 2, 3, 4, 5] })
})

test('a member that gave up its partitions in time is not fenced', () => {
  const rig = revoking()
  rig.advance(5_000)
  rig.heartbeat('a', 2, { owned: { foo: [0, 1, 2] } })
  assert.equal(rig.timers, ['session a', 'session b'])
  rig.advance(10_000)
  assert.ok(rig.group().hasMember('a'))
})

test('a coordinator that was loaded gives every member a full session, and to those that give up partitions the time for it', () => {
  const rig = revoking()
  rig.advance(9_000)
  const loaded = rig.reload()
  assert.equal(loaded.timers, ['rebalance a', 'session a', 'session b'])
  loaded.advance(9_999)
  assert.ok(loaded.group().hasMember('a'))
  loaded.advance(1)
  assert.not.ok(loaded.group().hasMember('a'))
  loaded.advance(35_000)
  assert.ok(loaded.group().isEmpty)
})

test('a member whose leave could not be written keeps its session', () => {
  const rig = new ConsumerRig({ foo: 6 })
  rig.heartbeat('a', 0)
  rig.held = true
  rig.heartbeat('a', -1)
  assert.not.ok(rig.group().hasMember('a'))
  rig.refuse(ErrorCode.NOT_ENOUGH_REPLICAS)
  rig.held = false
  assert.ok(rig.group().hasMember('a'))
  assert.equal(rig.timers, ['session a'])
  rig.advance(45_000)
  assert.not.ok(rig.group().hasMember('a'))
})

test('a member that joins again before its leave is written keeps its new session', () => {
  const rig = new ConsumerRig({ foo: 6 })
  rig.heartbeat('a', 0)
  rig.held = true
  rig.heartbeat('a', -1)
  rig.heartbeat('a', 0)
  rig.held = false
  rig.commit()
  assert.ok(rig.group().hasMember('a'))
  assert.equal(rig.timers, ['session a'])
})

test('timers of a group that is no more do nothing', () => {
  const rig = new ConsumerRig({ foo: 6 })
  rig.heartbeat('a', 0)
  rig.run(() => ({ records: rig.group().tombstones(), response: undefined }))
  assert.is(rig.table.size, 0)
  rig.advance(100_000)
  assert.equal(rig.written, [])
})

test.run()
