import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { encodeSubscription } from '../../../../src/coordinator/group/classic/consumer-protocol.ts'
import { ClassicGroup } from '../../../../src/coordinator/group/classic/group.ts'
import { ClassicMember } from '../../../../src/coordinator/group/classic/member.ts'
import type { ClassicState } from '../../../../src/coordinator/group/classic/states.ts'
import { mayTransition } from '../../../../src/coordinator/group/classic/states.ts'
import type { Group, OffsetCommitCheck } from '../../../../src/coordinator/group/group.ts'
import type { GroupRecord } from '../../../../src/coordinator/group/records.ts'
import { groupRecordSerde } from '../../../../src/coordinator/group/records.ts'
import { Refusal } from '../../../../src/coordinator/shard.ts'
import { ErrorCode } from '../../../../src/protocol/error-codes.ts'
import { ClassicRig, protocol } from '../../../support/classic-rig.ts'

const test = suite('classic group')

const states: ClassicState[] = ['Empty', 'PreparingRebalance', 'CompletingRebalance', 'Stable', 'Dead']

/** 0, or the code of the refusal. */
const codeOf = (check: () => unknown): number => {
  try {
    check()
    return 0
  } catch (error) {
    assert.instance(error, Refusal)
    return (error as Refusal).code
  }
}

/** A group in that state, with one member unless it is empty. */
const inState = (state: ClassicState, type = 'consumer') => {
  const rig = new ClassicRig()
  const { memberId } = rig.enter({ type, instance: null })
  rig.advance(3_000)
  if (state !== 'CompletingRebalance') rig.sync(memberId, 1, {}, { type })
  if (state === 'PreparingRebalance') rig.enter({ type })
  if (state === 'Empty') rig.leave([memberId])
  if (state === 'Dead') rig.classic.onUnloaded()
  assert.is(rig.group().state, state)
  return { rig, memberId, group: rig.group(), generation: rig.group().generationId }
}

const subscribing = (...topics: string[]) => ({
  name: 'range',
  metadata: encodeSubscription(1, { topics, ownedPartitions: [] }),
})

test('a state follows only where the table says so', () => {
  const allowed = states.map(from => states.filter(to => mayTransition(from, to)))
  assert.equal(allowed, [
    ['PreparingRebalance', 'Dead'],
    ['Empty', 'CompletingRebalance', 'Dead'],
    ['PreparingRebalance', 'Stable', 'Dead'],
    ['PreparingRebalance', 'Dead'],
    ['Dead'],
  ])
  assert.throws(() => inState('Empty').group.transitionTo('Stable'), /broken invariant/)
})

// Offsets.

const commit = (given: Partial<OffsetCommitCheck>): OffsetCommitCheck => ({
  memberId: '',
  groupInstanceId: null,
  generationOrEpoch: -1,
  transactional: false,
  apiVersion: 9,
  ...given,
})

test('a commit without a generation is taken when the group is empty', () => {
  const { group } = inState('Empty')
  assert.is(
    codeOf(() => group.checkOffsetCommit(commit({}))),
    0,
  )
  assert.is(
    codeOf(() => group.checkOffsetCommit(commit({ memberId: 'm' }))),
    0,
  )
  assert.is(
    codeOf(() => group.checkOffsetCommit(commit({ generationOrEpoch: 1 }))),
    ErrorCode.UNKNOWN_MEMBER_ID,
  )
})

test('a commit without a generation is refused when the group has members, unless it is of a transaction', () => {
  for (const state of ['Stable', 'PreparingRebalance', 'CompletingRebalance'] as const) {
    const { group } = inState(state)
    assert.is(
      codeOf(() => group.checkOffsetCommit(commit({}))),
      ErrorCode.UNKNOWN_MEMBER_ID,
    )
    assert.is(
      codeOf(() => group.checkOffsetCommit(commit({ transactional: true }))),
      0,
    )
  }
})

test('a commit of a member is taken in its generation, but for the time in which it waits for its assignment', () => {
  const codes = { Stable: 0, PreparingRebalance: 0, CompletingRebalance: ErrorCode.REBALANCE_IN_PROGRESS }
  for (const [state, code] of Object.entries(codes)) {
    const { group, memberId, generation } = inState(state as ClassicState)
    const own = { memberId, generationOrEpoch: generation }
    assert.is(
      codeOf(() => group.checkOffsetCommit(commit(own))),
      code,
    )
    assert.is(
      codeOf(() => group.checkOffsetCommit(commit({ ...own, transactional: true }))),
      0,
    )
    const late = { ...own, generationOrEpoch: generation - 1 }
    assert.is(
      codeOf(() => group.checkOffsetCommit(commit(late))),
      ErrorCode.ILLEGAL_GENERATION,
    )
    assert.is(
      codeOf(() => group.checkOffsetCommit(commit({ ...own, memberId: 'm' }))),
      ErrorCode.UNKNOWN_MEMBER_ID,
    )
    const stranger = { ...own, groupInstanceId: 'i' }
    assert.is(
      codeOf(() => group.checkOffsetCommit(commit(stranger))),
      ErrorCode.UNKNOWN_MEMBER_ID,
    )
  }
})

