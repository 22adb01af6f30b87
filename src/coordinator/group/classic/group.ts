/**
 * A group whose members assign partitions among themselves (JoinGroup, SyncGroup), or that has only offsets.
 *
 * What must survive is `committed`, the last record of the group; the rest lives from it and from what members say, is
 * not undone when an append fails, and is lost with the coordinator: members then join again.
 *
 * Invariants: state changes follow the table in `states.ts`. All members have one protocol type and share a protocol.
 * The leader is a member. Methods that check throw `Refusal` and change nothing.
 */
import { assert } from '../../../base/assert.ts'
import type { KafkaErrorCode } from '../../../protocol/error-codes.ts'
import { ErrorCode } from '../../../protocol/error-codes.ts'
import { ProtocolError } from '../../../protocol/protocol-error.ts'
import type { GroupMetadataValue } from '../../../protocol/records/groups.ts'
import { TimelineValue } from '../../../timeline/value.ts'
import { Refusal } from '../../shard.ts'
import type { GroupContext } from '../context.ts'
import type { ExpirationRule, Group, OffsetCommitCheck } from '../group.ts'
import { GroupKind } from '../group.ts'
import type { GroupRecord } from '../records.ts'
import { joinRefusal, syncRefusal } from './answers.ts'
import { CONSUMER_PROTOCOL_TYPE, decodeSubscribedTopics } from './consumer-protocol.ts'
import type { ClassicMember } from './member.ts'
import { MemberTable } from './members.ts'
import type { ClassicState } from './states.ts'
import { mayTransition } from './states.ts'

/** Where a group begins that is not new: loaded from a record, or made of a consumer group. */
export interface ClassicGroupStart {
  readonly state: ClassicState
  readonly generationId: number
  readonly protocolType: string
  readonly protocolName: string | null
  readonly leaderId: string | null
  /** Milliseconds since 1970; undefined: the record is too old to tell. */
  readonly stateSinceMs: number | undefined
}

export class ClassicGroup implements Group {
  readonly kind = GroupKind.classic
  readonly groupId: string
  readonly members = new MemberTable()
  /** The record by which the group would be loaded; null: none, it has at most offsets. */
  readonly committed: TimelineValue<GroupMetadataValue | null>
  readonly #context: Pick<GroupContext, 'clock' | 'timeline' | 'logger'>
  #state: ClassicState
  #previousState: ClassicState = 'Dead'
  #stateSinceMs: number | undefined
  #generationId: number
  #protocolType: string
  #protocolName: string | null
  #leaderId: string | null
  /** What all members together subscribe to; undefined: unknown. */
  #topics: ReadonlySet<string> | undefined = undefined

  /** A member came while the initial rebalance was waiting for more. */
  newMemberAdded = false
  /** Generation whose assignments are on their way into the log; -1: none. */
  assigningGeneration = -1

  constructor(
    context: Pick<GroupContext, 'clock' | 'timeline' | 'logger'>,
    groupId: string,
    start?: ClassicGroupStart,
  ) {
    this.#context = context
    this.groupId = groupId
    this.committed = new TimelineValue<GroupMetadataValue | null>(context.timeline, null)
    this.#state = start?.state ?? 'Empty'
    this.#generationId = start?.generationId ?? 0
    this.#protocolType = start?.protocolType ?? ''
    this.#protocolName = start?.protocolName ?? null
    this.#leaderId = start?.leaderId ?? null
    this.#stateSinceMs = start === undefined ? context.clock.wallMs() : start.stateSinceMs
  }

  get state(): ClassicState {
    return this.#state
  }

  get stateName(): string {
    return this.#state
  }

  get previousState(): ClassicState {
    return this.#previousState
  }

  /** Milliseconds since 1970; -1: unknown. */
  get stateSinceMs(): number {
    return this.#stateSinceMs ?? -1
  }

  get generationId(): number {
    return this.#generationId
  }

  /** Empty: none yet. */
  get protocolType(): string {
    return this.#protocolType
  }

