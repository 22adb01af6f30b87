/**
 * `openLog`: the log engine alone. One folder in Kafka's format, no broker, no port.
 *
 * Invariants: `append` returns when the bytes are written (they survive the end of this process); `appendDurable` and
 * `flush` resolve when they are on disk. A log has one holder: its parent directory is locked for this process and shared
 * by the logs that it opens there. Arrays that are handed out are copies.
 */
import { assert } from '../base/assert.ts'
import { resolveConfig } from '../config/resolve.ts'
import { drawJitter, logConfigFor, validateTopicConfig } from '../config/topic-config.ts'
import { systemHost } from '../host/system.ts'
import { type EngineDirectory, openEngineDirectory } from '../log/engine-directory.ts'
import type { EngineLog } from '../log/engine-log.ts'
import type { Appended, AppendOptions as EngineAppendOptions, LogConfig, ReadResult } from '../log/log.ts'
import { Origin, Wake } from '../log/log.ts'
import { LogError } from '../log/log-errors.ts'
import { NativeRuntime } from '../native/runtime.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import { batchesOf } from '../records/batch.ts'
import { buildBatch, type RecordInput } from '../records/builder.ts'
import { recordsOf } from '../records/iterate.ts'
import { ClosedError, ConfigError, StorageError, storageError } from './errors.ts'
import { type Bytes, type LogRecord, logRecord, toBytes } from './record.ts'

/** Bytes that one step of an iteration reads. */
const CHUNK_BYTES = 1 << 20
const FLUSH_AT_EXIT_MS = 10_000

export interface LogOptions {
  /**
   * The log's folder, named as Kafka names a partition's: `./logs/audit-0`. Created if missing. Not in a
   * broker's directory: a broker renames the folders there that no topic of its own has.
   */
  dir: string
  /** Kafka's topic settings by Kafka's names. */
  config?: Record<string, string | number | boolean>
}

export interface AppendOptions {
  key?: Bytes | null
  headers?: Record<string, Bytes | null> | Iterable<[string, Bytes | null]>
  /** Milliseconds since 1970; now by default. */
  timestamp?: Date | number
}

/** Where to begin: an offset, a place, or the first record at or after a moment. */
export type OffsetSpec = number | 'earliest' | 'latest' | Date

export interface RecordsOptions {
  /** `earliest` by default. */
  from?: OffsetSpec
  /** At the end wait for more instead of ending. */
  follow?: boolean
}

/** An open log. Iterating it gives every record that it holds when the iteration arrives there. */
export interface Log extends AsyncDisposable, Iterable<LogRecord> {
  /** Offset of the first record. */
  readonly startOffset: number
  /** Offset that the next record will get. */
  readonly endOffset: number
  /** Everything below it is on disk, as far as this process has been told. */
  readonly flushedOffset: number
  /** Writes a record and returns its offset. It survives the end of this process, not yet a power cut. */
  append(value: Bytes | null, options?: AppendOptions): number
  /** Writes a record; resolves to its offset when it is on disk. All that wait share one flush of the disk. */
  appendDurable(value: Bytes | null, options?: AppendOptions): Promise<number>
  /** Resolves when everything written before is on disk. */
  flush(): Promise<void>
  /** The same, blocking: for a handler of the process's end. */
  flushSync(): void
  /** The record at that offset; undefined when the log doesn't hold it. */
  read(offset: number): LogRecord | undefined
  records(options?: RecordsOptions): AsyncIterableIterator<LogRecord>
  /** Flushes and closes. Repeated calls give the same promise. */
  close(): Promise<void>
}

/** Directories with open logs of this process. */
const directories = new Map<string, { readonly directory: EngineDirectory; logs: number }>()

/**
 * @throws ConfigError for a bad setting or a folder name that is not NAME-NUMBER; StorageError when the parent directory
 * is locked or the log can't be read.
 */
export async function openLog(options: LogOptions): Promise<Log> {
  const { parent, name } = split(options.dir)
  const host = systemHost()
  const config = drawJitter(settings(options), () => host.random.u32())
  const runtime = NativeRuntime.open({ host })
  runtime.ref()
  try {
    const log = await open(parent, name, config, runtime)
    runtime.unref()
    return new OpenLog(
      options.dir,
      log,
      runtime,
      () => leave(parent),
      () => host.clock.wallMs(),
    )
  } catch (error) {
    await leave(parent)
    runtime.unref()
    await runtime.close()
    throw storageError(options.dir, error)
  }
}

