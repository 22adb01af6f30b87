/**
 * `Log` over the native engine: passes commands on, turns completions into values of src/log, keeps the offsets that
 * they told. Made by `engine-directory.ts`.
 *
 * Invariants: `startOffset`, `endOffset` and `syncedEnd` change only in completions. After `close`, `delete` or a
 * failed directory every command still gets its answer, an error. There may be a hundred thousand of these, nearly all
 * idle: one object each, which is its own handle and its own sink, and shares the rest by its directory.
 */

import { assert } from '../base/assert.ts'
import { Code } from '../native/engine-code.ts'
import type { LogWriterKind, OwnedLog } from '../native/owned-log.ts'
import type {
  AppendedRecord,
  AppendFields,
  FoundRecord,
  LogHandle,
  LogSink,
  MarksRecord,
  OpenedLog,
  Outcome,
  PreparedAnswer,
  ReadFields,
  ReadRecord,
  Runtime,
} from '../native/types.ts'
import type {
  Appended,
  AppendOptions,
  BatchSource,
  Cleaned,
  CleanOptions,
  Found,
  Log,
  LogConfig,
  LogDirt,
  LogListener,
  LogMarks,
  OpenReport,
  ReadOptions,
  ReadResult,
} from './log.ts'
import { LogError, logErrorCode } from './log-errors.ts'

/** What the logs of one directory share. */
export interface LogHome {
  readonly id: number
  readonly runtime: Runtime
  /** The log was closed or deleted. */
  forget(log: EngineLog): void
  readonly path: string
  /** What a read asked for can't be read, or is not what was written; the text names the place. */
  damaged(text: string): void
  /** An append was refused because the disk is full. */
  full(text: string): void
}

export class EngineLog implements Log, LogHandle, LogSink {
  readonly name: string
  readonly topicId: string | undefined
  /** As the runtime has numbered it; set when the command to open it is written. */
  slot = -1
  generation = -1
  startOffset = -1
  endOffset = -1
  syncedEnd = -1

  readonly #home: LogHome
  #opened: OpenReport | undefined
  #listener: LogListener | undefined

  constructor(home: LogHome, name: string, topicId: string | undefined) {
    this.#home = home
    this.name = name
    this.topicId = topicId
  }

