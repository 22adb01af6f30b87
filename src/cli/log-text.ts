/** The lines of an inspection as texts for people. Pure. */

/**
 * A JSON line; `native/engine/src/inspect/report.rs` says which fields each type has. An int64 beyond 2^53 is a string.
 */
export type LogLine = { readonly file: string } & (
  | { readonly type: 'locked'; readonly root: string; readonly process?: number }
  | { readonly type: 'file'; readonly bytes: number }
  | BatchLine
  | RecordLine
  | { readonly type: 'entry' | 'snapshot' | 'producer'; readonly [field: string]: string | number | boolean }
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'bad'; readonly position: number; readonly text: string }
  | {
      readonly type: 'finding'
      readonly severity: 'error' | 'warning' | 'note'
      readonly byte?: number
      readonly what: string
      readonly remedy: string
    }
  | {
      readonly type: 'totals'
      readonly files: number
      readonly batches: number
      readonly bytes: number
      readonly errors: number
      readonly warnings: number
      readonly notes: number
    }
  | { readonly type: 'step'; readonly what: string; readonly refused: boolean }
  | { readonly type: 'done'; readonly what: string }
)

type Int64 = number | string

export interface BatchLine {
  readonly type: 'batch'
  readonly position: number
  readonly size: number
  readonly baseOffset: Int64
  readonly lastOffset: Int64
  readonly count: number
  readonly leaderEpoch: number
  readonly producerId: Int64
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly lastSequence: number
  readonly transactional: boolean
  readonly control: boolean
  readonly timestampType: string
  readonly maxTimestamp: Int64
  readonly magic: number
  readonly deleteHorizonMs?: Int64
  readonly codec: string
  readonly crc: number
  readonly valid: boolean
}

/** Bytes are base64; key and value are absent where the record was too large to show. */
export interface RecordLine {
  readonly type: 'record'
  readonly offset: Int64
  readonly timestamp: Int64
  readonly control: boolean
  readonly key?: string | null
  readonly value?: string | null
  readonly headers?: readonly (readonly [string, string | null])[]
  /** Bytes that are not shown. */
  readonly leftOut?: number
}

export function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), character => character.charCodeAt(0))
}

export function hexOf(bytes: Uint8Array): string {
  let text = '0x'
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0')
  return text
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** As JSON writes a text, when the bytes are one; else hex. */
function quoted(base64: string | null | undefined): string {
  if (base64 === null || base64 === undefined) return 'null'
  const bytes = bytesOf(base64)
  try {
    return JSON.stringify(utf8.decode(bytes))
  } catch {
    return hexOf(bytes)
  }
}

/** The farthest that a Date can tell. */
const LAST_DATE_MS = 8.64e15

function time(ms: Int64): string {
  if (typeof ms === 'string' || ms < 0 || ms > LAST_DATE_MS) return `${ms}`
  return new Date(ms).toISOString()
}

function batchText(line: BatchLine): string {
  const parts = [
    `batch ${line.baseOffset}..${line.lastOffset}`,
    `byte ${line.position}`,
    `${line.size} bytes`,
    `${line.count} records`,
    `magic ${line.magic}`,
    `epoch ${line.leaderEpoch}`,
    `${line.timestampType} ${time(line.maxTimestamp)}`,
    line.codec,
  ]
  if (line.producerId !== -1) {
    const sequences = `${line.baseSequence}..${line.lastSequence}`
    parts.push(`producer ${line.producerId} epoch ${line.producerEpoch} sequence ${sequences}`)
  }
  if (line.transactional) parts.push('transactional')
  if (line.control) parts.push('control')
  if (line.deleteHorizonMs !== undefined) parts.push(`delete horizon ${time(line.deleteHorizonMs)}`)
  const crc = `0x${line.crc.toString(16).padStart(8, '0')}`
  parts.push(line.valid ? `CRC ${crc}` : `CRC ${crc} WRONG`)
  return parts.join(', ')
}

function recordText(line: RecordLine, content: string | undefined): string {
  const head = `  ${line.offset} ${time(line.timestamp)}`
  if (line.leftOut !== undefined) return `${head} ${line.leftOut} bytes, too many to show`
  if (content !== undefined) return `${head} ${content}`
  const headers = (line.headers ?? []).map(([name, value]) => ` ${quoted(name)}=${quoted(value)}`)
  return `${head} key ${quoted(line.key)} value ${quoted(line.value)}${headers.length > 0 ? ` headers${headers.join('')}` : ''}`
}

/** One line without its end. `content`: what a record of an internal topic says. */
export function textOf(line: LogLine, content?: string): string | undefined {
  switch (line.type) {
    case 'locked':
      return undefined
    case 'file':
      return `${line.file} (${line.bytes} bytes)`
    case 'batch':
      return batchText(line)
    case 'record':
      return recordText(line, content)
    case 'text':
      return `  ${line.text}`
    case 'bad':
      return `byte ${line.position}: ${line.text}`
    case 'finding': {
      const at = line.byte === undefined ? '' : `, byte ${line.byte}`
      return `${line.severity}: ${line.file}${at}: ${line.what}${line.remedy === '' ? '' : `; ${line.remedy}`}`
    }
    case 'totals': {
      const seen = `${line.files} files, ${line.batches} batches, ${line.bytes} bytes`
      return `${seen}: ${line.errors} errors, ${line.warnings} warnings, ${line.notes} notes`
    }
    case 'step':
      return `${line.refused ? 'not without --accept-loss' : 'plan'}: ${line.what}`
    case 'done':
      return `done: ${line.what}`
    default: {
      const fields = Object.entries(line).filter(([name]) => name !== 'type' && name !== 'file')
      return `  ${line.type === 'entry' ? '' : `${line.type} `}${fields.map(([name, value]) => `${name} ${value}`).join(', ')}`
    }
  }
}
