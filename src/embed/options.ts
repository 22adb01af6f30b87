/**
 * Checks of options as callers without types hand them in: a slip of the hand must not start a broker in memory.
 *
 * Invariants: pure; what can't be used is a ConfigError that names the option. For this room alone.
 */
import { nearestName } from '../config/nearest.ts'
import { ConfigError } from './errors.ts'

/** @throws ConfigError when `options` is no object, or has an option that is not among `known`. */
export function checkOptions(call: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null) {
    const allowed = `an object with ${known.join(', ')}`
    throw new ConfigError({ key: 'options', value: String(options), allowed, message: `${call} takes ${allowed}` })
  }
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue
    const near = nearestName(key, known)
    const message = `${call} has no option ${key}${near === undefined ? '' : `; the nearest is ${near}`}`
    throw new ConfigError({ key, value: '', allowed: known.join(', '), message })
  }
}

/** @throws ConfigError when `value` is not a path. */
export function checkPath(key: string, value: unknown): void {
  if (typeof value !== 'string' || value === '') throw refused(key, value, 'a path, as text')
}

/** @throws ConfigError when `value` is given and neither true nor false. */
export function checkBoolean(key: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'boolean') throw refused(key, value, 'true or false')
}

/** @throws ConfigError when `value` is given and not one of `choices`. */
export function checkChoice(key: string, value: unknown, choices: readonly string[]): void {
  if (value !== undefined && !choices.some(choice => choice === value)) {
    throw refused(key, value, `one of ${choices.join(', ')}`)
  }
}

function refused(key: string, given: unknown, allowed: string): ConfigError {
  const value = given === '' ? "''" : String(given)
  return new ConfigError({ key, value, allowed, message: `${key} must be ${allowed}, not ${value}` })
}
