/**
 * Who a request speaks for: finds or makes the member, and refuses what is fenced, unknown or one too many.
 *
 * Invariants: nothing but records is made here.
 */
import { ErrorCode } from '../../../protocol/error-codes.ts'
import { Refusal } from '../../shard.ts'
import type { GroupRecord } from '../records.ts'
import type { TopicPartitions } from './assignment.ts'
import { isSubset } from './assignment.ts'
import type { ConsumerGroup } from './group.ts'
import type { ConsumerMember } from './member.ts'
import { JOIN_EPOCH, newMember, STATIC_LEAVE_EPOCH } from './member.ts'
import {
  currentAssignmentRecord,
  memberMetadataRecord,
  memberTombstone,
  memberTombstoneOrder,
  targetAssignmentRecord,
} from './records.ts'

/** @throws Refusal GROUP_MAX_SIZE_REACHED */
export function checkRoom(group: ConsumerGroup, memberId: string, maxSize: number): void {
  if (group.memberCount >= maxSize && !group.hasMember(memberId)) {
    throw new Refusal(ErrorCode.GROUP_MAX_SIZE_REACHED, `The group has ${maxSize} members, and may have no more.`)
  }
}

/**
 * The epoch must be the member's. One epoch behind will do if the member owns no more than it may: it may not have got
 * the answer that raised it. With 0 a member joins again.
 * @throws Refusal FENCED_MEMBER_EPOCH
 */
export function checkEpoch(member: ConsumerMember, epoch: number, owned: readonly TopicPartitions[] | null): void {
  if (epoch === JOIN_EPOCH || epoch === member.memberEpoch) return
  const answerLost =
    epoch < member.memberEpoch &&
    epoch === member.previousMemberEpoch &&
    owned !== null &&
    isSubset(owned, member.assigned)
  if (answerLost) return
  const text = `The member is at epoch ${member.memberEpoch}, not ${epoch}; it has to give up everything and join again.`
  throw new Refusal(ErrorCode.FENCED_MEMBER_EPOCH, text)
}

/** The member that has an instance id, if it is this one. @throws Refusal UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID */
export function staticMemberOf(group: ConsumerGroup, instanceId: string, memberId: string): ConsumerMember {
  const member = group.staticMember(instanceId)
  if (member === undefined) {
    throw new Refusal(ErrorCode.UNKNOWN_MEMBER_ID, `No member of the group has the instance id ${instanceId}.`)
  }
  if (member.memberId !== memberId) {
    throw new Refusal(ErrorCode.FENCED_INSTANCE_ID, `The instance id ${instanceId} is member ${member.memberId}'s.`)
  }
  return member
}

export interface StaticJoin {
  readonly memberId: string
  readonly instanceId: string
  readonly speaksClassic: boolean
}

/**
 * A static member that joins: new, or in place of the one that has its instance id, whose
 * partitions and target it takes.
 * @throws Refusal UNRELEASED_INSTANCE_ID while the present one, of the consumer protocol like the new, has not left
 */
export function joinStatic(group: ConsumerGroup, join: StaticJoin, records: GroupRecord[]): ConsumerMember {
  const present = group.staticMember(join.instanceId)
  if (present === undefined) return group.members.get(join.memberId) ?? newMember(join.memberId)
  if (!join.speaksClassic && present.classic === null && present.memberEpoch !== STATIC_LEAVE_EPOCH) {
    const text = `The instance id ${join.instanceId} is member ${present.memberId}'s, which has not left.`
    throw new Refusal(ErrorCode.UNRELEASED_INSTANCE_ID, text)
  }
  const member = { ...present, memberId: join.memberId, memberEpoch: JOIN_EPOCH, previousMemberEpoch: JOIN_EPOCH }
  const { groupId } = group
  records.push(
    ...removalRecords(groupId, present.memberId),
    memberMetadataRecord(groupId, member),
    targetAssignmentRecord(groupId, member.memberId, group.targetOf(present.memberId)),
    currentAssignmentRecord(groupId, member),
  )
  return member
}

export function removalRecords(groupId: string, memberId: string): GroupRecord[] {
  return memberTombstoneOrder.map(name => memberTombstone(name, groupId, memberId))
}
