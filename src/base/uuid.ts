/**
 * UUIDs as this library carries them: 22 characters of base64url without padding, the form in which Kafka prints topic
 * ids, directory ids and cluster ids. On the wire and on disk they are 16 bytes.
 */

export const ZERO_UUID = 'AAAAAAAAAAAAAAAAAAAAAA'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const LENGTH = 22

const values = new Int8Array(128).fill(-1)
for (let index = 0; index < ALPHABET.length; index++) values[ALPHABET.charCodeAt(index)] = index

/** The 16 bytes at `at` as text. They must be there: the caller checks. */
export function uuidFromBytes(bytes: Uint8Array, at = 0): string {
  let text = ''
  for (let index = at; index < at + 15; index += 3) {
    const word = (bytes[index]! << 16) | (bytes[index + 1]! << 8) | bytes[index + 2]!
    text += ALPHABET[word >> 18]! + ALPHABET[(word >> 12) & 63]! + ALPHABET[(word >> 6) & 63]! + ALPHABET[word & 63]!
  }
  const last = bytes[at + 15]!
  return text + ALPHABET[last >> 2]! + ALPHABET[(last & 3) << 4]!
}

/** Whether `text` is a UUID in this form (the unused last four bits must be zero). */
export function isUuid(text: string): boolean {
  if (text.length !== LENGTH) return false
  for (let index = 0; index < LENGTH; index++) {
    if (valueAt(text, index) < 0) return false
  }
  return (valueAt(text, LENGTH - 1) & 15) === 0
}

/** Writes the 16 bytes of `text` into `target` at `at`. Throws a TypeError when `text` is no UUID. */
export function uuidToBytes(text: string, target: Uint8Array, at = 0): void {
  if (!isUuid(text)) throw new TypeError(`not a UUID: '${text}'`)
  let to = at
  for (let index = 0; index < 20; index += 4) {
    const word =
      (valueAt(text, index) << 18) |
      (valueAt(text, index + 1) << 12) |
      (valueAt(text, index + 2) << 6) |
      valueAt(text, index + 3)
    target[to++] = word >> 16
    target[to++] = (word >> 8) & 255
    target[to++] = word & 255
  }
  target[to] = (valueAt(text, 20) << 2) | (valueAt(text, 21) >> 4)
}

function valueAt(text: string, index: number): number {
  const code = text.charCodeAt(index)
  return code < 128 ? values[code]! : -1
}

/** 16 bytes of a random UUID (version 4). */
export function randomUuidBytes(random: { bytes(length: number): Uint8Array }): Uint8Array {
  const bytes = random.bytes(16)
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  return bytes
}

/** A new id as Kafka gives its own: never with a dash in front, which tools would take for a flag. */
export function randomUuid(random: { bytes(length: number): Uint8Array }): string {
  for (;;) {
    const text = uuidFromBytes(randomUuidBytes(random))
    if (!text.startsWith('-')) return text
  }
}
