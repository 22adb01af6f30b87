/**
 * XXH3, 64 bits, seed 0: the hash by which consumer groups notice that their topics changed. The value lies in the log, so
 * it is the same as everyone else's. For a few kilobytes now and then: it reckons with bigints.
 */

const PRIME32_1 = 0x9e3779b1n
const PRIME32_2 = 0x85ebca77n
const PRIME32_3 = 0xc2b2ae3dn
const PRIME64_1 = 0x9e3779b185ebca87n
const PRIME64_2 = 0xc2b2ae3d27d4eb4fn
const PRIME64_3 = 0x165667b19e3779f9n
const PRIME64_4 = 0x85ebca77c2b2ae63n
const PRIME64_5 = 0x27d4eb2f165667c5n
const PRIME_MX1 = 0x165667919e3779f9n
const PRIME_MX2 = 0x9fb21c651e98df25n

const STRIPE = 64
const SECRET_STEP = 8
const MID_SIZE_MAX = 240

const secret = view(
  fromHex(
    'b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221b8084674f743248e' +
      'e03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8a8fa763fe39c343ff9dcbbc7c70b4f1d8a' +
      '51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8f' +
      'f8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e',
  ),
)
const STRIPES_PER_BLOCK = (secret.byteLength - STRIPE) / SECRET_STEP
const BLOCK = STRIPE * STRIPES_PER_BLOCK

/** @returns an unsigned 64-bit number. */
export function xxh3(bytes: Uint8Array): bigint {
  const input = view(bytes)
  const { length } = bytes
  if (length > MID_SIZE_MAX) return long(input)
  if (length > 128) return middle(input)
  if (length > 16) return short(input)
  if (length > 8) return upTo16(input)
  if (length >= 4) return upTo8(input)
  if (length > 0) return upTo3(input)
  return avalanche64(read(secret, 56) ^ read(secret, 64))
}

function upTo3(input: DataView): bigint {
  const { byteLength: length } = input
  const middleByte = input.getUint8(length >> 1)
  const combined = ((input.getUint8(0) << 16) | (middleByte << 24) | input.getUint8(length - 1) | (length << 8)) >>> 0
  return avalanche64(BigInt((combined ^ secret.getUint32(0, true) ^ secret.getUint32(4, true)) >>> 0))
}

function upTo8(input: DataView): bigint {
  const { byteLength: length } = input
  const first = BigInt(input.getUint32(0, true))
  const last = BigInt(input.getUint32(length - 4, true))
  let hash = (last + (first << 32n)) ^ read(secret, 8) ^ read(secret, 16)
  hash ^= rotateLeft(hash, 49n) ^ rotateLeft(hash, 24n)
  hash = wrap(hash * PRIME_MX2)
  hash ^= (hash >> 35n) + BigInt(length)
  hash = wrap(hash * PRIME_MX2)
  return hash ^ (hash >> 28n)
}

function upTo16(input: DataView): bigint {
  const { byteLength: length } = input
  const low = read(input, 0) ^ read(secret, 24) ^ read(secret, 32)
  const high = read(input, length - 8) ^ read(secret, 40) ^ read(secret, 48)
  return avalanche(wrap(BigInt(length) + swapBytes(low) + high + foldedProduct(low, high)))
}

function short(input: DataView): bigint {
  const { byteLength: length } = input
  let sum = BigInt(length) * PRIME64_1
  for (let step = (length - 1) >> 5; step >= 0; step--) {
    sum += mix(input, step * 16, step * 32) + mix(input, length - (step + 1) * 16, step * 32 + 16)
  }
  return avalanche(wrap(sum))
}

function middle(input: DataView): bigint {
  const { byteLength: length } = input
  let sum = BigInt(length) * PRIME64_1
  for (let round = 0; round < 8; round++) sum += mix(input, round * 16, round * 16)
  sum = avalanche(wrap(sum)) + mix(input, length - 16, 136 - 17)
  for (let round = 8; round < length >> 4; round++) sum += mix(input, round * 16, (round - 8) * 16 + 3)
  return avalanche(wrap(sum))
}

function long(input: DataView): bigint {
  const { byteLength: length } = input
  const lanes = BigUint64Array.of(
    PRIME32_3,
    PRIME64_1,
    PRIME64_2,
    PRIME64_3,
    PRIME64_4,
    PRIME32_2,
    PRIME64_5,
    PRIME32_1,
  )
  for (let at = 0; at + STRIPE < length; at += STRIPE) {
    accumulate(lanes, input, at, ((at / STRIPE) % STRIPES_PER_BLOCK) * SECRET_STEP)
    if ((at + STRIPE) % BLOCK === 0) scramble(lanes)
  }
  accumulate(lanes, input, length - STRIPE, secret.byteLength - STRIPE - 7)
  let hash = wrap(BigInt(length) * PRIME64_1)
  for (let pair = 0; pair < 4; pair++) {
    const key = 11 + pair * 16
    hash += foldedProduct(lanes[pair * 2]! ^ read(secret, key), lanes[pair * 2 + 1]! ^ read(secret, key + 8))
  }
  return avalanche(wrap(hash))
}

function accumulate(lanes: BigUint64Array, input: DataView, at: number, key: number): void {
  for (let lane = 0; lane < 8; lane++) {
    const value = read(input, at + lane * 8)
    const keyed = value ^ read(secret, key + lane * 8)
    lanes[lane ^ 1]! += value
    lanes[lane]! += (keyed & 0xffffffffn) * (keyed >> 32n)
  }
}

function scramble(lanes: BigUint64Array): void {
  for (let lane = 0; lane < 8; lane++) {
    const value = lanes[lane]!
    lanes[lane] = (value ^ (value >> 47n) ^ read(secret, secret.byteLength - STRIPE + lane * 8)) * PRIME32_1
  }
}

function mix(input: DataView, at: number, key: number): bigint {
  return foldedProduct(read(input, at) ^ read(secret, key), read(input, at + 8) ^ read(secret, key + 8))
}

/** The 128 bits of a product, one half over the other. */
function foldedProduct(left: bigint, right: bigint): bigint {
  const product = left * right
  return wrap(product) ^ (product >> 64n)
}

function avalanche(hash: bigint): bigint {
  hash ^= hash >> 37n
  hash = wrap(hash * PRIME_MX1)
  return hash ^ (hash >> 32n)
}

function avalanche64(hash: bigint): bigint {
  hash ^= hash >> 33n
  hash = wrap(hash * PRIME64_2)
  hash ^= hash >> 29n
  hash = wrap(hash * PRIME64_3)
  return hash ^ (hash >> 32n)
}

function rotateLeft(value: bigint, bits: bigint): bigint {
  return wrap(value << bits) | (value >> (64n - bits))
}

function swapBytes(value: bigint): bigint {
  const bytes = new DataView(new ArrayBuffer(8))
  bytes.setBigUint64(0, value)
  return read(bytes, 0)
}

function wrap(value: bigint): bigint {
  return BigInt.asUintN(64, value)
}

function read(from: DataView, at: number): bigint {
  return from.getBigUint64(at, true)
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function fromHex(text: string): Uint8Array {
  return Uint8Array.from({ length: text.length / 2 }, (_, index) =>
    Number.parseInt(text.slice(index * 2, index * 2 + 2), 16),
  )
}
