/**
 * Carries out what `Raft` decides: opens the metadata log, reads what is there, stores votes, appends, and hands
 * committed batches to its listener. The only file of this room that waits for anything.
 *
 * Invariants: an effect that names a condition is carried out only once that holds; the listener hears of batches in
 * order, each once, and never of one that is not synced; what was appended here is handed on from memory, not read
 * back. After a stop nothing is carried out any more.
 */

import type { Logger } from '../base/logger.ts'
import type { Host } from '../host/host.ts'
import type { Log, LogConfig, LogDirectory } from '../log/log.ts'
import { Origin, Wake } from '../log/log.ts'
import type { KafkaErrorCode } from '../protocol/error-codes.ts'
import { describeError } from '../protocol/error-codes.ts'
import { BatchView, batchesOf } from '../records/batch.ts'
import { recordsOf } from '../records/iterate.ts'
import type { Voter, Voters } from './control-records.ts'
import type { ElectionState } from './quorum-state.ts'
import { formatQuorumState, QUORUM_STATE_FILE } from './quorum-state.ts'
import type { RaftEffect, RaftEvent } from './raft.ts'
import { Raft } from './raft.ts'
import type { Snapshot, SnapshotId } from './snapshot.ts'
import { FIRST_SNAPSHOT, snapshotName } from './snapshot.ts'
import { checkReach, METADATA_FOLDER, newestSnapshot, QuorumWord, readElection, snapshotIds } from './survey.ts'

const METADATA_TOPIC_ID = 'AAAAAAAAAAAAAAAAAAAAAQ'
/** No batch of the metadata log is larger. */
export const MAX_METADATA_BATCH_BYTES = 8 << 20

export interface CommittedBatch {
  readonly baseOffset: number
  readonly lastOffset: number
  readonly epoch: number
  readonly timestampMs: number
  /** Bytes in the log. */
  readonly bytes: number
  /** Values of its records; none for a control batch. */
  readonly records: readonly Uint8Array[]
}

export interface RaftListener {
  /** Everything below `id.endOffset`, at most once and before any batch. */
  onSnapshot(id: SnapshotId, snapshot: Snapshot): void
  onCommitted(batches: readonly CommittedBatch[]): void
  /** This node leads `epoch`; everything below `offset` was handed on. */
  onLead(epoch: number, offset: number): void
  /** What was proposed at `base` and after it never happened. */
  onRejected(base: number, code: KafkaErrorCode, text: string): void
  /** The metadata log is of no more use. */
  onStopped(text: string): void
}

export interface RaftOptions {
  readonly host: Host
  readonly logger: Logger
  readonly directory: LogDirectory
  readonly self: Voter
  readonly listener: RaftListener
}

/** Settings of the metadata log, as Kafka has them: nothing is compressed, nothing expires, everything is synced. */
const METADATA_LOG_CONFIG: LogConfig = {
  flush: 'group',
  flushMessages: Number.MAX_SAFE_INTEGER,
  flushMs: Number.MAX_SAFE_INTEGER,
  segmentBytes: 1 << 30,
  segmentMs: 7 * 24 * 3600_000,
  segmentJitterMs: 0,
  segmentIndexBytes: 10 << 20,
  indexIntervalBytes: 4096,
  maxMessageBytes: MAX_METADATA_BATCH_BYTES,
  compressionType: 'producer',
  compressionLevel: { gzip: -1, lz4: 9, zstd: 3 },
  timestampType: 'CreateTime',
  timestampBeforeMaxMs: Number.MAX_SAFE_INTEGER,
  timestampAfterMaxMs: Number.MAX_SAFE_INTEGER,
  compacted: false,
  deletes: false,
  retentionMs: -1,
  retentionBytes: -1,
  fileDeleteDelayMs: 60_000,
  deleteRetentionMs: 86_400_000,
  minCompactionLagMs: 0,
  maxCompactionLagMs: Number.MAX_SAFE_INTEGER,
  producerIdExpirationMs: 24 * 3600_000,
}

const READ_BYTES = 4 << 20

