/**
 * ConsumerGroupDescribe (69), versions 0 and 1: the state, members and assignments of consumer groups (KIP-848).
 *
 * Version 1 brought the type of each member.
 */
import { api } from '../api.ts'
import type { Message, MessageInput } from '../schema.ts'
import { array, bool, int8, int16, int32, message, string, struct, uuid } from '../schema.ts'

const range = { apiKey: 69, versions: '0-1', flexible: '0+' }

/** What a field of authorized operations says when nobody asked for it. */
const NOT_ASKED = -2147483648

const assignment = {
  topicPartitions: array('0+', {
    topicId: uuid('0+'),
    topicName: string('0+'),
    partitions: array('0+', 'int32'),
  }),
}

const consumerGroupDescribeRequest = message('ConsumerGroupDescribeRequest', range, {
  groupIds: array('0+', 'string'),
  includeAuthorizedOperations: bool('0+'),
})

const consumerGroupDescribeResponse = message('ConsumerGroupDescribeResponse', range, {
  throttleTimeMs: int32('0+', { default: 0 }),
  groups: array('0+', {
    errorCode: int16('0+'),
    errorMessage: string('0+', { nullable: '0+', default: null }),
    groupId: string('0+'),
    groupState: string('0+'),
    groupEpoch: int32('0+'),
    assignmentEpoch: int32('0+'),
    assignorName: string('0+'),
    members: array('0+', {
      memberId: string('0+'),
      instanceId: string('0+', { nullable: '0+', default: null }),
      rackId: string('0+', { nullable: '0+', default: null }),
      memberEpoch: int32('0+'),
      clientId: string('0+'),
      clientHost: string('0+'),
      subscribedTopicNames: array('0+', 'string'),
      subscribedTopicRegex: string('0+', { nullable: '0+', default: null }),
      assignment: struct('0+', assignment),
      targetAssignment: struct('0+', assignment),
      /** -1 unknown, 0 classic, 1 consumer. */
      memberType: int8('1+', { default: -1, ignorable: true }),
    }),
    /** A bit per operation; the smallest int32 when nobody asked. */
    authorizedOperations: int32('0+', { default: NOT_ASKED }),
  }),
})

export const consumerGroupDescribe = api(consumerGroupDescribeRequest, consumerGroupDescribeResponse)
export type ConsumerGroupDescribeRequest = Message<typeof consumerGroupDescribeRequest>
export type ConsumerGroupDescribeRequestInput = MessageInput<typeof consumerGroupDescribeRequest>
export type ConsumerGroupDescribeResponse = Message<typeof consumerGroupDescribeResponse>
export type ConsumerGroupDescribeResponseInput = MessageInput<typeof consumerGroupDescribeResponse>
