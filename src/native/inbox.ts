/**
 * Reads the records that native/addon/src/inbox.rs encodes, which says what their fields are.
 * Used by `runtime.ts` alone.
 *
 * Invariants: nothing that these functions return points into the inbox, except the bytes of a frame.
 */
import {
  APPENDED_ANSWERED,
  APPENDED_DUPLICATE,
  CONNECTED_OUTGOING,
  HEADER_BYTES,
  OPENED_CREATED,
  REQUEST_MORE,
} from './layout.ts'
import type {
  AppendedRecord,
  ArrivedFrame,
  CleanedRecord,
  ConnectionInfo,
  DirtRecord,
  FoundRecord,
  FrameElision,
  MarksRecord,
  OpenedLog,
  ReadRecord,
} from './types.ts'

const NO_ELISIONS: readonly FrameElision[] = []
const NO_ERRORS: AppendedRecord['recordErrors'] = []
const NONE_ABORTED: ReadRecord['aborted'] = []

export interface AnswerRecord extends FoundRecord, MarksRecord, DirtRecord, CleanedRecord {
  readonly form: number
  readonly handle: number
  readonly handleBytes: number
}

export class Inbox {
  readonly memory: Uint8Array
  readonly #view: DataView
  readonly #decoder = new TextDecoder()

  constructor(bytes: number) {
    this.memory = new Uint8Array(new ArrayBuffer(bytes))
    this.#view = new DataView(this.memory.buffer)
  }

  size(at: number): number {
    return this.u32(at)
  }

  kind(at: number): number {
    return this.u16(at + 4)
  }

  slot(at: number): number {
    return this.u32(at + 8)
  }

  generation(at: number): number {
    return this.u32(at + 12)
  }

  /** Of a record that answers one. */
  ticket(at: number): number {
    return this.u32(at + 16)
  }

  u32(at: number): number {
    return this.#view.getUint32(at, true)
  }

  u16(at: number): number {
    return this.#view.getUint16(at, true)
  }

  i32(at: number): number {
    return this.#view.getInt32(at, true)
  }

  f64(at: number): number {
    return this.#view.getFloat64(at, true)
  }

  text(at: number, length: number): string {
    return length === 0 ? '' : this.#decoder.decode(this.memory.subarray(at, at + length))
  }

  /** CLOSED, CONNECT_FAILED, FATAL: u32 length, u32 0; text. */
  plainText(at: number): string {
    return this.text(at + HEADER_BYTES + 8, this.u32(at + HEADER_BYTES))
  }

  /** The frame's bytes were cut: its handle holds all of them. */
  isCut(at: number): boolean {
    return (this.u16(at + 6) & REQUEST_MORE) !== 0
  }

  /** `offsetUs` is added to the reactor's microseconds to make them the host clock's. */
  frame(at: number, offsetUs: number): ArrivedFrame {
    const count = this.u32(at + 32)
    const from = at + 40 + 12 * count
    return {
      sequence: this.u32(at + 16),
      frame: this.u32(at + 20),
      frameBytes: this.u32(at + 24),
      bytes: this.memory.subarray(from, from + this.u32(at + 28)),
      elisions: count === 0 ? NO_ELISIONS : this.#elisions(at + 40, count),
      arrivedUs: (this.u32(at + 36) + offsetUs) >>> 0,
    }
  }

