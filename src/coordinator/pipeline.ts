/**
 * Between a shard's state and its log, for one leadership: replays records at the offsets that it predicts, gathers
 * them into batches, appends these, and answers when the high watermark has passed.
 *
 * Invariants: batches are appended in the order of their offsets, several at a time, and each remembers the place of
 * the timeline before its first record. When one is refused, the timeline goes back to that place, and it fails with
 * all behind it, the open one too; what was already on its way then is not listened to any more (the log refuses it,
 * since it expected another end). Whoever looked at state that is not committed waits for the newest batch there was.
 * Records that can't be appended are refused before any of their operation is replayed. State is in order before
 * anybody is told anything.
 */
import type { Logger } from '../base/logger.ts'
import type { Host, TimerId } from '../host/host.ts'
import { LogErrorCode } from '../log/log-errors.ts'
import type { KafkaErrorCode } from '../protocol/error-codes.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import { BATCH_HEADER_BYTES } from '../records/batch.ts'
import { BatchWriter, recordBytes } from '../records/batch-writer.ts'
import type { Mark, Timeline } from '../timeline/timeline.ts'
import type { PartitionWriter, Ticket } from './ports.ts'
import type { Outcome, RecordBytes, RecordSerde, ReplayOrigin } from './shard.ts'
import { Refusal } from './shard.ts'
import type { Waiting } from './waiting.ts'

export interface PipelineOptions<R> {
  readonly host: Host
  readonly logger: Logger
  readonly writer: PartitionWriter
  readonly partition: number
  readonly leaderEpoch: number
  readonly timeline: Timeline
  readonly serde: RecordSerde<R>
  readonly replay: (record: R, origin: ReplayOrigin) => void
  /** How long an open batch is kept for more records; below 0: to the end of the event turn. */
  readonly lingerMs: () => number
  /** The log's end is not where it was thought to be: the state is worth nothing. */
  readonly outOfStep: () => void
}

/** Part of the log that is not committed. */
class Batch {
  readonly mark: Mark
  readonly base: number
  end: number
  /** -1 before the append; and of what was already in the log when it was loaded. */
  ticket: Ticket = -1
  readonly waiting: Waiting[] = []

  constructor(mark: Mark, base: number) {
    this.mark = mark
    this.base = base
    this.end = base
  }
}

class OpenBatch extends Batch {
  readonly content = new BatchWriter()
  readonly timestampMs: number
  lingerTimer: TimerId = 0

  constructor(mark: Mark, base: number, timestampMs: number) {
    super(mark, base)
    this.timestampMs = timestampMs
  }
}

export class Pipeline<R> {
  readonly #options: PipelineOptions<R>
  /** Where the next record goes. */
  #next: number
  #highWatermark: number
  #open: OpenBatch | undefined
  /** Appended and not committed, in offset order. */
  #inFlight: Batch[] = []
  /** Everything up to this one was written, or refused. */
  #writtenTicket: Ticket = -1
  #patienceTimer: TimerId = 0
  #patienceEndsMs = Number.POSITIVE_INFINITY

  /** Begins at the log's end, of which everything above `highWatermark` is still to be committed. */
  constructor(options: PipelineOptions<R>, marks: { readonly end: number; readonly highWatermark: number }) {
    this.#options = options
    this.#next = marks.end
    this.#highWatermark = marks.highWatermark
    if (marks.highWatermark < marks.end) {
      const loaded = new Batch(options.timeline.mark, marks.highWatermark)
      loaded.end = marks.end
      this.#inFlight.push(loaded)
    }
  }