/** Opens the metadata log of `directory`, creating it where there is none. */
export function openMetadataLog(directory: LogDirectory): Promise<Log> {
  return directory.open(METADATA_FOLDER, { config: METADATA_LOG_CONFIG, topicId: METADATA_TOPIC_ID, clean: false })
}

type AppendEffect = RaftEffect & { type: 'append' }

export class RaftDriver {
  readonly #options: RaftOptions
  readonly #log: Log
  readonly #raft: Raft
  /** Appended or read at start, not yet committed. In order. */
  #pending: BatchView[] = []
  /** Effects that wait for the vote to be stored. */
  #afterVote: AppendEffect[] = []
  #closed = false
  /** Settles `start`. */
  #led: { resolve: () => void; reject: (error: Error) => void } | undefined
  readonly #quorum = new QuorumWord()

  constructor(log: Log, options: RaftOptions) {
    this.#log = log
    this.#options = options
    this.#raft = new Raft(options.self)
  }

  get epoch(): number {
    return this.#raft.epoch
  }

  get kraftVersion(): number {
    return this.#quorum.kraftVersion
  }

  get voters(): Voters {
    return this.#quorum.voters
  }

  /** Offset that the next proposed record gets. Only while leading. */
  get nextOffset(): number {
    return this.#raft.leader?.end ?? this.#log.endOffset
  }

