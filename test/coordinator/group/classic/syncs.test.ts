import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ErrorCode } from '../../../../src/protocol/error-codes.ts'
import { ClassicRig } from '../../../support/classic-rig.ts'

const test = suite('syncs of classic groups')

/** A group of that many members who are told their generation and have not synced. */
const joined = (rig: ClassicRig, count = 2, sessionMs = 100_000) => {
  const ids = Array.from({ length: count }, () => rig.enter({ sessionMs }).memberId)
  rig.advance(6_000)
  assert.is(rig.group().state, 'CompletingRebalance')
  return ids as [string, string, ...string[]]
}

test('followers who sync first get their assignments when the leader has handed them in', () => {
  const rig = new ClassicRig()
  const [leader, follower] = joined(rig)
  const second = rig.sync(follower, 1)
  assert.is(second.answer, undefined)
  const first = rig.sync(leader, 1, { [leader]: Uint8Array.of(1), [follower]: Uint8Array.of(2) })
  assert.equal(first.is, {
    errorCode: 0,
    protocolType: 'consumer',
    protocolName: 'range',
    assignment: Uint8Array.of(1),
  })
  assert.equal(second.is.assignment, Uint8Array.of(2))
  assert.is(rig.group().state, 'Stable')
})

test('followers who sync later get their assignments at once', () => {
  const rig = new ClassicRig()
  const [leader, follower] = joined(rig)
  rig.sync(leader, 1, { [follower]: Uint8Array.of(2) })
  assert.equal(rig.sync(follower, 1).is.assignment, Uint8Array.of(2))
})

test('a member that the leader leaves out gets nothing, and who is no member is passed over', () => {
  const rig = new ClassicRig()
  const [leader, follower] = joined(rig)
  const first = rig.sync(leader, 1, { [follower]: Uint8Array.of(2), stranger: Uint8Array.of(3) })
  assert.equal(first.is.assignment, new Uint8Array(0))
  const { members } = rig.group().committed.value!
  assert.equal(
    members.map(({ memberId, assignment }) => [memberId, assignment.length]),
    [
      [leader, 0],
      [follower, 1],
    ],
  )
})

test('the assignments are in the log before anybody has them', () => {
  const rig = new ClassicRig()
  const [leader, follower] = joined(rig)
  rig.held = true
  const replies = [rig.sync(follower, 1), rig.sync(leader, 1, { [leader]: Uint8Array.of(1) })]
  assert.is(rig.group().state, 'CompletingRebalance')
  assert.ok(replies.every(({ answer }) => answer === undefined))
  rig.commit()
  assert.ok(replies.every(({ errorCode }) => errorCode === 0))
  const loaded = rig.reload()
  assert.is(loaded.group().state, 'Stable')
  assert.is(loaded.group().generationId, 1)
  assert.is(loaded.group().leaderId, leader)
  assert.equal(loaded.group().members.get(leader)?.assignment, Uint8Array.of(1))
  assert.equal(loaded.hardState(), rig.hardState())
})

test('everybody is told and has to join again when the assignments can not be written', () => {
  const rig = new ClassicRig()
  const [leader, follower] = joined(rig)
  rig.held = true
  const replies = [rig.sync(follower, 1), rig.sync(leader, 1, { [leader]: Uint8Array.of(1) })]
  rig.refuse(ErrorCode.NOT_LEADER_OR_FOLLOWER)
  for (const reply of replies) {
    assert.is(reply.errorCode, ErrorCode.NOT_COORDINATOR)
    assert.equal(reply.is.assignment, new Uint8Array(0))
    assert.is(reply.is.protocolName, null)
  }
  assert.is(rig.group().state, 'PreparingRebalance')
  assert.is(rig.group().committed.value?.generation, 0)
  rig.held = false
  const again = [leader, follower].map(memberId => rig.join({ memberId }))
  for (const { is } of again) assert.is(is.generationId, 2)
})

test('a leader that repeats itself is answered once for all, and the log has one generation', () => {
  const rig = new ClassicRig()
  const [leader] = joined(rig)
  rig.held = true
  const first = rig.sync(leader, 1, { [leader]: Uint8Array.of(1) })
  const second = rig.sync(leader, 1, { [leader]: Uint8Array.of(2) })
  assert.is(first.errorCode, ErrorCode.REBALANCE_IN_PROGRESS)
  const before = rig.log.length
  rig.commit()
  assert.equal(second.is.assignment, Uint8Array.of(1))
  assert.is(rig.log.length, before + 1)
})