  /**
   * The bytes of an outcome's records.
   * @throws Refusal when they can't be appended; or what the serde threw.
   */
  serialize({ records, atomic }: Outcome<R, unknown>): readonly RecordBytes[] {
    if (records.length === 0) return NO_RECORDS
    const maxBytes = this.#options.writer.maxBatchBytes(this.#options.partition)
    const serialized = records.map(record => this.#options.serde.serialize(record))
    for (const { key, value } of serialized) {
      const bytes = BATCH_HEADER_BYTES + recordBytes(key, value, 0)
      if (bytes > maxBytes)
        throw new Refusal(ErrorCode.MESSAGE_TOO_LARGE, `a record of ${bytes} bytes does not fit a batch of ${maxBytes}`)
    }
    if (atomic) {
      const bytes = BATCH_HEADER_BYTES + bytesTogether(serialized)
      if (bytes > maxBytes)
        throw new Refusal(
          ErrorCode.RECORD_LIST_TOO_LARGE,
          `${records.length} records of ${bytes} bytes belong together and do not fit a batch of ${maxBytes}`,
        )
    }
    return serialized
  }

  /**
   * Replays and appends the records of an operation that began at `mark`, and keeps `waiting` until they are committed
   * (with no records: until all that it may have seen is; at once if that is so already). A record that can't be
   * replayed fails the open batch, `waiting` with it; what is already on its way stays.
   */
  append(mark: Mark, outcome: Outcome<R, unknown>, serialized: readonly RecordBytes[], waiting: Waiting): void {
    if (serialized.length > 0) {
      const maxBytes = this.#options.writer.maxBatchBytes(this.#options.partition)
      const open = this.#open
      if (outcome.atomic && open !== undefined && open.content.size + bytesTogether(serialized) > maxBytes) this.flush()
      if (!this.#replay(mark, outcome.records, serialized, maxBytes, waiting)) return
    }
    this.wait(waiting)
    if (this.#open !== undefined && this.#options.lingerMs() === 0) this.flush()
  }

  /** Keeps `waiting` until everything that is there now is committed; tells it at once if it is. */
  wait(waiting: Waiting): void {
    const newest = this.#open ?? this.#inFlight.at(-1)
    if (newest === undefined) {
      this.#settleTimeline()
      this.#tellOne(waiting, committed)
      return
    }
    newest.waiting.push(waiting)
    if (waiting.deadlineMs < this.#patienceEndsMs) this.#setPatience(waiting.deadlineMs)
  }

  #replay(
    mark: Mark,
    records: readonly R[],
    serialized: readonly RecordBytes[],
    maxBytes: number,
    waiting: Waiting,
  ): boolean {
    const { timeline, logger, partition } = this.#options
    try {
      for (let index = 0; index < records.length; index++) {
        const { key, value } = serialized[index] as RecordBytes
        const open = this.#open
        if (open !== undefined && open.content.size + recordBytes(key, value, open.content.count) > maxBytes)
          this.flush()
        const batch = this.#open ?? this.#begin(index === 0 ? mark : timeline.mark)
        this.#options.replay(records[index] as R, { offset: batch.end, producerId: -1n, producerEpoch: -1 })
        batch.content.add(key, value)
        this.#next = ++batch.end
      }
      return true
    } catch (error) {
      logger.error({ err: error }, `coordinator partition ${partition} could not replay a record of its own`)
      const failed = this.#open ?? this.#begin(timeline.mark)
      failed.waiting.push(waiting)
      this.#revert(this.#inFlight.length, new Refusal(ErrorCode.UNKNOWN_SERVER_ERROR))
      return false
    }
  }

  #begin(mark: Mark): OpenBatch {
    const { host, lingerMs } = this.#options
    const batch = new OpenBatch(mark, this.#next, host.clock.wallMs())
    this.#open = batch
    const flush = () => {
      if (this.#open === batch) this.flush()
    }
    const waitMs = lingerMs()
    if (waitMs < 0) host.loop.microtask(flush)
    else if (waitMs > 0) batch.lingerTimer = host.timers.at(host.clock.monotonicMs() + waitMs, flush)
    return batch
  }

  /** Sends the open batch on its way. */
  flush(): void {
    const batch = this.#takeOpen()
    if (batch === undefined) return
    const { writer, partition, leaderEpoch } = this.#options
    const bytes = batch.content.finish({
      baseOffset: batch.base,
      leaderEpoch,
      timestamp: BigInt(batch.timestampMs),
    })
    this.#inFlight.push(batch)
    batch.ticket = writer.append(partition, leaderEpoch, bytes, batch.base)
  }

  #takeOpen(): OpenBatch | undefined {
    const batch = this.#open
    this.#open = undefined
    if (batch !== undefined && batch.lingerTimer !== 0) this.#options.host.timers.cancel(batch.lingerTimer)
    return batch
  }

  onFailed(ticket: Ticket, code: KafkaErrorCode): void {
    const at = this.#inFlight.findIndex(batch => batch.ticket === ticket)
    // What went with an earlier one is not in flight any more.
    if (at < 0) return
    const { logger, partition } = this.#options
    if (code === LogErrorCode.OFFSET_MISMATCH) {
      logger.error(`coordinator partition ${partition} is not where its state thinks it is, and is loaded again`)
      this.#options.outOfStep()
      return
    }
    logger.warn({ code }, `coordinator partition ${partition} refused a batch: error ${code}`)
    this.#revert(at, new Refusal(code))
  }

  onAppended(ticket: Ticket): void {
    this.#writtenTicket = ticket
    this.#commit()
  }

  onHighWatermark(offset: number): void {
    this.#highWatermark = offset
    this.#commit()
  }

  /**
   * Answers what is written and below the high watermark: being below it is not enough, for
   * others may have written there.
   */
  #commit(): void {
    let passed = 0
    for (const { ticket, end } of this.#inFlight) {
      if (ticket > this.#writtenTicket || end > this.#highWatermark) break
      passed++
    }
    if (passed === 0) return
    const batches = this.#inFlight.splice(0, passed)
    this.#settleTimeline()
    for (const batch of batches) this.#tell(batch.waiting, committed)
  }

  /** Fails everything that waits. The timeline is left as it is: nobody looks at it again. */
  close(refusal: Refusal): void {
    const failed = this.#takeFrom(0)
    this.#options.host.timers.cancel(this.#patienceTimer)
    for (const batch of failed) this.#tell(batch.waiting, waiting => waiting.reverted(refusal))
  }

  /** What was done before the oldest batch that is not committed stays. */
  #settleTimeline(): void {
    const { timeline } = this.#options
    timeline.forget((this.#inFlight[0] ?? this.#open)?.mark ?? timeline.mark)
  }

  /** Takes back the batches in flight from `at` on and the open one. */
  #revert(at: number, refusal: Refusal): void {
    const failed = this.#takeFrom(at)
    const first = failed[0] as Batch
    this.#options.timeline.revertTo(first.mark)
    this.#next = first.base
    for (const batch of failed) this.#tell(batch.waiting, waiting => waiting.reverted(refusal))
  }

  #takeFrom(at: number): Batch[] {
    const taken = this.#inFlight.splice(at)
    const open = this.#takeOpen()
    if (open !== undefined) taken.push(open)
    return taken
  }

  #tell(those: readonly Waiting[], how: (waiting: Waiting) => void): void {
    for (const waiting of those) this.#tellOne(waiting, how)
  }

  #tellOne(waiting: Waiting, how: (waiting: Waiting) => void): void {
    try {
      how(waiting)
    } catch (error) {
      const { logger, partition } = this.#options
      logger.error({ err: error }, `an answer of coordinator partition ${partition} threw`)
    }
  }

