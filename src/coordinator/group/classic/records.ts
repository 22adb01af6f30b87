/**
 * The record of a classic group, made from a live one and read back.
 *
 * Invariants: a record remembers the group that it was made from, so that replaying it keeps the members who wait; a
 * record from the log makes the group anew. The runtime replays the very objects that an operation returned.
 */
import type { GroupMetadataValue } from '../../../protocol/records/groups.ts'
import type { GroupContext } from '../context.ts'
import type { GroupRecord, GroupRecordOf } from '../records.ts'
import { ClassicGroup } from './group.ts'
import { ClassicMember, NO_ASSIGNMENT } from './member.ts'

/** The one that Kafka writes. */
const VALUE_VERSION = 3

export class ClassicRecords {
  readonly #sources = new WeakMap<GroupRecord, ClassicGroup>()

  /** The group as it stands, which has a protocol if it has members. `assignments`: others than its members have. */
  of(group: ClassicGroup, assignments?: ReadonlyMap<string, Uint8Array>): GroupRecord {
    const protocol = group.protocolName
    return this.#record(group, {
      protocolType: group.protocolType,
      generation: group.generationId,
      protocol,
      leader: group.leaderId,
      currentStateTimestamp: group.stateSinceMs,
      members: Array.from(group.members.all(), member => ({
        memberId: member.memberId,
        groupInstanceId: member.groupInstanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        rebalanceTimeout: member.rebalanceTimeoutMs,
        sessionTimeout: member.sessionTimeoutMs,
        subscription: member.metadata(protocol ?? '') ?? NO_ASSIGNMENT,
        assignment: assignments === undefined ? member.assignment : (assignments.get(member.memberId) ?? NO_ASSIGNMENT),
      })),
    })
  }

  /** A group that is there from now on and has no generation yet, whoever is about to join it. */
  ofNew(group: ClassicGroup): GroupRecord {
    return this.#record(group, {
      protocolType: '',
      generation: 0,
      protocol: null,
      leader: null,
      currentStateTimestamp: group.stateSinceMs,
      members: [],
    })
  }

  /** The group from which the record was made here; undefined: it comes from the log. */
  sourceOf(record: GroupRecord): ClassicGroup | undefined {
    return this.#sources.get(record)
  }

  #record(group: ClassicGroup, value: GroupMetadataValue): GroupRecordOf<'GroupMetadata'> {
    const record = { name: 'GroupMetadata', key: { group: group.groupId }, version: VALUE_VERSION, value } as const
    this.#sources.set(record, group)
    return record
  }
}

/** The group as its record has it; its topics are not looked at yet. */
export function groupOfRecord(context: GroupContext, groupId: string, value: GroupMetadataValue): ClassicGroup {
  const group = new ClassicGroup(context, groupId, {
    state: value.members.length === 0 ? 'Empty' : 'Stable',
    generationId: value.generation,
    protocolType: value.protocolType,
    protocolName: value.protocol,
    leaderId: value.leader,
    stateSinceMs: value.currentStateTimestamp === -1 ? undefined : value.currentStateTimestamp,
  })
  for (const member of value.members) {
    group.add(
      new ClassicMember({
        memberId: member.memberId,
        groupInstanceId: member.groupInstanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        rebalanceTimeoutMs: member.rebalanceTimeout === -1 ? member.sessionTimeout : member.rebalanceTimeout,
        sessionTimeoutMs: member.sessionTimeout,
        protocolType: value.protocolType,
        protocols: [{ name: value.protocol ?? '', metadata: member.subscription }],
        assignment: member.assignment,
      }),
    )
  }
  return group
}
