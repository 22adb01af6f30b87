/**
 * Reads the entries of a zip file (a jar) whose names match: enough of the format for the
 * archives that tests look into.
 */
import { readFileSync } from 'node:fs'
import { inflateRawSync } from 'node:zlib'

const END_OF_DIRECTORY = 0x06054b50
const DIRECTORY_ENTRY = 0x02014b50
const STORED = 0

/** Name to content, for entries that `wanted` accepts. */
export const readZip = (file: string, wanted: (name: string) => boolean): Map<string, Uint8Array> => {
  const content = readFileSync(file)
  const view = new DataView(content.buffer, content.byteOffset, content.length)
  let end = view.byteLength - 22
  while (end >= 0 && view.getUint32(end, true) !== END_OF_DIRECTORY) end--
  if (end < 0) throw new Error(`${file} is no zip file`)
  const entries = new Map<string, Uint8Array>()
  let at = view.getUint32(end + 16, true)
  for (let left = view.getUint16(end + 10, true); left > 0; left--) {
    if (view.getUint32(at, true) !== DIRECTORY_ENTRY) throw new Error(`${file}: the directory is damaged`)
    const nameLength = view.getUint16(at + 28, true)
    const name = new TextDecoder().decode(bytesAt(view, at + 46, nameLength))
    if (wanted(name)) entries.set(name, contentOf(view, at))
    at += 46 + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true)
  }
  return entries
}

const bytesAt = (view: DataView, at: number, length: number): Uint8Array =>
  new Uint8Array(view.buffer, view.byteOffset + at, length)

const contentOf = (view: DataView, entry: number): Uint8Array => {
  const local = view.getUint32(entry + 42, true)
  const from = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true)
  const packed = bytesAt(view, from, view.getUint32(entry + 20, true))
  return view.getUint16(entry + 10, true) === STORED ? packed : new Uint8Array(inflateRawSync(packed))
}
