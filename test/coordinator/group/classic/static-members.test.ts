import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ErrorCode } from '../../../../src/protocol/error-codes.ts'
import { ClassicRig, protocol } from '../../../support/classic-rig.ts'

const test = suite('static members of classic groups')

const instances = ['leader', 'follower', 'third']
const stable = (rig: ClassicRig, count = 2) => rig.stable(count, index => ({ instance: instances[index]! }))

test('a static member is taken at once and gets an id of its instance id', () => {
  const rig = new ClassicRig()
  const joined = rig.join({ instance: 'i' })
  assert.is(joined.answer, undefined)
  rig.advance(3_000)
  assert.match(joined.is.memberId, /^i-[0-9a-f-]{36}$/)
  assert.equal(
    joined.is.members.map(member => member.groupInstanceId),
    ['i'],
  )
})

test('a static member that starts anew has its place under a new id without a rebalance', () => {
  const rig = new ClassicRig()
  const { ids } = stable(rig)
  const again = rig.join({ instance: 'follower' })
  assert.is(again.errorCode, 0)
  assert.is.not(again.is.memberId, ids[1])
  assert.is(again.is.generationId, 1)
  assert.is(again.is.leader, ids[0])
  assert.is(again.is.skipAssignment, false)
  assert.equal(again.is.members, [])
  assert.is(rig.group().state, 'Stable')
  assert.equal(rig.sync(again.is.memberId, 1, {}, { instance: 'follower' }).is.assignment, Uint8Array.of(1))
  assert.is(rig.heartbeat(ids[1]!, 1, 'follower'), ErrorCode.FENCED_INSTANCE_ID)
  assert.is(rig.heartbeat(ids[1]!, 1), ErrorCode.UNKNOWN_MEMBER_ID)
  const loaded = rig.reload()
  assert.equal(loaded.hardState(), rig.hardState())
  assert.ok(loaded.group().hasMember(again.is.memberId))
})

test('a static leader that starts anew leads on and need not assign when it speaks version 9', () => {
  const rig = new ClassicRig()
  const { ids } = stable(rig)
  const again = rig.join({ instance: 'leader', version: 9 })
  assert.is(again.is.leader, again.is.memberId)
  assert.is(again.is.skipAssignment, true)
  assert.equal(again.is.members.map(({ memberId }) => memberId).sort(), [again.is.memberId, ids[1]!].sort())
})

test('a static leader that starts anew does not learn that it leads when it speaks version 8', () => {
  const rig = new ClassicRig()
  const { ids } = stable(rig)
  const again = rig.join({ instance: 'leader', version: 8 })
  assert.is(again.is.leader, ids[0])
  assert.is(again.is.skipAssignment, false)
  assert.equal(again.is.members, [])
  assert.ok(rig.group().isLeader(again.is.memberId))
})

test('a static member that starts anew gets another id each time', () => {
  const rig = new ClassicRig()
  stable(rig)
  const ids = [1, 2, 3].map(() => rig.join({ instance: 'follower' }).is.memberId)
  assert.is(new Set(ids).size, 3)
  assert.is(rig.group().memberCount, 2)
})

test('the session of a new id runs with its own timeout, and the old one has none', () => {
  const rig = new ClassicRig()
  const { ids } = stable(rig, 1)
  rig.advance(9_000)
  const { memberId } = rig.join({ instance: 'leader', sessionMs: 20_000 }).is
  assert.is(rig.timers.filter(timer => timer === 'session').length, 1)
  rig.advance(2_000)
  assert.ok(rig.group().hasMember(memberId))
  assert.not(rig.group().hasMember(ids[0]!))
})

test('the answer to a static member waits for the log', () => {
  const rig = new ClassicRig()
  stable(rig)
  rig.held = true
  const again = rig.join({ instance: 'follower' })
  assert.is(again.answer, undefined)
  rig.commit()
  assert.is(again.errorCode, 0)
})

