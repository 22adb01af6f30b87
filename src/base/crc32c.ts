/**
 * CRC-32C (Castagnoli), eight bytes at a time over tables. For the small batches that TypeScript builds: metadata,
 * coordinators, tests. A client's batch is checked by the engine.
 */

const TABLES = makeTables()

function makeTables(): Uint32Array[] {
  const first = new Uint32Array(256)
  for (let i = 0; i < 256; i++) {
    let value = i
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1
    first[i] = value >>> 0
  }
  const tables = [first]
  for (let table = 1; table < 8; table++) {
    const before = tables[table - 1]!
    tables.push(before.map(value => ((value >>> 8) ^ first[value & 255]!) >>> 0))
  }
  return tables
}

const [T0, T1, T2, T3, T4, T5, T6, T7] = TABLES as [
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
]

/** CRC-32C of `bytes[from, to)`, an unsigned 32-bit number. */
export function crc32c(bytes: Uint8Array, from = 0, to = bytes.length): number {
  let crc = 0xffffffff
  let at = from
  for (; at + 8 <= to; at += 8) {
    crc =
      T7[(crc ^ bytes[at]!) & 255]! ^
      T6[((crc >>> 8) ^ bytes[at + 1]!) & 255]! ^
      T5[((crc >>> 16) ^ bytes[at + 2]!) & 255]! ^
      T4[((crc >>> 24) ^ bytes[at + 3]!) & 255]! ^
      T3[bytes[at + 4]!]! ^
      T2[bytes[at + 5]!]! ^
      T1[bytes[at + 6]!]! ^
      T0[bytes[at + 7]!]!
  }
  for (; at < to; at++) crc = T0[(crc ^ bytes[at]!) & 255]! ^ (crc >>> 8)
  return (crc ^ 0xffffffff) >>> 0
}