test('assignments of a generation that is over meanwhile reach nobody', () => {
  const rig = new ClassicRig()
  const [leader, follower] = joined(rig)
  rig.held = true
  const first = rig.sync(leader, 1, { [leader]: Uint8Array.of(1) })
  rig.leave([follower])
  assert.is(first.errorCode, ErrorCode.REBALANCE_IN_PROGRESS)
  const again = rig.join({ memberId: leader })
  assert.is(again.is.generationId, 2)
  const second = rig.sync(leader, 2, { [leader]: Uint8Array.of(2) })
  rig.commit()
  assert.equal(second.is.assignment, Uint8Array.of(2))
  assert.equal(rig.reload().hardState(), rig.hardState())
})

test('a sync is refused when its group, member, generation or protocol is not the present one', () => {
  const rig = new ClassicRig()
  assert.is(rig.sync('m', 1).errorCode, ErrorCode.UNKNOWN_MEMBER_ID)
  const [leader] = joined(rig)
  assert.is(rig.sync('m', 1).errorCode, ErrorCode.UNKNOWN_MEMBER_ID)
  assert.is(rig.sync(leader, 0).errorCode, ErrorCode.ILLEGAL_GENERATION)
  assert.is(rig.sync(leader, 1, {}, { type: 'connect' }).errorCode, ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
  assert.is(rig.sync(leader, 1, {}, { name: 'sticky' }).errorCode, ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
  assert.is(rig.sync(leader, 1, {}, { type: null }).errorCode, ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
  assert.is(rig.sync(leader, 1, {}, { name: null }).errorCode, ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
  assert.is(rig.sync(leader, 1, {}, { type: null, name: null, version: 4 }).errorCode, 0)
})

test('a sync is refused when the group is empty or rebalances', () => {
  const rig = new ClassicRig()
  const { ids } = rig.stable(1)
  rig.enter()
  assert.is(rig.sync(ids[0]!, 1).errorCode, ErrorCode.REBALANCE_IN_PROGRESS)
  const other = new ClassicRig()
  const { ids: left } = other.stable(1)
  other.leave(left)
  assert.is(other.group().state, 'Empty')
  assert.is(other.sync(left[0]!, 2).errorCode, ErrorCode.UNKNOWN_MEMBER_ID)
})

test('a follower that waits is told to join again when the leader is lost', () => {
  const rig = new ClassicRig()
  const [leader, follower] = joined(rig)
  const waiting = rig.sync(follower, 1)
  rig.leave([leader])
  assert.is(waiting.errorCode, ErrorCode.REBALANCE_IN_PROGRESS)
  assert.is(rig.join({ memberId: follower }).is.leader, follower)
})

test('members who never sync are removed after the rebalance timeout', () => {
  const rig = new ClassicRig()
  const [leader, follower, third] = joined(rig, 3)
  rig.sync(leader, 1)
  rig.sync(third!, 1)
  rig.advance(59_999)
  assert.is(rig.group().state, 'Stable')
  rig.advance(1)
  assert.not(rig.group().hasMember(follower))
  assert.is(rig.group().state, 'PreparingRebalance')
  assert.is(rig.heartbeat(third!, 1), ErrorCode.REBALANCE_IN_PROGRESS)
})

test('followers who wait go on without a leader that never syncs', () => {
  const rig = new ClassicRig()
  const [leader, follower] = joined(rig)
  const waiting = rig.sync(follower, 1)
  rig.advance(60_000)
  assert.is(waiting.errorCode, ErrorCode.REBALANCE_IN_PROGRESS)
  assert.not(rig.group().hasMember(leader))
  assert.is(rig.join({ memberId: follower }).is.leader, follower)
})

test('a group whose only member never syncs is empty, in the log too', () => {
  const rig = new ClassicRig()
  joined(rig, 1)
  rig.advance(60_000)
  assert.is(rig.group().state, 'Empty')
  assert.is(rig.group().generationId, 2)
  assert.is(rig.group().committed.value?.generation, 2)
  assert.equal(rig.reload().hardState(), rig.hardState())
})

test('nobody is removed for silence when all have synced', () => {
  const rig = new ClassicRig()
  const ids = joined(rig, 3)
  for (const id of ids) rig.sync(id, 1)
  assert.not(rig.timers.includes('sync'))
  rig.advance(80_000)
  assert.is(rig.group().memberCount, 3)
})

test('the session of a member that waits for its assignment begins when it has it', () => {
  const rig = new ClassicRig()
  const [leader, follower] = joined(rig, 2, 10_000)
  rig.sync(follower, 1)
  for (let at = 0; at < 4; at++) {
    rig.advance(5_000)
    rig.heartbeat(leader, 1)
  }
  rig.sync(leader, 1)
  rig.advance(5_000)
  rig.heartbeat(leader, 1)
  rig.advance(4_999)
  assert.ok(rig.group().hasMember(follower))
  rig.advance(1)
  assert.not(rig.group().hasMember(follower))
})

test.run()
