/**
 * Records of `__consumer_offsets`: committed offsets, classic groups, consumer groups (KIP-848). In the log a key is
 * the API key of its schema as an int16, then version 0 of the message; a value is its version as an int16, then the
 * message; without a value what the key names is gone.
 */
import type { Message, MessageInput } from '../schema.ts'
import { array, bytes, int8, int32, int64, int64Exact, message, string, struct, uuid } from '../schema.ts'

const partitionOfGroup = {
  group: string('0'),
  topic: string('0'),
  partition: int32('0'),
}

/** Written by very old brokers only, kept to be read; it means the same as `offsetCommitKey`. */
export const legacyOffsetCommitKey = message(
  'LegacyOffsetCommitKey',
  { apiKey: 0, versions: '0', flexible: 'none' },
  partitionOfGroup,
)
export type LegacyOffsetCommitKey = Message<typeof legacyOffsetCommitKey>
export type LegacyOffsetCommitKeyInput = MessageInput<typeof legacyOffsetCommitKey>

export const legacyOffsetCommitValue = message(
  'LegacyOffsetCommitValue',
  { apiKey: 0, versions: '0', flexible: 'none' },
  {
    offset: int64Exact('0'),
    metadata: string('0'),
    commitTimestamp: int64('0'),
  },
)
export type LegacyOffsetCommitValue = Message<typeof legacyOffsetCommitValue>
export type LegacyOffsetCommitValueInput = MessageInput<typeof legacyOffsetCommitValue>

/** A group has an offset for a partition. */
export const offsetCommitKey = message(
  'OffsetCommitKey',
  { apiKey: 1, versions: '0', flexible: 'none' },
  partitionOfGroup,
)
export type OffsetCommitKey = Message<typeof offsetCommitKey>
export type OffsetCommitKeyInput = MessageInput<typeof offsetCommitKey>

export const offsetCommitValue = message(
  'OffsetCommitValue',
  { apiKey: 1, versions: '0-4', flexible: '4+' },
  {
    offset: int64Exact('0+'),
    /** Of the last record consumed; -1: unknown. */
    leaderEpoch: int32('3+', { default: -1, ignorable: true }),
    metadata: string('0+'),
    /** Milliseconds since 1970. */
    commitTimestamp: int64('0+'),
    /** Milliseconds since 1970; -1: as the broker is configured. */
    expireTimestamp: int64('1', { default: -1, ignorable: true }),
    /** The zero uuid: the commit named the topic by its name. */
    topicId: uuid('4+', { tagged: '4+', tag: 0, ignorable: true }),
  },
)
export type OffsetCommitValue = Message<typeof offsetCommitValue>
export type OffsetCommitValueInput = MessageInput<typeof offsetCommitValue>

/** A group with its generation and members. */
export const groupMetadataKey = message(
  'GroupMetadataKey',
  { apiKey: 2, versions: '0', flexible: 'none' },
  {
    group: string('0'),
  },
)
export type GroupMetadataKey = Message<typeof groupMetadataKey>
export type GroupMetadataKeyInput = MessageInput<typeof groupMetadataKey>

export const groupMetadataValue = message(
  'GroupMetadataValue',
  { apiKey: 2, versions: '0-4', flexible: '4+' },
  {
    protocolType: string('0+'),
    generation: int32('0+'),
    /** The one chosen, as `leader` null without members. */
    protocol: string('0+', { nullable: '0+' }),
    leader: string('0+', { nullable: '0+' }),
    /** Milliseconds since 1970; -1: unknown. */
    currentStateTimestamp: int64('2+', { default: -1, ignorable: true }),
    members: array('0+', {
      memberId: string('0+'),
      groupInstanceId: string('3+', { nullable: '3+', default: null, ignorable: true }),
      clientId: string('0+'),
      clientHost: string('0+'),
      /** Milliseconds; -1: as the session timeout. */
      rebalanceTimeout: int32('1+', { default: -1, ignorable: true }),
      /** Milliseconds. */
      sessionTimeout: int32('0+'),
      subscription: bytes('0+'),
      assignment: bytes('0+'),
    }),
  },
)
export type GroupMetadataValue = Message<typeof groupMetadataValue>
export type GroupMetadataValueInput = MessageInput<typeof groupMetadataValue>

const ofGroup = { groupId: string('0') }
const ofMember = { groupId: string('0'), memberId: string('0') }

