/**
 * Appends to a log that this thread owns: one call of the engine for each, and its offset is the answer.
 *
 * Invariants: what has its offset is in the log's file, whatever ends the process. Durable appends and flushes that are
 * asked for within one job of the event loop share one sync, and small values of durable appends one call: whoever
 * looks at the log in between, by `owned` or `end`, finds them there. Nothing is kept of the arrays that are passed.
 */
import type { Host } from '../host/host.ts'
import { LogError, logErrorCode } from '../log/log-errors.ts'
import { Code } from '../native/engine-code.ts'
import type { OwnedLog } from '../native/owned-log.ts'
import type { Outcome } from '../native/types.ts'
import { buildBatch } from '../records/builder.ts'
import { StorageError } from './errors.ts'
import { GATHERED_VALUE_BYTES, Gathered, type Waiter } from './gathered.ts'
import type { AppendOptions } from './log-options.ts'
import { failed } from './log-reader.ts'
import { type Bytes, toBytes } from './record.ts'

/** Texts up to so many UTF-16 units are encoded into a memory that is used again and again. */
const SCRATCH_UNITS = 16 << 10
const NO_BYTES = new Uint8Array(0)
const encoder = new TextEncoder()

/** What is waited for keeps the process alive. */
interface Alive {
  ref(): void
  unref(): void
}

export class LogWriter {
  readonly dir: string
  readonly #owned: OwnedLog
  readonly #host: Host
  readonly #alive: Alive
  #end: number
  /** Three bytes of UTF-8 for each unit at most. */
  readonly #scratch = new Uint8Array(3 * SCRATCH_UNITS)
  /** Durable appends of this job that are not in the file yet. */
  readonly #gathered = new Gathered()
  /** Those who share the sync that this job asks for. */
  #waiting: Waiter[] = []
  /** What `sync` has promised of it. */
  #sync: Promise<void> | undefined

  constructor(dir: string, owned: OwnedLog, host: Host, alive: Alive) {
    this.dir = dir
    this.#owned = owned
    this.#end = owned.marks.end
    this.#host = host
    this.#alive = alive
  }

