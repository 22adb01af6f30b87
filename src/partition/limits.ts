/**
 * How far a replica reaches, and how far it may be read: log start, end, high watermark, last stable offset.
 *
 * Invariant: log start <= last stable offset <= high watermark <= log end, asserted by `advance`.
 *
 * Last stable offset: the smallest of the high watermark, the first offset of the oldest open transaction, and the
 * first offset of each closed transaction whose marker is not yet below the high watermark.
 */
import { assert } from '../base/assert.ts'
import type { Appended, Log } from '../log/log.ts'
import { Marks } from './marks.ts'

export class Limits {
  start = 0
  end = 0
  highWatermark = 0
  lastStableOffset = 0
  /** Bytes ever appended up to the high watermark. */
  bytesToHighWatermark = 0
  #oldestOpenTransaction = -1

  // What an idle partition has none of.

  /** Bytes ever appended up to each batch end above the high watermark. */
  #marks: Marks | undefined
  /** Closed transactions whose marker is at or above the high watermark: first offset, and the end of the marker. */
  #closedTransactions: { first: number; markerEnd: number }[] | undefined

  /** Of a log that was opened. */
  attach(log: Log): void {
    this.start = log.startOffset
    this.end = log.endOffset
    this.highWatermark = Math.min(Math.max(log.opened.highWatermark, this.start), this.end)
    this.lastStableOffset = this.highWatermark
    this.#count(log)
  }

  /** `log` has the same records and takes the place of the present one. */
  replace(log: Log): void {
    assert(log.endOffset === this.end, 'a replica that takes the place of another ends where that does')
    this.start = Math.max(this.start, log.startOffset)
    this.#marks = undefined
    this.#count(log)
  }

  #count({ opened }: Log): void {
    this.#oldestOpenTransaction = opened.oldestOpenTransaction
    this.bytesToHighWatermark = opened.bytesEnd
    if (this.highWatermark < this.end) this.#mark(this.end, opened.bytesEnd)
  }

  /** A batch was written. */
  append(result: Appended): void {
    assert(result.end > this.end, 'an append moves the end forward')
    this.end = result.end
    this.start = Math.max(this.start, result.logStart)
    this.#oldestOpenTransaction = result.oldestOpenTransaction
    if (result.closedTransactionFirst >= 0)
      (this.#closedTransactions ??= []).push({ first: result.closedTransactionFirst, markerEnd: result.end })
    this.#mark(result.end, result.bytesEnd)
  }

  /** The high watermark may be `highWatermark`, if that is not less than it was. */
  advance(highWatermark: number): void {
    if (highWatermark > this.highWatermark) {
      this.highWatermark = highWatermark
      this.#dropMarks()
    }
    this.lastStableOffset = this.#stable()
    assert(
      this.start <= this.lastStableOffset &&
        this.lastStableOffset <= this.highWatermark &&
        this.highWatermark <= this.end,
      'log start <= last stable offset <= high watermark <= log end',
    )
  }

  #mark(end: number, bytesEnd: number): void {
    this.#marks ??= new Marks()
    this.#marks.add(end, bytesEnd)
  }

  #dropMarks(): void {
    const marks = this.#marks
    if (marks === undefined) return
    this.bytesToHighWatermark = marks.drop(this.highWatermark) ?? this.bytesToHighWatermark
    if (marks.size === 0) this.#marks = undefined
  }

  #stable(): number {
    let stable = this.highWatermark
    if (this.#oldestOpenTransaction >= 0) stable = Math.min(stable, this.#oldestOpenTransaction)
    if (this.#closedTransactions !== undefined) {
      const closed = this.#closedTransactions.filter(each => each.markerEnd > this.highWatermark)
      for (const { first } of closed) stable = Math.min(stable, first)
      this.#closedTransactions = closed.length === 0 ? undefined : closed
    }
    return Math.max(stable, this.start)
  }
}
