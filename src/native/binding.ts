/**
 * The addon's functions, as native/addon/src/calls.rs exports them. Types only; `index.ts` is the door to them.
 *
 * Invariants: `runtime` is a number that `openRuntime` gave to this environment. Numbers are not checked over there
 * (they wrap), so callers pass none that could be out of range.
 */
import type { ConnectionLimits, InspectRequest } from './types.ts'

export interface DirectoryAnswer {
  code: number
  text: string
  id: number
  clean: boolean
  brokerEpoch: number
  folders: string[]
}

export interface ListenRequest {
  host: string
  port: number
  backlog: number
  maxFrameBytes: number
  overlapKeys: number[]
  idleTimeoutMs: number
  limits: ConnectionLimits
}

export interface ListenAnswer {
  /** The system's name of the error; empty when it listens. */
  error: string
  text: string
  id: number
  host: string
  port: number
}

export interface MarksAnswer {
  code: number
  text: string
  start: number
  end: number
  synced: number
  bytes: number
}

export interface DirtAnswer {
  code: number
  text: string
  cleanBytes: number
  dirtyBytes: number
  overdueMs: number
}

export interface CleanRequest {
  nowMs: number
  mapBytes: number
  loadFactor: number
  bufferBytes: number
  bytesPerSecond: number
}

export interface ErrandAnswer {
  code: number
  text: string
  over: boolean
  cleanedTo: number
  readBytes: number
  writtenBytes: number
  keylessRecords: number
}

export interface Binding {
  /**
   * Carries out the first `length` bytes of the outbox, then fills the inbox; 0: nothing there, a wake-up will come.
   */
  turn(runtime: number, outbox: Uint8Array, length: number, inbox: Uint8Array): number
  stage(runtime: number, bytes: Uint8Array): number
  copyOut(runtime: number, handle: number, position: number, into: Uint8Array): number

  // Logs that this thread owns; native/addon/src/mapped.rs. What appends answers an offset, or -1: ask `mappedFailure`.
  /** `length` -1: no value. */
  mappedAppend(runtime: number, log: number, value: Uint8Array, length: number, nowMs: number): number
  mappedAppendRecord(
    runtime: number,
    log: number,
    key: Uint8Array | null,
    value: Uint8Array | null,
    timestamp: number,
    nowMs: number,
  ): number
  mappedAppendPacked(runtime: number, log: number, packed: Uint8Array, ends: Uint32Array, nowMs: number): number
  mappedAppendBatch(runtime: number, log: number, batch: Uint8Array, nowMs: number): number
  /** Bytes; 0 at the end; -1 for a failure; the bytes needed, negated. */
  mappedRead(runtime: number, log: number, from: number, maxBytes: number, into: Uint8Array): number
  /** 0: it isn't open. `writer`: 0 as measurements say, 1 the map, 2 writes. */
  takeLog(runtime: number, slot: number, generation: number, writer: number): number
  giveLogBack(runtime: number, log: number): void
  mappedFailure(runtime: number, log: number): MarksAnswer
  mappedMarks(runtime: number, log: number): MarksAnswer
  /** The offset as `end`. */
  mappedFind(runtime: number, log: number, timestamp: number): MarksAnswer
  mappedSync(runtime: number, log: number, ticket: number): void
  mappedSyncNow(runtime: number, log: number): MarksAnswer
  mappedTrim(runtime: number, log: number, before: number, nowMs: number): MarksAnswer
  mappedTend(runtime: number, log: number, nowMs: number): MarksAnswer
  mappedDirt(runtime: number, log: number, nowMs: number): DirtAnswer
  /** The ticket is answered when the pass has an errand, or can't begin. */
  mappedClean(runtime: number, log: number, ticket: number, request: CleanRequest): void
  /** Does it. Unless the pass is over: send it on. */
  mappedErrand(runtime: number, log: number): ErrandAnswer
  mappedGoOn(runtime: number, log: number, ticket: number): void

  openRuntime(wake: () => void, manual: boolean): number
  closeRuntime(runtime: number): void
  keepAlive(runtime: number, alive: boolean): void
  /** `disk` 0: the operating system's. */
  openDirectory(runtime: number, path: string, disk: number): DirectoryAnswer
  setRecoveryThreads(runtime: number, directory: number, threads: number): { code: number; text: string }
  closeDirectory(
    runtime: number,
    directory: number,
    clean: boolean,
    brokerEpoch: number,
  ): { code: number; text: string }
  directoryUse(
    runtime: number,
    directory: number,
  ): { code: number; text: string; names: string[]; sizes: number[]; totalBytes: number; usableBytes: number }
  createMemoryDisk(runtime: number): number
  flushSync(runtime: number, timeoutMs: number): boolean
  step(runtime: number, role: number): boolean
  listen(runtime: number, request: ListenRequest): ListenAnswer
  limitListener(runtime: number, id: number, limits: ConnectionLimits): void
  closeListener(runtime: number, id: number): void
  registerSkim(runtime: number, response: boolean, apiKey: number, version: number, program: Uint8Array): void
  setFrameBudget(runtime: number, bytes: number): void
  counters(runtime: number): {
    nativeCalls: number
    wakeUps: number
    reKicks: number
    requests: number
    bytesIn: number
    bytesOut: number
    sendfileBytes: number
    heldFrameBytes: number
    connections: number
  }

  // Of no runtime.
  decompress(codec: number, bytes: Uint8Array, maxBytes: number): { code: number; text: string; bytes: Uint8Array }
  compress(codec: number, level: number, bytes: Uint8Array): { code: number; text: string; bytes: Uint8Array }
  xxh3(bytes: Uint8Array): bigint
  /** Empty: nothing is wrong with it. */
  checkRegex(pattern: string): string
  /** `lines`: the names, separated by line feeds. */
  matchRegex(pattern: string, lines: string): { error: string; indices: Uint32Array }
  /** Hands JSON lines to `take` until it answers false; empty, or which path or step failed. */
  inspect(request: InspectRequest, take: (lines: string) => boolean): string
}
