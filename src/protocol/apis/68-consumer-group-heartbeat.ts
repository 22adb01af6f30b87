/**
 * ConsumerGroupHeartbeat (68), versions 0 and 1: all that a member of a consumer group (KIP-848)
 * says, and all it is told.
 *
 * Version 1 brought subscription by regular expression, and members that make their own id.
 */
import { api } from '../api.ts'
import type { Message, MessageInput } from '../schema.ts'
import { array, int16, int32, message, string, struct, uuid } from '../schema.ts'

const range = { apiKey: 68, versions: '0-1', flexible: '0+' }

/** null in a field of the request means: as the member said last. */
const consumerGroupHeartbeatRequest = message('ConsumerGroupHeartbeatRequest', range, {
  groupId: string('0+'),
  memberId: string('0+'),
  /** 0 joins, -1 leaves, -2 leaves for a while (static members). */
  memberEpoch: int32('0+'),
  instanceId: string('0+', { nullable: '0+', default: null }),
  rackId: string('0+', { nullable: '0+', default: null }),
  /** -1: as the member said last. */
  rebalanceTimeoutMs: int32('0+', { default: -1 }),
  subscribedTopicNames: array('0+', 'string', { nullable: '0+', default: null }),
  subscribedTopicRegex: string('1+', { nullable: '1+', default: null }),
  serverAssignor: string('0+', { nullable: '0+', default: null }),
  /** What the member owns. */
  topicPartitions: array(
    '0+',
    {
      topicId: uuid('0+'),
      partitions: array('0+', 'int32'),
    },
    { nullable: '0+', default: null },
  ),
})

const consumerGroupHeartbeatResponse = message('ConsumerGroupHeartbeatResponse', range, {
  throttleTimeMs: int32('0+', { default: 0 }),
  errorCode: int16('0+'),
  errorMessage: string('0+', { nullable: '0+', default: null }),
  memberId: string('0+', { nullable: '0+', default: null }),
  memberEpoch: int32('0+'),
  heartbeatIntervalMs: int32('0+'),
  /** null: as the member was told last. */
  assignment: struct(
    '0+',
    {
      topicPartitions: array('0+', {
        topicId: uuid('0+'),
        partitions: array('0+', 'int32'),
      }),
    },
    { nullable: '0+', default: null },
  ),
})

export const consumerGroupHeartbeat = api(consumerGroupHeartbeatRequest, consumerGroupHeartbeatResponse)
export type ConsumerGroupHeartbeatRequest = Message<typeof consumerGroupHeartbeatRequest>
export type ConsumerGroupHeartbeatRequestInput = MessageInput<typeof consumerGroupHeartbeatRequest>
export type ConsumerGroupHeartbeatResponse = Message<typeof consumerGroupHeartbeatResponse>
export type ConsumerGroupHeartbeatResponseInput = MessageInput<typeof consumerGroupHeartbeatResponse>
