/**
 * How many bytes stand before each batch end above the high watermark, until that passes it. Pure data structure;
 * `limits.ts` owns one while it has any.
 *
 * Invariant: ends ascend.
 */
export class Marks {
  // Nearly always there is one.
  #end = -1
  #bytes = 0
  #laterEnds: number[] | undefined
  #laterBytes: number[] | undefined

  get size(): number {
    return (this.#end < 0 ? 0 : 1) + (this.#laterEnds?.length ?? 0)
  }

  add(end: number, bytes: number): void {
    if (this.#end < 0) {
      this.#end = end
      this.#bytes = bytes
      return
    }
    this.#laterEnds ??= []
    this.#laterBytes ??= []
    this.#laterEnds.push(end)
    this.#laterBytes.push(bytes)
  }

  /** Forgets the ends at or below `limit`. @returns the bytes of the last of them, undefined when there was none. */
  drop(limit: number): number | undefined {
    if (this.#end < 0 || this.#end > limit) return undefined
    let bytes = this.#bytes
    const ends = this.#laterEnds ?? []
    const counters = this.#laterBytes ?? []
    let passed = 0
    while (passed < ends.length && (ends[passed] as number) <= limit) bytes = counters[passed++] as number
    this.#end = ends[passed] ?? -1
    this.#bytes = counters[passed] ?? 0
    ends.splice(0, passed + 1)
    counters.splice(0, passed + 1)
    return bytes
  }
}
