import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ErrorCode } from '../../../../src/protocol/error-codes.ts'
import { ClassicRig, protocol } from '../../../support/classic-rig.ts'

const test = suite('joins of classic groups')

const NEW_MEMBER_TIMEOUT_MS = 300_000

// Ids, and the round that they take.

test('a new member gets an id of its client id and a uuid and is told to come back when it speaks version 4', () => {
  const rig = new ClassicRig()
  const first = rig.join({ version: 4, clientId: 'app' })
  assert.is(first.errorCode, ErrorCode.MEMBER_ID_REQUIRED)
  assert.match(first.is.memberId, /^app-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  assert.is(rig.group().memberCount, 0)
  assert.is(rig.group().state, 'Empty')
  const second = rig.join({ version: 4, memberId: first.is.memberId })
  assert.is(second.answer, undefined)
  rig.advance(3_000)
  assert.is(second.errorCode, 0)
  assert.is(second.is.generationId, 1)
})

test('a new member is taken at once when it speaks version 3', () => {
  const rig = new ClassicRig()
  const joined = rig.join({ version: 3 })
  assert.is(joined.answer, undefined)
  rig.advance(3_000)
  assert.is(joined.is.leader, joined.is.memberId)
  assert.is(joined.is.generationId, 1)
})

test('a member id stays within what strings hold when the client id is as long as they can be', () => {
  const rig = new ClassicRig()
  const first = rig.join({ clientId: 'x'.repeat(32_767) })
  assert.is(first.errorCode, ErrorCode.MEMBER_ID_REQUIRED)
  assert.ok(first.is.memberId.length < 10_000)
})

test('an id that nobody has brought back is forgotten when the session is over', () => {
  const rig = new ClassicRig()
  const { memberId } = rig.join({ sessionMs: 6_000 }).is
  rig.advance(5_999)
  assert.is(rig.group().members.pendingJoin.size, 1)
  rig.advance(1)
  assert.is(rig.group().members.pendingJoin.size, 0)
  assert.is(rig.join({ memberId }).errorCode, ErrorCode.UNKNOWN_MEMBER_ID)
})

test('an unknown id is refused when there is no group, and none is made', () => {
  const rig = new ClassicRig()
  const joined = rig.join({ memberId: 'm' })
  assert.is(joined.errorCode, ErrorCode.UNKNOWN_MEMBER_ID)
  assert.is(joined.is.memberId, 'm')
  assert.is(rig.table.size, 0)
  assert.is(rig.log.length, 0)
})

test('an unknown id is refused with no protocol when there is a group', () => {
  const rig = new ClassicRig()
  rig.stable(1)
  const joined = rig.join({ memberId: 'm' })
  assert.is(joined.errorCode, ErrorCode.UNKNOWN_MEMBER_ID)
  assert.is(joined.is.protocolName, null)
  assert.is(rig.join({ memberId: 'm', version: 6 }).is.protocolName, '')
})

test('a pending id is refused as Kafka does when it comes back with an instance id', () => {
  const rig = new ClassicRig()
  const { memberId } = rig.join().is
  assert.is(rig.join({ memberId, instance: 'i' }).errorCode, ErrorCode.UNKNOWN_SERVER_ERROR)
})

// What is refused.

test('a session timeout is refused when it is out of bounds', () => {
  const rig = new ClassicRig()
  for (const sessionMs of [5_999, 1_800_001, -1]) {
    const joined = rig.join({ sessionMs, memberId: 'm' })
    assert.is(joined.errorCode, ErrorCode.INVALID_SESSION_TIMEOUT)
    assert.is(joined.is.memberId, 'm')
  }
  assert.is(rig.join({ sessionMs: 6_000 }).errorCode, ErrorCode.MEMBER_ID_REQUIRED)
  assert.is(rig.join({ sessionMs: 1_800_000 }).errorCode, ErrorCode.MEMBER_ID_REQUIRED)
})

test('a join is refused and makes no group when its protocol type or its protocols are empty', () => {
  const rig = new ClassicRig()
  assert.is(rig.join({ type: '' }).errorCode, ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
  assert.is(rig.join({ protocols: [] }).errorCode, ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
  assert.is(rig.table.size, 0)
})

test('a join is refused when the group has another protocol type or no protocol in common', () => {
  const rig = new ClassicRig()
  const { ids } = rig.stable(1)
  assert.is(rig.join({ type: 'connect' }).errorCode, ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
  assert.is(rig.join({ protocols: [protocol('sticky')] }).errorCode, ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
  const again = rig.join({ memberId: ids[0]!, protocols: [protocol('sticky')] })
  assert.is(again.errorCode, ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
  assert.is(again.is.memberId, ids[0])
  assert.is(again.is.protocolType, undefined)
})

test('a group takes another protocol type when its members have left', () => {
  const rig = new ClassicRig()
  const { ids } = rig.stable(1)
  rig.leave(ids)
  rig.enter({ type: 'connect', protocols: [protocol('default')] })
  rig.advance(3_000)
  assert.is(rig.group().protocolType, 'connect')
})

// The first generation.

test('the first generation begins after the initial delay', () => {
  const rig = new ClassicRig()
  const { joined } = rig.enter()
  rig.advance(2_999)
  assert.is(joined.answer, undefined)
  assert.is(rig.group().state, 'PreparingRebalance')
  rig.advance(1)
  assert.is(joined.is.generationId, 1)
  assert.is(rig.group().state, 'CompletingRebalance')
})

test('the initial delay begins again as members come, up to the rebalance timeout', () => {
  const rig = new ClassicRig()
  const replies = [rig.enter({ rebalanceMs: 7_000 }).joined]
  for (let round = 0; round < 2; round++) {
    rig.advance(2_000)
    replies.push(rig.enter({ rebalanceMs: 7_000 }).joined)
    rig.advance(1_000)
    assert.is(replies[0]!.answer, undefined)
  }
  rig.advance(999)
  assert.is(replies[0]!.answer, undefined)
  rig.advance(1)
  assert.ok(replies.every(reply => reply.is.generationId === 1))
})

test('the initial delay is not longer for members who came to an earlier one', () => {
  const rig = new ClassicRig()
  const first = rig.enter({ rebalanceMs: 3_000 }).memberId
  const second = rig.enter({ rebalanceMs: 3_000 }).memberId
  rig.advance(3_000)
  rig.leave([first, second])
  assert.is(rig.group().state, 'Empty')
  const { joined } = rig.enter()
  rig.advance(3_000)
  assert.is(joined.errorCode, 0)
})

test('the leader is the first member and hears of all, the others of none', () => {
  const rig = new ClassicRig()
  const first = rig.enter({ protocols: [protocol('range', 1)] })
  const second = rig.enter({ protocols: [protocol('range', 2)] })
  rig.advance(6_000)
  assert.is(first.joined.is.leader, first.memberId)
  assert.is(second.joined.is.leader, first.memberId)
  assert.equal(
    first.joined.is.members.map(({ memberId, metadata }) => [memberId, [...metadata]]),
    [
      [first.memberId, [1]],
      [second.memberId, [2]],
    ],
  )
  assert.equal(second.joined.is.members, [])
  assert.is(first.joined.is.protocolType, 'consumer')
  assert.is(first.joined.is.protocolName, 'range')
})

test('a group without a rebalance timeout waits as long as the session when it speaks version 0', () => {
  const rig = new ClassicRig()
  rig.join({ version: 0, sessionMs: 8_000, rebalanceMs: -1 })
  assert.is(rig.group().members.rebalanceTimeoutMs, 8_000)
})

test('a group whose first member leaves while it waits for more is empty afterwards, and says so in the log', () => {
  const rig = new ClassicRig()
  const { memberId, joined } = rig.enter()
  rig.leave([memberId])
  assert.is(joined.errorCode, ErrorCode.UNKNOWN_MEMBER_ID)
  assert.is(rig.group().state, 'PreparingRebalance')
  rig.advance(3_000)
  assert.is(rig.group().state, 'Empty')
  assert.is(rig.group().generationId, 1)
  assert.equal(rig.reload().hardState(), rig.hardState())
})

// Later generations.

test('members who vote get the protocol that all support and most prefer', () => {
  const rig = new ClassicRig()
  const [a, b, c] = [protocol('a'), protocol('b'), protocol('c')]
  const lists = [
    [a, b, c],
    [b, a],
    [c, b, a],
    [b, a, c],
  ]
  const { ids } = rig.stable(4, index => ({ protocols: lists[index]! }))
  assert.is(rig.group().protocolName, 'b')
  rig.leave([ids[0]!])
  assert.is(rig.group().state, 'PreparingRebalance')
})

test('of the most voted protocols the first by name is taken', () => {
  const lists = [
    [protocol('b'), protocol('a')],
    [protocol('a'), protocol('b')],
  ]
  for (const order of [lists, [...lists].reverse()]) {
    const rig = new ClassicRig()
    rig.stable(2, index => ({ protocols: order[index]! }))
    assert.is(rig.group().protocolName, 'a')
  }
})

test('a protocol that is named twice counts once', () => {
  const rig = new ClassicRig()
  rig.stable(1, () => ({ protocols: [protocol('range', 1), protocol('range', 2)] }))
  assert.is(rig.group().protocolName, 'range')
})

test('a new member makes a stable group rebalance, and who does not join in time is left behind', () => {
  const rig = new ClassicRig()
  const { ids } = rig.stable(2, () => ({ sessionMs: 100_000 }))
  const third = rig.enter({ sessionMs: 100_000 })
  assert.is(rig.heartbeat(ids[0]!, 1), ErrorCode.REBALANCE_IN_PROGRESS)
  const again = rig.join({ memberId: ids[0]!, sessionMs: 100_000 })
  rig.advance(59_999)
  assert.is(third.joined.answer, undefined)
  rig.advance(1)
  assert.is(third.joined.is.generationId, 2)
  assert.is(again.is.leader, ids[0])
  assert.is(again.is.members.length, 2)
  assert.not(rig.group().hasMember(ids[1]!))
  assert.is(rig.heartbeat(ids[1]!, 1), ErrorCode.UNKNOWN_MEMBER_ID)
})

test('a rebalance ends as soon as all members have joined', () => {
  const rig = new ClassicRig()
  const { ids } = rig.stable(2)
  const third = rig.enter()
  const replies = ids.map(memberId => rig.join({ memberId }))
  for (const { is } of [...replies, third.joined]) assert.is(is.generationId, 2)
})

test('a rebalance waits for an id that was given out when it may still come back', () => {
  const rig = new ClassicRig()
  const { ids } = rig.stable(1)
  const pending = rig.join({ sessionMs: 6_000 })
  const again = rig.join({ memberId: ids[0]! })
  assert.is(again.answer, undefined)
  rig.advance(6_000)
  assert.is(again.is.generationId, 2)
  assert.is(rig.join({ memberId: pending.is.memberId }).errorCode, ErrorCode.UNKNOWN_MEMBER_ID)
})

test('a joined member becomes the leader when the leader does not join again', () => {
  const rig = new ClassicRig()
  const { ids } = rig.stable(3, () => ({ sessionMs: 100_000 }))
  rig.leave([ids[2]!])
  const follower = rig.join({ memberId: ids[1]!, sessionMs: 100_000 })
  rig.advance(60_000)
  assert.is(follower.is.leader, ids[1])
  assert.is(follower.is.members.length, 1)
})

test('a follower that joins again with nothing new hears of the present generation', () => {
  const rig = new ClassicRig()
  const { ids } = rig.stable(2)
  const again = rig.join({ memberId: ids[1]! })
  assert.is(again.is.generationId, 1)
  assert.is(again.is.leader, ids[0])
  assert.equal(again.is.members, [])
  assert.is(rig.group().state, 'Stable')
})

test('a follower that joins again with other metadata makes a stable group rebalance', () => {
  const rig = new ClassicRig()
  const { ids } = rig.stable(2)
  const again = rig.join({ memberId: ids[1]!, protocols: [protocol('range', 9)] })
  assert.is(again.answer, undefined)
  assert.is(rig.group().state, 'PreparingRebalance')
})

test('the order of protocols is news', () => {
  const rig = new ClassicRig()
  const protocols = [protocol('a'), protocol('b')]
  const { ids } = rig.stable(2, () => ({ protocols }))
  assert.is(rig.join({ memberId: ids[1]!, protocols: [...protocols].reverse() }).answer, undefined)
})

test('the leader makes a stable group rebalance when it joins again with nothing new', () => {
  const rig = new ClassicRig()
  const { ids } = rig.stable(2)
  assert.is(rig.join({ memberId: ids[0]! }).answer, undefined)
  assert.is(rig.group().state, 'PreparingRebalance')
})

test('a member whose answer was lost hears it again while the generation waits for assignments', () => {
  const rig = new ClassicRig()
  const first = rig.enter()
  const second = rig.enter()
  rig.advance(6_000)
  const again = rig.join({ memberId: first.memberId })
  assert.equal(again.is, first.joined.is)
  assert.equal(rig.join({ memberId: second.memberId }).is, second.joined.is)
  assert.is(rig.group().state, 'CompletingRebalance')
  assert.is(rig.join({ memberId: second.memberId, protocols: [protocol('range', 1)] }).answer, undefined)
  assert.is(rig.group().state, 'PreparingRebalance')
})

test('a join that another of the same member replaces is answered', () => {
  const rig = new ClassicRig()
  const { memberId, joined } = rig.enter()
  const again = rig.join({ memberId })
  assert.is(joined.errorCode, ErrorCode.REBALANCE_IN_PROGRESS)
  rig.advance(3_000)
  assert.is(again.is.generationId, 1)
})

test('a new member is given up when its generation does not begin in five minutes', () => {
  const rig = new ClassicRig()
  const { ids } = rig.stable(1, () => ({ sessionMs: 1_000_000, rebalanceMs: 1_000_000 }))
  const second = rig.enter({ rebalanceMs: 1_000_000 })
  rig.advance(NEW_MEMBER_TIMEOUT_MS - 1)
  assert.is(second.joined.answer, undefined)
  rig.advance(1)
  assert.is(second.joined.errorCode, ErrorCode.UNKNOWN_MEMBER_ID)
  assert.is(second.joined.is.memberId, '')
  assert.is(rig.group().memberCount, 1)
  assert.ok(rig.group().hasMember(ids[0]!))
})

test('a member that waits for a generation keeps its place when its session is over', () => {
  const rig = new ClassicRig()
  const { ids } = rig.stable(2, index => ({ sessionMs: index === 0 ? 6_000 : 100_000, rebalanceMs: 60_000 }))
  const again = rig.join({ memberId: ids[0]!, sessionMs: 6_000 })
  rig.advance(59_999)
  assert.ok(rig.group().hasMember(ids[0]!))
  rig.advance(1)
  assert.is(again.is.generationId, 2)
})

// The largest size.

test('a member is refused when the group is full', () => {
  const rig = new ClassicRig()
  rig.config['group.max.size'] = 2
  rig.stable(2)
  const third = rig.join()
  assert.is(third.errorCode, ErrorCode.GROUP_MAX_SIZE_REACHED)
  assert.is(third.is.memberId, '')
  assert.is(rig.group().state, 'Stable')
})

test('ids are given out to more than have room while a group waits for its first members', () => {
  const rig = new ClassicRig()
  rig.config['group.max.size'] = 2
  const ids = Array.from({ length: 4 }, () => rig.join().is.memberId)
  const replies = ids.map(memberId => rig.join({ memberId }))
  assert.equal(
    replies.map(({ answer }) => answer?.errorCode),
    [undefined, undefined, ErrorCode.GROUP_MAX_SIZE_REACHED, ErrorCode.GROUP_MAX_SIZE_REACHED],
  )
  rig.advance(6_000)
  assert.is(rig.group().memberCount, 2)
})

test('members who already wait may ask again when the group is full', () => {
  const rig = new ClassicRig()
  rig.config['group.max.size'] = 2
  const first = rig.enter()
  rig.enter()
  const again = rig.join({ memberId: first.memberId })
  assert.is(again.answer, undefined)
})

test('the last to join lose their place when the limit was lowered', () => {
  const rig = new ClassicRig()
  const { ids } = rig.stable(3)
  rig.config['group.max.size'] = 2
  const replies = [rig.join({ memberId: ids[0]! }), rig.join({ memberId: ids[1]! })]
  const last = rig.join({ memberId: ids[2]! })
  assert.is(last.errorCode, ErrorCode.GROUP_MAX_SIZE_REACHED)
  assert.is(last.is.memberId, '')
  for (const reply of replies) assert.is(reply.is.generationId, 2)
})

// The log.

test('a new group is in the log before it has a generation', () => {
  const rig = new ClassicRig()
  rig.held = true
  const { memberId } = rig.join().is
  assert.is(rig.group().committed.value?.generation, 0)
  rig.commit()
  assert.is(rig.log.length, 1)
  rig.held = false
  rig.join({ memberId })
  const loaded = rig.reload()
  assert.is(loaded.group().state, 'Empty')
  assert.is(loaded.group().protocolType, '')
})

test('everybody in a new group is told when it can not be written', () => {
  const rig = new ClassicRig()
  rig.held = true
  const first = rig.join({ version: 3 })
  const second = rig.join({ version: 3 })
  assert.is(rig.join().errorCode, ErrorCode.MEMBER_ID_REQUIRED)
  rig.refuse(ErrorCode.NOT_ENOUGH_REPLICAS)
  assert.is(first.errorCode, ErrorCode.COORDINATOR_NOT_AVAILABLE)
  assert.is(second.errorCode, ErrorCode.COORDINATOR_NOT_AVAILABLE)
  assert.is(rig.table.size, 0)
  assert.equal(rig.timers, [])
  rig.held = false
  const third = rig.enter()
  rig.advance(3_000)
  assert.is(third.joined.is.generationId, 1)
})

test('who joins a group of offsets is told when those can not be written', () => {
  const rig = new ClassicRig()
  rig.held = true
  rig.run(() => ({ records: [], response: undefined }))
  rig.classic.createSimpleGroup('g')
  const joined = rig.join({ version: 3 })
  rig.refuse(ErrorCode.KAFKA_STORAGE_ERROR)
  assert.is(joined.errorCode, ErrorCode.NOT_COORDINATOR)
  assert.is(rig.table.size, 0)
})

test('failed appends are told to members as Kafka does', () => {
  const codes: [number, number][] = [
    [ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, ErrorCode.COORDINATOR_NOT_AVAILABLE],
    [ErrorCode.NOT_ENOUGH_REPLICAS, ErrorCode.COORDINATOR_NOT_AVAILABLE],
    [ErrorCode.REQUEST_TIMED_OUT, ErrorCode.COORDINATOR_NOT_AVAILABLE],
    [ErrorCode.NOT_LEADER_OR_FOLLOWER, ErrorCode.NOT_COORDINATOR],
    [ErrorCode.KAFKA_STORAGE_ERROR, ErrorCode.NOT_COORDINATOR],
    [ErrorCode.MESSAGE_TOO_LARGE, ErrorCode.UNKNOWN_SERVER_ERROR],
    [ErrorCode.RECORD_LIST_TOO_LARGE, ErrorCode.UNKNOWN_SERVER_ERROR],
    [ErrorCode.INVALID_FETCH_SIZE, ErrorCode.UNKNOWN_SERVER_ERROR],
    [ErrorCode.LEADER_NOT_AVAILABLE, ErrorCode.LEADER_NOT_AVAILABLE],
  ]
  for (const [failure, told] of codes) {
    const rig = new ClassicRig()
    rig.held = true
    const joined = rig.join({ version: 3 })
    rig.refuse(failure)
    assert.is(joined.errorCode, told)
  }
})

test('a group id may be long and hold any character', () => {
  const rig = new ClassicRig()
  for (const group of ['x'.repeat(32_767), 'a\u0000b\n', '-', '😀']) {
    const { joined, memberId } = rig.enter({ group })
    rig.advance(3_000)
    assert.is(joined.is.generationId, 1)
    rig.sync(memberId, 1, {}, { group })
    assert.is(rig.group(group).state, 'Stable')
  }
  assert.equal(Object.keys(rig.reload().hardState()).length, 4)
})

test.run()
