/**
 * Reads the protocol's primitive types from one frame, or from any other run of bytes.
 *
 * Invariants: no read goes past `end`, every length is compared with the bytes that remain before anything is made from
 * it, and what breaks the protocol throws a ProtocolError. A frame may have been copied without its record bytes
 * (`elisions`); then positions of record batches still are those in the frame. `bytes` fields are copied;
 * `RecordsRef.header` is a view. One reader may be used again with `reset`.
 */
import { internedString, internedUuid } from './interned.ts'
import { ProtocolError } from './protocol-error.ts'
import type { RecordsRef } from './schema.ts'

/** Record bytes that are not in the copy. The same shape as in `src/net/net.ts`. */
export interface Elision {
  /** Where in the copy the field's content begins; its first min(61, length) bytes follow there. */
  readonly at: number
  /** Where in the frame it begins. */
  readonly position: number
  readonly length: number
}

/** Bytes of a records field that a skimmed copy keeps, and that `RecordsRef.header` shows: the header of a batch. */
const KEPT_OF_RECORDS = 61

/**
 * Array elements in one message, all arrays together. A frame of 100 MiB could otherwise become objects of several GiB,
 * since an element may take two bytes on the wire, and a question in every second byte keeps its answerer busy for
 * minutes; no honest message comes near.
 */
const MOST_ELEMENTS = 1 << 19

const WHOLE: readonly Elision[] = []
const EMPTY = new Uint8Array(0)
const scratch = new DataView(new ArrayBuffer(8))

export class Reader {
  bytes: Uint8Array = EMPTY
  position = 0
  end = 0
  private elisions: readonly Elision[] = WHOLE
  private nextElision = 0
  private elements = 0

  constructor(bytes: Uint8Array = EMPTY, elisions: readonly Elision[] = WHOLE) {
    this.reset(bytes, elisions)
  }

  /** `elisions` empty: `bytes` is the whole frame. Otherwise every records field that is not null is listed. */
  reset(bytes: Uint8Array, elisions: readonly Elision[] = WHOLE): void {
    this.bytes = bytes
    this.position = 0
    this.end = bytes.length
    this.elisions = elisions
    this.nextElision = 0
    this.elements = 0
  }

  /** Bytes not read yet. */
  get remaining(): number {
    return this.end - this.position
  }

  /** Moves past `length` bytes and returns where they begin. */
  take(length: number): number {
    const at = this.position
    if (length > this.end - at) throw cutShort(length, this.end - at)
    this.position = at + length
    return at
  }

  bool(): boolean {
    return this.bytes[this.take(1)] !== 0
  }

  int8(): number {
    return (this.bytes[this.take(1)]! << 24) >> 24
  }

  int16(): number {
    return (this.uint16() << 16) >> 16
  }

  uint16(): number {
    const at = this.take(2)
    const { bytes } = this
    return (bytes[at]! << 8) | bytes[at + 1]!
  }

  int32(): number {
    return wordAt(this.bytes, this.take(4))
  }

  uint32(): number {
    return this.int32() >>> 0
  }

  /** Saturates at ±(2^53-1). */
  int64(): number {
    return longAt(this.bytes, this.take(8))
  }

  int64Exact(): bigint {
    return exactLongAt(this.bytes, this.take(8))
  }

  float64(): number {
    return floatAt(this.bytes, this.take(8))
  }

  /** At most five bytes, at most 2^32-1. */
  uvarint(): number {
    const { bytes, end } = this
    let at = this.position
    if (at < end && bytes[at]! < 128) {
      this.position = at + 1
      return bytes[at]!
    }
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      if (at >= end) throw cutShort(1, 0)
      const byte = bytes[at++]!
      if (shift === 28 && byte > 15) break
      value |= (byte & 127) << shift
      if (byte < 128) {
        this.position = at
        return value >>> 0
      }
    }
    throw new ProtocolError('a variable-length integer has more than 32 bits')
  }

  uuid(): string {
    return internedUuid(this.bytes, this.take(16))
  }

  /** Length in two bytes; null when negative. */
  string(): string | null {
    const length = this.int16()
    return length < 0 ? null : internedString(this.bytes, this.take(length), length)
  }

  /** Length plus one as a varint; null when 0. */
  compactString(): string | null {
    const length = this.uvarint() - 1
    if (length < 0) return null
    const at = this.take(length)
    if (length > 32767) throw new ProtocolError(`a string of ${length} bytes, more than 32767`)
    return internedString(this.bytes, at, length)
  }

  /** A copy, or null when `length` is negative. */
  copy(length: number): Uint8Array | null {
    if (length < 0) return null
    const at = this.take(length)
    return this.bytes.slice(at, at + length)
  }

  /** The count of an array whose elements take at least `elementBytes` each; negative: null. */
  count(count: number, elementBytes: number): number {
    if (count <= 0) return count
    if (count * elementBytes > this.end - this.position) {
      throw new ProtocolError(`an array of ${count} elements, but only ${this.end - this.position} bytes follow`)
    }
    this.elements += count
    if (this.elements > MOST_ELEMENTS) throw new ProtocolError(`a message of more than ${MOST_ELEMENTS} array elements`)
    return count
  }

  /** A records field of `length` bytes; null when negative. */
  records(length: number): RecordsRef | null {
    if (length < 0) return null
    if (this.elisions.length === 0) {
      const at = this.take(length)
      return { position: at, length, header: this.bytes.subarray(at, at + Math.min(KEPT_OF_RECORDS, length)) }
    }
    const elision = this.elisions[this.nextElision++]
    if (elision === undefined || elision.at !== this.position || elision.length !== length) {
      throw new ProtocolError('the list of left-out records does not fit the frame')
    }
    const kept = Math.min(KEPT_OF_RECORDS, length)
    const at = this.take(kept)
    return { position: elision.position, length, header: this.bytes.subarray(at, at + kept) }
  }
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
}

/** The int64 in the eight bytes at `at`, saturated at ±(2^53-1). Whoever calls has checked that they are there. */
export function longAt(bytes: Uint8Array, at: number): number {
  const high = wordAt(bytes, at)
  const low = wordAt(bytes, at + 4) >>> 0
  if (high >= 0x200000) return Number.MAX_SAFE_INTEGER
  if (high < -0x200000 || (high === -0x200000 && low === 0)) return -Number.MAX_SAFE_INTEGER
  return high * 0x100000000 + low
}

/** The same, bit by bit. */
export function exactLongAt(bytes: Uint8Array, at: number): bigint {
  const high = wordAt(bytes, at)
  const low = wordAt(bytes, at + 4) >>> 0
  if (high >= -0x200000 && high < 0x200000) return BigInt(high * 0x100000000 + low)
  return (BigInt(high) << 32n) | BigInt(low)
}

/** The float64 in the eight bytes at `at`. */
export function floatAt(bytes: Uint8Array, at: number): number {
  for (let index = 0; index < 8; index++) scratch.setUint8(index, bytes[at + index]!)
  return scratch.getFloat64(0)
}

function cutShort(wanted: number, left: number): ProtocolError {
  return new ProtocolError(`${wanted} bytes expected, but only ${left} follow`)
}
