import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  decodeAssignment,
  encodeAssignment,
  encodeSubscription,
} from '../../../../src/coordinator/group/classic/consumer-protocol.ts'
import type { ClassicGroup } from '../../../../src/coordinator/group/classic/group.ts'
import { ErrorCode } from '../../../../src/protocol/error-codes.ts'
import type { ClassicJoinOptions } from '../../../support/consumer-rig.ts'
import { assignedBy, ConsumerRig, codeOf } from '../../../support/consumer-rig.ts'

const test = suite('members of both protocols')

type Owned = Record<string, readonly number[]>

const protocol = (topics: string[], owned: Owned = {}, name = 'range') => {
  const ownedPartitions = Object.entries(owned).map(([topic, partitions]) => ({ topic, partitions }))
  return { name, metadata: encodeSubscription(1, { topics, ownedPartitions }) }
}

const foo = (owned: Owned = {}): ClassicJoinOptions => ({ protocols: [protocol(['foo'], owned)] })

const assignment = (assigned: Owned): Uint8Array =>
  encodeAssignment(1, {
    assignedPartitions: Object.entries(assigned).map(([topic, partitions]) => ({ topic, partitions })),
  })

const decoded = (bytes: Uint8Array): Owned =>
  Object.fromEntries(decodeAssignment(bytes).assignedPartitions.map(({ topic, partitions }) => [topic, partitions]))

/** A stable classic group of members with these assignments. */
function classicGroup(rig: ConsumerRig, assignments: Uint8Array[]): string[] {
  const ids = assignments.map(() => rig.classicJoin('', foo()).answer!.memberId)
  const joins = ids.map(id => rig.classicJoin(id, foo()))
  rig.advance(10_000)
  const { generationId = -1 } = joins[0]!.answer!
  const all = Object.fromEntries(ids.map((id, index) => [id, assignments[index]!]))
  for (const id of ids) rig.classicSync(id, generationId, { assignments: id === ids[0] ? all : {} })
  assert.is(classicOf(rig).state, 'Stable')
  return ids
}

const classicOf = (rig: ConsumerRig): ClassicGroup => {
  const group = rig.table.get('g')
  assert.is(group?.kind, 'classic')
  return group as ClassicGroup
}

/** A consumer group of a, with the consumer protocol, and a member with the classic one; each has half of foo. */
function mixedGroup(policy = 'bidirectional'): { rig: ConsumerRig; classicId: string } {
  const rig = new ConsumerRig({ foo: 6 }, { 'group.consumer.migration.policy': policy })
  rig.heartbeat('a', 0, { instance: 'one' })
  const classicId = rig.classicJoin('', foo()).answer!.memberId
  rig.classicJoin(classicId, foo())
  rig.classicSync(classicId, 3)
  rig.heartbeat('a', 2, { instance: 'one' })
  rig.heartbeat('a', 2, { instance: 'one', owned: { foo: [0, 1, 2] } })
  assert.is(rig.classicHeartbeat(classicId, 3), ErrorCode.REBALANCE_IN_PROGRESS)
  rig.classicJoin(classicId, foo())
  assert.equal(decoded(rig.classicSync(classicId, 3).answer!.assignment), { foo: [3, 4, 5] })
  assert.is(rig.group().stateName, 'Stable')
  return { rig, classicId }
}

test('a classic group becomes a consumer group when a consumer joins, and its members keep what they have', () => {
  const rig = new ConsumerRig({ foo: 4 })
  const [first = '', second = ''] = classicGroup(rig, [assignment({ foo: [0, 1] }), assignment({ foo: [2, 3] })])
  const joined = rig.heartbeat('a', 0)
  assert.equal([joined.memberEpoch, assignedBy(joined)], [2, {}])
  const group = rig.group()
  assert.equal([group.epoch, group.memberCount, group.classicMemberCount], [2, 3, 2])
  const { memberEpoch, assigned, subscribedTopicNames } = rig.member(first)
  assert.equal([memberEpoch, [...[...assigned.values()][0]!.keys()], subscribedTopicNames], [1, [0, 1], ['foo']])
  assert.equal(rig.reload().hardState(), rig.hardState())

  assert.is(rig.classicHeartbeat(second, 1), ErrorCode.REBALANCE_IN_PROGRESS)
  rig.classicJoin(second, foo({ foo: [2, 3] }))
  rig.classicSync(second, 1)
  rig.classicHeartbeat(first, 1)
  for (const id of [first, second]) {
    const present = rig.member(id)
    const owned = [...present.assigned.values()].flatMap(epochs => [...epochs.keys()])
    rig.classicJoin(id, foo(owned.length === 0 ? {} : { foo: owned }))
  }
  assert.is(rig.group().targetVersion.epoch, 2)
})

