/**
 * `Log` and `LogDirectory` in memory, without the engine: arrays of batches, completions in
 * microtasks, faults by switch.
 *
 * Invariants: commands of one log complete in call order and never within the call; what a `MemoryDisk` holds outlives
 * the directory object, so a test can close (or forget) one and open another on the same disk. Batches are taken as
 * they are, apart from their expected base and leader epoch: validating is the engine's.
 */
import type {
  Appended,
  AppendOptions,
  BatchSource,
  Cleaned,
  DirectoryUse,
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
import { LogError, LogErrorCode } from '../../src/log/log-errors.ts'
import type { KafkaErrorCode } from '../../src/protocol/error-codes.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { BatchView, Field } from '../../src/records/batch.ts'
import { recordsOf } from '../../src/records/iterate.ts'

interface StoredLog {
  topicId: string | undefined
  batches: Uint8Array[]
  synced: number
}

/** What survives: files by path, logs by folder name. */
export class MemoryDisk {
  readonly files = new Map<string, Uint8Array>()
  readonly logs = new Map<string, StoredLog>()
  clean = false
  cleanBrokerEpoch = -1

  /** Forgets what was written but not synced, as a power cut may. */
  crash(): void {
    for (const log of this.logs.values()) log.batches = log.batches.filter(batch => endOf(batch) <= log.synced)
    this.clean = false
    this.cleanBrokerEpoch = -1
  }
}

/** Switches of a directory, for tests to flip at any time. */
export class Faults {
  /** Refuses every append with this code. */
  appendCode: KafkaErrorCode = 0
  /** Appends are written but not synced until it is cleared and `MemoryDirectory.sync` is called. */
  holdSync = false
  /** Refuses writing a file whose path contains this text. */
  writeFile: string | undefined
}

/** A log's bytes can be read as the file that they would lie in. */
const ONLY_SEGMENT = '/00000000000000000000.log'

const viewOf = (batch: Uint8Array): BatchView => BatchView.at(batch, 0)!
const endOf = (batch: Uint8Array): number => viewOf(batch).lastOffset + 1

export class MemoryDirectory implements LogDirectory {
  readonly id = 1
  readonly path: string
  readonly clean: boolean
  readonly cleanBrokerEpoch: number
  offline = false
  readonly faults = new Faults()
  readonly disk: MemoryDisk
  /** Every durable step in order: `file PATH`, `append FOLDER`, `sync FOLDER`. */
  readonly steps: string[] = []
  readonly #open = new Set<MemoryLog>()
  readonly #listeners: ((code: KafkaErrorCode, text: string) => void)[] = []

  constructor(disk = new MemoryDisk(), path = '/memory') {
    this.disk = disk
    this.path = path
    this.clean = disk.clean
    this.cleanBrokerEpoch = disk.cleanBrokerEpoch
    disk.clean = false
    disk.cleanBrokerEpoch = -1
  }

  async partitionFolders(): Promise<string[]> {
    return [...this.disk.logs.keys()]
  }

  async open(name: string, options: OpenOptions): Promise<Log> {
    let stored = this.disk.logs.get(name)
    const created = stored === undefined
    if (stored === undefined) {
      if (options.mustExist) throw new LogError(LogErrorCode.NOT_FOUND, `${this.path}/${name} does not exist`)
      stored = { topicId: options.topicId, batches: [], synced: 0 }
      this.disk.logs.set(name, stored)
    }
    if (stored.topicId !== options.topicId) {
      throw new LogError(ErrorCode.INCONSISTENT_TOPIC_ID, `${this.path}/${name} is of topic id ${stored.topicId}`)
    }
    const log = new MemoryLog(this, name, stored, created)
    this.#open.add(log)
    return log
  }

  closed(log: MemoryLog): void {
    this.#open.delete(log)
  }

  use(): DirectoryUse {
    return { names: [], sizes: [], totalBytes: -1, usableBytes: -1 }
  }

  async writeFile(path: string, content: Uint8Array): Promise<void> {
    if (this.offline || (this.faults.writeFile !== undefined && path.includes(this.faults.writeFile))) {
      throw new LogError(ErrorCode.KAFKA_STORAGE_ERROR, `${this.path}/${path}: no space left on device`)
    }
    this.steps.push(`file ${path}`)
    this.disk.files.set(path, content.slice())
  }

  async readFile(path: string): Promise<Uint8Array | undefined> {
    const log = path.endsWith(ONLY_SEGMENT) ? this.disk.logs.get(path.slice(0, -ONLY_SEGMENT.length)) : undefined
    return log === undefined ? this.disk.files.get(path)?.slice() : new Uint8Array(Buffer.concat(log.batches))
  }

  async listFiles(path: string): Promise<string[]> {
    const prefix = path === '' ? '' : `${path}/`
    const names = [...this.disk.files.keys()].filter(file => file.startsWith(prefix))
    const segments = this.disk.logs.has(path) ? [ONLY_SEGMENT.slice(1)] : []
    return [...segments, ...names.map(file => file.slice(prefix.length)).filter(name => !name.includes('/'))]
  }

  async removeFile(path: string): Promise<void> {
    this.disk.files.delete(path)
  }

  async setAside(folder: string, name: string): Promise<void> {
    if (/-\d+$/.test(name)) throw new LogError(LogErrorCode.BAD_NAME, `${name} is the name of a partition's folder`)
    if (!this.disk.logs.delete(folder)) {
      throw new LogError(LogErrorCode.NOT_FOUND, `${this.path}/${folder} does not exist`)
    }
  }

  async look(): Promise<void> {}

  async due(): Promise<string[]> {
    return []
  }

  setRecoveryThreads(): void {}

  async checkpoint(): Promise<void> {}

  async close(options: { clean: boolean; brokerEpoch: number }): Promise<void> {
    this.disk.clean = options.clean
    this.disk.cleanBrokerEpoch = options.clean ? options.brokerEpoch : -1
  }

  onFailed(listener: (code: KafkaErrorCode, text: string) => void): void {
    this.#listeners.push(listener)
  }

  /** Syncs what was held back. */
  sync(): void {
    for (const log of this.#open) log.syncNow()
  }

  /** A failed fsync: the directory is gone for good. */
  fail(text: string): void {
    this.offline = true
    for (const log of [...this.#open]) log.fail(text)
    for (const listener of this.#listeners) listener(ErrorCode.KAFKA_STORAGE_ERROR, text)
  }
}

class MemoryLog implements Log {
  readonly name: string
  readonly directory = 1
  readonly topicId: string | undefined
  readonly opened: OpenReport
  readonly #directory: MemoryDirectory
  readonly #stored: StoredLog
  readonly #reads = new Map<number, Uint8Array>()
  #listener: LogListener | undefined
  #handles = 0
  #bytesEnd = 0

  constructor(directory: MemoryDirectory, name: string, stored: StoredLog, created: boolean) {
    this.#directory = directory
    this.#stored = stored
    this.name = name
    this.topicId = stored.topicId
    stored.synced = this.endOffset
    this.#bytesEnd = stored.batches.reduce((sum, batch) => sum + batch.length, 0)
    this.opened = {
      startOffset: 0,
      endOffset: this.endOffset,
      syncedEnd: this.endOffset,
      created,
      bytesEnd: this.#bytesEnd,
      oldestOpenTransaction: Number.MAX_SAFE_INTEGER,
      latestEpoch: this.#latestEpoch,
      highWatermark: -1,
      cutBytes: 0,
      cutRecords: 0,
      recoveredSegments: 0,
    }
  }

  get startOffset(): number {
    return 0
  }
  get endOffset(): number {
    const last = this.#stored.batches.at(-1)
    return last === undefined ? 0 : endOf(last)
  }
  get syncedEnd(): number {
    return this.#stored.synced
  }
  get #latestEpoch(): number {
    const last = this.#stored.batches.at(-1)
    return last === undefined ? -1 : viewOf(last).leaderEpoch
  }

  setListener(listener: LogListener): void {
    this.#listener = listener
  }

  append(batch: BatchSource, options: AppendOptions, done: (result: Appended) => void): void {
    if (!(batch instanceof Uint8Array)) throw new TypeError('a memory log takes bytes, not frames')
    queueMicrotask(() => {
      const code = this.#refusal(options)
      const base = this.endOffset
      if (code === 0) {
        const stamped = batch.slice()
        const view = new DataView(stamped.buffer)
        view.setBigInt64(Field.baseOffset, BigInt(base))
        view.setInt32(Field.leaderEpoch, options.leaderEpoch)
        this.#stored.batches.push(stamped)
        this.#bytesEnd += stamped.length
        this.#directory.steps.push(`append ${this.name}`)
      }
      done({
        code,
        base: code === 0 ? base : -1,
        end: this.endOffset,
        logAppendTime: -1,
        logStart: 0,
        bytesEnd: this.#bytesEnd,
        oldestOpenTransaction: Number.MAX_SAFE_INTEGER,
        closedTransactionFirst: Number.MAX_SAFE_INTEGER,
        duplicate: false,
        answered: false,
        recordErrors: [],
        message: code === 0 ? undefined : 'refused by a test',
      })
      if (code !== 0) return
      this.#listener?.onAppended(this.endOffset, this.#bytesEnd)
      queueMicrotask(() => this.syncNow())
    })
  }

  #refusal({ expectedBase, leaderEpoch }: AppendOptions): KafkaErrorCode {
    if (this.#directory.offline) return ErrorCode.KAFKA_STORAGE_ERROR
    if (expectedBase !== undefined && expectedBase >= 0 && expectedBase !== this.endOffset) {
      return LogErrorCode.OFFSET_MISMATCH
    }
    if (leaderEpoch < this.#latestEpoch) return LogErrorCode.EPOCH_FENCED
    return this.#directory.faults.appendCode
  }

  syncNow(): void {
    if (this.#directory.offline || this.#directory.faults.holdSync || this.#stored.synced === this.endOffset) return
    this.#stored.synced = this.endOffset
    this.#directory.steps.push(`sync ${this.name}`)
    this.#listener?.onSynced(this.#stored.synced)
  }

  fail(text: string): void {
    this.#listener?.onFailed(ErrorCode.KAFKA_STORAGE_ERROR, text)
  }

  read(options: ReadOptions, done: (result: ReadResult) => void): void {
    queueMicrotask(() => {
      const { from, limit, maxBytes, atLeastOne } = options
      const outOfRange = from < 0 || from > this.endOffset
      const chosen: Uint8Array[] = []
      let bytes = 0
      let bytesStart = 0
      for (const batch of outOfRange ? [] : this.#stored.batches) {
        if (endOf(batch) <= from) {
          bytesStart += batch.length
          continue
        }
        if (viewOf(batch).baseOffset >= limit) break
        if (bytes + batch.length > maxBytes && !(atLeastOne && chosen.length === 0)) break
        chosen.push(batch)
        bytes += batch.length
      }
      const whole = new Uint8Array(bytes)
      let at = 0
      for (const batch of chosen) {
        whole.set(batch, at)
        at += batch.length
      }
      if (bytes > 0) this.#reads.set(++this.#handles, whole)
      done({
        code: outOfRange ? ErrorCode.OFFSET_OUT_OF_RANGE : 0,
        handle: bytes > 0 ? this.#handles : 0,
        bytes,
        bytesStart,
        firstOffset: chosen[0] === undefined ? from : viewOf(chosen[0]).baseOffset,
        logStart: 0,
        end: this.endOffset,
        aborted: [],
      })
    })
  }

  copy(handle: number, position: number, into: Uint8Array): void {
    into.set(this.#reads.get(handle)!.subarray(position, position + into.length))
  }

  release(handle: number): void {
    this.#reads.delete(handle)
  }

  /** Reads whose bytes were not given back. */
  get unreleased(): number {
    return this.#reads.size
  }

  watch(): void {}

  async advanceStart(): Promise<LogMarks> {
    return this.#marks()
  }

  async retain(): Promise<LogMarks> {
    return this.#marks()
  }

  async dirt(): Promise<LogDirt> {
    return { cleanBytes: 0, dirtyBytes: 0, overdueMs: 0 }
  }

  async clean(): Promise<Cleaned> {
    return { cleanedTo: 0, readBytes: 0, writtenBytes: 0, keylessRecords: 0 }
  }

  #marks(): LogMarks {
    return { startOffset: this.startOffset, endOffset: this.endOffset, syncedEnd: this.syncedEnd }
  }

  async lookupTime(timestamp: bigint, limit: number): Promise<Found> {
    for (const batch of this.#stored.batches) {
      for (const record of recordsOf(viewOf(batch))) {
        if (record.timestamp >= timestamp && record.offset < limit)
          return this.#found(record.offset, record.timestamp, batch)
      }
    }
    return { code: 0, offset: -1, timestamp: -1n, leaderEpoch: -1 }
  }

  async lookupMaxTime(limit: number): Promise<Found> {
    let best: Found = { code: 0, offset: -1, timestamp: -1n, leaderEpoch: -1 }
    for (const batch of this.#stored.batches) {
      for (const record of recordsOf(viewOf(batch))) {
        if (record.timestamp > best.timestamp && record.offset < limit)
          best = this.#found(record.offset, record.timestamp, batch)
      }
    }
    return best
  }

  async lookupEpochEnd(epoch: number): Promise<Found> {
    let found: Found = { code: 0, offset: -1, timestamp: -1n, leaderEpoch: -1 }
    for (const batch of this.#stored.batches) {
      const { leaderEpoch } = viewOf(batch)
      if (leaderEpoch <= epoch) found = { code: 0, offset: endOf(batch), timestamp: -1n, leaderEpoch }
    }
    return found
  }

  #found(offset: number, timestamp: bigint, batch: Uint8Array): Found {
    return { code: 0, offset, timestamp, leaderEpoch: viewOf(batch).leaderEpoch }
  }

  async sync(): Promise<void> {
    this.syncNow()
  }

  async truncate(offset: number): Promise<LogMarks> {
    this.#stored.batches = this.#stored.batches.filter(batch => endOf(batch) <= offset)
    this.#stored.synced = Math.min(this.#stored.synced, this.endOffset)
    return { startOffset: 0, endOffset: this.endOffset, syncedEnd: this.#stored.synced }
  }

  async startEpoch(): Promise<void> {}

  setHighWatermark(): void {}

  async configure(_config: LogConfig): Promise<void> {}

  async close(): Promise<void> {
    this.#directory.closed(this)
  }

  async delete(): Promise<void> {
    this.#directory.disk.logs.delete(this.name)
    this.#directory.closed(this)
  }
}
