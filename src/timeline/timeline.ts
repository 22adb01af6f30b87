/**
 * What was done to a coordinator's state and is not committed yet, so that it can be undone. The collections of this
 * room write here what each change replaced; one timeline serves all collections of one state machine.
 *
 * Invariants: `revertTo` undoes changes in the opposite order of their making, so the state is exactly what it was at
 * the mark (the order of entries in a map may differ: nothing may depend on it). A mark is valid until a revert to an
 * earlier one, or until `forget` has passed it. What is committed costs nothing: only pending changes are remembered.
 * State is read as it stands, uncommitted changes included; who must not see those waits until they are committed.
 */
import { assert } from '../base/assert.ts'

/** A place between two changes; grows with each change. */
export type Mark = number

/** A collection that can take back one change. */
export interface Revertible {
  /** @internal Puts back what `key` held before the change; `undefined` stands for nothing. */
  restore(key: unknown, before: unknown): void
}

/** Undone or forgotten entries before the first live one that are kept before the arrays are cut. */
const CUT_AT = 1024

export class Timeline {
  #targets: (Revertible | undefined)[] = []
  #keys: unknown[] = []
  #befores: unknown[] = []
  /** Index of the oldest entry that can still be undone. */
  #head = 0
  /** Mark of index 0. */
  #base: Mark = 0

  /** The present place. */
  get mark(): Mark {
    return this.#base + this.#targets.length
  }

  /** Changes that can be undone. */
  get pending(): number {
    return this.#targets.length - this.#head
  }

  /** @internal A collection is about to change `key`, which holds `before` (undefined: nothing). */
  remember(target: Revertible, key: unknown, before: unknown): void {
    this.#targets.push(target)
    this.#keys.push(key)
    this.#befores.push(before)
  }

  /** Undoes everything after `mark`. */
  revertTo(mark: Mark): void {
    const length = mark - this.#base
    assert(length >= this.#head && length <= this.#targets.length, 'only what is not forgotten can be reverted')
    while (this.#targets.length > length) {
      const target = this.#targets.pop() as Revertible
      target.restore(this.#keys.pop(), this.#befores.pop())
    }
  }

  /** Everything before `mark` is committed and stays. */
  forget(mark: Mark): void {
    const head = mark - this.#base
    assert(head >= this.#head && head <= this.#targets.length, 'what is committed was done before')
    if (head === this.#targets.length) {
      this.#base = mark
      this.#targets.length = 0
      this.#keys.length = 0
      this.#befores.length = 0
      this.#head = 0
      return
    }
    for (let at = this.#head; at < head; at++) {
      this.#targets[at] = undefined
      this.#keys[at] = undefined
      this.#befores[at] = undefined
    }
    this.#head = head
    if (head >= CUT_AT && head * 2 >= this.#targets.length) this.#cut()
  }

  #cut(): void {
    this.#base += this.#head
    this.#targets.splice(0, this.#head)
    this.#keys.splice(0, this.#head)
    this.#befores.splice(0, this.#head)
    this.#head = 0
  }
}
