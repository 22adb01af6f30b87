/**
 * Values of durable appends that are asked for within one job of the event loop: packed behind one another, so that one
 * call of the engine writes them all.
 *
 * Invariants: values are copied as they come. `take` empties it; its memory is used again.
 */

/** Longer values are appended by themselves: a copy would cost more than the call that it spares. */
export const GATHERED_VALUE_BYTES = 16 << 10
const FIRST_BYTES = 64 << 10
const MOST_BYTES = 1 << 20
const encoder = new TextEncoder()

/** Who waits for the disk, and with what it is answered. */
export interface Waiter {
  offset: number
  resolve(offset: number): void
  reject(error: unknown): void
}

export interface Taken {
  /** Holds until the next `add`. */
  readonly packed: Uint8Array
  readonly ends: Uint32Array
  readonly waiters: readonly Waiter[]
}

export class Gathered {
  #packed = new Uint8Array(0)
  #length = 0
  #ends: number[] = []
  #waiters: Waiter[] = []

  get count(): number {
    return this.#waiters.length
  }

  get isFull(): boolean {
    return this.#length >= MOST_BYTES
  }

  /** At most `GATHERED_VALUE_BYTES` bytes or UTF-16 units. */
  add(value: Uint8Array | string, waiter: Waiter): void {
    // Three bytes of UTF-8 for each unit at most.
    this.#reserve(typeof value === 'string' ? 3 * value.length : value.length)
    if (typeof value === 'string') {
      this.#length += encoder.encodeInto(value, this.#packed.subarray(this.#length)).written
    } else {
      this.#packed.set(value, this.#length)
      this.#length += value.length
    }
    this.#ends.push(this.#length)
    this.#waiters.push(waiter)
  }

  take(): Taken {
    const taken = {
      packed: this.#packed.subarray(0, this.#length),
      ends: Uint32Array.from(this.#ends),
      waiters: this.#waiters,
    }
    this.#length = 0
    this.#ends = []
    this.#waiters = []
    return taken
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes
    if (needed <= this.#packed.length) return
    const larger = new Uint8Array(Math.max(FIRST_BYTES, 2 * this.#packed.length, needed))
    larger.set(this.#packed.subarray(0, this.#length))
    this.#packed = larger
  }
}
