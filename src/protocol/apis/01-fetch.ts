/**
 * Fetch (1), versions 4 to 18: read record batches; for consumers, followers and metadata observers.
 *
 * Version 4 brought the isolation level, 5 the log start offset, 7 fetch sessions, 9 leader epochs, 11 racks, 12 the
 * flexible encoding and divergence, 13 topic ids in place of names, 15 the replica state, 16 node endpoints, 17
 * directory ids, 18 the high watermark that the follower knows.
 */
import { api } from '../api.ts'
import type { Message, MessageInput } from '../schema.ts'
import { array, int8, int16, int32, int64, int64Exact, message, records, string, struct, uuid } from '../schema.ts'

const range = { apiKey: 1, versions: '4-18', flexible: '12+' }

const fetchRequest = message('FetchRequest', range, {
  clusterId: string('12+', { nullable: '12+', default: null, tagged: '12+', tag: 0, ignorable: true }),
  /** -1: a consumer. From version 15 in `replicaState`. */
  replicaId: int32('0-14', { default: -1 }),
  replicaState: struct(
    '15+',
    {
      replicaId: int32('15+', { default: -1 }),
      /** The follower's broker epoch. */
      replicaEpoch: int64('15+', { default: -1 }),
    },
    { tagged: '15+', tag: 1 },
  ),
  maxWaitMs: int32('0+'),
  minBytes: int32('0+'),
  maxBytes: int32('3+', { default: 0x7fffffff, ignorable: true }),
  /** 0: read_uncommitted; 1: read_committed. */
  isolationLevel: int8('4+', { default: 0, ignorable: true }),
  sessionId: int32('7+', { default: 0, ignorable: true }),
  sessionEpoch: int32('7+', { default: -1, ignorable: true }),
  topics: array('0+', {
    topic: string('0-12', { ignorable: true }),
    topicId: uuid('13+', { ignorable: true }),
    partitions: array('0+', {
      partition: int32('0+'),
      currentLeaderEpoch: int32('9+', { default: -1, ignorable: true }),
      fetchOffset: int64('0+'),
      lastFetchedEpoch: int32('12+', { default: -1 }),
      /** The follower's log start; -1 from a consumer. */
      logStartOffset: int64('5+', { default: -1, ignorable: true }),
      partitionMaxBytes: int32('0+'),
      replicaDirectoryId: uuid('17+', { tagged: '17+', tag: 0, ignorable: true }),
      /** -1: unknown; the largest int64: not supported by the follower. */
      highWatermark: int64('18+', { default: Number.MAX_SAFE_INTEGER, tagged: '18+', tag: 1, ignorable: true }),
    }),
  }),
  /** Partitions to drop from the fetch session. */
  forgottenTopicsData: array('7+', {
    topic: string('7-12', { ignorable: true }),
    topicId: uuid('13+', { ignorable: true }),
    partitions: array('7+', 'int32'),
  }),
  rackId: string('11+', { default: '', ignorable: true }),
})

const fetchResponse = message('FetchResponse', range, {
  throttleTimeMs: int32('1+', { ignorable: true }),
  errorCode: int16('7+', { ignorable: true }),
  /** 0: not part of a session. */
  sessionId: int32('7+', { default: 0 }),
  responses: array('0+', {
    topic: string('0-12', { ignorable: true }),
    topicId: uuid('13+', { ignorable: true }),
    partitions: array('0+', {
      partitionIndex: int32('0+'),
      errorCode: int16('0+'),
      highWatermark: int64('0+'),
      lastStableOffset: int64('4+', { default: -1, ignorable: true }),
      logStartOffset: int64('5+', { default: -1, ignorable: true }),
      /** The largest epoch up to which the follower agrees with the leader, and where it ends. */
      divergingEpoch: struct(
        '12+',
        {
          epoch: int32('12+', { default: -1 }),
          endOffset: int64('12+', { default: -1 }),
        },
        { tagged: '12+', tag: 0 },
      ),
      currentLeader: struct(
        '12+',
        {
          leaderId: int32('12+', { default: -1 }),
          leaderEpoch: int32('12+', { default: -1 }),
        },
        { tagged: '12+', tag: 1 },
      ),
      /** The snapshot to load when the offset lies before the log's start (metadata log). */
      snapshotId: struct(
        '12+',
        {
          endOffset: int64('0+', { default: -1 }),
          epoch: int32('0+', { default: -1 }),
        },
        { tagged: '12+', tag: 2 },
      ),
      /** Under read_committed; else null. */
      abortedTransactions: array(
        '4+',
        {
          producerId: int64Exact('4+'),
          firstOffset: int64('4+'),
        },
        { nullable: '4+', ignorable: true },
      ),
      preferredReadReplica: int32('11+', { default: -1 }),
      records: records('0+', { nullable: '0+' }),
    }),
  }),
  /** Where the leaders named above can be reached. */
  nodeEndpoints: array(
    '16+',
    {
      nodeId: int32('16+'),
      host: string('16+'),
      port: int32('16+'),
      rack: string('16+', { nullable: '16+', default: null }),
    },
    { tagged: '16+', tag: 0 },
  ),
})

export const fetch = api(fetchRequest, fetchResponse)
export type FetchRequest = Message<typeof fetchRequest>
export type FetchRequestInput = MessageInput<typeof fetchRequest>
export type FetchResponse = Message<typeof fetchResponse>
export type FetchResponseInput = MessageInput<typeof fetchResponse>
