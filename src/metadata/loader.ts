/**
 * Turns committed batches into images, and tells publishers in order.
 *
 * Invariants: a publisher sees every change once, with the image before (`delta.base`) and after; images it is given
 * only grow in offset. Records of a metadata transaction are published together at its end, and never when it is
 * aborted. A record that cannot be read or does not fit stops the loader: a broker on half a log would answer wrongly.
 */
import type { Logger } from '../base/logger.ts'
import type { CommittedBatch } from '../raft/driver.ts'
import type { Snapshot, SnapshotId } from '../raft/snapshot.ts'
import type { Provenance } from './delta.ts'
import { MetadataDelta } from './delta.ts'
import type { MetadataImage } from './image.ts'
import { emptyImage } from './image.ts'
import { decodeRecord } from './records.ts'
import { imageOf } from './snapshot.ts'

export interface MetadataPublisher {
  /** For log lines. */
  readonly name: string
  /** Must not throw: what it cannot carry out is its own to report. */
  publish(delta: MetadataDelta, image: MetadataImage): void
}

interface Waiter {
  readonly offset: number
  readonly resolve: () => void
}

export class MetadataLoader {
  readonly #logger: Logger
  readonly #publishers: MetadataPublisher[] = []
  #waiters: Waiter[] = []
  #image: MetadataImage = emptyImage
  /** Offset of the BeginTransactionRecord whose end is not yet committed; -1: none. */
  #transactionStart = -1
  #transaction: MetadataDelta | undefined

  constructor(logger: Logger) {
    this.#logger = logger
  }

  /** The newest published image. */
  image(): MetadataImage {
    return this.#image
  }

  /** Whether the log ends within a metadata transaction, which its writer did not live to end. */
  get inTransaction(): boolean {
    return this.#transactionStart >= 0
  }

  /** Publishes everything so far to `publisher` at once, and from then on each change. Returns its remover. */
  subscribe(publisher: MetadataPublisher): () => void {
    this.#publishers.push(publisher)
    if (this.#image !== emptyImage) this.#tell(publisher, MetadataDelta.to(this.#image), this.#image)
    return () => {
      const at = this.#publishers.indexOf(publisher)
      if (at >= 0) this.#publishers.splice(at, 1)
    }
  }

  /** Resolves when every publisher has seen `offset`. */
  whenApplied(offset: number): Promise<void> {
    if (this.#image.offset >= offset) return Promise.resolve()
    return new Promise(resolve => this.#waiters.push({ offset, resolve }))
  }

  /** @throws MetadataError, ProtocolError */
  loadSnapshot(id: SnapshotId, snapshot: Snapshot): void {
    const image = imageOf(id, snapshot.lastContainedTimestampMs, snapshot.records)
    const delta = new MetadataDelta(this.#image)
    for (const value of snapshot.records) delta.replay(decodeRecord(value))
    this.#publish(delta, image)
  }

  /** @throws MetadataError, ProtocolError */
  loadBatches(batches: readonly CommittedBatch[]): void {
    let delta = this.#transaction ?? new MetadataDelta(this.#image)
    let at: Provenance | undefined
    for (const batch of batches) {
      let offset = batch.baseOffset
      for (const value of batch.records) {
        const record = decodeRecord(value)
        const { epoch, timestampMs } = batch
        switch (record.name) {
          case 'BeginTransactionRecord':
            if (at !== undefined) this.#publish(delta, delta.apply(at))
            at = undefined
            delta = new MetadataDelta(this.#image)
            this.#transactionStart = offset
            break
          case 'EndTransactionRecord':
            this.#transactionStart = -1
            break
          case 'AbortTransactionRecord':
            delta = new MetadataDelta(this.#image)
            this.#transactionStart = -1
            break
          default:
            delta.replay(record)
        }
        if (this.#transactionStart < 0) at = { offset, epoch, timestampMs }
        offset++
      }
      if (this.#transactionStart < 0) {
        at = { offset: batch.lastOffset, epoch: batch.epoch, timestampMs: batch.timestampMs }
      }
    }
    this.#transaction = this.#transactionStart < 0 ? undefined : delta
    if (this.#transaction === undefined && at !== undefined) this.#publish(delta, delta.apply(at))
  }

  #publish(delta: MetadataDelta, image: MetadataImage): void {
    this.#image = image
    for (const publisher of [...this.#publishers]) this.#tell(publisher, delta, image)
    const due = this.#waiters.filter(waiter => waiter.offset <= image.offset)
    this.#waiters = this.#waiters.filter(waiter => waiter.offset > image.offset)
    for (const waiter of due) waiter.resolve()
  }

  #tell(publisher: MetadataPublisher, delta: MetadataDelta, image: MetadataImage): void {
    try {
      publisher.publish(delta, image)
    } catch (error) {
      const fields = { err: error, publisher: publisher.name, offset: image.offset }
      this.#logger.error(fields, `publisher ${publisher.name} failed on metadata up to offset ${image.offset}`)
    }
  }
}
