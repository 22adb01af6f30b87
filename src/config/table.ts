/**
 * The one table of broker and topic configs: every key that Kafka 4.3 knows, and ours, which begin with `odradek.`.
 *
 * Invariants: names, types, defaults, allowed values and scopes are Kafka's, except where
 * `test/config/kafka-table.test.ts` lists a difference with its reason.
 */
import { type ConfigDefinition, parseTable } from './definition.ts'
import { baseOfListenerKey } from './listener-keys.ts'
import { brokerClusterConfigs } from './tables/broker-cluster.ts'
import { brokerCoordinatorConfigs } from './tables/broker-coordinators.ts'
import { brokerLogConfigs } from './tables/broker-log.ts'
import { brokerNetworkConfigs } from './tables/broker-network.ts'
import { brokerSecurityConfigs } from './tables/broker-security.ts'
import { clientMetricsConfigTable } from './tables/client-metrics.ts'
import { groupConfigTable } from './tables/group.ts'
import { topicConfigTable } from './tables/topic.ts'

function byName(definitions: readonly ConfigDefinition[]): ReadonlyMap<string, ConfigDefinition> {
  return new Map([...definitions].sort((a, b) => (a.name < b.name ? -1 : 1)).map(each => [each.name, each]))
}

/** All broker configs by name, in the order of names. */
export const brokerConfigs = byName(
  [
    brokerLogConfigs,
    brokerNetworkConfigs,
    brokerClusterConfigs,
    brokerCoordinatorConfigs,
    brokerSecurityConfigs,
  ].flatMap(table => parseTable(table, 'broker')),
)

/** All topic configs by name, in the order of names. */
export const topicConfigs = byName(parseTable(topicConfigTable, 'topic'))

/** All group configs by name, in the order of names. */
export const groupConfigs = byName(parseTable(groupConfigTable, 'topic'))

/** All configs of client metrics subscriptions by name, in the order of names. */
export const clientMetricsConfigs = byName(parseTable(clientMetricsConfigTable, 'topic'))

const hour = 3_600_000
const minute = 60_000

/** A broker config that gives a topic config its default; `factor` turns its value into the topic config's unit. */
export interface BrokerSynonym {
  readonly name: string
  readonly factor: number
}

const same = (name: string): readonly BrokerSynonym[] => [{ name, factor: 1 }]
const inLog = (name: string) => same(`log.${name}`)
const inCleaner = (name: string) => same(`log.cleaner.${name}`)

/** The broker configs behind each topic config; the first that has a value counts. */
export const topicSynonyms: ReadonlyMap<string, readonly BrokerSynonym[]> = new Map([
  ['cleanup.policy', inLog('cleanup.policy')],
  ['compression.gzip.level', same('compression.gzip.level')],
  ['compression.lz4.level', same('compression.lz4.level')],
  ['compression.type', same('compression.type')],
  ['compression.zstd.level', same('compression.zstd.level')],
  ['delete.retention.ms', inCleaner('delete.retention.ms')],
  ['file.delete.delay.ms', inLog('segment.delete.delay.ms')],
  ['flush.messages', inLog('flush.interval.messages')],
  ['flush.ms', [...inLog('flush.interval.ms'), ...inLog('flush.scheduler.interval.ms')]],
  ['index.interval.bytes', inLog('index.interval.bytes')],
  ['local.retention.bytes', inLog('local.retention.bytes')],
  ['local.retention.ms', inLog('local.retention.ms')],
  ['max.compaction.lag.ms', inCleaner('max.compaction.lag.ms')],
  ['max.message.bytes', same('message.max.bytes')],
  ['message.timestamp.after.max.ms', inLog('message.timestamp.after.max.ms')],
  ['message.timestamp.before.max.ms', inLog('message.timestamp.before.max.ms')],
  ['message.timestamp.type', inLog('message.timestamp.type')],
  ['min.cleanable.dirty.ratio', inCleaner('min.cleanable.ratio')],
  ['min.compaction.lag.ms', inCleaner('min.compaction.lag.ms')],
  ['min.insync.replicas', same('min.insync.replicas')],
  ['preallocate', inLog('preallocate')],
  ['retention.bytes', inLog('retention.bytes')],
  [
    'retention.ms',
    [
      ...inLog('retention.ms'),
      { name: 'log.retention.minutes', factor: minute },
      { name: 'log.retention.hours', factor: hour },
    ],
  ],
  ['segment.bytes', inLog('segment.bytes')],
  ['segment.index.bytes', inLog('index.size.max.bytes')],
  ['segment.jitter.ms', [...inLog('roll.jitter.ms'), { name: 'log.roll.jitter.hours', factor: hour }]],
  ['segment.ms', [...inLog('roll.ms'), { name: 'log.roll.hours', factor: hour }]],
  ['unclean.leader.election.enable', same('unclean.leader.election.enable')],
])

/** The broker config that gives a group config its default; undefined: none does. */
export function groupSynonym(name: string): string | undefined {
  const broker = `group.${name}`
  return brokerConfigs.has(broker) ? broker : undefined
}

const families: readonly (readonly string[])[] = [
  ['log.roll.ms', 'log.roll.hours'],
  ['log.roll.jitter.ms', 'log.roll.jitter.hours'],
  ['log.retention.ms', 'log.retention.minutes', 'log.retention.hours'],
]

/** Broker configs that say the same as `name`, itself included, the one that counts first. */
export function brokerSynonyms(name: string): readonly string[] {
  // The scheduler's interval is the default of the flush interval, but not the other way round.
  if (name === 'log.flush.interval.ms') return ['log.flush.interval.ms', 'log.flush.scheduler.interval.ms']
  const base = baseOfListenerKey(name)
  if (base !== undefined) return [name, base]
  return families.find(family => family.includes(name)) ?? [name]
}