test('who waits in a classic group that becomes a consumer group joins again', () => {
  const rig = new ConsumerRig({ foo: 4 })
  const [first = ''] = classicGroup(rig, [assignment({ foo: [0, 1, 2, 3] })])
  const newcomer = rig.classicJoin('', foo()).answer!.memberId
  const waiting = rig.classicJoin(newcomer, foo())
  assert.is(waiting.answer, undefined)
  rig.heartbeat('a', 0)
  assert.is(waiting.answer!.errorCode, ErrorCode.REBALANCE_IN_PROGRESS)
  assert.equal([...rig.group().members.keys()].sort(), ['a', first, newcomer].sort())
})

test('a silent member of the classic protocol is removed when its group became a consumer group meanwhile', () => {
  const rig = new ConsumerRig({ foo: 4 })
  const [silent = ''] = classicGroup(rig, [assignment({ foo: [0, 1, 2, 3] })])
  rig.heartbeat('a', 0)
  assert.ok(rig.group().hasMember(silent))
  rig.advance(10_000)
  assert.equal([...rig.group().members.keys()], ['a'])
})

test('a group that has no assignment yet gets one when a consumer only takes the place of a static member', () => {
  const rig = new ConsumerRig({ foo: 2 })
  rig.classicJoin('', { ...foo(), instance: 'one' })
  rig.advance(3_000)
  assert.is(classicOf(rig).state, 'CompletingRebalance')
  const joined = rig.heartbeat('a', 0, { instance: 'one' })
  assert.equal([joined.memberEpoch, assignedBy(joined)], [2, { foo: [0, 1] }])
})

test('a classic group stays one when the policy, its protocol, its size or its assignor says so', () => {
  const refused = (config: Record<string, string | number>, assigned = assignment({ foo: [0] })): number => {
    const rig = new ConsumerRig({ foo: 4 }, config)
    classicGroup(rig, [assigned])
    const code = codeOf(() => rig.heartbeat('a', 0))
    if (code !== 0) assert.is(classicOf(rig).state, 'Stable')
    return code
  }
  const policy = 'group.consumer.migration.policy'
  assert.is(refused({ [policy]: 'disabled' }), ErrorCode.GROUP_ID_NOT_FOUND)
  assert.is(refused({ [policy]: 'downgrade' }), ErrorCode.GROUP_ID_NOT_FOUND)
  assert.is(refused({ [policy]: 'upgrade' }), ErrorCode.NONE)
  assert.is(refused({ 'group.consumer.max.size': 0 }), ErrorCode.GROUP_ID_NOT_FOUND)
  assert.is(
    refused({}, encodeAssignment(1, { assignedPartitions: [], userData: Uint8Array.of(1) })),
    ErrorCode.GROUP_ID_NOT_FOUND,
  )
  assert.is(refused({}, Uint8Array.of(9)), ErrorCode.GROUP_ID_NOT_FOUND)
})

test('an empty classic group gives way whatever the policy', () => {
  const rig = new ConsumerRig({ foo: 4 }, { 'group.consumer.migration.policy': 'disabled' })
  const [first = ''] = classicGroup(rig, [assignment({ foo: [0] })])
  const members = [{ memberId: first, groupInstanceId: null, reason: null }]
  const origin = { apiVersion: 5, clientId: 'client', clientHost: '/127.0.0.1' }
  rig.run(() => rig.classic.leave(origin, { groupId: 'g', memberId: '', members }))
  rig.heartbeat('a', 0)
  assert.is(rig.written[0]?.name, 'GroupMetadata')
  assert.is(rig.group().memberCount, 1)
})

test('a classic group whose upgrade could not be written goes on', () => {
  const rig = new ConsumerRig({ foo: 4 })
  const [first = ''] = classicGroup(rig, [assignment({ foo: [0, 1, 2, 3] })])
  rig.held = true
  rig.heartbeat('a', 0)
  assert.is(rig.table.get('g')?.kind, 'consumer')
  rig.refuse(ErrorCode.NOT_ENOUGH_REPLICAS)
  rig.held = false
  assert.is(classicOf(rig).state, 'Stable')
  assert.is(rig.classicHeartbeat(first, 1), ErrorCode.NONE)
  rig.advance(10_000)
  assert.ok(classicOf(rig).isEmpty, 'its sessions go on')
})