/** A group and its epoch. */
export const consumerGroupMetadataKey = message(
  'ConsumerGroupMetadataKey',
  { apiKey: 3, versions: '0', flexible: 'none' },
  ofGroup,
)
export type ConsumerGroupMetadataKey = Message<typeof consumerGroupMetadataKey>
export type ConsumerGroupMetadataKeyInput = MessageInput<typeof consumerGroupMetadataKey>

export const consumerGroupMetadataValue = message(
  'ConsumerGroupMetadataValue',
  { apiKey: 3, versions: '0', flexible: '0+' },
  {
    epoch: int32('0+'),
    /** Of all topics that the group subscribes to; exact, since it is compared. */
    metadataHash: int64Exact('0+', { tagged: '0+', tag: 0, default: 0n }),
  },
)
export type ConsumerGroupMetadataValue = Message<typeof consumerGroupMetadataValue>
export type ConsumerGroupMetadataValueInput = MessageInput<typeof consumerGroupMetadataValue>

/** The topics of a group; written before version 4.1 only, kept to be read and deleted. */
export const consumerGroupPartitionMetadataKey = message(
  'ConsumerGroupPartitionMetadataKey',
  { apiKey: 4, versions: '0', flexible: 'none' },
  ofGroup,
)
export type ConsumerGroupPartitionMetadataKey = Message<typeof consumerGroupPartitionMetadataKey>
export type ConsumerGroupPartitionMetadataKeyInput = MessageInput<typeof consumerGroupPartitionMetadataKey>

export const consumerGroupPartitionMetadataValue = message(
  'ConsumerGroupPartitionMetadataValue',
  { apiKey: 4, versions: '0', flexible: '0+' },
  {
    topics: array('0+', {
      topicId: uuid('0+'),
      topicName: string('0+'),
      numPartitions: int32('0+'),
      partitionMetadata: array('0+', {
        partition: int32('0+'),
        racks: array('0+', 'string'),
      }),
    }),
  },
)
export type ConsumerGroupPartitionMetadataValue = Message<typeof consumerGroupPartitionMetadataValue>
export type ConsumerGroupPartitionMetadataValueInput = MessageInput<typeof consumerGroupPartitionMetadataValue>

/** A member and what it said of itself. */
export const consumerGroupMemberMetadataKey = message(
  'ConsumerGroupMemberMetadataKey',
  { apiKey: 5, versions: '0', flexible: 'none' },
  ofMember,
)
export type ConsumerGroupMemberMetadataKey = Message<typeof consumerGroupMemberMetadataKey>
export type ConsumerGroupMemberMetadataKeyInput = MessageInput<typeof consumerGroupMemberMetadataKey>

export const consumerGroupMemberMetadataValue = message(
  'ConsumerGroupMemberMetadataValue',
  { apiKey: 5, versions: '0', flexible: '0+' },
  {
    instanceId: string('0+', { nullable: '0+' }),
    rackId: string('0+', { nullable: '0+' }),
    clientId: string('0+'),
    clientHost: string('0+'),
    subscribedTopicNames: array('0+', 'string'),
    subscribedTopicRegex: string('0+', { nullable: '0+' }),
    rebalanceTimeoutMs: int32('0+', { default: -1 }),
    serverAssignor: string('0+', { nullable: '0+' }),
    /**
     * null: the member speaks the consumer protocol. The default is an empty struct, so that null is always written.
     */
    classicMemberMetadata: struct(
      '0+',
      {
        sessionTimeoutMs: int32('0+'),
        supportedProtocols: array('0+', {
          name: string('0+'),
          metadata: bytes('0+'),
        }),
      },
      { nullable: '0+', tagged: '0+', tag: 0 },
    ),
  },
)
export type ConsumerGroupMemberMetadataValue = Message<typeof consumerGroupMemberMetadataValue>
export type ConsumerGroupMemberMetadataValueInput = MessageInput<typeof consumerGroupMemberMetadataValue>

/** The epoch of a group's target assignment. */
export const consumerGroupTargetAssignmentMetadataKey = message(
  'ConsumerGroupTargetAssignmentMetadataKey',
  { apiKey: 6, versions: '0', flexible: 'none' },
  ofGroup,
)
export type ConsumerGroupTargetAssignmentMetadataKey = Message<typeof consumerGroupTargetAssignmentMetadataKey>
export type ConsumerGroupTargetAssignmentMetadataKeyInput = MessageInput<
  typeof consumerGroupTargetAssignmentMetadataKey
>