test('a static member has its old id back when the new one can not be written', () => {
  const rig = new ClassicRig()
  const { ids } = stable(rig)
  rig.held = true
  const again = rig.join({ instance: 'leader', protocols: [protocol('range', 9)], sessionMs: 20_000 })
  rig.refuse(ErrorCode.MESSAGE_TOO_LARGE)
  assert.is(again.errorCode, ErrorCode.UNKNOWN_SERVER_ERROR)
  assert.is(again.is.memberId, '')
  assert.is(again.is.leader, ids[0])
  assert.is(again.is.generationId, 1)
  rig.held = false
  assert.ok(rig.group().isLeader(ids[0]!))
  assert.is(rig.group().members.get(ids[0]!)?.sessionTimeoutMs, 10_000)
  assert.equal(rig.group().members.get(ids[0]!)?.metadata('range'), new Uint8Array(0))
  assert.is(rig.heartbeat(ids[0]!, 1, 'leader'), 0)
  assert.is(rig.group().members.awaitingJoin, 0)
  assert.equal(rig.reload().hardState(), rig.hardState())
})

test('a static member that starts anew twice before the log answers is told once each time', () => {
  const rig = new ClassicRig()
  stable(rig)
  rig.held = true
  const first = rig.join({ instance: 'follower' })
  const second = rig.join({ instance: 'follower' })
  assert.is(first.errorCode, ErrorCode.FENCED_INSTANCE_ID)
  rig.commit()
  assert.is(second.errorCode, 0)
  assert.equal(rig.reload().hardState(), rig.hardState())
})

test('a static member that has started anew twice has a place when the log refuses both', () => {
  const rig = new ClassicRig()
  stable(rig)
  rig.held = true
  const replies = [rig.join({ instance: 'follower' }), rig.join({ instance: 'follower' })]
  rig.refuse(ErrorCode.NOT_ENOUGH_REPLICAS)
  assert.equal(
    replies.map(({ errorCode }) => errorCode),
    [ErrorCode.FENCED_INSTANCE_ID, ErrorCode.COORDINATOR_NOT_AVAILABLE],
  )
  assert.is(rig.group().memberCount, 2)
  rig.held = false
  const third = rig.join({ instance: 'follower' })
  assert.is(third.errorCode, 0)
  assert.is(rig.group().members.idOfInstance('follower'), third.is.memberId)
  assert.equal(rig.reload().hardState(), rig.hardState())
})

test('a static member that starts anew while the log is slow is in the rebalance that begins meanwhile', () => {
  const rig = new ClassicRig()
  const { ids } = stable(rig)
  rig.held = true
  const again = rig.join({ instance: 'follower' })
  const leader = rig.join({ memberId: ids[0]!, instance: 'leader' })
  assert.is(again.is.generationId, 2)
  assert.is(leader.is.members.length, 2)
  rig.refuse(ErrorCode.KAFKA_STORAGE_ERROR)
  assert.ok(rig.group().hasMember(again.is.memberId))
  assert.is(rig.group().state, 'CompletingRebalance')
})

test('a stable group rebalances when a static member is back with protocols that change the choice', () => {
  const rig = new ClassicRig()
  const [a, b] = [protocol('a'), protocol('b')]
  const { ids } = rig.stable(2, index => ({ instance: instances[index]!, protocols: index === 0 ? [b, a] : [a, b] }))
  assert.is(rig.group().protocolName, 'a')
  const kept = rig.join({ instance: 'follower', protocols: [a, b] })
  assert.is(kept.errorCode, 0)
  const again = rig.join({ instance: 'follower', protocols: [b, a] })
  assert.is(again.answer, undefined)
  assert.is(rig.group().state, 'PreparingRebalance')
  rig.join({ memberId: ids[0]!, instance: 'leader', protocols: [b, a] })
  assert.is(again.is.protocolName, 'b')
  assert.is(again.is.generationId, 2)
})

test('a group that waits for assignments rebalances when a static member starts anew', () => {
  const rig = new ClassicRig()
  const leader = rig.join({ instance: 'leader' })
  const follower = rig.join({ instance: 'follower' })
  rig.advance(6_000)
  const waiting = rig.sync(follower.is.memberId, 1, {}, { instance: 'follower' })
  const again = rig.join({ instance: 'follower' })
  assert.is(waiting.errorCode, ErrorCode.FENCED_INSTANCE_ID)
  assert.is(again.answer, undefined)
  assert.is(rig.group().state, 'PreparingRebalance')
  const led = rig.join({ memberId: leader.is.memberId, instance: 'leader' })
  assert.is(again.is.generationId, 2)
  assert.is(led.is.members.length, 2)
})

