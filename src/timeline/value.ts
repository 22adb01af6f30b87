/** One value whose changes a `Timeline` can undo; the value itself is immutable. */
import type { Revertible, Timeline } from './timeline.ts'

export class TimelineValue<V> implements Revertible {
  readonly #timeline: Timeline
  #value: V

  constructor(timeline: Timeline, first: V) {
    this.#timeline = timeline
    this.#value = first
  }

  get value(): V {
    return this.#value
  }

  set value(value: V) {
    if (value === this.#value) return
    this.#timeline.remember(this, undefined, this.#value)
    this.#value = value
  }

  /** @internal For the timeline. */
  restore(_key: unknown, before: unknown): void {
    this.#value = before as V
  }
}
