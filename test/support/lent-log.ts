/**
 * A log that this thread owns, with the face of one that a lane owns, so that both keep one contract: single records go
 * through the map of its file, batches by a write, and what only the lane does is done by it while it has the log back.
 *
 * Invariants: as in `Log`. Whatever a lent log can do is done while it is lent.
 */
import type { EngineDirectory } from '../../src/log/engine-directory.ts'
import type { EngineLog } from '../../src/log/engine-log.ts'
import type {
  Appended,
  AppendOptions,
  BatchSource,
  Cleaned,
  CleanOptions,
  Found,
  Log,
  LogConfig,
  LogDirectory,
  LogDirt,
  LogListener,
  LogMarks,
  OpenOptions,
  OpenReport,
  ReadOptions,
  ReadResult,
} from '../../src/log/log.ts'
import { Origin, Wake } from '../../src/log/log.ts'
import { logErrorCode } from '../../src/log/log-errors.ts'
import type { OwnedLog } from '../../src/native/owned-log.ts'
import { batchesOf } from '../../src/records/batch.ts'
import { type BatchRecord, recordsOf } from '../../src/records/iterate.ts'

const NOW_MS = 1_700_000_000_000

export class LentLog implements Log {
  /** Appends that went through the lent log, of all logs. */
  static appends = 0
  readonly #log: EngineLog
  readonly #opened: OpenReport
  #owned: OwnedLog | undefined
  #marks: LogMarks
  #epoch: number
  #listener: LogListener | undefined

  constructor(log: EngineLog) {
    this.#log = log
    this.#opened = log.opened
    this.#marks = log.opened
    this.#epoch = log.opened.latestEpoch
  }

  get name(): string {
    return this.#log.name
  }

  get directory(): number {
    return this.#log.directory
  }

  get topicId(): string | undefined {
    return this.#log.topicId
  }

  get opened(): OpenReport {
    return this.#opened
  }

  get startOffset(): number {
    return this.#now().startOffset
  }

  get endOffset(): number {
    return this.#now().endOffset
  }

  get syncedEnd(): number {
    return Math.max(this.#log.syncedEnd, this.#now().syncedEnd)
  }

  #now(): LogMarks {
    if (this.#owned === undefined) return this.#marks
    const { start, end, synced } = this.#owned.marks
    return { startOffset: start, endOffset: end, syncedEnd: synced }
  }

  #lent(): OwnedLog {
    this.#owned ??= this.#log.own('map')
    return this.#owned
  }

  /** The lane has it. */
  #back(): EngineLog {
    this.#marks = this.#now()
    this.#owned?.giveBack()
    this.#owned = undefined
    return this.#log
  }

  setListener(listener: LogListener): void {
    this.#listener = listener
    this.#log.setListener(listener)
  }

  append(batch: BatchSource, options: AppendOptions, done: (result: Appended) => void): void {
    const { expectedBase = -1, leaderEpoch, origin, wake } = options
    const plain = batch instanceof Uint8Array && origin === Origin.client && leaderEpoch === Math.max(this.#epoch, 0)
    if (!plain || (expectedBase >= 0 && expectedBase !== this.endOffset)) {
      this.#back().append(batch, options, result => {
        if (result.code === 0) {
          this.#epoch = leaderEpoch
          this.#marks = { ...this.#marks, endOffset: result.end }
        }
        done(result)
      })
      return
    }
    LentLog.appends++
    const owned = this.#lent()
    const records: BatchRecord[] = [...batchesOf(batch)].flatMap(one => [...recordsOf(one)])
    const [record] = records
    const base =
      records.length === 1 && record !== undefined
        ? owned.appendRecord(record.key, record.value, Number(record.timestamp), NOW_MS)
        : owned.appendBatch(batch, NOW_MS)
    const result = this.#result(owned, base)
    queueMicrotask(() => {
      done(result)
      if (result.code === 0) this.#listener?.onAppended(result.end, result.bytesEnd)
    })
    if (wake === Wake.synced && result.code === 0) owned.sync(() => {})
  }

  #result(owned: OwnedLog, base: number): Appended {
    const { start, end, bytes } = owned.marks
    const failure = base < 0 ? owned.failure() : undefined
    return {
      code: failure === undefined ? 0 : logErrorCode(failure.engineCode),
      base,
      end,
      logAppendTime: -1,
      logStart: start,
      // As long as none of them went.
      bytesEnd: bytes,
      oldestOpenTransaction: -1,
      closedTransactionFirst: -1,
      duplicate: false,
      answered: false,
      recordErrors: [],
      message: failure?.message,
    }
  }

  read(options: ReadOptions, done: (result: ReadResult) => void): void {
    this.#log.read(options, done)
  }

  copy(handle: number, position: number, into: Uint8Array): void {
    this.#log.copy(handle, position, into)
  }

  release(handle: number): void {
    this.#log.release(handle)
  }

  watch(offset: number, limit: 'end' | 'synced'): void {
    this.#log.watch(offset, limit)
  }

  lookupTime(timestamp: bigint, limit: number): Promise<Found> {
    return this.#log.lookupTime(timestamp, limit)
  }

  lookupMaxTime(limit: number): Promise<Found> {
    return this.#log.lookupMaxTime(limit)
  }

  lookupEpochEnd(epoch: number): Promise<Found> {
    return this.#log.lookupEpochEnd(epoch)
  }

  sync(): Promise<void> {
    return this.#log.sync()
  }

  truncate(offset: number): Promise<LogMarks> {
    return this.#moved(this.#back().truncate(offset))
  }

  advanceStart(offset: number): Promise<LogMarks> {
    return this.#moved(this.#back().advanceStart(offset))
  }

  retain(): Promise<LogMarks> {
    return this.#moved(this.#back().retain())
  }

  async #moved(moved: Promise<LogMarks>): Promise<LogMarks> {
    this.#marks = await moved
    return this.#marks
  }

  dirt(limit: number): Promise<LogDirt> {
    return this.#back().dirt(limit)
  }

  clean(limit: number, options: CleanOptions): Promise<Cleaned> {
    return this.#back().clean(limit, options)
  }

  async startEpoch(epoch: number, offset: number): Promise<void> {
    await this.#back().startEpoch(epoch, offset)
    this.#epoch = epoch
  }

  setHighWatermark(offset: number): void {
    this.#log.setHighWatermark(offset)
  }

  configure(config: LogConfig): Promise<void> {
    return this.#back().configure(config)
  }

  close(clean: boolean): Promise<void> {
    return this.#back().close(clean)
  }

  delete(): Promise<void> {
    return this.#back().delete()
  }
}

/** The directory with its logs lent; under `flush=os`, as whoever owns a log has it. */
export function lent(directory: EngineDirectory): LogDirectory {
  const open = async (name: string, options: OpenOptions) =>
    new LentLog(await directory.open(name, { ...options, config: { ...options.config, flush: 'os' } }))
  return new Proxy(directory, {
    get(target, name) {
      if (name === 'open') return open
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  }) as unknown as LogDirectory
}
