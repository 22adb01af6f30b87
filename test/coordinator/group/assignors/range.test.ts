import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { AssignorError } from '../../../../src/coordinator/group/assignors/assignor.ts'
import { rangeAssignor } from '../../../../src/coordinator/group/assignors/range.ts'
import { checkComplete, type Group, groups, inputOf, member, recordedGroups } from './groups.ts'

const test = suite('range assignor')

const assign = (group: Group) => rangeAssignor.assign(inputOf(group))
const sets = (lists: Record<string, number[]>) =>
  new Map(Object.entries(lists).map(([topic, list]) => [topic, new Set(list)]))

test('members get contiguous ranges, the first ones the larger', () => {
  const counts = new Map([['A', 5]])
  const assigned = assign({
    counts,
    members: new Map([
      ['m2', member('A')],
      ['m1', member('A')],
      ['m3', member('A')],
    ]),
  })
  assert.equal(assigned.get('m1'), sets({ A: [0, 1] }))
  assert.equal(assigned.get('m2'), sets({ A: [2, 3] }))
  assert.equal(assigned.get('m3'), sets({ A: [4] }))
})

test('topics of one size are co-partitioned when all members subscribe to them', () => {
  const counts = new Map([
    ['A', 7],
    ['B', 7],
    ['C', 7],
  ])
  const members = new Map(['m1', 'm2', 'm3'].map(id => [id, member('ABC')]))
  for (const topics of assign({ counts, members }).values()) {
    assert.equal(topics.get('A'), topics.get('B'))
    assert.equal(topics.get('A'), topics.get('C'))
  }
})

test('members without a partition have an empty assignment when topics are small', () => {
  const assigned = assign({ counts: new Map([['A', 1]]), members: new Map(['m1', 'm2'].map(id => [id, member('A')])) })
  assert.equal(assigned.get('m2'), new Map())
})

test('static members keep their ranges when they come back with other member ids', () => {
  const counts = new Map([['A', 6]])
  const before = assign({
    counts,
    members: new Map([
      ['x', member('A', { instanceId: 'i1' })],
      ['y', member('A', { instanceId: 'i2' })],
    ]),
  })
  const after = assign({
    counts,
    members: new Map([
      ['a', member('A', { instanceId: 'i2' })],
      ['b', member('A', { instanceId: 'i1' })],
    ]),
  })
  assert.equal(after.get('b'), before.get('x'))
  assert.equal(after.get('a'), before.get('y'))
})

test('static members come before the others whatever their ids', () => {
  const assigned = assign({
    counts: new Map([['A', 2]]),
    members: new Map([
      ['a', member('A')],
      ['z', member('A', { instanceId: 'z' })],
    ]),
  })
  assert.equal(assigned.get('z'), sets({ A: [0] }))
})

test('a topic that does not exist is an error when somebody subscribes to it', () => {
  assert.throws(
    () => assign({ counts: new Map(), members: new Map([['m', member('A')]]) }),
    (error: unknown) => error instanceof AssignorError,
  )
  assert.equal(assign({ counts: new Map(), members: new Map() }), new Map())
})

test('every partition goes to one subscriber, in shares that differ by one at most, whatever the group', () => {
  fc.assert(
    fc.property(groups('any'), group => {
      const assigned = assign(group)
      checkComplete(group, assigned)
      for (const topicId of group.counts.keys()) {
        const subscribers = [...group.members].filter(([, { topicIds }]) => topicIds.has(topicId))
        const shares = subscribers.map(([id]) => [...(assigned.get(id)?.get(topicId) ?? [])])
        if (shares.length === 0) continue
        const sizes = shares.map(share => share.length)
        assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1)
        for (const share of shares) {
          assert.equal(
            share,
            share.map((_, at) => (share[0] as number) + at),
          )
        }
      }
    }),
  )
})

test('the result does not depend on the order of members and topics', () => {
  fc.assert(
    fc.property(groups('any'), group => {
      const turned = { ...group, members: new Map([...group.members].reverse()) }
      assert.equal(new Map([...assign(turned)].sort()), new Map([...assign(group)].sort()))
    }),
  )
})

test('the assignments are those of Apache Kafka', () => {
  const recorded = recordedGroups()
  assert.ok(recorded.length > 200)
  for (const { group, range } of recorded) {
    const assigned = assign(group)
    assert.is(assigned.size, range.size)
    for (const [id, topics] of range) {
      assert.equal(new Map([...(assigned.get(id) ?? [])].sort()), new Map([...topics].sort()))
    }
  }
})

test.run()