test('a commit of a static member is fenced when another has its instance id', () => {
  const rig = new ClassicRig()
  const { ids } = rig.stable(1, () => ({ instance: 'i' }))
  const now = rig.join({ instance: 'i' }).is.memberId
  const check = (memberId: string) =>
    codeOf(() => rig.group().checkOffsetCommit(commit({ memberId, groupInstanceId: 'i', generationOrEpoch: 1 })))
  assert.is(check(ids[0]!), ErrorCode.FENCED_INSTANCE_ID)
  assert.is(check(now), 0)
})

test('a dead group refuses everything', () => {
  const { group } = inState('Dead')
  assert.is(
    codeOf(() => group.checkOffsetCommit(commit({}))),
    ErrorCode.COORDINATOR_NOT_AVAILABLE,
  )
  assert.is(
    codeOf(() => group.checkOffsetFetch('', -1)),
    ErrorCode.GROUP_ID_NOT_FOUND,
  )
  assert.is(
    codeOf(() => group.checkOffsetDelete()),
    ErrorCode.GROUP_ID_NOT_FOUND,
  )
  assert.is(
    codeOf(() => group.checkDelete()),
    ErrorCode.GROUP_ID_NOT_FOUND,
  )
})

test('a group may be deleted when it is empty, and its offsets also when its members are consumers', () => {
  for (const state of ['Stable', 'PreparingRebalance', 'CompletingRebalance'] as const) {
    assert.is(
      codeOf(() => inState(state).group.checkDelete()),
      ErrorCode.NON_EMPTY_GROUP,
    )
    assert.is(
      codeOf(() => inState(state, 'connect').group.checkOffsetDelete()),
      ErrorCode.NON_EMPTY_GROUP,
    )
    assert.is(
      codeOf(() => inState(state).group.checkOffsetDelete()),
      0,
    )
    assert.is(
      codeOf(() => inState(state).group.checkOffsetFetch('', -1)),
      0,
    )
  }
  assert.is(
    codeOf(() => inState('Empty').group.checkDelete()),
    0,
  )
  assert.is(
    codeOf(() => inState('Empty', 'connect').group.checkOffsetDelete()),
    0,
  )
})

test('offsets of a group without members expire from its emptiness, of a simple one from their commit', () => {
  const { rig, group } = inState('Empty')
  const emptySinceMs = rig.nowMs
  rig.advance(1_000)
  assert.is(group.expirationRule()?.base(5), emptySinceMs)
  rig.classic.createSimpleGroup('simple')
  assert.is(rig.group('simple').expirationRule()?.base(5), 5)
  assert.ok(rig.group('simple').isSimple)
})

test('offsets of consumers expire from their commit when the group is stable and its topics are known', () => {
  const rig = new ClassicRig()
  rig.stable(1, () => ({ protocols: [subscribing('t')] }))
  assert.is(rig.group().expirationRule()?.base(5), 5)
  assert.is(inState('Stable').group.expirationRule(), undefined, 'metadata that says nothing')
  assert.is(inState('PreparingRebalance').group.expirationRule(), undefined)
  assert.is(inState('Stable', 'connect').group.expirationRule(), undefined)
})

test('an old record without a time lets offsets expire from their commit', () => {
  const { rig } = inState('Empty')
  const value = { ...rig.group().committed.value!, currentStateTimestamp: -1 }
  rig.classic.replay({ name: 'GroupMetadata', key: { group: 'old' }, version: 1, value })
  assert.is(rig.group('old').expirationRule()?.base(5), 5)
})

// Topics.

test('a group reads the topics to which its members subscribe in the present generation', () => {
  const rig = new ClassicRig()
  const { ids } = rig.stable(2, index => ({ protocols: [subscribing(`t${index}`)] }))
  const reads = (...topics: string[]) => topics.map(topic => rig.group().isSubscribedToTopic(topic))
  assert.equal(reads('t0', 't1', 't2'), [true, true, false])
  rig.leave([ids[1]!])
  assert.equal(reads('t0', 't1'), [true, true])
  rig.join({ memberId: ids[0]!, protocols: [subscribing('t0', 't2')] })
  assert.equal(reads('t0', 't1', 't2'), [true, false, true])
  rig.leave([ids[0]!])
  assert.equal(reads('t0', 't1', 't2'), [false, false, false])
})

