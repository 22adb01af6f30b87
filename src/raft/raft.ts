/**
 * KRaft as a state machine: events in, effects out. No clock, no files, no promises; `driver.ts`
 * carries the effects out.
 *
 * Invariants: an epoch has at most one tenure, so every start begins a new one, and its vote is on disk before the
 * epoch's first record is appended (effects that must wait say so in `after`). Offsets are predicted here and checked
 * by the log; a refused append voids itself and everything proposed after it. The high watermark never falls and counts
 * what is synced, never what is merely written; it moves only once the epoch's own first record is synced.
 *
 * Roles and what leads where (one voter; a quorum adds follower and observer, and makes the middle two last longer):
 *
 *   resigned | unattached --opened--> prospective --> candidate --voteStored--> leader
 *   any --storeFailed | logFailed--> stopped
 */
import { assert } from '../base/assert.ts'
import type { KafkaErrorCode } from '../protocol/error-codes.ts'
import { campaign } from './candidate.ts'
import type { Voter, Voters } from './control-records.ts'
import type { Leader } from './leader.ts'
import type { ElectionState } from './quorum-state.ts'

export type Role = 'unattached' | 'resigned' | 'prospective' | 'candidate' | 'leader' | 'stopped'

const TRANSITIONS: Readonly<Record<Role, readonly Role[]>> = {
  unattached: ['prospective', 'stopped'],
  resigned: ['prospective', 'stopped'],
  prospective: ['candidate', 'stopped'],
  candidate: ['leader', 'stopped'],
  leader: ['stopped'],
  stopped: [],
}

/** What the log, the snapshots and the file quorum-state said at start. */
export interface Opened {
  readonly election: ElectionState | undefined
  readonly endOffset: number
  /** Epoch of the log's last batch; 0 when it has none. */
  readonly lastEpoch: number
  readonly kraftVersion: number
  readonly voters: Voters
  /** Whether the voters stand in the log (or a snapshot of it), not only in what formatting wrote. */
  readonly votersInLog: boolean
}

export type RaftEvent =
  | { readonly type: 'opened'; readonly opened: Opened; readonly nowMs: number }
  | { readonly type: 'voteStored' }
  | { readonly type: 'storeFailed'; readonly text: string }
  | {
      readonly type: 'propose'
      readonly records: readonly Uint8Array[]
      readonly expectedBase: number
      readonly nowMs: number
    }
  | { readonly type: 'appended'; readonly ticket: number; readonly end: number }
  | { readonly type: 'appendFailed'; readonly ticket: number; readonly code: KafkaErrorCode; readonly text: string }
  | { readonly type: 'synced'; readonly end: number }
  | { readonly type: 'logFailed'; readonly text: string }

export type RaftEffect =
  | { readonly type: 'storeVote'; readonly election: ElectionState }
  | {
      readonly type: 'append'
      readonly ticket: number
      readonly expectedBase: number
      readonly epoch: number
      readonly batch: Uint8Array
      /** Not before the vote of this epoch is on disk; dropped if that fails. */
      readonly after?: 'voteStored'
    }
  /** Everything below `offset` is committed. */
  | { readonly type: 'commit'; readonly offset: number }
  /** This node leads: its epoch has begun at `offset` and is committed. Follows the commit. */
  | { readonly type: 'lead'; readonly epoch: number; readonly offset: number }
  /** What was proposed at `base` and after it never happened. */
  | { readonly type: 'reject'; readonly base: number; readonly code: KafkaErrorCode; readonly text: string }
  /** Nothing more can be done: the reason. */
  | { readonly type: 'stop'; readonly text: string }

export class Raft {
  /** This node as a voter. */
  readonly self: Voter
  role: Role = 'unattached'
  epoch = 0
  /** -1: not known yet. */
  highWatermark = -1
  leader: Leader | undefined

  constructor(self: Voter) {
    this.self = self
  }

  step(event: RaftEvent): RaftEffect[] {
    switch (event.type) {
      case 'opened':
        return this.#open(event.opened, event.nowMs)
      case 'voteStored':
        this.become('leader')
        return []
      case 'storeFailed':
      case 'logFailed':
        return this.stop(event.text)
      case 'propose':
        if (this.role !== 'leader' || this.leader === undefined) return []
        return this.leader.propose(event.records, event.expectedBase, event.nowMs)
      case 'appended':
        this.leader?.appended(event.ticket, event.end)
        return []
      case 'appendFailed':
        return this.leader?.appendFailed(event.ticket, event.code, event.text) ?? []
      case 'synced':
        return this.role === 'leader' ? (this.leader?.synced(event.end) ?? []) : []
    }
  }

  become(role: Role): void {
    assert(TRANSITIONS[this.role].includes(role), `raft does not go from ${this.role} to ${role}`)
    this.role = role
  }

  /** Moves the high watermark; false when it is no move. */
  commitTo(offset: number): boolean {
    if (offset <= this.highWatermark) return false
    this.highWatermark = offset
    return true
  }

  stop(text: string): RaftEffect[] {
    if (this.role === 'stopped') return []
    this.become('stopped')
    return [{ type: 'stop', text }]
  }

  #open(opened: Opened, nowMs: number): RaftEffect[] {
    this.epoch = Math.max(opened.election?.epoch ?? 0, opened.lastEpoch)
    // A leader that comes back does not go on in its old epoch: the same offsets could then be
    // written twice in one epoch.
    if (opened.election?.leaderId === this.self.voterId) this.role = 'resigned'
    this.become('prospective')
    return campaign(this, opened, nowMs)
  }
}
