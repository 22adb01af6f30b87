/**
 * OffsetCommit (8), versions 2 to 10: remember how far a group has come in its partitions.
 *
 * Version 3 brought the throttle time, 5 ended the retention time, 6 brought the leader epoch, 7 static members, 8 the
 * flexible encoding, 9 members of consumer groups (KIP-848), 10 topic ids in place of names.
 * Committed offsets are exact.
 */
import { api } from '../api.ts'
import type { Message, MessageInput } from '../schema.ts'
import { array, int16, int32, int64, int64Exact, message, string, uuid } from '../schema.ts'

const range = { apiKey: 8, versions: '2-10', flexible: '8+' }

const offsetCommitRequest = message('OffsetCommitRequest', range, {
  groupId: string('0+'),
  /** A generation of a classic group, a member epoch of a consumer group; -1: the committer is no member. */
  generationIdOrMemberEpoch: int32('1+', { default: -1, ignorable: true }),
  /** Empty: the committer is no member. */
  memberId: string('1+', { ignorable: true }),
  groupInstanceId: string('7+', { nullable: '7+', default: null }),
  /** Milliseconds; -1: as the broker is configured. */
  retentionTimeMs: int64('2-4', { default: -1, ignorable: true }),
  topics: array('0+', {
    name: string('0-9', { ignorable: true }),
    topicId: uuid('10+', { ignorable: true }),
    partitions: array('0+', {
      partitionIndex: int32('0+'),
      committedOffset: int64Exact('0+'),
      /** Of the last record consumed; -1: unknown. */
      committedLeaderEpoch: int32('6+', { default: -1, ignorable: true }),
      committedMetadata: string('0+', { nullable: '0+' }),
    }),
  }),
})

const offsetCommitResponse = message('OffsetCommitResponse', range, {
  throttleTimeMs: int32('3+', { ignorable: true }),
  topics: array('0+', {
    name: string('0-9', { ignorable: true }),
    topicId: uuid('10+', { ignorable: true }),
    partitions: array('0+', {
      partitionIndex: int32('0+'),
      errorCode: int16('0+'),
    }),
  }),
})

export const offsetCommit = api(offsetCommitRequest, offsetCommitResponse)
export type OffsetCommitRequest = Message<typeof offsetCommitRequest>
export type OffsetCommitRequestInput = MessageInput<typeof offsetCommitRequest>
export type OffsetCommitResponse = Message<typeof offsetCommitResponse>
export type OffsetCommitResponseInput = MessageInput<typeof offsetCommitResponse>
