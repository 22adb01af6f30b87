/**
 * The native runtime of this environment: writes commands, drains what comes back, and calls whoever waits for it.
 *
 * Invariants: one shared runtime an environment, counted; a manual one belongs to who opened it. The addon is called once
 * a batch: what is written outside a drain leaves in one microtask, what is written inside leaves with the next round.
 * A drain ends when nothing is left or its budget is spent, and then goes on after other work had its turn. An exception
 * in a drain is fatal: it is told to `onFatal`, and nothing of this runtime works any more. (Whoever handles a request
 * catches its own.)
 */
import type { Host } from '../host/host.ts'
import type { Binding } from './binding.ts'
import { Code, EngineError } from './engine-code.ts'
import { type AnswerRecord, Inbox } from './inbox.ts'
import { binding } from './index.ts'
import * as layout from './layout.ts'
import { CONFIG_BYTES, Outbox } from './outbox.ts'
import type {
  AppendedRecord,
  AppendFields,
  Batch,
  BoundListener,
  ConnectionHandle,
  ConnectionSink,
  Counters,
  DirectorySink,
  Disk,
  EngineLogConfig,
  FileRecord,
  FoundRecord,
  LogHandle,
  LogSink,
  MarksRecord,
  NamesRecord,
  NativeListenOptions,
  OpenedDirectory,
  OpenedLog,
  OpenLogOptions,
  Outcome,
  ReadFields,
  ReadRecord,
  ReplyPart,
  Role,
  Runtime,
} from './types.ts'

const BOX_BYTES = 1 << 20
/** Inline bytes of one record above this are staged instead, so that one answer does not fill the outbox. */
const INLINE_BYTES = BOX_BYTES / 4
const DRAIN_ROUNDS = 32
const DRAIN_MS = 1
/** How long the end of the process waits for the disk. */
const EXIT_FLUSH_MS = 10_000
/** How long `appendSync` and `readSync` wait. */
const SYNC_PATIENCE_MS = 30_000
const TOO_LONG = `the engine did not answer within ${SYNC_PATIENCE_MS} ms`
const NO_INBOX = new Uint8Array(0)
const ROLES: readonly Role[] = ['lane', 'sync', 'read', 'background']
const EMPTY = new Uint8Array(0)

type Ticket =
  | { form: 'opened'; done: (opened: OpenedLog) => void; slot: number }
  | { form: 'appended'; done: (appended: AppendedRecord) => void }
  | { form: 'read'; done: (read: ReadRecord) => void }
  | { form: 'outcome'; done: (outcome: Outcome) => void; closes: number }
  | { form: 'found'; done: (found: FoundRecord) => void }
  | { form: 'marks'; done: (marks: MarksRecord) => void }
  | { form: 'file'; done: (file: FileRecord) => void }
  | { form: 'names'; done: (names: NamesRecord) => void }

interface OpenConnection {
  readonly generation: number
  readonly sink: ConnectionSink
}

interface LogSlot {
  generation: number
  sink: LogSink | undefined
}

const NOTHING_CLOSES = -1

let shared: NativeRuntime | undefined

export class NativeRuntime implements Runtime {
  readonly #binding: Binding
  readonly #host: Host
  readonly #manual: boolean
  readonly #id: number
  readonly #outbox: Outbox
  readonly #inbox = new Inbox(BOX_BYTES)
  readonly #removeExitListener: () => void
  /** Microseconds to add to the reactor's to make them the host clock's. */
  readonly #offsetUs: number
  /** Where a synchronous call reads its answer; made by the first one. */
  #synchronous: Inbox | undefined
  #holders = 0
  #keepers = 0
  #draining = false
  #scheduled = false
  #fatalText: string | undefined
  readonly #fatalListeners: ((text: string) => void)[] = []
  readonly #tickets: (Ticket | undefined)[] = [undefined]
  readonly #freeTickets: number[] = []
  readonly #logs: LogSlot[] = []
  readonly #freeLogs: number[] = []
  readonly #directories = new Map<number, DirectorySink>()
  readonly #listeners = new Map<number, ConnectionSink>()
  readonly #connections: (OpenConnection | undefined)[] = []
  readonly #wake = () => this.#begin()

