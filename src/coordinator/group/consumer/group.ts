/**
 * A consumer group (KIP-848): its members, their target and current assignments, and what follows from them.
 *
 * Invariants: everything but `refreshAt` is timeline state and changes by replay alone. Epochs only grow. At most one
 * member owns a partition or has yet to give it up; `isOwned` says whether one does. The subscriptions by topic, the
 * counts and the owners are sums over the members, kept up at each change.
 */
import { ZERO_UUID } from '../../../base/uuid.ts'
import type { MetadataImage } from '../../../metadata/image.ts'
import { ErrorCode } from '../../../protocol/error-codes.ts'
import { TimelineMap } from '../../../timeline/map.ts'
import type { Timeline } from '../../../timeline/timeline.ts'
import { TimelineValue } from '../../../timeline/value.ts'
import { Refusal } from '../../shard.ts'
import type { Assignment } from '../assignors/assignor.ts'
import type { ExpirationRule, Group, OffsetCommitCheck } from '../group.ts'
import { GroupKind } from '../group.ts'
import type { GroupRecord } from '../records.ts'
import { NO_ASSIGNMENT } from './assignment.ts'
import type { SubscriptionCount } from './counts.ts'
import { addCount, addTopics, isHomogeneous } from './counts.ts'
import type { ConsumerMember } from './member.ts'
import { isReconciledTo, MemberState, newMember, regexOf } from './member.ts'
import { PartitionOwners } from './owners.ts'
import type { ResolvedRegex } from './records.ts'
import { groupTombstone, memberTombstone, memberTombstoneOrder, regexTombstone } from './records.ts'

export const CONSUMER_PROTOCOL_TYPE = 'consumer'

/** Epoch of a group, and of its target assignment, before anything happened. */
const FIRST_EPOCH = 1

/** From this version on a commit knows of member epochs. */
const COMMIT_WITH_EPOCH = 9

export interface TargetVersion {
  readonly epoch: number
  /** Milliseconds since 1970, when it was computed; 0: unknown. */
  readonly timestampMs: number
}

/** What must be so for the topics to be looked at again: the time came, or the group is not yet at the epoch. */
interface RefreshAt {
  readonly deadlineMs: number
  readonly epoch: number
}

const AT_ONCE: RefreshAt = { deadlineMs: 0, epoch: 0 }
const FIRST_TARGET: TargetVersion = { epoch: FIRST_EPOCH, timestampMs: 0 }
const NO_TARGET: TargetVersion = { epoch: -1, timestampMs: 0 }
const forEveryOffset: ExpirationRule = { base: commitTimestampMs => commitTimestampMs }

export class ConsumerGroup implements Group {
  readonly kind = GroupKind.consumer
  readonly protocolType = CONSUMER_PROTOCOL_TYPE
  readonly groupId: string
  readonly #image: () => MetadataImage
  readonly #epoch: TimelineValue<number>
  readonly #metadataHash: TimelineValue<bigint>
  readonly #targetVersion: TimelineValue<TargetVersion>
  readonly #hasTopicsRecord: TimelineValue<boolean>
  readonly #classicMembers: TimelineValue<number>
  readonly #members: TimelineMap<string, ConsumerMember>
  readonly #targets: TimelineMap<string, Assignment>
  readonly #staticMembers: TimelineMap<string, string>
  readonly #assignors: TimelineMap<string, number>
  readonly #classicProtocols: TimelineMap<string, number>
  readonly #topics: TimelineMap<string, SubscriptionCount>
  readonly #regexes: TimelineMap<string, number>
  readonly #resolvedRegexes: TimelineMap<string, ResolvedRegex>
  readonly #owners: PartitionOwners
  #refreshAt = AT_ONCE

  constructor(groupId: string, timeline: Timeline, image: () => MetadataImage) {
    this.groupId = groupId
    this.#image = image
    this.#epoch = new TimelineValue(timeline, FIRST_EPOCH)
    this.#metadataHash = new TimelineValue(timeline, 0n)
    this.#targetVersion = new TimelineValue(timeline, FIRST_TARGET)
    this.#hasTopicsRecord = new TimelineValue(timeline, false)
    this.#classicMembers = new TimelineValue(timeline, 0)
    this.#members = new TimelineMap(timeline)
    this.#targets = new TimelineMap(timeline)
    this.#staticMembers = new TimelineMap(timeline)
    this.#assignors = new TimelineMap(timeline)
    this.#classicProtocols = new TimelineMap(timeline)
    this.#topics = new TimelineMap(timeline)
    this.#regexes = new TimelineMap(timeline)
    this.#resolvedRegexes = new TimelineMap(timeline)
    this.#owners = new PartitionOwners(timeline)
  }