test('consumers with metadata that can not be read may read any topic, others none', () => {
  assert.ok(inState('Stable').group.isSubscribedToTopic('t'))
  assert.not(inState('Stable', 'connect').group.isSubscribedToTopic('t'))
  const rig = new ClassicRig()
  rig.classic.createSimpleGroup('g')
  assert.not(rig.group().isSubscribedToTopic('t'))
})

// What tools see.

test('a description has metadata and protocol when the group is stable', () => {
  const rig = new ClassicRig()
  const { ids } = rig.stable(1, () => ({ instance: 'i', protocols: [protocol('range', 7)] }))
  const member = {
    memberId: ids[0],
    groupInstanceId: 'i',
    clientId: 'client',
    clientHost: '/127.0.0.1',
    memberMetadata: Uint8Array.of(7),
    memberAssignment: Uint8Array.of(0),
  }
  assert.equal(rig.classic.describe(rig.group()), {
    errorCode: 0,
    groupId: 'g',
    groupState: 'Stable',
    protocolType: 'consumer',
    protocolData: 'range',
    members: [member],
  })
  rig.join({ memberId: ids[0]!, instance: 'i', protocols: [protocol('range', 8)] })
  const described = rig.classic.describe(rig.group())
  assert.is(described.groupState, 'CompletingRebalance')
  assert.is(described.protocolData, '')
  assert.equal(described.members[0], { ...member, memberMetadata: new Uint8Array(0) })
})

// Life.

test('a loaded group has its members with whole sessions', () => {
  const rig = new ClassicRig()
  const { ids } = rig.stable(2, index => ({ sessionMs: 10_000 + index * 5_000, protocols: [subscribing('t')] }))
  const loaded = rig.reload()
  const group = loaded.group()
  assert.is(group.state, 'Stable')
  assert.is(group.leaderId, ids[0])
  assert.is(group.protocolName, 'range')
  assert.ok(group.isSubscribedToTopic('t'))
  assert.not(group.isSubscribedToTopic('u'))
  assert.is(loaded.heartbeat(ids[1]!, 1), 0)
  loaded.advance(10_000)
  assert.not(group.hasMember(ids[0]!))
  assert.ok(group.hasMember(ids[1]!))
})

test('a loaded group rebalances when it has more members than it may have', () => {
  const rig = new ClassicRig()
  const { ids } = rig.stable(3)
  rig.config['group.max.size'] = 2
  const loaded = rig.reload()
  assert.is(loaded.group().state, 'PreparingRebalance')
  const replies = ids.map(memberId => loaded.join({ memberId }))
  assert.equal(
    replies.map(({ errorCode }) => errorCode),
    [0, 0, ErrorCode.GROUP_MAX_SIZE_REACHED],
  )
})

test('a record without a rebalance timeout is waited for as long as a session', () => {
  const rig = new ClassicRig()
  rig.stable(1, () => ({ sessionMs: 12_000 }))
  const value = rig.group().committed.value!
  const members = value.members.map(member => ({ ...member, rebalanceTimeout: -1 }))
  rig.classic.replay({ name: 'GroupMetadata', key: { group: 'old' }, version: 0, value: { ...value, members } })
  assert.is(rig.group('old').members.rebalanceTimeoutMs, 12_000)
})

test('everybody who waits is sent on when the shard is unloaded, and no timer acts any more', () => {
  const rig = new ClassicRig()
  const join = rig.enter().joined
  const { memberId } = rig.enter({ group: 'h' })
  rig.enter({ group: 'h' })
  rig.advance(2_999)
  const other = new ClassicRig()
  other.enter()
  const waiting = other.enter()
  other.advance(6_000)
  const sync = other.sync(waiting.memberId, 1)
  rig.classic.onUnloaded()
  other.classic.onUnloaded()
  assert.is(join.errorCode, ErrorCode.NOT_COORDINATOR)
  assert.is(sync.errorCode, ErrorCode.NOT_COORDINATOR)
  for (const shard of [rig, other]) {
    assert.equal(shard.timers, [])
    assert.is(shard.group().state, 'Dead')
  }
  assert.is(rig.join({ version: 3 }).errorCode, ErrorCode.COORDINATOR_NOT_AVAILABLE)
  assert.is(rig.join({ memberId, group: 'h' }).errorCode, ErrorCode.COORDINATOR_NOT_AVAILABLE)
  assert.is(other.sync(waiting.memberId, 1).errorCode, ErrorCode.COORDINATOR_NOT_AVAILABLE)
  assert.is(other.heartbeat(waiting.memberId, 1), ErrorCode.COORDINATOR_NOT_AVAILABLE)
  assert.is(other.leave([waiting.memberId]).errorCode, ErrorCode.COORDINATOR_NOT_AVAILABLE)
})

