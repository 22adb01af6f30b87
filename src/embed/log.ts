/**
 * An open log, as `openLog` gives it: the calling thread owns it, and an append is one call of the engine.
 *
 * Invariants: `append` returns when the bytes are in the file (they survive the end of this process); `appendDurable`
 * and `flush` resolve when they are on disk. Arrays that are handed out are copies, but for a cursor's. An open log
 * doesn't keep the process alive; what it is asked to wait for does.
 */
import type { Logger } from '../base/logger.ts'
import type { Host } from '../host/host.ts'
import type { EngineDirectory } from '../log/engine-directory.ts'
import type { EngineLog } from '../log/engine-log.ts'
import type { ReadResult } from '../log/log.ts'
import { LogError } from '../log/log-errors.ts'
import { EngineError } from '../native/engine-code.ts'
import type { OwnedLog } from '../native/owned-log.ts'
import type { NativeRuntime } from '../native/runtime.ts'
import { ClosedError, ReadOnlyError, StorageError, storageError } from './errors.ts'
import { type Compaction, LogKeeper } from './log-keeper.ts'
import type { AppendOptions, OffsetSpec, RecordsOptions, Wait } from './log-options.ts'
import { CHUNK_BYTES, failed, LogCursor, recordAt, recordsIn } from './log-reader.ts'
import { LogWriter } from './log-writer.ts'
import { type Bytes, type LogRecord, logRecord, type RecordHeaders } from './record.ts'
import { within } from './wait.ts'

declare global {
  // Merges with the runtime's; a project without its types has this one.
  // biome-ignore lint/suspicious/noExplicitAny: an interface merges with one of the same parameters only.
  interface ReadableStream<R = any> {}
}

/** Steps through a log; the fields are the present record's, views that hold until the next call. */
export interface Cursor {
  readonly offset: number
  /** Milliseconds since 1970. */
  readonly timestamp: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: RecordHeaders
  /** Goes to the next record. False at the end, which later appends move. */
  next(): boolean
}

/** An open log. Iterating it gives every record that it holds when the iteration arrives there. */
export interface Log extends AsyncDisposable, Iterable<LogRecord> {
  /** Offset of the first record. */
  readonly startOffset: number
  /** Offset that the next record will get. */
  readonly endOffset: number
  /** Everything below it is on disk. Of a log that is only read it is the end. */
  readonly flushedOffset: number
  /** Of the segments that hold the records. */
  readonly sizeBytes: number
  /** Writes a record and returns its offset. It survives the end of this process, not yet a power cut. */
  append(value: Bytes | null, options?: AppendOptions): number
  /** Writes records behind one another; returns the first one's offset. A value that is too large refuses them all. */
  appendMany(values: readonly (Bytes | null)[]): number
  /**
   * The same of values that lie in one array, one ending where `ends` says and the next beginning there: the fastest.
   */
  appendPacked(packed: Uint8Array, ends: Uint32Array): number
  /** Writes a record; resolves to its offset when it is on disk. All that wait share one flush of the disk. */
  appendDurable(value: Bytes | null, options?: AppendOptions & Wait): Promise<number>
  /** Resolves when everything written before is on disk. */
  flush(options?: Wait): Promise<void>
  /** The same, blocking: for a handler of the process's end. */
  flushSync(): void
  /** The record at that offset; undefined when the log doesn't hold it. */
  read(offset: number): LogRecord | undefined
  /** Offset of the first record at or after the moment; undefined when there is none. */
  offsetFor(time: Date | number): number | undefined
  /** Steps through the log without a copy for each record. `earliest` by default. */
  cursor(options?: { from?: OffsetSpec }): Cursor
  records(options?: RecordsOptions & Wait): AsyncIterableIterator<LogRecord>
  readable(options?: RecordsOptions): ReadableStream<LogRecord>
  /** Records below `before` count as deleted; segments that hold no others go. Resolves when that is on disk. */
  trim(before: number): Promise<void>
  /** Flushes and closes. Repeated calls give the same promise. */
  close(): Promise<void>
}

interface Parts {
  readonly host: Host
  readonly log: EngineLog
  readonly runtime: NativeRuntime
  readonly directory: EngineDirectory
  readonly readOnly: boolean
  readonly compaction: Compaction | undefined
  readonly logger: Logger
  /** The log is closed. */
  readonly leave: () => Promise<void>
}

