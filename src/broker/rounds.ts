/**
 * Work that comes again: a pause, a round, a pause. For the broker's housekeeping (retention, cleaner, flushes).
 *
 * Invariants: one timer, armed when a round has ended, so that rounds never overlap. After `close` none begins; one
 * that runs asks `closed`.
 */
import type { Host, TimerId } from '../host/host.ts'

export class Rounds {
  readonly #host: Host
  readonly #round: () => Promise<number>
  #timer: TimerId = 0
  #closed = false

  /** `round` tells the milliseconds until the next one, and never rejects. */
  constructor(host: Host, firstMs: number, round: () => Promise<number>) {
    this.#host = host
    this.#round = round
    this.#arm(firstMs)
  }

  get closed(): boolean {
    return this.#closed
  }

  close(): void {
    this.#closed = true
    if (this.#timer !== 0) this.#host.timers.cancel(this.#timer)
    this.#timer = 0
  }

  #arm(delayMs: number): void {
    if (this.#closed) return
    const { clock, timers } = this.#host
    this.#timer = timers.at(clock.monotonicMs() + delayMs, () => {
      this.#timer = 0
      void this.#round().then(nextMs => this.#arm(nextMs))
    })
  }
}