test('timers of a group act no more when another has its id', () => {
  const { rig, group } = inState('Stable')
  rig.classic.createSimpleGroup('g')
  const before = rig.log.length
  rig.advance(100_000)
  assert.is(rig.log.length, before)
  assert.is(group.state, 'Stable')
})

test('an empty group of another kind becomes classic when a member joins, and others refuse', () => {
  const rig = new ClassicRig()
  const tombstone: GroupRecord = { name: 'ConsumerGroupMetadata', key: { groupId: 'g' }, version: -1, value: null }
  const other = { kind: 'consumer', groupId: 'g', isEmpty: false, tombstones: () => [tombstone] } as unknown as Group
  rig.table.set(other)
  assert.is(rig.join().errorCode, ErrorCode.INCONSISTENT_GROUP_PROTOCOL)
  rig.table.set({ ...other, isEmpty: true })
  assert.is(rig.join({ memberId: 'm' }).errorCode, ErrorCode.UNKNOWN_MEMBER_ID)
  assert.is(rig.log.length, 0)
  const { joined } = rig.enter()
  rig.advance(3_000)
  assert.is(joined.is.generationId, 1)
  const names = rig.log.map(bytes => groupRecordSerde.deserialize(bytes)?.name)
  assert.equal(names, ['ConsumerGroupMetadata', 'GroupMetadata'])
})

test('a group that was made of another kind is in the table as it is when its record is replayed', () => {
  const rig = new ClassicRig()
  const group = new ClassicGroup(rig.context, 'g', {
    state: 'Stable',
    generationId: 5,
    protocolType: 'consumer',
    protocolName: null,
    leaderId: null,
    stateSinceMs: rig.nowMs,
  })
  const profile = { groupInstanceId: null, clientId: 'c', clientHost: '/h', protocolType: 'consumer' }
  const timeouts = { rebalanceTimeoutMs: 60_000, sessionTimeoutMs: 10_000 }
  for (const memberId of ['a', 'b']) {
    group.add(new ClassicMember({ ...profile, ...timeouts, memberId, protocols: [subscribing(memberId)] }))
  }
  group.selectProtocol()
  group.members.get('b')!.assignment = Uint8Array.of(1)
  rig.run(() => ({ records: [rig.classic.recordOf(group)], response: undefined }))
  assert.is(rig.group(), group)
  assert.ok(group.isSubscribedToTopic('b'))
  assert.is(group.leaderId, 'a')
  const loaded = rig.reload()
  assert.equal(loaded.hardState(), rig.hardState())
  assert.equal(loaded.group().members.get('b')?.assignment, Uint8Array.of(1))
  rig.classic.startSessions(group)
  rig.run(() => rig.classic.rebalance(group, 'a test'))
  assert.is(rig.heartbeat('a', 5), ErrorCode.REBALANCE_IN_PROGRESS)
  const again = rig.join({ memberId: 'a', protocols: [subscribing('a')] })
  rig.advance(10_000)
  assert.is(again.is.generationId, 6)
})

test('assignments that fail with the shard leave nothing behind', () => {
  const rig = new ClassicRig()
  const { memberId } = rig.enter()
  rig.advance(3_000)
  rig.held = true
  const sync = rig.sync(memberId, 1)
  rig.refuse(ErrorCode.NOT_COORDINATOR)
  rig.classic.onUnloaded()
  assert.is(sync.errorCode, ErrorCode.NOT_COORDINATOR)
  assert.equal(rig.timers, [])
})

test('a deleted group is back with its members to be when the log refuses the deletion', () => {
  const { rig, group } = inState('Empty')
  rig.held = true
  rig.run(() => ({ records: group.tombstones(), response: undefined }))
  assert.is(rig.table.size, 0)
  const joined = rig.join({ version: 3 })
  rig.refuse(ErrorCode.KAFKA_STORAGE_ERROR)
  assert.is(joined.errorCode, ErrorCode.NOT_COORDINATOR)
  assert.is(rig.group(), group)
  assert.equal(rig.reload().hardState(), rig.hardState())
})

test('a deleted group is gone after a load, and a new one of its name begins anew', () => {
  const { rig, group } = inState('Empty')
  rig.run(() => ({ records: group.tombstones(), response: undefined }))
  assert.is(rig.reload().table.size, 0)
  const { joined } = rig.enter()
  rig.advance(3_000)
  assert.is(joined.is.generationId, 1)
})

test.run()
