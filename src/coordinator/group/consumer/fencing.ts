/**
 * Members go: by their own will, because they were silent, or because they did not give up what they had to.
 *
 * Invariants: whoever goes is out of the group with all its records, and the group's epoch moves on, so that others get
 * what it owned. When only members of the classic protocol stay, the group becomes classic if it may.
 */
import type {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponseInput,
} from '../../../protocol/apis/68-consumer-group-heartbeat.ts'
import type { Outcome } from '../../shard.ts'
import type { GroupContext } from '../context.ts'
import type { GroupRecord } from '../records.ts'
import { NO_PARTITIONS, resetEpochs } from './assignment.ts'
import { ConsumerGroup } from './group.ts'
import type { ConsumerMember } from './member.ts'
import { regexOf, STATIC_LEAVE_EPOCH } from './member.ts'
import { removalRecords, staticMemberOf } from './membership.ts'
import type { MetadataHashes } from './metadata-hash.ts'
import type { Migration } from './migration.ts'
import { currentAssignmentRecord, groupEpochRecord, regexTombstone } from './records.ts'
import { topicsWithout } from './subscription.ts'
import type { MemberTimers } from './timers.ts'

type Heartbeat = ConsumerGroupHeartbeatResponseInput

export class Fencing {
  readonly #context: GroupContext
  readonly #hashes: MetadataHashes
  readonly #timers: MemberTimers
  readonly #migration: Migration

  constructor(context: GroupContext, hashes: MetadataHashes, timers: MemberTimers, migration: Migration) {
    this.#context = context
    this.#hashes = hashes
    this.#timers = timers
    this.#migration = migration
  }

  /** @throws Refusal UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID */
  leave(group: ConsumerGroup, request: ConsumerGroupHeartbeatRequest): Outcome<GroupRecord, Heartbeat> {
    const { memberId, instanceId, memberEpoch } = request
    const member = instanceId === null ? group.memberOrThrow(memberId) : staticMemberOf(group, instanceId, memberId)
    const response: Heartbeat = { errorCode: 0, memberId, memberEpoch, heartbeatIntervalMs: 0 }
    if (instanceId === null || memberEpoch !== STATIC_LEAVE_EPOCH) return this.fence(group, [member], response)
    // It will be back under another id: its partitions stay with it, as if given before all epochs.
    const away = {
      ...member,
      memberEpoch: STATIC_LEAVE_EPOCH,
      assigned: resetEpochs(member.assigned, 0),
      pendingRevocation: NO_PARTITIONS,
    }
    return { records: [currentAssignmentRecord(group.groupId, away)], response, atomic: true }
  }

  /** For timers: a member that is no longer there, or has left the epoch, is none to fence. */
  fenceById(groupId: string, memberId: string, why: string, epoch?: number): Outcome<GroupRecord, void> {
    const group = this.#context.groups.get(groupId)
    const member = group instanceof ConsumerGroup ? group.members.get(memberId) : undefined
    if (member === undefined || (epoch !== undefined && epoch !== member.memberEpoch)) {
      return { records: [], response: undefined }
    }
    this.#context.logger.info({ groupId, memberId }, `a member of a consumer group is fenced: ${why}`)
    return this.fence(group as ConsumerGroup, [member], undefined)
  }

  fence<T>(group: ConsumerGroup, members: readonly ConsumerMember[], response: T): Outcome<GroupRecord, T> {
    if (members.length === 0) return { records: [], response }
    const leaving = new Set(members)
    if (this.#migration.canDowngrade(group, leaving, false)) {
      const records = this.#migration.downgrade(group, leaving, undefined, 'the last consumers have left')
      return { records, response, atomic: true }
    }
    const { groupId } = group
    const records = members.flatMap(member => removalRecords(groupId, member.memberId))
    const regexes = lastRegexes(group, members)
    for (const regex of regexes) records.push(regexTombstone(groupId, regex))
    const topics = topicsWithout(group, members, regexes)
    const hash = this.#hashes.ofTopics(topics.keys(), this.#context.image())
    records.push(groupEpochRecord(groupId, group.epoch + 1, hash))
    const settled = (): void => {
      for (const { memberId } of members) this.#cancelTimers(groupId, memberId)
    }
    return { records, response, atomic: true, settled }
  }

  /** Unless the member is there: it has joined again meanwhile, or was never gone since the records were refused. */
  #cancelTimers(groupId: string, memberId: string): void {
    const group = this.#context.groups.get(groupId)
    if (group instanceof ConsumerGroup && group.hasMember(memberId)) return
    this.#timers.cancelAll(groupId, memberId)
  }
}

/** The expressions to which none but these members subscribe, ascending. */
function lastRegexes(group: ConsumerGroup, members: readonly ConsumerMember[]): string[] {
  const counts = new Map<string, number>()
  for (const member of members) {
    const regex = regexOf(member)
    if (regex !== undefined) counts.set(regex, (counts.get(regex) ?? 0) + 1)
  }
  return [...counts.keys()].filter(regex => group.regexes.get(regex) === counts.get(regex)).sort()
}
