/**
 * A host whose time stands still until it is moved, whose chance has a seed, and whose loop turns when it is told to.
 * For tests and the simulator.
 *
 * Invariants: the same seed and the same calls give the same run; timers fire in order, each at exactly its own time
 * unless the thread was held up; microtasks (the real ones) are run out between any two steps.
 */
import { setImmediate } from 'node:timers'
import { Prng } from '../base/prng.ts'
import type { Clock, Host, Loop, ProcessPort, Random, Timers } from './host.ts'
import { TimerQueue } from './timer-queue.ts'

export class SimulatedHost implements Host {
  readonly clock: Clock = { monotonicMs: () => this.#nowMs, wallMs: () => Math.floor(this.#startMs + this.#nowMs) }
  readonly timers: Timers
  readonly random: Random
  readonly loop: Loop
  readonly process: ProcessPort
  readonly #startMs: number
  readonly #queue = new TimerQueue()
  readonly #yielded: (() => void)[] = []
  readonly #exitListeners = new Set<() => void>()
  readonly #signalListeners = { SIGINT: new Set<() => void>(), SIGTERM: new Set<() => void>() }
  #nowMs = 0

  constructor(options: { seed: number; wallMs?: number }) {
    this.#startMs = options.wallMs ?? Date.UTC(2026, 0, 1)
    const prng = new Prng(options.seed)
    this.random = { u32: () => prng.u32(), bytes: length => Uint8Array.from({ length }, () => prng.u32() >>> 24) }
    this.timers = { at: (atMs, fire) => this.#queue.add(atMs, fire), cancel: id => this.#queue.remove(id) }
    this.loop = { yield: task => void this.#yielded.push(task), microtask: task => queueMicrotask(task) }
    this.process = {
      pid: 1,
      onExit: listener => enter(this.#exitListeners, listener),
      onSignal: (signal, listener) => enter(this.#signalListeners[signal], listener),
    }
  }

  /** Runs what is queued, and what that queues, without moving time. */
  async settle(): Promise<void> {
    await runMicrotasks()
    for (;;) {
      const task = this.#yielded.shift() ?? this.#queue.takeDue(this.#nowMs)
      if (task === undefined) return
      task()
      await runMicrotasks()
    }
  }

  /** Moves time on, stopping at each timer on the way. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms
    await this.settle()
    for (;;) {
      const headMs = this.#queue.headMs
      if (headMs === undefined || headMs > untilMs) break
      this.#nowMs = Math.max(this.#nowMs, headMs)
      await this.settle()
    }
    this.#nowMs = untilMs
  }

  /** The thread was held up: time has passed, and nothing happened meanwhile. */
  holdUp(ms: number): void {
    this.#nowMs += ms
  }

  /** When the first timer comes due; undefined when there is none. */
  get nextTimerMs(): number | undefined {
    return this.#queue.headMs
  }

  exit(): void {
    for (const listener of [...this.#exitListeners]) listener()
  }

  signal(signal: 'SIGINT' | 'SIGTERM'): void {
    for (const listener of [...this.#signalListeners[signal]]) listener()
  }
}

function enter(listeners: Set<() => void>, listener: () => void): () => void {
  const own = () => listener()
  listeners.add(own)
  return () => void listeners.delete(own)
}

function runMicrotasks(): Promise<void> {
  return new Promise(resolve => void setImmediate(resolve))
}
