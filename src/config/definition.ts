/**
 * What is known about one config key, and the notation of the tables that say so.
 *
 * Invariants: pure; a table that cannot be read is a defect and throws at load. A row's columns are separated by ` | `.
 * `allowed` is one of: nothing, `>=1`, `1..9`, `1..9 or -1`, `a/b/c`, `a/b any case`, `nonempty`, `list`,
 * `list nonempty`, `list a/b`, `list a/b nonempty`, `replicas`.
 */
import { assert } from '../base/assert.ts'

export type ConfigType = 'BOOLEAN' | 'STRING' | 'INT' | 'SHORT' | 'LONG' | 'DOUBLE' | 'LIST' | 'CLASS' | 'PASSWORD'

/** Whether and for whom a broker config can change while the broker runs. */
export type UpdateScope = 'read-only' | 'per-broker' | 'cluster-wide'

export interface Allowed {
  readonly min?: number
  readonly max?: number
  /** A value outside [min, max] that is allowed too. */
  readonly also?: number
  readonly oneOf?: readonly string[]
  readonly anyCase?: boolean
  readonly nonEmpty?: boolean
  /** A list of partition:broker pairs, or `*`. */
  readonly replicas?: boolean
}

export interface ConfigDefinition {
  readonly name: string
  readonly type: ConfigType
  /** As text; null when the key has no value unless it is set, undefined when it must be set. */
  readonly default: string | null | undefined
  readonly allowed: Allowed
  readonly importance: 'high' | 'medium' | 'low'
  readonly update: UpdateScope
  /** False: accepted, stored and described, but nothing acts on it yet. */
  readonly effective: boolean
  /** Accepted, but not documented; described only when it was set while the broker runs. */
  readonly internal: boolean
  readonly documentation: string
}

function parseAllowed(text: string): Allowed {
  const nonEmpty = /(^| )nonempty$/.test(text)
  const rest = text.replace(/^list ?/, '').replace(/ ?nonempty$/, '')
  if (rest === 'replicas') return { replicas: true }
  const from = /^>=(-?\d+)$/.exec(rest)
  if (from) return { min: Number(from[1]) }
  const between = /^(-?[\d.]+?)\.\.(-?[\d.]+)( or -1)?$/.exec(rest)
  if (between) {
    return { min: Number(between[1]), max: Number(between[2]), ...(between[3] ? { also: -1 } : {}) }
  }
  const anyCase = rest.endsWith(' any case')
  const choices = rest.replace(/ any case$/, '')
  return {
    ...(choices === '' ? {} : { oneOf: choices.split('/') }),
    ...(anyCase ? { anyCase } : {}),
    ...(nonEmpty ? { nonEmpty } : {}),
  }
}

function parseDefault(text: string): string | null | undefined {
  if (text === 'null') return null
  return text === 'required' ? undefined : text
}

/** Reads a table whose rows have an `updated` column (broker configs), or none (topic configs: each can be altered). */
export function parseTable(table: string, columns: 'broker' | 'topic'): ConfigDefinition[] {
  const definitions: ConfigDefinition[] = []
  for (const row of table.split('\n')) {
    if (row === '') continue
    const cells = row.split(' | ')
    if (columns === 'topic') cells.splice(5, 0, 'cluster-wide')
    assert(cells.length === 8, `a config table's row has all columns: ${row}`)
    const [name, type, value, allowed, importance, update, state, documentation] = cells as [string, ...string[]]
    definitions.push({
      name,
      type: type as ConfigType,
      default: parseDefault(value!),
      allowed: parseAllowed(allowed!),
      importance: importance as ConfigDefinition['importance'],
      update: update as UpdateScope,
      effective: state === 'works' || state === 'internal, works',
      internal: state?.startsWith('internal') === true,
      documentation: documentation!,
    })
  }
  return definitions
}

/**
 * `allowed` in words, for error messages: 'at least 1', 'one of group, os'. Empty when any value of the type will do.
 */
export function describeAllowed(definition: ConfigDefinition): string {
  const { min, max, also, oneOf, nonEmpty, replicas } = definition.allowed
  if (replicas) return 'a list of partition:broker pairs, or *'
  if (oneOf) {
    const choices = oneOf.join(', ')
    if (definition.type !== 'LIST') return `one of ${choices}`
    return nonEmpty ? `at least one of ${choices}, each once` : `any of ${choices}, each once`
  }
  if (definition.type === 'LIST')
    return nonEmpty ? 'at least one value, none twice' : 'values separated by commas, none twice'
  if (definition.type === 'BOOLEAN') return 'true or false'
  if (min !== undefined && max !== undefined) return `${min} to ${max}${also === undefined ? '' : `, or ${also}`}`
  if (min !== undefined) return `${definition.type === 'DOUBLE' ? 'a number' : 'an integer'} of at least ${min}`
  if (definition.type === 'INT') return 'an integer of 32 bits'
  if (definition.type === 'SHORT') return 'an integer of 16 bits'
  if (definition.type === 'LONG') return 'an integer of 64 bits'
  if (definition.type === 'DOUBLE') return 'a number'
  return nonEmpty ? 'anything but an empty text' : ''
}
