/**
 * OffsetFetch (9), versions 1 to 10: how far groups have come in their partitions.
 *
 * Up to version 7 a request asks for one group, from 8 for several. Version 2 brought null for all topics and an error
 * code of the group, 3 the throttle time, 5 leader epochs, 6 the flexible encoding, 7 requireStable, 9 members of
 * consumer groups (KIP-848), 10 topic ids in place of names. Committed offsets are exact.
 */
import { api } from '../api.ts'
import type { Message, MessageInput } from '../schema.ts'
import { array, bool, int16, int32, int64Exact, message, string, uuid } from '../schema.ts'

const range = { apiKey: 9, versions: '1-10', flexible: '6+' }

const offsetFetchRequest = message('OffsetFetchRequest', range, {
  groupId: string('0-7'),
  /** null: all that the group has committed. */
  topics: array(
    '0-7',
    {
      name: string('0-7'),
      partitionIndexes: array('0-7', 'int32'),
    },
    { nullable: '2-7' },
  ),
  groups: array('8+', {
    groupId: string('8+'),
    /** null: the caller is no member. */
    memberId: string('9+', { nullable: '9+', default: null, ignorable: true }),
    /** -1: the caller is no member of a consumer group. */
    memberEpoch: int32('9+', { default: -1, ignorable: true }),
    /** null: all that the group has committed. */
    topics: array(
      '8+',
      {
        name: string('8-9', { ignorable: true }),
        topicId: uuid('10+', { ignorable: true }),
        partitionIndexes: array('8+', 'int32'),
      },
      { nullable: '8+' },
    ),
  }),
  /** Whether a partition with an open transaction's offset answers UNSTABLE_OFFSET_COMMIT. */
  requireStable: bool('7+', { default: false }),
})

const offsetFetchResponse = message('OffsetFetchResponse', range, {
  throttleTimeMs: int32('3+', { ignorable: true }),
  topics: array('0-7', {
    name: string('0-7'),
    partitions: array('0-7', {
      partitionIndex: int32('0-7'),
      /** -1: none. */
      committedOffset: int64Exact('0-7'),
      committedLeaderEpoch: int32('5-7', { default: -1, ignorable: true }),
      metadata: string('0-7', { nullable: '0-7' }),
      errorCode: int16('0-7'),
    }),
  }),
  errorCode: int16('2-7', { default: 0, ignorable: true }),
  groups: array('8+', {
    groupId: string('8+'),
    topics: array('8+', {
      name: string('8-9', { ignorable: true }),
      topicId: uuid('10+', { ignorable: true }),
      partitions: array('8+', {
        partitionIndex: int32('8+'),
        /** -1: none. */
        committedOffset: int64Exact('8+'),
        committedLeaderEpoch: int32('8+', { default: -1, ignorable: true }),
        metadata: string('8+', { nullable: '8+' }),
        errorCode: int16('8+'),
      }),
    }),
    errorCode: int16('8+', { default: 0 }),
  }),
})

export const offsetFetch = api(offsetFetchRequest, offsetFetchResponse)
export type OffsetFetchRequest = Message<typeof offsetFetchRequest>
export type OffsetFetchRequestInput = MessageInput<typeof offsetFetchRequest>
export type OffsetFetchResponse = Message<typeof offsetFetchResponse>
export type OffsetFetchResponseInput = MessageInput<typeof offsetFetchResponse>
