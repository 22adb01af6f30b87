/**
 * How a coordinator reaches the log of one partition of its topic: queued appends with a predicted offset, and the bulk
 * read of a load; and how it finds out that nobody waits to be heard. Types only; `broker/partition-writer.ts` is the
 * one over the engine, tests have one in memory.
 *
 * Invariants: appends of one tenure are carried out in call order; an append whose `expectedBase` is not the log's end
 * is refused (OFFSET_MISMATCH, internal) and changes nothing. Listener calls never happen inside the call that caused
 * them. After `onLost` nothing more is heard of that tenure.
 */
import type { KafkaErrorCode } from '../protocol/error-codes.ts'

/** Counts up with each append of one writer. */
export type Ticket = number

/** One leadership of one partition. */
export interface TenureListener {
  onAppended(ticket: Ticket, end: number): void
  /** The append was refused; those behind it that expected it are refused as well, each with its own call. */
  onFailed(ticket: Ticket, code: KafkaErrorCode): void
  onHighWatermark(offset: number): void
  /** The leadership is gone (another epoch, the topic deleted, its directory offline). */
  onLost(): void
}

export interface PartitionWriter {
  /** Largest batch that an append takes, in bytes; `max.message.bytes` of the topic. */
  maxBatchBytes(partition: number): number
  /** Number of partitions of the coordinator's topic; undefined: there is no such topic (yet). */
  partitionCount(): number | undefined
  /**
   * One uncompressed record batch, whose base offset is `expectedBase`. Nothing is heard of it inside this call.
   * @returns its ticket.
   */
  append(partition: number, leaderEpoch: number, batch: Uint8Array, expectedBase: number): Ticket
  listen(partition: number, leaderEpoch: number, listener: TenureListener): () => void
  /** Where the next append goes, and what is readable. */
  marks(partition: number): { readonly logStart: number; readonly end: number; readonly highWatermark: number }
  /**
   * Reads everything below the log's end as it is now. `onBatches` gets whole record batches, inflated, one run of
   * bytes at a time, which it may keep; it may return a promise to be waited for. Resolves to the end that was reached;
   * rejects with a `Refusal`.
   */
  load(partition: number, leaderEpoch: number, onBatches: (bytes: Uint8Array) => void | Promise<void>): Promise<number>
}

/** Hearing before acting. */
export interface ListenFirst {
  /** Calls back, never within this call, when the requests that have arrived by now were handled. */
  whenHeard(done: () => void): void
}
