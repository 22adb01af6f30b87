/**
 * Small caches from bytes to the strings they spell, so that the names and ids which come with every request are one
 * object each and cost no allocation, and from ids back to their bytes. Direct-mapped and of fixed size: what a
 * stranger sends can only push entries out.
 */
import { uuidFromBytes, uuidToBytes } from '../base/uuid.ts'

const SLOTS = 512
const LONGEST = 128
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

const strings: string[] = new Array(SLOTS).fill('')

/** `length` bytes of UTF-8 from `at`; malformed sequences become U+FFFD. The caller has checked that they are there. */
export function internedString(bytes: Uint8Array, at: number, length: number): string {
  if (length === 0) return ''
  if (length > LONGEST) return decoder.decode(bytes.subarray(at, at + length))
  let hash = length
  for (let index = at; index < at + length; index++) hash = (Math.imul(hash, 31) + bytes[index]!) | 0
  const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1)
  const known = strings[slot]!
  if (known.length === length && spells(known, bytes, at)) return known
  const text = decoder.decode(bytes.subarray(at, at + length))
  // Only one character a byte: a longer form would never be found again by `spells`.
  if (text.length === length) strings[slot] = text
  return text
}

function spells(text: string, bytes: Uint8Array, at: number): boolean {
  for (let index = 0; index < text.length; index++) {
    if (text.charCodeAt(index) !== bytes[at + index]) return false
  }
  return true
}

const words = new Int32Array(SLOTS * 4)
const uuids: string[] = new Array(SLOTS).fill('')

/** The UUID in the 16 bytes from `at`. The caller has checked that they are there. */
export function internedUuid(bytes: Uint8Array, at: number): string {
  const a = word(bytes, at)
  const b = word(bytes, at + 4)
  const c = word(bytes, at + 8)
  const d = word(bytes, at + 12)
  const mixed = Math.imul(a ^ Math.imul(b, 31) ^ Math.imul(c, 17) ^ d, 0x9e3779b1)
  const slot = mixed >>> 23
  const base = slot * 4
  const known = uuids[slot]!
  if (known !== '' && words[base] === a && words[base + 1] === b && words[base + 2] === c && words[base + 3] === d) {
    return known
  }
  const text = uuidFromBytes(bytes, at)
  words[base] = a
  words[base + 1] = b
  words[base + 2] = c
  words[base + 3] = d
  uuids[slot] = text
  return text
}

const spelled: string[] = new Array(SLOTS).fill('')
const spelledBytes = new Uint8Array(SLOTS * 16)

/** Writes the 16 bytes of a UUID at `at` of `target`. Throws a TypeError when `text` is none. */
export function putInternedUuid(target: Uint8Array, at: number, text: string): void {
  const mixed = text.charCodeAt(1) ^ (text.charCodeAt(3) << 2) ^ (text.charCodeAt(12) << 4) ^ (text.charCodeAt(20) << 3)
  const slot = mixed & (SLOTS - 1)
  const base = slot * 16
  if (spelled[slot] !== text) {
    uuidToBytes(text, spelledBytes, base)
    spelled[slot] = text
  }
  for (let index = 0; index < 16; index++) target[at + index] = spelledBytes[base + index]!
}

function word(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
}
