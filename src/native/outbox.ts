/**
 * Writes the records that native/addon/src/outbox.rs decodes. Used by `runtime.ts` alone.
 *
 * Invariants: records stand in the outbox in the order in which they were written and leave in that order; a record
 * that no longer fits first sends what is there; one that would never fit is not written here (its bytes are staged by
 * the caller). The first record written outside a drain tells `onFirst`, once until the next `sent`.
 */

import type { LogConfig } from '../config/log-config.ts'
import { HEADER_BYTES } from './layout.ts'

const COMPRESSION_TYPES = ['producer', 'uncompressed', 'gzip', 'snappy', 'lz4', 'zstd'] as const

/** Bytes of a log's settings in a record. */
export const CONFIG_BYTES = 144

export class Outbox {
  readonly memory: Uint8Array
  /** Bytes written and not yet sent. */
  length = 0
  readonly #view: DataView
  readonly #encoder = new TextEncoder()
  readonly #send: () => void
  readonly #onFirst: () => void
  #at = 0

  /** `send` must take everything and call `sent`. */
  constructor(bytes: number, send: () => void, onFirst: () => void) {
    this.memory = new Uint8Array(new ArrayBuffer(bytes))
    this.#view = new DataView(this.memory.buffer)
    this.#send = send
    this.#onFirst = onFirst
  }

  sent(): void {
    this.length = 0
  }

  /** Begins a record with `bodyBytes` bytes behind its header; exactly so many must follow. */
  begin(kind: number, flags: number, slot: number, generation: number, bodyBytes: number): void {
    const size = (HEADER_BYTES + bodyBytes + 7) & ~7
    if (this.length + size > this.memory.length) {
      if (size > this.memory.length) throw new RangeError(`a record of ${size} bytes does not fit the outbox`)
      this.#send()
    }
    if (this.length === 0) this.#onFirst()
    const at = this.length
    this.#view.setUint32(at, size, true)
    this.#view.setUint16(at + 4, kind, true)
    this.#view.setUint16(at + 6, flags, true)
    this.#view.setUint32(at + 8, slot, true)
    this.#view.setUint32(at + 12, generation, true)
    this.#at = at + HEADER_BYTES
    this.length = at + size
  }

  u32(value: number): void {
    this.#view.setUint32(this.#at, value, true)
    this.#at += 4
  }

  i32(value: number): void {
    this.#view.setInt32(this.#at, value, true)
    this.#at += 4
  }

  f64(value: number): void {
    this.#view.setFloat64(this.#at, value, true)
    this.#at += 8
  }

  /** Low word first. */
  exact(value: bigint): void {
    this.#view.setBigInt64(this.#at, value, true)
    this.#at += 8
  }

  u8(value: number): void {
    this.memory[this.#at++] = value
  }

  i16(value: number): void {
    this.#view.setInt16(this.#at, value, true)
    this.#at += 2
  }

  /** One entry of an answer's table of parts. */
  part(form: number, length: number, handle: number, from: number): void {
    this.u32(form)
    this.u32(length)
    this.u32(handle)
    this.u32(from)
  }

  /** Kafka's length prefix of an answer. */
  lengthPrefix(value: number): void {
    this.#view.setInt32(this.#at, value, false)
    this.#at += 4
  }

  bytes(bytes: Uint8Array): void {
    this.memory.set(bytes, this.#at)
    this.#at += bytes.length
  }

  utf8(text: string): Uint8Array {
    return this.#encoder.encode(text)
  }

  config(config: LogConfig): void {
    const level = config.compressionLevel
    this.u32(config.flush === 'group' ? 0 : 1)
    this.u32(config.segmentBytes)
    this.u32(config.segmentIndexBytes)
    this.u32(config.indexIntervalBytes)
    this.u32(config.maxMessageBytes)
    this.u32(COMPRESSION_TYPES.indexOf(config.compressionType))
    switch (config.compressionType) {
      case 'gzip':
        this.i32(level.gzip)
        break
      case 'lz4':
        this.i32(level.lz4)
        break
      case 'zstd':
        this.i32(level.zstd)
        break
      default:
        this.i32(0)
    }
    this.u32(config.timestampType === 'CreateTime' ? 0 : 1)
    this.u32(config.compacted ? 1 : 0)
    this.u32(config.deletes ? 1 : 0)
    this.f64(config.segmentMs)
    this.f64(config.segmentJitterMs)
    this.f64(config.timestampBeforeMaxMs)
    this.f64(config.timestampAfterMaxMs)
    this.f64(config.producerIdExpirationMs)
    this.f64(config.retentionMs)
    this.f64(config.retentionBytes)
    this.f64(config.fileDeleteDelayMs)
    this.f64(config.deleteRetentionMs)
    this.f64(config.minCompactionLagMs)
    this.f64(config.maxCompactionLagMs)
    this.f64(config.flushMessages)
    this.f64(config.flushMs)
  }
}
