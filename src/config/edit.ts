/**
 * What an operation of IncrementalAlterConfigs makes of a stored text.
 *
 * Invariants: pure; lists are edited as texts, value by value, with Kafka's rules of splitting; whether the outcome is
 * allowed is for whoever validates.
 */
import type { ConfigDefinition } from './definition.ts'

/** Numbers on the wire. */
export const ConfigOperation = { set: 0, delete: 1, append: 2, subtract: 3 } as const

export type ConfigEdit =
  /** `text` null: not set any more. */
  | { readonly ok: true; readonly text: string | null }
  | { readonly ok: false; readonly why: 'unknown operation' | 'not a list' }

/** As Java splits: no empty parts at the end (of commas alone: none at all), but one part in an empty text. */
function parts(text: string): string[] {
  const all = text.split(',')
  while (text !== '' && all.at(-1) === '') all.pop()
  return all
}

/**
 * `current`: what is set now; a list that is not set starts from the key's own default. `value` is null for a deletion
 * only. `definition`: undefined for a key that nobody knows.
 */
export function editConfig(
  definition: ConfigDefinition | undefined,
  current: string | undefined,
  operation: number,
  value: string | null,
): ConfigEdit {
  if (operation === ConfigOperation.set) return { ok: true, text: value }
  if (operation === ConfigOperation.delete) return { ok: true, text: null }
  if (operation !== ConfigOperation.append && operation !== ConfigOperation.subtract) {
    return { ok: false, why: 'unknown operation' }
  }
  if (definition?.type !== 'LIST') return { ok: false, why: 'not a list' }
  const values = (current ?? definition.default ?? '').split(',').filter(each => each !== '')
  for (const each of parts(value ?? '')) {
    const at = values.indexOf(each)
    if (operation === ConfigOperation.append && at < 0) values.push(each)
    if (operation === ConfigOperation.subtract && at >= 0) values.splice(at, 1)
  }
  return { ok: true, text: values.join(',') }
}
