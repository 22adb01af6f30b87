/**
 * What `serve` is asked to do: flags, then environment, then the file, resolved to one config.
 *
 * Invariants: nothing is started or written here; every problem comes back as a line for people.
 */
import { readFileSync } from 'node:fs'
import type { BrokerConfig } from '../config/broker-config.ts'
import { environmentConfigs } from '../config/environment.ts'
import { parseProperties } from '../config/properties.ts'
import { type ConfigLayer, resolveConfig } from '../config/resolve.ts'

/** As commander gives them. */
export interface ServeFlags {
  readonly port?: number
  readonly host?: string
  readonly dir?: string
  readonly memory?: boolean
  readonly flush?: 'group' | 'os'
  /** key=value, each. */
  readonly set: readonly string[]
  readonly config?: string
}

export type ServeConfig =
  | {
      readonly ok: true
      readonly config: BrokerConfig
      readonly warnings: readonly string[]
      readonly withoutEffect: readonly string[]
    }
  | { readonly ok: false; readonly errors: readonly string[]; readonly warnings: readonly string[] }

function failure(...errors: string[]): ServeConfig {
  return { ok: false, errors, warnings: [] }
}

function reason(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ENOENT') return 'there is no such file'
  if (code === 'EACCES') return 'it is not readable for this user'
  if (code === 'EISDIR') return 'it is a directory'
  return error instanceof Error ? error.message : String(error)
}

function readLayer(path: string): ConfigLayer | string {
  let content: string
  try {
    content = readFileSync(path, 'utf8')
  } catch (error) {
    return `cannot read ${path}: ${reason(error)}`
  }
  const parsed = parseProperties(content)
  return parsed.ok ? { origin: path, values: parsed.values } : `${path}, line ${parsed.line}: ${parsed.problem}`
}

function flagLayer(pairs: readonly string[]): ConfigLayer | string {
  const values = new Map<string, string>()
  for (const pair of pairs) {
    const equals = pair.indexOf('=')
    if (equals < 1) return `-c takes key=value, not '${pair}'`
    values.set(pair.slice(0, equals).trim(), pair.slice(equals + 1))
  }
  return { origin: '-c', values }
}

/** Resolves flags over `environment` over the file. */
export function serveConfig(flags: ServeFlags, environment: Readonly<Record<string, string | undefined>>): ServeConfig {
  const layers: ConfigLayer[] = []
  if (flags.config !== undefined) {
    const file = readLayer(flags.config)
    if (typeof file === 'string') return failure(file)
    layers.push(file)
  }
  const { values, warnings } = environmentConfigs(environment)
  layers.push({ origin: 'environment', values })
  const own = flagLayer(flags.set)
  if (typeof own === 'string') return failure(own)
  layers.push(own)

  const { host, port, dir, flush } = flags
  const resolved = resolveConfig(layers, { host, port, dir, flush })
  const all = [...warnings, ...resolved.warnings]
  if (!resolved.ok) return { ok: false, errors: resolved.problems.map(problem => problem.message), warnings: all }
  return { ...resolved, warnings: all }
}
