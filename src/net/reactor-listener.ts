/**
 * Listeners and connections over the native reactor.
 *
 * Invariants: `onConnected`, requests, `onClosed`, in this order, for each connection; no request is handled behind the
 * one that made us close; a handler that throws closes its connection and no other (the broker's router answers
 * before it comes to that). Replies to a connection that is gone are passed on all the same, because they
 * release frames and handles.
 */
import type {
  ArrivedFrame,
  BoundListener,
  ConnectionHandle,
  ConnectionInfo,
  ConnectionLimits,
  ConnectionSink,
  PreparedAnswer,
  Runtime,
} from '../native/types.ts'
import type {
  Connection,
  Elision,
  IncomingRequest,
  Listener,
  ListenerHandler,
  ListenOptions,
  Part,
  ReplyOptions,
} from './net.ts'

/** Kafka's socket.listen.backlog.size. */
const DEFAULT_BACKLOG = 50
const UNLIMITED: ConnectionLimits = { ofAll: 2 ** 31 - 1, ofListener: 2 ** 31 - 1, perIp: 2 ** 31 - 1 }
const NO_OPTIONS: ReplyOptions = {}
/** Requests in one round of the drain up to which answers written ahead cost less than they save (measured). */
const QUIET = 8

/**
 * Binds and accepts from now on.
 * @throws ListenError when the address can't be bound.
 */
export function listen(runtime: Runtime, options: ListenOptions, handler: ListenerHandler): Listener {
  return new ReactorListener(runtime, options, handler)
}

class ReactorListener implements Listener, ConnectionSink {
  readonly #runtime: Runtime
  readonly #handler: ListenerHandler
  readonly #bound: BoundListener
  /** By the reactor's slot. */
  readonly #connections: (ReactorConnection | undefined)[] = []

  constructor(runtime: Runtime, options: ListenOptions, handler: ListenerHandler) {
    this.#runtime = runtime
    this.#handler = handler
    this.#bound = runtime.listen(
      {
        host: options.host,
        port: options.port,
        maxFrameBytes: options.maxFrameBytes,
        overlapKeys: options.overlapKeys,
        backlog: options.backlog ?? DEFAULT_BACKLOG,
        idleTimeoutMs: Math.max(options.idleTimeoutMs ?? 0, 0),
        limits: options.limits ?? UNLIMITED,
      },
      this,
    )
  }

  get host(): string {
    return this.#bound.host
  }

  get port(): number {
    return this.#bound.port
  }

  limit(limits: ConnectionLimits): void {
    this.#runtime.limitListener(this.#bound.id, limits)
  }

  close(): Promise<void> {
    this.#runtime.closeListener(this.#bound.id)
    return Promise.resolve()
  }

  closeConnections(): void {
    for (const connection of this.#connections) connection?.close('the listener closes its connections')
  }

  connected(info: ConnectionInfo): void {
    const connection = new ReactorConnection(this.#runtime, this, info)
    this.#connections[info.connection.slot] = connection
    this.#guard(connection, () => this.#handler.onConnected?.(connection))
  }

  arrived(slot: number, _generation: number, frame: ArrivedFrame): void {
    const connection = this.#connections[slot]
    if (connection === undefined || connection.closing) {
      this.#runtime.release(frame.frame)
      return
    }
    try {
      this.#handler.onRequest(new ReactorRequest(connection, frame))
    } catch (error) {
      this.#runtime.release(frame.frame)
      connection.failed(error)
    }
  }

  closed(slot: number, _generation: number, reason: string): void {
    const connection = this.#connections[slot]
    this.#connections[slot] = undefined
    if (connection === undefined) return
    connection.open = false
    this.#guard(connection, () => this.#handler.onClosed?.(connection, reason))
  }

  #guard(connection: ReactorConnection, act: () => void): void {
    try {
      act()
    } catch (error) {
      connection.failed(error)
    }
  }
}

class ReactorRequest implements IncomingRequest {
  readonly connection: Connection
  readonly sequence: number
  readonly frame: number
  readonly frameBytes: number
  readonly bytes: Uint8Array
  readonly elisions: readonly Elision[]
  readonly arrivedUs: number

  constructor(connection: Connection, frame: ArrivedFrame) {
    this.connection = connection
    this.sequence = frame.sequence
    this.frame = frame.frame
    this.frameBytes = frame.frameBytes
    this.bytes = frame.bytes
    this.elisions = frame.elisions
    this.arrivedUs = frame.arrivedUs
  }
}

class ReactorConnection implements Connection {
  readonly listener: Listener
  readonly remoteHost: string
  readonly remotePort: number
  readonly localHost: string
  readonly localPort: number
  open = true
  /** We have closed it; what was on its way to us is not looked at. */
  closing = false
  context: unknown
  readonly #runtime: Runtime
  readonly #handle: ConnectionHandle

  constructor(runtime: Runtime, listener: Listener, info: ConnectionInfo) {
    this.#runtime = runtime
    this.#handle = info.connection
    this.listener = listener
    this.remoteHost = info.remoteHost
    this.remotePort = info.remotePort
    this.localHost = info.localHost
    this.localPort = info.localPort
  }

  get id(): string {
    return `${this.localHost}:${this.localPort}-${this.remoteHost}:${this.remotePort}-${this.#handle.slot}.${this.#handle.generation}`
  }

  reply(sequence: number, frame: number, parts: readonly Part[], options: ReplyOptions = NO_OPTIONS): void {
    this.#runtime.reply(this.#handle, sequence, frame, parts, options)
  }

  get quiet(): boolean {
    return this.#runtime.requestsAtHand <= QUIET
  }

  prepare(sequence: number, bytes: Uint8Array, offsetAt: number, untilSynced: boolean): PreparedAnswer {
    return { connection: this.#handle, sequence, bytes, offsetAt, untilSynced }
  }

  releaseFrame(frame: number): void {
    this.#runtime.release(frame)
  }

  close(reason: string): void {
    if (!this.open || this.closing) return
    this.closing = true
    this.#runtime.closeConnection(this.#handle, reason)
  }

  failed(error: unknown): void {
    this.close(`its handler failed: ${error instanceof Error ? error.message : String(error)}`)
  }
}