async function open(parent: string, name: string, config: LogConfig, runtime: NativeRuntime): Promise<EngineLog> {
  let shared = directories.get(parent)
  if (shared === undefined) {
    shared = { directory: openEngineDirectory(runtime, parent, 'posix'), logs: 0 }
    directories.set(parent, shared)
  }
  shared.logs++
  return shared.directory.open(name, { config })
}

/** One log of `parent` is closed, or was not opened; with the last one the directory is closed. */
async function leave(parent: string): Promise<void> {
  const shared = directories.get(parent)
  if (shared === undefined || --shared.logs > 0) return
  directories.delete(parent)
  await shared.directory.close({ clean: !shared.directory.offline, brokerEpoch: -1 })
}

function split(dir: string): { parent: string; name: string } {
  const path = dir.replace(/\/+$/, '')
  const slash = path.lastIndexOf('/')
  const name = path.slice(slash + 1)
  if (!/^[a-zA-Z0-9._-]+-\d+$/.test(name)) {
    const allowed = 'a folder named as Kafka names that of a partition, such as ./logs/audit-0'
    throw new ConfigError({ key: 'dir', value: dir, allowed, message: `dir must be ${allowed}; '${dir}' is not` })
  }
  const parent =
    slash < 0
      ? '.'
      : path
          .slice(0, slash)
          .replace(/\/+/g, '/')
          .replace(/^(\.\/)+(?=.)/, '')
  return { parent: parent === '' ? '/' : parent, name }
}

function settings(options: LogOptions): LogConfig {
  const overrides = new Map(Object.entries(options.config ?? {}).map(([key, value]) => [key, String(value)]))
  for (const [key, value] of overrides) {
    const message = validateTopicConfig(key, value)
    if (message !== undefined) throw new ConfigError({ key, value, allowed: '', message })
  }
  const resolved = resolveConfig([])
  assert(resolved.ok, 'the built-in settings are valid')
  return { ...logConfigFor(overrides, resolved.config), flush: 'os' }
}

const appendOptions: EngineAppendOptions = { leaderEpoch: 0, origin: Origin.client, wake: Wake.appended }

class OpenLog implements Log {
  readonly #dir: string
  readonly #log: EngineLog
  readonly #runtime: NativeRuntime
  readonly #leave: () => Promise<void>
  readonly #nowMs: () => number
  #closing: Promise<void> | undefined
  /** Who follows the log and waits at its end. */
  #followers: (() => void)[] = []

  constructor(dir: string, log: EngineLog, runtime: NativeRuntime, leave: () => Promise<void>, nowMs: () => number) {
    this.#dir = dir
    this.#log = log
    this.#runtime = runtime
    this.#leave = leave
    this.#nowMs = nowMs
    log.setListener({
      onAppended: () => this.#wakeFollowers(),
      onSynced: () => {},
      onFailed: () => this.#wakeFollowers(),
    })
  }

  get startOffset(): number {
    return this.#log.startOffset
  }

  get endOffset(): number {
    return this.#log.endOffset
  }

  get flushedOffset(): number {
    return this.#log.syncedEnd
  }

  append(value: Bytes | null, options?: AppendOptions): number {
    this.#assertOpen()
    return this.#written(this.#log.appendSync(this.#batch(value, options), appendOptions))
  }

  async appendDurable(value: Bytes | null, options?: AppendOptions): Promise<number> {
    this.#assertOpen()
    const batch = this.#batch(value, options)
    const result = this.#awaited(new Promise<Appended>(resolve => this.#log.append(batch, appendOptions, resolve)))
    const onDisk = this.#awaited(this.#log.sync())
    // A refused append is told as such, whatever became of the flush behind it.
    onDisk.catch(() => {})
    const offset = this.#written(await result)
    await this.#stored(onDisk)
    return offset
  }

