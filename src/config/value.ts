/**
 * From a config value's text to what the broker works with, by Kafka's rules.
 *
 * Invariants: pure; a bad value is an answer, never a throw, and found in time that grows with its length,
 * not its square: clients send them. An integer of 64 bits becomes a number, saturated at ±(2^53-1); its
 * canonical text keeps all digits.
 */
import { type ConfigDefinition, describeAllowed } from './definition.ts'

export type ConfigValue = boolean | number | string | readonly string[] | null

export type ParsedValue =
  | {
      readonly ok: true
      readonly value: ConfigValue
      /** The value as Kafka prints it: `0100` is `100`, `a , b` is `a,b`. */
      readonly text: string | null
    }
  | { readonly ok: false; readonly mustBe: string }

const limits = {
  SHORT: [-(2n ** 15n), 2n ** 15n - 1n],
  INT: [-(2n ** 31n), 2n ** 31n - 1n],
  LONG: [-(2n ** 63n), 2n ** 63n - 1n],
} as const
const maxSafe = BigInt(Number.MAX_SAFE_INTEGER)

/** A 64-bit integer as a number: saturated, as everywhere in this library. */
function saturated(value: bigint): number {
  if (value > maxSafe) return Number.MAX_SAFE_INTEGER
  return value < -maxSafe ? -Number.MAX_SAFE_INTEGER : Number(value)
}

/** A double as Java prints it: `1` is `1.0`, exponents from 1e7 and below 1e-3. */
export function javaDouble(value: number): string {
  if (value === Infinity || value === -Infinity || Number.isNaN(value)) return String(value)
  const magnitude = Math.abs(value)
  if (magnitude !== 0 && (magnitude >= 1e7 || magnitude < 1e-3)) {
    const [mantissa, exponent] = value.toExponential().split('e') as [string, string]
    return `${mantissa.includes('.') ? mantissa : `${mantissa}.0`}E${Number(exponent)}`
  }
  return Number.isInteger(value) ? `${value}.0` : String(value)
}

function inRange(definition: ConfigDefinition, value: number): boolean {
  const { min = -Infinity, max = Infinity, also } = definition.allowed
  return (value >= min && value <= max) || value === also
}

function listProblem(definition: ConfigDefinition, values: readonly string[]): boolean {
  const { oneOf, nonEmpty, replicas } = definition.allowed
  if (replicas) return values.join('') !== '*' && !values.every(value => /^(\d+:\d+)?$/.test(value))
  if (nonEmpty && values.length === 0) return true
  if (new Set(values).size !== values.length || values.includes('')) return true
  return oneOf !== undefined && !values.every(value => oneOf.includes(value))
}

/** Reads `text` as a value of `definition`. */
export function parseValue(definition: ConfigDefinition, text: string): ParsedValue {
  const trimmed = text.trim()
  const bad: ParsedValue = { ok: false, mustBe: describeAllowed(definition) }
  switch (definition.type) {
    case 'BOOLEAN': {
      const lower = trimmed.toLowerCase()
      return lower === 'true' || lower === 'false' ? { ok: true, value: lower === 'true', text: lower } : bad
    }
    case 'INT':
    case 'SHORT':
    case 'LONG': {
      if (!/^[+-]?\d{1,40}$/.test(trimmed)) return bad
      const exact = BigInt(trimmed.replace(/^\+/, ''))
      const [least, most] = limits[definition.type]
      if (exact < least || exact > most || !inRange(definition, Number(exact))) return bad
      return { ok: true, value: saturated(exact), text: String(exact) }
    }
    case 'DOUBLE': {
      if (!/^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?[dfDF]?$/i.test(trimmed)) return bad
      const value = Number(trimmed.replace(/[dfDF]$/, ''))
      return inRange(definition, value) ? { ok: true, value, text: javaDouble(value) } : bad
    }
    case 'LIST': {
      const values = trimmed === '' ? [] : trimmed.split(',').map(each => each.trim())
      return listProblem(definition, values) ? bad : { ok: true, value: values, text: values.join(',') }
    }
    default: {
      const { oneOf, anyCase, nonEmpty } = definition.allowed
      if (nonEmpty && trimmed === '') return bad
      if (oneOf && !oneOf.some(one => one === trimmed || (anyCase && one.toLowerCase() === trimmed.toLowerCase()))) {
        return bad
      }
      return { ok: true, value: trimmed, text: trimmed }
    }
  }
}

/** The default of `definition`; null when it has none. */
export function defaultValue(definition: ConfigDefinition): { value: ConfigValue; text: string | null } {
  if (definition.default === null || definition.default === undefined) return { value: null, text: null }
  const parsed = parseValue(definition, definition.default)
  return parsed.ok ? parsed : { value: definition.default, text: definition.default }
}
