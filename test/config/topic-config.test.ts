import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ConfigSource, describeBroker, describeBrokerDefault, describeTopic } from '../../src/config/describe.ts'
import { resolveConfig } from '../../src/config/resolve.ts'
import {
  drawJitter,
  logConfigFor,
  storedOnly,
  validateTopicConfig,
  validateTopicConfigs,
} from '../../src/config/topic-config.ts'

const topics = suite('topic config')

const broker = (values: Record<string, string> = {}) => {
  const resolved = resolveConfig([{ origin: 'test', values: new Map(Object.entries(values)) }])
  if (!resolved.ok) throw new Error(resolved.problems[0]?.message)
  return resolved.config
}
const overrides = (values: Record<string, string>) => new Map(Object.entries(values))

topics('a log has the defaults of Kafka when nothing is set', () => {
  assert.equal(logConfigFor(new Map(), broker()), {
    flush: 'group',
    segmentBytes: 1 << 30,
    segmentMs: 604_800_000,
    segmentJitterMs: 0,
    segmentIndexBytes: 10 << 20,
    indexIntervalBytes: 4096,
    maxMessageBytes: 1_048_588,
    compressionType: 'producer',
    compressionLevel: { gzip: -1, lz4: 9, zstd: 3 },
    timestampType: 'CreateTime',
    timestampBeforeMaxMs: Number.MAX_SAFE_INTEGER,
    timestampAfterMaxMs: 3_600_000,
    compacted: false,
    deletes: true,
    retentionMs: 604_800_000,
    retentionBytes: -1,
    fileDeleteDelayMs: 60_000,
    deleteRetentionMs: 86_400_000,
    minCompactionLagMs: 0,
    maxCompactionLagMs: Number.MAX_SAFE_INTEGER,
    producerIdExpirationMs: 86_400_000,
  })
})

topics('the more exact of two broker configs counts when both are set', () => {
  const hours = broker({ 'log.roll.hours': '2', 'log.roll.jitter.hours': '1', 'odradek.flush': 'os' })
  assert.is(logConfigFor(new Map(), hours).segmentMs, 7_200_000)
  assert.is(logConfigFor(new Map(), hours).segmentJitterMs, 3_600_000)
  assert.is(logConfigFor(new Map(), hours).flush, 'os')
  assert.is(logConfigFor(new Map(), broker({ 'log.roll.hours': '2', 'log.roll.ms': '5' })).segmentMs, 5)
})

topics('an override counts before the broker when it can be read', () => {
  const config = broker({ 'message.max.bytes': '100', 'compression.type': 'lz4' })
  const set = overrides({
    'max.message.bytes': '200',
    'compression.type': 'brotli',
    'cleanup.policy': 'compact,delete',
  })
  const log = logConfigFor(set, config)
  assert.equal([log.maxMessageBytes, log.compressionType, log.compacted], [200, 'lz4', true])
})

topics('a compacted log rolls in time when records must become cleanable', () => {
  const set = overrides({ 'cleanup.policy': 'compact', 'max.compaction.lag.ms': '1000' })
  assert.is(logConfigFor(set, broker()).segmentMs, 1000)
})

topics('jitter stays below its bounds when drawn', () => {
  const config = logConfigFor(overrides({ 'segment.ms': '10', 'segment.jitter.ms': '100' }), broker())
  assert.is(drawJitter(config, () => 0xffff_ffff).segmentJitterMs, 0xffff_ffff % 10)
  assert.is(drawJitter(logConfigFor(new Map(), broker()), () => 7).segmentJitterMs, 0)
})

topics('one config is refused when its name or value is not allowed', () => {
  assert.is(validateTopicConfig('retention.ms', '-1'), undefined)
  assert.is(
    validateTopicConfig('retention.ms', '-2'),
    'Invalid value -2 for configuration retention.ms: must be an integer of at least -1',
  )
  assert.is(
    validateTopicConfig('retention.mss', '1'),
    'Unknown topic config name: retention.mss (nearest: retention.ms)',
  )
  assert.is(validateTopicConfig('log.retention.ms', '1')?.startsWith('Unknown topic config name'), true)
  assert.is(validateTopicConfig('retention.ms', null), 'Null value not supported for topic configs: retention.ms')
})

topics('configs are refused together when they contradict each other or the broker', () => {
  const lag = overrides({ 'min.compaction.lag.ms': '10', 'max.compaction.lag.ms': '9' })
  assert.match(validateTopicConfigs(lag, broker()) ?? '', /min\.compaction\.lag\.ms \(10\)/)
  const inheritedLag = broker({ 'log.cleaner.max.compaction.lag.ms': '5' })
  assert.ok(validateTopicConfigs(overrides({ 'min.compaction.lag.ms': '6' }), inheritedLag))
  assert.ok(validateTopicConfigs(overrides({ 'remote.storage.enable': 'true' }), broker()))
  assert.ok(validateTopicConfigs(overrides({ nonsense: '1' }), broker()))
  assert.is(validateTopicConfigs(overrides({ 'remote.storage.enable': 'false' }), broker()), undefined)
})

topics('an override is told first with its broker synonyms behind it when described', () => {
  const config = broker({ 'log.segment.bytes': '2097152' })
  const described = describeTopic(overrides({ 'segment.bytes': ' 3145728' }), config)
  const segment = described.find(each => each.name === 'segment.bytes')
  assert.equal([segment?.value, segment?.source], ['3145728', ConfigSource.topic])
  assert.equal(segment?.synonyms, [
    { name: 'segment.bytes', value: '3145728', source: ConfigSource.topic },
    { name: 'log.segment.bytes', value: '2097152', source: ConfigSource.staticBroker },
    { name: 'log.segment.bytes', value: '1073741824', source: ConfigSource.default },
  ])
})

topics('a synonym that counts before the described key is left out when it has another name', () => {
  const described = describeBroker(broker({ 'log.retention.ms': '5', 'log.retention.hours': '3' }))
  const entry = described.find(each => each.name === 'log.retention.hours')
  assert.equal(entry?.synonyms, [
    { name: 'log.retention.hours', value: '3', source: ConfigSource.staticBroker },
    { name: 'log.retention.hours', value: '168', source: ConfigSource.default },
  ])
})

topics('passwords and unknown keys keep their values when a broker is described', () => {
  const described = describeBroker(broker({ 'ssl.key.password': 'hunter2', 'my.secret': 'hunter3' }))
  for (const name of ['ssl.key.password', 'my.secret']) {
    const entry = described.find(each => each.name === name)
    assert.equal([entry?.value, entry?.sensitive], [null, true])
  }
  assert.not.match(JSON.stringify(described), /hunter/)
})

topics('the cluster default tells only what was set while running when described', () => {
  const config = broker({ 'min.insync.replicas': '2' }).withDynamic(
    overrides({ 'min.insync.replicas': '1' }),
    new Map(),
  )
  const [entry, ...others] = describeBrokerDefault(config)
  assert.equal(others, [])
  assert.equal(entry?.synonyms, [
    { name: 'min.insync.replicas', value: '1', source: ConfigSource.dynamicDefaultBroker },
  ])
})

topics('what nothing acts on is listed when asked for', () => {
  const { broker: brokers, topic } = storedOnly()
  assert.ok(topic.includes('preallocate') && brokers.includes('num.io.threads'))
  assert.not.ok(topic.includes('segment.bytes') || brokers.includes('num.partitions'))
})

topics.run()
