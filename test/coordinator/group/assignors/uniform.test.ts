import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Assignment, GroupAssignment } from '../../../../src/coordinator/group/assignors/assignor.ts'
import { AssignorError } from '../../../../src/coordinator/group/assignors/assignor.ts'
import { uniformAssignor } from '../../../../src/coordinator/group/assignors/uniform.ts'
import {
  checkComplete,
  type Group,
  groups,
  inputOf,
  loadOf,
  member,
  movesOf,
  owners,
  recordedGroups,
  withAssigned,
} from './groups.ts'

const test = suite('uniform assignor')

const assign = (group: Group): GroupAssignment => uniformAssignor.assign(inputOf(group))

const loads = (assigned: ReadonlyMap<string, Assignment>): number[] =>
  [...assigned.values()].map(loadOf).sort((left, right) => left - right)

const spread = (assigned: ReadonlyMap<string, Assignment>): number =>
  Math.max(...loads(assigned)) - Math.min(...loads(assigned))

const squares = (assigned: ReadonlyMap<string, Assignment>): number =>
  loads(assigned).reduce((sum, load) => sum + load * load, 0)

/** The same, compared without regard to the order of maps and sets. */
const same = (left: GroupAssignment, right: GroupAssignment): void =>
  assert.equal(new Map([...owners(left)].sort()), new Map([...owners(right)].sort()))

test('members get equally many partitions, and of each topic too, when the group is new', () => {
  const counts = new Map([
    ['A', 4],
    ['B', 4],
  ])
  const assigned = assign({
    counts,
    members: new Map([
      ['m1', member('AB')],
      ['m2', member('AB')],
    ]),
  })
  for (const topics of assigned.values()) {
    assert.is(topics.get('A')?.size, 2)
    assert.is(topics.get('B')?.size, 2)
  }
})

test('those who can take little get it first when subscriptions differ', () => {
  const counts = new Map([
    ['A', 6],
    ['B', 3],
  ])
  const assigned = assign({
    counts,
    members: new Map([
      ['m1', member('AB')],
      ['m2', member('B')],
      ['m3', member('A')],
    ]),
  })
  assert.equal(loads(assigned), [3, 3, 3])
})

test('loads even out over a member that shares topics with both when two share none', () => {
  // Not to 4, 4, 4: that would take two moves at once, neither of which is of use alone.
  const counts = new Map([
    ['A', 6],
    ['B', 6],
  ])
  const assigned = assign({
    counts,
    members: new Map([
      ['m1', member('A', { assigned: new Map([['A', new Set([0, 1, 2, 3, 4, 5])]]) })],
      ['m2', member('AB', { assigned: new Map([['B', new Set([0, 1, 2, 3, 4, 5])]]) })],
      ['m3', member('B')],
    ]),
  })
  assert.equal([...assigned.values()].map(loadOf), [5, 4, 3])
})

test('what cannot be so is passed over: a partition beyond its topic, one that two have', () => {
  const both = new Map([['A', new Set([0, 1, 7])]])
  const group = {
    counts: new Map([['A', 3]]),
    members: new Map([
      ['m1', member('A', { assigned: both })],
      ['m2', member('A', { assigned: both })],
    ]),
  }
  checkComplete(group, assign(group))
})

test('a topic that does not exist is an error when somebody subscribes to it', () => {
  const members = new Map([
    ['m', member('A')],
    ['n', member('')],
  ])
  assert.throws(
    () => assign({ counts: new Map(), members }),
    (error: unknown) => error instanceof AssignorError,
  )
  assert.equal(assign({ counts: new Map(), members: new Map() }), new Map())
  assert.equal(assign({ counts: new Map(), members: new Map([['m', member('')]]) }), new Map([['m', new Map()]]))
})

test('loads differ by one at most when all subscribe to the same', () => {
  fc.assert(
    fc.property(groups('homogeneous'), group => {
      const assigned = assign(group)
      checkComplete(group, assigned)
      assert.ok(spread(assigned) <= 1)
    }),
  )
})

