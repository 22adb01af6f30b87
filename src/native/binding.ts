/**
 * The addon's functions, as native/addon/src/calls.rs exports them. Types only; `index.ts` is the door to them.
 *
 * Invariants: `runtime` is a number that `openRuntime` gave to this environment. Numbers are not checked over there (they
 * wrap), so callers pass none that could be out of range.
 */
import type { InspectRequest } from './types.ts'

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
  maxConnections: number
  maxConnectionsPerIp: number
}

export interface ListenAnswer {
  /** The system's name of the error; empty when it listens. */
  error: string
  text: string
  id: number
  host: string
  port: number
}

export interface Binding {
  /** Carries out the first `length` bytes of the outbox, then fills the inbox; 0: nothing there, a wake-up will come. */
  turn(runtime: number, outbox: Uint8Array, length: number, inbox: Uint8Array): number
  stage(runtime: number, bytes: Uint8Array): number
  copyOut(runtime: number, handle: number, position: number, into: Uint8Array): number
  /** Blocks until the answer to `ticket` is there, and puts it alone into the inbox; 0: not in time. */
  waitFor(runtime: number, ticket: number, timeoutMs: number, inbox: Uint8Array): number

  openRuntime(wake: () => void, manual: boolean): number
  closeRuntime(runtime: number): void
  keepAlive(runtime: number, alive: boolean): void
  /** `disk` 0: the operating system's. */
  openDirectory(runtime: number, path: string, disk: number): DirectoryAnswer
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
