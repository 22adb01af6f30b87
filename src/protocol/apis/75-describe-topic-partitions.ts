/**
 * DescribeTopicPartitions (75), version 0: topics page by page, with eligible leader replicas.
 */
import { api } from '../api.ts'
import type { Message, MessageInput } from '../schema.ts'
import { array, bool, int16, int32, message, string, struct, uuid } from '../schema.ts'

const range = { apiKey: 75, versions: '0', flexible: '0+' }

const describeTopicPartitionsRequest = message('DescribeTopicPartitionsRequest', range, {
  /** Empty: all. */
  topics: array('0+', {
    name: string('0+'),
  }),
  responsePartitionLimit: int32('0+', { default: 2000 }),
  /** Where to go on; null: at the beginning. */
  cursor: struct(
    '0+',
    {
      topicName: string('0+'),
      partitionIndex: int32('0+'),
    },
    { nullable: '0+', default: null },
  ),
})

const describeTopicPartitionsResponse = message('DescribeTopicPartitionsResponse', range, {
  throttleTimeMs: int32('0+', { default: 0, ignorable: true }),
  topics: array('0+', {
    errorCode: int16('0+'),
    name: string('0+', { nullable: '0+' }),
    topicId: uuid('0+', { ignorable: true }),
    isInternal: bool('0+', { default: false, ignorable: true }),
    partitions: array('0+', {
      errorCode: int16('0+'),
      partitionIndex: int32('0+'),
      leaderId: int32('0+'),
      leaderEpoch: int32('0+', { default: -1, ignorable: true }),
      replicaNodes: array('0+', 'int32'),
      isrNodes: array('0+', 'int32'),
      eligibleLeaderReplicas: array('0+', 'int32', { nullable: '0+', default: null }),
      lastKnownElr: array('0+', 'int32', { nullable: '0+', default: null }),
      offlineReplicas: array('0+', 'int32', { ignorable: true }),
    }),
    /** A bit per operation; the smallest int32 when nobody asked. */
    topicAuthorizedOperations: int32('0+', { default: -2147483648 }),
  }),
  /** Where the next request goes on; null: this was the last part. */
  nextCursor: struct(
    '0+',
    {
      topicName: string('0+'),
      partitionIndex: int32('0+'),
    },
    { nullable: '0+', default: null },
  ),
})

export const describeTopicPartitions = api(describeTopicPartitionsRequest, describeTopicPartitionsResponse)
export type DescribeTopicPartitionsRequest = Message<typeof describeTopicPartitionsRequest>
export type DescribeTopicPartitionsRequestInput = MessageInput<typeof describeTopicPartitionsRequest>
export type DescribeTopicPartitionsResponse = Message<typeof describeTopicPartitionsResponse>
export type DescribeTopicPartitionsResponseInput = MessageInput<typeof describeTopicPartitionsResponse>