export const consumerGroupTargetAssignmentMetadataValue = message(
  'ConsumerGroupTargetAssignmentMetadataValue',
  { apiKey: 6, versions: '0', flexible: '0+' },
  {
    assignmentEpoch: int32('0+'),
    /** Milliseconds since 1970 at which the assignment was ready; 0: unknown. */
    assignmentTimestamp: int64('0+', { tagged: '0+', tag: 0, default: 0, ignorable: true }),
  },
)
export type ConsumerGroupTargetAssignmentMetadataValue = Message<typeof consumerGroupTargetAssignmentMetadataValue>
export type ConsumerGroupTargetAssignmentMetadataValueInput = MessageInput<
  typeof consumerGroupTargetAssignmentMetadataValue
>

/** What a member shall own in the end. */
export const consumerGroupTargetAssignmentMemberKey = message(
  'ConsumerGroupTargetAssignmentMemberKey',
  { apiKey: 7, versions: '0', flexible: 'none' },
  ofMember,
)
export type ConsumerGroupTargetAssignmentMemberKey = Message<typeof consumerGroupTargetAssignmentMemberKey>
export type ConsumerGroupTargetAssignmentMemberKeyInput = MessageInput<typeof consumerGroupTargetAssignmentMemberKey>

export const consumerGroupTargetAssignmentMemberValue = message(
  'ConsumerGroupTargetAssignmentMemberValue',
  { apiKey: 7, versions: '0', flexible: '0+' },
  {
    topicPartitions: array('0+', {
      topicId: uuid('0+'),
      partitions: array('0+', 'int32'),
    }),
  },
)
export type ConsumerGroupTargetAssignmentMemberValue = Message<typeof consumerGroupTargetAssignmentMemberValue>
export type ConsumerGroupTargetAssignmentMemberValueInput = MessageInput<
  typeof consumerGroupTargetAssignmentMemberValue
>

const partitionsWithEpochs = {
  topicId: uuid('0+'),
  partitions: array('0+', 'int32'),
  /** The member epoch at which each partition was given; null or empty (the default): unknown. */
  assignmentEpochs: array('0+', 'int32', { nullable: '0+', tagged: '0+', tag: 0 }),
}

/** What a member owns now and what it has yet to give up. */
export const consumerGroupCurrentMemberAssignmentKey = message(
  'ConsumerGroupCurrentMemberAssignmentKey',
  { apiKey: 8, versions: '0', flexible: 'none' },
  ofMember,
)
export type ConsumerGroupCurrentMemberAssignmentKey = Message<typeof consumerGroupCurrentMemberAssignmentKey>
export type ConsumerGroupCurrentMemberAssignmentKeyInput = MessageInput<typeof consumerGroupCurrentMemberAssignmentKey>

export const consumerGroupCurrentMemberAssignmentValue = message(
  'ConsumerGroupCurrentMemberAssignmentValue',
  { apiKey: 8, versions: '0', flexible: '0+' },
  {
    memberEpoch: int32('0+'),
    previousMemberEpoch: int32('0+'),
    /** 0 stable, 1 unrevoked partitions, 2 unreleased partitions, 127 unknown. */
    state: int8('0+'),
    assignedPartitions: array('0+', partitionsWithEpochs),
    partitionsPendingRevocation: array('0+', partitionsWithEpochs),
  },
)
export type ConsumerGroupCurrentMemberAssignmentValue = Message<typeof consumerGroupCurrentMemberAssignmentValue>
export type ConsumerGroupCurrentMemberAssignmentValueInput = MessageInput<
  typeof consumerGroupCurrentMemberAssignmentValue
>

/** The topics that a regular expression stands for. */
export const consumerGroupRegularExpressionKey = message(
  'ConsumerGroupRegularExpressionKey',
  { apiKey: 16, versions: '0', flexible: 'none' },
  {
    groupId: string('0'),
    regularExpression: string('0'),
  },
)
export type ConsumerGroupRegularExpressionKey = Message<typeof consumerGroupRegularExpressionKey>
export type ConsumerGroupRegularExpressionKeyInput = MessageInput<typeof consumerGroupRegularExpressionKey>

export const consumerGroupRegularExpressionValue = message(
  'ConsumerGroupRegularExpressionValue',
  { apiKey: 16, versions: '0', flexible: '0+' },
  {
    topics: array('0+', 'string'),
    /** Of the metadata image in which the topics were looked up. */
    version: int64('0+'),
    /** Milliseconds since 1970. */
    timestamp: int64('0+'),
  },
)
export type ConsumerGroupRegularExpressionValue = Message<typeof consumerGroupRegularExpressionValue>
export type ConsumerGroupRegularExpressionValueInput = MessageInput<typeof consumerGroupRegularExpressionValue>
