/**
 * Directories and logs: writes the engine's commands, hands its answers to whoever asked. The base of
 * `socket-commands.ts`; everything else that it does is said in `types.ts`.
 *
 * Invariants: a log's slot is used again only when its log is closed, and then with another generation. Commands are
 * refused by an exception once the runtime has ended, because nobody would answer them.
 */
import type { LogConfig } from '../config/log-config.ts'
import type { Host } from '../host/host.ts'
import { INLINE_BYTES, RuntimeCore } from './core.ts'
import { Code, EngineError } from './engine-code.ts'
import * as layout from './layout.ts'
import { CONFIG_BYTES } from './outbox.ts'
import { LOG_WRITERS, type LogWriterKind, OwnedLog } from './owned-log.ts'
import { type Ticket, Tickets } from './tickets.ts'
import type {
  AppendedRecord,
  AppendFields,
  Batch,
  CleanedRecord,
  CleanOptions,
  DirectorySink,
  DirectoryUse,
  DirtRecord,
  Disk,
  FileRecord,
  FoundRecord,
  LogHandle,
  LogSink,
  MarksRecord,
  NamesRecord,
  OpenedDirectory,
  OpenedLog,
  OpenLogOptions,
  Outcome,
  PreparedAnswer,
  ReadFields,
  ReadRecord,
} from './types.ts'

const NO_BYTES = new Uint8Array(0)

/** Disks that have no number of their own; native/addon/src/runtime.rs. */
const POSIX_DISK = 0
const READ_ONLY_DISK = 0xffffffff

function diskNumber(disk: Disk): number {
  if (disk === 'posix') return POSIX_DISK
  return disk === 'readOnly' ? READ_ONLY_DISK : disk.memory
}

export abstract class EngineCommands extends RuntimeCore {
  readonly #tickets: Tickets
  /** By slot. */
  readonly #logs: (LogSink | undefined)[] = []
  readonly #generations: number[] = []
  readonly #freeLogs: number[] = []
  readonly #directories = new Map<number, DirectorySink>()

  protected constructor(host: Host, manual: boolean) {
    super(host, manual)
    this.#tickets = new Tickets((handle, bytes) => this.contentOf(handle, bytes))
  }

  protected override handle(kind: number, at: number): void {
    const { inbox } = this
    switch (kind) {
      case layout.APPENDED:
      case layout.READ_DONE:
      case layout.ANSWER:
      case layout.OPENED:
        return this.#tickets.answer(kind, inbox, at)
      case layout.SYNCED: {
        const slot = inbox.slot(at)
        if (this.#generations[slot] === inbox.generation(at)) this.#logs[slot]?.synced(inbox.f64(at + 16))
        return
      }
      case layout.DIRECTORY_FAILED: {
        const { code, errno, text } = inbox.directoryFailed(at)
        return this.#directories.get(inbox.slot(at))?.failed(code, errno, text)
      }
      default:
        throw new Error(`native sent a record of unknown kind ${kind}`)
    }
  }

  protected override failEverything(text: string): void {
    this.#tickets.failAll(text)
  }

  #ticket(ticket: Ticket): number {
    if (this.ended !== undefined) throw new EngineError(Code.directoryOffline, this.ended)
    return this.#tickets.open(ticket)
  }

  createMemoryDisk(): number {
    return this.binding.createMemoryDisk(this.id)
  }

  openDirectory(path: string, disk: Disk, sink: DirectorySink): OpenedDirectory {
    const opened = this.binding.openDirectory(this.id, path, diskNumber(disk))
    if (opened.code !== Code.ok) throw new EngineError(opened.code, opened.text)
    this.#directories.set(opened.id, sink)
    return opened
  }

  setRecoveryThreads(directory: number, threads: number): void {
    const outcome = this.binding.setRecoveryThreads(this.id, directory, threads)
    if (outcome.code !== Code.ok) throw new EngineError(outcome.code, outcome.text)
  }

  directoryUse(directory: number): DirectoryUse {
    const use = this.binding.directoryUse(this.id, directory)
    if (use.code !== Code.ok) throw new EngineError(use.code, use.text)
    return use
  }

  closeDirectory(directory: number, clean: boolean, brokerEpoch: number): void {
    this.dispatch()
    const outcome = this.binding.closeDirectory(this.id, directory, clean, brokerEpoch)
    this.#directories.delete(directory)
    if (outcome.code !== Code.ok) throw new EngineError(outcome.code, outcome.text)
  }

