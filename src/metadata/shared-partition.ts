/**
 * One object for partitions that are alike: of the many in a cluster most say the same of replicas, ISR and leader, and
 * a broker with a hundred thousand of them keeps a handful of images. Used by `delta.ts` alone.
 *
 * Invariant: what is handed out is never changed, so nobody can tell whether it is shared.
 */
import type { PartitionImage } from './image.ts'

/** Images that are remembered; then it begins anew. */
const MOST = 4096

const known = new Map<string, PartitionImage>()
/** What was handed out last: nearly always the next is like it, and comparing is cheaper than a key. */
let last: PartitionImage | undefined

/** `image`, or the one that was made before and says the same. */
export function shared(image: PartitionImage): PartitionImage {
  if (last !== undefined && isSame(last, image)) return last
  const key = keyOf(image)
  last = known.get(key)
  if (last !== undefined) return last
  if (known.size >= MOST) known.clear()
  known.set(key, image)
  last = image
  return image
}

function isSame(one: PartitionImage, other: PartitionImage): boolean {
  return (
    one.leader === other.leader &&
    one.leaderRecoveryState === other.leaderRecoveryState &&
    one.leaderEpoch === other.leaderEpoch &&
    one.partitionEpoch === other.partitionEpoch &&
    areEqual(one.replicas, other.replicas) &&
    areEqual(one.directories, other.directories) &&
    areEqual(one.isr, other.isr) &&
    areEqual(one.removingReplicas, other.removingReplicas) &&
    areEqual(one.addingReplicas, other.addingReplicas) &&
    areEqual(one.elr, other.elr) &&
    areEqual(one.lastKnownElr, other.lastKnownElr)
  )
}

function areEqual(one: readonly unknown[], other: readonly unknown[]): boolean {
  if (one.length !== other.length) return false
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false
  return true
}

function keyOf(image: PartitionImage): string {
  const { replicas, directories, isr, removingReplicas, addingReplicas, elr, lastKnownElr } = image
  const { leader, leaderRecoveryState, leaderEpoch, partitionEpoch } = image
  return (
    `${leader} ${leaderRecoveryState} ${leaderEpoch} ${partitionEpoch};${replicas};${directories};${isr};` +
    `${removingReplicas};${addingReplicas};${elr};${lastKnownElr}`
  )
}
