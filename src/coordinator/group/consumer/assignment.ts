/**
 * What members own: partitions by topic id, each with the member epoch at which it was given. Immutable; an empty topic
 * is never kept, so equal assignments compare equal.
 */
import type { Assignment } from '../assignors/assignor.ts'

/** Topic id to partition to the epoch at which the member got it. */
export type PartitionEpochs = ReadonlyMap<string, ReadonlyMap<number, number>>

/** As requests and records list partitions. */
export interface TopicPartitions {
  readonly topicId: string
  readonly partitions: readonly number[]
}

export const NO_PARTITIONS: PartitionEpochs = new Map()
export const NO_ASSIGNMENT: Assignment = new Map()
const NONE: ReadonlyMap<number, number> = new Map()
const NOTHING: ReadonlySet<number> = new Set()

export function partitionsOf(owned: PartitionEpochs, topicId: string): ReadonlyMap<number, number> {
  return owned.get(topicId) ?? NONE
}

export function assignedTo(assignment: Assignment, topicId: string): ReadonlySet<number> {
  return assignment.get(topicId) ?? NOTHING
}

export function samePartitions(left: PartitionEpochs, right: PartitionEpochs): boolean {
  if (left === right) return true
  if (left.size !== right.size) return false
  for (const [topicId, epochs] of left) {
    const others = right.get(topicId)
    if (others === undefined || others.size !== epochs.size) return false
    for (const [partition, epoch] of epochs) if (others.get(partition) !== epoch) return false
  }
  return true
}

export function sameAssignment(left: Assignment, right: Assignment): boolean {
  if (left === right) return true
  if (left.size !== right.size) return false
  for (const [topicId, partitions] of left) {
    const others = right.get(topicId)
    if (others === undefined || others.size !== partitions.size) return false
    for (const partition of partitions) if (!others.has(partition)) return false
  }
  return true
}

/** Whether every one of `owned` is among `partitions`. */
export function isSubset(owned: readonly TopicPartitions[], partitions: PartitionEpochs): boolean {
  return owned.every(topic => {
    const epochs = partitions.get(topic.topicId)
    return epochs !== undefined && topic.partitions.every(partition => epochs.has(partition))
  })
}

/** Whether any of `owned` is among `partitions`. */
export function intersects(owned: readonly TopicPartitions[], partitions: PartitionEpochs): boolean {
  return owned.some(topic => {
    const epochs = partitions.get(topic.topicId)
    return epochs !== undefined && topic.partitions.some(partition => epochs.has(partition))
  })
}

/** What is in either; of what is in both, the epoch of the right one. */
export function union(left: PartitionEpochs, right: PartitionEpochs): PartitionEpochs {
  if (right.size === 0) return left
  const both = new Map(left)
  for (const [topicId, epochs] of right) both.set(topicId, new Map([...partitionsOf(left, topicId), ...epochs]))
  return both
}

/** Every partition as given at `epoch`. */
export function withEpoch(assignment: Assignment, epoch: number): PartitionEpochs {
  const owned = new Map<string, ReadonlyMap<number, number>>()
  for (const [topicId, partitions] of assignment) {
    if (partitions.size > 0) owned.set(topicId, new Map(Array.from(partitions, partition => [partition, epoch])))
  }
  return owned
}

export function resetEpochs(owned: PartitionEpochs, epoch: number): PartitionEpochs {
  const reset = new Map<string, ReadonlyMap<number, number>>()
  for (const [topicId, epochs] of owned) {
    reset.set(topicId, new Map(Array.from(epochs.keys(), partition => [partition, epoch])))
  }
  return reset
}

/** Topics and partitions in ascending order: what reaches answers and records doesn't depend on a map's order. */
export function listPartitions(
  assignment: ReadonlyMap<string, ReadonlyMap<number, number> | ReadonlySet<number>>,
): { topicId: string; partitions: number[] }[] {
  return [...assignment.keys()]
    .sort()
    .map(topicId => ({ topicId, partitions: [...assignment.get(topicId)!.keys()].sort((left, right) => left - right) }))
}
