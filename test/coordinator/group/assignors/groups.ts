/**
 * Groups to assign: made up, and as recorded from Apache Kafka; and what may be said of an
 * assignment. Used by tests alone.
 */
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import * as assert from 'uvu/assert'
import type {
  Assignment,
  AssignorInput,
  GroupAssignment,
  MemberSubscription,
} from '../../../../src/coordinator/group/assignors/assignor.ts'
import { inRepository } from '../../../support/paths.ts'

export interface Group {
  readonly counts: ReadonlyMap<string, number>
  readonly members: ReadonlyMap<string, MemberSubscription>
}

const none: Assignment = new Map()

export const member = (
  topicIds: Iterable<string>,
  more: { instanceId?: string | null; assigned?: Assignment } = {},
): MemberSubscription => ({
  topicIds: new Set(topicIds),
  rackId: null,
  instanceId: more.instanceId ?? null,
  assigned: more.assigned ?? none,
})

const isHomogeneous = ({ members }: Group): boolean => {
  const texts = [...members.values()].map(({ topicIds }) => [...topicIds].sort().join())
  return texts.every(text => text === texts[0])
}

export const inputOf = (group: Group): AssignorInput => ({
  members: group.members,
  homogeneous: isHomogeneous(group),
  partitionCount: topicId => group.counts.get(topicId) ?? -1,
})

/** The group with what an assignor gave it. */
export const withAssigned = (group: Group, assigned: GroupAssignment): Group => ({
  ...group,
  members: new Map(
    [...group.members].map(([id, subscription]) => [id, { ...subscription, assigned: assigned.get(id) ?? none }]),
  ),
})

/** The owner of every partition, `topic/partition`. Throws when one has two. */
export const owners = (assigned: ReadonlyMap<string, Assignment>): Map<string, string> => {
  const found = new Map<string, string>()
  for (const [memberId, topics] of assigned) {
    for (const [topicId, partitions] of topics) {
      assert.ok(partitions.size > 0, `${memberId} has no empty topic`)
      for (const partition of partitions) {
        assert.not.ok(found.has(`${topicId}/${partition}`), `${topicId}/${partition} has one owner`)
        found.set(`${topicId}/${partition}`, memberId)
      }
    }
  }
  return found
}

/** Every partition of a subscribed topic has one owner, who subscribes to it; nothing else is assigned. */
export const checkComplete = ({ counts, members }: Group, assigned: GroupAssignment): void => {
  assert.equal([...assigned.keys()].sort(), [...members.keys()].sort())
  const found = owners(assigned)
  let expected = 0
  for (const [topicId, count] of counts) {
    if (![...members.values()].some(({ topicIds }) => topicIds.has(topicId))) continue
    expected += count
    for (let partition = 0; partition < count; partition++) {
      const owner = found.get(`${topicId}/${partition}`) ?? ''
      assert.ok(members.get(owner)?.topicIds.has(topicId), `${topicId}/${partition} belongs to a subscriber`)
    }
  }
  assert.is(found.size, expected)
}

export const loadOf = (assignment: Assignment): number => {
  let load = 0
  for (const partitions of assignment.values()) load += partitions.size
  return load
}

/** Partitions that somebody keeps subscribing to, and yet are no longer assigned to. */
export const movesOf = ({ members }: Group, assigned: ReadonlyMap<string, Assignment>): number => {
  let moves = 0
  for (const [memberId, { assigned: before, topicIds }] of members) {
    for (const [topicId, partitions] of before) {
      if (!topicIds.has(topicId)) continue
      for (const partition of partitions) {
        if (!assigned.get(memberId)?.get(topicId)?.has(partition)) moves++
      }
    }
  }
  return moves
}

const topicNames = ['A', 'B', 'C', 'D', 'E', 'F']
const memberNames = ['m1', 'm2', 'm3', 'm4', 'm5', 'm6', 'm7', 'm8', 'm9']

/**
 * Groups that have something assigned already, not always sensibly: to nobody's subscription, twice, beyond the topic.
 */
export const groups = (kind: 'homogeneous' | 'any'): fc.Arbitrary<Group> =>
  fc
    .record({
      counts: fc.uniqueArray(fc.tuple(fc.constantFrom(...topicNames), fc.nat(12)), {
        selector: ([name]) => name,
        minLength: 1,
      }),
      members: fc.uniqueArray(
        fc.record({
          id: fc.constantFrom(...memberNames),
          instanceId: fc.option(fc.string({ minLength: 1, maxLength: 3 })),
          topics: fc.subarray(topicNames),
          assigned: fc.array(fc.tuple(fc.constantFrom(...topicNames), fc.uniqueArray(fc.nat(14), { maxLength: 8 })), {
            maxLength: 4,
          }),
        }),
        { selector: ({ id }) => id, minLength: 1 },
      ),
    })
    .map(({ counts: list, members }) => {
      const counts = new Map(list)
      const shared = (members[0]?.topics ?? []).filter(topic => counts.has(topic))
      return {
        counts,
        members: new Map(
          members.map(({ id, instanceId, topics, assigned }) => {
            const topicIds = kind === 'homogeneous' ? shared : topics.filter(topic => counts.has(topic))
            const before = new Map(assigned.map(([topic, partitions]) => [topic, new Set(partitions)]))
            return [id, member(topicIds, { instanceId, assigned: before })]
          }),
        ),
      }
    })

type Json = Record<string, Record<string, number[]>>

interface RecordedGroup {
  readonly group: Group
  readonly range: ReadonlyMap<string, Assignment>
  readonly uniform: ReadonlyMap<string, Assignment>
}

const assignmentOf = (json: Record<string, number[]>): Assignment =>
  new Map(Object.entries(json).map(([topicId, partitions]) => [topicId, new Set(partitions)]))

const assignmentsOf = (json: Json): Map<string, Assignment> =>
  new Map(Object.entries(json).map(([memberId, topics]) => [memberId, assignmentOf(topics)]))

/** Groups and what Apache Kafka's assignors made of them; see test/vectors/record/Assignors.java. */
export const recordedGroups = (): RecordedGroup[] => {
  const list: {
    counts: Record<string, number>
    members: Record<string, { topics: string[]; instance: string | null; assigned: Record<string, number[]> }>
    range: Json
    uniform: Json
  }[] = JSON.parse(readFileSync(inRepository('test/vectors/assignors/kafka.json'), 'utf8'))
  return list.map(({ counts, members, range, uniform }) => ({
    group: {
      counts: new Map(Object.entries(counts)),
      members: new Map(
        Object.entries(members).map(([id, { topics, instance, assigned }]) => [
          id,
          member(topics, { instanceId: instance, assigned: assignmentOf(assigned) }),
        ]),
      ),
    },
    range: assignmentsOf(range),
    uniform: assignmentsOf(uniform),
  }))
}
