/**
 * When logs are looked over: for what `flush.ms` wants on disk, and for checkpoints that have something new.
 *
 * Invariants: one command a directory and look, however many logs there are; the engine knows which were written to. No
 * timer runs for `flush.ms` until a topic has one.
 */
import type { Host } from '../host/host.ts'
import type { LogDirectory } from '../log/log.ts'
import { Rounds } from './rounds.ts'

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
  readonly #checkpoints: Rounds | undefined
  #flushMs = Number.MAX_SAFE_INTEGER
  #flushes: Rounds | undefined
  #closed = false

  constructor(options: FlushingOptions) {
    this.#options = options
    const checkpointMs = Math.min(...options.checkpointIntervalsMs.filter(ms => ms > 0))
    if (checkpointMs < Number.POSITIVE_INFINITY) this.#checkpoints = this.#looks(checkpointMs, true)
  }

  /** A topic has this `flush.ms`. */
  expect(flushMs: number): void {
    if (flushMs >= this.#flushMs || this.#closed) return
    this.#flushMs = flushMs
    const { schedulerIntervalMs } = this.#options
    this.#flushes?.close()
    this.#flushes = this.#looks(schedulerIntervalMs < Number.MAX_SAFE_INTEGER ? schedulerIntervalMs : flushMs, false)
  }

  close(): void {
    this.#closed = true
    this.#flushes?.close()
    this.#checkpoints?.close()
  }

  #looks(everyMs: number, sweep: boolean): Rounds {
    const pauseMs = Math.max(everyMs, LEAST_MS)
    return new Rounds(this.#options.host, pauseMs, () => this.#look(sweep).then(() => pauseMs))
  }

  async #look(sweep: boolean): Promise<void> {
    const online = this.#options.directories.filter(directory => !directory.offline)
    // A directory that fails says so itself.
    await Promise.allSettled(online.map(directory => directory.look(sweep)))
  }
}
