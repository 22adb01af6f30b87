/**
 * Timers in the order in which they come due: a binary heap that can remove from its middle. Used by both hosts.
 *
 * Invariants: timers due at the same time fire in the order in which they were set; ids are
 * never 0 and never used twice.
 */
import type { TimerId } from './host.ts'

interface Entry {
  readonly atMs: number
  readonly id: TimerId
  readonly fire: () => void
  index: number
}

export class TimerQueue {
  readonly #heap: Entry[] = []
  readonly #byId = new Map<TimerId, Entry>()
  #lastId = 0

  get size(): number {
    return this.#heap.length
  }

  /** When the first timer comes due; undefined when there is none. */
  get headMs(): number | undefined {
    return this.#heap[0]?.atMs
  }

  add(atMs: number, fire: () => void): TimerId {
    const entry: Entry = { atMs, id: ++this.#lastId, fire, index: this.#heap.length }
    this.#heap.push(entry)
    this.#byId.set(entry.id, entry)
    this.#up(entry)
    return entry.id
  }

  /** Unknown ids (fired, cancelled) are ignored. */
  remove(id: TimerId): void {
    const entry = this.#byId.get(id)
    if (entry === undefined) return
    this.#byId.delete(id)
    const last = this.#heap.pop()
    if (last === undefined || last === entry) return
    this.#put(last, entry.index)
    this.#up(last)
    this.#down(last)
  }

  /** Takes out the first timer if it is due. */
  takeDue(nowMs: number): (() => void) | undefined {
    const head = this.#heap[0]
    if (head === undefined || head.atMs > nowMs) return undefined
    this.remove(head.id)
    return head.fire
  }

  #put(entry: Entry, index: number): void {
    entry.index = index
    this.#heap[index] = entry
  }

  #up(entry: Entry): void {
    while (entry.index > 0) {
      const parent = this.#heap[(entry.index - 1) >> 1] as Entry
      if (!before(entry, parent)) return
      const index = parent.index
      this.#put(parent, entry.index)
      this.#put(entry, index)
    }
  }

  #down(entry: Entry): void {
    for (;;) {
      const left = this.#heap[2 * entry.index + 1]
      const right = this.#heap[2 * entry.index + 2]
      const child = right !== undefined && left !== undefined && before(right, left) ? right : left
      if (child === undefined || !before(child, entry)) return
      const index = child.index
      this.#put(child, entry.index)
      this.#put(entry, index)
    }
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.id < b.id)
}
