/** A consumer group as ConsumerGroupDescribe tells of it. */

import type { MetadataImage } from '../../../metadata/image.ts'
import type { ConsumerGroupDescribeResponseInput } from '../../../protocol/apis/69-consumer-group-describe.ts'
import { listPartitions, NO_ASSIGNMENT, union } from './assignment.ts'
import type { ConsumerGroup } from './group.ts'

export type DescribedConsumerGroup = ConsumerGroupDescribeResponseInput['groups'][number]

const MemberType = { classic: 0, consumer: 1 } as const

export function describeGroup(
  group: ConsumerGroup,
  defaultAssignor: string,
  image: MetadataImage,
): DescribedConsumerGroup {
  const members = [...group.members.values()].sort((left, right) => (left.memberId < right.memberId ? -1 : 1))
  return {
    errorCode: 0,
    groupId: group.groupId,
    groupState: group.stateName,
    groupEpoch: group.epoch,
    assignmentEpoch: group.targetVersion.epoch,
    assignorName: group.preferredAssignor() ?? defaultAssignor,
    members: members.map(member => ({
      memberId: member.memberId,
      instanceId: member.instanceId,
      rackId: member.rackId,
      memberEpoch: member.memberEpoch,
      clientId: member.clientId,
      clientHost: member.clientHost,
      subscribedTopicNames: [...member.subscribedTopicNames],
      subscribedTopicRegex: member.subscribedTopicRegex,
      // What it has yet to give up is still its own.
      assignment: listTopics(union(member.assigned, member.pendingRevocation), image),
      targetAssignment: listTopics(group.targets.get(member.memberId) ?? NO_ASSIGNMENT, image),
      memberType: member.classic === null ? MemberType.consumer : MemberType.classic,
    })),
  }
}

/** Topics that were deleted are left out. */
function listTopics(owned: Parameters<typeof listPartitions>[0], image: MetadataImage) {
  const topicPartitions: { topicId: string; topicName: string; partitions: number[] }[] = []
  for (const { topicId, partitions } of listPartitions(owned)) {
    const topicName = image.topicsById.get(topicId)?.name
    if (topicName !== undefined) topicPartitions.push({ topicId, topicName, partitions })
  }
  return { topicPartitions }
}
