/**
 * OffsetForLeaderEpoch (23), versions 2 to 4: where a leader epoch ended, by which truncation is noticed.
 *
 * Version 3 brought the replica id, 4 the flexible encoding.
 */
import { api } from '../api.ts'
import type { Message, MessageInput } from '../schema.ts'
import { array, int16, int32, int64, message, string } from '../schema.ts'

const range = { apiKey: 23, versions: '2-4', flexible: '4+' }

const offsetForLeaderEpochRequest = message('OffsetForLeaderEpochRequest', range, {
  /** -1: a consumer; -2: one that may see beyond the high watermark. */
  replicaId: int32('3+', { default: -2, ignorable: true }),
  topics: array('0+', {
    topic: string('0+'),
    partitions: array('0+', {
      partition: int32('0+'),
      currentLeaderEpoch: int32('2+', { default: -1, ignorable: true }),
      /** The epoch whose end is asked for. */
      leaderEpoch: int32('0+'),
    }),
  }),
})

const offsetForLeaderEpochResponse = message('OffsetForLeaderEpochResponse', range, {
  throttleTimeMs: int32('2+', { default: 0, ignorable: true }),
  topics: array('0+', {
    topic: string('0+'),
    partitions: array('0+', {
      errorCode: int16('0+'),
      partition: int32('0+'),
      /** The largest epoch that is not above the one asked for; -1: none. */
      leaderEpoch: int32('1+', { default: -1, ignorable: true }),
      /** Where that epoch ends; -1: unknown. */
      endOffset: int64('0+', { default: -1 }),
    }),
  }),
})

export const offsetForLeaderEpoch = api(offsetForLeaderEpochRequest, offsetForLeaderEpochResponse)
export type OffsetForLeaderEpochRequest = Message<typeof offsetForLeaderEpochRequest>
export type OffsetForLeaderEpochRequestInput = MessageInput<typeof offsetForLeaderEpochRequest>
export type OffsetForLeaderEpochResponse = Message<typeof offsetForLeaderEpochResponse>
export type OffsetForLeaderEpochResponseInput = MessageInput<typeof offsetForLeaderEpochResponse>
