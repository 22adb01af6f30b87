/**
 * Writes the protocol's primitive types and hands out the result as parts: bytes made here, and ranges of native reads.
 *
 * Invariants: bytes that were handed out are never written again (a slab is filled once and then left
 * to the collector); a message that was begun and failed leaves nothing behind after `begin`. Only
 * whoever encodes holds a writer.
 */
import { putInternedUuid } from './interned.ts'
import { ProtocolError } from './protocol-error.ts'
import type { Part, RecordsInput } from './schema.ts'

const SLAB = 16 * 1024
/** A slab that was made larger than this for one message is not kept for others. */
const LARGEST_KEPT = 1024 * 1024
/** Bytes of one message, but for native ones: a short request can ask for the same long answer any number of times. */
const LARGEST_MESSAGE = 256 * 1024 * 1024
/** Records given as bytes: up to this many are copied into the message, more become a part of their own. */
const COPIED_RECORDS = 512
/** Strings up to this many characters are encoded by the loop below, longer ones by TextEncoder. */
const SHORT_STRING = 48
const LONGEST_STRING = 32767
/** Characters of an explanation; they fit a string whatever they are. */
const LONGEST_EXPLANATION = 2000

const encoder = new TextEncoder()
const scratchBytes = new Uint8Array(8)
const scratch = new DataView(scratchBytes.buffer)

export class Writer {
  /** Where `reserve` makes room; another one after each call of it. */
  buffer = new Uint8Array(SLAB)
  private position = 0
  /** Where the bytes begin that are not yet in `parts`. */
  private start = 0
  private parts: Part[] = []
  private partBytes = 0
  /** Of these, the ones that were made here. */
  private made = 0

  /** Forgets what was written since the last `finish`. */
  begin(): void {
    this.position = this.start
    this.parts = []
    this.partBytes = 0
    this.made = 0
    if (this.buffer.length > LARGEST_KEPT) this.renew(SLAB)
  }

  /** The parts of the message, in order. */
  finish(): Part[] {
    this.cut()
    const { parts } = this
    this.begin()
    return parts
  }

  /** Bytes of the message so far, those of the parts included. */
  get length(): number {
    return this.partBytes + this.position - this.start
  }

  private cut(): void {
    if (this.position > this.start) {
      this.parts.push(this.buffer.subarray(this.start, this.position))
      this.partBytes += this.position - this.start
      this.made += this.position - this.start
      this.start = this.position
    }
  }

  /** Makes room for `length` bytes and returns where in `buffer` they go. The caller fills them. */
  reserve(length: number): number {
    const at = this.position
    if (at + length > this.buffer.length) return this.grow(length)
    this.position = at + length
    return at
  }

  /** @throws ProtocolError when the message becomes too large. */
  private grow(length: number): number {
    const open = this.position - this.start
    const room = LARGEST_MESSAGE - this.made
    if (open + length > room) throw new ProtocolError(`a message of more than ${LARGEST_MESSAGE} bytes`)
    const before = this.buffer.subarray(this.start, this.position)
    this.renew(Math.max(SLAB, Math.min((open + length) * 2, room)))
    this.buffer.set(before)
    this.position = open + length
    return open
  }

  private renew(bytes: number): void {
    this.buffer = new Uint8Array(bytes)
    this.start = 0
    this.position = 0
  }

  bool(value: boolean): void {
    const at = this.reserve(1)
    this.buffer[at] = value ? 1 : 0
  }

  int8(value: number): void {
    const at = this.reserve(1)
    this.buffer[at] = value
  }

  int16(value: number): void {
    const at = this.reserve(2)
    this.buffer[at] = value >> 8
    this.buffer[at + 1] = value
  }

  int32(value: number): void {
    const at = this.reserve(4)
    putWord(this.buffer, at, value)
  }

  /** 2^53-1 and more is written as the largest int64. */
  int64(value: number): void {
    const at = this.reserve(8)
    putLong(this.buffer, at, value)
  }

  int64Exact(value: bigint): void {
    const at = this.reserve(8)
    putExactLong(this.buffer, at, value)
  }

  float64(value: number): void {
    const at = this.reserve(8)
    putFloat(this.buffer, at, value)
  }

  uvarint(value: number): void {
    while (value > 127) {
      const at = this.reserve(1)
      this.buffer[at] = (value & 127) | 128
      value >>>= 7
    }
    const at = this.reserve(1)
    this.buffer[at] = value
  }

  uuid(value: string): void {
    const at = this.reserve(16)
    putInternedUuid(this.buffer, at, value)
  }

