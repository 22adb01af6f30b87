import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { PartitionEpochs } from '../../../../src/coordinator/group/consumer/assignment.ts'
import { listPartitions } from '../../../../src/coordinator/group/consumer/assignment.ts'
import type { Reconciliation } from '../../../../src/coordinator/group/consumer/current-assignment.ts'
import { reconcile } from '../../../../src/coordinator/group/consumer/current-assignment.ts'
import type { ConsumerMember } from '../../../../src/coordinator/group/consumer/member.ts'
import { MemberState, newMember } from '../../../../src/coordinator/group/consumer/member.ts'
import { ErrorCode } from '../../../../src/protocol/error-codes.ts'
import { codeOf } from '../../../support/consumer-rig.ts'

const test = suite('one step towards the target')

type Topics = Record<string, readonly number[]>

/** Partitions of topics, given at `epoch`. */
function at(epoch: number, topics: Topics): PartitionEpochs {
  return new Map(
    Object.entries(topics).map(([topic, partitions]) => [topic, new Map(partitions.map(index => [index, epoch]))]),
  )
}

const { stable, unrevokedPartitions: unrevoked, unreleasedPartitions: unreleased } = MemberState

function member(state: MemberState, epoch: number, assigned: Topics, pending: Topics = {}): ConsumerMember {
  return {
    ...newMember('m'),
    state,
    memberEpoch: epoch,
    previousMemberEpoch: epoch,
    assigned: at(epoch, assigned),
    pendingRevocation: at(epoch, pending),
  }
}

interface Given {
  epoch?: number
  owned?: Topics | null
  taken?: Topics
  unsubscribed?: readonly string[]
  changed?: boolean
}

function step(from: ConsumerMember, target: Topics, given: Given = {}): ConsumerMember {
  const { owned = null, taken = {}, unsubscribed = [] } = given
  const reconciliation: Reconciliation = {
    targetEpoch: given.epoch ?? 11,
    target: new Map(Object.entries(target).map(([topic, partitions]) => [topic, new Set(partitions)])),
    subscriptionChanged: given.changed ?? false,
    isSubscribedTo: topic => !unsubscribed.includes(topic),
    isOwned: (topic, partition) =>
      taken[topic]?.includes(partition) ||
      from.assigned.get(topic)?.has(partition) ||
      from.pendingRevocation.get(topic)?.has(partition) ||
      false,
    owned: owned === null ? null : Object.entries(owned).map(([topicId, partitions]) => ({ topicId, partitions })),
  }
  return reconcile(from, reconciliation)
}

/** State, epoch, what is assigned, what is to be revoked. */
function is(actual: ConsumerMember, state: MemberState, epoch: number, assigned: Topics, pending: Topics = {}): void {
  const plain = (owned: PartitionEpochs) =>
    Object.fromEntries(listPartitions(owned).map(({ topicId, partitions }) => [topicId, partitions]))
  assert.equal(
    [actual.state, actual.memberEpoch, plain(actual.assigned), plain(actual.pendingRevocation)],
    [state, epoch, assigned, pending],
  )
}

test('a stable member stays as it is when it has the epoch of the target', () => {
  const from = member(stable, 11, { a: [1, 2] })
  assert.is(step(from, { a: [1] }), from)
})

test('a stable member enters the epoch of the target when its partitions are the same', () => {
  const after = step(member(stable, 10, { a: [1, 2] }), { a: [1, 2] })
  is(after, stable, 11, { a: [1, 2] })
  assert.is(after.previousMemberEpoch, 10)
  assert.is(after.assigned.get('a')!.get(1), 10, 'given long ago')
})

test('a stable member gets what is free at once', () => {
  const after = step(member(stable, 10, { a: [1] }), { a: [1, 2], b: [3] })
  is(after, stable, 11, { a: [1, 2], b: [3] })
  assert.is(after.assigned.get('a')!.get(1), 10)
  assert.is(after.assigned.get('a')!.get(2), 11)
})

test('a stable member first gives up what it shall not own, and stays in its epoch', () => {
  const after = step(member(stable, 10, { a: [1, 2], b: [1] }), { a: [2, 3], b: [] })
  is(after, unrevoked, 10, { a: [2] }, { a: [1], b: [1] })
})

test('a stable member gives nothing up twice: what it does not own any more is gone', () => {
  const after = step(member(stable, 10, { a: [1, 2] }), { a: [2, 3] }, { owned: { a: [2] } })
  is(after, stable, 11, { a: [2, 3] })
})

