/**
 * Broker configs that are changed while brokers run: which can be, and which values.
 *
 * Invariants: pure. A key can be changed only if somebody in this broker listens to it: the defaults of
 * topic configs, which reach every log, and the few of `heard`. All others are read-only, whatever Kafka can
 * do, and described as such.
 */
import type { BrokerConfig } from './broker-config.ts'
import type { ConfigDefinition } from './definition.ts'
import { configProblems } from './resolve.ts'
import { brokerConfigs, topicSynonyms } from './table.ts'
import { parseValue } from './value.ts'

/** Read anew each time: by logs when they are configured, by the group coordinator, by the cleaner. */
const heard = [
  'replica.alter.log.dirs.io.max.bytes.per.second',
  'producer.id.expiration.ms',
  'group.consumer.assignment.interval.ms',
  'log.cleaner.backoff.ms',
  'log.cleaner.dedupe.buffer.size',
  'log.cleaner.io.buffer.load.factor',
  'log.cleaner.io.buffer.size',
  'log.cleaner.io.max.bytes.per.second',
  'log.cleaner.threads',
  'num.recovery.threads.per.data.dir',
]

/** Threads that there may be twice or half as many of at once, not more and not fewer. */
const resized = ['num.recovery.threads.per.data.dir']

const listenedTo: ReadonlySet<string> = new Set([
  ...[...topicSynonyms.values()].flatMap(synonyms => synonyms.map(({ name }) => name)),
  ...heard,
])

/** Whether a broker config takes effect when it is set while the broker runs. */
export function isDynamic({ name, update }: ConfigDefinition): boolean {
  return update !== 'read-only' && listenedTo.has(name)
}

/** Those of `stored` that mean anything to this broker; others may have been set by another release. */
export function effectiveDynamic(stored: ReadonlyMap<string, string>): Map<string, string> {
  return new Map(
    [...stored].filter(([name, text]) => {
      const definition = brokerConfigs.get(name)
      return definition !== undefined && isDynamic(definition) && parseValue(definition, text).ok
    }),
  )
}

/** Why `changes` cannot be set, key by key; undefined when they can. */
function valueProblem(changes: ReadonlyMap<string, string>): string | undefined {
  const readOnly: string[] = []
  for (const name of changes.keys()) {
    const definition = brokerConfigs.get(name)
    if (definition === undefined || !isDynamic(definition)) readOnly.push(name)
  }
  if (readOnly.length > 0) return `Cannot update these configs dynamically: [${readOnly.join(', ')}]`
  for (const [name, text] of changes) {
    const parsed = parseValue(brokerConfigs.get(name)!, text)
    if (!parsed.ok) return `Invalid value ${text} for configuration ${name}: must be ${parsed.mustBe}`
  }
  return undefined
}

/** -2 follows the retention of the whole; anything else must not be more. */
function localRetentionProblem(local: number, whole: number): boolean {
  return whole > -1 && local !== -2 && (local === -1 || local > whole)
}

function resizeProblem(name: string, from: number, to: number): string | undefined {
  const failed = `Dynamic thread count update validation failed for ${name}=${to}, value should`
  if (to < Math.floor(from / 2)) return `${failed} be at least half the current value ${from}`
  if (to > from * 2) return `${failed} not be greater than double the current value ${from}`
  return undefined
}

/** The first of `log.retention.ms`, `.minutes` and `.hours` that has a value, in milliseconds; -1 for ever. */
function retentionMs(config: BrokerConfig): number {
  for (const { name, factor } of topicSynonyms.get('retention.ms') ?? []) {
    const value = config.value(name)
    if (typeof value === 'number') return value < 0 ? -1 : value * factor
  }
  return -1
}

/**
 * Why these cannot be all the dynamic configs of one broker, or of all brokers; undefined when they can.
 * `current`: the broker's config; `resulting`: that with them.
 */
export function validateDynamicBroker(
  texts: ReadonlyMap<string, string>,
  current: BrokerConfig,
  resulting: (texts: ReadonlyMap<string, string>) => BrokerConfig,
): string | undefined {
  const problem = valueProblem(texts)
  if (problem !== undefined) return problem
  const config = resulting(texts)
  const [crossed] = configProblems(config)
  if (crossed !== undefined) return crossed.message
  for (const name of resized) {
    const resize = resizeProblem(name, current.number(name), config.number(name))
    if (resize !== undefined) return resize
  }
  if (texts.has('log.cleaner.threads') && config.number('log.cleaner.threads') < 1) {
    return 'log.cleaner.threads must be at least 1'
  }
  if (localRetentionProblem(config.number('log.local.retention.ms'), retentionMs(config))) {
    return 'log.local.retention.ms must be -2, or at most log.retention.ms'
  }
  if (localRetentionProblem(config.number('log.local.retention.bytes'), config.number('log.retention.bytes'))) {
    return 'log.local.retention.bytes must be -2, or at most log.retention.bytes'
  }
  return undefined
}
