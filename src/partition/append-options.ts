/** How a partition's appends are carried out: objects that all partitions in one epoch share. */
import type { AppendOptions } from '../log/log.ts'
import { Origin, Wake } from '../log/log.ts'

/** Of one leader epoch. */
export interface EpochOptions {
  readonly awaitingSync: AppendOptions
  readonly awaitingAppend: AppendOptions
  readonly awaitingNothing: AppendOptions
}

/** Epochs that are remembered; then it begins anew. */
const MOST_EPOCHS = 1024
const optionsOf = new Map<number, EpochOptions>()

export function epochOptions(leaderEpoch: number, countsToSyncedEnd: boolean): EpochOptions {
  const key = leaderEpoch * 2 + (countsToSyncedEnd ? 1 : 0)
  let options = optionsOf.get(key)
  if (options === undefined) {
    if (optionsOf.size >= MOST_EPOCHS) optionsOf.clear()
    options = {
      awaitingSync: appendOptions(leaderEpoch, countsToSyncedEnd ? Wake.synced : Wake.appended),
      awaitingAppend: appendOptions(leaderEpoch, Wake.appended),
      awaitingNothing: appendOptions(leaderEpoch, Wake.never),
    }
    optionsOf.set(key, options)
  }
  return options
}

function appendOptions(leaderEpoch: number, wake: Wake): AppendOptions {
  return { leaderEpoch, origin: Origin.client, wake, expectedBase: -1, transactionVersion: 0 }
}
