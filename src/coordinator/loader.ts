/**
 * Loading: the records of a partition's log, replayed into a fresh shard.
 *
 * Invariants: the same `replay` as for live records, in log order. A kind of record that this release does not know is
 * passed over; a record that is malformed, or that can't be replayed, fails the load. The thread is given
 * back every few milliseconds, so that the broker goes on serving. What is loaded can't be taken back: the
 * timeline is emptied on the way.
 */
import type { Host } from '../host/host.ts'
import type { BatchView } from '../records/batch.ts'
import { batchesOf } from '../records/batch.ts'
import { RecordError } from '../records/iterate.ts'
import { RecordReader } from '../records/record-reader.ts'
import type { Timeline } from '../timeline/timeline.ts'
import type { CoordinatorShard, RecordSerde } from './shard.ts'

const TURN_MS = 4
/** The clock is looked at, and the timeline emptied, after so many records. */
const STRIDE = 256

/** What a control batch's record says: int16 version, int16 type. */
const ControlType = { abort: 0, commit: 1 } as const

export interface LoadSummary {
  readonly records: number
  readonly bytes: number
}

export class Loader<R> {
  readonly #host: Host
  readonly #serde: RecordSerde<R>
  readonly #shard: CoordinatorShard<R>
  readonly #timeline: Timeline
  readonly #reader = new RecordReader()
  /** Of the batch whose records are replayed; one object serves all. */
  readonly #origin = { offset: 0, producerId: -1n, producerEpoch: -1 }
  #records = 0
  #bytes = 0

  constructor(host: Host, serde: RecordSerde<R>, shard: CoordinatorShard<R>, timeline: Timeline) {
    this.#host = host
    this.#serde = serde
    this.#shard = shard
    this.#timeline = timeline
  }

  get summary(): LoadSummary {
    return { records: this.#records, bytes: this.#bytes }
  }

  /** Replays whole, inflated batches. @throws RecordError, or what deserializing or replaying a record threw. */
  async replay(bytes: Uint8Array): Promise<void> {
    const { clock, loop } = this.#host
    let turnEndsMs = clock.monotonicMs() + TURN_MS
    let lookAt = this.#records + STRIDE
    let at = 0
    for (const batch of batchesOf(bytes)) {
      at += batch.size
      if (batch.isControl) this.#endTransaction(batch)
      else this.#replayBatch(batch)
      if (this.#records < lookAt) continue
      lookAt = this.#records + STRIDE
      this.#timeline.forget(this.#timeline.mark)
      if (clock.monotonicMs() < turnEndsMs) continue
      await new Promise<void>(resolve => loop.yield(resolve))
      turnEndsMs = clock.monotonicMs() + TURN_MS
    }
    if (at !== bytes.length) throw new RecordError(`after ${at} bytes there is no batch of format 2`)
    this.#timeline.forget(this.#timeline.mark)
    this.#bytes += bytes.length
  }

  #replayBatch(batch: BatchView): void {
    const reader = this.#reader
    const origin = this.#origin
    origin.producerId = batch.isTransactional ? batch.producerId : -1n
    origin.producerEpoch = batch.isTransactional ? batch.producerEpoch : -1
    reader.begin(batch)
    while (reader.next()) {
      this.#records++
      const { key } = reader
      // Kafka writes none without a key; what has none says nothing.
      if (key === null) continue
      const record = this.#serde.deserialize({ key, value: reader.value })
      if (record === undefined) continue
      origin.offset = reader.offset
      this.#shard.replay(record, origin)
    }
  }

  #endTransaction(batch: BatchView): void {
    const reader = this.#reader
    reader.begin(batch)
    while (reader.next()) {
      this.#records++
      const { key } = reader
      if (key === null || key.length < 4) continue
      const type = ((key[2] as number) << 8) | (key[3] as number)
      if (type !== ControlType.commit && type !== ControlType.abort) continue
      this.#shard.replayEndTransactionMarker(batch.producerId, batch.producerEpoch, type === ControlType.commit)
    }
  }
}
