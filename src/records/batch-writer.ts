/**
 * Writes one record batch of format 2 record by record: for who fills a batch as long as records come, and must know
 * before each whether it still fits.
 *
 * Invariants: uncompressed; every record has the batch's timestamp and no headers; sizes are exact. A finished writer
 * is not used again: its bytes belong to who got them.
 */
import { BATCH_HEADER_BYTES } from './batch.ts'
import type { BatchOptions } from './builder.ts'
import { fieldBytes, writeBatchHeader, writeField } from './builder.ts'
import { varintBytes, writeVarint } from './varint.ts'

const FIRST_BYTES = 1024
/** Attributes, timestamp delta 0, no headers: a byte each. */
const FIXED_BYTES = 3

/** Bytes of a record, its own length field among them, that is the `index`th of its batch. */
export function recordBytes(key: Uint8Array, value: Uint8Array | null, index: number): number {
  const body = bodyBytes(key, value, index)
  return varintBytes(body) + body
}

function bodyBytes(key: Uint8Array, value: Uint8Array | null, index: number): number {
  return FIXED_BYTES + varintBytes(index) + fieldBytes(key) + fieldBytes(value)
}

export class BatchWriter {
  #bytes = new Uint8Array(FIRST_BYTES)
  #size = BATCH_HEADER_BYTES
  #count = 0

  /** Bytes of the batch as it is. */
  get size(): number {
    return this.#size
  }

  get count(): number {
    return this.#count
  }

  add(key: Uint8Array, value: Uint8Array | null): void {
    const body = bodyBytes(key, value, this.#count)
    const end = this.#size + varintBytes(body) + body
    if (end > this.#bytes.length) this.#grow(end)
    const bytes = this.#bytes
    let at = writeVarint(bytes, this.#size, body)
    bytes[at++] = 0
    bytes[at++] = 0
    at = writeVarint(bytes, at, this.#count)
    at = writeField(bytes, at, key)
    at = writeField(bytes, at, value)
    bytes[at++] = 0
    this.#size = at
    this.#count++
  }

  #grow(atLeast: number): void {
    const larger = new Uint8Array(Math.max(atLeast, this.#bytes.length * 2))
    larger.set(this.#bytes.subarray(0, this.#size))
    this.#bytes = larger
  }

  /** The batch. At least one record must have been added. */
  finish(options: BatchOptions): Uint8Array {
    if (this.#count === 0) throw new RangeError('a batch holds at least one record')
    const bytes = this.#bytes.subarray(0, this.#size)
    writeBatchHeader(bytes, this.#count, options.timestamp, options.timestamp, options)
    return bytes
  }
}
