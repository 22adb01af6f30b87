/**
 * Leading an epoch: begins it with a LeaderChange, stamps and appends what is proposed, moves the high watermark.
 *
 * Invariants: `end` is the predicted end of the log, `queued` the appends whose outcome is open, in order. A
 * refused append takes `end` back to its base and voids all later ones: the log refuses them too, since their
 * expected base is not its end.
 */

import type { KafkaErrorCode } from '../protocol/error-codes.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import type { RecordInput } from '../records/builder.ts'
import { buildBatch } from '../records/builder.ts'
import { kraftVersion, leaderChange, votersOf } from './control-records.ts'
import type { Opened, Raft, RaftEffect } from './raft.ts'

interface Queued {
  readonly ticket: number
  readonly base: number
}

export class Leader {
  /** First offset of this epoch. */
  readonly epochStart: number
  readonly #raft: Raft
  readonly #opened: Opened
  #end: number
  #tickets = 0
  #queued: Queued[] = []
  #leading = false

  constructor(raft: Raft, opened: Opened) {
    this.#raft = raft
    this.#opened = opened
    this.epochStart = opened.endOffset
    this.#end = opened.endOffset
  }

  /** Offset that the next record gets, if nothing is refused. */
  get end(): number {
    return this.#end
  }

  /** The first batch of the epoch, to be appended once the vote is stored. */
  begin(nowMs: number): RaftEffect {
    const { self } = this.#raft
    const { kraftVersion: version, voters, votersInLog } = this.#opened
    const records = [leaderChange(self.voterId, [self.voterId], [self.voterId])]
    const known = voters.find(voter => voter.voterId === self.voterId)
    // A voter of this directory stays as it was written: its end point is its controller's, and ours has none.
    if (version > 0 && !(votersInLog && known?.voterDirectoryId === self.voterDirectoryId)) {
      records.push(kraftVersion(version), votersOf([self]))
    }
    return { ...this.#append(records, nowMs, true), after: 'voteStored' }
  }

  propose(records: readonly Uint8Array[], expectedBase: number, nowMs: number): RaftEffect[] {
    if (expectedBase !== this.#end) {
      const text = `the next offset is ${this.#end}, not ${expectedBase}`
      return [{ type: 'reject', base: expectedBase, code: ErrorCode.UNKNOWN_SERVER_ERROR, text }]
    }
    const inputs = records.map(value => ({ key: null, value }))
    return [this.#append(inputs, nowMs, false)]
  }

  appended(ticket: number, end: number): void {
    const first = this.#queued[0]
    if (first?.ticket !== ticket) return
    this.#queued.shift()
    if (end > this.#end) this.#end = end
  }

  appendFailed(ticket: number, code: KafkaErrorCode, text: string): RaftEffect[] {
    const at = this.#queued.findIndex(queued => queued.ticket === ticket)
    if (at < 0) return []
    const { base } = this.#queued[at]!
    this.#queued.length = at
    this.#end = base
    if (base === this.epochStart) return this.#raft.stop(`the metadata log could not begin its epoch: ${text}`)
    return [{ type: 'reject', base, code, text }]
  }

  synced(end: number): RaftEffect[] {
    if (end <= this.epochStart || !this.#raft.commitTo(end)) return []
    const effects: RaftEffect[] = [{ type: 'commit', offset: end }]
    if (!this.#leading) {
      this.#leading = true
      effects.push({ type: 'lead', epoch: this.#raft.epoch, offset: end })
    }
    return effects
  }

  #append(records: readonly RecordInput[], nowMs: number, control: boolean): RaftEffect & { type: 'append' } {
    const base = this.#end
    const ticket = ++this.#tickets
    this.#queued.push({ ticket, base })
    this.#end = base + records.length
    const { epoch } = this.#raft
    const batch = buildBatch(records, { baseOffset: base, leaderEpoch: epoch, timestamp: BigInt(nowMs), control })
    return { type: 'append', ticket, expectedBase: base, epoch, batch }
  }
}
