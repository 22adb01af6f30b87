/**
 * What `runtime.ts` offers to the rooms above: to `src/net` connections and frames, to `src/log` the engine's commands
 * and completions, decoded. Types only.
 *
 * Invariants: callbacks and sink methods are called inside a drain of the native inbox, never inside the call that
 * caused them; each callback is called exactly once, also when the runtime closes (then with `Code.directoryOffline`).
 * `code` is a number of `engine-code.ts`, 0 = success, never Kafka's. An int64 is a number, saturated at 2^53-1.
 */
import type { LogConfig } from '../config/log-config.ts'
import type { LogWriterKind, OwnedLog } from './owned-log.ts'

/** Result of an engine command that has nothing else to say. `text` explains a failure; empty on success. */
export interface Outcome {
  readonly code: number
  readonly text: string
}

/** Bytes that a codec made; empty on failure. */
export interface CodecResult extends Outcome {
  readonly bytes: Uint8Array
}

/** The names that a regular expression matches as a whole, in the order given. */
export interface MatchedNames {
  readonly names: readonly string[]
  /** Why there are none: the pattern is invalid, or too costly to match. */
  readonly error: string | undefined
}

/** What is asked of log directories from outside; `native/engine/src/inspect/report.rs` says what each line holds. */
export interface InspectRequest {
  /** `plan` is what `repair` would do. */
  readonly mode: 'dump' | 'verify' | 'plan' | 'repair'
  /** Log directories, partition folders, files. */
  readonly paths: readonly string[]
  /** Of verify: every batch inflated, every record walked. */
  readonly deep: boolean
  /** Of dump: the records, too. */
  readonly records: boolean
  /** Of dump: offsets, both included. */
  readonly from: number
  readonly to: number
  /** Of plan and repair: acknowledged records may go where they are damaged. */
  readonly acceptLoss: boolean
}

/** Names an open log. Valid from `openLog` (commands may follow at once) until `closeLog` or `deleteLog`. */
export interface LogHandle {
  readonly slot: number
  readonly generation: number
}

/** Names a connection. */
export interface ConnectionHandle {
  readonly slot: number
  readonly generation: number
}

export interface OpenedDirectory {
  readonly id: number
  /** The clean-shutdown file was there. */
  readonly clean: boolean
  /** The broker epoch in it, or -1. */
  readonly brokerEpoch: number
  /** Names of the folders that hold logs. */
  readonly folders: readonly string[]
}

/** What a directory's open logs hold, and the room on its volume. */
export interface DirectoryUse {
  /** Folder names, and the bytes of each one's segments. */
  readonly names: readonly string[]
  readonly sizes: readonly number[]
  /** Of the volume; -1 where it isn't known. */
  readonly totalBytes: number
  readonly usableBytes: number
}

/**
 * Where a directory's files live; `memory` is a number from `createMemoryDisk`. Under `readOnly` no file is changed:
 * what the engine changes is in memory and gone with the directory, whose lock is not taken.
 */
export type Disk = 'posix' | 'readOnly' | { readonly memory: number }

export interface OpenLogOptions {
  directory: number
  /** The folder's name, `topic-partition`. */
  name: string
  config: LogConfig
  topicId: string | undefined
  /** Trust the recovery point and skip the scan. */
  clean: boolean
  mustExist: boolean
}

export interface OpenedLog extends Outcome {
  readonly start: number
  readonly end: number
  readonly syncedEnd: number
  readonly bytesEnd: number
  readonly oldestOpenTransaction: number
  readonly latestEpoch: number
  readonly highWatermark: number
  readonly created: boolean
  readonly cutBytes: number
  readonly cutRecords: number
  readonly recoveredSegments: number
  readonly topicId: string | undefined
}

/** A record batch: in a frame that is still native, or in JavaScript memory (copied during the call). */
export type Batch = { readonly frame: number; readonly position: number; readonly length: number } | Uint8Array

export interface AppendFields {
  leaderEpoch: number
  /** 0 client, 1 coordinator, 2 raft, 3 replication, 4 marker. */
  origin: number
  /** 0 never, 1 appended, 2 synced. */
  wake: number
  transactionVersion: number
  /** -1: any. */
  expectedBase: number
}

