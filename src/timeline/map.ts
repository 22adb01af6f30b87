/** A map whose changes a `Timeline` can undo. Values are immutable, or timeline collections themselves. */
import type { Revertible, Timeline } from './timeline.ts'

export class TimelineMap<K, V extends NonNullable<unknown>> implements ReadonlyMap<K, V>, Revertible {
  readonly #timeline: Timeline
  readonly #entries = new Map<K, V>()

  constructor(timeline: Timeline) {
    this.#timeline = timeline
  }

  get size(): number {
    return this.#entries.size
  }

  get(key: K): V | undefined {
    return this.#entries.get(key)
  }

  has(key: K): boolean {
    return this.#entries.has(key)
  }

  set(key: K, value: V): this {
    const before = this.#entries.get(key)
    if (before === value) return this
    this.#timeline.remember(this, key, before)
    this.#entries.set(key, value)
    return this
  }

  /** @returns what it held. */
  delete(key: K): V | undefined {
    const before = this.#entries.get(key)
    if (before === undefined) return undefined
    this.#timeline.remember(this, key, before)
    this.#entries.delete(key)
    return before
  }

  clear(): void {
    for (const [key, value] of this.#entries) this.#timeline.remember(this, key, value)
    this.#entries.clear()
  }

  forEach(visit: (value: V, key: K, map: ReadonlyMap<K, V>) => void): void {
    for (const [key, value] of this.#entries) visit(value, key, this)
  }

  entries() {
    return this.#entries.entries()
  }

  keys() {
    return this.#entries.keys()
  }

  values() {
    return this.#entries.values()
  }

  [Symbol.iterator]() {
    return this.#entries[Symbol.iterator]()
  }

  /** @internal For the timeline. */
  restore(key: unknown, before: unknown): void {
    if (before === undefined) this.#entries.delete(key as K)
    else this.#entries.set(key as K, before as V)
  }
}
