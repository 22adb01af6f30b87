/** What the records of Kafka's internal topics say, for `odradek log dump --records`. */
import { groupRecordSerde } from '../coordinator/group/records.ts'
import { decodeRecord } from '../metadata/records.ts'
import { readControlRecord } from '../raft/control-records.ts'
import { bytesOf, hexOf, type LogLine } from './log-text.ts'

/** Record kinds that a control batch of any topic can hold. */
const markers = ['ABORT', 'COMMIT']

/** As JSON; undefined where the bytes have no meaning that is known here. */
export function decoded(line: Extract<LogLine, { type: 'record' }>): string | undefined {
  if (line.leftOut !== undefined) return undefined
  const key = line.key === null || line.key === undefined ? null : bytesOf(line.key)
  const value = line.value === null || line.value === undefined ? null : bytesOf(line.value)
  try {
    const content = meaning(line.file, line.control, key, value)
    return content === undefined ? undefined : JSON.stringify(content, plain)
  } catch {
    // Not what its topic's records are: shown as bytes.
    return undefined
  }
}

function meaning(file: string, control: boolean, key: Uint8Array | null, value: Uint8Array | null): unknown {
  const [name = '', folder = ''] = file.split('/').reverse()
  if (control) return controlMeaning(key, value)
  if (folder.startsWith('__cluster_metadata-') || name.endsWith('.checkpoint')) {
    return value === null ? undefined : decodeRecord(value)
  }
  if (folder.startsWith('__consumer_offsets-') && key !== null) return groupRecordSerde.deserialize({ key, value })
  return undefined
}

function controlMeaning(key: Uint8Array | null, value: Uint8Array | null): unknown {
  if (key === null || key.length < 4) return undefined
  const marker = markers[(key[2]! << 8) | key[3]!]
  if (marker !== undefined && value !== null && value.length >= 6) {
    return { marker, coordinatorEpoch: new DataView(value.buffer, value.byteOffset).getInt32(2) }
  }
  return readControlRecord({ offset: 0, timestamp: 0n, headers: [], key, value })
}

function plain(_name: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  return value instanceof Uint8Array ? hexOf(value) : value
}