  /** It is open, and this was found. */
  begin(opened: OpenedLog): void {
    this.startOffset = opened.start
    this.endOffset = opened.end
    this.syncedEnd = opened.syncedEnd
    this.#opened = {
      startOffset: opened.start,
      endOffset: opened.end,
      syncedEnd: opened.syncedEnd,
      created: opened.created,
      bytesEnd: opened.bytesEnd,
      oldestOpenTransaction: opened.oldestOpenTransaction,
      latestEpoch: opened.latestEpoch,
      highWatermark: opened.highWatermark,
      cutBytes: opened.cutBytes,
      cutRecords: opened.cutRecords,
      recoveredSegments: opened.recoveredSegments,
    }
  }

  get directory(): number {
    return this.#home.id
  }

  get opened(): OpenReport {
    assert(this.#opened !== undefined, 'what opening found is asked for before somebody listens')
    return this.#opened
  }

  setListener(listener: LogListener): void {
    this.#listener = listener
    this.#opened = undefined
  }

  /** For a log whose one user is this thread: it alone changes the log from now on, until it gives it back. */
  own(writer: LogWriterKind = 'chosen'): OwnedLog {
    return this.#home.runtime.ownLog(this, writer)
  }

  append(
    batch: BatchSource,
    options: AppendOptions,
    done: (result: Appended) => void,
    prepared?: PreparedAnswer | undefined,
  ): void {
    const completed = (record: AppendedRecord) => {
      const result = this.#appended(record)
      if (record.code === Code.noSpace) this.#home.full(record.text)
      done(result)
      if (result.code === 0 && !result.duplicate) this.#listener?.onAppended(result.end, result.bytesEnd)
    }
    this.#home.runtime.append(this, batch, appendFields(options), completed, prepared)
  }

  #appended(record: AppendedRecord): Appended {
    const succeeded = record.code === 0
    if (succeeded) {
      if (record.end > this.endOffset) this.endOffset = record.end
      if (record.logStart > this.startOffset) this.startOffset = record.logStart
    }
    return {
      code: logErrorCode(record.code),
      base: record.base,
      end: record.end,
      logAppendTime: record.logAppendTime,
      logStart: record.logStart,
      bytesEnd: record.bytesEnd,
      oldestOpenTransaction: record.oldestOpenTransaction,
      closedTransactionFirst: record.closedTransactionFirst,
      duplicate: record.duplicate,
      answered: record.answered,
      recordErrors: record.recordErrors.map(error => ({ index: error.index, code: logErrorCode(error.code) })),
      message: succeeded ? undefined : record.text,
    }
  }

  read(options: ReadOptions, done: (result: ReadResult) => void): void {
    this.#home.runtime.read(this, readFields(options), record => {
      this.#noteDamage(record)
      done(readResult(record))
    })
  }

  #noteDamage(record: Outcome): void {
    if (record.code === Code.corrupt) this.#home.damaged(record.text)
    else if (record.code === Code.io) this.#home.damaged(`${this.name} in ${this.#home.path}: ${record.text}`)
  }

  copy(handle: number, position: number, into: Uint8Array): void {
    const copied = this.#home.runtime.copyOut(handle, position, into)
    if (copied !== into.length)
      throw new RangeError(`the read holds ${position + copied} bytes, ${position + into.length} were asked for`)
  }

  release(handle: number): void {
    this.#home.runtime.release(handle)
  }

  watch(offset: number, limit: 'end' | 'synced'): void {
    this.#home.runtime.watch(this, offset, limit)
  }

  lookupTime(timestamp: bigint, limit: number): Promise<Found> {
    return new Promise(resolve => {
      this.#home.runtime.lookupTime(this, timestamp, limit, record => {
        this.#noteDamage(record)
        resolve(found(record))
      })
    })
  }

  lookupMaxTime(limit: number): Promise<Found> {
    return new Promise(resolve => {
      this.#home.runtime.lookupMaxTime(this, limit, record => {
        this.#noteDamage(record)
        resolve(found(record))
      })
    })
  }

  lookupEpochEnd(epoch: number): Promise<Found> {
    return new Promise(resolve => {
      this.#home.runtime.lookupEpochEnd(this, epoch, record => resolve(found(record)))
    })
  }

  sync(): Promise<void> {
    return new Promise((resolve, reject) => this.#home.runtime.sync(this, settle(resolve, reject)))
  }

  truncate(offset: number): Promise<LogMarks> {
    return new Promise((resolve, reject) => {
      this.#home.runtime.truncate(this, offset, record => this.#moved(record, resolve, reject))
    })
  }

  advanceStart(offset: number): Promise<LogMarks> {
    return new Promise((resolve, reject) => {
      this.#home.runtime.advanceStart(this, offset, record => this.#moved(record, resolve, reject))
    })
  }

  retain(): Promise<LogMarks> {
    return new Promise((resolve, reject) => {
      this.#home.runtime.retain(this, record => this.#moved(record, resolve, reject))
    })
  }

  dirt(limit: number): Promise<LogDirt> {
    return new Promise((resolve, reject) => {
      this.#home.runtime.dirt(this, limit, record => {
        if (record.code === 0) resolve(record)
        else reject(new LogError(logErrorCode(record.code), record.text))
      })
    })
  }

  clean(limit: number, options: CleanOptions): Promise<Cleaned> {
    return new Promise((resolve, reject) => {
      this.#home.runtime.clean(this, limit, options, record => {
        if (record.code === 0) resolve(record)
        else reject(new LogError(logErrorCode(record.code), record.text, record.code === Code.noSpace))
      })
    })
  }

  #moved(record: MarksRecord, resolve: (marks: LogMarks) => void, reject: (error: LogError) => void): void {
    if (record.code !== 0) {
      reject(new LogError(logErrorCode(record.code), record.text))
      return
    }
    this.startOffset = record.start
    this.endOffset = record.end
    this.syncedEnd = record.syncedEnd
    resolve({ startOffset: record.start, endOffset: record.end, syncedEnd: record.syncedEnd })
  }

  startEpoch(epoch: number, offset: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#home.runtime.startEpoch(this, epoch, offset, settle(resolve, reject))
    })
  }

  setHighWatermark(offset: number): void {
    this.#home.runtime.setHighWatermark(this, offset)
  }

  configure(config: LogConfig): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#home.runtime.configure(this, config, settle(resolve, reject))
    })
  }

  close(clean: boolean): Promise<void> {
    return new Promise<undefined>((resolve, reject) => {
      this.#home.runtime.closeLog(this, clean, settle(resolve, reject))
    }).finally(() => this.#home.forget(this))
  }

  delete(): Promise<void> {
    return new Promise<undefined>((resolve, reject) => {
      this.#home.runtime.deleteLog(this, settle(resolve, reject))
    }).finally(() => this.#home.forget(this))
  }

  /** Everything below `syncedEnd` is on disk; told by the engine. */
  synced(syncedEnd: number): void {
    this.syncedEnd = syncedEnd
    this.#listener?.onSynced(syncedEnd)
  }

  /** The directory is offline; told by `engine-directory.ts`. */
  failed(engineCode: number, text: string): void {
    this.#listener?.onFailed(logErrorCode(engineCode), text)
  }
}

/** Settles a promise by an engine command's outcome. */
export function settle(
  resolve: (nothing?: undefined) => void,
  reject: (error: LogError) => void,
): (outcome: Outcome) => void {
  return outcome => {
    if (outcome.code === 0) resolve()
    else reject(new LogError(logErrorCode(outcome.code), outcome.text))
  }
}

function appendFields(options: AppendOptions): AppendFields {
  return {
    leaderEpoch: options.leaderEpoch,
    origin: options.origin,
    wake: options.wake,
    transactionVersion: options.transactionVersion ?? 0,
    expectedBase: options.expectedBase ?? -1,
  }
}

function readFields(options: ReadOptions): ReadFields {
  return {
    from: options.from,
    limit: options.limit,
    maxBytes: options.maxBytes,
    atLeastOne: options.atLeastOne,
    abortedList: options.abortedList ?? false,
    toMemory: options.toMemory ?? false,
    lastFetchedEpoch: options.lastFetchedEpoch ?? -1,
  }
}

function readResult(record: ReadRecord): ReadResult {
  const result: ReadResult = {
    code: logErrorCode(record.code),
    handle: record.handle,
    bytes: record.bytes,
    bytesStart: record.bytesStart,
    firstOffset: record.firstOffset,
    logStart: record.logStart,
    end: record.end,
    aborted: record.aborted as ReadResult['aborted'],
  }
  if (record.divergingEpoch >= 0) result.diverging = { epoch: record.divergingEpoch, endOffset: record.divergingEnd }
  if (record.code !== 0) result.message = record.text
  return result
}

function found(record: FoundRecord): Found {
  return {
    code: logErrorCode(record.code),
    offset: record.offset,
    timestamp: record.timestamp,
    leaderEpoch: record.epoch,
  }
}
