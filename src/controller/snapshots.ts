/**
 * Decides when a snapshot of the metadata is due and has it stored: after so many bytes of records, or when something
 * changed and the last one is old. An idle node writes none.
 *
 * Invariants: one at a time; one that cannot be stored is reported and tried again when the next is due: the
 * log still has everything.
 */
import type { Logger } from '../base/logger.ts'
import type { BrokerConfig } from '../config/broker-config.ts'
import type { Host } from '../host/host.ts'
import type { MetadataImage } from '../metadata/image.ts'
import { encodeRecord } from '../metadata/records.ts'
import { imageRecords } from '../metadata/snapshot.ts'
import type { CommittedBatch, RaftDriver } from '../raft/driver.ts'
import type { QuorumAtSnapshot } from '../raft/snapshot.ts'
import { buildSnapshot } from '../raft/snapshot.ts'

export class Snapshots {
  readonly #host: Host
  readonly #logger: Logger
  readonly #raft: RaftDriver
  readonly #maxBytes: number
  readonly #maxAgeMs: number
  #bytes = 0
  #lastMs: number
  #storing: Promise<void> | undefined

  constructor(host: Host, logger: Logger, raft: RaftDriver, config: BrokerConfig) {
    this.#host = host
    this.#logger = logger
    this.#raft = raft
    this.#maxBytes = config.number('metadata.log.max.record.bytes.between.snapshots')
    this.#maxAgeMs = config.number('metadata.log.max.snapshot.interval.ms')
    this.#lastMs = host.clock.monotonicMs()
  }

  /** Batches were committed and are in `image`. */
  committed(batches: readonly CommittedBatch[], image: MetadataImage): void {
    for (const batch of batches) if (batch.records.length > 0) this.#bytes += batch.bytes
    const nowMs = this.#host.clock.monotonicMs()
    const old = this.#maxAgeMs > 0 && nowMs - this.#lastMs >= this.#maxAgeMs
    if (this.#storing !== undefined || this.#bytes === 0 || !(old || this.#bytes >= this.#maxBytes)) return
    this.#bytes = 0
    this.#lastMs = nowMs
    this.#storing = this.store(image).finally(() => {
      this.#storing = undefined
    })
  }

  /** Stores a snapshot of `image`. Never rejects. */
  async store(image: MetadataImage): Promise<void> {
    const id = { endOffset: image.offset + 1, epoch: image.epoch }
    const { kraftVersion, voters } = this.#raft
    const quorum: QuorumAtSnapshot | undefined = voters.length > 0 ? { kraftVersion, voters } : undefined
    const records = Array.from(imageRecords(image), encodeRecord)
    const snapshot = { lastContainedTimestampMs: image.timestampMs, quorum, records }
    try {
      await this.#raft.storeSnapshot(id, buildSnapshot(id, snapshot, this.#host.clock.wallMs()))
    } catch (error) {
      this.#logger.warn({ err: error, offset: image.offset }, 'a snapshot of the metadata could not be stored')
    }
  }

  /** Resolves when none is being stored. */
  async idle(): Promise<void> {
    await this.#storing
  }
}
