/**
 * When retention runs: a while after the start, then every `log.retention.check.interval.ms`, for one partition after the
 * other. What goes is the log's decision; here it is only asked.
 *
 * Invariant: a log that fails says so itself.
 */
import type { Host } from '../host/host.ts'
import type { Partition } from '../partition/partition.ts'
import { Rounds } from './rounds.ts'

/** Partitions asked at once. */
const AT_ONCE = 64

export interface RetentionOptions {
  readonly host: Host
  readonly partitions: () => Iterable<Partition>
  readonly initialDelayMs: number
  readonly intervalMs: number
  /** A log could not be asked. */
  readonly onFailed: (partition: Partition, error: unknown) => void
}

export class Retention {
  readonly #options: RetentionOptions
  readonly #rounds: Rounds

  constructor(options: RetentionOptions) {
    this.#options = options
    this.#rounds = new Rounds(options.host, options.initialDelayMs, () => this.#round())
  }

  close(): void {
    this.#rounds.close()
  }

  async #round(): Promise<number> {
    let together: Promise<void>[] = []
    for (const partition of [...this.#options.partitions()]) {
      together.push(this.#retain(partition))
      if (together.length < AT_ONCE) continue
      await Promise.all(together)
      if (this.#rounds.closed) break
      together = []
    }
    await Promise.all(together)
    return this.#options.intervalMs
  }

  async #retain(partition: Partition): Promise<void> {
    try {
      await partition.retain()
    } catch (error) {
      if (!this.#rounds.closed && partition.unavailable === 0) this.#options.onFailed(partition, error)
    }
  }
}
