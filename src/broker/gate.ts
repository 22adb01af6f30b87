/**
 * Stands before the router while the broker starts: clients may connect as soon as the port is bound (its number has to
 * be registered before the broker can be unfenced), and are answered when there is something true to say.
 *
 * Invariants: requests pass in the order in which they came; those that wait are kept with a copy of their bytes, at
 * most what the reactor delivers of each connection before its first answer. Only `broker.ts` holds one.
 */
import type { Connection, IncomingRequest, ListenerHandler } from '../net/net.ts'

export class Gate implements ListenerHandler {
  readonly #behind: ListenerHandler
  #held: IncomingRequest[] | undefined = []

  constructor(behind: ListenerHandler) {
    this.#behind = behind
  }

  /** Lets through what waits, and everything from now on. */
  open(): void {
    const held = this.#held ?? []
    this.#held = undefined
    for (const request of held) this.#behind.onRequest(request)
  }

  onConnected(connection: Connection): void {
    this.#behind.onConnected?.(connection)
  }

  onRequest(request: IncomingRequest): void {
    if (this.#held === undefined) this.#behind.onRequest(request)
    else this.#held.push(kept(request))
  }

  onClosed(connection: Connection, reason: string): void {
    this.#behind.onClosed?.(connection, reason)
  }
}

/** The bytes of a request are valid only while it is delivered. */
function kept(request: IncomingRequest): IncomingRequest {
  const { connection, sequence, frame, frameBytes, arrivedUs } = request
  const elisions = [...request.elisions]
  return { connection, sequence, frame, frameBytes, arrivedUs, elisions, bytes: request.bytes.slice() }
}
