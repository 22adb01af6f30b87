/** The records of a consumer group, as Apache Kafka fills them in. Lists are in ascending order. */
import type { Assignment } from '../assignors/assignor.ts'
import type { GroupRecord, GroupRecordOf } from '../records.ts'
import type { PartitionEpochs } from './assignment.ts'
import { listPartitions } from './assignment.ts'
import type { ConsumerMember } from './member.ts'

/** The topics that a regular expression stands for. */
export interface ResolvedRegex {
  /** Ascending. */
  readonly topics: readonly string[]
  /** Offset of the metadata image in which they were looked up. */
  readonly version: number
  /** Milliseconds since 1970. */
  readonly timestampMs: number
}

export function memberMetadataRecord(groupId: string, member: ConsumerMember): GroupRecord {
  return {
    name: 'ConsumerGroupMemberMetadata',
    key: { groupId, memberId: member.memberId },
    version: 0,
    value: {
      instanceId: member.instanceId,
      rackId: member.rackId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      subscribedTopicNames: [...member.subscribedTopicNames],
      subscribedTopicRegex: member.subscribedTopicRegex,
      rebalanceTimeoutMs: member.rebalanceTimeoutMs,
      serverAssignor: member.serverAssignor,
      classicMemberMetadata: member.classic,
    },
  }
}

export function groupEpochRecord(groupId: string, epoch: number, metadataHash: bigint): GroupRecord {
  return { name: 'ConsumerGroupMetadata', key: { groupId }, version: 0, value: { epoch, metadataHash } }
}

export function targetAssignmentRecord(groupId: string, memberId: string, target: Assignment): GroupRecord {
  return {
    name: 'ConsumerGroupTargetAssignmentMember',
    key: { groupId, memberId },
    version: 0,
    value: { topicPartitions: listPartitions(target) },
  }
}

/** `timestampMs`: since 1970, when the assignment was ready; 0: unknown. */
export function targetAssignmentEpochRecord(groupId: string, epoch: number, timestampMs: number): GroupRecord {
  return {
    name: 'ConsumerGroupTargetAssignmentMetadata',
    key: { groupId },
    version: 0,
    value: { assignmentEpoch: epoch, assignmentTimestamp: timestampMs },
  }
}

export function currentAssignmentRecord(groupId: string, member: ConsumerMember): GroupRecord {
  return {
    name: 'ConsumerGroupCurrentMemberAssignment',
    key: { groupId, memberId: member.memberId },
    version: 0,
    value: {
      memberEpoch: member.memberEpoch,
      previousMemberEpoch: member.previousMemberEpoch,
      state: member.state,
      assignedPartitions: listWithEpochs(member.assigned),
      partitionsPendingRevocation: listWithEpochs(member.pendingRevocation),
    },
  }
}

export function regexRecord(groupId: string, regularExpression: string, resolved: ResolvedRegex): GroupRecord {
  return {
    name: 'ConsumerGroupRegularExpression',
    key: { groupId, regularExpression },
    version: 0,
    value: { topics: [...resolved.topics], version: resolved.version, timestamp: resolved.timestampMs },
  }
}

export function regexTombstone(groupId: string, regularExpression: string): GroupRecord {
  return {
    name: 'ConsumerGroupRegularExpression',
    key: { groupId, regularExpression },
    version: -1,
    value: null,
  }
}

type OfMember =
  | 'ConsumerGroupCurrentMemberAssignment'
  | 'ConsumerGroupTargetAssignmentMember'
  | 'ConsumerGroupMemberMetadata'
type OfGroup = 'ConsumerGroupMetadata' | 'ConsumerGroupPartitionMetadata' | 'ConsumerGroupTargetAssignmentMetadata'

/** The order in which a member's records are deleted. */
export const memberTombstoneOrder: readonly OfMember[] = [
  'ConsumerGroupCurrentMemberAssignment',
  'ConsumerGroupTargetAssignmentMember',
  'ConsumerGroupMemberMetadata',
]

export function memberTombstone(name: OfMember, groupId: string, memberId: string): GroupRecord {
  return { name, key: { groupId, memberId }, version: -1, value: null } as GroupRecordOf<OfMember>
}

export function groupTombstone(name: OfGroup, groupId: string): GroupRecord {
  return { name, key: { groupId }, version: -1, value: null } as GroupRecordOf<OfGroup>
}

function listWithEpochs(owned: PartitionEpochs) {
  return listPartitions(owned).map(({ topicId, partitions }) => ({
    topicId,
    partitions,
    assignmentEpochs: partitions.map(partition => owned.get(topicId)!.get(partition)!),
  }))
}
