/**
 * Who has which partition of a group, kept up as members' assignments change.
 *
 * Invariants: timeline state; a partition that somebody has or has yet to give up is there, with
 * the epoch of that member.
 */
import { TimelineMap } from '../../../timeline/map.ts'
import type { Timeline } from '../../../timeline/timeline.ts'
import type { PartitionEpochs } from './assignment.ts'

export class PartitionOwners {
  readonly #timeline: Timeline
  /** Epoch of the member that has a partition, by topic id and partition. */
  readonly #epochs: TimelineMap<string, TimelineMap<number, number>>

  constructor(timeline: Timeline) {
    this.#timeline = timeline
    this.#epochs = new TimelineMap(timeline)
  }

  has(topicId: string, partition: number): boolean {
    return this.#epochs.get(topicId)?.has(partition) ?? false
  }

  /** Only what is still owned at `epoch`: in a compacted log the next owner can come before the former one lets go. */
  release(owned: PartitionEpochs | undefined, epoch: number): void {
    if (owned === undefined) return
    for (const [topicId, partitions] of owned) {
      const owners = this.#epochs.get(topicId)
      if (owners === undefined) continue
      for (const partition of partitions.keys()) if (owners.get(partition) === epoch) owners.delete(partition)
      if (owners.size === 0) this.#epochs.delete(topicId)
    }
  }

  own(owned: PartitionEpochs | undefined, epoch: number): void {
    if (owned === undefined) return
    for (const [topicId, partitions] of owned) {
      let owners = this.#epochs.get(topicId)
      if (owners === undefined) {
        owners = new TimelineMap(this.#timeline)
        this.#epochs.set(topicId, owners)
      }
      for (const partition of partitions.keys()) {
        const before = owners.get(partition)
        if (before === undefined || before < epoch) owners.set(partition, epoch)
      }
    }
  }
}
