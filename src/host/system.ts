/**
 * The host that the process runs on: Node, Bun or Deno. The three agree on everything used here,
 * so there is one adapter.
 *
 * Invariants: one runtime timer is armed, for the first of all timers; none is when there are none. Timers don't keep
 * the process alive: whoever must not be interrupted holds the native runtime.
 */
import process from 'node:process'
import { clearTimeout, setImmediate, setTimeout } from 'node:timers'
import type { Host, TimerId, Timers } from './host.ts'
import { TimerQueue } from './timer-queue.ts'

/** The longest delay that a runtime timer takes. */
const LONGEST_DELAY_MS = 2 ** 31 - 1

class SystemTimers implements Timers {
  readonly #queue = new TimerQueue()
  #armed: ReturnType<typeof setTimeout> | undefined
  #armedForMs = Number.POSITIVE_INFINITY
  readonly #fireDue = () => this.#fire()

  at(atMs: number, fire: () => void): TimerId {
    const id = this.#queue.add(atMs, fire)
    if (atMs < this.#armedForMs) this.#arm()
    return id
  }

  cancel(id: TimerId): void {
    this.#queue.remove(id)
    // Armed for one that is gone, it fires once for nothing; that is cheaper than arming it again for each.
    if (this.#queue.size === 0) this.#disarm()
  }

  #arm(): void {
    this.#disarm()
    const headMs = this.#queue.headMs
    if (headMs === undefined) return
    this.#armedForMs = headMs
    const delayMs = Math.min(Math.max(Math.ceil(headMs - performance.now()), 0), LONGEST_DELAY_MS)
    this.#armed = setTimeout(this.#fireDue, delayMs)
    this.#armed.unref()
  }

  #disarm(): void {
    if (this.#armed !== undefined) clearTimeout(this.#armed)
    this.#armed = undefined
    this.#armedForMs = Number.POSITIVE_INFINITY
  }

  #fire(): void {
    this.#armed = undefined
    this.#armedForMs = Number.POSITIVE_INFINITY
    try {
      const nowMs = performance.now()
      for (;;) {
        const fire = this.#queue.takeDue(nowMs)
        if (fire === undefined) break
        fire()
      }
    } finally {
      this.#arm()
    }
  }
}

const pool = new Uint32Array(1024)
let unused = 0

function u32(): number {
  if (unused === 0) {
    crypto.getRandomValues(pool)
    unused = pool.length
  }
  return pool[--unused] as number
}

function listen(event: 'exit' | 'SIGINT' | 'SIGTERM', listener: () => void): () => void {
  const heard = () => listener()
  process.on(event, heard)
  return () => void process.off(event, heard)
}

const host: Host = {
  clock: { monotonicMs: () => performance.now(), wallMs: () => Date.now() },
  timers: new SystemTimers(),
  random: { u32, bytes: length => crypto.getRandomValues(new Uint8Array(length)) },
  loop: { yield: task => void setImmediate(task), microtask: task => queueMicrotask(task) },
  process: {
    pid: process.pid,
    onExit: listener => listen('exit', listener),
    onSignal: (signal, listener) => listen(signal, listener),
  },
}

/** The one host of this environment. */
export function systemHost(): Host {
  return host
}
