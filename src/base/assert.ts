/**
 * Assertions about our own state. A failed one is a defect of this library, never bad input: bad input is answered with
 * an error value.
 *
 * Kept in production: each costs a comparison, and a broken invariant must not reach the disk.
 */

/** @throws Error naming the broken invariant. */
export function assert(condition: boolean, invariant: string): asserts condition {
  if (!condition) throw new Error(`broken invariant: ${invariant}`)
}
