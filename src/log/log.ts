/**
 * The face of one log and of the log directories, as every room above sees them. Types only; the implementation over
 * the native engine is `engine-log.ts`.
 *
 * Invariants: nobody above assigns or guesses an offset: it is learnt from a completion. Commands of one log are
 * carried out in call order; each listener call happens inside a drain of the native inbox, never inside the call that
 * caused it. An int64 is a number, saturated at 2^53-1.
 */
import type { LogConfig } from '../config/log-config.ts'
import type { CleanOptions, DirectoryUse, PreparedAnswer } from '../native/types.ts'
import type { KafkaErrorCode } from '../protocol/error-codes.ts'

export type { LogConfig } from '../config/log-config.ts'
export type { CleanOptions, DirectoryUse, PreparedAnswer } from '../native/types.ts'

/** Bytes of one record batch: inside a request's frame that is still native, or in JavaScript memory. */
export type BatchSource = { readonly frame: number; readonly position: number; readonly length: number } | Uint8Array

export const Origin = { client: 0, coordinator: 1, raft: 2, replication: 3, marker: 4 } as const
export type Origin = (typeof Origin)[keyof typeof Origin]

export const Wake = { never: 0, appended: 1, synced: 2 } as const
export type Wake = (typeof Wake)[keyof typeof Wake]

export interface AppendOptions {
  leaderEpoch: number
  origin: Origin
  wake: Wake
  /** Refused with `OFFSET_MISMATCH` (internal) unless it is the end offset; -1 or absent: any. */
  expectedBase?: number
  transactionVersion?: number
}

export interface Appended {
  /** 0, Kafka's code, or one of the internal codes of `log-errors.ts`. */
  code: KafkaErrorCode
  /** First offset of the batch; of the original one when `duplicate`. */
  base: number
  /** Offset after the batch. */
  end: number
  logAppendTime: number
  logStart: number
  /** Bytes ever appended to the log up to `end`. */
  bytesEnd: number
  oldestOpenTransaction: number
  closedTransactionFirst: number
  duplicate: boolean
  /** Nobody needs to answer: the prepared answer has left, or leaves when `syncedEnd` reaches the batch's end. */
  answered: boolean
  recordErrors: { index: number; code: KafkaErrorCode }[]
  /** Why it was refused, for the answer's error message; undefined when accepted. */
  message?: string | undefined
}

/** A pinned result of a read. Its bytes leave by a reply part, or by `copy`; `release` when neither happens. */
export interface ReadResult {
  code: KafkaErrorCode
  /** Native handle for reply parts; 0 when there are no bytes. */
  handle: number
  bytes: number
  /** The log's `bytesEnd` counter at the first byte read. */
  bytesStart: number
  firstOffset: number
  logStart: number
  end: number
  diverging?: { epoch: number; endOffset: number }
  aborted: { producerId: bigint; firstOffset: number }[]
  /** Why, with a code: what is damaged is named by file and byte. */
  message?: string
}

export interface ReadOptions {
  from: number
  /** Exclusive: high watermark, last stable offset or end. */
  limit: number
  maxBytes: number
  atLeastOne: boolean
  abortedList?: boolean
  toMemory?: boolean
  lastFetchedEpoch?: number
}

export interface Found {
  code: KafkaErrorCode
  offset: number
  timestamp: bigint
  leaderEpoch: number
}

export interface LogMarks {
  startOffset: number
  endOffset: number
  syncedEnd: number
}

/** What the cleaner would find in a log. */
export interface LogDirt {
  readonly cleanBytes: number
  readonly dirtyBytes: number
  /** For how long records wait beyond `max.compaction.lag.ms`; 0: none does. */
  readonly overdueMs: number
}

/** What a pass of compaction did. */
export interface Cleaned {
  /** Everything below is clean now. */
  readonly cleanedTo: number
  /** 0: nothing could be cleaned yet. */
  readonly readBytes: number
  readonly writtenBytes: number
  /** Records that went because they had no key. */
  readonly keylessRecords: number
}

/** Hears of every move of one log, until it is closed. */
export interface LogListener {
  /** An append was written (after its own callback). `end` only grows between truncations. */
  onAppended(end: number, bytesEnd: number): void
  /** Everything below `syncedEnd` is on disk. */
  onSynced(syncedEnd: number): void
  /** The log's directory went offline, or the log was found damaged: no command succeeds any more. */
  onFailed(code: KafkaErrorCode, text: string): void
}