test('a stable member waits in the new epoch for partitions that others have', () => {
  is(step(member(stable, 10, { a: [1] }), { a: [1, 2] }, { taken: { a: [2] } }), unreleased, 11, { a: [1] })
  is(step(member(stable, 10, { a: [1] }), { a: [1, 2, 3] }, { taken: { a: [2] } }), unreleased, 11, { a: [1, 3] })
})

test('a member gives up partitions until a heartbeat shows that it did', () => {
  const from = member(unrevoked, 10, { a: [2] }, { a: [1] })
  assert.is(step(from, { a: [2, 3] }), from, 'it did not say')
  assert.is(step(from, { a: [2, 3] }, { owned: { a: [1, 2] } }), from, 'it still owns one')
  is(step(from, { a: [2, 3] }, { owned: { a: [2] } }), stable, 11, { a: [2, 3] })
  is(step(from, { a: [2, 3] }, { owned: {} }), stable, 11, { a: [2, 3] })
})

test('a member that gave up partitions has to give up more when the target moved on', () => {
  const from = member(unrevoked, 10, { a: [2, 3] }, { a: [1] })
  is(step(from, { a: [3] }, { epoch: 12, owned: { a: [2, 3] } }), unrevoked, 10, { a: [3] }, { a: [2] })
})

test('a member gets back what it was to give up when the target wants that again', () => {
  const from = member(unrevoked, 10, { a: [2] }, { a: [1] })
  is(step(from, { a: [1, 2] }, { epoch: 12, owned: { a: [2] } }), stable, 12, { a: [1, 2] })
})

test('a member that waits takes what was released, and waits for the rest', () => {
  const from = member(unreleased, 11, { a: [1] })
  assert.is(step(from, { a: [1, 2, 3] }, { taken: { a: [2, 3] } }).state, unreleased)
  is(step(from, { a: [1, 2, 3] }, { taken: { a: [3] } }), unreleased, 11, { a: [1, 2] })
  is(step(from, { a: [1, 2, 3] }), stable, 11, { a: [1, 2, 3] })
})

test('a member that waits follows a newer target', () => {
  const from = member(unreleased, 11, { a: [1, 2] })
  is(step(from, { a: [1, 5] }, { epoch: 12 }), unrevoked, 11, { a: [1] }, { a: [2] })
  is(step(from, { a: [1, 2] }, { epoch: 12 }), stable, 12, { a: [1, 2] })
})

test('a member in an unknown state starts over without partitions, or is fenced', () => {
  const from = member(MemberState.unknown, 10, { a: [1] }, { a: [2] })
  assert.is(
    codeOf(() => step(from, { a: [3] })),
    ErrorCode.FENCED_MEMBER_EPOCH,
  )
  assert.is(
    codeOf(() => step(from, { a: [3] }, { owned: { a: [1] } })),
    ErrorCode.FENCED_MEMBER_EPOCH,
  )
  is(step(from, { a: [3] }, { owned: {} }), stable, 11, { a: [3] })
})

test('a topic that a member no longer subscribes to is taken away though the target still has it', () => {
  const given = { changed: true, unsubscribed: ['b'] }
  const from = member(stable, 11, { a: [1], b: [1] })
  is(step(from, { a: [1], b: [1] }, given), unrevoked, 11, { a: [1] }, { b: [1] })
  is(step(from, { a: [1], b: [1] }, { ...given, owned: { a: [1] } }), stable, 11, { a: [1] })
  assert.is(step(from, { a: [1], b: [1] }, { changed: true }), from)
})

test('a topic that a member no longer subscribes to is taken away though a newer target still has it', () => {
  const given = { changed: true, unsubscribed: ['b'] }
  is(step(member(stable, 10, { a: [1], b: [1] }), { a: [1], b: [1] }, given), unrevoked, 10, { a: [1] }, { b: [1] })
})

test('a topic that a member no longer subscribes to is not given to it', () => {
  const given = { changed: true, unsubscribed: ['b'], epoch: 12 }
  is(step(member(stable, 11, { a: [1] }), { a: [1], b: [1] }, given), stable, 12, { a: [1] })
})

test('a member that gives up partitions gives up those of topics it leaves as well', () => {
  const from = member(unrevoked, 10, { a: [1], b: [1] }, { b: [2] })
  const after = step(from, { a: [1], b: [1] }, { changed: true, unsubscribed: ['b'], owned: { a: [1], b: [1, 2] } })
  is(after, unrevoked, 10, { a: [1] }, { b: [1, 2] })
})

test.run()
