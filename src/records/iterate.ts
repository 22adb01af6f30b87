/**
 * The records of a batch, one after the other, in place: keys, values and headers are views on the batch's bytes.
 *
 * Invariants: a batch that breaks its own lengths or count ends in a `RecordError`, never in a read past its bytes. It
 * reads what a log holds; whether a client's batch may be appended is the engine's to decide.
 */
import type { BatchView } from './batch.ts'
import { Compression } from './batch.ts'
import type { RecordHeader } from './builder.ts'
import type { Cursor } from './varint.ts'
import { readVarint, readVarlong } from './varint.ts'

export interface BatchRecord {
  readonly offset: number
  readonly timestamp: bigint
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly RecordHeader[]
}

/** A batch whose records don't fit its bytes. */
export class RecordError extends Error {
  override readonly name = 'RecordError'
}

const noHeaders: readonly RecordHeader[] = []

/**
 * The records of `batch`. `inflated`: the payload of a compressed batch, which the caller has had inflated.
 * @throws RecordError
 */
export function* recordsOf(batch: BatchView, inflated?: Uint8Array): Generator<BatchRecord, undefined> {
  if (inflated === undefined && batch.compression !== Compression.none) {
    throw new RecordError(`the batch at offset ${batch.baseOffset} is compressed`)
  }
  const cursor: Cursor = { bytes: inflated ?? batch.payload, at: 0 }
  const { baseOffset, baseTimestamp, maxTimestamp, count, isLogAppendTime } = batch
  const fail = (): never => {
    throw new RecordError(`the batch at offset ${baseOffset} is malformed at byte ${cursor.at} of its records`)
  }
  const field = (): Uint8Array | null => {
    const length = readVarint(cursor) ?? fail()
    if (length < 0) return null
    if (length > cursor.bytes.length - cursor.at) return fail()
    const bytes = cursor.bytes.subarray(cursor.at, cursor.at + length)
    cursor.at += length
    return bytes
  }
  for (let index = 0; index < count; index++) {
    const length = readVarint(cursor) ?? fail()
    const end = cursor.at + length
    if (length < 0 || end > cursor.bytes.length) fail()
    cursor.at++
    const timestampDelta = readVarlong(cursor) ?? fail()
    const offsetDelta = readVarint(cursor) ?? fail()
    const key = field()
    const value = field()
    const headerCount = readVarint(cursor) ?? fail()
    // A header takes at least two bytes, so a count beyond that is a lie.
    if (headerCount < 0 || headerCount * 2 > end - cursor.at) fail()
    let headers = noHeaders
    if (headerCount > 0) {
      const list: RecordHeader[] = []
      for (let i = 0; i < headerCount; i++) list.push({ key: field() ?? fail(), value: field() })
      headers = list
    }
    if (cursor.at !== end) fail()
    const timestamp = isLogAppendTime ? maxTimestamp : baseTimestamp + timestampDelta
    yield { offset: baseOffset + offsetDelta, timestamp, key, value, headers }
  }
  if (cursor.at !== cursor.bytes.length) fail()
}
