/**
 * ListOffsets (2), versions 1 to 11: find an offset by time, or one of the ends of a log.
 *
 * Version 2 brought the isolation level, 4 leader epochs, 6 the flexible encoding, 7 the largest timestamp,
 * 8 the earliest local offset, 9 the latest tiered offset, 10 a timeout, 11 the earliest offset not yet
 * tiered. Timestamps are exact.
 */
import { api } from '../api.ts'
import type { Message, MessageInput } from '../schema.ts'
import { array, int8, int16, int32, int64, int64Exact, message, string } from '../schema.ts'

const range = { apiKey: 2, versions: '1-11', flexible: '6+' }

const listOffsetsRequest = message('ListOffsetsRequest', range, {
  /** -1: a consumer. */
  replicaId: int32('0+'),
  /** 0: read_uncommitted; 1: read_committed. */
  isolationLevel: int8('2+'),
  topics: array('0+', {
    name: string('0+'),
    partitions: array('0+', {
      partitionIndex: int32('0+'),
      currentLeaderEpoch: int32('4+', { default: -1, ignorable: true }),
      /**
       * Milliseconds, or -1 latest, -2 earliest, -3 largest timestamp, -4 earliest local, -5 latest tiered, -6
       * earliest not yet tiered.
       */
      timestamp: int64Exact('0+'),
    }),
  }),
  /** For look-ups in tiered storage. */
  timeoutMs: int32('10+', { ignorable: true }),
})

const listOffsetsResponse = message('ListOffsetsResponse', range, {
  throttleTimeMs: int32('2+', { default: 0, ignorable: true }),
  topics: array('0+', {
    name: string('0+'),
    partitions: array('0+', {
      partitionIndex: int32('0+'),
      errorCode: int16('0+'),
      /** Of the record found; -1 when none was, or when the question was not one of time. */
      timestamp: int64Exact('1+', { default: -1n }),
      /** -1: none. */
      offset: int64('1+', { default: -1 }),
      leaderEpoch: int32('4+', { default: -1 }),
    }),
  }),
})

export const listOffsets = api(listOffsetsRequest, listOffsetsResponse)
export type ListOffsetsRequest = Message<typeof listOffsetsRequest>
export type ListOffsetsRequestInput = MessageInput<typeof listOffsetsRequest>
export type ListOffsetsResponse = Message<typeof listOffsetsResponse>
export type ListOffsetsResponseInput = MessageInput<typeof listOffsetsResponse>