test('a join of a static member is fenced when another takes its instance id', () => {
  const rig = new ClassicRig()
  const { ids } = stable(rig)
  const follower = rig.join({ memberId: ids[1]!, instance: 'follower', protocols: [protocol('range', 1)] })
  assert.is(follower.answer, undefined)
  const double = rig.join({ instance: 'follower', protocols: [protocol('range', 1)] })
  assert.is(follower.errorCode, ErrorCode.FENCED_INSTANCE_ID)
  assert.is(follower.is.memberId, ids[1])
  assert.is(follower.is.protocolName, null)
  rig.join({ memberId: ids[0]!, instance: 'leader' })
  assert.is(double.is.generationId, 2)
  assert.is(rig.join({ memberId: ids[1]!, instance: 'follower' }).errorCode, ErrorCode.FENCED_INSTANCE_ID)
})

test('an instance id is fenced when it comes with the id of another member', () => {
  const rig = new ClassicRig()
  const { ids } = stable(rig)
  assert.is(rig.join({ memberId: ids[0]!, instance: 'follower' }).errorCode, ErrorCode.FENCED_INSTANCE_ID)
  assert.is(rig.join({ memberId: ids[0]!, instance: 'nobody' }).errorCode, ErrorCode.UNKNOWN_MEMBER_ID)
  assert.is(rig.sync(ids[0]!, 1, {}, { instance: 'follower' }).errorCode, ErrorCode.FENCED_INSTANCE_ID)
  assert.is(rig.heartbeat(ids[0]!, 1, 'follower'), ErrorCode.FENCED_INSTANCE_ID)
})

test('a static follower with its id and nothing new hears of the present generation', () => {
  const rig = new ClassicRig()
  const { ids } = stable(rig)
  const again = rig.join({ memberId: ids[1]!, instance: 'follower' })
  assert.is(again.is.generationId, 1)
  assert.is(rig.group().state, 'Stable')
})

test('a static member that does not join a rebalance is in the next generation, until it has not synced either', () => {
  const rig = new ClassicRig()
  const { ids } = rig.stable(2, index => ({ instance: instances[index]!, sessionMs: 100_000 }))
  const leader = rig.join({ memberId: ids[0]!, instance: 'leader', sessionMs: 100_000 })
  rig.advance(60_000)
  assert.is(leader.is.generationId, 2)
  assert.is(leader.is.members.length, 2)
  rig.sync(ids[0]!, 2, {}, { instance: 'leader' })
  assert.is(rig.group().state, 'Stable')
  rig.advance(59_999)
  assert.ok(rig.group().hasMember(ids[1]!))
  rig.advance(1)
  assert.not(rig.group().hasMember(ids[1]!))
})

test('a joined member leads when a static leader does not join in time', () => {
  const rig = new ClassicRig()
  const { ids } = rig.stable(2, index => ({ instance: instances[index]!, sessionMs: 100_000 }))
  const news = [protocol('range', 1)]
  const follower = rig.join({ memberId: ids[1]!, instance: 'follower', protocols: news, sessionMs: 100_000 })
  rig.advance(60_000)
  assert.is(follower.is.leader, ids[1])
  assert.is(follower.is.members.length, 2)
  assert.ok(rig.group().hasMember(ids[0]!))
})

test('a rebalance goes on waiting when none but silent static members are left', () => {
  const rig = new ClassicRig()
  rig.stable(2, index => ({ instance: instances[index]!, sessionMs: 200_000 }))
  rig.leave([{ instance: 'leader' }])
  rig.advance(60_000)
  assert.is(rig.group().state, 'PreparingRebalance')
  assert.is(rig.group().memberCount, 1)
  assert.ok(rig.timers.includes('join'))
  const again = rig.join({ instance: 'follower' })
  assert.is(again.is.generationId, 2)
})

test('a full group takes a static member that starts anew only while it waits for members', () => {
  const rig = new ClassicRig()
  rig.config['group.max.size'] = 2
  const { ids } = stable(rig)
  assert.is(rig.join({ instance: 'third' }).errorCode, ErrorCode.GROUP_MAX_SIZE_REACHED)
  // As Kafka: without its id it is not known to be a member.
  assert.is(rig.join({ instance: 'follower' }).errorCode, ErrorCode.GROUP_MAX_SIZE_REACHED)
  assert.is(rig.join({ memberId: ids[1]!, instance: 'follower' }).errorCode, 0)
})

test.run()