  /**
   * Reads everything, stands for election, and resolves when this node leads and the listener has heard everything
   * before its epoch.
   * @throws Error saying why it cannot lead
   */
  async start(): Promise<void> {
    const election = await readElection(this.#options.directory)
    const snapshot = await this.#loadSnapshot()
    await this.#readLog(snapshot?.endOffset ?? 0)
    this.#log.setListener({
      onAppended: () => {},
      onSynced: end => this.#step({ type: 'synced', end }),
      onFailed: (_code, text) => this.#step({ type: 'logFailed', text }),
    })
    const opened = {
      election,
      endOffset: this.#log.endOffset,
      lastEpoch: this.#pending.at(-1)?.leaderEpoch ?? snapshot?.epoch ?? 0,
      kraftVersion: this.#quorum.kraftVersion,
      voters: this.#quorum.voters,
      votersInLog: this.#quorum.votersInLog,
    }
    const leading = new Promise<void>((resolve, reject) => {
      this.#led = { resolve, reject }
    })
    this.#step({ type: 'opened', opened, nowMs: this.#options.host.clock.wallMs() })
    await leading
  }

  /** Appends one batch of records at `expectedBase`. The outcome is told to the listener. */
  propose(records: readonly Uint8Array[], expectedBase: number): void {
    this.#step({ type: 'propose', records, expectedBase, nowMs: this.#options.host.clock.wallMs() })
  }

  /** Stores a snapshot durably, then removes the older ones. */
  async storeSnapshot(id: SnapshotId, bytes: Uint8Array): Promise<void> {
    const { directory } = this.#options
    await directory.writeFile(`${METADATA_FOLDER}/${snapshotName(id)}`, bytes)
    for (const older of await snapshotIds(directory)) {
      if (older.endOffset > 0 && older.endOffset < id.endOffset) {
        await directory.removeFile(`${METADATA_FOLDER}/${snapshotName(older)}`)
      }
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#log.close(true).catch((error: Error) => {
      // What was committed is synced, so nothing is lost; on a failed directory closing fails too.
      this.#options.logger.warn({ err: error }, `the metadata log could not be closed: ${error.message}`)
    })
  }

  #step(event: RaftEvent): void {
    if (this.#closed) return
    for (const effect of this.#raft.step(event)) this.#carryOut(effect)
  }

  #carryOut(effect: RaftEffect): void {
    const { listener } = this.#options
    switch (effect.type) {
      case 'storeVote':
        this.#storeVote(effect.election)
        return
      case 'append':
        if (effect.after === 'voteStored') this.#afterVote.push(effect)
        else this.#append(effect)
        return
      case 'commit':
        this.#commit(effect.offset)
        return
      case 'lead':
        listener.onLead(effect.epoch, effect.offset)
        this.#led?.resolve()
        return
      case 'reject':
        this.#pending = this.#pending.filter(batch => batch.baseOffset < effect.base)
        listener.onRejected(effect.base, effect.code, effect.text)
        return
      case 'stop':
        this.#afterVote = []
        this.#led?.reject(new Error(effect.text))
        listener.onStopped(effect.text)
        return
    }
  }

  #storeVote(election: ElectionState): void {
    const ids =
      this.#quorum.voters.length === 0 ? [this.#options.self.voterId] : this.#quorum.voters.map(voter => voter.voterId)
    const content = formatQuorumState(election, this.#quorum.kraftVersion, ids)
    this.#options.directory.writeFile(`${METADATA_FOLDER}/${QUORUM_STATE_FILE}`, content).then(
      () => {
        this.#step({ type: 'voteStored' })
        const effects = this.#afterVote
        this.#afterVote = []
        for (const effect of effects) this.#append(effect)
      },
      (error: Error) =>
        this.#step({ type: 'storeFailed', text: `${QUORUM_STATE_FILE} cannot be written: ${error.message}` }),
    )
  }

  #append(effect: AppendEffect): void {
    const { ticket, epoch, expectedBase, batch } = effect
    this.#pending.push(BatchView.at(batch, 0)!)
    this.#log.append(
      batch,
      { leaderEpoch: epoch, origin: Origin.raft, wake: Wake.synced, expectedBase },
      ({ code, end, message }) => {
        if (code === 0) this.#step({ type: 'appended', ticket, end })
        else this.#step({ type: 'appendFailed', ticket, code, text: message ?? describeError(code).text })
      },
    )
  }

  #commit(offset: number): void {
    let count = 0
    while (count < this.#pending.length && this.#pending[count]!.lastOffset < offset) count++
    const batches = this.#pending.splice(0, count)
    if (batches.length > 0) this.#options.listener.onCommitted(batches.map(committed))
  }

  /** The newest usable snapshot; its records go to the listener. */
  async #loadSnapshot(): Promise<SnapshotId | undefined> {
    const { directory, logger, listener } = this.#options
    const found = await newestSnapshot(directory, logger)
    checkReach(directory, this.#log.startOffset, this.#log.endOffset, found?.id)
    if (found === undefined) return undefined
    this.#quorum.fromSnapshot(found.id, found.snapshot)
    if (found.id.endOffset === FIRST_SNAPSHOT.endOffset) return undefined
    listener.onSnapshot(found.id, found.snapshot)
    return found.id
  }

  /** Reads the log from `from` on; its batches wait to be committed. */
  async #readLog(from: number): Promise<void> {
    const { directory } = this.#options
    const end = this.#log.endOffset
    for (let next = from; next < end; ) {
      const chunk = await this.#read(next, end)
      const before = next
      for (const batch of batchesOf(chunk)) {
        if (batch.lastOffset < next) continue
        this.#quorum.fromBatch(batch)
        this.#pending.push(batch)
        next = batch.lastOffset + 1
      }
      if (next === before) throw new Error(`${directory.path}/${METADATA_FOLDER} cannot be read at offset ${next}`)
    }
  }

  #read(from: number, limit: number): Promise<Uint8Array> {
    const log = this.#log
    return new Promise((resolve, reject) => {
      log.read({ from, limit, maxBytes: READ_BYTES, atLeastOne: true, toMemory: true }, result => {
        if (result.code !== 0) {
          reject(new Error(`the metadata log cannot be read at offset ${from}: ${describeError(result.code).name}`))
          return
        }
        const bytes = new Uint8Array(result.bytes)
        if (result.handle !== 0) {
          log.copy(result.handle, 0, bytes)
          log.release(result.handle)
        }
        resolve(bytes)
      })
    })
  }
}

/** A batch as listeners hear of it. */
export function committed(batch: BatchView): CommittedBatch {
  const records: Uint8Array[] = []
  if (!batch.isControl) {
    for (const record of recordsOf(batch)) if (record.value !== null) records.push(record.value)
  }
  return {
    baseOffset: batch.baseOffset,
    lastOffset: batch.lastOffset,
    epoch: batch.leaderEpoch,
    timestampMs: Number(batch.maxTimestamp),
    bytes: batch.size,
    records,
  }
}
