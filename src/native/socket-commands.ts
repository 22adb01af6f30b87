/**
 * Listeners and connections: writes the reactor's commands, hands frames to the sink of their connection. The base of
 * `runtime.ts`; what it offers is said in `types.ts`.
 *
 * Invariants: a sink hears `connected`, frames, `closed`, in this order, for each connection; frames of a connection
 * that nobody knows are given back. Answers are written whole, length prefix and inline parts as one part.
 */
import { INLINE_BYTES } from './core.ts'
import { EngineCommands } from './engine-commands.ts'
import * as layout from './layout.ts'
import type {
  BoundListener,
  ConnectionHandle,
  ConnectionLimits,
  ConnectionSink,
  ConnectOptions,
  NativeListenOptions,
  OutgoingSink,
  ReplyPart,
} from './types.ts'

const NO_PROGRAM = 0xffff_ffff

interface OpenConnection {
  readonly generation: number
  readonly sink: ConnectionSink
}

export abstract class SocketCommands extends EngineCommands {
  readonly #listeners = new Map<number, ConnectionSink>()
  /** Connections that were asked for and have not been told of yet, by token. */
  readonly #outgoing = new Map<number, OutgoingSink>()
  readonly #connections: (OpenConnection | undefined)[] = []
  #lastToken = 0

  protected override handle(kind: number, at: number): void {
    switch (kind) {
      case layout.REQUEST:
      case layout.RESPONSE:
        return this.#arrived(at)
      case layout.CONNECTED:
        return this.#connected(at)
      case layout.CONNECT_FAILED: {
        const token = this.inbox.slot(at)
        const sink = this.#outgoing.get(token)
        this.#outgoing.delete(token)
        return sink?.failed(this.inbox.plainText(at))
      }
      case layout.CLOSED:
        return this.#closed(this.inbox.slot(at), this.inbox.plainText(at))
      default:
        return super.handle(kind, at)
    }
  }

  protected override failEverything(text: string): void {
    super.failEverything(text)
    for (const sink of this.#outgoing.values()) sink.failed(text)
    this.#outgoing.clear()
    for (let slot = 0; slot < this.#connections.length; slot++) this.#closed(slot, text)
  }

  #arrived(at: number): void {
    const slot = this.inbox.slot(at)
    const connection = this.#connections[slot]
    let frame = this.inbox.frame(at, this.offsetUs)
    if (this.inbox.isCut(at)) {
      frame = { ...frame, frame: 0, bytes: this.contentOf(frame.frame, frame.frameBytes) }
    }
    if (connection === undefined) this.release(frame.frame)
    else connection.sink.arrived(slot, connection.generation, frame)
  }

  #connected(at: number): void {
    const { outgoing, by, info } = this.inbox.connected(at)
    const sink = outgoing ? this.#outgoing.get(by) : this.#listeners.get(by)
    if (outgoing) this.#outgoing.delete(by)
    if (sink === undefined) {
      this.closeConnection(info.connection, 'nobody listens any more')
      return
    }
    this.#connections[info.connection.slot] = { generation: info.connection.generation, sink }
    sink.connected(info)
  }