  /** What the members of the generation agreed on; null: nothing yet. */
  get protocolName(): string | null {
    return this.#protocolName
  }

  get leaderId(): string | null {
    return this.#leaderId
  }

  get isEmpty(): boolean {
    return this.#state === 'Empty'
  }

  /** Has only offsets, and no record of its own. */
  get isSimple(): boolean {
    return this.#protocolType === '' && this.isEmpty && this.members.pendingJoin.size === 0
  }

  get usesConsumerProtocol(): boolean {
    return this.#protocolType === CONSUMER_PROTOCOL_TYPE
  }

  get memberCount(): number {
    return this.members.size
  }

  get canRebalance(): boolean {
    return mayTransition(this.#state, 'PreparingRebalance')
  }

  hasMember(memberId: string): boolean {
    return this.members.has(memberId)
  }

  isLeader(memberId: string): boolean {
    return this.#leaderId === memberId
  }

  transitionTo(state: ClassicState): void {
    assert(mayTransition(this.#state, state), `a group in state ${this.#state} does not become ${state}`)
    this.#previousState = this.#state
    this.#state = state
    this.#stateSinceMs = this.#context.clock.wallMs()
  }

  /** The first member decides on the protocol type and leads. */
  add(member: ClassicMember): void {
    if (this.members.size === 0) this.#protocolType = member.protocolType
    assert(this.#protocolType === member.protocolType, 'members of a group have one protocol type')
    this.members.add(member)
    this.#leaderId ??= member.memberId
  }

  /** Its unanswered requests get UNKNOWN_MEMBER_ID; when it led, who came first of the others leads. */
  remove(memberId: string): void {
    const member = this.members.remove(memberId)
    if (this.isLeader(memberId)) this.#leaderId = this.members.first()?.memberId ?? null
    if (member === undefined) return
    this.members.answerJoin(member, joinRefusal(ErrorCode.UNKNOWN_MEMBER_ID, ''))
    this.members.answerSync(member, syncRefusal(ErrorCode.UNKNOWN_MEMBER_ID))
  }

  /** A static member came back under another id: what waits under the old one is fenced. */
  replace(old: ClassicMember, replacement: ClassicMember): void {
    this.members.answerJoin(old, joinRefusal(ErrorCode.FENCED_INSTANCE_ID, old.memberId, null))
    this.members.answerSync(old, syncRefusal(ErrorCode.FENCED_INSTANCE_ID))
    this.members.remove(old.memberId)
    this.members.add(replacement)
    if (this.isLeader(old.memberId)) this.#leaderId = replacement.memberId
  }

  /** Whether somebody leads who has joined; when the leader has not, the first member who has becomes the leader. */
  electLeader(): boolean {
    if (this.#leaderId === null) return false
    if (this.members.get(this.#leaderId)?.join !== undefined) return true
    for (const member of this.members.all()) {
      if (member.join === undefined) continue
      this.#leaderId = member.memberId
      return true
    }
    return false
  }

  /** Whether a member with these protocols can be taken. */
  supports(protocolType: string, protocolNames: readonly string[]): boolean {
    if (this.isEmpty) return protocolType !== '' && protocolNames.length > 0
    return protocolType === this.#protocolType && this.members.supportAny(protocolNames)
  }

  /** Who has joined is the next generation: it waits for assignments, or is empty. */
  startNextGeneration(): void {
    this.#generationId = this.#generationId === 0x7fffffff ? 0 : this.#generationId + 1
    const isEmpty = this.members.size === 0
    this.selectProtocol()
    this.transitionTo(isEmpty ? 'Empty' : 'CompletingRebalance')
    this.members.clearPendingSync()
  }

  /** Settles the protocol, and with it the topics, by what the members say now. */
  selectProtocol(): void {
    this.#protocolName = this.members.size === 0 ? null : this.members.selectProtocol()
    this.refreshTopics()
  }

  refreshTopics(): void {
    this.#topics = this.#subscribedTopics()
  }

  /** NONE, or why the member may not act for this group. */
  checkMember(memberId: string, groupInstanceId: string | null): KafkaErrorCode {
    if (groupInstanceId !== null) {
      const present = this.members.idOfInstance(groupInstanceId)
      if (present === undefined) return ErrorCode.UNKNOWN_MEMBER_ID
      if (present !== memberId) return ErrorCode.FENCED_INSTANCE_ID
    }
    return this.hasMember(memberId) ? ErrorCode.NONE : ErrorCode.UNKNOWN_MEMBER_ID
  }

  answerJoins(errorCode: KafkaErrorCode): void {
    for (const member of this.members.all()) this.members.answerJoin(member, joinRefusal(errorCode, member.memberId))
  }

  answerSyncs(errorCode: KafkaErrorCode): void {
    for (const member of this.members.all()) this.members.answerSync(member, syncRefusal(errorCode))
  }

  isSubscribedToTopic(topic: string): boolean {
    return this.#topics === undefined ? this.usesConsumerProtocol : this.#topics.has(topic)
  }

  checkOffsetCommit(commit: OffsetCommitCheck): undefined {
    const { memberId, groupInstanceId, generationOrEpoch: generationId, transactional } = commit
    if (this.#state === 'Dead') throw new Refusal(ErrorCode.COORDINATOR_NOT_AVAILABLE)
    // From tools, and from consumers that take their partitions by themselves.
    if (generationId < 0 && this.isEmpty) return
    if (generationId >= 0 || memberId !== '' || groupInstanceId !== null) {
      const code = this.checkMember(memberId, groupInstanceId)
      if (code !== ErrorCode.NONE) throw new Refusal(code)
      if (generationId !== this.#generationId) throw new Refusal(ErrorCode.ILLEGAL_GENERATION)
    } else if (!transactional) {
      throw new Refusal(ErrorCode.UNKNOWN_MEMBER_ID)
    }
    // Its join is answered, so it knows the generation, but not yet what it owns in it.
    if (!transactional && this.#state === 'CompletingRebalance') throw new Refusal(ErrorCode.REBALANCE_IN_PROGRESS)
  }

  checkOffsetFetch(_memberId: string, _memberEpoch: number): void {
    this.#checkAlive()
  }

  checkOffsetDelete(): void {
    this.#checkAlive()
    if (!this.isEmpty && !this.usesConsumerProtocol) throw new Refusal(ErrorCode.NON_EMPTY_GROUP)
  }

  checkDelete(): void {
    this.#checkAlive()
    if (!this.isEmpty) throw new Refusal(ErrorCode.NON_EMPTY_GROUP)
  }

  tombstones(): GroupRecord[] {
    return [{ name: 'GroupMetadata', key: { group: this.groupId }, version: -1, value: null }]
  }

  expirationRule(): ExpirationRule | undefined {
    if (this.#protocolType === '') return sinceCommit
    if (this.isEmpty) {
      const sinceMs = this.#stateSinceMs
      return sinceMs === undefined ? sinceCommit : { base: () => sinceMs }
    }
    // Only offsets of topics that nobody reads any more; that is asked for each topic.
    return this.#state === 'Stable' && this.usesConsumerProtocol && this.#topics !== undefined ? sinceCommit : undefined
  }

  #checkAlive(): void {
    if (this.#state === 'Dead') throw new Refusal(ErrorCode.GROUP_ID_NOT_FOUND, `Group ${this.groupId} is dead.`)
  }

  #subscribedTopics(): ReadonlySet<string> | undefined {
    if (!this.usesConsumerProtocol) return undefined
    const topics = new Set<string>()
    try {
      for (const member of this.members.all()) {
        const metadata = member.metadata(this.#protocolName ?? '')
        if (metadata === undefined) return undefined
        for (const topic of decodeSubscribedTopics(metadata)) topics.add(topic)
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
      const { groupId } = this
      this.#context.logger.warn({ groupId, reason: error.message }, 'a group whose subscriptions cannot be read')
      return undefined
    }
    return topics
  }
}

const sinceCommit: ExpirationRule = { base: commitTimestampMs => commitTimestampMs }
