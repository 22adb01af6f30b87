/**
 * Timers of one shard, by key.
 *
 * Invariants: a timer that is cancelled or replaced never runs, whatever it was waiting for. One that is due acts only
 * after the requests that had arrived were handled (`ListenFirst`), and when the thread or the process was held up
 * around its time, a second after that: a client whose requests could not be read, or who was held up itself, speaks
 * first. Putting a timer off, as each heartbeat does with its member's, costs a store: the host's timer fires at the
 * old time and is set again.
 *
 * How a hold-up is seen: a timer of more than a second wakes half a second ahead of its time, for nothing but to find
 * out whether it is late. If it is not, whoever had to speak has had all of the time but the last half second.
 */
import type { Clock, TimerId, Timers } from '../host/host.ts'
import type { ListenFirst } from './ports.ts'
import type { CoordinatorTimers, Outcome } from './shard.ts'

const AHEAD_MS = 500
/** A wake-up that is later than this was held up. */
const HELD_UP_MS = 100
const GRACE_MS = 1_000
const RETRY_MS = 500

export interface ShardTimersOptions<R> {
  readonly clock: Clock
  readonly timers: Timers
  readonly listenFirst: ListenFirst
  /**
   * Runs an operation as a write. `failed` is called once if it comes to nothing: `mayRetry` false when the shard is
   * gone. Never calls it after the write was committed.
   */
  readonly write: (
    name: string,
    operation: () => Outcome<R, void>,
    settled: { committed(): void; failed(mayRetry: boolean): void },
  ) => void
}

interface Entry<R> {
  readonly key: string
  dueMs: number
  /** When the host's timer fires; meaningless when there is none. */
  wakeMs: number
  hostTimer: TimerId
  operation: () => Outcome<R, void>
  retry: boolean
}

export class ShardTimers<R> implements CoordinatorTimers<R> {
  readonly #options: ShardTimersOptions<R>
  readonly #entries = new Map<string, Entry<R>>()
  /** Due ones whose operation is being written: cancelling one of those forbids its retry. */
  readonly #writing = new Map<string, Entry<R>>()

  constructor(options: ShardTimersOptions<R>) {
    this.#options = options
  }

  get size(): number {
    return this.#entries.size
  }

  schedule(key: string, delayMs: number, operation: () => Outcome<R, void>, options?: { retry?: boolean }): void {
    const retry = options?.retry ?? true
    if (this.#writing.size > 0) this.#writing.delete(key)
    const entry = this.#entries.get(key)
    const nowMs = this.#options.clock.monotonicMs()
    const dueMs = nowMs + Math.max(0, delayMs)
    if (entry === undefined) {
      const made: Entry<R> = { key, dueMs, wakeMs: 0, hostTimer: 0, operation, retry }
      this.#entries.set(key, made)
      this.#arm(made)
      return
    }
    entry.operation = operation
    entry.retry = retry
    this.#move(entry, dueMs, nowMs)
  }

  putOff(key: string, delayMs: number): boolean {
    const entry = this.#entries.get(key)
    if (entry === undefined) return false
    const nowMs = this.#options.clock.monotonicMs()
    this.#move(entry, nowMs + Math.max(0, delayMs), nowMs)
    return true
  }

  scheduleIfAbsent(key: string, delayMs: number, operation: () => Outcome<R, void>): void {
    if (!this.#entries.has(key)) this.schedule(key, delayMs, operation)
  }

  cancel(key: string): void {
    this.#writing.delete(key)
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    this.#entries.delete(key)
    this.#disarm(entry)
  }

  isScheduled(key: string): boolean {
    return this.#entries.has(key)
  }

  cancelAll(): void {
    for (const entry of this.#entries.values()) this.#disarm(entry)
    this.#entries.clear()
    this.#writing.clear()
  }

  #move(entry: Entry<R>, dueMs: number, nowMs: number): void {
    entry.dueMs = dueMs
    if (entry.hostTimer === 0 || entry.wakeMs > wakeFor(dueMs, nowMs)) this.#arm(entry)
  }

  #arm(entry: Entry<R>): void {
    this.#wakeAt(entry, wakeFor(entry.dueMs, this.#options.clock.monotonicMs()))
  }

  #wakeAt(entry: Entry<R>, wakeMs: number): void {
    this.#disarm(entry)
    entry.wakeMs = wakeMs
    entry.hostTimer = this.#options.timers.at(wakeMs, () => this.#woken(entry))
  }

  #disarm(entry: Entry<R>): void {
    if (entry.hostTimer !== 0) this.#options.timers.cancel(entry.hostTimer)
    entry.hostTimer = 0
  }

  #woken(entry: Entry<R>): void {
    entry.hostTimer = 0
    const nowMs = this.#options.clock.monotonicMs()
    const heldUp = nowMs - entry.wakeMs > HELD_UP_MS
    if (heldUp && entry.dueMs < nowMs + GRACE_MS) {
      this.#wakeAt(entry, nowMs + GRACE_MS)
      return
    }
    if (entry.dueMs > nowMs) {
      this.#arm(entry)
      return
    }
    const { dueMs } = entry
    this.#options.listenFirst.whenHeard(() => {
      // Cancelled, or put off, by what was heard.
      if (this.#entries.get(entry.key) !== entry || entry.dueMs !== dueMs) {
        if (this.#entries.get(entry.key) === entry && entry.hostTimer === 0) this.#arm(entry)
        return
      }
      this.#run(entry)
    })
  }

  #run(entry: Entry<R>): void {
    const { key, operation, retry } = entry
    this.#entries.delete(key)
    this.#disarm(entry)
    this.#writing.set(key, entry)
    const isCurrent = () => this.#writing.get(key) === entry
    this.#options.write(`timer ${key}`, operation, {
      committed: () => {
        if (isCurrent()) this.#writing.delete(key)
      },
      failed: mayRetry => {
        // Cancelled or scheduled again meanwhile.
        if (!isCurrent()) return
        this.#writing.delete(key)
        if (retry && mayRetry) this.schedule(key, RETRY_MS, operation, { retry })
      },
    })
  }
}

function wakeFor(dueMs: number, nowMs: number): number {
  return dueMs - nowMs > 2 * AHEAD_MS ? dueMs - AHEAD_MS : dueMs
}
