/** What a killed program has appended, and how to know it again. */

/** Small segments, so that a kill meets rolls too. */
export const settings = { 'segment.bytes': 1 << 20, 'index.interval.bytes': 512 }

/** The value at an offset: its length and its bytes follow from it. */
export function valueAt(offset: number): Uint8Array {
  const length = offset % 97 === 0 ? 20_000 : (offset * 7919) % 300
  const value = new Uint8Array(length).fill(offset)
  if (length >= 8) new DataView(value.buffer).setFloat64(0, offset)
  return value
}
