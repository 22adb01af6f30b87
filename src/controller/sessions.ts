/**
 * Which brokers this controller has heard from in its tenure, and how far each has come. Not in the log: a new tenure
 * begins without sessions.
 */
import type { Clock } from '../host/host.ts'

interface Session {
  readonly epoch: number
  contactMs: number
  metadataOffset: number
  /** End of the records that began its controlled shutdown; -1: it is not shutting down. */
  shutdownOffset: number
}

export class Sessions {
  readonly #clock: Clock
  readonly #timeoutMs: number
  readonly #sessions = new Map<number, Session>()

  constructor(clock: Clock, timeoutMs: number) {
    this.#clock = clock
    this.#timeoutMs = timeoutMs
  }

  /** The broker was heard from. `metadataOffset`: the newest that it has applied; -1: not told. */
  touch(brokerId: number, epoch: number, metadataOffset: number): void {
    const contactMs = this.#clock.monotonicMs()
    const session = this.#sessions.get(brokerId)
    if (session?.epoch === epoch) {
      session.contactMs = contactMs
      session.metadataOffset = metadataOffset
    } else {
      this.#sessions.set(brokerId, { epoch, contactMs, metadataOffset, shutdownOffset: -1 })
    }
  }

  /** Whether the broker of this epoch was heard from within the session timeout. */
  isLive(brokerId: number, epoch: number): boolean {
    const session = this.#sessions.get(brokerId)
    return session?.epoch === epoch && this.#clock.monotonicMs() - session.contactMs < this.#timeoutMs
  }

  forget(brokerId: number): void {
    this.#sessions.delete(brokerId)
  }

  beginShutdown(brokerId: number, offset: number): void {
    const session = this.#sessions.get(brokerId)
    if (session !== undefined && session.shutdownOffset < 0) session.shutdownOffset = offset
  }

  shutdownOffset(brokerId: number): number {
    return this.#sessions.get(brokerId)?.shutdownOffset ?? -1
  }

  metadataOffset(brokerId: number): number {
    return this.#sessions.get(brokerId)?.metadataOffset ?? -1
  }
}
