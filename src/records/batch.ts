/**
 * The header of a record batch of format 2, seen in place.
 *
 * Invariants: nothing here copies or judges the records; a view is as long-lived as the bytes under it. Format 2 is the
 * only one: older ones never reach these rooms.
 */
import { crc32c } from '../base/crc32c.ts'

/** Bytes of a batch before its first record. */
export const BATCH_HEADER_BYTES = 61
/** Bytes before the part that the length field counts. */
export const BATCH_LOG_OVERHEAD = 12
/** Where the bytes begin that the checksum covers. */
export const CRC_COVERS_FROM = 21

export const Field = {
  baseOffset: 0,
  length: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  count: 57,
} as const

export const Attribute = {
  compression: 0x07,
  logAppendTime: 0x08,
  transactional: 0x10,
  control: 0x20,
  deleteHorizon: 0x40,
} as const

export const Compression = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const

/** One batch at `at` of `bytes`: the header's fields, read when asked for. */
export class BatchView {
  readonly bytes: Uint8Array
  readonly at: number
  readonly #view: DataView

  private constructor(bytes: Uint8Array, at: number) {
    this.bytes = bytes
    this.at = at
    this.#view = new DataView(bytes.buffer, bytes.byteOffset + at, bytes.length - at)
  }

  /** The batch at `at`; undefined when the bytes end within it, or it is not of format 2. */
  static at(bytes: Uint8Array, at: number): BatchView | undefined {
    if (at + BATCH_HEADER_BYTES > bytes.length) return undefined
    const batch = new BatchView(bytes, at)
    if (batch.size < BATCH_HEADER_BYTES || at + batch.size > bytes.length || batch.magic !== 2) return undefined
    return batch
  }

  get baseOffset(): number {
    return Number(this.#view.getBigInt64(Field.baseOffset))
  }
  /** All bytes of the batch, header included. */
  get size(): number {
    return this.#view.getInt32(Field.length) + BATCH_LOG_OVERHEAD
  }
  get leaderEpoch(): number {
    return this.#view.getInt32(Field.leaderEpoch)
  }
  get magic(): number {
    return this.#view.getInt8(Field.magic)
  }
  get crc(): number {
    return this.#view.getUint32(Field.crc)
  }
  get attributes(): number {
    return this.#view.getInt16(Field.attributes)
  }
  get lastOffset(): number {
    return this.baseOffset + this.#view.getInt32(Field.lastOffsetDelta)
  }
  get baseTimestamp(): bigint {
    return this.#view.getBigInt64(Field.baseTimestamp)
  }
  get maxTimestamp(): bigint {
    return this.#view.getBigInt64(Field.maxTimestamp)
  }
  get producerId(): bigint {
    return this.#view.getBigInt64(Field.producerId)
  }
  get producerEpoch(): number {
    return this.#view.getInt16(Field.producerEpoch)
  }
  get baseSequence(): number {
    return this.#view.getInt32(Field.baseSequence)
  }
  get count(): number {
    return this.#view.getInt32(Field.count)
  }
  get compression(): number {
    return this.attributes & Attribute.compression
  }
  get isControl(): boolean {
    return (this.attributes & Attribute.control) !== 0
  }
  get isTransactional(): boolean {
    return (this.attributes & Attribute.transactional) !== 0
  }
  get isLogAppendTime(): boolean {
    return (this.attributes & Attribute.logAppendTime) !== 0
  }
  /** Whether the checksum fits the bytes. */
  get isIntact(): boolean {
    return crc32c(this.bytes, this.at + CRC_COVERS_FROM, this.at + this.size) === this.crc
  }
  /** The bytes after the header: records, or one compressed block of them. */
  get payload(): Uint8Array {
    return this.bytes.subarray(this.at + BATCH_HEADER_BYTES, this.at + this.size)
  }
}

/** The batches that lie whole in `bytes`, in order; what remains after the last one is left out. */
export function* batchesOf(bytes: Uint8Array): Generator<BatchView, undefined> {
  for (let at = 0; ; ) {
    const batch = BatchView.at(bytes, at)
    if (batch === undefined) return
    yield batch
    at += batch.size
  }
}