  /** The environment's runtime, started if need be; with `manual` one of its own. Each needs one `close`. */
  static open(options: { host: Host; manual?: boolean }): NativeRuntime {
    const runtime = options.manual
      ? new NativeRuntime(options.host, true)
      : (shared ??= new NativeRuntime(options.host, false))
    runtime.#holders++
    return runtime
  }

  private constructor(host: Host, manual: boolean) {
    this.#binding = binding()
    this.#host = host
    this.#manual = manual
    this.#outbox = new Outbox(
      BOX_BYTES,
      () => this.#dispatch(),
      () => this.#schedule(),
    )
    this.#id = this.#binding.openRuntime(() => this.#wake(), manual)
    this.#offsetUs = Math.round(host.clock.monotonicMs() * 1000)
    this.#removeExitListener = manual ? () => {} : host.process.onExit(() => void this.flushSync(EXIT_FLUSH_MS))
    // The first turn parks the runtime, so that the first news wakes it.
    this.#begin()
  }

  // Life.

  close(): Promise<void> {
    if (--this.#holders === 0) this.#end()
    return Promise.resolve()
  }

  #end(): void {
    if (shared === this) shared = undefined
    if (this.#fatalText === undefined) this.#dispatch()
    this.#removeExitListener()
    this.#binding.closeRuntime(this.#id)
    this.#fatalText ??= 'the runtime is closed'
    this.#failEverything()
  }

  #failEverything(): void {
    const text = this.#fatalText ?? ''
    for (let ticket = 1; ticket < this.#tickets.length; ticket++) this.#failTicket(ticket, Code.directoryOffline, text)
    for (let slot = 0; slot < this.#connections.length; slot++) {
      const connection = this.#connections[slot]
      this.#connections[slot] = undefined
      connection?.sink.closed(slot, connection.generation, text)
    }
  }

  ref(): void {
    if (this.#keepers++ === 0 && !this.#manual) this.#binding.keepAlive(this.#id, true)
  }

  unref(): void {
    if (--this.#keepers === 0 && !this.#manual) this.#binding.keepAlive(this.#id, false)
  }

  step(role: Role): boolean {
    this.#dispatch()
    return this.#binding.step(this.#id, ROLES.indexOf(role))
  }

  flushSync(timeoutMs: number): boolean {
    if (this.#fatalText !== undefined) return false
    this.#dispatch()
    return this.#binding.flushSync(this.#id, timeoutMs)
  }

  counters(): Counters {
    return this.#binding.counters(this.#id)
  }

  onFatal(listener: (text: string) => void): void {
    this.#fatalListeners.push(listener)
  }

  #fatal(text: string): void {
    if (this.#fatalText !== undefined) return
    this.#fatalText = text
    for (const listener of this.#fatalListeners) listener(text)
    if (this.#fatalListeners.length === 0) {
      this.#host.loop.yield(() => {
        throw new Error(`Odradek cannot go on: ${text}`)
      })
    }
    this.#failEverything()
  }

  // Draining.

  /** Sends what is written, leaving the inbox alone. */
  #dispatch(): void {
    if (this.#outbox.length === 0) return
    const length = this.#outbox.length
    this.#outbox.sent()
    this.#binding.turn(this.#id, this.#outbox.memory, length, NO_INBOX)
  }

  /** Something was written outside a drain: one drain at the end of the job takes it along. */
  #schedule(): void {
    if (this.#draining || this.#scheduled) return
    this.#scheduled = true
    this.#host.loop.microtask(() => {
      this.#scheduled = false
      if (this.#outbox.length > 0) this.#begin()
    })
  }

  drain(): void {
    this.#begin()
  }

  #begin(): void {
    if (this.#draining || this.#fatalText !== undefined) return
    this.#draining = true
    try {
      if (this.#rounds()) {
        this.#dispatch()
        this.#host.loop.yield(this.#wake)
      }
    } catch (error) {
      this.#fatal(error instanceof Error ? (error.stack ?? error.message) : String(error))
    } finally {
      this.#draining = false
    }
  }

  /** True: there may be more, but the budget is spent. */
  #rounds(): boolean {
    const clock = this.#host.clock
    const until = clock.monotonicMs() + DRAIN_MS
    for (let round = 1; ; round++) {
      const length = this.#outbox.length
      this.#outbox.sent()
      const filled = this.#binding.turn(this.#id, this.#outbox.memory, length, this.#inbox.memory)
      if (filled === 0) return false
      this.#handle(filled)
      if (this.#fatalText !== undefined) return false
      if (round >= DRAIN_ROUNDS || clock.monotonicMs() >= until) return true
    }
  }

  #handle(filled: number): void {
    const inbox = this.#inbox
    for (let at = 0; at < filled; at += inbox.u32(at)) {
      const kind = inbox.u16(at + 4)
      switch (kind) {
        case layout.REQUEST:
        case layout.RESPONSE:
          this.#arrived(at)
          break
        case layout.APPENDED:
        case layout.READ_DONE:
        case layout.ANSWER:
        case layout.OPENED:
          this.#answered(kind, at)
          break
        case layout.SYNCED: {
          const log = this.#logs[inbox.u32(at + 8)]
          if (log?.generation === inbox.u32(at + 12)) log.sink?.synced(inbox.f64(at + 16))
          break
        }
        case layout.CONNECTED:
          this.#connected(at)
          break
        case layout.CLOSED: {
          const slot = inbox.u32(at + 8)
          const connection = this.#connections[slot]
          this.#connections[slot] = undefined
          connection?.sink.closed(slot, connection.generation, inbox.plainText(at))
          break
        }
        case layout.DIRECTORY_FAILED: {
          const { code, errno, text } = inbox.directoryFailed(at)
          this.#directories.get(inbox.u32(at + 8))?.failed(code, errno, text)
          break
        }
        case layout.FATAL:
          this.#fatal(inbox.plainText(at))
          return
        default:
          throw new Error(`native sent a record of unknown kind ${kind}`)
      }
    }
  }

  #arrived(at: number): void {
    const slot = this.#inbox.u32(at + 8)
    const connection = this.#connections[slot]
    let frame = this.#inbox.frame(at, this.#offsetUs)
    if (this.#inbox.isCut(at)) {
      const bytes = new Uint8Array(frame.frameBytes)
      this.copyOut(frame.frame, 0, bytes)
      this.release(frame.frame)
      frame = { ...frame, frame: 0, bytes }
    }
    if (connection === undefined) this.release(frame.frame)
    else connection.sink.arrived(slot, connection.generation, frame)
  }

  #connected(at: number): void {
    const { by, info } = this.#inbox.connected(at)
    const sink = this.#listeners.get(by)
    if (sink === undefined) {
      this.closeConnection(info.connection, 'its listener is gone')
      return
    }
    this.#connections[info.connection.slot] = { generation: info.connection.generation, sink }
    sink.connected(info)
  }

  // Tickets.

  #ticket(ticket: Ticket): number {
    if (this.#fatalText !== undefined) throw new EngineError(Code.directoryOffline, this.#fatalText)
    const free = this.#freeTickets.pop()
    if (free !== undefined) {
      this.#tickets[free] = ticket
      return free
    }
    return this.#tickets.push(ticket) - 1
  }

  #take(number: number): Ticket {
    const ticket = this.#tickets[number]
    if (ticket === undefined) throw new Error(`native answered ticket ${number}, which is not open`)
    this.#tickets[number] = undefined
    this.#freeTickets.push(number)
    return ticket
  }

  #answered(kind: number, at: number): void {
    const inbox = this.#inbox
    const ticket = this.#take(inbox.u32(at + 16))
    switch (ticket.form) {
      case 'appended':
        if (kind === layout.APPENDED) return ticket.done(inbox.appended(at))
        break
      case 'read':
        if (kind === layout.READ_DONE) return ticket.done(inbox.read(at))
        break
      case 'opened':
        if (kind === layout.OPENED) return this.#opened(ticket.slot, inbox.opened(at), ticket.done)
        break
      default:
        if (kind === layout.ANSWER) return this.#gave(ticket, inbox.answer(at))
    }
    throw new Error(`native answered a ticket for ${ticket.form} by a record of kind ${kind}`)
  }

  #opened(slot: number, opened: OpenedLog, done: (opened: OpenedLog) => void): void {
    if (opened.code !== Code.ok) this.#freeLog(slot)
    done(opened)
  }

  #gave(ticket: Exclude<Ticket, { form: 'appended' | 'read' | 'opened' }>, answer: AnswerRecord): void {
    switch (ticket.form) {
      case 'outcome':
        if (ticket.closes !== NOTHING_CLOSES) this.#freeLog(ticket.closes)
        return ticket.done(answer)
      case 'found':
        return ticket.done(answer)
      case 'marks':
        return ticket.done(answer)
      case 'file':
        return ticket.done({ code: answer.code, text: answer.text, content: this.#content(answer) })
      case 'names': {
        const content = new TextDecoder().decode(this.#content(answer))
        return ticket.done({ code: answer.code, text: answer.text, names: content === '' ? [] : content.split('\0') })
      }
    }
  }

  #content(answer: AnswerRecord): Uint8Array {
    if (answer.handle === 0) return EMPTY
    const content = new Uint8Array(answer.handleBytes)
    this.copyOut(answer.handle, 0, content)
    this.release(answer.handle)
    return content
  }

  #failTicket(number: number, code: number, text: string): void {
    const ticket = this.#tickets[number]
    if (ticket === undefined) return
    this.#take(number)
    const none = { code, text, start: -1, end: -1, syncedEnd: -1, oldestOpenTransaction: -1 }
    switch (ticket.form) {
      case 'appended':
        return ticket.done({
          ...none,
          base: -1,
          logAppendTime: -1,
          logStart: -1,
          bytesEnd: 0,
          closedTransactionFirst: -1,
          duplicate: false,
          recordErrors: [],
        })
      case 'read':
        return ticket.done({
          ...none,
          handle: 0,
          bytes: 0,
          bytesStart: 0,
          firstOffset: -1,
          logStart: -1,
          divergingEpoch: -1,
          divergingEnd: -1,
          aborted: [],
        })
      case 'opened':
        return ticket.done({
          ...none,
          bytesEnd: 0,
          latestEpoch: -1,
          highWatermark: -1,
          created: false,
          cutBytes: 0,
          cutRecords: 0,
          recoveredSegments: 0,
          topicId: undefined,
        })
      case 'found':
        return ticket.done({ ...none, offset: -1, timestamp: -1n, epoch: -1 })
      case 'file':
        return ticket.done({ ...none, content: EMPTY })
      case 'names':
        return ticket.done({ ...none, names: [] })
      default:
        return ticket.done(none)
    }
  }

  // Directories and logs.

  createMemoryDisk(): number {
    return this.#binding.createMemoryDisk(this.#id)
  }

  openDirectory(path: string, disk: Disk, sink: DirectorySink): OpenedDirectory {
    const opened = this.#binding.openDirectory(this.#id, path, disk === 'posix' ? 0 : disk.memory)
    if (opened.code !== Code.ok) throw new EngineError(opened.code, opened.text)
    this.#directories.set(opened.id, sink)
    return opened
  }

  closeDirectory(directory: number, clean: boolean, brokerEpoch: number): void {
    this.#dispatch()
    const outcome = this.#binding.closeDirectory(this.#id, directory, clean, brokerEpoch)
    this.#directories.delete(directory)
    if (outcome.code !== Code.ok) throw new EngineError(outcome.code, outcome.text)
  }

  openLog(options: OpenLogOptions, sink: LogSink, done: (opened: OpenedLog) => void): LogHandle {
    const out = this.#outbox
    const name = out.utf8(options.name)
    const topicId = options.topicId === undefined ? EMPTY : out.utf8(options.topicId)
    const slot = this.#freeLogs.pop() ?? this.#logs.push({ generation: 0, sink: undefined }) - 1
    const log = this.#logs[slot] as LogSlot
    log.sink = sink
    const ticket = this.#ticket({ form: 'opened', done, slot })
    const flags = (options.clean ? layout.OPEN_CLEAN : 0) | (options.mustExist ? layout.OPEN_MUST_EXIST : 0)
    out.begin(layout.OPEN_LOG, flags, slot, log.generation, 24 + CONFIG_BYTES + name.length + topicId.length)
    out.u32(ticket)
    out.u32(options.directory)
    out.f64(this.#host.clock.wallMs())
    out.u32(name.length)
    out.u32(topicId.length)
    out.config(options.config)
    out.bytes(name)
    out.bytes(topicId)
    return { slot, generation: log.generation }
  }

  #freeLog(slot: number): void {
    const log = this.#logs[slot]
    if (log === undefined) return
    log.generation = (log.generation + 1) >>> 0
    log.sink = undefined
    this.#freeLogs.push(slot)
  }

  closeLog(log: LogHandle, clean: boolean, done: (outcome: Outcome) => void): void {
    this.#outcome(layout.CLOSE_LOG, clean ? layout.CLOSE_LOG_CLEAN : 0, log, done, log.slot)
  }

  deleteLog(log: LogHandle, done: (outcome: Outcome) => void): void {
    this.#outcome(layout.DELETE_LOG, 0, log, done, log.slot)
  }

  sync(log: LogHandle, done: (outcome: Outcome) => void): void {
    this.#outcome(layout.SYNC, 0, log, done, NOTHING_CLOSES)
  }

  #outcome(kind: number, flags: number, log: LogHandle, done: (outcome: Outcome) => void, closes: number): void {
    const ticket = this.#ticket({ form: 'outcome', done, closes })
    this.#outbox.begin(kind, flags, log.slot, log.generation, 4)
    this.#outbox.u32(ticket)
  }

  append(log: LogHandle, batch: Batch, fields: AppendFields, done: (appended: AppendedRecord) => void): void {
    this.#append(log, batch, fields, this.#ticket({ form: 'appended', done }))
  }

  appendSync(log: LogHandle, batch: Batch, fields: AppendFields): AppendedRecord {
    let appended: AppendedRecord | undefined
    const ticket = this.#ticket({
      form: 'appended',
      done: record => {
        appended = record
      },
    })
    this.#append(log, batch, fields, ticket)
    const inbox = this.#waitFor(ticket, 'lane')
    if (inbox !== undefined) return inbox.appended(0)
    // It stays open: the answer will come, and nobody will hear it.
    return appended ?? { ...noAppend, code: Code.internal, text: TOO_LONG }
  }

  /** The record that answers `ticket`, waited for; undefined when it has been handled already or does not come. */
  #waitFor(ticket: number, role: Role): Inbox | undefined {
    this.#dispatch()
    while (this.#manual && this.#binding.step(this.#id, ROLES.indexOf(role)));
    // Not the inbox: this may be called while a drain reads it.
    this.#synchronous ??= new Inbox(BOX_BYTES / 16)
    const inbox = this.#synchronous
    if (this.#binding.waitFor(this.#id, ticket, this.#manual ? 0 : SYNC_PATIENCE_MS, inbox.memory) === 0)
      return undefined
    this.#take(ticket)
    return inbox
  }

  #append(log: LogHandle, batch: Batch, fields: AppendFields, ticket: number): void {
    let frame = 0
    let position = 0
    let staged = 0
    let bytes: Uint8Array | undefined
    let length: number
    if (batch instanceof Uint8Array) {
      length = batch.length
      if (length > INLINE_BYTES) frame = staged = this.stage(batch)
      else bytes = batch
    } else {
      frame = batch.frame
      position = batch.position
      length = batch.length
    }
    const out = this.#outbox
    out.begin(layout.APPEND, 0, log.slot, log.generation, 40 + (bytes === undefined ? 0 : length))
    out.u32(ticket)
    out.u32(frame)
    out.u32(position)
    out.u32(length)
    out.i32(fields.leaderEpoch)
    out.u8(fields.origin)
    out.u8(fields.wake)
    out.i16(fields.transactionVersion)
    out.f64(this.#host.clock.wallMs())
    out.f64(fields.expectedBase)
    if (bytes !== undefined) out.bytes(bytes)
    if (staged !== 0) this.release(staged)
  }

  readSync(log: LogHandle, fields: ReadFields): ReadRecord {
    let read: ReadRecord | undefined
    const ticket = this.#ticket({
      form: 'read',
      done: record => {
        read = record
      },
    })
    this.#read(log, fields, ticket)
    const inbox = this.#waitFor(ticket, 'read')
    if (inbox !== undefined) return inbox.read(0)
    return read ?? { ...noRead, code: Code.internal, text: TOO_LONG }
  }

  read(log: LogHandle, fields: ReadFields, done: (read: ReadRecord) => void): void {
    this.#read(log, fields, this.#ticket({ form: 'read', done }))
  }

  #read(log: LogHandle, fields: ReadFields, ticket: number): void {
    const flags =
      (fields.atLeastOne ? layout.READ_AT_LEAST_ONE : 0) |
      (fields.abortedList ? layout.READ_ABORTED_LIST : 0) |
      (fields.toMemory ? layout.READ_TO_MEMORY : 0)
    const out = this.#outbox
    out.begin(layout.READ, flags, log.slot, log.generation, 28)
    out.u32(ticket)
    out.u32(fields.maxBytes)
    out.f64(fields.from)
    out.f64(fields.limit)
    out.i32(fields.lastFetchedEpoch)
  }

  watch(log: LogHandle, offset: number, limit: 'end' | 'synced'): void {
    const out = this.#outbox
    out.begin(layout.WATCH, 0, log.slot, log.generation, 16)
    out.u32(limit === 'end' ? 0 : 1)
    out.u32(0)
    out.f64(offset)
  }

  lookupTime(log: LogHandle, timestamp: bigint, limit: number, done: (found: FoundRecord) => void): void {
    this.#lookup(log, layout.LOOKUP_TIME, limit, timestamp, -1, done)
  }

  lookupMaxTime(log: LogHandle, limit: number, done: (found: FoundRecord) => void): void {
    this.#lookup(log, layout.LOOKUP_MAX_TIME, limit, -1n, -1, done)
  }

  lookupEpochEnd(log: LogHandle, epoch: number, done: (found: FoundRecord) => void): void {
    this.#lookup(log, layout.LOOKUP_EPOCH_END, -1, -1n, epoch, done)
  }

  #lookup(
    log: LogHandle,
    what: number,
    limit: number,
    timestamp: bigint,
    epoch: number,
    done: (found: FoundRecord) => void,
  ): void {
    const ticket = this.#ticket({ form: 'found', done })
    const out = this.#outbox
    out.begin(layout.LOOKUP, 0, log.slot, log.generation, 28)
    out.u32(ticket)
    out.u32(what)
    out.f64(limit)
    out.exact(timestamp)
    out.i32(epoch)
  }

  truncate(log: LogHandle, offset: number, done: (marks: MarksRecord) => void): void {
    this.#move(layout.TRUNCATE, log, offset, done)
  }

  advanceStart(log: LogHandle, offset: number, done: (marks: MarksRecord) => void): void {
    this.#move(layout.ADVANCE_START, log, offset, done)
  }

  roll(log: LogHandle, done: (marks: MarksRecord) => void): void {
    this.#move(layout.ROLL, log, 0, done)
  }

  #move(kind: number, log: LogHandle, offset: number, done: (marks: MarksRecord) => void): void {
    const ticket = this.#ticket({ form: 'marks', done })
    const out = this.#outbox
    out.begin(kind, 0, log.slot, log.generation, 24)
    out.u32(ticket)
    out.u32(0)
    out.f64(offset)
    out.f64(this.#host.clock.wallMs())
  }

  startEpoch(log: LogHandle, epoch: number, offset: number, done: (outcome: Outcome) => void): void {
    const ticket = this.#ticket({ form: 'outcome', done, closes: NOTHING_CLOSES })
    const out = this.#outbox
    out.begin(layout.START_EPOCH, 0, log.slot, log.generation, 16)
    out.u32(ticket)
    out.i32(epoch)
    out.f64(offset)
  }

  setHighWatermark(log: LogHandle, offset: number): void {
    if (this.#fatalText !== undefined) return
    this.#outbox.begin(layout.SET_MARKS, 0, log.slot, log.generation, 8)
    this.#outbox.f64(offset)
  }

  configure(log: LogHandle, config: EngineLogConfig, done: (outcome: Outcome) => void): void {
    const ticket = this.#ticket({ form: 'outcome', done, closes: NOTHING_CLOSES })
    const out = this.#outbox
    out.begin(layout.CONFIGURE, 0, log.slot, log.generation, 16 + CONFIG_BYTES)
    out.u32(ticket)
    out.u32(0)
    out.f64(this.#host.clock.wallMs())
    out.config(config)
  }

  writeFile(directory: number, path: string, content: Uint8Array, done: (outcome: Outcome) => void): void {
    const handle = content.length === 0 ? 0 : this.stage(content)
    this.#file(layout.WRITE_FILE, directory, path, handle, { form: 'outcome', done, closes: NOTHING_CLOSES })
  }

  readFile(directory: number, path: string, done: (file: FileRecord) => void): void {
    this.#file(layout.READ_FILE, directory, path, 0, { form: 'file', done })
  }

  listFiles(directory: number, path: string, done: (names: NamesRecord) => void): void {
    this.#file(layout.LIST_FILES, directory, path, 0, { form: 'names', done })
  }

  removeFile(directory: number, path: string, done: (outcome: Outcome) => void): void {
    this.#file(layout.REMOVE_FILE, directory, path, 0, { form: 'outcome', done, closes: NOTHING_CLOSES })
  }

  checkpoint(directory: number, done: (outcome: Outcome) => void): void {
    this.#file(layout.CHECKPOINT, directory, '', 0, { form: 'outcome', done, closes: NOTHING_CLOSES })
  }

  #file(kind: number, directory: number, path: string, handle: number, ticket: Ticket): void {
    const number = this.#ticket(ticket)
    const out = this.#outbox
    const name = out.utf8(path)
    out.begin(kind, 0, directory, 0, 12 + name.length)
    out.u32(number)
    out.u32(handle)
    out.u32(name.length)
    out.bytes(name)
  }

  // Held memory.

  stage(bytes: Uint8Array): number {
    return this.#binding.stage(this.#id, bytes)
  }

  copyOut(handle: number, position: number, into: Uint8Array): number {
    return this.#binding.copyOut(this.#id, handle, position, into)
  }

  release(handle: number): void {
    if (handle === 0 || this.#fatalText !== undefined) return
    this.#outbox.begin(layout.RELEASE, 0, 0, 0, 4)
    this.#outbox.u32(handle)
  }

  // Sockets.

  registerSkim(direction: 'request' | 'response', apiKey: number, version: number, program: Uint8Array): void {
    this.#binding.registerSkim(this.#id, direction === 'response', apiKey, version, program)
  }

  setFrameBudget(bytes: number): void {
    this.#binding.setFrameBudget(this.#id, bytes)
  }

  listen(options: NativeListenOptions, sink: ConnectionSink): BoundListener {
    const bound = this.#binding.listen(this.#id, { ...options, overlapKeys: [...options.overlapKeys] })
    if (bound.error !== '') throw new ListenError(bound.error, options.host, options.port, bound.text)
    // Its first connection is told in a drain, and this is no drain: nobody can miss it.
    this.#listeners.set(bound.id, sink)
    return bound
  }

  closeListener(id: number): void {
    if (this.#fatalText === undefined) this.#binding.closeListener(this.#id, id)
  }

  reply(
    connection: ConnectionHandle,
    sequence: number,
    frame: number,
    parts: readonly ReplyPart[],
    options: { closeAfter?: boolean; noAnswer?: boolean; muteMs?: number },
  ): void {
    if (this.#fatalText !== undefined) return
    const flags = (options.closeAfter ? layout.REPLY_CLOSE_AFTER : 0) | (options.noAnswer ? layout.REPLY_NO_ANSWER : 0)
    let count = 0
    let inline = 0
    let total = 0
    let staged: ReplyPart[] | undefined
    if (!options.noAnswer) {
      for (const part of parts) {
        total += part.length
        if (part instanceof Uint8Array) inline += part.length
      }
      if (inline > INLINE_BYTES) {
        staged = parts.map(part => (part instanceof Uint8Array ? this.#staged(part) : part))
        inline = 0
      }
      // The length prefix and the inline parts that follow it are one part.
      count = 1
      inline += 4
    }
    const sent = staged ?? parts
    let first = 4
    let index = 0
    if (count > 0) {
      for (; index < sent.length; index++) {
        const part = sent[index] as ReplyPart
        if (!(part instanceof Uint8Array)) break
        first += part.length
      }
      count += sent.length - index
    }
    const out = this.#outbox
    out.begin(layout.REPLY, flags, connection.slot, connection.generation, 16 + 16 * count + inline)
    out.u32(sequence)
    out.u32(frame)
    out.u32(options.muteMs ?? 0)
    out.u32(count)
    if (count === 0) return
    out.u32(layout.PART_INLINE)
    out.u32(first)
    out.u32(0)
    out.u32(0)
    for (let rest = index; rest < sent.length; rest++) {
      const part = sent[rest] as ReplyPart
      const handle = part instanceof Uint8Array ? 0 : part.handle
      out.u32(handle === 0 ? layout.PART_INLINE : layout.PART_HANDLE)
      out.u32(part.length)
      out.u32(handle)
      out.u32(part instanceof Uint8Array ? 0 : part.from)
    }
    out.lengthPrefix(total)
    for (const part of sent) if (part instanceof Uint8Array) out.bytes(part)
  }

  #staged(bytes: Uint8Array): ReplyPart {
    return bytes.length === 0 ? bytes : { handle: this.stage(bytes), from: 0, length: bytes.length }
  }

  closeConnection(connection: ConnectionHandle, reason: string): void {
    if (this.#fatalText !== undefined) return
    const text = this.#outbox.utf8(reason)
    this.#outbox.begin(layout.CLOSE, 0, connection.slot, connection.generation, 4 + text.length)
    this.#outbox.u32(text.length)
    this.#outbox.bytes(text)
  }
}

const noAppend = {
  base: -1,
  end: -1,
  logAppendTime: -1,
  logStart: -1,
  bytesEnd: 0,
  oldestOpenTransaction: -1,
  closedTransactionFirst: -1,
  duplicate: false,
  recordErrors: [],
}

const noRead = {
  handle: 0,
  bytes: 0,
  bytesStart: 0,
  firstOffset: -1,
  logStart: -1,
  end: -1,
  divergingEpoch: -1,
  divergingEnd: -1,
  aborted: [],
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
