/**
 * The drain: how commands leave and news arrives, whatever they are about. The base of `engine-commands.ts`.
 *
 * Invariants: the addon is called once a batch: what is written outside a drain leaves in one microtask, what is
 * written inside leaves with the next round. A drain ends when nothing is left or its budget is spent, and then goes on
 * after other work had its turn. An exception in a drain is fatal: it is told to `onFatal`, and nothing works any more.
 */
import type { Host } from '../host/host.ts'
import type { Binding } from './binding.ts'
import { Inbox } from './inbox.ts'
import { binding } from './index.ts'
import * as layout from './layout.ts'
import { Outbox } from './outbox.ts'
import type { Counters, Role } from './types.ts'

const BOX_BYTES = 1 << 20
/** Inline bytes of one record above this are staged instead, so that one record does not fill the outbox. */
export const INLINE_BYTES = BOX_BYTES / 4
const DRAIN_ROUNDS = 32
const DRAIN_MS = 1
/** So long at most somebody waits for an inbox that never gets empty. */
const HEARD_MS = 100
const NO_INBOX = new Uint8Array(0)
const ROLES: readonly Role[] = ['lane', 'sync', 'read', 'background']

export abstract class RuntimeCore {
  protected readonly binding: Binding
  protected readonly host: Host
  protected readonly manual: boolean
  protected readonly id: number
  protected readonly outbox: Outbox
  protected readonly inbox = new Inbox(BOX_BYTES)
  /** Microseconds to add to the reactor's to make them the host clock's. */
  protected readonly offsetUs: number
  /** Why nothing works any more. */
  protected ended: string | undefined
  #keepers = 0
  #draining = false
  #scheduled = false
  /** The last drain left nothing behind. */
  #caughtUp = true
  #listening: (() => void)[] = []
  readonly #fatalListeners: ((text: string) => void)[] = []
  readonly #drain = () => this.drain()

  protected constructor(host: Host, manual: boolean) {
    this.binding = binding()
    this.host = host
    this.manual = manual
    this.outbox = new Outbox(
      BOX_BYTES,
      () => this.dispatch(),
      () => this.#schedule(),
    )
    this.id = this.binding.openRuntime(this.#drain, manual)
    this.offsetUs = Math.round(host.clock.monotonicMs() * 1000)
  }

  /** Hands one record of the inbox to whom it concerns. */
  protected abstract handle(kind: number, at: number): void

  /** Tells everybody who waits that nothing comes any more. */
  protected abstract failEverything(text: string): void

  /** Requests that the present round of the drain brought: how busy it is. */
  requestsAtHand = 0

  // Life.

  ref(): void {
    if (this.#keepers++ === 0 && !this.manual) this.binding.keepAlive(this.id, true)
  }

  unref(): void {
    if (--this.#keepers === 0 && !this.manual) this.binding.keepAlive(this.id, false)
  }

  step(role: Role): boolean {
    this.dispatch()
    return this.binding.step(this.id, ROLES.indexOf(role))
  }

  flushSync(timeoutMs: number): boolean {
    if (this.ended !== undefined) return false
    this.dispatch()
    return this.binding.flushSync(this.id, timeoutMs)
  }

  counters(): Counters {
    return this.binding.counters(this.id)
  }

  onFatal(listener: (text: string) => void): void {
    this.#fatalListeners.push(listener)
  }

  protected fatal(text: string): void {
    if (this.ended !== undefined) return
    this.ended = text
    for (const listener of this.#fatalListeners) listener(text)
    if (this.#fatalListeners.length === 0) {
      this.host.loop.yield(() => {
        throw new Error(`Odradek cannot go on: ${text}`)
      })
    }
    this.failEverything(text)
  }

  protected end(): void {
    if (this.ended === undefined) this.dispatch()
    this.binding.closeRuntime(this.id)
    this.ended ??= 'the runtime is closed'
    this.failEverything(this.ended)
  }

  // Draining.

  /** Sends what is written, leaving the inbox alone. */
  protected dispatch(): void {
    if (this.outbox.length === 0) return
    const length = this.outbox.length
    this.outbox.sent()
    this.binding.turn(this.id, this.outbox.memory, length, NO_INBOX)
  }

  /** Something was written outside a drain: one drain at the end of the job takes it along. */
  #schedule(): void {
    if (this.#draining || this.#scheduled) return
    this.#scheduled = true
    this.host.loop.microtask(() => {
      this.#scheduled = false
      if (this.outbox.length > 0) this.drain()
    })
  }

  drain(): void {
    if (this.#draining || this.ended !== undefined) return
    this.#draining = true
    try {
      this.#caughtUp = !this.#rounds()
      if (!this.#caughtUp) {
        this.dispatch()
        this.host.loop.yield(this.#drain)
      }
    } catch (error) {
      this.fatal(error instanceof Error ? (error.stack ?? error.message) : String(error))
    } finally {
      this.#draining = false
    }
  }

  whenHeard(done: () => void): void {
    this.#listening.push(done)
    if (this.#listening.length > 1) return
    const { clock, loop } = this.host
    const untilMs = clock.monotonicMs() + HEARD_MS
    const listen = () => {
      this.drain()
      if (!this.#caughtUp && clock.monotonicMs() < untilMs && this.ended === undefined) {
        loop.yield(listen)
        return
      }
      const heard = this.#listening
      this.#listening = []
      // One turn more: what the handlers of those requests put off to microtasks is done then.
      loop.yield(() => {
        for (const each of heard) each()
      })
    }
    loop.yield(listen)
  }

  /** True: there may be more, but the budget is spent. */
  #rounds(): boolean {
    const { clock } = this.host
    const { inbox, outbox } = this
    const until = clock.monotonicMs() + DRAIN_MS
    for (let round = 1; ; round++) {
      const length = outbox.length
      outbox.sent()
      const filled = this.binding.turn(this.id, outbox.memory, length, inbox.memory)
      if (filled === 0) return false
      this.requestsAtHand = 0
      for (let at = 0; at < filled; at += inbox.size(at)) {
        if (inbox.kind(at) === layout.REQUEST) this.requestsAtHand++
      }
      for (let at = 0; at < filled; at += inbox.size(at)) {
        const kind = inbox.kind(at)
        if (kind === layout.FATAL) this.fatal(inbox.plainText(at))
        else this.handle(kind, at)
        if (this.ended !== undefined) return false
      }
      if (round >= DRAIN_ROUNDS || clock.monotonicMs() >= until) return true
    }
  }

  // Held memory.

  stage(bytes: Uint8Array): number {
    return this.binding.stage(this.id, bytes)
  }

  copyOut(handle: number, position: number, into: Uint8Array): number {
    return this.binding.copyOut(this.id, handle, position, into)
  }

  release(handle: number): void {
    if (handle === 0 || this.ended !== undefined) return
    this.outbox.begin(layout.RELEASE, 0, 0, 0, 4)
    this.outbox.u32(handle)
  }

  /** Copies all of it out and gives it back. */
  protected contentOf(handle: number, bytes: number): Uint8Array {
    const content = new Uint8Array(bytes)
    this.copyOut(handle, 0, content)
    this.release(handle)
    return content
  }
}