/**
 * The answer to a produce request that leaves as soon as its append is written, or is on disk, at the time its producer
 * gave it and not as a duplicate; otherwise it is forgotten. `bytes` are without the length and copied during the call.
 */
export interface PreparedAnswer {
  readonly connection: ConnectionHandle
  readonly sequence: number
  readonly bytes: Uint8Array
  /** Where in `bytes` the batch's first offset goes: 8 bytes. */
  readonly offsetAt: number
  /** Being written is not enough. */
  readonly untilSynced: boolean
}

export interface AppendedRecord extends Outcome {
  readonly base: number
  readonly end: number
  readonly logAppendTime: number
  readonly logStart: number
  readonly bytesEnd: number
  readonly oldestOpenTransaction: number
  readonly closedTransactionFirst: number
  readonly duplicate: boolean
  /** The prepared answer has left; one that awaits the sync leaves with it, or never if the log is cut or fails. */
  readonly answered: boolean
  /** `code` is the engine's, per refused record of the batch. */
  readonly recordErrors: readonly { readonly index: number; readonly code: number }[]
}

export interface ReadFields {
  from: number
  /** Exclusive. */
  limit: number
  maxBytes: number
  atLeastOne: boolean
  abortedList: boolean
  toMemory: boolean
  /** -1: none. */
  lastFetchedEpoch: number
}

export interface ReadRecord extends Outcome {
  /** Pins the bytes; pass it on in a reply part, or `copyOut` and `release` it. 0 when there are no bytes. */
  readonly handle: number
  readonly bytes: number
  readonly bytesStart: number
  readonly firstOffset: number
  readonly logStart: number
  readonly end: number
  readonly divergingEpoch: number
  readonly divergingEnd: number
  readonly aborted: readonly { readonly producerId: bigint; readonly firstOffset: number }[]
}

export interface FoundRecord extends Outcome {
  readonly offset: number
  readonly timestamp: bigint
  readonly epoch: number
}

export interface MarksRecord extends Outcome {
  readonly start: number
  readonly end: number
  readonly syncedEnd: number
}

/** What the cleaner would find in a log. */
export interface DirtRecord extends Outcome {
  readonly cleanBytes: number
  readonly dirtyBytes: number
  /** For how long records wait beyond `max.compaction.lag.ms`; 0: none does. */
  readonly overdueMs: number
}

export interface CleanOptions {
  /** Memory for keys, 24 bytes each. */
  readonly mapBytes: number
  /** How full that may get, as a fraction. */
  readonly loadFactor: number
  /** Bytes read at once. */
  readonly bufferBytes: number
  /** Ceiling of what is read and written. */
  readonly bytesPerSecond: number
}

/** What a pass of compaction did. */
export interface CleanedRecord extends Outcome {
  /** Everything below is clean now. */
  readonly cleanedTo: number
  readonly readBytes: number
  readonly writtenBytes: number
  /** Records that went because they had no key. */
  readonly keylessRecords: number
}

export interface FileRecord extends Outcome {
  readonly content: Uint8Array
}

export interface NamesRecord extends Outcome {
  readonly names: readonly string[]
}

/** Hears of an open log's unasked news. */
export interface LogSink {
  /** Everything below `syncedEnd` is on disk. */
  synced(syncedEnd: number): void
}

/** Hears of a directory's unasked news. */
export interface DirectorySink {
  /** Offline for good. Called once; every command on it fails from now on. */
  failed(code: number, errno: number, text: string): void
}

/** Bytes made here, or a range of a read or staged handle. A handle is consumed by the reply that carries it. */
export type ReplyPart = Uint8Array | { readonly handle: number; readonly from: number; readonly length: number }

/** Where record bytes were left out of a copied frame; see src/net/net.ts `Elision`. */
export interface FrameElision {
  readonly at: number
  readonly position: number
  readonly length: number
}

/** A whole frame, as copied to JavaScript. */
export interface ArrivedFrame {
  readonly sequence: number
  /** 0: copied whole and freed. Otherwise held until `release(frame)` or the reply that names it. */
  readonly frame: number
  readonly frameBytes: number
  /** A view of the inbox: valid only during the call. */
  readonly bytes: Uint8Array
  readonly elisions: readonly FrameElision[]
  readonly arrivedUs: number
}

