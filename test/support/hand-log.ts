import type {
  Appended,
  AppendOptions,
  BatchSource,
  LogListener,
  OpenReport,
  PreparedAnswer,
  ReadOptions,
  ReadResult,
} from '../../src/log/log.ts'

/** A log whose completions the test makes, one by one. */
export class HandLog {
  startOffset = 0
  endOffset: number
  syncedEnd: number
  highWatermark = -1
  readonly name = 't-0'
  readonly directory = 1
  readonly topicId = 'AAAAAAAAAAAAAAAAAAAAAQ'
  readonly opened: OpenReport
  readonly calls: string[] = []
  readonly appends: {
    options: AppendOptions
    done: (result: Appended) => void
    prepared: PreparedAnswer | undefined
  }[] = []
  readonly reads: { options: ReadOptions; done: (result: ReadResult) => void }[] = []
  listener: LogListener | undefined
  bytes: number

  constructor(end = 0, report: Partial<OpenReport> = {}) {
    this.endOffset = this.syncedEnd = end
    this.bytes = end * 100
    this.opened = {
      startOffset: 0,
      endOffset: end,
      syncedEnd: end,
      created: end === 0,
      bytesEnd: this.bytes,
      oldestOpenTransaction: -1,
      latestEpoch: -1,
      highWatermark: -1,
      cutBytes: 0,
      cutRecords: 0,
      recoveredSegments: 0,
      ...report,
    }
  }
  setListener(listener: LogListener) {
    this.listener = listener
  }
  append(_batch: BatchSource, options: AppendOptions, done: (result: Appended) => void, prepared?: PreparedAnswer) {
    this.appends.push({ options, done, prepared })
  }
  read(options: ReadOptions, done: (result: ReadResult) => void) {
    this.reads.push({ options, done })
  }
  release(handle: number) {
    this.calls.push(`release ${handle}`)
  }
  async lookupTime() {
    return { code: 0, offset: 0, timestamp: 5n, leaderEpoch: 0 }
  }
  setHighWatermark(offset: number) {
    this.highWatermark = offset
  }
  watch(offset: number, limit: string) {
    this.calls.push(`watch ${offset} ${limit}`)
  }
  async startEpoch(epoch: number, offset: number) {
    this.calls.push(`epoch ${epoch} at ${offset}`)
  }
  /** Completes the oldest read. */
  wasRead(result: Partial<ReadResult>) {
    const { options, done } = this.reads.shift()!
    const none = { handle: 0, bytes: 0, bytesStart: 0, logStart: 0, end: this.endOffset, aborted: [] }
    done({ code: 0, ...none, firstOffset: options.from, ...result })
  }
  /** Completes the oldest append as written, `records` long. */
  written(records = 1, more: Partial<Appended> = {}) {
    const base = this.endOffset
    this.endOffset += records
    this.bytes += records * 100
    this.complete({ base, end: this.endOffset, bytesEnd: this.bytes, ...more })
  }
  complete(result: Partial<Appended>) {
    const { done } = this.appends.shift()!
    done({
      code: 0,
      base: -1,
      end: -1,
      logAppendTime: -1,
      logStart: 0,
      bytesEnd: this.bytes,
      oldestOpenTransaction: -1,
      closedTransactionFirst: -1,
      duplicate: false,
      answered: false,
      recordErrors: [],
      ...result,
    })
    this.listener?.onAppended(this.endOffset, this.bytes)
  }
  synced(end = this.endOffset) {
    this.syncedEnd = end
    this.listener?.onSynced(end)
  }
}
