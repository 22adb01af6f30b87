/**
 * The offset that stands in an answer written before its append, and where it stands.
 *
 * Invariants: no log reaches the offset, and its first byte (0) is in no name, so that it is found where it was put:
 * the search begins at the end, behind which only numbers of known size and empty lists follow in a successful answer.
 */
import { assert } from '../base/assert.ts'

const HIGH = 0x0011_2233
const LOW = 0x4455_6677
export const UNKNOWN_OFFSET = HIGH * 2 ** 32 + LOW

/** Where in the answer the 8 bytes of `UNKNOWN_OFFSET` begin. */
export function unknownOffsetAt(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = bytes.length - 8
  while (at >= 0 && (view.getUint32(at) !== HIGH || view.getUint32(at + 4) !== LOW)) at--
  assert(at >= 0, 'a prepared answer has an unknown offset')
  return at
}