export interface ConnectionInfo {
  readonly connection: ConnectionHandle
  readonly remoteHost: string
  readonly remotePort: number
  readonly localHost: string
  readonly localPort: number
}

/** Hears of the connections of one listener, or of one outgoing connection. */
export interface ConnectionSink {
  connected(info: ConnectionInfo): void
  /** A request on an inbound connection, a response on an outgoing one. */
  arrived(slot: number, generation: number, frame: ArrivedFrame): void
  closed(slot: number, generation: number, reason: string): void
}

/** Hears of one outgoing connection: `connected` or `failed`, not both. */
export interface OutgoingSink extends ConnectionSink {
  failed(reason: string): void
}

export interface ConnectOptions {
  /** An address, not a name. */
  host: string
  port: number
  maxFrameBytes: number
}

export interface NativeListenOptions {
  host: string
  port: number
  maxFrameBytes: number
  /** API keys (the frame's first two bytes) whose requests may overlap one another. */
  overlapKeys: readonly number[]
  backlog: number
  /** 0: none. */
  idleTimeoutMs: number
  limits: ConnectionLimits
}

/** Connections that may be open at once: of all listeners, of one, and of one address on one. */
export interface ConnectionLimits {
  ofAll: number
  ofListener: number
  perIp: number
}

export interface BoundListener {
  readonly id: number
  readonly host: string
  readonly port: number
}

/** What the boundary has done since the runtime started. */
export interface Counters {
  readonly nativeCalls: number
  readonly wakeUps: number
  readonly reKicks: number
  readonly requests: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly sendfileBytes: number
  readonly heldFrameBytes: number
  readonly connections: number
}

/** Roles of the engine that `step` runs in manual mode. */
export type Role = 'lane' | 'sync' | 'read' | 'background'

/** The engine and the sockets of this environment. `runtime.ts` implements it. */
export interface Runtime {
  // Life. One shared runtime an environment (and each manual one its own), counted: every open() needs one close().
  close(): Promise<void>
  /** Keeps the process alive while at least one holder has called `ref`. */
  ref(): void
  unref(): void
  /** Requests that the present round of the drain brought: how busy it is. */
  readonly requestsAtHand: number
  /** Dispatches what is queued and handles what has arrived, now. Manual mode's step, and the last act before exit. */
  drain(): void
  /**
   * Calls back, later, when every request that has arrived by now was handled (or 100 ms have passed, if they never
   * end): for who acts on silence. Also after the end of the runtime.
   */
  whenHeard(done: () => void): void
  /** Manual mode: runs one task; false if the role had none. */
  step(role: Role): boolean
  /** Process exit: every dirty log to disk, bounded. True when all of it got there. */
  flushSync(timeoutMs: number): boolean
  counters(): Counters
  /** Called once if a native thread panicked or a drain threw: nothing of this runtime is usable any more. */
  onFatal(listener: (text: string) => void): void

