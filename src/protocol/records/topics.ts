/** Metadata records about topics and partitions. */
import type { Message, MessageInput } from '../schema.ts'
import { array, int8, int32, message, string, uuid } from '../schema.ts'

/** A topic exists; its partitions follow. */
export const topicRecord = message(
  'TopicRecord',
  { apiKey: 2, versions: '0', flexible: '0+' },
  {
    name: string('0+'),
    topicId: uuid('0+'),
  },
)
export type TopicRecord = Message<typeof topicRecord>
export type TopicRecordInput = MessageInput<typeof topicRecord>

/** A partition as it was created, or as a snapshot has it. */
export const partitionRecord = message(
  'PartitionRecord',
  { apiKey: 3, versions: '0-2', flexible: '0+' },
  {
    partitionId: int32('0+', { default: -1 }),
    topicId: uuid('0+'),
    /** The first is the preferred leader. */
    replicas: array('0+', 'int32'),
    isr: array('0+', 'int32'),
    removingReplicas: array('0+', 'int32'),
    addingReplicas: array('0+', 'int32'),
    /** -1: none. */
    leader: int32('0+', { default: -1 }),
    /** 0: recovered; 1: recovering from an unclean election. */
    leaderRecoveryState: int8('0+', { default: 0, tagged: '0+', tag: 0 }),
    leaderEpoch: int32('0+', { default: -1 }),
    partitionEpoch: int32('0+', { default: -1 }),
    /** Log directory of each replica, in the order of `replicas`. */
    directories: array('1+', 'uuid'),
    eligibleLeaderReplicas: array('2+', 'int32', { nullable: '2+', default: null, tagged: '2+', tag: 1 }),
    lastKnownElr: array('2+', 'int32', { nullable: '2+', default: null, tagged: '2+', tag: 2 }),
  },
)
export type PartitionRecord = Message<typeof partitionRecord>
export type PartitionRecordInput = MessageInput<typeof partitionRecord>

/** What changed about a partition. Every such record raises the partition epoch by one. */
export const partitionChangeRecord = message(
  'PartitionChangeRecord',
  { apiKey: 5, versions: '0-2', flexible: '0+' },
  {
    partitionId: int32('0+', { default: -1 }),
    topicId: uuid('0+'),
    /** null here and below: as it was. */
    isr: array('0+', 'int32', { nullable: '0+', default: null, tagged: '0+', tag: 0 }),
    /** -1: none; -2: as it was. Naming a leader, even the present one, raises the leader epoch by one. */
    leader: int32('0+', { default: -2, tagged: '0+', tag: 1 }),
    replicas: array('0+', 'int32', { nullable: '0+', default: null, tagged: '0+', tag: 2 }),
    removingReplicas: array('0+', 'int32', { nullable: '0+', default: null, tagged: '0+', tag: 3 }),
    addingReplicas: array('0+', 'int32', { nullable: '0+', default: null, tagged: '0+', tag: 4 }),
    /** -1: as it was. */
    leaderRecoveryState: int8('0+', { default: -1, tagged: '0+', tag: 5 }),
    directories: array('1+', 'uuid', { nullable: '1+', default: null, tagged: '1+', tag: 8 }),
    eligibleLeaderReplicas: array('2+', 'int32', { nullable: '2+', default: null, tagged: '2+', tag: 6 }),
    lastKnownElr: array('2+', 'int32', { nullable: '2+', default: null, tagged: '2+', tag: 7 }),
  },
)
export type PartitionChangeRecord = Message<typeof partitionChangeRecord>
export type PartitionChangeRecordInput = MessageInput<typeof partitionChangeRecord>

/** A topic is gone, with its partitions and configs. */
export const removeTopicRecord = message(
  'RemoveTopicRecord',
  { apiKey: 9, versions: '0', flexible: '0+' },
  {
    topicId: uuid('0+'),
  },
)
export type RemoveTopicRecord = Message<typeof removeTopicRecord>
export type RemoveTopicRecordInput = MessageInput<typeof removeTopicRecord>

/** The eligible leader replicas of a topic (empty name: of all topics) are forgotten. */
export const clearElrRecord = message(
  'ClearElrRecord',
  { apiKey: 28, versions: '0', flexible: '0+' },
  {
    topicName: string('0+'),
  },
)
export type ClearElrRecord = Message<typeof clearElrRecord>
export type ClearElrRecordInput = MessageInput<typeof clearElrRecord>