test('a member with the classic protocol is a member of a consumer group, in its own rounds', () => {
  const { rig, classicId } = mixedGroup()
  assert.is(rig.classicHeartbeat(classicId, 3), ErrorCode.NONE)
  assert.equal(rig.timers, ['session a', `session ${classicId}`].sort())
  assert.is(rig.consumer.describe(rig.group()).members.find(({ memberId }) => memberId === classicId)?.memberType, 0)
  assert.equal(rig.reload().hardState(), rig.hardState())
})

test('a member with the classic protocol gives up partitions by joining without them', () => {
  const { rig, classicId } = mixedGroup()
  rig.heartbeat('b', 0)
  assert.is(rig.classicHeartbeat(classicId, 3), ErrorCode.REBALANCE_IN_PROGRESS)
  assert.ok(rig.timers.includes(`join ${classicId}`))
  rig.heartbeat('a', 3, { instance: 'one' })
  const joined = rig.classicJoin(classicId, foo({ foo: [3, 4, 5] })).answer!
  assert.equal([joined.errorCode, joined.generationId, joined.protocolName], [0, 3, 'range'])
  assert.not.ok(rig.timers.includes(`join ${classicId}`))
  const kept = decoded(rig.classicSync(classicId, 3).answer!.assignment)
  const again = rig.classicJoin(classicId, foo(kept)).answer!
  assert.is(again.generationId, 4)
})

test('a member with the classic protocol is fenced when it does not join, or does not sync, in time', () => {
  const joins = mixedGroup()
  joins.rig.heartbeat('b', 0)
  joins.rig.classicHeartbeat(joins.classicId, 3)
  for (let elapsed = 0; elapsed < 60_000; elapsed += 5_000) {
    joins.rig.classicHeartbeat(joins.classicId, 3)
    joins.rig.heartbeat('b', joins.rig.member('b').memberEpoch)
    joins.rig.advance(5_000)
  }
  assert.not.ok(joins.rig.group().hasMember(joins.classicId))

  const syncs = mixedGroup()
  syncs.rig.classicJoin(syncs.classicId, { ...foo({ foo: [3, 4, 5] }), sessionMs: 300_000, rebalanceMs: 20_000 })
  syncs.rig.advance(19_999)
  assert.ok(syncs.rig.group().hasMember(syncs.classicId))
  syncs.rig.advance(1)
  assert.not.ok(syncs.rig.group().hasMember(syncs.classicId))
})