  // What it is to the rest of the coordinator.

  get stateName(): string {
    if (this.isEmpty) return 'Empty'
    const { epoch } = this.targetVersion
    if (this.epoch > epoch) return 'Assigning'
    for (const member of this.#members.values()) if (!isReconciledTo(member, epoch)) return 'Reconciling'
    return 'Stable'
  }

  get isEmpty(): boolean {
    return this.#members.size === 0
  }

  get memberCount(): number {
    return this.#members.size
  }

  hasMember(memberId: string): boolean {
    return this.#members.has(memberId)
  }

  isSubscribedToTopic(topic: string): boolean {
    return this.#topics.has(topic)
  }

  checkOffsetCommit(commit: OffsetCommitCheck) {
    const { memberId, generationOrEpoch: epoch } = commit
    // Tools, and consumers that manage no group.
    if (epoch < 0 && this.isEmpty) return undefined
    if (commit.transactional && epoch === -1 && memberId === '' && commit.groupInstanceId === null) return undefined

    const member = this.memberOrThrow(memberId)
    const isClassic = member.classic !== null
    if (!commit.transactional && !isClassic && commit.apiVersion < COMMIT_WITH_EPOCH) {
      const text = `Members of consumer groups commit with version ${COMMIT_WITH_EPOCH} of OffsetCommit or later.`
      throw new Refusal(ErrorCode.UNSUPPORTED_VERSION, text)
    }
    if (epoch === member.memberEpoch) return undefined
    const code = staleCode(member)
    if (epoch > member.memberEpoch) {
      throw new Refusal(code, `Epoch ${epoch} lies before the member, which is at ${member.memberEpoch}.`)
    }
    return (topic: string, topicId: string, partition: number): void => {
      const id = topicId === ZERO_UUID ? this.#image().topicsByName.get(topic)?.id : topicId
      const givenAt = id === undefined ? undefined : givenEpoch(member, id, partition)
      if (givenAt === undefined) {
        throw new Refusal(code, `The member does not own partition ${partition} of ${topic}.`)
      }
      if (epoch < givenAt) {
        throw new Refusal(
          code,
          `The member got partition ${partition} of ${topic} at epoch ${givenAt}, after ${epoch}.`,
        )
      }
    }
  }

  checkOffsetFetch(memberId: string | null, memberEpoch: number): void {
    if (memberId === null && memberEpoch < 0) return
    const member = this.memberOrThrow(memberId ?? '')
    if (memberEpoch === member.memberEpoch) return
    throw new Refusal(staleCode(member), `The member is at epoch ${member.memberEpoch}, not ${memberEpoch}.`)
  }

  checkOffsetDelete(): void {}

  checkDelete(): void {
    if (!this.isEmpty) throw new Refusal(ErrorCode.NON_EMPTY_GROUP)
  }

  tombstones(): GroupRecord[] {
    return this.tombstonesOf([...this.#members.keys()])
  }

  /** The records that delete the group as if `memberIds` were its members. */
  tombstonesOf(memberIds: readonly string[]): GroupRecord[] {
    const { groupId } = this
    const [current, target, metadata] = memberTombstoneOrder.map(name =>
      memberIds.toSorted().map(memberId => memberTombstone(name, groupId, memberId)),
    )
    return [
      ...current!,
      ...target!,
      groupTombstone('ConsumerGroupTargetAssignmentMetadata', groupId),
      ...metadata!,
      ...[...this.#resolvedRegexes.keys()].sort().map(regex => regexTombstone(groupId, regex)),
      groupTombstone('ConsumerGroupPartitionMetadata', groupId),
      groupTombstone('ConsumerGroupMetadata', groupId),
    ]
  }

  expirationRule(): ExpirationRule {
    return forEveryOffset
  }

  // What is read of it.

  get epoch(): number {
    return this.#epoch.value
  }

  get metadataHash(): bigint {
    return this.#metadataHash.value
  }

  get targetVersion(): TargetVersion {
    return this.#targetVersion.value
  }

  /** Whether the log has a record of the topics, as releases before 4.1 wrote it. */
  get hasTopicsRecord(): boolean {
    return this.#hasTopicsRecord.value
  }

  get members(): ReadonlyMap<string, ConsumerMember> {
    return this.#members
  }

  get targets(): ReadonlyMap<string, Assignment> {
    return this.#targets
  }

  /** How often a topic is subscribed to. */
  get topics(): ReadonlyMap<string, SubscriptionCount> {
    return this.#topics
  }

  /** How many members subscribe to each regular expression. */
  get regexes(): ReadonlyMap<string, number> {
    return this.#regexes
  }

  get resolvedRegexes(): ReadonlyMap<string, ResolvedRegex> {
    return this.#resolvedRegexes
  }

  /** Members that speak the classic protocol. */
  get classicMemberCount(): number {
    return this.#classicMembers.value
  }

  get isHomogeneous(): boolean {
    return isHomogeneous(this.#topics, this.#regexes, this.#members.size)
  }

  /** @throws Refusal UNKNOWN_MEMBER_ID */
  memberOrThrow(memberId: string): ConsumerMember {
    const member = this.#members.get(memberId)
    if (member === undefined) throw new Refusal(ErrorCode.UNKNOWN_MEMBER_ID, `No member ${memberId} in the group.`)
    return member
  }

  staticMember(instanceId: string | null): ConsumerMember | undefined {
    const memberId = instanceId === null ? undefined : this.#staticMembers.get(instanceId)
    return memberId === undefined ? undefined : this.#members.get(memberId)
  }

  /** Of a member, or of whoever has its instance id now. */
  targetOf(memberId: string, instanceId: string | null = null): Assignment {
    const id = instanceId === null ? memberId : this.#staticMembers.get(instanceId)
    return (id === undefined ? undefined : this.#targets.get(id)) ?? NO_ASSIGNMENT
  }

  isOwned(topicId: string, partition: number): boolean {
    return this.#owners.has(topicId, partition)
  }

  /** Votes for server assignors if `after` stood in for `before`; the most votes win, then the first name. */
  preferredAssignor(before?: ConsumerMember, after?: ConsumerMember): string | undefined {
    const votes = new Map(this.#assignors)
    if (before !== undefined && before.serverAssignor !== null) addCount(votes, before.serverAssignor, -1)
    if (after !== undefined && after.serverAssignor !== null) addCount(votes, after.serverAssignor, 1)
    let preferred: string | undefined
    for (const name of [...votes.keys()].sort()) {
      if (preferred === undefined || votes.get(name)! > votes.get(preferred)!) preferred = name
    }
    return preferred
  }

  /** Whether every member with the classic protocol knows one of `protocols`. */
  supportsClassicProtocols(protocolType: string, protocols: readonly string[]): boolean {
    if (protocolType !== CONSUMER_PROTOCOL_TYPE) return false
    if (this.isEmpty) return protocols.length > 0
    return protocols.some(name => (this.#classicProtocols.get(name) ?? 0) === this.classicMemberCount)
  }

  /** Whether the member waits for a partition that somebody else still has. */
  isWaitingForRelease(member: ConsumerMember): boolean {
    if (member.state !== MemberState.unreleasedPartitions) return false
    for (const [topicId, partitions] of this.targetOf(member.memberId)) {
      const assigned = member.assigned.get(topicId)
      for (const partition of partitions) {
        if (!assigned?.has(partition) && this.isOwned(topicId, partition)) return true
      }
    }
    return false
  }

  /** Whether the topics are to be looked at: the deadline passed, or the epoch it was set for was never reached. */
  needsRefresh(nowMs: number): boolean {
    return nowMs >= this.#refreshAt.deadlineMs || this.epoch < this.#refreshAt.epoch
  }

  /** Soft state. */
  refreshAfter(deadlineMs: number, epoch: number): void {
    this.#refreshAt = { deadlineMs, epoch }
  }

  /** A topic changed. */
  requestRefresh(): void {
    this.#refreshAt = AT_ONCE
  }

  // What replay changes.

  setEpoch(epoch: number, metadataHash: bigint): void {
    this.#epoch.value = epoch
    this.#metadataHash.value = metadataHash
  }

  setTargetVersion(version: TargetVersion | undefined): void {
    this.#targetVersion.value = version ?? NO_TARGET
  }

  setHasTopicsRecord(has: boolean): void {
    this.#hasTopicsRecord.value = has
  }

  setTarget(memberId: string, target: Assignment | undefined): void {
    if (target === undefined) this.#targets.delete(memberId)
    else this.#targets.set(memberId, target)
  }

  setRegex(regex: string, resolved: ResolvedRegex | undefined): void {
    const before = this.#resolvedRegexes.get(regex)
    if (before !== undefined) addTopics(this.#topics, before.topics, 'byRegex', -1)
    if (resolved !== undefined) addTopics(this.#topics, resolved.topics, 'byRegex', 1)
    if (resolved === undefined) this.#resolvedRegexes.delete(regex)
    else this.#resolvedRegexes.set(regex, resolved)
  }

  /** Makes the member when there is none. */
  updateMember(memberId: string, change: (member: ConsumerMember) => ConsumerMember): void {
    const before = this.#members.get(memberId)
    const after = change(before ?? newMember(memberId))
    if (after === before) return
    this.#members.set(memberId, after)
    this.#count(before, after)
    if (after.instanceId !== null) this.#staticMembers.set(after.instanceId, memberId)
  }

  removeMember(memberId: string): void {
    const before = this.#members.delete(memberId)
    if (before === undefined) return
    this.#count(before, undefined)
    if (before.instanceId !== null && this.#staticMembers.get(before.instanceId) === memberId) {
      this.#staticMembers.delete(before.instanceId)
    }
  }

  #count(before: ConsumerMember | undefined, after: ConsumerMember | undefined): void {
    if (before?.subscribedTopicNames !== after?.subscribedTopicNames) {
      if (before !== undefined) addTopics(this.#topics, before.subscribedTopicNames, 'byName', -1)
      if (after !== undefined) addTopics(this.#topics, after.subscribedTopicNames, 'byName', 1)
    }
    if (before?.serverAssignor !== after?.serverAssignor) {
      if (before?.serverAssignor != null) addCount(this.#assignors, before.serverAssignor, -1)
      if (after?.serverAssignor != null) addCount(this.#assignors, after.serverAssignor, 1)
    }
    const regexBefore = regexOf(before)
    const regexAfter = regexOf(after)
    if (regexBefore !== regexAfter) {
      if (regexBefore !== undefined) addCount(this.#regexes, regexBefore, -1)
      if (regexAfter !== undefined) addCount(this.#regexes, regexAfter, 1)
    }
    if (before?.classic !== after?.classic) {
      for (const name of protocolNames(before)) addCount(this.#classicProtocols, name, -1)
      for (const name of protocolNames(after)) addCount(this.#classicProtocols, name, 1)
      this.#classicMembers.value += (after?.classic ? 1 : 0) - (before?.classic ? 1 : 0)
    }
    const owns =
      before?.memberEpoch !== after?.memberEpoch ||
      before?.assigned !== after?.assigned ||
      before?.pendingRevocation !== after?.pendingRevocation
    if (!owns) return
    for (const owned of [before?.assigned, before?.pendingRevocation])
      this.#owners.release(owned, before?.memberEpoch ?? 0)
    for (const owned of [after?.assigned, after?.pendingRevocation]) this.#owners.own(owned, after?.memberEpoch ?? 0)
  }
}

function staleCode(member: ConsumerMember): number {
  return member.classic === null ? ErrorCode.STALE_MEMBER_EPOCH : ErrorCode.ILLEGAL_GENERATION
}

function givenEpoch(member: ConsumerMember, topicId: string, partition: number): number | undefined {
  return member.assigned.get(topicId)?.get(partition) ?? member.pendingRevocation.get(topicId)?.get(partition)
}

/** Each once. */
function protocolNames(member: ConsumerMember | undefined): ReadonlySet<string> {
  return new Set(member?.classic?.supportedProtocols.map(protocol => protocol.name))
}
