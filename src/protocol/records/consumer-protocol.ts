/**
 * What consumers put into the opaque bytes of classic groups: the subscription of a member and the assignment that its
 * leader made for it. On the wire each is its version as an int16, then the message. A later version begins as version
 * 3 does, so a version unknown here is read as 3.
 */
import type { Message, MessageInput } from '../schema.ts'
import { array, bytes, int32, message, string } from '../schema.ts'

export const consumerProtocolSubscription = message(
  'ConsumerProtocolSubscription',
  { versions: '0-3', flexible: 'none' },
  {
    topics: array('0+', 'string'),
    userData: bytes('0+', { nullable: '0+', default: null }),
    ownedPartitions: array('1+', { topic: string('1+'), partitions: array('1+', 'int32') }, { ignorable: true }),
    /** In which `ownedPartitions` were assigned; -1: unknown. */
    generationId: int32('2+', { default: -1, ignorable: true }),
    rackId: string('3+', { nullable: '3+', default: null, ignorable: true }),
  },
)
export type ConsumerProtocolSubscription = Message<typeof consumerProtocolSubscription>
export type ConsumerProtocolSubscriptionInput = MessageInput<typeof consumerProtocolSubscription>

export const consumerProtocolAssignment = message(
  'ConsumerProtocolAssignment',
  { versions: '0-3', flexible: 'none' },
  {
    assignedPartitions: array('0+', { topic: string('0+'), partitions: array('0+', 'int32') }),
    userData: bytes('0+', { nullable: '0+', default: null }),
  },
)
export type ConsumerProtocolAssignment = Message<typeof consumerProtocolAssignment>
export type ConsumerProtocolAssignmentInput = MessageInput<typeof consumerProtocolAssignment>
