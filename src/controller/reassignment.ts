/**
 * The replicas of a partition on their way from one set to another: those that come are added first, those that go are
 * removed when the others are in sync. Pure; the rules are Kafka's.
 */
import type { PartitionImage } from '../metadata/image.ts'

export interface Assignment {
  /** Those that come and those that go are among them. */
  readonly replicas: readonly number[]
  readonly adding: readonly number[]
  readonly removing: readonly number[]
}

export function assignmentOf({ replicas, addingReplicas, removingReplicas }: PartitionImage): Assignment {
  return { replicas, adding: addingReplicas, removing: removingReplicas }
}

export function isReassigned({ addingReplicas, removingReplicas }: PartitionImage): boolean {
  return addingReplicas.length > 0 || removingReplicas.length > 0
}

/** The first step towards `target`. With nothing new to add, or to remove, what is under way stays so, as in Kafka. */
export function assignmentTowards(partition: PartitionImage, target: readonly number[]): Assignment {
  const { replicas, addingReplicas, removingReplicas } = partition
  const removing = difference(replicas, target)
  const adding = difference(target, replicas)
  return {
    replicas: [...target, ...removing],
    adding: adding.length === 0 ? addingReplicas : adding,
    removing: removing.length === 0 ? removingReplicas : removing,
  }
}

/** How many replicas there are, or will be when what is under way is done. */
export function replicationFactorOf({ replicas, addingReplicas, removingReplicas }: PartitionImage): number {
  return difference([...replicas, ...addingReplicas], removingReplicas).length
}

/** What a partition has when the change is done, if `isr` allows that now. */
export function completed(
  { replicas, adding, removing }: Assignment,
  isr: readonly number[],
): { readonly replicas: readonly number[]; readonly isr: readonly number[] } | undefined {
  if (adding.length === 0 && removing.length === 0) return undefined
  const stays = (replica: number): boolean => !removing.includes(replica)
  const left = replicas.filter(stays)
  const inSync = isr.filter(stays)
  if (left.length === 0 || inSync.length === 0 || !adding.every(replica => inSync.includes(replica))) return undefined
  // With fewer replicas than before, none of those that stay may be behind.
  if (adding.length < removing.length && !left.every(replica => inSync.includes(replica))) return undefined
  return { replicas: left, isr: inSync }
}

/** As it was before. `isUnclean`: all that is in sync has only just come, so that some records may be lost. */
export function takenBack(partition: PartitionImage): {
  readonly assignment: Assignment
  readonly isr: readonly number[]
  readonly isUnclean: boolean
} {
  const before = (replica: number): boolean => !partition.addingReplicas.includes(replica)
  const replicas = partition.replicas.filter(before)
  const isr = partition.isr.filter(before)
  const isUnclean = isr.length === 0
  return {
    assignment: { replicas, adding: [], removing: [] },
    isr: isUnclean ? replicas.slice(0, 1) : isr,
    isUnclean,
  }
}

/** Each once, in ascending order. */
function difference(from: readonly number[], what: readonly number[]): number[] {
  return [...new Set(from)].filter(id => !what.includes(id)).sort((a, b) => a - b)
}