export class OpenLog implements Log {
  readonly dir: string
  readonly #parts: Parts
  readonly #writer: LogWriter
  #closing: Promise<void> | undefined
  /** Where it stood when it was closed. */
  #last: { start: number; synced: number; bytes: number } | undefined
  readonly #keeper: LogKeeper | undefined
  /** What changes the log is refused: it is closed, or only read. */
  #refuses: boolean
  /** Who follows the log and waits at its end. */
  #followers: (() => void)[] = []

  constructor(dir: string, parts: Parts) {
    this.dir = dir
    this.#parts = parts
    this.#writer = new LogWriter(dir, parts.log.own(), parts.host, parts.runtime)
    parts.log.setListener({ onAppended: () => {}, onSynced: () => {}, onFailed: () => this.#wakeFollowers() })
    this.#refuses = parts.readOnly
    this.#keeper = parts.readOnly
      ? undefined
      : this.#engine(() => new LogKeeper(parts, this.owned, text => this.#stopsCompaction(text)))
  }

  get owned(): OwnedLog {
    return this.#writer.owned
  }

  get startOffset(): number {
    return this.#marks.start
  }

  get endOffset(): number {
    return this.#writer.end
  }

  get flushedOffset(): number {
    return this.#marks.synced
  }

  get sizeBytes(): number {
    return this.#marks.bytes
  }

  get #marks(): { readonly start: number; readonly synced: number; readonly bytes: number } {
    return this.#last ?? this.owned.marks
  }

  append(value: Bytes | null, options?: AppendOptions): number {
    if (this.#refuses) this.#assertWritable('append')
    const offset = this.#writer.append(value, options)
    if (this.#followers.length > 0) this.#wakeFollowers()
    return offset
  }

  appendMany(values: readonly (Bytes | null)[]): number {
    this.#assertWritable('appendMany')
    const offset = this.#writer.appendMany(values)
    this.#wakeFollowers()
    return offset
  }

  appendPacked(packed: Uint8Array, ends: Uint32Array): number {
    this.#assertWritable('appendPacked')
    const offset = this.#writer.appendPacked(packed, ends)
    this.#wakeFollowers()
    return offset
  }

  async appendDurable(value: Bytes | null, options?: AppendOptions & Wait): Promise<number> {
    if (options === undefined) {
      this.#assertWritable('append')
      const gathered = this.#writer.gather(value)
      if (gathered !== undefined) {
        if (this.#followers.length > 0) this.#wakeFollowers()
        return await gathered
      }
    }
    options?.signal?.throwIfAborted()
    const offset = this.append(value, options && hasContent(options) ? options : undefined)
    await this.flush(options)
    return offset
  }

  flush(options?: Wait): Promise<void> {
    this.#assertOpen()
    const { host } = this.#parts
    return within(host, `flushing ${this.dir}`, this.#writer.sync(), options)
  }

  /** An open log doesn't keep the process alive; what it is asked to do does. */
  async #awaited<Result>(promise: Promise<Result>): Promise<Result> {
    const { runtime } = this.#parts
    runtime.ref()
    try {
      return await promise
    } finally {
      runtime.unref()
    }
  }

  flushSync(): void {
    this.#assertOpen()
    this.#engine(() => this.owned.syncNow())
  }

  read(offset: number): LogRecord | undefined {
    this.#assertOpen()
    const record = recordAt(this, offset)
    return record === undefined ? undefined : logRecord(record)
  }

  offsetFor(time: Date | number): number | undefined {
    this.#assertOpen()
    const timestamp = Math.ceil(Number(time))
    if (!Number.isFinite(timestamp)) throw new TypeError(`time must be a Date or milliseconds, not ${time}`)
    const offset = this.#engine(() => this.owned.find(timestamp))
    return offset < 0 ? undefined : offset
  }

  cursor(options: { from?: OffsetSpec } = {}): Cursor {
    this.#assertOpen()
    return new LogCursor(this, this.#begin(options.from ?? 'earliest'))
  }

  *[Symbol.iterator](): Iterator<LogRecord> {
    const cursor = new LogCursor(this, this.startOffset)
    for (;;) {
      this.#assertOpen()
      const record = cursor.record()
      if (record === undefined) return
      yield logRecord(record)
    }
  }

  records(options: RecordsOptions & Wait = {}): AsyncIterableIterator<LogRecord> {
    // Now, not when the first record is asked for: `latest` means this moment's end.
    let begin: () => number
    try {
      this.#assertOpen()
      if (options.follow) this.#assertWritable('following')
      const from = this.#begin(options.from ?? 'earliest')
      begin = () => from
    } catch (error) {
      begin = () => {
        throw error
      }
    }
    return this.#walk(begin, options)
  }

  async *#walk(begin: () => number, options: RecordsOptions & Wait): AsyncIterableIterator<LogRecord> {
    const { signal } = options
    let next = begin()
    for (;;) {
      signal?.throwIfAborted()
      if (this.#closing !== undefined) return
      if (next < this.endOffset) {
        const from = Math.max(next, this.startOffset)
        const { records, nextOffset } = recordsIn(this.dir, await this.#chunk(from), from)
        for (const record of records) {
          yield logRecord(record)
          signal?.throwIfAborted()
        }
        next = nextOffset
      } else if (options.follow) {
        await within(this.#parts.host, `waiting for a record in ${this.dir}`, this.#more(), options)
      } else return
    }
  }

  #more(): Promise<void> {
    return this.#awaited(new Promise<void>(resolve => this.#followers.push(resolve)))
  }

  /** Whole batches from `from` on, read without blocking this thread. */
  async #chunk(from: number): Promise<Uint8Array> {
    const { log } = this.#parts
    const options = { from, limit: this.endOffset, maxBytes: CHUNK_BYTES, atLeastOne: true, toMemory: true }
    const result = await this.#awaited(new Promise<ReadResult>(resolve => log.read(options, resolve)))
    if (result.code !== 0) {
      if (this.#closing !== undefined) return new Uint8Array(0)
      const why = result.message ?? `offset ${from} of ${this.dir} can't be read`
      throw new StorageError(this.dir, new LogError(result.code, why))
    }
    const bytes = new Uint8Array(result.bytes)
    if (result.handle !== 0) {
      log.copy(result.handle, 0, bytes)
      log.release(result.handle)
    }
    return bytes
  }

  readable(options: RecordsOptions = {}): ReadableStream<LogRecord> {
    const stop = new AbortController()
    const records = this.records({ ...options, signal: stop.signal })
    return new ReadableStream<LogRecord>({
      pull: async controller => {
        const step = await records.next()
        if (step.done) controller.close()
        else controller.enqueue(step.value)
      },
      cancel: async () => {
        stop.abort()
        await records.return?.()
      },
    })
  }

  #begin(from: OffsetSpec): number {
    if (typeof from === 'number') return from
    if (from === 'earliest') return this.startOffset
    if (from === 'latest') return this.endOffset
    if (typeof from !== 'object') throw new TypeError(`from must be an offset, earliest, latest or a Date, not ${from}`)
    return this.offsetFor(from) ?? this.endOffset
  }

  async trim(before: number): Promise<void> {
    this.#assertWritable('trim')
    if (!Number.isSafeInteger(before) || before < 0 || before > this.endOffset)
      throw new RangeError(`before must be an offset up to ${this.endOffset}, not ${before}`)
    this.#engine(() => this.owned.trim(before, this.#parts.host.clock.wallMs()))
    try {
      await this.#awaited(this.#parts.directory.checkpoint())
    } catch (error) {
      throw storageError(this.dir, error)
    }
  }

  #engine<Result>(act: () => Result): Result {
    try {
      return act()
    } catch (error) {
      throw error instanceof EngineError ? failed(this, error) : error
    }
  }

  #stopsCompaction(text: string): void {
    const { dir } = this
    this.#parts.logger.error({ dir }, `the log is not compacted any further until it is opened anew: ${text}`)
  }

  #wakeFollowers(): void {
    const waiting = this.#followers
    this.#followers = []
    for (const resolve of waiting) resolve()
  }

  close(): Promise<void> {
    this.#refuses = true
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const { log, runtime, readOnly, leave } = this.#parts
    this.#keeper?.close()
    this.#wakeFollowers()
    this.#last = this.owned.marks
    this.owned.giveBack()
    try {
      await this.#awaited(log.close(!readOnly))
      this.#last = { ...this.#last, synced: this.endOffset }
    } catch (error) {
      throw storageError(this.dir, error)
    } finally {
      await this.#awaited(leave())
      await runtime.close()
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new ClosedError(`the log ${this.dir}`)
  }

  #assertWritable(what: string): void {
    this.#assertOpen()
    if (this.#refuses) throw new ReadOnlyError(what, this.dir)
  }
}

function hasContent(options: AppendOptions): boolean {
  return options.key !== undefined || options.headers !== undefined || options.timestamp !== undefined
}
