/**
 * Snapshots of the metadata log (`.checkpoint` files): their names, and the batches that frame their records.
 *
 * Invariants: a snapshot's id is the offset after the last one it contains, and that offset's epoch. A file counts only
 * when it ends in a footer: a cut one is refused. Bytes are Kafka's.
 */
import { batchesOf } from '../records/batch.ts'
import type { RecordInput } from '../records/builder.ts'
import { buildBatch } from '../records/builder.ts'
import { recordsOf } from '../records/iterate.ts'
import type { Voters } from './control-records.ts'
import { kraftVersion, readControlRecord, snapshotFooter, snapshotHeader, votersOf } from './control-records.ts'

export interface SnapshotId {
  /** Exclusive. */
  readonly endOffset: number
  readonly epoch: number
}

/** What raft knows beside the records. */
export interface QuorumAtSnapshot {
  readonly kraftVersion: number
  readonly voters: Voters
}

export interface Snapshot {
  readonly lastContainedTimestampMs: number
  /** undefined: the snapshot has none (kraft.version 0). */
  readonly quorum: QuorumAtSnapshot | undefined
  /** Values of its records, in order. */
  readonly records: readonly Uint8Array[]
}

/** A snapshot of what raft starts with: no record is in it. */
export const FIRST_SNAPSHOT: SnapshotId = { endOffset: 0, epoch: 0 }

/** Records are gathered into batches of about this many bytes. */
const BATCH_BYTES = 1 << 20

export function snapshotName(id: SnapshotId): string {
  return `${String(id.endOffset).padStart(20, '0')}-${String(id.epoch).padStart(10, '0')}.checkpoint`
}

/** undefined: not the name of a finished snapshot. */
export function parseSnapshotName(name: string): SnapshotId | undefined {
  const match = /^(\d{20})-(\d{10})\.checkpoint$/.exec(name)
  return match === null ? undefined : { endOffset: Number(match[1]), epoch: Number(match[2]) }
}

/** The bytes of a snapshot. `nowMs` stamps its batches. */
export function buildSnapshot(id: SnapshotId, snapshot: Snapshot, nowMs: number): Uint8Array {
  const batches: Uint8Array[] = []
  let offset = 0
  const add = (records: readonly RecordInput[], control: boolean): void => {
    batches.push(buildBatch(records, { baseOffset: offset, leaderEpoch: id.epoch, timestamp: BigInt(nowMs), control }))
    offset += records.length
  }
  const header = [snapshotHeader(snapshot.lastContainedTimestampMs)]
  const { quorum } = snapshot
  if (quorum !== undefined && quorum.kraftVersion > 0) {
    header.push(kraftVersion(quorum.kraftVersion), votersOf(quorum.voters))
  }
  add(header, true)
  let pending: RecordInput[] = []
  let bytes = 0
  for (const value of snapshot.records) {
    pending.push({ key: null, value })
    bytes += value.length
    if (bytes < BATCH_BYTES) continue
    add(pending, false)
    pending = []
    bytes = 0
  }
  if (pending.length > 0) add(pending, false)
  add([snapshotFooter()], true)

  const whole = new Uint8Array(batches.reduce((sum, batch) => sum + batch.length, 0))
  let at = 0
  for (const batch of batches) {
    whole.set(batch, at)
    at += batch.length
  }
  return whole
}

/** The content of a snapshot file; a text saying why it cannot be used when it is cut or damaged. */
export function parseSnapshot(bytes: Uint8Array): Snapshot | string {
  let lastContainedTimestampMs: number | undefined
  let version = 0
  let voters: Voters | undefined
  let finished = false
  let at = 0
  const records: Uint8Array[] = []
  for (const batch of batchesOf(bytes)) {
    if (!batch.isIntact) return `its checksum at byte ${at} is wrong`
    at += batch.size
    for (const record of recordsOf(batch)) {
      if (!batch.isControl) {
        if (record.value !== null) records.push(record.value)
        continue
      }
      const control = readControlRecord(record)
      if (control?.type === 'snapshotHeader') lastContainedTimestampMs = control.lastContainedTimestampMs
      if (control?.type === 'kraftVersion') version = control.kraftVersion
      if (control?.type === 'voters') voters = control.voters
      if (control?.type === 'snapshotFooter') finished = true
    }
  }
  if (lastContainedTimestampMs === undefined) return 'it has no header'
  if (!finished || at !== bytes.length) return 'its end is missing'
  const quorum = voters === undefined ? undefined : { kraftVersion: version, voters }
  return { lastContainedTimestampMs, quorum, records }
}
