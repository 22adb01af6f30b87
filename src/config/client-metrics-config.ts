/**
 * Client metrics subscriptions: checked when they are set. Pure; they are stored and described, nothing acts on them.
 */
import { clientMetricsConfigs } from './table.ts'
import { parseValue } from './value.ts'

const SHORTEST_INTERVAL_MS = 100
const LONGEST_INTERVAL_MS = 3_600_000

/** What a pattern can look at. */
const selectors: ReadonlySet<string> = new Set([
  'client_instance_id',
  'client_id',
  'client_software_name',
  'client_software_version',
  'client_source_address',
  'client_source_port',
])

export interface SubscriptionProblem {
  /** The request as a whole makes no sense, or a config's value. Kafka tells them apart by its codes. */
  readonly of: 'request' | 'config'
  readonly message: string
}

function isPattern(text: string): boolean {
  const [selector, pattern, ...rest] = text.split('=')
  if (pattern === undefined || pattern === '' || rest.length > 0 || !selectors.has(selector!.trim())) return false
  try {
    // Only its syntax is looked at: it is never matched with anything here.
    new RegExp(pattern.trim())
    return true
  } catch {
    return false
  }
}

/** Why these cannot be the configs of a subscription; undefined when they can. */
export function validateClientMetricsConfigs(configs: ReadonlyMap<string, string>): SubscriptionProblem | undefined {
  for (const name of configs.keys()) {
    if (!clientMetricsConfigs.has(name)) {
      return { of: 'request', message: `Unknown client metrics configuration: ${name}` }
    }
  }
  for (const [name, text] of configs) {
    const parsed = parseValue(clientMetricsConfigs.get(name)!, text)
    if (!parsed.ok) {
      return { of: 'config', message: `Invalid value ${text} for configuration ${name}: must be ${parsed.mustBe}` }
    }
    const { value } = parsed
    if (typeof value === 'number' && (value < SHORTEST_INTERVAL_MS || value > LONGEST_INTERVAL_MS)) {
      const range = `${SHORTEST_INTERVAL_MS} and ${LONGEST_INTERVAL_MS}`
      return {
        of: 'request',
        message: `Invalid value ${value} for ${name}, interval must be between ${range} (1 hour)`,
      }
    }
    const wrong = name === 'match' && Array.isArray(value) ? value.find(each => !isPattern(each)) : undefined
    if (wrong !== undefined) return { of: 'config', message: `Illegal client matching pattern: ${wrong}` }
  }
  return undefined
}
