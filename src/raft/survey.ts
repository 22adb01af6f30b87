/**
 * What the folder of the metadata log holds, read from its files without opening the log: opening recovers, and
 * recovering changes. Also the pieces of it that the driver shares.
 *
 * Invariants: reads only. A torn end of the log is passed over, as recovery will cut it.
 */
import type { Logger } from '../base/logger.ts'
import type { LogDirectory } from '../log/log.ts'
import { type BatchView, batchesOf } from '../records/batch.ts'
import { recordsOf } from '../records/iterate.ts'
import type { Voters } from './control-records.ts'
import { readControlRecord } from './control-records.ts'
import type { StoredElection } from './quorum-state.ts'
import { parseQuorumState, QUORUM_STATE_FILE } from './quorum-state.ts'
import type { Snapshot, SnapshotId } from './snapshot.ts'
import { FIRST_SNAPSHOT, parseSnapshot, parseSnapshotName, snapshotName } from './snapshot.ts'

/** Folder of the metadata log. */
export const METADATA_FOLDER = '__cluster_metadata-0'

/** What snapshots and control records say of the quorum; the latest word counts. */
export class QuorumWord {
  kraftVersion = 0
  voters: Voters = []
  /** The voters stand in the log (or a snapshot of it), not only in what formatting wrote. */
  votersInLog = false

  fromSnapshot(id: SnapshotId, { quorum }: Snapshot): void {
    if (quorum === undefined) return
    this.kraftVersion = quorum.kraftVersion
    this.voters = quorum.voters
    this.votersInLog = id.endOffset > FIRST_SNAPSHOT.endOffset
  }

  fromBatch(batch: BatchView): void {
    if (!batch.isControl) return
    for (const record of recordsOf(batch)) {
      const control = readControlRecord(record)
      if (control?.type === 'kraftVersion') this.kraftVersion = control.kraftVersion
      if (control?.type === 'voters') {
        this.voters = control.voters
        this.votersInLog = true
      }
    }
  }
}

/** A finished snapshot that can be read. */
export interface FoundSnapshot {
  readonly id: SnapshotId
  readonly snapshot: Snapshot
}

export interface Survey {
  readonly election: StoredElection | undefined
  /** undefined: none, or only what formatting wrote. */
  readonly snapshot: FoundSnapshot | undefined
  readonly quorum: QuorumWord
  /** Of the log, from the snapshot's end on. */
  readonly batches: readonly BatchView[]
  readonly endOffset: number
}

/** @throws Error saying which file cannot be used */
export async function survey(directory: LogDirectory, logger: Logger): Promise<Survey> {
  const quorum = new QuorumWord()
  if (!(await directory.partitionFolders()).includes(METADATA_FOLDER)) {
    return { election: undefined, snapshot: undefined, quorum, batches: [], endOffset: 0 }
  }
  const election = await readElection(directory)
  const found = await newestSnapshot(directory, logger)
  if (found !== undefined) quorum.fromSnapshot(found.id, found.snapshot)
  const from = found?.id.endOffset ?? 0
  const { start, batches, end } = await readSegments(directory, from)
  checkReach(directory, start, end, found?.id)
  for (const batch of batches) quorum.fromBatch(batch)
  const snapshot = found !== undefined && from > FIRST_SNAPSHOT.endOffset ? found : undefined
  return { election, snapshot, quorum, batches, endOffset: end }
}

/** The batches at and above `from`, up to the first that is not whole. */
async function readSegments(directory: LogDirectory, from: number) {
  const names = (await directory.listFiles(METADATA_FOLDER)).filter(name => /^\d{20}\.log$/.test(name)).sort()
  const bases = names.map(name => Number(name.slice(0, 20)))
  const batches: BatchView[] = []
  let end = bases[0] ?? 0
  for (const [index, name] of names.entries()) {
    const next = bases[index + 1]
    if (next !== undefined && next <= from) continue
    const content = await directory.readFile(`${METADATA_FOLDER}/${name}`)
    end = Math.max(end, bases[index]!)
    for (const batch of batchesOf(content ?? new Uint8Array(0))) {
      if (batch.baseOffset < end || !batch.isIntact) break
      if (batch.lastOffset >= from) batches.push(batch)
      end = batch.lastOffset + 1
    }
    if (next !== undefined && end < next) break
  }
  return { start: bases[0] ?? 0, batches, end }
}

/** @throws Error when `newest` lies beyond the log, or the log begins behind it */
export function checkReach(directory: LogDirectory, start: number, end: number, newest: SnapshotId | undefined): void {
  const path = `${directory.path}/${METADATA_FOLDER}`
  if (newest !== undefined && newest.endOffset > end) {
    throw new Error(
      `${path} ends at offset ${end}, before its snapshot ${snapshotName(newest)}; ` +
        'its segments are missing: restore them from a copy',
    )
  }
  if (start > (newest?.endOffset ?? 0)) {
    throw new Error(
      `${path} begins at offset ${start} and no snapshot reaches it; ` +
        'its .checkpoint files are missing: restore them from a copy',
    )
  }
}

/** @throws Error when the file is there and cannot be read */
export async function readElection(directory: LogDirectory): Promise<StoredElection | undefined> {
  const path = `${METADATA_FOLDER}/${QUORUM_STATE_FILE}`
  const content = await directory.readFile(path)
  if (content === undefined) return undefined
  const state = parseQuorumState(content)
  if (typeof state === 'string') {
    throw new Error(
      `${directory.path}/${path} cannot be read: ${state}; restore it from a copy, ` +
        'or remove it if this is the cluster’s only controller',
    )
  }
  return state
}

/** Of finished snapshots, the newest first. */
export async function snapshotIds(directory: LogDirectory): Promise<SnapshotId[]> {
  const names = await directory.listFiles(METADATA_FOLDER)
  const ids = names.map(parseSnapshotName).filter(id => id !== undefined)
  return ids.sort((a, b) => b.endOffset - a.endOffset || b.epoch - a.epoch)
}

/** The newest snapshot that is whole; those passed over are told. */
export async function newestSnapshot(directory: LogDirectory, logger: Logger): Promise<FoundSnapshot | undefined> {
  for (const id of await snapshotIds(directory)) {
    const path = `${METADATA_FOLDER}/${snapshotName(id)}`
    const content = await directory.readFile(path)
    if (content === undefined) continue
    const snapshot = parseSnapshot(content)
    if (typeof snapshot !== 'string') return { id, snapshot }
    logger.warn(`${directory.path}/${path} is passed over: ${snapshot}`)
  }
  return undefined
}
