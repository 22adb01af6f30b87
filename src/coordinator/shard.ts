/**
 * The contract between a coordinator's state machine and the runtime that keeps it: types, and the refusal.
 *
 * A shard is one partition of a coordinator topic: all state of the keys that hash to it. Its operations look at the
 * state (uncommitted changes included) and return records and an answer; only `replay` changes state that must survive,
 * and the runtime calls it for each record of an operation at once, before the append, and again for each record of the
 * log when the shard is loaded. The answer leaves when the high watermark has passed the records. If the append is
 * refused, the timeline goes back to where it was before, and everything that came after it fails too.
 *
 * Soft state (timers, members who wait for a rebalance, cached computations) may live outside the timeline; an
 * operation that touches it must be right whether or not its records are written: `settled` tells it which.
 */
import type { MetadataDelta } from '../metadata/delta.ts'
import type { MetadataImage } from '../metadata/image.ts'
import type { KafkaErrorCode } from '../protocol/error-codes.ts'
import { describeError } from '../protocol/error-codes.ts'
import type { Timeline } from '../timeline/timeline.ts'

/** Key and value as they lie in the log. */
export interface RecordBytes {
  readonly key: Uint8Array
  readonly value: Uint8Array | null
}

/** Between a shard's records and their bytes. */
export interface RecordSerde<Record> {
  serialize(record: Record): RecordBytes
  /**
   * undefined: a kind of record that this release does not know, and passes over. @throws when the bytes are malformed.
   */
  deserialize(bytes: RecordBytes): Record | undefined
}

/** What an operation wants: these records written, then this answered. */
export interface Outcome<Record, Response> {
  readonly records: readonly Record[]
  readonly response: Response
  /** All in one batch, or refused as a whole before any is replayed. Absent: false. */
  readonly atomic?: boolean
  /**
   * Called once: with 0 when the records are committed (before the answer leaves), with Kafka's code when they are not
   * and never will be, and the timeline has been reverted.
   */
  readonly settled?: (code: KafkaErrorCode) => void
}

/** Where a record that is replayed comes from. */
export interface ReplayOrigin {
  /** Its offset; predicted when `replay` is called before the append. */
  readonly offset: number
  /** -1: not of a transaction. Otherwise the record is pending until the transaction's end. */
  readonly producerId: bigint
  readonly producerEpoch: number
}

export interface CoordinatorShard<Record> {
  replay(record: Record, origin: ReplayOrigin): void
  /** A transaction ended, of which records may have been replayed. */
  replayEndTransactionMarker(producerId: bigint, producerEpoch: number, committed: boolean): void
  /** Every record of the log was replayed; from now on operations come. Timers are started here. */
  onLoaded(image: MetadataImage): void
  /**
   * The end: leadership is gone or the broker stops. Timers are cancelled by the runtime; waiting
   * answers are the shard's.
   */
  onUnloaded(): void
  onMetadata(delta: MetadataDelta, image: MetadataImage): void
}

/** What the runtime gives to a shard it makes. */
export interface ShardContext<Record> {
  /** Index of the partition of the coordinator topic. */
  readonly partition: number
  readonly timeline: Timeline
  readonly timers: CoordinatorTimers<Record>
  image(): MetadataImage
}

/**
 * Timers of one shard, by key. A timer that comes due is not acted on before the requests that have arrived by then
 * were handled; then its operation runs as a write. One that was cancelled or replaced meanwhile never runs.
 */
export interface CoordinatorTimers<Record> {
  /** Replaces the timer of that key. `retry`: an operation that fails is tried again after a pause (default: true). */
  schedule(key: string, delayMs: number, operation: () => Outcome<Record, void>, options?: { retry?: boolean }): void
  /** Lets the timer of that key come due so much from now instead; its operation stays. False: there is none. */
  putOff(key: string, delayMs: number): boolean
  scheduleIfAbsent(key: string, delayMs: number, operation: () => Outcome<Record, void>): void
  cancel(key: string): void
  isScheduled(key: string): boolean
}

/**
 * An operation's "no": Kafka's code, and a message where the API has room for one. Operations throw it; the runtime and
 * the handlers turn it into the answer. Nothing is changed by an operation that throws.
 */
export class Refusal extends Error {
  readonly code: KafkaErrorCode

  constructor(code: KafkaErrorCode, message?: string) {
    super(message ?? describeError(code).name)
    this.name = 'Refusal'
    this.code = code
  }
}
