/**
 * A live group changes its kind: a classic one becomes a consumer group when the first member with the consumer
 * protocol joins, and a consumer group becomes classic when its last such member goes, as
 * `group.consumer.migration.policy` allows. Members keep what they own.
 *
 * Invariants: the change is nothing but records: those that delete the one group, then those that make the other, in
 * one batch. Only telling those who wait, and timers, come beside it.
 */
import type { MetadataImage } from '../../../metadata/image.ts'
import { ErrorCode } from '../../../protocol/error-codes.ts'
import { ProtocolError } from '../../../protocol/protocol-error.ts'
import { Timeline } from '../../../timeline/timeline.ts'
import { Refusal } from '../../shard.ts'
import type { Assignment } from '../assignors/assignor.ts'
import {
  consumerProtocolVersion,
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
} from '../classic/consumer-protocol.ts'
import { ClassicGroup } from '../classic/group.ts'
import { ClassicMember } from '../classic/member.ts'
import type { GroupContext } from '../context.ts'
import type { GroupRecord } from '../records.ts'
import { union, withEpoch } from './assignment.ts'
import { CONSUMER_PROTOCOL_TYPE, ConsumerGroup } from './group.ts'
import type { ConsumerMember } from './member.ts'
import { MemberState, newMember, sortedNames } from './member.ts'
import type { MetadataHashes } from './metadata-hash.ts'
import {
  currentAssignmentRecord,
  groupEpochRecord,
  memberMetadataRecord,
  targetAssignmentEpochRecord,
  targetAssignmentRecord,
} from './records.ts'
import type { Draft } from './steps.ts'
import type { MemberTimers } from './timers.ts'

/** Of topics that are there it is never the hash, so they are taken for changed. */
const UNKNOWN_HASH = 0n

/** What consumer groups need of classic ones. */
export interface ClassicPort {
  /** The record of a group; replaying it puts that very group into the table. */
  recordOf(group: ClassicGroup): GroupRecord
  /**
   * A group is about to be classic, or is so again: sessions begin, and a rebalance if there is a reason for one. Soft
   * state: when the group never gets into the table, none of it has an effect.
   */
  converted(group: ClassicGroup, rebalanceReason: string | undefined): void
}

export class Migration {
  readonly #context: GroupContext
  readonly #hashes: MetadataHashes
  readonly #timers: MemberTimers
  readonly #classic: ClassicPort

  constructor(context: GroupContext, hashes: MetadataHashes, timers: MemberTimers, classic: ClassicPort) {
    this.#context = context
    this.#hashes = hashes
    this.#timers = timers
    this.#classic = classic
  }

