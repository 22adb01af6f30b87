/** Messages without a frame around them: metadata records, values of control records, tests. */
import { readerFor, writerFor } from './compile.ts'
import { Reader } from './reader.ts'
import type { Decoded, Encodable, Fields, Part, Schema } from './schema.ts'
import { Writer } from './writer.ts'

/** The bytes of one message. It may hold no records that are ranges of native reads. */
export function encodeMessage<F extends Fields>(schema: Schema<F>, version: number, value: Encodable<F>): Uint8Array {
  const writer = new Writer()
  writerFor(schema, version)(writer, value)
  return joinParts(writer.finish())
}

/** @throws ProtocolError when `bytes` do not hold such a message. */
export function decodeMessage<F extends Fields>(schema: Schema<F>, version: number, bytes: Uint8Array): Decoded<F> {
  return readerFor(schema, version)(new Reader(bytes))
}

/** Parts that are all bytes, as one run of bytes. */
export function joinParts(parts: readonly Part[]): Uint8Array {
  if (parts.length === 1 && parts[0] instanceof Uint8Array) return parts[0]
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    if (!(part instanceof Uint8Array)) throw new TypeError('a range of a native read cannot be joined here')
    whole.set(part, at)
    at += part.length
  }
  return whole
}