  get owned(): OwnedLog {
    if (this.#gathered.count > 0) this.#land()
    return this.#owned
  }

  /** Offset after the last record. */
  get end(): number {
    if (this.#gathered.count > 0) this.#land()
    return this.#end
  }

  /** The record's offset. */
  append(value: Bytes | null, options?: AppendOptions): number {
    const nowMs = this.#host.clock.wallMs()
    if (options !== undefined) return this.#told(this.#appendRecord(value, options, nowMs), 1)
    let bytes: Uint8Array
    let length: number
    if (typeof value === 'string' && value.length <= SCRATCH_UNITS) {
      bytes = this.#scratch
      length = encoder.encodeInto(value, bytes).written
    } else if (value === null) {
      bytes = NO_BYTES
      length = -1
    } else {
      bytes = value instanceof Uint8Array ? value : toBytes(value)
      length = bytes.length
    }
    return this.#told(this.owned.append(bytes, length, nowMs), 1)
  }

  #appendRecord(value: Bytes | null, options: AppendOptions, nowMs: number): number {
    const { key = null, headers, timestamp } = options
    const at = timestamp === undefined ? nowMs : Math.trunc(Number(timestamp))
    if (!Number.isFinite(at)) throw new TypeError(`timestamp must be a Date or milliseconds, not ${timestamp}`)
    if (headers === undefined) return this.owned.appendRecord(toBytes(key), toBytes(value), at, nowMs)
    const entries = Symbol.iterator in headers ? [...headers] : Object.entries(headers)
    const record = {
      key: toBytes(key),
      value: toBytes(value),
      headers: entries.map(([name, content]) => ({ key: toBytes(name), value: toBytes(content) })),
    }
    const batch = buildBatch([record], { baseOffset: 0, leaderEpoch: 0, timestamp: BigInt(at) })
    return this.owned.appendBatch(batch, nowMs)
  }

  /** The first offset. */
  appendMany(values: readonly (Bytes | null)[]): number {
    const nowMs = this.#host.clock.wallMs()
    const parts = Array.from(values, value => toBytes(value))
    const present = parts.filter(part => part !== null)
    // Packed values have no way to be absent.
    if (present.length < parts.length) {
      const records = parts.map(value => ({ key: null, value }))
      const batch = buildBatch(records, { baseOffset: 0, leaderEpoch: 0, timestamp: BigInt(nowMs) })
      return this.#told(this.owned.appendBatch(batch, nowMs), records.length)
    }
    const ends = new Uint32Array(present.length)
    let bytes = 0
    for (const [index, part] of present.entries()) {
      bytes += part.length
      ends[index] = bytes
    }
    if (bytes > 0xffffffff) throw new RangeError(`${bytes} bytes at once are more than appendMany takes`)
    const packed = new Uint8Array(bytes)
    for (const [index, part] of present.entries()) packed.set(part, (ends[index] ?? 0) - part.length)
    return this.appendPacked(packed, ends)
  }

  /** The first offset. */
  appendPacked(packed: Uint8Array, ends: Uint32Array): number {
    return this.#told(this.owned.appendPacked(packed, ends, this.#host.clock.wallMs()), ends.length)
  }

  /** Resolves when everything appended before is on disk. */
  sync(): Promise<void> {
    this.#sync ??= new Promise((resolve, reject) => this.#await({ offset: -1, resolve: () => resolve(), reject }))
    return this.#sync
  }

  /** Resolves to the record's offset when it is on disk; undefined: the value isn't one to be gathered. */
  gather(value: Bytes | null): Promise<number> | undefined {
    const bytes = typeof value === 'string' || value instanceof Uint8Array ? value : toBytes(value)
    if (bytes === null || bytes.length > GATHERED_VALUE_BYTES) return undefined
    return new Promise((resolve, reject) => {
      const waiter = { offset: -1, resolve, reject }
      this.#gathered.add(bytes, waiter)
      if (this.#gathered.isFull) this.#land()
      this.#await(waiter)
    })
  }

  #await(waiter: Waiter): void {
    if (this.#waiting.length === 0) {
      this.#alive.ref()
      this.#host.loop.microtask(() => this.#ask())
    }
    this.#waiting.push(waiter)
  }

  #ask(): void {
    const waiting = this.#waiting
    this.#waiting = []
    this.#sync = undefined
    const failed = (error: unknown) => {
      for (const { reject } of waiting) reject(error)
    }
    const done = (outcome: Outcome) => {
      this.#alive.unref()
      if (outcome.code === 0) for (const { resolve, offset } of waiting) resolve(offset)
      else failed(new StorageError(this.dir, new LogError(logErrorCode(outcome.code), outcome.text)))
    }
    try {
      this.owned.sync(done)
    } catch (error) {
      this.#alive.unref()
      failed(error)
    }
  }

  /** Writes what was gathered. Who is refused is told so at once; a sync that it waits for has no more to tell it. */
  #land(): void {
    const { packed, ends, waiters } = this.#gathered.take()
    const nowMs = this.#host.clock.wallMs()
    const first = this.#end
    if (this.#owned.appendPacked(packed, ends, nowMs) >= 0) this.#end = first + waiters.length
    else this.#end = this.#owned.marks.end
    const there = this.#end - first
    for (const [index, waiter] of waiters.entries()) {
      if (index < there) {
        waiter.offset = first + index
        continue
      }
      // Each by itself: one that is too large for the log is no reason to refuse others.
      const value = packed.subarray(ends[index - 1] ?? 0, ends[index])
      try {
        waiter.offset = this.#told(this.#owned.append(value, value.length, nowMs), 1)
      } catch (error) {
        waiter.reject(error)
      }
    }
  }

  #told(offset: number, count: number): number {
    if (offset >= 0) {
      this.#end = offset + count
      return offset
    }
    // Of packed values a part may be there.
    this.#end = this.#owned.marks.end
    const error = this.#owned.failure()
    const { engineCode } = error
    if (engineCode === Code.tooLarge || engineCode === Code.largerThanSegment || engineCode === Code.badTimestamp)
      throw new RangeError(error.message)
    if (engineCode === Code.badRecord) throw new TypeError(error.message)
    throw failed(this, error)
  }
}
