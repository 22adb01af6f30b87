/** Our table against what Apache Kafka 4.3.1 says of its own (test/vectors/record/Configs.java records it). */
import { readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { ConfigDefinition } from '../../src/config/definition.ts'
import {
  ConfigSource,
  type DescribedConfig,
  describeBroker,
  describeGroup,
  describeTopic,
} from '../../src/config/describe.ts'
import { resolveConfig } from '../../src/config/resolve.ts'
import { brokerConfigs, groupConfigs, topicConfigs } from '../../src/config/table.ts'
import { defaultValue } from '../../src/config/value.ts'
import { inRepository } from '../support/paths.ts'

interface Defined {
  name: string
  type: string
  default: string | null
  hasDefault: boolean
  importance: string
  internal: boolean
  valid: string | null
}
interface Described {
  name: string
  type: string
  source: string
  readOnly: boolean
  sensitive: boolean
  synonyms: [string, string][]
}
const kafka: {
  brokerDefinitions: Defined[]
  topicDefinitions: Defined[]
  groupDefinitions: Defined[]
  describeBroker: Described[]
  describeTopic: Described[]
  describeGroup: Described[]
} = JSON.parse(readFileSync(inRepository('test/vectors/configs/kafka-4.3.1.json'), 'utf8'))

function apart(key: string): [string, string] {
  return [`${key} key`, 'Kafka defines it apart, among what can only be set while a broker runs']
}

/** Where we differ on purpose: `key field` and why. */
const differences = new Map([
  ['share.auto.offset.reset allowed', 'durations are not told from other texts, since nothing acts on them'],
  ['log.dir default', 'data lies where the command was started, not in a temporary directory that a restart may empty'],
  apart('replica.alter.log.dirs.io.max.bytes.per.second'),
  apart('leader.replication.throttled.rate'),
  apart('follower.replication.throttled.rate'),
  ['odradek.flush key', 'ours alone: what an append waits for'],
])

/** What can be set here while the broker runs. Kafka's other dynamic configs are read-only. */
const dynamic: ReadonlySet<string> = new Set([
  'compression.gzip.level',
  'compression.lz4.level',
  'compression.type',
  'compression.zstd.level',
  'follower.fetch.last.tiered.offset.enable',
  'group.consumer.assignment.interval.ms',
  'log.cleaner.backoff.ms',
  'log.cleaner.dedupe.buffer.size',
  'log.cleaner.delete.retention.ms',
  'log.cleaner.io.buffer.load.factor',
  'log.cleaner.io.buffer.size',
  'log.cleaner.io.max.bytes.per.second',
  'log.cleaner.max.compaction.lag.ms',
  'log.cleaner.min.cleanable.ratio',
  'log.cleaner.min.compaction.lag.ms',
  'log.cleaner.threads',
  'log.cleanup.policy',
  'log.flush.interval.messages',
  'log.flush.interval.ms',
  'log.index.interval.bytes',
  'log.index.size.max.bytes',
  'log.local.retention.bytes',
  'log.local.retention.ms',
  'log.message.timestamp.after.max.ms',
  'log.message.timestamp.before.max.ms',
  'log.message.timestamp.type',
  'log.preallocate',
  'log.retention.bytes',
  'log.retention.ms',
  'log.roll.jitter.ms',
  'log.roll.ms',
  'log.segment.bytes',
  'log.segment.delete.delay.ms',
  'max.connections',
  'max.connections.per.ip',
  'message.max.bytes',
  'min.insync.replicas',
  'num.recovery.threads.per.data.dir',
  'num.replica.fetchers',
  'producer.id.expiration.ms',
  'remote.fetch.max.wait.ms',
  'remote.list.offsets.request.timeout.ms',
  'remote.log.index.file.cache.total.size.bytes',
  'remote.log.manager.copier.thread.pool.size',
  'remote.log.manager.copy.max.bytes.per.second',
  'remote.log.manager.expiration.thread.pool.size',
  'remote.log.manager.fetch.max.bytes.per.second',
  'remote.log.manager.follower.thread.pool.size',
  'remote.log.reader.threads',
  'unclean.leader.election.enable',
])

/** Kafka's words for what it allows, in ours. */
function kafkaAllowed({ valid, type, name }: Defined): object {
  if (!valid || valid === 'None' || valid === 'non-null string') return {}
  if (valid.startsWith('[partitionId]')) return { replicas: true }
  const least = /^\[(-?\d+),\.\.\.\]$/.exec(valid)
  if (least) return { min: Number(least[1]) }
  const range = /^\[(-?[\d.]+),\.\.\.,(-?[\d.]+)\]( or -1)?$/.exec(valid)
  if (range) return { min: Number(range[1]), max: Number(range[2]), ...(range[3] ? { also: -1 } : {}) }
  const choice = /^(\(case insensitive\) )?\[(.*)\]$/.exec(valid)
  if (choice) {
    return {
      oneOf: choice[2]!.split(', '),
      ...(choice[1] ? { anyCase: true } : {}),
      // Kafka's text does not say that a list must not be empty.
      ...(type === 'LIST' && name === 'process.roles' ? { nonEmpty: true } : {}),
    }
  }
  if (valid === 'non-empty string') return { nonEmpty: true }
  return {}
}

function ours(definition: ConfigDefinition): object {
  const { name, type, importance, internal, allowed } = definition
  const { nonEmpty, ...rest } = allowed
  // Of a list without choices, Kafka's text says nothing at all.
  const comparable = type === 'LIST' && !allowed.oneOf && nonEmpty ? rest : allowed
  return { name, type, default: definition.default, importance, internal, allowed: comparable }
}

function theirs(defined: Defined): object {
  const { name, type, importance, internal } = defined
  const value = defined.hasDefault ? defined.default : undefined
  return { name, type, default: value, importance: importance.toLowerCase(), internal, allowed: kafkaAllowed(defined) }
}

function compare(table: ReadonlyMap<string, ConfigDefinition>, definitions: readonly Defined[]): void {
  const missing = definitions.filter(each => !table.has(each.name)).map(each => each.name)
  assert.equal(missing, [])
  const known = new Set(definitions.map(each => each.name))
  for (const definition of table.values()) {
    if (differences.has(`${definition.name} key`)) continue
    assert.ok(known.has(definition.name), `${definition.name} is Kafka's`)
  }
  for (const defined of definitions) {
    const expected = theirs(defined)
    if (differences.has(`${defined.name} default`))
      Object.assign(expected, { default: table.get(defined.name)!.default })
    if (differences.has(`${defined.name} allowed`))
      Object.assign(expected, { allowed: table.get(defined.name)!.allowed })
    assert.equal(ours(table.get(defined.name)!), expected)
  }
}

const sources: Record<string, number> = {
  DYNAMIC_DEFAULT_BROKER_CONFIG: ConfigSource.dynamicDefaultBroker,
  STATIC_BROKER_CONFIG: ConfigSource.staticBroker,
  DEFAULT_CONFIG: ConfigSource.default,
}
const types = ['', 'BOOLEAN', 'STRING', 'INT', 'SHORT', 'LONG', 'DOUBLE', 'LIST', 'CLASS', 'PASSWORD']

function shape(described: DescribedConfig): object {
  const { name, type, source, readOnly, sensitive } = described
  const synonyms = described.synonyms.map(each => [each.name, each.source])
  return { name, type: types[type], source, readOnly, sensitive, synonyms }
}

function expectedShape(described: Described): object {
  const synonyms = described.synonyms.map(([name, source]) => [name, sources[source]])
  return { ...described, source: sources[described.source], synonyms }
}

/**
 * This broker as the recorded one was started: Kafka's shipped file, and what its controller
 * wrote of min.insync.replicas.
 */
function recordedBroker() {
  const layer = { origin: 'test', values: new Map([['advertised.listeners', 'PLAINTEXT://127.0.0.1:9092']]) }
  const resolved = resolveConfig([layer], { host: '127.0.0.1', port: 9092, dir: 'data' })
  if (!resolved.ok) throw new Error(resolved.problems[0]?.message)
  return resolved.config.withDynamic(new Map([['min.insync.replicas', '1']]), new Map())
}

const table = suite('config table')

table('broker configs are those of Kafka when compared by name, type, default and range', () => {
  compare(brokerConfigs, kafka.brokerDefinitions)
})

table('topic configs are those of Kafka when compared by name, type, default and range', () => {
  compare(topicConfigs, kafka.topicDefinitions)
})

table('group configs are those of Kafka when compared by name, type, default and range', () => {
  compare(groupConfigs, kafka.groupDefinitions)
})

table('defaults pass their own definition when parsed', () => {
  for (const definition of [...brokerConfigs.values(), ...topicConfigs.values(), ...groupConfigs.values()]) {
    if (definition.default === undefined) continue
    assert.is(defaultValue(definition).text, definition.default, definition.name)
  }
})

table('documentation is a sentence when described', () => {
  for (const definition of [...brokerConfigs.values(), ...topicConfigs.values(), ...groupConfigs.values()]) {
    assert.match(definition.documentation, /^[A-Z`m].{15,}\.$/, definition.name)
  }
})

table('describing a broker gives the keys, sources and synonyms of Kafka when started alike', () => {
  // Kafka's shipped file sets num.recovery.threads.per.data.dir, the recorded broker's did not.
  const own = ['odradek.flush', 'num.recovery.threads.per.data.dir']
  const described = describeBroker(recordedBroker()).filter(each => !own.includes(each.name))
  const expected = kafka.describeBroker.filter(each => !own.includes(each.name))
  for (const { name, readOnly } of expected) assert.not.ok(readOnly && dynamic.has(name), `${name} is dynamic in Kafka`)
  const ours = expected.map(each => expectedShape({ ...each, readOnly: !dynamic.has(each.name) }))
  assert.equal(described.map(shape), ours)
})

table('describing a broker tells of throttles and of keys of listeners only when they are set', () => {
  const own = new Map([
    ['leader.replication.throttled.rate', '1000'],
    ['listener.name.plaintext.max.connections', '7'],
    ['listener.name.plaintext.ssl.key.password', 'secret'],
  ])
  const config = recordedBroker().withDynamic(new Map(), own)
  const found = (name: string) => describeBroker(config).find(each => each.name === name)
  const [rate, limit, password] = [...own.keys()].map(found)
  assert.equal([rate?.value, rate?.synonyms.length, rate?.source], ['1000', 1, ConfigSource.dynamicBroker])
  assert.equal(
    limit?.synonyms.map(each => [each.name, each.value]),
    [
      ['listener.name.plaintext.max.connections', '7'],
      ['max.connections', '2147483647'],
    ],
  )
  assert.equal([limit?.value, limit?.type, password?.value, password?.sensitive], ['7', 3, null, true])
  assert.is(found('follower.replication.throttled.rate'), undefined)
})

table('describing a topic gives the keys, sources and synonyms of Kafka when started alike', () => {
  assert.equal(describeTopic(new Map(), recordedBroker()).map(shape), kafka.describeTopic.map(expectedShape))
})

table('describing a group gives the keys, sources and synonyms of Kafka when nothing is set', () => {
  assert.equal(describeGroup(new Map(), recordedBroker()).map(shape), kafka.describeGroup.map(expectedShape))
})

table("describing a group tells its own value before the broker's when one is set", () => {
  const own = new Map([['consumer.session.timeout.ms', '50000']])
  const found = describeGroup(own, recordedBroker()).find(each => each.name === 'consumer.session.timeout.ms')
  assert.equal([found?.value, found?.source], ['50000', ConfigSource.group])
  assert.equal(
    found?.synonyms.map(each => [each.name, each.value]),
    [
      ['consumer.session.timeout.ms', '50000'],
      ['group.consumer.session.timeout.ms', '45000'],
    ],
  )
})

table.run()