  /** A string behind its length: two bytes, or compact. */
  string(value: string, compact: boolean): void {
    if (value.length > SHORT_STRING) {
      const encoded = encoder.encode(value)
      this.stringLength(encoded.length, compact)
      this.raw(encoded)
      return
    }
    const length = utf8Length(value)
    this.stringLength(length, compact)
    const at = this.reserve(length)
    if (length === value.length) {
      for (let index = 0; index < length; index++) this.buffer[at + index] = value.charCodeAt(index)
    } else {
      encoder.encodeInto(value, this.buffer.subarray(at, at + length))
    }
  }

  /**
   * What a person reads of a failure. It may quote what a client sent, so of one that is too long goes the beginning.
   */
  explanation(value: string, compact: boolean): void {
    this.string(value.length > LONGEST_EXPLANATION ? `${value.slice(0, LONGEST_EXPLANATION)}...` : value, compact)
  }

  private stringLength(length: number, compact: boolean): void {
    if (length > LONGEST_STRING) throw new ProtocolError(`a string of ${length} bytes, more than ${LONGEST_STRING}`)
    if (compact) this.uvarint(length + 1)
    else this.int16(length)
  }

  /** The length of bytes or the count of an array: four bytes, or compact; -1 for null. */
  count(count: number, compact: boolean): void {
    if (compact) this.uvarint(count + 1)
    else this.int32(count)
  }

  bytes(value: Uint8Array, compact: boolean): void {
    this.count(value.length, compact)
    this.raw(value)
  }

  /** Bytes as they are. */
  raw(value: Uint8Array): void {
    const at = this.reserve(value.length)
    this.buffer.set(value, at)
  }

  records(value: RecordsInput, compact: boolean): void {
    if (isList(value)) {
      let length = 0
      for (const part of value) length += part.length
      this.count(length, compact)
      for (const part of value) this.part(part)
    } else {
      this.count(value.length, compact)
      this.part(value)
    }
  }

  private part(part: Part): void {
    if (part.length === 0) return
    if (part instanceof Uint8Array && part.length <= COPIED_RECORDS) {
      this.raw(part)
      return
    }
    this.cut()
    this.parts.push(part)
    this.partBytes += part.length
  }

  /** Begins a run of bytes whose size stands before it as a varint; returns what `closeSized` wants. */
  openSized(): number {
    this.uvarint(0)
    return this.position - this.start
  }

  /** Ends the run that `openSized` began. No records may have been written in between. */
  closeSized(opened: number): void {
    const size = this.position - this.start - opened
    let extra = 0
    for (let rest = size >>> 7; rest > 0; rest >>>= 7) extra++
    if (extra > 0) {
      this.reserve(extra)
      const from = this.start + opened
      this.buffer.copyWithin(from + extra, from, from + size)
    }
    const after = this.position
    this.position = this.start + opened - 1
    this.uvarint(size)
    this.position = after
  }
}

function putWord(buffer: Uint8Array, at: number, value: number): void {
  buffer[at] = value >> 24
  buffer[at + 1] = value >> 16
  buffer[at + 2] = value >> 8
  buffer[at + 3] = value
}

/** An int64 into the eight bytes at `at`; 2^53-1 and more as the largest one. */
export function putLong(buffer: Uint8Array, at: number, value: number): void {
  if (value >= Number.MAX_SAFE_INTEGER) {
    putWord(buffer, at, 0x7fffffff)
    putWord(buffer, at + 4, -1)
    return
  }
  const low = value >>> 0
  putWord(buffer, at, (value - low) / 0x100000000)
  putWord(buffer, at + 4, low)
}

/** An int64 bit by bit. */
export function putExactLong(buffer: Uint8Array, at: number, value: bigint): void {
  scratch.setBigInt64(0, value)
  buffer.set(scratchBytes, at)
}

export function putFloat(buffer: Uint8Array, at: number, value: number): void {
  scratch.setFloat64(0, value)
  buffer.set(scratchBytes, at)
}

function isList(value: RecordsInput): value is readonly Part[] {
  return Array.isArray(value)
}

function utf8Length(text: string): number {
  let length = text.length
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code < 0x80) continue
    length++
    if (code < 0x800) continue
    length++
    if (code >= 0xd800 && code < 0xdc00) {
      const next = text.charCodeAt(index + 1)
      // A pair takes four bytes for two characters; a lone half becomes U+FFFD, three bytes.
      if (next >= 0xdc00 && next < 0xe000) {
        index++
      }
    }
  }
  return length
}
