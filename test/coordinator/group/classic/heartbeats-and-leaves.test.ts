import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ErrorCode } from '../../../../src/protocol/error-codes.ts'
import { ClassicRig } from '../../../support/classic-rig.ts'

const test = suite('heartbeats and leaves of classic groups')

test('a heartbeat is refused when its group, member or generation is not the present one', () => {
  const rig = new ClassicRig()
  assert.is(rig.heartbeat('m', 1), ErrorCode.UNKNOWN_MEMBER_ID)
  const { ids } = rig.stable(1)
  assert.is(rig.heartbeat('m', 1), ErrorCode.UNKNOWN_MEMBER_ID)
  assert.is(rig.heartbeat(ids[0]!, 0), ErrorCode.ILLEGAL_GENERATION)
  assert.is(rig.heartbeat(ids[0]!, 2), ErrorCode.ILLEGAL_GENERATION)
  assert.is(rig.heartbeat(ids[0]!, 1), 0)
  rig.leave(ids)
  assert.is(rig.heartbeat(ids[0]!, 2), ErrorCode.UNKNOWN_MEMBER_ID)
})

test('a heartbeat is taken from a member that waits for assignments, and refused while a rebalance waits for it', () => {
  const rig = new ClassicRig()
  const { memberId } = rig.enter()
  rig.advance(3_000)
  assert.is(rig.heartbeat(memberId, 1), 0)
  rig.sync(memberId, 1)
  rig.enter()
  assert.is(rig.heartbeat(memberId, 1), ErrorCode.REBALANCE_IN_PROGRESS)
})

test('heartbeats keep a member, also while a rebalance waits for it', () => {
  const rig = new ClassicRig()
  const { ids } = rig.stable(1)
  for (let at = 0; at < 5; at++) {
    rig.advance(9_999)
    assert.is(rig.heartbeat(ids[0]!, 1), 0)
  }
  rig.enter()
  for (let at = 0; at < 5; at++) {
    rig.advance(9_999)
    assert.is(rig.heartbeat(ids[0]!, 1), ErrorCode.REBALANCE_IN_PROGRESS)
  }
})

test('commits keep a member as heartbeats do, but for the time in which it waits for assignments', () => {
  const rig = new ClassicRig()
  const { ids } = rig.stable(1)
  rig.advance(9_999)
  rig.classic.memberCommitted('g', ids[0]!)
  rig.classic.memberCommitted('g', 'nobody')
  rig.classic.memberCommitted('none', ids[0]!)
  rig.advance(9_999)
  assert.ok(rig.group().hasMember(ids[0]!))
  rig.join({ memberId: ids[0]! })
  rig.advance(5_000)
  rig.classic.memberCommitted('g', ids[0]!)
  rig.advance(5_000)
  assert.not(rig.group().hasMember(ids[0]!))
})

test('a silent member is removed when its session is over, and the others rebalance', () => {
  const rig = new ClassicRig()
  const { ids } = rig.stable(2, index => ({ sessionMs: index === 0 ? 50_000 : 10_000 }))
  rig.advance(10_000)
  assert.not(rig.group().hasMember(ids[1]!))
  assert.is(rig.group().state, 'PreparingRebalance')
  assert.is(rig.join({ memberId: ids[0]!, sessionMs: 50_000 }).is.generationId, 2)
})

test('a rebalance ends when the session of the last that it waits for is over', () => {
  const rig = new ClassicRig()
  const { ids } = rig.stable(2)
  rig.advance(5_000)
  const again = rig.join({ memberId: ids[0]! })
  rig.advance(4_999)
  assert.is(again.answer, undefined)
  rig.advance(1)
  assert.is(again.is.generationId, 2)
  assert.is(again.is.members.length, 1)
})

test('a group is empty, in the log too, when the last member is silent', () => {
  const rig = new ClassicRig()
  rig.stable(1)
  rig.advance(10_000)
  assert.is(rig.group().state, 'Empty')
  assert.is(rig.group().committed.value?.members.length, 0)
  const { protocolType, leader, protocol, generation } = rig.group().committed.value!
  assert.equal(
    { protocolType, leader, protocol, generation },
    { protocolType: 'consumer', leader: null, protocol: null, generation: 2 },
  )
  assert.equal(rig.reload().hardState(), rig.hardState())
})

