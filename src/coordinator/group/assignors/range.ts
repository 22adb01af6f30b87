/**
 * The range assignor: of every topic each subscriber gets one contiguous range, the first ones one partition more when
 * they can't be equal. Members with the same subscriptions get the same partition numbers of topics of the same size.
 *
 * Invariants: members stand in the order of their instance ids (static ones first), then of their member ids; what they
 * have at present plays no part, so that a static member that comes back with another member id gets the same ranges.
 */
import type { AssignorInput, GroupAssignment, PartitionAssignor } from './assignor.ts'
import { compareText, countOf } from './assignor.ts'

/** What is left of one topic. */
interface Remaining {
  readonly end: number
  subscribers: number
  next: number
}

const sortedMembers = ({ members }: AssignorInput): string[] => {
  const fixed: [instanceId: string, memberId: string][] = []
  const others: string[] = []
  for (const [memberId, { instanceId }] of members) {
    if (instanceId === null) others.push(memberId)
    else fixed.push([instanceId, memberId])
  }
  fixed.sort(
    ([left, leftMember], [right, rightMember]) => compareText(left, right) || compareText(leftMember, rightMember),
  )
  return [...fixed.map(([, memberId]) => memberId), ...others.sort(compareText)]
}

/** The next subscriber's share; undefined: nothing is left. */
const rangeOf = (topic: Remaining): Set<number> | undefined => {
  // The shares that are left differ by one at most, the larger ones first.
  const end = topic.next + Math.ceil((topic.end - topic.next) / topic.subscribers)
  topic.subscribers--
  if (topic.next === end) return undefined
  const range = new Set<number>()
  while (topic.next < end) range.add(topic.next++)
  return range
}

const assign = (input: AssignorInput): GroupAssignment => {
  const topics = new Map<string, Remaining>()
  for (const { topicIds } of input.members.values()) {
    for (const topicId of topicIds) {
      const topic = topics.get(topicId)
      if (topic === undefined) topics.set(topicId, { end: countOf(input, topicId), subscribers: 1, next: 0 })
      else topic.subscribers++
    }
  }
  const assignment: GroupAssignment = new Map()
  for (const memberId of sortedMembers(input)) {
    const assigned = new Map<string, Set<number>>()
    for (const topicId of input.members.get(memberId)?.topicIds ?? []) {
      const range = rangeOf(topics.get(topicId) as Remaining)
      if (range !== undefined) assigned.set(topicId, range)
    }
    assignment.set(memberId, assigned)
  }
  return assignment
}

export const rangeAssignor: PartitionAssignor = { name: 'range', assign }
