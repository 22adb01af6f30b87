/**
 * The timers of members: each fences its member unless it is cancelled or set again.
 *
 * Invariants: a timer outlives nothing by mistake: when it comes due it looks whether the group and the member are
 * there, so it need not be cancelled before the change that makes it needless is committed.
 */
import type { CoordinatorTimers, Outcome } from '../../shard.ts'
import type { GroupRecord } from '../records.ts'

/** Fences a member if there is one; `epoch`: only if it is still there. */
export type FenceMember = (groupId: string, memberId: string, why: string, epoch?: number) => Outcome<GroupRecord, void>

export class MemberTimers {
  readonly #timers: CoordinatorTimers<GroupRecord>
  readonly #fence: FenceMember

  constructor(timers: CoordinatorTimers<GroupRecord>, fence: FenceMember) {
    this.#timers = timers
    this.#fence = fence
  }

  /** The member is heard of; it has to be again. */
  startSession(groupId: string, memberId: string, timeoutMs: number): void {
    const session = key('session', groupId, memberId)
    // Each heartbeat comes here: nothing is made that outlives it.
    if (this.#timers.putOff(session, timeoutMs)) return
    this.#timers.schedule(session, timeoutMs, () => this.#fence(groupId, memberId, 'its session expired'))
  }

  /** The member has to give up partitions, and so leave its epoch. */
  startRebalance(groupId: string, memberId: string, epoch: number, timeoutMs: number): void {
    const fence = () => this.#fence(groupId, memberId, `it did not give up its partitions in ${timeoutMs} ms`, epoch)
    this.#timers.schedule(key('rebalance', groupId, memberId), timeoutMs, fence)
  }

  endRebalance(groupId: string, memberId: string): void {
    this.#timers.cancel(key('rebalance', groupId, memberId))
  }

  /** A member of the classic protocol was told to join again. */
  startJoin(groupId: string, memberId: string, timeoutMs: number): void {
    const fence = () => this.#fence(groupId, memberId, `it did not join again in ${timeoutMs} ms`)
    this.#timers.scheduleIfAbsent(key('join', groupId, memberId), timeoutMs, fence)
  }

  endJoin(groupId: string, memberId: string): void {
    this.#timers.cancel(key('join', groupId, memberId))
  }

  /** A member of the classic protocol has joined and has to sync. */
  startSync(groupId: string, memberId: string, timeoutMs: number): void {
    const fence = () => this.#fence(groupId, memberId, `it did not sync in ${timeoutMs} ms`)
    this.#timers.schedule(key('sync', groupId, memberId), timeoutMs, fence)
  }

  endSync(groupId: string, memberId: string): void {
    this.#timers.cancel(key('sync', groupId, memberId))
  }

  cancelAll(groupId: string, memberId: string): void {
    for (const kind of kinds) this.#timers.cancel(key(kind, groupId, memberId))
  }
}

const kinds = ['session', 'rebalance', 'join', 'sync'] as const

/** The length makes it plain where the group id ends. */
function key(kind: (typeof kinds)[number], groupId: string, memberId: string): string {
  return `consumer-${kind}:${groupId.length}:${groupId}${memberId}`
}
