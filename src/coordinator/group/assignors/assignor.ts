/**
 * What a server-side assignor of consumer groups is given, and what it returns.
 *
 * Invariants: assignors are pure: the same input gives the same assignment, in whatever order its maps and sets are, so
 * that a coordinator loaded from its log computes what the one before it would have. They change nothing of the input.
 */

/** Partitions by topic id. */
export type Assignment = ReadonlyMap<string, ReadonlySet<number>>

export interface MemberSubscription {
  readonly topicIds: ReadonlySet<string>
  readonly rackId: string | null
  readonly instanceId: string | null
  /** Its present target assignment. */
  readonly assigned: Assignment
}

export interface AssignorInput {
  /** By member id. */
  readonly members: ReadonlyMap<string, MemberSubscription>
  /** Every member subscribes to the same topics. */
  readonly homogeneous: boolean
  /** -1: unknown topic. */
  partitionCount(topicId: string): number
}

/** Who gets what, by member id: every member has an entry, and no topic is without partitions. */
export type GroupAssignment = Map<string, Map<string, Set<number>>>

export interface PartitionAssignor {
  /** As members and configurations name it. */
  readonly name: string
  /** @throws AssignorError */
  assign(input: AssignorInput): GroupAssignment
}

/** The input can't be assigned. */
export class AssignorError extends Error {
  override readonly name = 'AssignorError'
}

/** The partition count of a topic that members subscribe to. @throws AssignorError */
export const countOf = (input: AssignorInput, topicId: string): number => {
  const count = input.partitionCount(topicId)
  if (count < 0) throw new AssignorError(`A member is subscribed to the topic ${topicId}, which does not exist.`)
  return count
}

/** Orders strings as Java does, by UTF-16 units. */
export const compareText = (left: string, right: string): number => (left < right ? -1 : left > right ? 1 : 0)
