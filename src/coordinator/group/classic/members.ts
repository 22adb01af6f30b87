/**
 * The members of a classic group: by id and by instance id, who has joined the coming generation, who has synced with
 * the present one, and which protocols all of them support.
 *
 * Invariants: `awaitingJoin` counts the members with an unanswered join. A join or sync that another request of the
 * same member replaces is answered REBALANCE_IN_PROGRESS, so that each is answered once. Members are kept in the order
 * in which they came: what is chosen among equals is chosen by it. Collections are made when something is put into
 * them: most groups of a large `__consumer_offsets` have only offsets.
 */
import { assert } from '../../../base/assert.ts'
import type { JoinGroupResponseInput } from '../../../protocol/apis/11-join-group.ts'
import type { SyncGroupResponseInput } from '../../../protocol/apis/14-sync-group.ts'
import { ErrorCode } from '../../../protocol/error-codes.ts'
import { joinRefusal, syncRefusal } from './answers.ts'
import type { ClassicMember, JoinAnswer, MemberProtocol, SyncAnswer } from './member.ts'

const NO_MEMBERS: ReadonlyMap<string, ClassicMember> = new Map()
const NO_IDS: ReadonlySet<string> = new Set()

export class MemberTable {
  #byId: Map<string, ClassicMember> | undefined
  #idsByInstance: Map<string, string> | undefined
  /** How many members support a protocol, by its name. */
  #supporters: Map<string, number> | undefined
  #awaitingJoin = 0
  #pendingJoin: Set<string> | undefined
  #pendingSync: Set<string> | undefined

  get size(): number {
    return this.#byId === undefined ? 0 : this.#byId.size
  }

  /** Ids that were given out and have not come back yet. */
  get pendingJoin(): ReadonlySet<string> {
    return this.#pendingJoin ?? NO_IDS
  }

  /** Members of the present generation who have not synced yet. */
  get pendingSync(): ReadonlySet<string> {
    return this.#pendingSync ?? NO_IDS
  }

  /** The id was given out; `add` or `remove` ends that. */
  addPendingJoin(memberId: string): void {
    this.#pendingJoin ??= new Set()
    this.#pendingJoin.add(memberId)
  }

  addPendingSync(memberId: string): void {
    this.#pendingSync ??= new Set()
    this.#pendingSync.add(memberId)
  }

  /** @returns whether nobody's sync is awaited any more. */
  endPendingSync(memberId: string): boolean {
    this.#pendingSync?.delete(memberId)
    return this.pendingSync.size === 0
  }

  clearPendingSync(): void {
    this.#pendingSync = undefined
  }

  get awaitingJoin(): number {
    return this.#awaitingJoin
  }

  get(memberId: string): ClassicMember | undefined {
    return this.#byId?.get(memberId)
  }

  has(memberId: string): boolean {
    return this.#byId?.has(memberId) === true
  }

