/**
 * Who waits for an offset of one partition: delayed produce requests, and whoever must not answer before the high
 * watermark has reached the end it saw. Pure data structure; `partition.ts` owns one.
 *
 * Invariants: entries leave in offset order, those of one offset in arrival order; each entry is completed exactly
 * once, by `release` or by `failAll`. Appends complete in offset order, so nearly every `add` goes to the tail in O(1);
 * only a duplicate's (older) offset walks back.
 */
import type { KafkaErrorCode } from '../protocol/error-codes.ts'

export interface OffsetWaiter {
  /** Completed once the high watermark is at least this. */
  readonly untilOffset: number
  /** `code` 0: the offset was reached; otherwise why it never will be. */
  reached(code: KafkaErrorCode): void
}

/** Slots before the head that are kept before the array is cut: bounds the garbage and the copying. */
const CUT_AT = 1024

export class OffsetWaiters {
  #entries: (OffsetWaiter | undefined)[] = []
  #head = 0

  get size(): number {
    return this.#entries.length - this.#head
  }

  add(waiter: OffsetWaiter): void {
    const entries = this.#entries
    let at = entries.length
    while (at > this.#head && (entries[at - 1] as OffsetWaiter).untilOffset > waiter.untilOffset) at--
    if (at === entries.length) entries.push(waiter)
    else entries.splice(at, 0, waiter)
  }

  /** Completes every waiter at or below `offset`. A waiter added meanwhile waits for the next call. */
  release(offset: number): void {
    const entries = this.#entries
    const end = entries.length
    while (this.#head < end) {
      const waiter = entries[this.#head] as OffsetWaiter
      if (waiter.untilOffset > offset) break
      entries[this.#head++] = undefined
      waiter.reached(0)
    }
    if (this.#head === entries.length) {
      this.#entries = entries.length > CUT_AT ? [] : entries
      this.#entries.length = 0
      this.#head = 0
    } else if (this.#head >= CUT_AT && this.#head * 2 >= entries.length) {
      entries.splice(0, this.#head)
      this.#head = 0
    }
  }

  /** Completes every waiter with `code`; for a lost leadership, a deleted topic or a failed directory. */
  failAll(code: KafkaErrorCode): void {
    const waiting = this.#entries.slice(this.#head)
    this.#entries = []
    this.#head = 0
    for (const waiter of waiting) (waiter as OffsetWaiter).reached(code)
  }
}
