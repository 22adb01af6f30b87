/**
 * When retention runs: a while after the start, then every `log.retention.check.interval.ms`, for one partition after the
 * other. What goes is the log's decision; here it is only asked.
 *
 * Invariants: one timer, armed when a round has ended, so that rounds never overlap. A log that fails says so itself.
 */
import type { Host, TimerId } from '../host/host.ts'
import type { Partition } from '../partition/partition.ts'

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
  #timer: TimerId = 0
  #closed = false

  constructor(options: RetentionOptions) {
    this.#options = options
    this.#arm(options.initialDelayMs)
  }

  close(): void {
    this.#closed = true
    if (this.#timer !== 0) this.#options.host.timers.cancel(this.#timer)
    this.#timer = 0
  }

  #arm(delayMs: number): void {
    const { clock, timers } = this.#options.host
    this.#timer = timers.at(clock.monotonicMs() + delayMs, () => {
      this.#timer = 0
      void this.#round()
    })
  }

  async #round(): Promise<void> {
    let together: Promise<void>[] = []
    for (const partition of [...this.#options.partitions()]) {
      together.push(this.#retain(partition))
      if (together.length < AT_ONCE) continue
      await Promise.all(together)
      if (this.#closed) return
      together = []
    }
    await Promise.all(together)
    if (!this.#closed) this.#arm(this.#options.intervalMs)
  }

  async #retain(partition: Partition): Promise<void> {
    try {
      await partition.retain()
    } catch (error) {
      if (!this.#closed && partition.unavailable === 0) this.#options.onFailed(partition, error)
    }
  }
}
