/**
 * When logs are looked over: for what `flush.ms` wants on disk, and for checkpoints that have something new.
 *
 * Invariants: one command a directory and look, however many logs there are; the engine knows which were written to. No
 * timer runs for `flush.ms` until a topic has one.
 */
import type { Host, TimerId } from '../host/host.ts'
import type { LogDirectory } from '../log/log.ts'

/** No look comes more often. */
const LEAST_MS = 10

export interface FlushingOptions {
  readonly host: Host
  readonly directories: readonly LogDirectory[]
  /** `log.flush.scheduler.interval.ms`. */
  readonly schedulerIntervalMs: number
  /** How often each checkpoint is to be written; 0: not by time. */
  readonly checkpointIntervalsMs: readonly number[]
}

export class Flushing {
  readonly #options: FlushingOptions
  readonly #checkpointMs: number
  #flushMs = Number.MAX_SAFE_INTEGER
  #flushTimer: TimerId = 0
  #checkpointTimer: TimerId = 0
  #closed = false

  constructor(options: FlushingOptions) {
    this.#options = options
    this.#checkpointMs = Math.min(...options.checkpointIntervalsMs.filter(ms => ms > 0))
    this.#armCheckpoint()
  }

  /** A topic has this `flush.ms`. */
  expect(flushMs: number): void {
    if (flushMs >= this.#flushMs || this.#closed) return
    this.#flushMs = flushMs
    this.#armFlush()
  }

  close(): void {
    this.#closed = true
    const { timers } = this.#options.host
    timers.cancel(this.#flushTimer)
    timers.cancel(this.#checkpointTimer)
  }

  #armFlush(): void {
    const { schedulerIntervalMs } = this.#options
    const everyMs = schedulerIntervalMs < Number.MAX_SAFE_INTEGER ? schedulerIntervalMs : this.#flushMs
    // A look that was under way when a topic came with less arms it a second time.
    this.#options.host.timers.cancel(this.#flushTimer)
    this.#flushTimer = this.#after(Math.max(everyMs, LEAST_MS), () => this.#look(false).then(() => this.#armFlush()))
  }

  #armCheckpoint(): void {
    if (this.#checkpointMs === Number.POSITIVE_INFINITY) return
    const again = () => this.#look(true).then(() => this.#armCheckpoint())
    this.#checkpointTimer = this.#after(Math.max(this.#checkpointMs, LEAST_MS), again)
  }

  #after(ms: number, act: () => Promise<void>): TimerId {
    const { clock, timers } = this.#options.host
    return this.#closed ? 0 : timers.at(clock.monotonicMs() + ms, () => void act())
  }

  async #look(sweep: boolean): Promise<void> {
    const online = this.#options.directories.filter(directory => !directory.offline)
    // A directory that fails says so itself.
    await Promise.allSettled(online.map(directory => directory.look(sweep)))
  }
}