  #batch(value: Bytes | null, options: AppendOptions = {}): Uint8Array {
    const { key = null, headers = [], timestamp } = options
    const entries = Symbol.iterator in headers ? [...headers] : Object.entries(headers)
    const record: RecordInput = {
      key: toBytes(key),
      value: toBytes(value),
      headers: entries.map(([name, content]) => ({ key: toBytes(name), value: toBytes(content) })),
    }
    const at = timestamp === undefined ? this.#nowMs() : Number(timestamp)
    return buildBatch([record], { baseOffset: 0, leaderEpoch: 0, timestamp: BigInt(Math.trunc(at)) })
  }

  #written(result: Appended): number {
    if (result.code === 0) return result.base
    if (result.code === ErrorCode.MESSAGE_TOO_LARGE || result.code === ErrorCode.RECORD_LIST_TOO_LARGE)
      throw new RangeError(result.message)
    throw new StorageError(this.#dir, new LogError(result.code, result.message ?? 'the append was refused'))
  }

  flush(): Promise<void> {
    this.#assertOpen()
    return this.#stored(this.#awaited(this.#log.sync()))
  }

  /** An open log doesn't keep the process alive; what it is asked to do does. */
  async #awaited<Result>(promise: Promise<Result>): Promise<Result> {
    this.#runtime.ref()
    try {
      return await promise
    } finally {
      this.#runtime.unref()
    }
  }

  async #stored(onDisk: Promise<void>): Promise<void> {
    try {
      await onDisk
    } catch (error) {
      throw storageError(this.#dir, error)
    }
  }

  flushSync(): void {
    this.#assertOpen()
    if (!this.#runtime.flushSync(FLUSH_AT_EXIT_MS))
      throw new StorageError(this.#dir, new Error(`${this.#dir} could not be flushed to disk`))
  }

  read(offset: number): LogRecord | undefined {
    this.#assertOpen()
    for (const record of this.#chunk(offset, 0)) return record.offset === offset ? record : undefined
    return undefined
  }

  *[Symbol.iterator](): Iterator<LogRecord> {
    let next = this.startOffset
    while (next < this.endOffset) {
      this.#assertOpen()
      const before = next
      for (const record of this.#chunk(next, CHUNK_BYTES)) {
        yield record
        next = record.offset + 1
      }
      if (next === before) return
    }
  }

  /** Records from `from` on: one read's worth, at least one batch. */
  #chunk(from: number, maxBytes: number): LogRecord[] {
    if (from < this.startOffset || from >= this.endOffset) return []
    return this.#records(this.#log.readSync(this.#readOptions(from, maxBytes)), from)
  }

  #readOptions(from: number, maxBytes: number) {
    return { from, limit: this.endOffset, maxBytes, atLeastOne: true, toMemory: true }
  }

  #records(result: ReadResult, from: number): LogRecord[] {
    if (result.code !== 0)
      throw new StorageError(this.#dir, new LogError(result.code, `offset ${from} of ${this.#dir} can't be read`))
    if (result.handle === 0) return []
    const bytes = new Uint8Array(result.bytes)
    this.#log.copy(result.handle, 0, bytes)
    this.#log.release(result.handle)
    const records: LogRecord[] = []
    for (const batch of batchesOf(bytes)) {
      if (batch.isControl) continue
      for (const record of recordsOf(batch)) if (record.offset >= from) records.push(logRecord(record))
    }
    return records
  }

  async *records(options: RecordsOptions = {}): AsyncIterableIterator<LogRecord> {
    this.#assertOpen()
    let next = await this.#begin(options.from ?? 'earliest')
    for (;;) {
      if (this.#closing !== undefined) return
      if (next < this.endOffset) {
        const readOptions = this.#readOptions(Math.max(next, this.startOffset), CHUNK_BYTES)
        const result = await this.#awaited(new Promise<ReadResult>(resolve => this.#log.read(readOptions, resolve)))
        const records = this.#records(result, next)
        for (const record of records) {
          yield record
          next = record.offset + 1
        }
        if (records.length === 0) next = readOptions.limit
      } else if (options.follow) {
        await this.#awaited(new Promise<void>(resolve => this.#followers.push(resolve)))
      } else return
    }
  }

  async #begin(from: OffsetSpec): Promise<number> {
    if (typeof from === 'number') return from
    if (from === 'earliest') return this.startOffset
    if (from === 'latest') return this.endOffset
    const found = await this.#awaited(this.#log.lookupTime(BigInt(from.getTime()), this.endOffset))
    if (found.code !== 0) throw new StorageError(this.#dir, new LogError(found.code, `${this.#dir} can't be searched`))
    return found.offset < 0 ? this.endOffset : found.offset
  }

  #wakeFollowers(): void {
    const waiting = this.#followers
    this.#followers = []
    for (const resolve of waiting) resolve()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#wakeFollowers()
    try {
      await this.#awaited(this.#log.close(true))
    } catch (error) {
      throw storageError(this.#dir, error)
    } finally {
      await this.#awaited(this.#leave())
      await this.#runtime.close()
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #assertOpen(): void {
    if (this.#closing !== undefined) throw new ClosedError(`the log ${this.#dir}`)
  }
}