test('a group that can not write that it is empty comes back with its members when it is loaded', () => {
  const rig = new ClassicRig()
  const { ids } = rig.stable(1)
  rig.held = true
  rig.leave(ids)
  rig.refuse(ErrorCode.KAFKA_STORAGE_ERROR)
  assert.is(rig.group().state, 'Empty')
  const loaded = rig.reload()
  assert.equal(loaded.hardState(), rig.hardState())
  assert.ok(loaded.group().hasMember(ids[0]!))
  loaded.advance(10_000)
  assert.is(loaded.group().state, 'Empty')
})

test('a member that leaves makes the others rebalance', () => {
  const rig = new ClassicRig()
  const { ids } = rig.stable(2)
  const left = rig.leave([ids[1]!])
  assert.equal(left, { errorCode: 0, members: [{ memberId: ids[1], groupInstanceId: null, errorCode: 0 }] })
  assert.is(rig.group().state, 'PreparingRebalance')
  assert.is(rig.join({ memberId: ids[0]! }).is.generationId, 2)
})

test('before version 3 one member leaves and its code is that of the answer', () => {
  const rig = new ClassicRig()
  const { ids } = rig.stable(1)
  assert.equal(rig.leave(['m'], 2), { errorCode: ErrorCode.UNKNOWN_MEMBER_ID, members: [] })
  assert.equal(rig.leave(ids, 2), { errorCode: 0, members: [] })
  assert.is(rig.group().state, 'Empty')
})

test('every member of a batch has its own code', () => {
  const rig = new ClassicRig()
  const { ids } = rig.stable(3, index => (index === 0 ? {} : { instance: `i${index}` }))
  const pending = rig.join().is.memberId
  const left = rig.leave([
    { memberId: ids[0]! },
    { instance: 'i1' },
    { memberId: ids[0]!, instance: 'i2' },
    { instance: 'nobody' },
    { memberId: '' },
    { memberId: pending },
    { memberId: 'm' },
  ])
  assert.equal(
    left.members.map(({ errorCode }) => errorCode),
    [
      0,
      0,
      ErrorCode.FENCED_INSTANCE_ID,
      ErrorCode.UNKNOWN_MEMBER_ID,
      ErrorCode.UNKNOWN_MEMBER_ID,
      0,
      ErrorCode.UNKNOWN_MEMBER_ID,
    ],
  )
  assert.is(left.members[1]?.memberId, '')
  assert.is(left.members[1]?.groupInstanceId, 'i1')
  assert.is(rig.group().memberCount, 1)
  assert.is(rig.group().members.pendingJoin.size, 0)
})

test('nothing happens when nobody of a batch is a member', () => {
  const rig = new ClassicRig()
  rig.stable(1)
  assert.is(rig.leave(['m']).members[0]?.errorCode, ErrorCode.UNKNOWN_MEMBER_ID)
  assert.is(rig.group().state, 'Stable')
  assert.is(rig.leave(['m'], 5, 'none').members[0]?.errorCode, ErrorCode.UNKNOWN_MEMBER_ID)
  assert.is(rig.leave(['m'], 5, 'none').errorCode, 0)
})

test('a rebalance ends when the last that it waits for leaves, be it only an id that was given out', () => {
  const rig = new ClassicRig()
  const { ids } = rig.stable(2)
  const pending = rig.join().is.memberId
  const again = rig.join({ memberId: ids[0]! })
  rig.leave([ids[1]!])
  assert.is(again.answer, undefined)
  rig.leave([pending])
  assert.is(again.is.generationId, 2)
})

test('requests of a member that leaves are answered', () => {
  const rig = new ClassicRig()
  const { ids } = rig.stable(2)
  const join = rig.join({ memberId: ids[0]! })
  rig.leave([ids[0]!])
  assert.is(join.errorCode, ErrorCode.UNKNOWN_MEMBER_ID)
  assert.is(join.is.memberId, '')
  const other = new ClassicRig()
  other.enter()
  const { memberId } = other.enter()
  other.advance(6_000)
  const sync = other.sync(memberId, 1)
  other.leave([memberId])
  assert.is(sync.errorCode, ErrorCode.UNKNOWN_MEMBER_ID)
})

test.run()