  openLog(options: OpenLogOptions, sink: LogSink, done: (opened: OpenedLog) => void): LogHandle {
    const out = this.outbox
    const name = out.utf8(options.name)
    const topicId = options.topicId === undefined ? NO_BYTES : out.utf8(options.topicId)
    const slot = this.#freeLogs.pop() ?? this.#generations.push(0) - 1
    const generation = this.#generations[slot] as number
    this.#logs[slot] = sink
    const ticket = this.#ticket({
      form: 'opened',
      done: opened => {
        if (opened.code !== Code.ok) this.#freeLog(slot)
        done(opened)
      },
    })
    const flags = (options.clean ? layout.OPEN_CLEAN : 0) | (options.mustExist ? layout.OPEN_MUST_EXIST : 0)
    out.begin(layout.OPEN_LOG, flags, slot, generation, 24 + CONFIG_BYTES + name.length + topicId.length)
    out.u32(ticket)
    out.u32(options.directory)
    out.f64(this.host.clock.wallMs())
    out.u32(name.length)
    out.u32(topicId.length)
    out.config(options.config)
    out.bytes(name)
    out.bytes(topicId)
    return { slot, generation }
  }

  #freeLog(slot: number): void {
    this.#generations[slot] = ((this.#generations[slot] as number) + 1) >>> 0
    this.#logs[slot] = undefined
    this.#freeLogs.push(slot)
  }

  /** Takes an open log out of the engine's hands into this thread's. */
  ownLog(log: LogHandle, writer: LogWriterKind = 'chosen'): OwnedLog {
    this.dispatch()
    const number = this.binding.takeLog(this.id, log.slot, log.generation, LOG_WRITERS.indexOf(writer))
    if (number === 0) throw new EngineError(Code.staleLog, 'the log is not open')
    return new OwnedLog(this.binding, this.id, number, done => this.#ticket({ form: 'outcome', done }))
  }

  closeLog(log: LogHandle, clean: boolean, done: (outcome: Outcome) => void): void {
    this.#leave(layout.CLOSE_LOG, clean ? layout.CLOSE_LOG_CLEAN : 0, log, done)
  }

  deleteLog(log: LogHandle, done: (outcome: Outcome) => void): void {
    this.#leave(layout.DELETE_LOG, 0, log, done)
  }

  #leave(kind: number, flags: number, log: LogHandle, done: (outcome: Outcome) => void): void {
    const ticket = this.#ticket({
      form: 'outcome',
      done: outcome => {
        if (this.#generations[log.slot] === log.generation) this.#freeLog(log.slot)
        done(outcome)
      },
    })
    this.outbox.begin(kind, flags, log.slot, log.generation, 4)
    this.outbox.u32(ticket)
  }

  sync(log: LogHandle, done: (outcome: Outcome) => void): void {
    const ticket = this.#ticket({ form: 'outcome', done })
    this.outbox.begin(layout.SYNC, 0, log.slot, log.generation, 4)
    this.outbox.u32(ticket)
  }

  append(
    log: LogHandle,
    batch: Batch,
    fields: AppendFields,
    done: (appended: AppendedRecord) => void,
    prepared?: PreparedAnswer | undefined,
  ): void {
    const ticket = this.#ticket({ form: 'appended', done })
    if (prepared !== undefined) this.#prepare(log, ticket, prepared)
    this.#append(log, batch, fields, ticket)
  }

  /** Stands before its append, so that it is there when that one completes. */
  #prepare(log: LogHandle, ticket: number, prepared: PreparedAnswer): void {
    const out = this.outbox
    const { connection, sequence, bytes, offsetAt, untilSynced } = prepared
    const { length } = bytes
    const flags = untilSynced ? layout.PREPARE_UNTIL_SYNCED : 0
    out.begin(layout.PREPARE, flags, connection.slot, connection.generation, 28 + length)
    out.u32(ticket)
    out.u32(sequence)
    out.u32(log.slot)
    out.u32(log.generation)
    out.u32(4 + offsetAt)
    out.u32(4 + length)
    out.lengthPrefix(length)
    out.bytes(bytes)
  }

  #append(log: LogHandle, batch: Batch, fields: AppendFields, ticket: number): void {
    let frame = 0
    let position = 0
    let staged = 0
    let bytes: Uint8Array | undefined
    const { length } = batch
    if (!(batch instanceof Uint8Array)) {
      frame = batch.frame
      position = batch.position
    } else if (length > INLINE_BYTES) {
      frame = staged = this.stage(batch)
    } else {
      bytes = batch
    }
    const out = this.outbox
    out.begin(layout.APPEND, 0, log.slot, log.generation, 40 + (bytes === undefined ? 0 : length))
    out.u32(ticket)
    out.u32(frame)
    out.u32(position)
    out.u32(length)
    out.i32(fields.leaderEpoch)
    out.u8(fields.origin)
    out.u8(fields.wake)
    out.i16(fields.transactionVersion)
    out.f64(this.host.clock.wallMs())
    out.f64(fields.expectedBase)
    if (bytes !== undefined) out.bytes(bytes)
    this.release(staged)
  }

  read(log: LogHandle, fields: ReadFields, done: (read: ReadRecord) => void): void {
    this.#read(log, fields, this.#ticket({ form: 'read', done }))
  }

  #read(log: LogHandle, fields: ReadFields, ticket: number): void {
    const flags =
      (fields.atLeastOne ? layout.READ_AT_LEAST_ONE : 0) |
      (fields.abortedList ? layout.READ_ABORTED_LIST : 0) |
      (fields.toMemory ? layout.READ_TO_MEMORY : 0)
    const out = this.outbox
    out.begin(layout.READ, flags, log.slot, log.generation, 28)
    out.u32(ticket)
    out.u32(fields.maxBytes)
    out.f64(fields.from)
    out.f64(fields.limit)
    out.i32(fields.lastFetchedEpoch)
  }

  watch(log: LogHandle, offset: number, limit: 'end' | 'synced'): void {
    if (this.ended !== undefined) return
    const out = this.outbox
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
    const out = this.outbox
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

  retain(log: LogHandle, done: (marks: MarksRecord) => void): void {
    this.#move(layout.RETAIN, log, 0, done)
  }

  #move(kind: number, log: LogHandle, offset: number, done: (marks: MarksRecord) => void): void {
    this.#timed(kind, log, offset, this.#ticket({ form: 'marks', done }))
  }

  #timed(kind: number, log: LogHandle, offset: number, ticket: number): void {
    const out = this.outbox
    out.begin(kind, 0, log.slot, log.generation, 24)
    out.u32(ticket)
    out.u32(0)
    out.f64(offset)
    out.f64(this.host.clock.wallMs())
  }

  dirt(log: LogHandle, limit: number, done: (dirt: DirtRecord) => void): void {
    this.#timed(layout.DIRT, log, limit, this.#ticket({ form: 'dirt', done }))
  }

  clean(log: LogHandle, limit: number, options: CleanOptions, done: (cleaned: CleanedRecord) => void): void {
    const ticket = this.#ticket({ form: 'cleaned', done })
    const out = this.outbox
    out.begin(layout.CLEAN, 0, log.slot, log.generation, 48)
    out.u32(ticket)
    out.u32(options.bufferBytes)
    out.f64(limit)
    out.f64(this.host.clock.wallMs())
    out.f64(options.mapBytes)
    out.f64(options.loadFactor)
    out.f64(options.bytesPerSecond)
  }

  startEpoch(log: LogHandle, epoch: number, offset: number, done: (outcome: Outcome) => void): void {
    const ticket = this.#ticket({ form: 'outcome', done })
    const out = this.outbox
    out.begin(layout.START_EPOCH, 0, log.slot, log.generation, 16)
    out.u32(ticket)
    out.i32(epoch)
    out.f64(offset)
  }

  setHighWatermark(log: LogHandle, offset: number): void {
    if (this.ended !== undefined) return
    this.outbox.begin(layout.SET_MARKS, 0, log.slot, log.generation, 8)
    this.outbox.f64(offset)
  }

  configure(log: LogHandle, config: LogConfig, done: (outcome: Outcome) => void): void {
    const ticket = this.#ticket({ form: 'outcome', done })
    const out = this.outbox
    out.begin(layout.CONFIGURE, 0, log.slot, log.generation, 16 + CONFIG_BYTES)
    out.u32(ticket)
    out.u32(0)
    out.f64(this.host.clock.wallMs())
    out.config(config)
  }

  writeFile(directory: number, path: string, content: Uint8Array, done: (outcome: Outcome) => void): void {
    const ticket = this.#ticket({ form: 'outcome', done })
    this.#file(layout.WRITE_FILE, directory, path, content.length === 0 ? 0 : this.stage(content), ticket)
  }

  readFile(directory: number, path: string, done: (file: FileRecord) => void): void {
    this.#file(layout.READ_FILE, directory, path, 0, this.#ticket({ form: 'file', done }))
  }

  listFiles(directory: number, path: string, done: (names: NamesRecord) => void): void {
    this.#file(layout.LIST_FILES, directory, path, 0, this.#ticket({ form: 'names', done }))
  }

  removeFile(directory: number, path: string, done: (outcome: Outcome) => void): void {
    this.#file(layout.REMOVE_FILE, directory, path, 0, this.#ticket({ form: 'outcome', done }))
  }

  setAside(directory: number, folder: string, name: string, done: (outcome: Outcome) => void): void {
    this.#file(layout.SET_ASIDE, directory, `${folder}/${name}`, 0, this.#ticket({ form: 'outcome', done }))
  }

  look(directory: number, sweep: boolean, done: (outcome: Outcome) => void): void {
    const out = this.outbox
    out.begin(layout.LOOK, sweep ? layout.LOOK_SWEEP : 0, directory, 0, 16)
    out.u32(this.#ticket({ form: 'outcome', done }))
    out.u32(0)
    out.f64(this.host.clock.wallMs())
  }

  due(directory: number, done: (names: NamesRecord) => void): void {
    const out = this.outbox
    out.begin(layout.DUE, 0, directory, 0, 16)
    out.u32(this.#ticket({ form: 'names', done }))
    out.u32(0)
    out.f64(this.host.clock.wallMs())
  }

  checkpoint(directory: number, done: (outcome: Outcome) => void): void {
    this.#file(layout.CHECKPOINT, directory, '', 0, this.#ticket({ form: 'outcome', done }))
  }

  #file(kind: number, directory: number, path: string, handle: number, ticket: number): void {
    const out = this.outbox
    const name = out.utf8(path)
    out.begin(kind, 0, directory, 0, 12 + name.length)
    out.u32(ticket)
    out.u32(handle)
    out.u32(name.length)
    out.bytes(name)
  }
}