  /**
   * The consumer group that a classic one with members becomes, not yet in the table.
   * @throws Refusal GROUP_ID_NOT_FOUND when it must or can not
   */
  upgrade(classic: ClassicGroup, draft: Draft): ConsumerGroup {
    const { groupId } = classic
    const { settings } = this.#context
    const policy = settings.migrationPolicy
    if (policy !== 'upgrade' && policy !== 'bidirectional') throw notUpgraded(groupId, 'upgrades are switched off')
    if (!classic.usesConsumerProtocol) throw notUpgraded(groupId, 'its members are no consumers')
    if (classic.memberCount > settings.consumerMaxSize) throw notUpgraded(groupId, 'it has too many members')

    const group = new ConsumerGroup(groupId, new Timeline(), () => this.#context.image())
    if (classic.memberCount > 0) {
      // Before its first generation the members have not agreed yet.
      const protocol = classic.protocolName ?? classic.members.selectProtocol()
      for (const member of classic.members.all()) this.#take(group, member, protocol, classic.generationId)
    }
    group.setTargetVersion({ epoch: classic.generationId, timestampMs: 0 })
    // A group that rebalances has no assignment that holds; as if its topics had changed it gets one at once, even if
    // who joins only takes the place of a static member.
    const isSettled = classic.state === 'Stable'
    const hash = isSettled ? this.#hashes.ofTopics(group.topics.keys(), this.#context.image()) : UNKNOWN_HASH
    group.setEpoch(classic.generationId, hash)
    draft.records.push(...classic.tombstones(), ...recordsOf(group))
    draft.effects.push(() => {
      // Whoever waits joins again, and then finds the consumer group.
      classic.answerJoins(ErrorCode.REBALANCE_IN_PROGRESS)
      classic.answerSyncs(ErrorCode.REBALANCE_IN_PROGRESS)
      for (const { memberId, classic: metadata } of group.members.values()) {
        if (metadata !== null) this.#timers.startSession(groupId, memberId, metadata.sessionTimeoutMs)
      }
      this.#context.logger.info({ groupId }, 'a classic group becomes a consumer group')
    })
    // Its sessions may have ended while it was not the group of its id.
    draft.undone.push(() => this.#classic.converted(classic, undefined))
    return group
  }

  /** Whether the group becomes classic when `leaving` go and, if given, `joining` takes the place of one of them. */
  canDowngrade(group: ConsumerGroup, leaving: ReadonlySet<ConsumerMember>, isReplaced: boolean): boolean {
    let classicLeaving = 0
    for (const member of leaving) if (member.classic !== null) classicLeaving++
    const staying = group.memberCount - leaving.size
    const { settings } = this.#context
    const policy = settings.migrationPolicy
    const remaining = isReplaced ? group.memberCount : staying
    return (
      group.classicMemberCount - classicLeaving === staying &&
      (!isReplaced || classicLeaving === 0) &&
      remaining > 0 &&
      (policy === 'downgrade' || policy === 'bidirectional') &&
      remaining <= settings.classicMaxSize
    )
  }

  /**
   * `joining` has the instance id of the one member that leaves. Members are assigned what they own or have yet to give
   * up, not their target: the group may be upgraded again before they have joined it.
   */
  downgrade(
    group: ConsumerGroup,
    leaving: ReadonlySet<ConsumerMember>,
    joining: ConsumerMember | undefined,
    rebalanceReason: string | undefined,
  ): GroupRecord[] {
    const { groupId } = group
    const replaced = joining === undefined ? undefined : group.staticMember(joining.instanceId)
    const ids = Array.from(group.members.keys(), id => (id === replaced?.memberId ? joining!.memberId : id))
    const classic = new ClassicGroup(this.#context, groupId, {
      state: 'Stable',
      generationId: group.epoch,
      protocolType: CONSUMER_PROTOCOL_TYPE,
      protocolName: null,
      leaderId: null,
      stateSinceMs: this.#context.clock.wallMs(),
    })
    const staying = [...group.members.values()].filter(member => !leaving.has(member) && member !== replaced)
    if (joining !== undefined) staying.push(joining)
    for (const member of staying.sort((left, right) => (left.memberId < right.memberId ? -1 : 1))) {
      classic.add(classicMemberOf(member))
    }
    classic.selectProtocol()
    const image = this.#context.image()
    for (const { memberId, assigned, pendingRevocation } of staying) {
      const member = classic.members.get(memberId)!
      const subscription = member.metadata(classic.protocolName ?? '')
      member.assignment = assignmentBytes(union(assigned, pendingRevocation), subscription, image)
    }
    const records = [...group.tombstonesOf(ids), this.#classic.recordOf(classic)]
    this.#classic.converted(classic, rebalanceReason)
    this.#context.logger.info({ groupId }, 'a consumer group becomes a classic group')
    return records
  }

  /**
   * A group that had become classic is loaded. If it has no generation of its own yet, the rebalance that was under way
   * begins anew: nobody has what the former members left behind.
   */
  resume(classic: ClassicGroup, lastEpoch: number): void {
    if (classic.memberCount > 0 && classic.generationId <= lastEpoch) {
      this.#classic.converted(classic, 'the group became classic shortly before its coordinator was loaded')
    }
  }

  #take(group: ConsumerGroup, member: ClassicMember, protocol: string, epoch: number): void {
    const { groupId } = group
    const metadata = member.metadata(protocol)
    if (metadata === undefined) throw notUpgraded(groupId, 'a member does not know its protocol')
    try {
      const subscription = decodeSubscription(metadata)
      const assigned = this.#assignedTo(groupId, member)
      group.setTarget(member.memberId, assigned)
      group.updateMember(member.memberId, () => ({
        ...newMember(member.memberId),
        memberEpoch: epoch,
        previousMemberEpoch: epoch,
        state: MemberState.stable,
        instanceId: member.groupInstanceId,
        rackId: subscription.rackId || null,
        rebalanceTimeoutMs: member.rebalanceTimeoutMs,
        clientId: member.clientId,
        clientHost: member.clientHost,
        subscribedTopicNames: sortedNames(subscription.topics),
        assigned: withEpoch(assigned, epoch),
        classic: {
          sessionTimeoutMs: member.sessionTimeoutMs,
          supportedProtocols: member.protocols.map(({ name, metadata }) => ({ name, metadata })),
        },
      }))
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      throw notUpgraded(groupId, 'what its members say of themselves cannot be read')
    }
  }

  /** Nothing if the member has yet to sync for the first time. */
  #assignedTo(groupId: string, member: ClassicMember): Assignment {
    const assigned = new Map<string, ReadonlySet<number>>()
    if (member.assignment.length === 0) return assigned
    const { assignedPartitions, userData } = decodeAssignment(member.assignment)
    if (userData !== null && userData.length > 0) throw notUpgraded(groupId, 'a custom assignor is in use')
    for (const { topic, partitions } of assignedPartitions) {
      const id = this.#context.image().topicsByName.get(topic)?.id
      if (id !== undefined && partitions.length > 0) assigned.set(id, new Set(partitions))
    }
    return assigned
  }
}

