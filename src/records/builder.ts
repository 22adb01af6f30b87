/**
 * Builds record batches of format 2 from records: for what this node itself writes (metadata, snapshots, coordinators)
 * and for clients in this process.
 *
 * Invariants: uncompressed (compressing is the engine's); the checksum is always right; offsets count up from
 * `baseOffset` without gaps. The result is one fresh array, sized exactly.
 */
import { crc32c } from '../base/crc32c.ts'
import { Attribute, BATCH_HEADER_BYTES, BATCH_LOG_OVERHEAD, CRC_COVERS_FROM, Field } from './batch.ts'
import { varintBytes, varlongBytes, writeVarint, writeVarlong } from './varint.ts'

export interface RecordHeader {
  readonly key: Uint8Array
  readonly value: Uint8Array | null
}

export interface RecordInput {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers?: readonly RecordHeader[]
  /** Milliseconds since 1970; absent: the batch's. */
  readonly timestamp?: bigint
}

export interface BatchOptions {
  readonly baseOffset: number
  readonly leaderEpoch: number
  /** Milliseconds since 1970; base of the records' timestamps. */
  readonly timestamp: bigint
  readonly control?: boolean
  readonly transactional?: boolean
  readonly producerId?: bigint
  readonly producerEpoch?: number
  readonly baseSequence?: number
}

/** Bytes of one record after its own length field. */
function bodyBytes(record: RecordInput, offsetDelta: number, timestampDelta: bigint): number {
  const headers = record.headers ?? []
  let bytes = 1 + varlongBytes(timestampDelta) + varintBytes(offsetDelta) + varintBytes(headers.length)
  bytes += fieldBytes(record.key) + fieldBytes(record.value)
  for (const header of headers) bytes += fieldBytes(header.key) + fieldBytes(header.value)
  return bytes
}

/** Bytes of a key or value with its length field. */
export function fieldBytes(field: Uint8Array | null): number {
  return field === null ? 1 : varintBytes(field.length) + field.length
}

/** Returns the position after it. */
export function writeField(bytes: Uint8Array, at: number, field: Uint8Array | null): number {
  if (field === null) return writeVarint(bytes, at, -1)
  at = writeVarint(bytes, at, field.length)
  bytes.set(field, at)
  return at + field.length
}

/** Bytes that `record` adds to a batch at most, whatever its place there. */
export function recordBytesAtMost(record: RecordInput): number {
  return bodyBytes(record, 0x7fffffff, 1n << 62n) + 5
}

/** One batch of `records` (at least one). */
export function buildBatch(records: readonly RecordInput[], options: BatchOptions): Uint8Array {
  if (records.length === 0) throw new RangeError('a batch holds at least one record')
  const base = records[0]!.timestamp ?? options.timestamp
  let max = base
  let size = BATCH_HEADER_BYTES
  const lengths = records.map((record, index) => {
    const timestamp = record.timestamp ?? options.timestamp
    if (timestamp > max) max = timestamp
    const length = bodyBytes(record, index, timestamp - base)
    size += varintBytes(length) + length
    return length
  })

  const bytes = new Uint8Array(size)
  let at = BATCH_HEADER_BYTES
  for (const [index, record] of records.entries()) {
    const headers = record.headers ?? []
    at = writeVarint(bytes, at, lengths[index]!)
    bytes[at++] = 0
    at = writeVarlong(bytes, at, (record.timestamp ?? options.timestamp) - base)
    at = writeVarint(bytes, at, index)
    at = writeField(bytes, at, record.key)
    at = writeField(bytes, at, record.value)
    at = writeVarint(bytes, at, headers.length)
    for (const header of headers) {
      at = writeField(bytes, at, header.key)
      at = writeField(bytes, at, header.value)
    }
  }

  writeBatchHeader(bytes, records.length, base, max, options)
  return bytes
}

/**
 * Fills in the header of the batch that `bytes` is, its `count` records written; last of all,
 * for it holds the checksum.
 */
export function writeBatchHeader(
  bytes: Uint8Array,
  count: number,
  baseTimestamp: bigint,
  maxTimestamp: bigint,
  options: BatchOptions,
): void {
  const attributes = (options.control ? Attribute.control : 0) | (options.transactional ? Attribute.transactional : 0)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  view.setBigInt64(Field.baseOffset, BigInt(options.baseOffset))
  view.setInt32(Field.length, bytes.length - BATCH_LOG_OVERHEAD)
  view.setInt32(Field.leaderEpoch, options.leaderEpoch)
  view.setInt8(Field.magic, 2)
  view.setInt16(Field.attributes, attributes)
  view.setInt32(Field.lastOffsetDelta, count - 1)
  view.setBigInt64(Field.baseTimestamp, baseTimestamp)
  view.setBigInt64(Field.maxTimestamp, maxTimestamp)
  view.setBigInt64(Field.producerId, options.producerId ?? -1n)
  view.setInt16(Field.producerEpoch, options.producerEpoch ?? -1)
  view.setInt32(Field.baseSequence, options.baseSequence ?? -1)
  view.setInt32(Field.count, count)
  view.setUint32(Field.crc, crc32c(bytes, CRC_COVERS_FROM))
}
