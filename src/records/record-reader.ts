/**
 * Walks the records of batches without making an object for each: for loaders, which read millions. Where keys and
 * values lie is told as positions; timestamps and headers are passed over.
 *
 * Invariants: as `iterate.ts`: a batch that breaks its own lengths or count ends in a `RecordError`, never in a read
 * past its bytes. Fields are valid until the next call.
 */
import type { BatchView } from './batch.ts'
import { BATCH_HEADER_BYTES, Compression } from './batch.ts'
import { RecordError } from './iterate.ts'

export class RecordReader {
  /** Offset of the present record. */
  offset = 0
  keyAt = 0
  /** -1: no key. */
  keyLength = 0
  valueAt = 0
  /** -1: no value. */
  valueLength = 0

  #bytes: Uint8Array = new Uint8Array(0)
  #at = 0
  #end = 0
  #left = 0
  #baseOffset = 0

  /** Begins with the records of `batch`, which is not compressed. @throws RecordError */
  begin(batch: BatchView): void {
    this.#baseOffset = batch.baseOffset
    if (batch.compression !== Compression.none)
      throw new RecordError(`the batch at offset ${this.#baseOffset} is compressed`)
    this.#bytes = batch.bytes
    this.#at = batch.at + BATCH_HEADER_BYTES
    this.#end = batch.at + batch.size
    this.#left = batch.count
  }

  /** Goes to the next record. @returns false when there is none. @throws RecordError */
  next(): boolean {
    if (this.#left <= 0) {
      if (this.#left < 0 || this.#at !== this.#end) this.#fail()
      return false
    }
    this.#left--
    const length = this.#varint()
    const end = this.#at + length
    if (length < 1 || end > this.#end) this.#fail()
    this.#at++
    this.#skipVarlong()
    this.offset = this.#baseOffset + this.#varint()
    this.keyLength = this.#varint()
    this.keyAt = this.#at
    if (this.keyLength > 0) this.#at += this.keyLength
    if (this.#at > end) this.#fail()
    this.valueLength = this.#varint()
    this.valueAt = this.#at
    if (this.valueLength > 0) this.#at += this.valueLength
    if (this.#at > end) this.#fail()
    const headers = this.#varint()
    if (headers === 0 ? this.#at !== end : headers < 0 || headers * 2 > end - this.#at) this.#fail()
    this.#at = end
    return true
  }

  get key(): Uint8Array | null {
    return this.keyLength < 0 ? null : this.#bytes.subarray(this.keyAt, this.keyAt + this.keyLength)
  }

  get value(): Uint8Array | null {
    return this.valueLength < 0 ? null : this.#bytes.subarray(this.valueAt, this.valueAt + this.valueLength)
  }

  #varint(): number {
    const bytes = this.#bytes
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      if (this.#at >= this.#end) this.#fail()
      const byte = bytes[this.#at++] as number
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return (value >>> 1) ^ -(value & 1)
    }
    return this.#fail()
  }

  #skipVarlong(): void {
    for (let count = 0; count < 10; count++) {
      if (this.#at >= this.#end) this.#fail()
      if ((this.#bytes[this.#at++] as number) < 0x80) return
    }
    this.#fail()
  }

  #fail(): never {
    throw new RecordError(`the batch at offset ${this.#baseOffset} is malformed at byte ${this.#at}`)
  }
}
