/**
 * Broker configs that are changed while brokers run: which can be, and which values.
 *
 * Invariants: pure. A key can be changed only if somebody in this broker listens to it (the defaults of topic
 * configs, which reach every log, and the few of `heard`), or if Kafka would have nothing to act on either
 * (`withoutObject`). All others are read-only, whatever Kafka can do, and described as such. What is set for one
 * listener can be set as in Kafka.
 */
import type { BrokerConfig } from './broker-config.ts'
import type { ConfigDefinition } from './definition.ts'
import { listenerKey } from './listener-keys.ts'
import { configProblems } from './resolve.ts'
import { brokerConfigs, topicSynonyms } from './table.ts'
import { parseValue } from './value.ts'

/** Read anew each time: by logs when they are configured, by the group coordinator, by the cleaner, by listeners. */
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
  'max.connections',
  'max.connections.per.ip',
  'num.recovery.threads.per.data.dir',
]

/** What they are about is not there: replicas of other brokers, or tiered storage. They are kept for when it is. */
const withoutObject = [
  'follower.fetch.last.tiered.offset.enable',
  'follower.replication.throttled.rate',
  'leader.replication.throttled.rate',
  'num.replica.fetchers',
  'remote.fetch.max.wait.ms',
  'remote.list.offsets.request.timeout.ms',
  'remote.log.index.file.cache.total.size.bytes',
  'remote.log.manager.copier.thread.pool.size',
  'remote.log.manager.copy.max.bytes.per.second',
  'remote.log.manager.expiration.thread.pool.size',
  'remote.log.manager.fetch.max.bytes.per.second',
  'remote.log.manager.follower.thread.pool.size',
  'remote.log.reader.threads',
]

/** Keys that may be set for a listener of all brokers; all other keys of listeners need a broker's id. */
const ofEveryListener = ['max.connections', 'max.connection.creation.rate', 'num.network.threads']

/** What of TLS can be set, though for one listener only. */
const listenersOwn: ReadonlySet<string> = new Set([
  'ssl.key.password',
  'ssl.keystore.certificate.chain',
  'ssl.keystore.key',
  'ssl.keystore.location',
  'ssl.keystore.password',
  'ssl.keystore.type',
  'ssl.truststore.certificates',
  'ssl.truststore.location',
  'ssl.truststore.password',
  'ssl.truststore.type',
])

/** Threads that there may be twice or half as many of at once, not more and not fewer. */
const resized = [
  'num.recovery.threads.per.data.dir',
  'num.replica.fetchers',
  'remote.log.manager.copier.thread.pool.size',
  'remote.log.manager.expiration.thread.pool.size',
  'remote.log.manager.follower.thread.pool.size',
  'remote.log.reader.threads',
]

/** Rates and sizes that cannot be nothing. */
const positive = [
  'remote.log.index.file.cache.total.size.bytes',
  'remote.log.manager.copy.max.bytes.per.second',
  'remote.log.manager.fetch.max.bytes.per.second',
]

const listenedTo: ReadonlySet<string> = new Set([
  ...[...topicSynonyms.values()].flatMap(synonyms => synonyms.map(({ name }) => name)),
  ...heard,
  ...withoutObject,
])

/** Whether a broker config takes effect when it is set while the broker runs. */
export function isDynamic({ name, update }: ConfigDefinition): boolean {
  return update !== 'read-only' && listenedTo.has(name)
}

/** What a dynamic config must be a value of; undefined: anything will do, or it cannot be set. */
function dynamicDefinition(name: string): ConfigDefinition | undefined {
  const key = listenerKey(name)
  const definition = brokerConfigs.get(key ?? name)
  if (definition === undefined) return undefined
  return key === undefined || definition.update !== 'read-only' ? definition : undefined
}

function isSettable(name: string): boolean {
  if (listenerKey(name) !== undefined) return true
  const definition = brokerConfigs.get(name)
  return definition !== undefined && isDynamic(definition)
}

/** Those of `stored` that mean anything to this broker; others may have been set by another release. */
export function effectiveDynamic(stored: ReadonlyMap<string, string>): Map<string, string> {
  return new Map(
    [...stored].filter(([name, text]) => {
      const definition = dynamicDefinition(name)
      return isSettable(name) && (definition === undefined || parseValue(definition, text).ok)
    }),
  )
}

/** Why `changes` cannot be set, key by key; undefined when they can. */
function valueProblem(changes: ReadonlyMap<string, string>, whose: 'this broker' | 'all brokers'): string | undefined {
  const names = [...changes.keys()]
  const listed = (which: readonly string[]) => `[${which.join(', ')}]`
  const readOnly = names.filter(name => !isSettable(name) && !listenersOwn.has(name))
  if (readOnly.length > 0) return `Cannot update these configs dynamically: ${listed(readOnly)}`
  const bare = names.filter(name => listenersOwn.has(name))
  if (bare.length > 0) {
    return `These security configs can be dynamically updated only per-listener using the listener prefix: ${listed(bare)}`
  }
  for (const [name, text] of changes) {
    const definition = dynamicDefinition(name)
    const parsed = definition && parseValue(definition, text)
    if (parsed?.ok === false) return `Invalid value ${text} for configuration ${name}: must be ${parsed.mustBe}`
  }
  if (whose === 'this broker') return undefined
  const perBroker = names.filter(name => {
    const key = listenerKey(name)
    return key !== undefined && !ofEveryListener.includes(key)
  })
  if (perBroker.length === 0) return undefined
  return `Cannot update these configs at default cluster level, broker id must be specified: ${listed(perBroker)}`
}

/** -2 follows the retention of the whole; anything else must not be more. */
function localRetentionProblem(local: number, whole: number): boolean {
  return whole > -1 && local !== -2 && (local === -1 || local > whole)
}

function resizeProblem(name: string, from: number, to: number): string | undefined {
  const failed = `Dynamic thread count update validation failed for ${name}=${to}, value should`
  if (to === from) return undefined
  if (to < 1) return `${failed} be at least 1`
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
  whose: 'this broker' | 'all brokers',
  current: BrokerConfig,
  resulting: (texts: ReadonlyMap<string, string>) => BrokerConfig,
): string | undefined {
  const problem = valueProblem(texts, whose)
  if (problem !== undefined) return problem
  const config = resulting(texts)
  const [crossed] = configProblems(config)
  if (crossed !== undefined) return crossed.message
  for (const name of resized) {
    const resize = resizeProblem(name, current.number(name), config.number(name))
    if (resize !== undefined) return resize
  }
  for (const name of positive) {
    const [from, to] = [current.number(name), config.number(name)]
    if (to !== from && to < 1)
      return `Dynamic config update validation failed for ${name}=${to}, value should be at least 1`
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
