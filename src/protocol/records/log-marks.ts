/** Metadata records that mark places in the log and change nothing of the cluster. */
import type { Message, MessageInput } from '../schema.ts'
import { int8, message, string } from '../schema.ts'

/** Keeps the log moving while nothing happens. */
export const noOpRecord = message('NoOpRecord', { apiKey: 20, versions: '0', flexible: '0+' }, {})
export type NoOpRecord = Message<typeof noOpRecord>
export type NoOpRecordInput = MessageInput<typeof noOpRecord>

/** What follows counts only when the transaction ends well. */
export const beginTransactionRecord = message(
  'BeginTransactionRecord',
  { apiKey: 23, versions: '0', flexible: '0+' },
  {
    name: string('0+', { nullable: '0+', default: null, tagged: '0+', tag: 0 }),
  },
)
export type BeginTransactionRecord = Message<typeof beginTransactionRecord>
export type BeginTransactionRecordInput = MessageInput<typeof beginTransactionRecord>

/** What came since the begin counts. */
export const endTransactionRecord = message('EndTransactionRecord', { apiKey: 24, versions: '0', flexible: '0+' }, {})
export type EndTransactionRecord = Message<typeof endTransactionRecord>
export type EndTransactionRecordInput = MessageInput<typeof endTransactionRecord>

/** What came since the begin is void. */
export const abortTransactionRecord = message(
  'AbortTransactionRecord',
  { apiKey: 25, versions: '0', flexible: '0+' },
  {
    reason: string('0+', { nullable: '0+', default: null, tagged: '0+', tag: 0 }),
  },
)
export type AbortTransactionRecord = Message<typeof abortTransactionRecord>
export type AbortTransactionRecordInput = MessageInput<typeof abortTransactionRecord>

/** How far a cluster has come from ZooKeeper; a log of such an age may hold it. */
export const zkMigrationStateRecord = message(
  'ZkMigrationStateRecord',
  { apiKey: 21, versions: '0', flexible: '0+' },
  {
    zkMigrationState: int8('0+'),
  },
)
export type ZkMigrationStateRecord = Message<typeof zkMigrationStateRecord>
export type ZkMigrationStateRecordInput = MessageInput<typeof zkMigrationStateRecord>
