/**
 * Reads records out of a log that this thread owns: a chunk of whole batches at a time, compressed ones inflated.
 *
 * Invariants: a read sees everything appended before it. What `views` and a cursor give are views of the chunk, as long
 * as nobody asks for the next one. Control batches are passed over.
 */
import { wholeBatches } from '../broker/whole-batches.ts'
import { LogError, logErrorCode } from '../log/log-errors.ts'
import type { EngineError } from '../native/engine-code.ts'
import type { OwnedLog } from '../native/owned-log.ts'
import { batchesOf } from '../records/batch.ts'
import type { RecordHeader } from '../records/builder.ts'
import { type BatchRecord, recordsOf } from '../records/iterate.ts'
import { StorageError } from './errors.ts'
import { headersOf, type RecordHeaders } from './record.ts'

/** Bytes that one step of an iteration reads. */
export const CHUNK_BYTES = 1 << 20
/** For the one record that `read` is after. */
const ONE_BYTES = 64 << 10

const noHeaders: readonly RecordHeader[] = []

/** Where records come from: an open log. */
export interface Source {
  readonly dir: string
  readonly owned: OwnedLog
  readonly startOffset: number
  readonly endOffset: number
}

/** A memory to read into, which grows with what is read. */
class Chunk {
  #memory: Uint8Array = new Uint8Array(0)

  /** Whole batches from the one with `from` on; empty at the end. @throws StorageError */
  read(source: Source, from: number, maxBytes: number): Uint8Array {
    if (this.#memory.length < maxBytes) this.#memory = new Uint8Array(maxBytes)
    for (;;) {
      const read = source.owned.read(from, maxBytes, this.#memory)
      if (read >= 0) return this.#memory.subarray(0, read)
      if (read === -1) throw failed(source, source.owned.failure())
      this.#memory = new Uint8Array(-read)
    }
  }
}

export function failed(source: { readonly dir: string }, error: EngineError): StorageError {
  return new StorageError(source.dir, new LogError(logErrorCode(error.engineCode), error.message))
}

/** The records of whole batches from offset `from` on, as views, and the offset after them. @throws StorageError */
export function recordsIn(dir: string, bytes: Uint8Array, from: number): Records {
  const { runs, nextOffset } = guarded(dir, () => wholeBatches(bytes))
  return { records: walk(dir, runs, from), nextOffset: Math.max(from, nextOffset) }
}

interface Records {
  readonly records: Generator<BatchRecord, undefined>
  readonly nextOffset: number
}

function* walk(dir: string, runs: readonly Uint8Array[], from: number): Generator<BatchRecord, undefined> {
  for (const run of runs) {
    for (const batch of batchesOf(run)) {
      if (batch.isControl || batch.lastOffset < from) continue
      const records = recordsOf(batch)
      for (;;) {
        const step = guarded(dir, () => records.next())
        if (step.done) break
        if (step.value.offset >= from) yield step.value
      }
    }
  }
}

/** What can't be inflated or walked is damage. */
function guarded<Result>(dir: string, act: () => Result): Result {
  try {
    return act()
  } catch (error) {
    throw error instanceof Error ? new StorageError(dir, error) : error
  }
}

/** The record at that offset, if the log holds it. */
export function recordAt(source: Source, offset: number): BatchRecord | undefined {
  if (!(offset >= source.startOffset && offset < source.endOffset)) return undefined
  const bytes = new Chunk().read(source, offset, ONE_BYTES)
  const first = recordsIn(source.dir, bytes, offset).records.next()
  return first.done || first.value.offset !== offset ? undefined : first.value
}

/** Steps through a log without an object or a copy for each record. */
export class LogCursor {
  /** Of the present record. */
  offset = -1
  /** Milliseconds since 1970. */
  timestamp = -1
  key: Uint8Array | null = null
  value: Uint8Array | null = null

  readonly #source: Source
  readonly #chunk = new Chunk()
  #headers: readonly RecordHeader[] = noHeaders
  #records: Generator<BatchRecord, undefined> | undefined
  /** Offset from which the next chunk is read, and after this one's. */
  #next: number
  #after: number

  constructor(source: Source, from: number) {
    this.#source = source
    this.#next = from
    this.#after = from
  }

  get headers(): RecordHeaders {
    return headersOf(this.#headers)
  }

  /** Goes to the next record; false at the end, which later appends may move. @throws StorageError */
  next(): boolean {
    const record = this.record()
    if (record === undefined) return false
    this.offset = record.offset
    this.timestamp = Number(record.timestamp)
    this.key = record.key
    this.value = record.value
    this.#headers = record.headers
    return true
  }

  /** The next record itself; undefined at the end. */
  record(): BatchRecord | undefined {
    for (;;) {
      const step = this.#records?.next()
      if (step !== undefined && !step.done) return step.value
      this.#next = this.#after
      if (!this.#fill()) return undefined
    }
  }

  #fill(): boolean {
    const source = this.#source
    const from = Math.max(this.#next, source.startOffset)
    this.#records = undefined
    if (!(from < source.endOffset)) return false
    const bytes = this.#chunk.read(source, from, CHUNK_BYTES)
    if (bytes.length === 0) return false
    const { records, nextOffset } = recordsIn(source.dir, bytes, from)
    this.#records = records
    this.#after = nextOffset
    return true
  }
}
