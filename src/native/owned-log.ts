/**
 * A log that this environment's thread owns itself: appends, reads and syncs are calls of the addon, and return when
 * the bytes are in the file. Made by `EngineCommands.ownLog`.
 *
 * Invariants: one owner; the engine's other commands on the log (reads, look-ups, syncs) go on and see
 * what was appended before them. A refused append answers -1, and `failure` says why. Nothing is kept of
 * the arrays that are passed.
 */
import type { Binding, MarksAnswer } from './binding.ts'
import { EngineError } from './engine-code.ts'
import type { CleanedRecord, CleanOptions, DirtRecord, Outcome } from './types.ts'

/** Where a log begins and ends, and what it holds. */
export interface OwnedMarks {
  readonly start: number
  readonly end: number
  readonly synced: number
  /** Of its segments. */
  readonly bytes: number
}

/** How batches get into the file: as measurements say, through the map, or by writes. */
export const LOG_WRITERS = ['chosen', 'map', 'write'] as const
export type LogWriterKind = (typeof LOG_WRITERS)[number]

export class OwnedLog {
  readonly #binding: Binding
  readonly #runtime: number
  readonly #log: number
  readonly #ticket: (done: (outcome: Outcome) => void) => number
  #given = false

  constructor(binding: Binding, runtime: number, log: number, ticket: (done: (outcome: Outcome) => void) => number) {
    this.#binding = binding
    this.#runtime = runtime
    this.#log = log
    this.#ticket = ticket
  }

  /** One record without a key, now; `length` of the value's bytes, or -1 for no value. */
  append(value: Uint8Array, length: number, nowMs: number): number {
    return this.#binding.mappedAppend(this.#runtime, this.#log, value, length, nowMs)
  }

  appendRecord(key: Uint8Array | null, value: Uint8Array | null, timestamp: number, nowMs: number): number {
    return this.#binding.mappedAppendRecord(this.#runtime, this.#log, key, value, timestamp, nowMs)
  }

  /** Values that lie behind one another, and where each ends. Offset of the first. @throws when the ends can't be. */
  appendPacked(packed: Uint8Array, ends: Uint32Array, nowMs: number): number {
    return this.#binding.mappedAppendPacked(this.#runtime, this.#log, packed, ends, nowMs)
  }

  /** A whole record batch, judged as a client's. Offset of its first record. */
  appendBatch(batch: Uint8Array, nowMs: number): number {
    return this.#binding.mappedAppendBatch(this.#runtime, this.#log, batch, nowMs)
  }

  /**
   * Whole batches from the one with `from` on. Bytes put into `into`, 0 at the end, -1 for a failure; below that the
   * first batch needs so many bytes, negated.
   */
  read(from: number, maxBytes: number, into: Uint8Array): number {
    return this.#binding.mappedRead(this.#runtime, this.#log, from, maxBytes, into)
  }

  /** Why the last call that answered -1 did so. */
  failure(): EngineError {
    const { code, text } = this.#binding.mappedFailure(this.#runtime, this.#log)
    return new EngineError(code, text)
  }

  get marks(): OwnedMarks {
    return this.#binding.mappedMarks(this.#runtime, this.#log)
  }

  /** Offset of the first record at or after the timestamp; -1: there is none. @throws EngineError */
  find(timestamp: number): number {
    return succeeded(this.#binding.mappedFind(this.#runtime, this.#log, timestamp)).end
  }

  /** Everything appended before it to disk. */
  sync(done: (outcome: Outcome) => void): void {
    this.#binding.mappedSync(this.#runtime, this.#log, this.#ticket(done))
  }

  /** The same, on this thread. @throws EngineError */
  syncNow(): OwnedMarks {
    return succeeded(this.#binding.mappedSyncNow(this.#runtime, this.#log))
  }

  /** Records below `before` count as deleted. @throws EngineError */
  trim(before: number, nowMs: number): OwnedMarks {
    return succeeded(this.#binding.mappedTrim(this.#runtime, this.#log, before, nowMs))
  }

  /** Retention, and what else comes due with time. @throws EngineError */
  tend(nowMs: number): OwnedMarks {
    return succeeded(this.#binding.mappedTend(this.#runtime, this.#log, nowMs))
  }

  /** What compaction would find. */
  dirt(nowMs: number): DirtRecord {
    return this.#binding.mappedDirt(this.#runtime, this.#log, nowMs)
  }

  /**
   * One pass of compaction, in the background; in between it comes for what only the log's owner can do. `done` is not
   * called any more once the log was given back.
   */
  clean(nowMs: number, options: CleanOptions, done: (cleaned: CleanedRecord) => void): void {
    const came = (outcome: Outcome) => {
      if (this.#given) return
      if (outcome.code !== 0) {
        done({ ...outcome, cleanedTo: -1, readBytes: 0, writtenBytes: 0, keylessRecords: 0 })
        return
      }
      const answer = this.#binding.mappedErrand(this.#runtime, this.#log)
      if (answer.over) done(answer)
      else this.#binding.mappedGoOn(this.#runtime, this.#log, this.#ticket(came))
    }
    const request = { nowMs, ...options }
    this.#binding.mappedClean(this.#runtime, this.#log, this.#ticket(came), request)
  }

  /** The engine has it again, for its close. */
  giveBack(): void {
    this.#given = true
    this.#binding.giveLogBack(this.#runtime, this.#log)
  }
}

function succeeded(answer: MarksAnswer): OwnedMarks {
  if (answer.code !== 0) throw new EngineError(answer.code, answer.text)
  return answer
}
