/**
 * Broker configs out of environment variables, as the Apache Kafka image has them: KAFKA_LOG_DIRS is log.dirs
 * (KAFKA_CFG_LOG_DIRS too); in a name `___` stands for `-`, `__` for `_`, `_` for `.`.
 *
 * Invariants: pure; only the command reads the environment. A variable that is no broker config stays out and is
 * warned of: other programs use the same prefix.
 */
import { nearestName } from './nearest.ts'
import { brokerConfigs } from './table.ts'

export interface EnvironmentConfigs {
  readonly values: ReadonlyMap<string, string>
  readonly warnings: readonly string[]
}

const separators: Readonly<Record<string, string>> = { ___: '-', __: '_', _: '.' }

/** The config key that a variable's name stands for. */
function keyOf(variable: string): string {
  return variable
    .replace(/^KAFKA_(CFG_)?/, '')
    .replace(/_{1,3}/g, run => separators[run]!)
    .toLowerCase()
}

/** What `environment` says about the broker. */
export function environmentConfigs(environment: Readonly<Record<string, string | undefined>>): EnvironmentConfigs {
  const values = new Map<string, string>()
  const warnings: string[] = []
  for (const variable of Object.keys(environment).sort()) {
    const value = environment[variable]
    if (!variable.startsWith('KAFKA_') || value === undefined) continue
    const key = keyOf(variable)
    if (brokerConfigs.has(key) || key.startsWith('listener.name.')) {
      values.set(key, value)
      continue
    }
    const near = nearestName(key, brokerConfigs.keys())
    const hint = near === undefined ? '' : `; the nearest is KAFKA_${near.replaceAll('.', '_').toUpperCase()}`
    warnings.push(`environment variable ${variable} is no broker config and was ignored${hint}`)
  }
  return { values, warnings }
}
