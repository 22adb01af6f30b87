/**
 * Time limits of requests that wait. One runtime timer for all that have the same limit: they expire in the order in
 * which they were added, so a list per limit is sorted by itself and adding and removing are O(1).
 *
 * Invariants: an entry is in at most one list; `expired` is called at most once for each `add`, at or after its time,
 * and never after `remove`.
 */
import type { Host, TimerId } from '../host/host.ts'

/** So many lists may stand empty, their timer running out. */
const KEPT_LISTS = 64

/** What waits: one object per request, extended by the operation itself. */
export abstract class Deadline {
  /** @internal Links and time of the list that holds it. */
  list: DeadlineList | undefined
  previous: Deadline | undefined
  next: Deadline | undefined
  atMs = 0

  abstract expired(): void
}

class DeadlineList {
  readonly limitMs: number
  first: Deadline | undefined
  last: Deadline | undefined
  timer: TimerId = 0

  constructor(limitMs: number) {
    this.limitMs = limitMs
  }
}

export class Deadlines {
  readonly #host: Host
  readonly #lists = new Map<number, DeadlineList>()

  constructor(host: Host) {
    this.#host = host
  }

  add(entry: Deadline, limitMs: number): void {
    let list = this.#lists.get(limitMs)
    if (list === undefined) {
      list = new DeadlineList(limitMs)
      this.#lists.set(limitMs, list)
    }
    entry.list = list
    entry.atMs = this.#host.clock.monotonicMs() + limitMs
    entry.previous = list.last
    entry.next = undefined
    if (list.last === undefined) list.first = entry
    else list.last.next = entry
    list.last = entry
    if (list.timer === 0) this.#arm(list)
  }

  remove(entry: Deadline): void {
    const list = entry.list
    if (list === undefined) return
    if (entry.previous === undefined) list.first = entry.next
    else entry.previous.next = entry.next
    if (entry.next === undefined) list.last = entry.previous
    else entry.next.previous = entry.previous
    entry.list = entry.previous = entry.next = undefined
    // Clients choose the limits: lists that nobody uses are not kept for as long as the limit lasts.
    if (list.first === undefined && this.#lists.size > KEPT_LISTS) this.#drop(list)
  }

  #drop(list: DeadlineList): void {
    if (list.timer !== 0) this.#host.timers.cancel(list.timer)
    list.timer = 0
    if (this.#lists.get(list.limitMs) === list) this.#lists.delete(list.limitMs)
  }

  /** Ends every timer; nothing expires any more. */
  close(): void {
    for (const list of [...this.#lists.values()]) this.#drop(list)
  }

  #arm(list: DeadlineList): void {
    const head = list.first as Deadline
    list.timer = this.#host.timers.at(head.atMs, () => {
      list.timer = 0
      const now = this.#host.clock.monotonicMs()
      for (let entry = list.first; entry !== undefined && entry.atMs <= now; entry = list.first) {
        this.remove(entry)
        entry.expired()
      }
      if (list.first !== undefined) {
        if (list.timer === 0) this.#arm(list)
      } else if (list.timer === 0) this.#drop(list)
    })
  }
}
