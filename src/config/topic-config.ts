/**
 * Topic configs: checked when they are set, merged with the broker's defaults when a log is opened or configured.
 *
 * Invariants: pure. Names and values are refused for the reasons Kafka refuses them; every refusal is INVALID_CONFIG
 * (40) for whoever answers. A stored value that does not pass (another version wrote it) counts as not set.
 */
import type { BrokerConfig } from './broker-config.ts'
import type { LogConfig } from './log-config.ts'
import { nearestName } from './nearest.ts'
import { brokerConfigs, topicConfigs, topicSynonyms } from './table.ts'
import { type ConfigValue, defaultValue, parseValue } from './value.ts'

/** Why `value` cannot be the topic config `name`; undefined when it can. `null` (no value) is refused. */
export function validateTopicConfig(name: string, value: string | null): string | undefined {
  const definition = topicConfigs.get(name)
  if (!definition) {
    const near = nearestName(name, topicConfigs.keys())
    return `Unknown topic config name: ${name}${near === undefined ? '' : ` (nearest: ${near})`}`
  }
  if (value === null) return `Null value not supported for topic configs: ${name}`
  const parsed = parseValue(definition, value)
  if (parsed.ok) return undefined
  return `Invalid value ${value} for configuration ${name}: must be ${parsed.mustBe}`
}

/**
 * Why these overrides cannot be the configs of one topic: each by itself, and together with the broker's defaults.
 * undefined when they can.
 */
export function validateTopicConfigs(
  overrides: ReadonlyMap<string, string | null>,
  broker: BrokerConfig,
): string | undefined {
  const set = new Map<string, string>()
  for (const [name, value] of overrides) {
    const problem = validateTopicConfig(name, value)
    if (problem !== undefined) return problem
    if (value !== null) set.set(name, value)
  }
  const number = (name: string) => topicValue(name, set, broker) as number
  if (number('min.compaction.lag.ms') > number('max.compaction.lag.ms')) {
    return (
      `min.compaction.lag.ms (${number('min.compaction.lag.ms')}) must not be above ` +
      `max.compaction.lag.ms (${number('max.compaction.lag.ms')})`
    )
  }
  if (
    topicValue('remote.storage.enable', set, broker) === true &&
    !broker.boolean('remote.log.storage.system.enable')
  ) {
    return 'remote.storage.enable needs tiered storage, which this broker does not have (remote.log.storage.system.enable)'
  }
  return undefined
}

/** What the broker's configs make of topic config `name`, when the topic does not set it. */
function inherited(name: string, broker: BrokerConfig): { value: ConfigValue; text: string | null } {
  for (const synonym of topicSynonyms.get(name) ?? []) {
    const value = broker.value(synonym.name)
    if (value === null) continue
    if (synonym.factor === 1 || typeof value !== 'number') return { value, text: broker.text(synonym.name) }
    // Negative hours or minutes mean "for ever", as -1 milliseconds does.
    const scaled = value < 0 ? -1 : value * synonym.factor
    return { value: scaled, text: String(scaled) }
  }
  return defaultValue(topicConfigs.get(name)!)
}

function lookup(name: string, overrides: ReadonlyMap<string, string>, broker: BrokerConfig) {
  const text = overrides.get(name)
  if (text !== undefined) {
    const parsed = parseValue(topicConfigs.get(name)!, text)
    if (parsed.ok) return parsed
  }
  return inherited(name, broker)
}

/** Topic config `name` of a topic with these overrides. */
export function topicValue(name: string, overrides: ReadonlyMap<string, string>, broker: BrokerConfig): ConfigValue {
  return lookup(name, overrides, broker).value
}

/** The same as Kafka prints it; null when there is none. */
export function topicText(name: string, overrides: ReadonlyMap<string, string>, broker: BrokerConfig): string | null {
  return lookup(name, overrides, broker).text
}

/**
 * The settings of one log of a topic with these overrides. `segmentJitterMs` is the greatest jitter: the caller draws
 * (`drawJitter`), because the dice are not here.
 */
export function logConfigFor(overrides: ReadonlyMap<string, string>, broker: BrokerConfig): LogConfig {
  const value = (name: string) => topicValue(name, overrides, broker)
  const number = (name: string) => value(name) as number
  const policy = value('cleanup.policy') as readonly string[]
  const compacted = policy.includes('compact')
  const segmentMs = number('segment.ms')
  const maxLagMs = number('max.compaction.lag.ms')
  return {
    // A sync after each message: what is acknowledged is on disk, as under `group`.
    flush: number('flush.messages') === 1 ? 'group' : broker.flush,
    flushMessages: number('flush.messages'),
    flushMs: number('flush.ms'),
    segmentBytes: (value('internal.segment.bytes') as number | null) ?? number('segment.bytes'),
    // A compacted log rolls early enough for its records to become cleanable in time.
    segmentMs: compacted && maxLagMs > 0 ? Math.min(maxLagMs, segmentMs) : segmentMs,
    segmentJitterMs: number('segment.jitter.ms'),
    segmentIndexBytes: number('segment.index.bytes'),
    indexIntervalBytes: number('index.interval.bytes'),
    maxMessageBytes: number('max.message.bytes'),
    compressionType: value('compression.type') as LogConfig['compressionType'],
    compressionLevel: {
      gzip: number('compression.gzip.level'),
      lz4: number('compression.lz4.level'),
      zstd: number('compression.zstd.level'),
    },
    timestampType: value('message.timestamp.type') as LogConfig['timestampType'],
    timestampBeforeMaxMs: number('message.timestamp.before.max.ms'),
    timestampAfterMaxMs: number('message.timestamp.after.max.ms'),
    compacted,
    deletes: policy.includes('delete'),
    retentionMs: number('retention.ms'),
    retentionBytes: number('retention.bytes'),
    fileDeleteDelayMs: number('file.delete.delay.ms'),
    deleteRetentionMs: number('delete.retention.ms'),
    minCompactionLagMs: number('min.compaction.lag.ms'),
    maxCompactionLagMs: maxLagMs,
    producerIdExpirationMs: broker.number('producer.id.expiration.ms'),
  }
}

/** `config` with its jitter drawn: `random` is uniform in [0, 2^32). */
export function drawJitter(config: LogConfig, random: () => number): LogConfig {
  if (config.segmentJitterMs === 0) return config
  const most = Math.min(config.segmentJitterMs, config.segmentMs)
  return { ...config, segmentJitterMs: most === 0 ? 0 : random() % most }
}

/** Keys that are accepted and stored but have no effect yet, for the README's list. */
export function storedOnly(): { broker: string[]; topic: string[] } {
  const names = (table: typeof topicConfigs) =>
    [...table.values()].filter(each => !each.effective && !each.internal).map(each => each.name)
  return { broker: names(brokerConfigs), topic: names(topicConfigs) }
}
