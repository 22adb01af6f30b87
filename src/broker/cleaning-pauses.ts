/**
 * Keeps compaction away from a log that is being copied to another directory. A pass between two parts of the copy
 * could take a tombstone from where the copy has not come yet, whose older record the copy has already.
 *
 * Invariant: no pass begins while its partition is paused, and nothing is copied before a pass that runs has ended.
 */
import type { Partition } from '../partition/partition.ts'

export class CleaningPauses {
  readonly #paused = new Set<Partition>()
  readonly #running = new Map<Partition, Promise<unknown>>()

  /** Resolves when no pass runs any more; none begins before `resume`. */
  async pause(partition: Partition): Promise<void> {
    this.#paused.add(partition)
    await this.#running.get(partition)?.catch(() => {})
  }

  resume(partition: Partition): void {
    this.#paused.delete(partition)
  }

  isPaused(partition: Partition): boolean {
    return this.#paused.has(partition)
  }

  /** Carries out a pass of a partition that is not paused. */
  async run<Result>(partition: Partition, pass: () => Promise<Result>): Promise<Result> {
    const running = pass()
    this.#running.set(partition, running)
    try {
      return await running
    } finally {
      this.#running.delete(partition)
    }
  }
}
