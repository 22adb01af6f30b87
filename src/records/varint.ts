/** Zigzag varints, as records inside a batch use them. */

export interface Cursor {
  readonly bytes: Uint8Array
  at: number
}

/** An int32. undefined: the bytes end, or it is longer than five bytes. */
export function readVarint(cursor: Cursor): number | undefined {
  const { bytes } = cursor
  let value = 0
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = bytes[cursor.at]
    if (byte === undefined) return undefined
    cursor.at++
    value |= (byte & 0x7f) << shift
    if (byte < 0x80) return (value >>> 1) ^ -(value & 1)
  }
  return undefined
}

/** An int64. undefined: the bytes end, or it is longer than ten bytes. */
export function readVarlong(cursor: Cursor): bigint | undefined {
  const { bytes } = cursor
  const first = bytes[cursor.at]
  if (first !== undefined && first < 0x80) {
    cursor.at++
    return BigInt((first >>> 1) ^ -(first & 1))
  }
  let value = 0n
  for (let shift = 0n; shift < 70n; shift += 7n) {
    const byte = bytes[cursor.at]
    if (byte === undefined) return undefined
    cursor.at++
    value |= BigInt(byte & 0x7f) << shift
    if (byte < 0x80) {
      const unsigned = BigInt.asUintN(64, value)
      return BigInt.asIntN(64, (unsigned >> 1n) ^ -(unsigned & 1n))
    }
  }
  return undefined
}

export function varintBytes(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0
  return zigzag < 0x80 ? 1 : zigzag < 0x4000 ? 2 : zigzag < 0x200000 ? 3 : zigzag < 0x10000000 ? 4 : 5
}

export function varlongBytes(value: bigint): number {
  let zigzag = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
  let bytes = 1
  for (; zigzag >= 0x80n; zigzag >>= 7n) bytes++
  return bytes
}

/** Returns the position after it. */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let zigzag = ((value << 1) ^ (value >> 31)) >>> 0
  for (; zigzag >= 0x80; zigzag >>>= 7) bytes[at++] = zigzag | 0x80
  bytes[at++] = zigzag
  return at
}

/** Returns the position after it. */
export function writeVarlong(bytes: Uint8Array, at: number, value: bigint): number {
  let zigzag = BigInt.asUintN(64, (value << 1n) ^ (value >> 63n))
  for (; zigzag >= 0x80n; zigzag >>= 7n) bytes[at++] = Number(zigzag & 0x7fn) | 0x80
  bytes[at++] = Number(zigzag)
  return at
}