  #closed(slot: number, reason: string): void {
    const connection = this.#connections[slot]
    this.#connections[slot] = undefined
    connection?.sink.closed(slot, connection.generation, reason)
  }

  registerSkim(direction: 'request' | 'response', apiKey: number, version: number, program: Uint8Array): void {
    this.binding.registerSkim(this.id, direction === 'response', apiKey, version, program)
  }

  setFrameBudget(bytes: number): void {
    this.binding.setFrameBudget(this.id, bytes)
  }

  listen(options: NativeListenOptions, sink: ConnectionSink): BoundListener {
    const bound = this.binding.listen(this.id, { ...options, overlapKeys: [...options.overlapKeys] })
    if (bound.error !== '') throw new ListenError(bound.error, options.host, options.port, bound.text)
    // Connections are told of in a drain, and this is none: the first one finds the sink.
    this.#listeners.set(bound.id, sink)
    return bound
  }

  limitListener(id: number, limits: ConnectionLimits): void {
    if (this.ended === undefined) this.binding.limitListener(this.id, id, limits)
  }

  closeListener(id: number): void {
    if (this.ended === undefined) this.binding.closeListener(this.id, id)
  }

  connect(options: ConnectOptions, sink: OutgoingSink): void {
    if (this.ended !== undefined) throw new Error(this.ended)
    const token = ++this.#lastToken
    const host = options.host.includes(':') ? `[${options.host}]` : options.host
    const address = this.outbox.utf8(`${host}:${options.port}`)
    this.#outgoing.set(token, sink)
    this.outbox.begin(layout.CONNECT, 0, token, 0, 8 + address.length)
    this.outbox.u32(options.maxFrameBytes)
    this.outbox.u32(address.length)
    this.outbox.bytes(address)
  }

  send(
    connection: ConnectionHandle,
    parts: readonly ReplyPart[],
    options: { noAnswer?: boolean; skim?: { apiKey: number; version: number } },
  ): void {
    const { skim } = options
    const program = skim === undefined ? NO_PROGRAM : ((skim.apiKey << 16) | skim.version) >>> 0
    const flags = options.noAnswer ? layout.REPLY_NO_ANSWER : 0
    this.#frame(layout.SEND, flags, connection, 0, program, 0, parts)
  }

  reply(
    connection: ConnectionHandle,
    sequence: number,
    frame: number,
    parts: readonly ReplyPart[],
    options: { closeAfter?: boolean; noAnswer?: boolean; muteMs?: number },
  ): void {
    const close = options.closeAfter ? layout.REPLY_CLOSE_AFTER : 0
    const muteMs = options.muteMs ?? 0
    if (!options.noAnswer) this.#frame(layout.REPLY, close, connection, sequence, frame, muteMs, parts)
    else this.#frame(layout.REPLY, close | layout.REPLY_NO_ANSWER, connection, sequence, frame, muteMs, undefined)
  }

  /** `parts` undefined: nothing is sent, not even a length. */
  #frame(
    kind: number,
    flags: number,
    connection: ConnectionHandle,
    sequence: number,
    frame: number,
    muteMs: number,
    parts: readonly ReplyPart[] | undefined,
  ): void {
    if (this.ended !== undefined) return
    const out = this.outbox
    if (parts === undefined) {
      out.begin(kind, flags, connection.slot, connection.generation, 16)
      out.u32(sequence)
      out.u32(frame)
      out.u32(muteMs)
      out.u32(0)
      return
    }
    let total = 0
    let inline = 4
    for (const part of parts) {
      total += part.length
      if (part instanceof Uint8Array) inline += part.length
    }
    let sent = parts
    if (inline > INLINE_BYTES) {
      sent = parts.map(part => (part instanceof Uint8Array ? this.#staged(part) : part))
      inline = 4
    }
    // The length prefix and the inline parts that follow it are one part.
    let first = 4
    let index = 0
    for (; index < sent.length; index++) {
      const part = sent[index] as ReplyPart
      if (!(part instanceof Uint8Array)) break
      first += part.length
    }
    const count = 1 + sent.length - index
    out.begin(kind, flags, connection.slot, connection.generation, 16 + 16 * count + inline)
    out.u32(sequence)
    out.u32(frame)
    out.u32(muteMs)
    out.u32(count)
    out.part(layout.PART_INLINE, first, 0, 0)
    for (; index < sent.length; index++) {
      const part = sent[index] as ReplyPart
      if (part instanceof Uint8Array) out.part(layout.PART_INLINE, part.length, 0, 0)
      else out.part(layout.PART_HANDLE, part.length, part.handle, part.from)
    }
    out.lengthPrefix(total)
    for (const part of sent) if (part instanceof Uint8Array) out.bytes(part)
  }

  #staged(bytes: Uint8Array): ReplyPart {
    return bytes.length === 0 ? bytes : { handle: this.stage(bytes), from: 0, length: bytes.length }
  }

  closeConnection(connection: ConnectionHandle, reason: string): void {
    if (this.ended !== undefined) return
    const text = this.outbox.utf8(reason)
    this.outbox.begin(layout.CLOSE, 0, connection.slot, connection.generation, 4 + text.length)
    this.outbox.u32(text.length)
    this.outbox.bytes(text)
  }
}

/** A listener could not be bound. `code` is the system's name of the error: EADDRINUSE, EACCES, EADDRNOTAVAIL. */
export class ListenError extends Error {
  override readonly name = 'ListenError'
  readonly code: string

  constructor(code: string, host: string, port: number, text: string) {
    super(`cannot listen on ${host}:${port}: ${text}`)
    this.code = code
  }
}