  // Directories and logs. openDirectory and closeDirectory block (start and stop only), and throw an `EngineError`.
  createMemoryDisk(): number
  openDirectory(path: string, disk: Disk, sink: DirectorySink): OpenedDirectory
  closeDirectory(directory: number, clean: boolean, brokerEpoch: number): void
  /** How many threads open logs of the directory at once. @throws EngineError when it is closed. */
  setRecoveryThreads(directory: number, threads: number): void
  /** From memory, but for one question to the file system. @throws EngineError when the directory is offline. */
  directoryUse(directory: number): DirectoryUse
  openLog(options: OpenLogOptions, sink: LogSink, done: (opened: OpenedLog) => void): LogHandle
  /** Takes an open log out of the engine's hands into this thread's, which alone changes it from then on. */
  ownLog(log: LogHandle, writer?: LogWriterKind): OwnedLog
  closeLog(log: LogHandle, clean: boolean, done: (outcome: Outcome) => void): void
  deleteLog(log: LogHandle, done: (outcome: Outcome) => void): void
  append(
    log: LogHandle,
    batch: Batch,
    fields: AppendFields,
    done: (appended: AppendedRecord) => void,
    prepared?: PreparedAnswer | undefined,
  ): void
  read(log: LogHandle, fields: ReadFields, done: (read: ReadRecord) => void): void
  watch(log: LogHandle, offset: number, limit: 'end' | 'synced'): void
  lookupTime(log: LogHandle, timestamp: bigint, limit: number, done: (found: FoundRecord) => void): void
  lookupMaxTime(log: LogHandle, limit: number, done: (found: FoundRecord) => void): void
  lookupEpochEnd(log: LogHandle, epoch: number, done: (found: FoundRecord) => void): void
  sync(log: LogHandle, done: (outcome: Outcome) => void): void
  truncate(log: LogHandle, offset: number, done: (marks: MarksRecord) => void): void
  advanceStart(log: LogHandle, offset: number, done: (marks: MarksRecord) => void): void
  roll(log: LogHandle, done: (marks: MarksRecord) => void): void
  /** Lets go of segments that retention no longer keeps. */
  retain(log: LogHandle, done: (marks: MarksRecord) => void): void
  /** `limit`: nothing from there on may be cleaned. */
  dirt(log: LogHandle, limit: number, done: (dirt: DirtRecord) => void): void
  /** One pass of compaction, in the background. `Code.staleLog`: the log has changed meanwhile. */
  clean(log: LogHandle, limit: number, options: CleanOptions, done: (cleaned: CleanedRecord) => void): void
  startEpoch(log: LogHandle, epoch: number, offset: number, done: (outcome: Outcome) => void): void
  setHighWatermark(log: LogHandle, offset: number): void
  configure(log: LogHandle, config: LogConfig, done: (outcome: Outcome) => void): void
  writeFile(directory: number, path: string, content: Uint8Array, done: (outcome: Outcome) => void): void
  /** `Code.notFound` when there is no such file. */
  readFile(directory: number, path: string, done: (file: FileRecord) => void): void
  listFiles(directory: number, path: string, done: (names: NamesRecord) => void): void
  removeFile(directory: number, path: string, done: (outcome: Outcome) => void): void
  /** Renames the folder of a log that is not open, durably; `name` must not be that of a partition. */
  setAside(directory: number, folder: string, name: string, done: (outcome: Outcome) => void): void
  /** Syncs the logs whose `flushMs` is over; `sweep`: and writes the checkpoints, where there is anything new. */
  look(directory: number, sweep: boolean, done: (outcome: Outcome) => void): void
  /** Which logs `retain` would find something to do for: their folders. */
  due(directory: number, done: (names: NamesRecord) => void): void
  checkpoint(directory: number, done: (outcome: Outcome) => void): void

  // Held memory: frames, reads and staged bytes share one kind of handle.
  /** Copies `bytes` to native memory; the handle goes into a reply part or is released. */
  stage(bytes: Uint8Array): number
  /** Copies from `position` of a frame, read or staged handle; returns the bytes copied. */
  copyOut(handle: number, position: number, into: Uint8Array): number
  release(handle: number): void

  // Sockets.
  /**
   * How frames of one (direction, API key, version) are copied without record bytes; see native/reactor/src/skim.rs.
   */
  registerSkim(direction: 'request' | 'response', apiKey: number, version: number, program: Uint8Array): void
  /** Bounds the bytes held in frames, for all listeners; queued.max.request.bytes. */
  setFrameBudget(bytes: number): void
  listen(options: NativeListenOptions, sink: ConnectionSink): BoundListener
  /** From the next connection on; those that are open stay. */
  limitListener(id: number, limits: ConnectionLimits): void
  closeListener(id: number): void
  reply(
    connection: ConnectionHandle,
    sequence: number,
    frame: number,
    parts: readonly ReplyPart[],
    options: { closeAfter?: boolean; noAnswer?: boolean; muteMs?: number },
  ): void
  /** An outgoing connection. Its frames are responses, in the order of the requests. */
  connect(options: ConnectOptions, sink: OutgoingSink): void
  /** A request on an outgoing connection; `skim` names the program of its response, `noAnswer` that none will come. */
  send(
    connection: ConnectionHandle,
    parts: readonly ReplyPart[],
    options: { noAnswer?: boolean; skim?: { apiKey: number; version: number } },
  ): void
  closeConnection(connection: ConnectionHandle, reason: string): void
}
