/**
 * `Log` over the native engine: passes commands on, turns completions into values of src/log, keeps the offsets that they
 * told. Made by `engine-directory.ts`.
 *
 * Invariants: `startOffset`, `endOffset` and `syncedEnd` change only in completions. After `close`, `delete` or a failed
 * directory every command still gets its answer, an error.
 */
import { Code } from '../native/engine-code.ts'
import type {
  AppendedRecord,
  AppendFields,
  FoundRecord,
  LogHandle,
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

export class EngineLog implements Log {
  readonly name: string
  readonly directory: number
  readonly topicId: string | undefined
  readonly opened: OpenReport
  startOffset: number
  endOffset: number
  syncedEnd: number

  readonly #runtime: Runtime
  readonly #handle: LogHandle
  #listener: LogListener | undefined
  readonly #gone: (log: EngineLog) => void

  /** `gone` is called when the log was closed or deleted. */
  constructor(
    runtime: Runtime,
    handle: LogHandle,
    name: string,
    directory: number,
    opened: OpenedLog,
    gone: (log: EngineLog) => void,
  ) {
    this.#runtime = runtime
    this.#handle = handle
    this.#gone = gone
    this.name = name
    this.directory = directory
    this.topicId = opened.topicId
    this.startOffset = opened.start
    this.endOffset = opened.end
    this.syncedEnd = opened.syncedEnd
    this.opened = {
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

  setListener(listener: LogListener): void {
    this.#listener = listener
  }

  append(
    batch: BatchSource,
    options: AppendOptions,
    done: (result: Appended) => void,
    prepared?: PreparedAnswer | undefined,
  ): void {
    const completed = (record: AppendedRecord) => {
      const result = this.#appended(record)
      done(result)
      if (result.code === 0 && !result.duplicate) this.#listener?.onAppended(result.end, result.bytesEnd)
    }
    this.#runtime.append(this.#handle, batch, appendFields(options), completed, prepared)
  }

  /** The same, blocking until it is written. For a log whose one user is the calling thread; never in a broker. */
  appendSync(batch: Uint8Array, options: AppendOptions): Appended {
    const result = this.#appended(this.#runtime.appendSync(this.#handle, batch, appendFields(options)))
    if (result.code === 0 && !result.duplicate) this.#listener?.onAppended(result.end, result.bytesEnd)
    return result
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
    this.#runtime.read(this.#handle, readFields(options), record => done(readResult(record)))
  }

  /** The same, blocking; as `appendSync`. */
  readSync(options: ReadOptions): ReadResult {
    return readResult(this.#runtime.readSync(this.#handle, readFields(options)))
  }

  copy(handle: number, position: number, into: Uint8Array): void {
    const copied = this.#runtime.copyOut(handle, position, into)
    if (copied !== into.length)
      throw new RangeError(`the read holds ${position + copied} bytes, ${position + into.length} were asked for`)
  }

  release(handle: number): void {
    this.#runtime.release(handle)
  }

  watch(offset: number, limit: 'end' | 'synced'): void {
    this.#runtime.watch(this.#handle, offset, limit)
  }

  lookupTime(timestamp: bigint, limit: number): Promise<Found> {
    return new Promise(resolve => {
      this.#runtime.lookupTime(this.#handle, timestamp, limit, record => resolve(found(record)))
    })
  }

  lookupMaxTime(limit: number): Promise<Found> {
    return new Promise(resolve => {
      this.#runtime.lookupMaxTime(this.#handle, limit, record => resolve(found(record)))
    })
  }

  lookupEpochEnd(epoch: number): Promise<Found> {
    return new Promise(resolve => {
      this.#runtime.lookupEpochEnd(this.#handle, epoch, record => resolve(found(record)))
    })
  }

  sync(): Promise<void> {
    return new Promise((resolve, reject) => this.#runtime.sync(this.#handle, settle(resolve, reject)))
  }

  truncate(offset: number): Promise<LogMarks> {
    return new Promise((resolve, reject) => {
      this.#runtime.truncate(this.#handle, offset, record => this.#moved(record, resolve, reject))
    })
  }

  advanceStart(offset: number): Promise<LogMarks> {
    return new Promise((resolve, reject) => {
      this.#runtime.advanceStart(this.#handle, offset, record => this.#moved(record, resolve, reject))
    })
  }

  retain(): Promise<LogMarks> {
    return new Promise((resolve, reject) => {
      this.#runtime.retain(this.#handle, record => this.#moved(record, resolve, reject))
    })
  }

  dirt(limit: number): Promise<LogDirt> {
    return new Promise((resolve, reject) => {
      this.#runtime.dirt(this.#handle, limit, record => {
        if (record.code === 0) resolve(record)
        else reject(new LogError(logErrorCode(record.code), record.text))
      })
    })
  }

  clean(limit: number, options: CleanOptions): Promise<Cleaned> {
    return new Promise((resolve, reject) => {
      this.#runtime.clean(this.#handle, limit, options, record => {
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
      this.#runtime.startEpoch(this.#handle, epoch, offset, settle(resolve, reject))
    })
  }

  setHighWatermark(offset: number): void {
    this.#runtime.setHighWatermark(this.#handle, offset)
  }

  configure(config: LogConfig): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#runtime.configure(this.#handle, config, settle(resolve, reject))
    })
  }

  close(clean: boolean): Promise<void> {
    return new Promise<undefined>((resolve, reject) => {
      this.#runtime.closeLog(this.#handle, clean, settle(resolve, reject))
    }).finally(() => this.#gone(this))
  }

  delete(): Promise<void> {
    return new Promise<undefined>((resolve, reject) => {
      this.#runtime.deleteLog(this.#handle, settle(resolve, reject))
    }).finally(() => this.#gone(this))
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
