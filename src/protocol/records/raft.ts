/** Values of the control records that the raft layer writes to the metadata log and to snapshots. */
import type { Message, MessageInput } from '../schema.ts'
import { array, int16, int32, int64, message, string, struct, uint16, uuid } from '../schema.ts'

/** The first record of every epoch: who leads it. */
export const leaderChangeMessage = message(
  'LeaderChangeMessage',
  { versions: '0-1', flexible: '0+' },
  {
    version: int16('0+'),
    leaderId: int32('0+'),
    voters: array('0+', {
      voterId: int32('0+'),
      voterDirectoryId: uuid('1+'),
    }),
    grantingVoters: array('0+', {
      voterId: int32('0+'),
      voterDirectoryId: uuid('1+'),
    }),
  },
)
export type LeaderChangeMessage = Message<typeof leaderChangeMessage>
export type LeaderChangeMessageInput = MessageInput<typeof leaderChangeMessage>

/** Opens a snapshot. */
export const snapshotHeaderRecord = message(
  'SnapshotHeaderRecord',
  { versions: '0', flexible: '0+' },
  {
    version: int16('0+'),
    /** Append time of the last record that the snapshot contains, milliseconds since 1970. */
    lastContainedLogTimestamp: int64('0+'),
  },
)
export type SnapshotHeaderRecord = Message<typeof snapshotHeaderRecord>
export type SnapshotHeaderRecordInput = MessageInput<typeof snapshotHeaderRecord>

/** Closes a snapshot. */
export const snapshotFooterRecord = message(
  'SnapshotFooterRecord',
  { versions: '0', flexible: '0+' },
  {
    version: int16('0+'),
  },
)
export type SnapshotFooterRecord = Message<typeof snapshotFooterRecord>
export type SnapshotFooterRecordInput = MessageInput<typeof snapshotFooterRecord>

/** The version of the raft protocol that the quorum uses. */
export const kraftVersionRecord = message(
  'KRaftVersionRecord',
  { versions: '0', flexible: '0+' },
  {
    version: int16('0+'),
    kRaftVersion: int16('0+'),
  },
)
export type KraftVersionRecord = Message<typeof kraftVersionRecord>
export type KraftVersionRecordInput = MessageInput<typeof kraftVersionRecord>

/** The voters of the quorum, from kraft.version 1. */
export const votersRecord = message(
  'VotersRecord',
  { versions: '0', flexible: '0+' },
  {
    version: int16('0+'),
    voters: array('0+', {
      voterId: int32('0+'),
      voterDirectoryId: uuid('0+'),
      endpoints: array('0+', {
        name: string('0+'),
        host: string('0+'),
        port: uint16('0+'),
      }),
      /** The range of kraft.version that the voter supports. */
      kRaftVersionFeature: struct('0+', {
        minSupportedVersion: int16('0+'),
        maxSupportedVersion: int16('0+'),
      }),
    }),
  },
)
export type VotersRecord = Message<typeof votersRecord>
export type VotersRecordInput = MessageInput<typeof votersRecord>