export interface Log extends Readonly<LogMarks> {
  readonly name: string
  readonly directory: number
  readonly topicId: string | undefined
  /** What opening found and did; to be asked before somebody listens. */
  readonly opened: OpenReport
  setListener(listener: LogListener): void
  /** `prepared` leaves once the batch is written; whether it did, `Appended.answered` says. */
  append(
    batch: BatchSource,
    options: AppendOptions,
    done: (result: Appended) => void,
    prepared?: PreparedAnswer | undefined,
  ): void
  read(options: ReadOptions, done: (result: ReadResult) => void): void
  /** Copies `into.length` bytes of a read, from its byte `position` on. The read must have asked for `toMemory`. */
  copy(handle: number, position: number, into: Uint8Array): void
  /** Gives a read's bytes back unsent. Exactly once for each handle (not 0) that no reply carried. */
  release(handle: number): void
  /** Makes the next move of the limit past `offset` urgent. */
  watch(offset: number, limit: 'end' | 'synced'): void
  lookupTime(timestamp: bigint, limit: number): Promise<Found>
  lookupMaxTime(limit: number): Promise<Found>
  lookupEpochEnd(epoch: number): Promise<Found>
  /** Resolves when everything appended before it is on disk. */
  sync(): Promise<void>
  truncate(offset: number): Promise<LogMarks>
  /** Records below `offset` count as deleted; at most the end. Lower than the start: nothing happens. */
  advanceStart(offset: number): Promise<LogMarks>
  /** Lets go of what retention no longer keeps, below the high watermark; the files go later. */
  retain(): Promise<LogMarks>
  /** By what is known of the segments; nothing is read. `limit`: nothing from there on may be cleaned. */
  dirt(limit: number): Promise<LogDirt>
  /**
   * One pass of compaction, in the background.
   * @throws LogError NOT_LEADER_OR_FOLLOWER: the log has changed meanwhile, another pass may succeed; LOCKED: one runs;
   * `noSpace`; anything else will happen again.
   */
  clean(limit: number, options: CleanOptions): Promise<Cleaned>
  startEpoch(epoch: number, offset: number): Promise<void>
  setHighWatermark(offset: number): void
  configure(config: LogConfig): Promise<void>
  close(clean: boolean): Promise<void>
  delete(): Promise<void>
}

export interface OpenReport extends LogMarks {
  created: boolean
  bytesEnd: number
  oldestOpenTransaction: number
  latestEpoch: number
  /** From the high-watermark checkpoint; -1 when it has none. */
  highWatermark: number
  cutBytes: number
  cutRecords: number
  recoveredSegments: number
}

export interface OpenOptions {
  config: LogConfig
  /** 22 characters of base64url; undefined: a log without partition.metadata (the metadata log). */
  topicId?: string
  mustExist?: boolean
  /** Overrides the directory's clean-shutdown flag: the metadata log is always opened as unclean. */
  clean?: boolean
}

/** One entry of `log.dirs`: opened, locked, its clean-shutdown file read and removed. */
export interface LogDirectory {
  readonly id: number
  readonly path: string
  /** The clean-shutdown file was there at start. */
  readonly clean: boolean
  /** The broker epoch that file carried, or -1. */
  readonly cleanBrokerEpoch: number
  readonly offline: boolean
  /** Folder names below the directory that hold logs. */
  partitionFolders(): Promise<string[]>
  open(name: string, options: OpenOptions): Promise<Log>
  /** Atomic and durable: tmp, fsync, rename, directory fsync. */
  writeFile(path: string, content: Uint8Array): Promise<void>
  /** undefined: no such file. */
  readFile(path: string): Promise<Uint8Array | undefined>
  listFiles(path: string): Promise<string[]>
  removeFile(path: string): Promise<void>
  /** Renames the folder of a log that is not open, durably; `name` must not be that of a partition. */
  setAside(folder: string, name: string): Promise<void>
  /** What its open logs hold. @throws LogError when it is offline. */
  use(): DirectoryUse
  /** Syncs the logs whose `flush.ms` is over; `sweep`: and writes the checkpoints, where there is anything new. */
  look(sweep: boolean): Promise<void>
  /** Folders of the open logs for which `Log.retain` would find something to do. */
  due(): Promise<string[]>
  /** So many threads open logs, and recover them, at once. */
  setRecoveryThreads(threads: number): void
  /** Writes recovery-point, log-start and high-watermark checkpoints now. */
  checkpoint(): Promise<void>
  /**
   * All logs closed: checkpoints, clean-shutdown file carrying `brokerEpoch` (when clean), lock released. A directory
   * of which was only read stays as it was found.
   */
  close(options: { clean: boolean; brokerEpoch: number }): Promise<void>
  onFailed(listener: (code: KafkaErrorCode, text: string) => void): void
}