  #elisions(at: number, count: number): FrameElision[] {
    const elisions: FrameElision[] = []
    for (let index = 0; index < count; index++, at += 12) {
      elisions.push({ at: this.u32(at), position: this.u32(at + 4), length: this.u32(at + 8) })
    }
    return elisions
  }

  connected(at: number): { outgoing: boolean; by: number; info: ConnectionInfo } {
    const remoteLength = this.u16(at + 24)
    return {
      outgoing: (this.u16(at + 6) & CONNECTED_OUTGOING) !== 0,
      by: this.u32(at + 16),
      info: {
        connection: { slot: this.u32(at + 8), generation: this.u32(at + 12) },
        remotePort: this.u16(at + 20),
        localPort: this.u16(at + 22),
        remoteHost: this.text(at + 28, remoteLength),
        localHost: this.text(at + 28 + remoteLength, this.u16(at + 26)),
      },
    }
  }

  opened(at: number): OpenedLog {
    const topicIdLength = this.u32(at + 96)
    return {
      code: this.u32(at + 20),
      start: this.f64(at + 24),
      end: this.f64(at + 32),
      syncedEnd: this.f64(at + 40),
      bytesEnd: this.f64(at + 48),
      oldestOpenTransaction: this.f64(at + 56),
      highWatermark: this.f64(at + 64),
      cutBytes: this.f64(at + 72),
      cutRecords: this.f64(at + 80),
      latestEpoch: this.i32(at + 88),
      recoveredSegments: this.u32(at + 92),
      created: (this.u16(at + 6) & OPENED_CREATED) !== 0,
      topicId: topicIdLength === 0 ? undefined : this.text(at + 104, topicIdLength),
      text: this.text(at + 104 + topicIdLength, this.u32(at + 100)),
    }
  }

  appended(at: number): AppendedRecord {
    const count = this.u32(at + 80)
    const flags = this.u16(at + 6)
    return {
      code: this.u32(at + 20),
      base: this.f64(at + 24),
      end: this.f64(at + 32),
      logAppendTime: this.f64(at + 40),
      logStart: this.f64(at + 48),
      bytesEnd: this.f64(at + 56),
      oldestOpenTransaction: this.f64(at + 64),
      closedTransactionFirst: this.f64(at + 72),
      duplicate: (flags & APPENDED_DUPLICATE) !== 0,
      answered: (flags & APPENDED_ANSWERED) !== 0,
      recordErrors: count === 0 ? NO_ERRORS : this.#recordErrors(at + 88, count),
      text: this.text(at + 88 + 8 * count, this.u32(at + 84)),
    }
  }

  #recordErrors(at: number, count: number): { index: number; code: number }[] {
    const errors: { index: number; code: number }[] = []
    for (let index = 0; index < count; index++, at += 8) errors.push({ index: this.u32(at), code: this.u32(at + 4) })
    return errors
  }

  read(at: number): ReadRecord {
    const count = this.u32(at + 28)
    return {
      code: this.u32(at + 20),
      handle: this.u32(at + 24),
      bytes: this.f64(at + 32),
      bytesStart: this.f64(at + 40),
      firstOffset: this.f64(at + 48),
      logStart: this.f64(at + 56),
      end: this.f64(at + 64),
      divergingEnd: this.f64(at + 72),
      divergingEpoch: this.i32(at + 80),
      aborted: count === 0 ? NONE_ABORTED : this.#aborted(at + 88, count),
      text: this.text(at + 88 + 16 * count, this.u32(at + 84)),
    }
  }

  #aborted(at: number, count: number): { producerId: bigint; firstOffset: number }[] {
    const aborted: { producerId: bigint; firstOffset: number }[] = []
    for (let index = 0; index < count; index++, at += 16) {
      aborted.push({ producerId: this.#view.getBigInt64(at, true), firstOffset: this.f64(at + 8) })
    }
    return aborted
  }

  /** All forms of an ANSWER at once; the receiver knows which fields its command has. */
  answer(at: number): AnswerRecord {
    const [first, second, third] = [this.f64(at + 32), this.f64(at + 40), this.f64(at + 48)]
    const timestamp = this.#view.getBigInt64(at + 56, true)
    return {
      code: this.u32(at + 20),
      form: this.u32(at + 24),
      handle: this.u32(at + 28),
      handleBytes: first,
      offset: first,
      epoch: second,
      timestamp,
      start: first,
      end: second,
      syncedEnd: third,
      cleanBytes: first,
      dirtyBytes: second,
      overdueMs: third,
      cleanedTo: first,
      readBytes: second,
      writtenBytes: third,
      keylessRecords: Number(timestamp),
      text: this.text(at + 68, this.u32(at + 64)),
    }
  }

  directoryFailed(at: number): { code: number; errno: number; text: string } {
    return { code: this.u32(at + 20), errno: this.i32(at + 24), text: this.text(at + 28, this.u32(at + 16)) }
  }
}
