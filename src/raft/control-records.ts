/**
 * The control records of the metadata log and of snapshots: who leads an epoch, the raft version, the voters, and a
 * snapshot's first and last record.
 *
 * Invariants: bytes are Kafka's. Reading an unknown kind yields undefined (it is passed over), a malformed one throws
 * ProtocolError.
 */
import { ZERO_UUID } from '../base/uuid.ts'
import { decodeMessage, encodeMessage } from '../protocol/messages.ts'
import type { VotersRecord } from '../protocol/records/raft.ts'
import {
  kraftVersionRecord,
  leaderChangeMessage,
  snapshotFooterRecord,
  snapshotHeaderRecord,
  votersRecord,
} from '../protocol/records/raft.ts'
import type { RecordInput } from '../records/builder.ts'
import type { BatchRecord } from '../records/iterate.ts'

const Type = { leaderChange: 2, snapshotHeader: 3, snapshotFooter: 4, kraftVersion: 5, voters: 6 } as const

export type Voters = VotersRecord['voters']
export type Voter = Voters[number]

export type ControlRecord =
  | { readonly type: 'leaderChange'; readonly leaderId: number }
  | { readonly type: 'snapshotHeader'; readonly lastContainedTimestampMs: number }
  | { readonly type: 'snapshotFooter' }
  | { readonly type: 'kraftVersion'; readonly kraftVersion: number }
  | { readonly type: 'voters'; readonly voters: Voters }

function control(type: number, value: Uint8Array): RecordInput {
  return { key: new Uint8Array([0, 0, type >> 8, type & 255]), value }
}

/** `voterIds`: of the whole quorum, of which `grantingIds` voted for the leader. */
export function leaderChange(
  leaderId: number,
  voterIds: readonly number[],
  grantingIds: readonly number[],
): RecordInput {
  const value = encodeMessage(leaderChangeMessage, 0, {
    version: 0,
    leaderId,
    voters: voterIds.map(voterId => ({ voterId, voterDirectoryId: ZERO_UUID })),
    grantingVoters: grantingIds.map(voterId => ({ voterId, voterDirectoryId: ZERO_UUID })),
  })
  return control(Type.leaderChange, value)
}

export function kraftVersion(version: number): RecordInput {
  return control(Type.kraftVersion, encodeMessage(kraftVersionRecord, 0, { version: 0, kRaftVersion: version }))
}

export function votersOf(voters: Voters): RecordInput {
  return control(Type.voters, encodeMessage(votersRecord, 0, { version: 0, voters }))
}

export function snapshotHeader(lastContainedLogTimestamp: number): RecordInput {
  return control(Type.snapshotHeader, encodeMessage(snapshotHeaderRecord, 0, { version: 0, lastContainedLogTimestamp }))
}

export function snapshotFooter(): RecordInput {
  return control(Type.snapshotFooter, encodeMessage(snapshotFooterRecord, 0, { version: 0 }))
}

/** What a record of a control batch says; undefined for kinds that mean nothing here. */
export function readControlRecord(record: BatchRecord): ControlRecord | undefined {
  const { key, value } = record
  if (key === null || value === null || key.length < 4) return undefined
  switch ((key[2]! << 8) | key[3]!) {
    case Type.leaderChange:
      return { type: 'leaderChange', leaderId: decodeMessage(leaderChangeMessage, 0, value).leaderId }
    case Type.snapshotHeader:
      return {
        type: 'snapshotHeader',
        lastContainedTimestampMs: decodeMessage(snapshotHeaderRecord, 0, value).lastContainedLogTimestamp,
      }
    case Type.snapshotFooter:
      return { type: 'snapshotFooter' }
    case Type.kraftVersion:
      return { type: 'kraftVersion', kraftVersion: decodeMessage(kraftVersionRecord, 0, value).kRaftVersion }
    case Type.voters:
      return { type: 'voters', voters: decodeMessage(votersRecord, 0, value).voters }
    default:
      return undefined
  }
}
