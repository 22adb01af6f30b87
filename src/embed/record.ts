/** Records as users of the library see them. */
import type { RecordHeader } from '../records/builder.ts'
import type { BatchRecord } from '../records/iterate.ts'

/** Bytes to write: a string stands for its UTF-8. */
export type Bytes = Uint8Array | string

/** Headers of a record, in their order; a name may come more than once. */
export interface RecordHeaders extends Iterable<[string, Uint8Array | null]> {
  /** The last value of that name, as text; undefined when there is none or it is null. */
  get(name: string): string | undefined
  /** The last value of that name. */
  bytes(name: string): Uint8Array | null | undefined
  /** Every value of that name, as text. */
  getAll(name: string): string[]
}

/** The arrays are copies: they stay as they are. */
export interface LogRecord {
  readonly offset: number
  /** Milliseconds since 1970. */
  readonly timestamp: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: RecordHeaders
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export function toBytes(value: Bytes): Uint8Array
export function toBytes(value: Bytes | null): Uint8Array | null
export function toBytes(value: Bytes | null): Uint8Array | null {
  if (typeof value === 'string') return encoder.encode(value)
  // Not instanceof: an array of another realm, as under Jest, is as good.
  if (value === null || Object.prototype.toString.call(value) === '[object Uint8Array]') return value
  throw new TypeError(`keys, values and headers are a string, a Uint8Array or null, not ${kind(value)}`)
}

function kind(value: unknown): string {
  return typeof value === 'object' && value !== null ? (value.constructor?.name ?? 'an object') : typeof value
}

class Headers implements RecordHeaders {
  readonly #entries: readonly [string, Uint8Array | null][]

  constructor(entries: readonly [string, Uint8Array | null][]) {
    this.#entries = entries
  }

  [Symbol.iterator](): Iterator<[string, Uint8Array | null]> {
    return this.#entries[Symbol.iterator]()
  }

  get(name: string): string | undefined {
    const value = this.bytes(name)
    return value ? decoder.decode(value) : undefined
  }

  bytes(name: string): Uint8Array | null | undefined {
    return this.#entries.findLast(([key]) => key === name)?.[1]
  }

  getAll(name: string): string[] {
    return this.#entries.filter(([key]) => key === name).map(([, value]) => decoder.decode(value ?? new Uint8Array(0)))
  }
}

const noHeaders = new Headers([])

/** Headers as users see them; the values are those that are given. */
export function headersOf(headers: readonly RecordHeader[]): RecordHeaders {
  return headers.length === 0 ? noHeaders : new Headers(headers.map(({ key, value }) => [decoder.decode(key), value]))
}

/** Copies a record out of its batch. */
export function logRecord(record: BatchRecord): LogRecord {
  const { offset, key, value, headers } = record
  return {
    offset,
    timestamp: Number(record.timestamp),
    key: key === null ? null : key.slice(),
    value: value === null ? null : value.slice(),
    headers: headersOf(headers.map(({ key, value }) => ({ key, value: value?.slice() ?? null }))),
  }
}
