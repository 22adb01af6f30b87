/**
 * What the broker sees of the network. Types only; `reactor-listener.ts` implements them over the native reactor.
 *
 * Invariants: requests of one connection are delivered in order, and the next only when all earlier ones are answered,
 * except that keys listed in `overlapKeys` may overlap one another; answers leave in request order whatever order
 * `reply` is called in. Each request is answered exactly once (or with `noAnswer`). A reply to a connection that is
 * gone still releases its frame and handles.
 */

import type { ConnectionLimits, PreparedAnswer } from '../native/types.ts'

/** Bytes made here, or a range of a pinned read (`ReadResult.handle`), or a staged buffer. */
export type Part = Uint8Array | { readonly handle: number; readonly from: number; readonly length: number }

export interface Elision {
  /** Where in `bytes` the records field's content begins (its first min(61, length) bytes follow there). */
  at: number
  /** Where in the frame it begins. */
  position: number
  /** Its whole length in the frame. */
  length: number
}

export interface IncomingRequest {
  readonly connection: Connection
  /** Number of the request on its connection. */
  readonly sequence: number
  /** Native handle of the frame; 0 when it was copied whole and freed. */
  readonly frame: number
  /** Bytes of the frame without its length prefix. */
  readonly frameBytes: number
  /** The copy: valid only during the handler's synchronous part. */
  readonly bytes: Uint8Array
  /** Record bytes that were left out of the copy. Empty: copied whole. */
  readonly elisions: readonly Elision[]
  /** Host clock, microseconds, wrapping at 2^32; when the frame's last byte arrived. */
  readonly arrivedUs: number
}

export interface ReplyOptions {
  /** Close the connection once this answer is written. */
  closeAfter?: boolean
  /** Nothing is written; the request counts as answered (acks=0). */
  noAnswer?: boolean
  /** Stop reading the connection for this long (quota). */
  muteMs?: number
}

export interface Connection {
  readonly id: string
  readonly remoteHost: string
  readonly remotePort: number
  /** The address the client dialled. */
  readonly localHost: string
  readonly localPort: number
  readonly listener: Listener
  readonly open: boolean
  /** For whoever handles the connection: fetch sessions, client software name, principal. */
  context: unknown
  /** `parts` without the 4-byte length: it is added here. */
  reply(sequence: number, frame: number, parts: readonly Part[], options?: ReplyOptions): void
  /** Few requests are at hand: writing an answer ahead saves a wake-up, where many would share one. */
  readonly quiet: boolean
  /**
   * Names an answer that leaves with the append it is given to, or with its sync; `bytes` as for `reply`, complete but
   * for 8 at `offsetAt`. Whoever handles the append hears whether it has left, or will; if not, `reply` is still due.
   */
  prepare(sequence: number, bytes: Uint8Array, offsetAt: number, untilSynced: boolean): PreparedAnswer
  /** Gives a held frame back before its reply (which then names frame 0): a request that waits holds no frame. */
  releaseFrame(frame: number): void
  close(reason: string): void
}

export interface ListenOptions {
  host: string
  port: number
  /** socket.request.max.bytes */
  maxFrameBytes: number
  overlapKeys: readonly number[]
  /** socket.listen.backlog.size, connections.max.idle.ms; max.connections and its kin */
  backlog?: number
  idleTimeoutMs?: number
  limits?: ConnectionLimits
}

export interface ListenerHandler {
  onConnected?(connection: Connection): void
  /** Called inside a drain. A throw is answered by the caller of this handler, not by the reactor. */
  onRequest(request: IncomingRequest): void
  onClosed?(connection: Connection, reason: string): void
}

export interface Listener {
  readonly host: string
  /** The bound port (when 0 was asked). */
  readonly port: number
  /** From the next connection on. */
  limit(limits: ConnectionLimits): void
  /** Stops accepting; existing connections go on until `closeConnections`. */
  close(): Promise<void>
  closeConnections(): void
}
