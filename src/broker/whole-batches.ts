/**
 * What a loader gets of the bytes that a read brought: whole batches, inflated.
 *
 * Invariants: nothing is allocated from a length that a batch claims; an inflated batch keeps its header but for its
 * length and codec, so its checksum is that of the compressed one. Used by `partition-writer.ts`.
 */
import { decompress } from '../native/pure.ts'
import { Attribute, BATCH_HEADER_BYTES, BATCH_LOG_OVERHEAD, BatchView, Compression, Field } from '../records/batch.ts'

/** What the records of one batch may inflate to, in bytes. */
const INFLATED_AT_MOST = 256 * 1024 * 1024

export interface WholeBatches {
  /** Runs of whole, uncompressed batches, in order. */
  readonly runs: readonly Uint8Array[]
  /** Offset after the last of them; -1 when there is none. */
  readonly nextOffset: number
}

/** @throws TypeError when a batch can't be inflated. */
export function wholeBatches(bytes: Uint8Array): WholeBatches {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const runs: Uint8Array[] = []
  let runFrom = 0
  let at = 0
  let last = -1
  while (at + BATCH_HEADER_BYTES <= bytes.length) {
    const size = view.getInt32(at + Field.length) + BATCH_LOG_OVERHEAD
    if (size < BATCH_HEADER_BYTES || at + size > bytes.length) break
    if ((view.getInt16(at + Field.attributes) & Attribute.compression) !== Compression.none) {
      if (at > runFrom) runs.push(bytes.subarray(runFrom, at))
      runs.push(inflated(bytes.subarray(at, at + size)))
      runFrom = at + size
    }
    last = at
    at += size
  }
  if (at > runFrom) runs.push(bytes.subarray(runFrom, at))
  return { runs, nextOffset: last < 0 ? -1 : (BatchView.at(bytes, last)?.lastOffset ?? -2) + 1 }
}

function inflated(bytes: Uint8Array): Uint8Array {
  const batch = BatchView.at(bytes, 0)
  if (batch === undefined) throw new TypeError('a batch of an older format')
  const { code, text, bytes: records } = decompress(batch.compression, batch.payload, INFLATED_AT_MOST)
  if (code !== 0) throw new TypeError(`the batch at offset ${batch.baseOffset} can't be inflated: ${text}`)
  const whole = new Uint8Array(BATCH_HEADER_BYTES + records.length)
  whole.set(bytes.subarray(0, BATCH_HEADER_BYTES))
  whole.set(records, BATCH_HEADER_BYTES)
  const view = new DataView(whole.buffer)
  view.setInt32(Field.length, whole.length - BATCH_LOG_OVERHEAD)
  view.setInt16(Field.attributes, batch.attributes & ~Attribute.compression)
  return whole
}
