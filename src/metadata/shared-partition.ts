/**
 * One object for partitions that are alike: of the many in a cluster most say the same of replicas, ISR and leader, and a
 * broker with a hundred thousand of them keeps a handful of images. Used by `delta.ts` alone.
 *
 * Invariant: what is handed out is never changed, so nobody can tell whether it is shared.
 */
import type { PartitionImage } from './image.ts'

/** Images that are remembered; then it begins anew. */
const MOST = 4096

const known = new Map<string, PartitionImage>()

/** `image`, or the one that was made before and says the same. */
export function shared(image: PartitionImage): PartitionImage {
  const key = keyOf(image)
  const same = known.get(key)
  if (same !== undefined) return same
  if (known.size >= MOST) known.clear()
  known.set(key, image)
  return image
}

function keyOf(image: PartitionImage): string {
  const { replicas, directories, isr, removingReplicas, addingReplicas, elr, lastKnownElr } = image
  const { leader, leaderRecoveryState, leaderEpoch, partitionEpoch } = image
  return (
    `${leader} ${leaderRecoveryState} ${leaderEpoch} ${partitionEpoch};${replicas};${directories};${isr};` +
    `${removingReplicas};${addingReplicas};${elr};${lastKnownElr}`
  )
}
