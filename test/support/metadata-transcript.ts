/**
 * A metadata log as Kafka's DumpLogSegments shows it, and made comparable: what differs from run to run (ids, times,
 * ports, offsets, broker epochs) is renamed in order of appearance.
 */
import { isUuid, ZERO_UUID } from '../../src/base/uuid.ts'
import type { MetadataRecord } from '../../src/metadata/records.ts'
import { decodeRecord } from '../../src/metadata/records.ts'
import { planFor } from '../../src/protocol/compile.ts'
import type { Plan } from '../../src/protocol/plan.ts'
import { isDefault } from '../../src/protocol/plan.ts'
import { readControlRecord } from '../../src/raft/control-records.ts'
import { batchesOf } from '../../src/records/batch.ts'
import { recordsOf } from '../../src/records/iterate.ts'
import { allSchemas } from './schemas.ts'

export interface DumpedRecord {
  offset: number
  /** Base offset of its batch. */
  base: number
  epoch: number
  type?: string
  version?: number
  data?: Json
  /** What a control record says; DumpLogSegments' own words. */
  control?: string
}

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json }

/** Every record of a segment or checkpoint file. */
export function dumpRecords(bytes: Uint8Array): DumpedRecord[] {
  const dumped: DumpedRecord[] = []
  for (const batch of batchesOf(bytes)) {
    for (const record of recordsOf(batch)) {
      const at = { offset: record.offset, base: batch.baseOffset, epoch: batch.leaderEpoch }
      if (batch.isControl) dumped.push({ ...at, control: JSON.stringify(readControlRecord(record)) })
      else dumped.push({ ...at, ...dumpRecord(decodeRecord(record.value!)) })
    }
  }
  return dumped
}

function dumpRecord({ name, version, data }: MetadataRecord) {
  const schema = allSchemas.find(each => each.name === name)!
  const type =
    name === 'ZkMigrationStateRecord' ? 'ZK_MIGRATION_STATE_RECORD' : name.replace(/(?<!^)[A-Z]/g, '_$&').toUpperCase()
  return { type, version, data: structJson(planFor(schema, version), data as never) }
}

function structJson(plan: Plan, value: Record<string, unknown>): Json {
  const json: { [name: string]: Json } = {}
  for (const field of plan.fields) {
    // The tool leaves out tagged fields that have their default.
    if (field.absent || (field.tag >= 0 && isDefault(field, value[field.name]))) continue
    json[field.name] = valueJson(field, value[field.name])
  }
  return json
}

function valueJson(field: Plan['fields'][number], value: unknown): Json {
  if (value === null) return null
  if (Array.isArray(value))
    return value.map(element => (field.struct === undefined ? element : structJson(field.struct, element)))
  if (typeof value === 'bigint') return Number(value)
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  return value as Json
}

/** One batch of a normalised transcript. */
export interface TranscriptBatch {
  epoch: number
  records: Json[]
}

/** Renames in order of appearance; one instance for all parts of a log. */
export class Normaliser {
  readonly #names = new Map<string, string>()
  readonly #counts = new Map<string, number>()

  #rename(kind: string, value: string | number): string {
    const key = `${kind}:${value}`
    let name = this.#names.get(key)
    if (name === undefined) {
      const count = (this.#counts.get(kind) ?? 0) + 1
      this.#counts.set(kind, count)
      name = `${kind}-${count}`
      this.#names.set(key, name)
    }
    return name
  }

  /** Batches without NoOp records; runs of records whose order is a hash map's are put in one order. */
  batches(records: readonly DumpedRecord[]): TranscriptBatch[] {
    const batches: (TranscriptBatch & { base: number })[] = []
    for (const record of records) {
      if (record.type === 'NO_OP_RECORD') continue
      if (batches.at(-1)?.base !== record.base) batches.push({ base: record.base, epoch: record.epoch, records: [] })
      const { type, version, data, control } = record
      const json =
        control === undefined ? { type: type!, version: version!, data: data! } : { control: controlKind(control) }
      batches.at(-1)!.records.push(this.#value('', json))
    }
    return batches.map(({ epoch, records: all }) => ({ epoch, records: sortRuns(all) }))
  }

  #value(name: string, value: Json): Json {
    if (Array.isArray(value)) {
      const list = value.map(element => this.#value(name, element))
      return name === 'features' ? sorted(list) : list
    }
    if (typeof value === 'object' && value !== null) {
      return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, this.#value(key, each)]))
    }
    if (typeof value === 'string' && isUuid(value) && value !== ZERO_UUID) return this.#rename('id', value)
    if (name === 'port' && typeof value === 'number') return this.#rename('port', value)
    if (name === 'brokerEpoch' && typeof value === 'number') return this.#rename('brokerEpoch', value)
    return value
  }
}

/** Our name and the tool's of each control record. */
const CONTROL_KINDS = [
  ['leaderChange', 'LeaderChange'],
  ['kraftVersion', 'KRaftVersion'],
  ['voters', 'KRaftVoters'],
  ['snapshotHeader', 'SnapshotHeader'],
  ['snapshotFooter', 'SnapshotFooter'],
] as const

function controlKind(control: string): string {
  const found = CONTROL_KINDS.find(
    ([ours, theirs]) => control.startsWith(`{"type":"${ours}"`) || control.startsWith(theirs),
  )
  return found?.[0] ?? control
}

const HASHED = ['PARTITION_CHANGE_RECORD', 'CONFIG_RECORD']

function sortRuns(records: Json[]): Json[] {
  const result: Json[] = []
  for (let from = 0; from < records.length; ) {
    const type = typeOf(records[from]!)
    let to = from + 1
    while (HASHED.includes(type) && to < records.length && typeOf(records[to]!) === type) to++
    result.push(...sorted(records.slice(from, to)))
    from = to
  }
  return result
}

function typeOf(record: Json): string {
  return String((record as { type?: string }).type)
}

function sorted(list: Json[]): Json[] {
  return [...list].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
}
