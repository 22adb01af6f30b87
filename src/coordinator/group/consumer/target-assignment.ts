/**
 * The target assignment of a group: what each member shall own in the end, by a server-side assignor. Pure but for the
 * assignor's own reckoning.
 *
 * Invariants: only members whose target changes get a record; records are in the order of member ids.
 */
import type { MetadataImage } from '../../../metadata/image.ts'
import { ErrorCode } from '../../../protocol/error-codes.ts'
import { Refusal } from '../../shard.ts'
import type { Assignment, MemberSubscription, PartitionAssignor } from '../assignors/assignor.ts'
import { AssignorError } from '../assignors/assignor.ts'
import type { GroupRecord } from '../records.ts'
import { NO_ASSIGNMENT, sameAssignment } from './assignment.ts'
import type { ConsumerGroup } from './group.ts'
import type { ConsumerMember } from './member.ts'
import { regexOf } from './member.ts'
import type { ResolvedRegex } from './records.ts'
import { targetAssignmentEpochRecord, targetAssignmentRecord } from './records.ts'

export interface TargetInput {
  readonly group: ConsumerGroup
  /** Epoch of the group that the assignment is for. */
  readonly epoch: number
  /** A member that is new or changed; with another member's instance id it takes that one's place. */
  readonly updated: ConsumerMember
  readonly homogeneous: boolean
  readonly assignor: PartitionAssignor
  readonly image: MetadataImage
  /** Milliseconds since 1970. */
  readonly nowMs: number
}

/** @throws Refusal UNKNOWN_SERVER_ERROR when the assignor gives up. */
export function computeTarget(input: TargetInput): { records: GroupRecord[]; target: Assignment } {
  const { group, updated, image } = input
  const replacedId = group.staticMember(updated.instanceId)?.memberId
  const topicIds = topicIdsOf(input)
  const members = new Map<string, MemberSubscription>()
  const add = (member: ConsumerMember, assigned: Assignment | undefined): void => {
    const { memberId, rackId, instanceId } = member
    members.set(memberId, { topicIds: topicIds(member), rackId, instanceId, assigned: assigned ?? NO_ASSIGNMENT })
  }
  for (const member of group.members.values()) {
    if (member.memberId === updated.memberId || member.memberId === replacedId) continue
    add(member, group.targets.get(member.memberId))
  }
  add(updated, group.targets.get(replacedId ?? updated.memberId))

  const assigned = assign(input, members, topicId => image.topicsById.get(topicId)?.partitions.length ?? -1)
  const records: GroupRecord[] = []
  for (const memberId of [...members.keys()].sort()) {
    const target = assigned.get(memberId) ?? NO_ASSIGNMENT
    const before = group.targets.get(memberId)
    if (before === undefined || !sameAssignment(before, target)) {
      records.push(targetAssignmentRecord(group.groupId, memberId, target))
    }
  }
  records.push(targetAssignmentEpochRecord(group.groupId, input.epoch, input.nowMs))
  return { records, target: assigned.get(updated.memberId) ?? NO_ASSIGNMENT }
}

function assign(
  { assignor, homogeneous, epoch }: TargetInput,
  members: ReadonlyMap<string, MemberSubscription>,
  partitionCount: (topicId: string) => number,
): ReadonlyMap<string, Assignment> {
  try {
    return assignor.assign({ members, homogeneous, partitionCount })
  } catch (error) {
    if (!(error instanceof AssignorError)) throw error
    const text = `No target assignment for epoch ${epoch}: ${error.message}`
    throw new Refusal(ErrorCode.UNKNOWN_SERVER_ERROR, text)
  }
}

/** Ids of the topics that a member subscribes to and that exist. Members with equal subscriptions share a set. */
function topicIdsOf({ group, image, homogeneous }: TargetInput): (member: ConsumerMember) => ReadonlySet<string> {
  const known = new Map<string, ReadonlySet<string>>()
  return member => {
    const regex = regexOf(member)
    const key = homogeneous ? '' : JSON.stringify([regex, member.subscribedTopicNames])
    let ids = known.get(key)
    if (ids === undefined) {
      ids = new Set(existingIds(member.subscribedTopicNames, resolved(group, regex), image))
      known.set(key, ids)
    }
    return ids
  }
}

function* existingIds(names: readonly string[], more: readonly string[], image: MetadataImage): Generator<string> {
  for (const list of [names, more]) {
    for (const name of list) {
      const topic = image.topicsByName.get(name)
      if (topic !== undefined) yield topic.id
    }
  }
}

const NO_TOPICS: ResolvedRegex['topics'] = []

function resolved(group: ConsumerGroup, regex: string | undefined): ResolvedRegex['topics'] {
  return (regex === undefined ? undefined : group.resolvedRegexes.get(regex)?.topics) ?? NO_TOPICS
}