  /** In the order in which they came. */
  all(): IterableIterator<ClassicMember> {
    return (this.#byId ?? NO_MEMBERS).values()
  }

  first(): ClassicMember | undefined {
    return this.all().next().value
  }

  /** Id of the static member with that instance id. */
  idOfInstance(groupInstanceId: string): string | undefined {
    return this.#idsByInstance?.get(groupInstanceId)
  }

  /** The longest that any of them wants to be waited for. */
  get rebalanceTimeoutMs(): number {
    let longest = 0
    for (const member of this.all()) longest = Math.max(longest, member.rebalanceTimeoutMs)
    return longest
  }

  get haveAllJoined(): boolean {
    return this.#awaitingJoin === this.size && this.pendingJoin.size === 0
  }

  add(member: ClassicMember): void {
    assert(!this.has(member.memberId), 'a member is added once')
    if (member.groupInstanceId !== null) {
      this.#idsByInstance ??= new Map()
      assert(!this.#idsByInstance.has(member.groupInstanceId), 'an instance id belongs to one member')
      this.#idsByInstance.set(member.groupInstanceId, member.memberId)
    }
    this.#byId ??= new Map()
    this.#byId.set(member.memberId, member)
    this.#count(member, 1)
    this.#pendingJoin?.delete(member.memberId)
  }

  /** @returns the member, whose unanswered requests are now the caller's to answer. */
  remove(memberId: string): ClassicMember | undefined {
    this.#pendingJoin?.delete(memberId)
    this.#pendingSync?.delete(memberId)
    const member = this.get(memberId)
    if (member === undefined) return undefined
    this.#byId?.delete(memberId)
    this.#count(member, -1)
    if (member.join !== undefined) this.#awaitingJoin--
    if (member.groupInstanceId !== null) this.#idsByInstance?.delete(member.groupInstanceId)
    return member
  }

  /** What a member says of itself when it joins again. */
  update(
    member: ClassicMember,
    said: { protocols: readonly MemberProtocol[]; rebalanceTimeoutMs: number; sessionTimeoutMs: number },
  ): void {
    this.#count(member, -1)
    member.protocols = said.protocols
    this.#count(member, 1)
    member.rebalanceTimeoutMs = said.rebalanceTimeoutMs
    member.sessionTimeoutMs = said.sessionTimeoutMs
  }

  /** The member waits for the coming generation. */
  awaitJoin(member: ClassicMember, answer: JoinAnswer): void {
    this.answerJoin(member, joinRefusal(ErrorCode.REBALANCE_IN_PROGRESS, member.memberId))
    member.join = answer
    this.#awaitingJoin++
  }

  /** The member waits for its assignment. */
  awaitSync(member: ClassicMember, answer: SyncAnswer): void {
    this.answerSync(member, syncRefusal(ErrorCode.REBALANCE_IN_PROGRESS))
    member.sync = answer
  }

  /** @returns false when it does not wait for one. */
  answerJoin(member: ClassicMember, response: JoinGroupResponseInput): boolean {
    const answer = member.join
    if (answer === undefined) return false
    member.join = undefined
    if (this.get(member.memberId) === member) this.#awaitingJoin--
    answer(response)
    return true
  }

  /** @returns false when it does not wait for one. */
  answerSync(member: ClassicMember, response: SyncGroupResponseInput): boolean {
    const answer = member.sync
    if (answer === undefined) return false
    member.sync = undefined
    answer(response)
    return true
  }

  /** Whether all members support one of `names`. */
  supportAny(names: Iterable<string>): boolean {
    for (const name of names) if (this.#isSupportedByAll(name)) return true
    return false
  }

  /**
   * Each member votes for the one it prefers of those that all support. Of the most voted it is the first by name.
   * There must be members, and a protocol that they share.
   */
  selectProtocol(): string {
    const candidates = new Set<string>()
    for (const name of this.#supporters?.keys() ?? []) if (this.#isSupportedByAll(name)) candidates.add(name)
    const votes = new Map<string, number>()
    for (const member of this.all()) {
      const choice = member.vote(candidates)
      if (choice !== undefined) votes.set(choice, (votes.get(choice) ?? 0) + 1)
    }
    let selected: string | undefined
    for (const [name, count] of votes) {
      const most = selected === undefined ? 0 : (votes.get(selected) as number)
      if (count > most || (count === most && name < (selected as string))) selected = name
    }
    assert(selected !== undefined, 'members of a group share a protocol')
    return selected
  }

  #isSupportedByAll(name: string): boolean {
    return (this.#supporters?.get(name) ?? 0) === this.size
  }

  #count(member: ClassicMember, change: 1 | -1): void {
    this.#supporters ??= new Map()
    const supporters = this.#supporters
    for (const name of new Set(member.protocols.map(protocol => protocol.name))) {
      const count = (supporters.get(name) ?? 0) + change
      if (count === 0) supporters.delete(name)
      else supporters.set(name, count)
    }
  }
}
