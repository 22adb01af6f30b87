/**
 * The records of consumer groups, taken up one by one: the only place where a group changes.
 *
 * Invariants: any order is taken in which compaction may leave records: a value makes the group and the member that it
 * needs, a tombstone for what is not there does nothing. Groups by topic follow the subscriptions of the groups.
 */
import { TimelineMap } from '../../../timeline/map.ts'
import type { Assignment } from '../assignors/assignor.ts'
import type { GroupContext } from '../context.ts'
import { GroupKind } from '../group.ts'
import type { GroupRecordName, GroupRecordOf } from '../records.ts'
import { NO_ASSIGNMENT, NO_PARTITIONS } from './assignment.ts'
import { ConsumerGroup } from './group.ts'
import {
  LEAVE_EPOCH,
  metadataFromRecord,
  progressFromRecord,
  sortedNames,
  withMetadata,
  withProgress,
} from './member.ts'

export type ConsumerRecordName = Exclude<GroupRecordName, 'OffsetCommit' | 'GroupMetadata'>
export type ConsumerRecord = { [Name in ConsumerRecordName]: GroupRecordOf<Name> }[ConsumerRecordName]

export class Replay {
  readonly #context: GroupContext
  /** Ids of the groups that subscribe to a topic, by its name. */
  readonly #groupsByTopic: TimelineMap<string, TimelineMap<string, true>>
  /** Epochs of the groups that were deleted in the load; undefined once that is over. */
  #removedInLoad: Map<string, number> | undefined = new Map()

  constructor(context: GroupContext) {
    this.#context = context
    this.#groupsByTopic = new TimelineMap(context.timeline)
  }

  /** Groups that read a topic. */
  *groupsOf(topic: string): Generator<ConsumerGroup> {
    for (const groupId of this.#groupsByTopic.get(topic)?.keys() ?? []) {
      const group = this.#context.groups.get(groupId)
      if (group instanceof ConsumerGroup) yield group
    }
  }

  replay(record: ConsumerRecord): void {
    const group = record.value === null ? this.#present(record.key.groupId) : this.#made(record.key.groupId)
    if (group !== undefined) this.#apply(group, record)
  }

  #apply(group: ConsumerGroup, record: ConsumerRecord): void {
    switch (record.name) {
      case 'ConsumerGroupMetadata':
        if (record.value === null) this.#remove(group)
        else group.setEpoch(record.value.epoch, record.value.metadataHash)
        return
      case 'ConsumerGroupPartitionMetadata':
        group.setHasTopicsRecord(record.value !== null)
        return
      case 'ConsumerGroupMemberMetadata':
        this.#indexed(group, () => applyMemberMetadata(group, record))
        return
      case 'ConsumerGroupTargetAssignmentMetadata':
        group.setTargetVersion(
          record.value === null
            ? undefined
            : { epoch: record.value.assignmentEpoch, timestampMs: record.value.assignmentTimestamp },
        )
        return
      case 'ConsumerGroupTargetAssignmentMember':
        group.setTarget(record.key.memberId, record.value === null ? undefined : targetOf(record.value))
        return
      case 'ConsumerGroupCurrentMemberAssignment':
        applyProgress(group, record)
        return
      case 'ConsumerGroupRegularExpression':
        this.#indexed(group, () => applyRegex(group, record))
        return
    }
  }

  /** A group that has nothing but offsets gives way: it has no records of its own. */
  #made(groupId: string): ConsumerGroup {
    const present = this.#context.groups.get(groupId)
    if (present instanceof ConsumerGroup) return present
    if (present !== undefined && (present.kind !== GroupKind.classic || !present.isEmpty)) {
      this.#context.logger.warn({ groupId }, `a ${present.kind} group gives way to the records of a consumer group`)
    }
    const group = new ConsumerGroup(groupId, this.#context.timeline, () => this.#context.image())
    this.#context.groups.set(group)
    return group
  }

  #present(groupId: string): ConsumerGroup | undefined {
    const group = this.#context.groups.get(groupId)
    return group instanceof ConsumerGroup ? group : undefined
  }

  #remove(group: ConsumerGroup): void {
    for (const topic of group.topics.keys()) this.#unsubscribe(group.groupId, topic)
    this.#context.groups.delete(group.groupId)
    this.#removedInLoad?.set(group.groupId, group.epoch)
  }

  /** The load is over. @returns the last epoch of each group that was deleted in it, whatever is in its place now. */
  endLoad(): ReadonlyMap<string, number> {
    const removed = this.#removedInLoad ?? new Map<string, number>()
    this.#removedInLoad = undefined
    return removed
  }

  /** Keeps the groups by topic in step with a change of the group's subscriptions. */
  #indexed(group: ConsumerGroup, change: () => void): void {
    const { groupId } = group
    const before = [...group.topics.keys()]
    change()
    for (const topic of before) if (!group.topics.has(topic)) this.#unsubscribe(groupId, topic)
    for (const topic of group.topics.keys()) {
      let groups = this.#groupsByTopic.get(topic)
      if (groups?.has(groupId)) continue
      if (groups === undefined) this.#groupsByTopic.set(topic, (groups = new TimelineMap(this.#context.timeline)))
      groups.set(groupId, true)
    }
  }

  #unsubscribe(groupId: string, topic: string): void {
    const groups = this.#groupsByTopic.get(topic)
    groups?.delete(groupId)
    if (groups?.size === 0) this.#groupsByTopic.delete(topic)
  }
}

function applyMemberMetadata(group: ConsumerGroup, { key, value }: GroupRecordOf<'ConsumerGroupMemberMetadata'>): void {
  if (value === null) group.removeMember(key.memberId)
  else group.updateMember(key.memberId, member => withMetadata(member, metadataFromRecord(value)))
}

/** Without its progress a member owns nothing; it goes with its metadata. */
function applyProgress(
  group: ConsumerGroup,
  { key, value }: GroupRecordOf<'ConsumerGroupCurrentMemberAssignment'>,
): void {
  if (value !== null) {
    group.updateMember(key.memberId, member => withProgress(member, progressFromRecord(value)))
    return
  }
  if (!group.hasMember(key.memberId)) return
  group.updateMember(key.memberId, member =>
    withProgress(member, {
      memberEpoch: LEAVE_EPOCH,
      previousMemberEpoch: LEAVE_EPOCH,
      state: member.state,
      assigned: NO_PARTITIONS,
      pendingRevocation: NO_PARTITIONS,
    }),
  )
}

function applyRegex(group: ConsumerGroup, { key, value }: GroupRecordOf<'ConsumerGroupRegularExpression'>): void {
  const resolved =
    value === null
      ? undefined
      : { topics: sortedNames(value.topics), version: value.version, timestampMs: value.timestamp }
  group.setRegex(key.regularExpression, resolved)
}

function targetOf(value: NonNullable<GroupRecordOf<'ConsumerGroupTargetAssignmentMember'>['value']>): Assignment {
  if (value.topicPartitions.length === 0) return NO_ASSIGNMENT
  const target = new Map<string, ReadonlySet<number>>()
  for (const { topicId, partitions } of value.topicPartitions) target.set(topicId, new Set(partitions))
  return target
}