test('requests of the classic protocol are checked against the member', () => {
  const { rig, classicId } = mixedGroup()
  assert.is(rig.classicHeartbeat('x', 3), ErrorCode.UNKNOWN_MEMBER_ID)
  assert.is(rig.classicHeartbeat('a', 3), ErrorCode.UNKNOWN_MEMBER_ID, 'it speaks the other protocol')
  assert.is(rig.classicHeartbeat('x', 3, 'one'), ErrorCode.FENCED_INSTANCE_ID)
  assert.is(rig.classicHeartbeat(classicId, 2), ErrorCode.ILLEGAL_GENERATION)
  assert.is(rig.classicSync(classicId, 2).answer!.errorCode, ErrorCode.ILLEGAL_GENERATION)
  assert.is(rig.classicSync('x', 3).answer!.errorCode, ErrorCode.UNKNOWN_MEMBER_ID)
  assert.is(
    rig.classicSync(classicId, 3, { protocol: 'other' }).answer!.errorCode,
    ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
  )
  const joinCode = (options: ClassicJoinOptions, id = classicId) => rig.classicJoin(id, options).answer!.errorCode
  assert.is(joinCode({ ...foo(), sessionMs: 1 }), ErrorCode.INVALID_SESSION_TIMEOUT)
  assert.is(joinCode({ protocols: [] }), ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
  assert.is(joinCode({ protocols: [protocol(['foo'], {}, 'other')] }), ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
  assert.is(joinCode({ protocols: [{ name: 'range', metadata: Uint8Array.of(1) }] }), ErrorCode.UNKNOWN_SERVER_ERROR)
  assert.is(joinCode({ ...foo(), instance: 'three' }), ErrorCode.UNKNOWN_MEMBER_ID)
  assert.is(joinCode(foo(), ''), ErrorCode.MEMBER_ID_REQUIRED)
})

test('a consumer group takes no members of the classic protocol when migration is off', () => {
  const rig = new ConsumerRig({ foo: 4 }, { 'group.consumer.migration.policy': 'disabled' })
  rig.heartbeat('a', 0)
  assert.is(rig.classicJoin('', foo()).answer!.errorCode, ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
})

test('a join or sync that could not be written, or saw what was not, is answered once with an error', () => {
  const { rig, classicId } = mixedGroup()
  rig.held = true
  const synced = rig.classicSync(classicId, 3)
  const joined = rig.classicJoin('new', { ...foo(), version: 3 })
  assert.equal([joined.answer, synced.answer], [undefined, undefined])
  rig.refuse(ErrorCode.NOT_LEADER_OR_FOLLOWER)
  rig.held = false
  assert.is(joined.answer!.errorCode, ErrorCode.NOT_COORDINATOR)
  assert.is(synced.answer!.errorCode, ErrorCode.NOT_COORDINATOR)
  assert.not.ok(rig.group().hasMember('new'))
})

test('a consumer group becomes classic when its last member with the consumer protocol leaves', () => {
  const { rig, classicId } = mixedGroup()
  rig.heartbeat('a', -1, { instance: 'one' })
  const classic = classicOf(rig)
  // Somebody has to take what the member had, and nobody is told anything before.
  assert.equal(
    [classic.state, classic.generationId, classic.memberCount, classic.leaderId],
    ['PreparingRebalance', 3, 1, classicId],
  )
  assert.equal(decoded(classic.members.get(classicId)!.assignment), { foo: [3, 4, 5] })
  assert.is(rig.written.at(-1)?.name, 'GroupMetadata')
  assert.equal(rig.reload().hardState(), rig.hardState())
  assert.is(rig.classicHeartbeat(classicId, 3), ErrorCode.REBALANCE_IN_PROGRESS)
  const rejoined = rig.classicJoin(classicId, foo())
  assert.is(rejoined.answer!.generationId, 4)
})

test('a group that became classic rebalances when its coordinator is loaded before that was over, and not later', () => {
  const { rig, classicId } = mixedGroup()
  rig.heartbeat('a', -1, { instance: 'one' })
  const loaded = rig.reload()
  assert.is(classicOf(loaded).state, 'PreparingRebalance')
  const { generationId = -1 } = loaded.classicJoin(classicId, foo()).answer!
  loaded.classicSync(classicId, generationId, { assignments: { [classicId]: assignment({ foo: [0] }) } })
  assert.is(classicOf(loaded.reload()).state, 'Stable')
})

test('a group that becomes classic and is upgraded again at once knows what its members still have', () => {
  const rig = new ConsumerRig({ foo: 4 })
  const [first = ''] = classicGroup(rig, [assignment({ foo: [0, 1, 2, 3] })])
  rig.heartbeat('a', 0)
  rig.heartbeat('a', -1)
  assert.equal(decoded(classicOf(rig).members.get(first)!.assignment), { foo: [0, 1, 2, 3] })
  assert.equal(assignedBy(rig.heartbeat('a', 0)), {}, 'nobody has let go of anything')
})

test('a consumer group becomes classic when its last member with the consumer protocol is fenced', () => {
  const { rig, classicId } = mixedGroup()
  for (let elapsed = 0; elapsed < 45_000; elapsed += 5_000) {
    rig.classicHeartbeat(classicId, 3)
    rig.advance(5_000)
  }
  assert.is(classicOf(rig).memberCount, 1)
})

test('a consumer group stays one when the policy says so, or nobody is left', () => {
  for (const policy of ['upgrade', 'disabled']) {
    const { rig, classicId } = mixedGroup('bidirectional')
    rig.config['group.consumer.migration.policy'] = policy
    rig.heartbeat('a', -1, { instance: 'one' })
    assert.equal([...rig.group().members.keys()], [classicId])
  }
  const rig = new ConsumerRig({ foo: 4 })
  rig.heartbeat('a', 0)
  rig.heartbeat('a', -1)
  assert.ok(rig.group().isEmpty)
  const { rig: small } = mixedGroup()
  small.config['group.max.size'] = 0
  small.heartbeat('a', -1, { instance: 'one' })
  assert.is(small.group().memberCount, 1)
})

test('a downgrade that could not be written leaves the consumer group as it was', () => {
  const { rig, classicId } = mixedGroup()
  const before = rig.hardState()
  rig.held = true
  rig.heartbeat('a', -1, { instance: 'one' })
  rig.refuse(ErrorCode.NOT_ENOUGH_REPLICAS)
  rig.held = false
  assert.equal(rig.hardState(), before)
  rig.advance(0)
  assert.is(rig.classicHeartbeat(classicId, 3), ErrorCode.NONE)
})

test('a static member that comes back with the classic protocol makes the group classic, without a rebalance', () => {
  const { rig, classicId } = mixedGroup()
  const joined = rig.classicJoin('', { ...foo({ foo: [0, 1, 2] }), instance: 'one' }).answer!
  assert.is(joined.errorCode, ErrorCode.NONE)
  const classic = classicOf(rig)
  assert.equal([...classic.members.all()].map(member => member.memberId).sort(), [classicId, joined.memberId].sort())
  rig.advance(0)
  assert.is(classic.state, 'Stable')
  assert.is(joined.generationId, classic.generationId)
  assert.equal(decoded(rig.classicSync(joined.memberId, joined.generationId!).answer!.assignment), { foo: [0, 1, 2] })
  assert.equal(rig.reload().hardState(), rig.hardState())
})

test('a static member that comes back with the classic protocol rebalances the classic group while others wait for partitions', () => {
  const { rig, classicId } = mixedGroup()
  rig.heartbeat('b', 0)
  rig.heartbeat('b', -1)
  rig.heartbeat('a', 3, { instance: 'one' })
  rig.heartbeat('a', 3, { instance: 'one', owned: { foo: [0, 1] } })
  assert.is(rig.group().stateName, 'Reconciling')
  const joined = rig.classicJoin('', { ...foo(), instance: 'one' }).answer!
  assert.is(joined.errorCode, ErrorCode.NONE)
  assert.is(classicOf(rig).state, 'PreparingRebalance')
  assert.is(rig.classicHeartbeat(classicId, classicOf(rig).generationId), ErrorCode.REBALANCE_IN_PROGRESS)
})

test('a static member that comes back with the classic protocol and another subscription rebalances the classic group', () => {
  const { rig } = mixedGroup()
  rig.createTopics({ bar: 1 })
  rig.classicJoin('', { protocols: [protocol(['bar'])], instance: 'one' })
  rig.advance(0)
  assert.is(classicOf(rig).state, 'PreparingRebalance')
})

test('a static member with the classic protocol comes back with the consumer protocol at any time', () => {
  const rig = new ConsumerRig({ foo: 4 })
  rig.heartbeat('a', 0)
  const { memberId } = rig.classicJoin('', { ...foo(), instance: 'one' }).answer!
  assert.is(rig.group().classicMemberCount, 1)
  const joined = rig.heartbeat('b', 0, { instance: 'one' })
  assert.is(joined.memberId, 'b')
  assert.equal([rig.group().classicMemberCount, rig.group().hasMember(memberId)], [0, false])
})

test('tools take members of either protocol out of a consumer group', () => {
  const { rig, classicId } = mixedGroup('upgrade')
  const origin = { apiVersion: 5, clientId: 'client', clientHost: '/127.0.0.1' }
  const members = [
    { memberId: '', groupInstanceId: 'one', reason: null },
    { memberId: classicId, groupInstanceId: null, reason: 'test' },
    { memberId: 'x', groupInstanceId: null, reason: null },
    { memberId: 'x', groupInstanceId: 'one', reason: null },
    { memberId: '', groupInstanceId: 'two', reason: null },
  ]
  const left = rig.run(() => rig.consumer.classicLeave(origin, { groupId: 'g', memberId: '', members }))
  assert.equal(
    left.members.map(member => member.errorCode),
    [0, 0, ErrorCode.UNKNOWN_MEMBER_ID, ErrorCode.FENCED_INSTANCE_ID, ErrorCode.UNKNOWN_MEMBER_ID],
  )
  assert.ok(rig.group().isEmpty)
  const nobody = rig.run(() => rig.consumer.classicLeave(origin, { groupId: 'g', memberId: '', members }))
  assert.is(nobody.members[0]?.errorCode, ErrorCode.UNKNOWN_MEMBER_ID)
  assert.equal(rig.written, [], 'nobody left')
})

test.run()
