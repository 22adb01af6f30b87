/**
 * The ports through which everything above reaches time, chance, the event loop and the process. Types only.
 *
 * Invariants: no file outside `src/host/` calls Date.now, performance.now, Math.random, crypto, setTimeout,
 * setImmediate, queueMicrotask or process.on; a broker gets one `Host` and hands its parts down. Files are not here:
 * broker data goes through the engine's Vfs. Network is not here: sockets are the reactor's.
 */

export interface Clock {
  /** Milliseconds since an arbitrary start; never goes back. Fractions allowed. */
  monotonicMs(): number
  /** Milliseconds since 1970, an integer. */
  wallMs(): number
}

export interface Timers {
  /** Calls `fire` once, at or after `monotonicMs() >= atMs`. A cancelled timer never fires, even when already due. */
  at(atMs: number, fire: () => void): TimerId
  cancel(id: TimerId): void
}

/** Opaque; 0 is never used, so it can mean "none". */
export type TimerId = number

export interface Random {
  /** Uniform in [0, 2^32). */
  u32(): number
  bytes(length: number): Uint8Array
}

export interface Loop {
  /** Runs `task` after the present event turn, letting I/O and timers in between. */
  yield(task: () => void): void
  /** Runs `task` at the end of the present job. */
  microtask(task: () => void): void
}

export interface ProcessPort {
  readonly pid: number
  /** Runs `listener` synchronously when the process exits by itself or by exit(); returns its remover. */
  onExit(listener: () => void): () => void
  onSignal(signal: 'SIGINT' | 'SIGTERM', listener: () => void): () => void
}

export interface Host {
  readonly clock: Clock
  readonly timers: Timers
  readonly random: Random
  readonly loop: Loop
  readonly process: ProcessPort
}