test('no member could take a partition from another to even them out, whatever the group', () => {
  fc.assert(
    fc.property(groups('any'), group => {
      const assigned = assign(group)
      checkComplete(group, assigned)
      for (const [giver, topics] of assigned) {
        for (const [taker, { topicIds }] of group.members) {
          if (loadOf(topics) - loadOf(assigned.get(taker) as Assignment) < 2) continue
          for (const topicId of topics.keys())
            assert.not.ok(topicIds.has(topicId), `${giver} gives ${topicId} to ${taker}`)
        }
      }
    }),
    { numRuns: 300 },
  )
})

test('nothing changes when a result is assigned again', () => {
  fc.assert(
    fc.property(groups('any'), group => {
      const assigned = assign(group)
      same(assign(withAssigned(group, assigned)), assigned)
    }),
    { numRuns: 300 },
  )
})

test('only the partitions of a member that leaves move', () => {
  fc.assert(
    fc.property(groups('homogeneous'), fc.nat(), (group, choice) => {
      const settled = withAssigned(group, assign(group))
      const members = new Map(settled.members)
      members.delete([...members.keys()][choice % members.size] as string)
      const rest = { ...settled, members }
      assert.is(movesOf(rest, assign(rest)), 0)
    }),
  )
})

test('no more partitions move than a member that joins gets', () => {
  fc.assert(
    fc.property(groups('homogeneous'), group => {
      const settled = withAssigned(group, assign(group))
      const subscription = [...settled.members.values()][0] as ReturnType<typeof member>
      const grown = { ...settled, members: new Map([...settled.members, ['new', member(subscription.topicIds)]]) }
      const assigned = assign(grown)
      assert.is(movesOf(grown, assigned), loadOf(assigned.get('new') as Assignment))
    }),
  )
})

test('nothing moves when a topic grows, if all subscribe to the same', () => {
  fc.assert(
    fc.property(groups('homogeneous'), fc.nat(10), (group, more) => {
      const settled = withAssigned(group, assign(group))
      const counts = new Map([...settled.counts].map(([topic, count]) => [topic, count + more]))
      assert.is(movesOf({ ...settled, counts }, assign({ ...settled, counts })), 0)
    }),
  )
})

test('the result does not depend on the order of members, topics and partitions', () => {
  const reversed = <K, V>(map: ReadonlyMap<K, V>): Map<K, V> => new Map([...map].reverse())
  fc.assert(
    fc.property(groups('any'), group => {
      const settled = withAssigned(group, assign(group))
      const members = reversed(
        new Map(
          [...settled.members].map(([id, { topicIds, instanceId, assigned }]) => [
            id,
            member([...topicIds].reverse(), {
              instanceId,
              assigned: reversed(new Map([...assigned].map(([topic, set]) => [topic, new Set([...set].reverse())]))),
            }),
          ]),
        ),
      )
      const joined = (all: Group['members']): Group => ({
        ...settled,
        members: new Map([...all, ['new', member('AC')]]),
      })
      if (!settled.counts.has('A') || !settled.counts.has('C')) return
      same(assign(joined(members)), assign(joined(settled.members)))
    }),
  )
})

test('groups are as balanced as by Apache Kafka, and as few partitions move', () => {
  let [ours, theirs, better, worse] = [0, 0, 0, 0]
  const recorded = recordedGroups()
  for (const { group, uniform } of recorded) {
    const assigned = assign(group)
    checkComplete(group, assigned)
    const moves = movesOf(group, assigned)
    const difference = squares(assigned) - squares(uniform)
    if (inputOf(group).homogeneous) {
      assert.is(difference, 0)
      assert.ok(moves <= movesOf(group, uniform))
    }
    // Where subscriptions differ, both stop where no single move helps, and not always at the same place.
    if (difference > 0) worse++
    if (difference < 0) better++
    ours += moves
    theirs += movesOf(group, uniform)
  }
  assert.ok(recorded.length > 200)
  assert.ok(worse - better <= recorded.length / 100, `${worse} worse, ${better} better`)
  assert.ok(ours <= theirs, `${ours} moves, Kafka's ${theirs}`)
})

test.run()