/** What a group owns, as members of the classic protocol read it: in the version of their subscription. */
export function assignmentBytes(
  owned: ReadonlyMap<string, ReadonlySet<number> | ReadonlyMap<number, number>>,
  subscription: Uint8Array | undefined,
  image: MetadataImage,
): Uint8Array {
  const assignedPartitions: { topic: string; partitions: number[] }[] = []
  for (const [topicId, partitions] of owned) {
    const topic = image.topicsById.get(topicId)?.name
    if (topic === undefined) continue
    assignedPartitions.push({ topic, partitions: [...partitions.keys()].sort((left, right) => left - right) })
  }
  assignedPartitions.sort((left, right) => (left.topic < right.topic ? -1 : 1))
  return encodeAssignment(versionOf(subscription), { assignedPartitions })
}

/** 0, which everybody reads, if the bytes don't say. */
function versionOf(subscription: Uint8Array | undefined): number {
  try {
    return subscription === undefined ? 0 : Math.max(0, consumerProtocolVersion(subscription))
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    return 0
  }
}

function recordsOf(group: ConsumerGroup): GroupRecord[] {
  const { groupId } = group
  const members = [...group.members.values()].sort((left, right) => (left.memberId < right.memberId ? -1 : 1))
  return [
    ...members.map(member => memberMetadataRecord(groupId, member)),
    groupEpochRecord(groupId, group.epoch, group.metadataHash),
    ...members.map(({ memberId }) => targetAssignmentRecord(groupId, memberId, group.targetOf(memberId))),
    targetAssignmentEpochRecord(groupId, group.targetVersion.epoch, group.targetVersion.timestampMs),
    ...members.map(member => currentAssignmentRecord(groupId, member)),
  ]
}

function classicMemberOf(member: ConsumerMember): ClassicMember {
  return new ClassicMember({
    memberId: member.memberId,
    groupInstanceId: member.instanceId,
    clientId: member.clientId,
    clientHost: member.clientHost,
    rebalanceTimeoutMs: member.rebalanceTimeoutMs,
    sessionTimeoutMs: member.classic!.sessionTimeoutMs,
    protocolType: CONSUMER_PROTOCOL_TYPE,
    protocols: member.classic!.supportedProtocols,
  })
}

function notUpgraded(groupId: string, why: string): Refusal {
  return new Refusal(ErrorCode.GROUP_ID_NOT_FOUND, `Group ${groupId} stays a classic group: ${why}.`)
}