  // Patience: one timer, for whose ends first; it is not set anew when that one is answered.

  #setPatience(untilMs: number): void {
    const { timers } = this.#options.host
    timers.cancel(this.#patienceTimer)
    this.#patienceEndsMs = untilMs
    this.#patienceTimer = timers.at(untilMs, () => this.#endPatience())
  }

  #endPatience(): void {
    this.#patienceTimer = 0
    this.#patienceEndsMs = Number.POSITIVE_INFINITY
    const nowMs = this.#options.host.clock.monotonicMs()
    const refusal = new Refusal(ErrorCode.REQUEST_TIMED_OUT)
    const expired: Waiting[] = []
    let nextMs = Number.POSITIVE_INFINITY
    const batches = this.#open === undefined ? this.#inFlight : [...this.#inFlight, this.#open]
    for (const { waiting } of batches) {
      for (const each of waiting) {
        if (each.deadlineMs <= nowMs) expired.push(each)
        else nextMs = Math.min(nextMs, each.deadlineMs)
      }
    }
    if (nextMs < Number.POSITIVE_INFINITY) this.#setPatience(nextMs)
    for (const each of expired) each.expired(refusal)
  }
}

const committed = (waiting: Waiting): void => waiting.committed()

const NO_RECORDS: readonly RecordBytes[] = []
/** More records than this are never in a batch: their count alone would fill it. */
const INDEX_AT_MOST = 1 << 27

/** What the records take in a batch at most, wherever in it they stand. */
function bytesTogether(serialized: readonly RecordBytes[]): number {
  let sum = 0
  for (const { key, value } of serialized) sum += recordBytes(key, value, INDEX_AT_MOST)
  return sum
}
