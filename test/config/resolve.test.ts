import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { environmentConfigs } from '../../src/config/environment.ts'
import { formatAddress, isLoopback, isWildcard, parseListeners } from '../../src/config/listeners.ts'
import { nearestName } from '../../src/config/nearest.ts'
import { type AddressOptions, resolveConfig } from '../../src/config/resolve.ts'

const resolution = suite('config resolution')

const layer = (origin: string, values: Record<string, string>) => ({ origin, values: new Map(Object.entries(values)) })
const resolved = (values: Record<string, string> = {}, options: AddressOptions = {}) => {
  const result = resolveConfig([layer('test', values)], options)
  if (!result.ok) throw new Error(result.problems[0]?.message)
  return result
}
const problems = (values: Record<string, string>, options: AddressOptions = {}) => {
  const result = resolveConfig([layer('server.properties', values)], options)
  return result.ok ? [] : result.problems
}

resolution('directories are refused when one of them is another one or lies in it', () => {
  const refused = (dirs: string) => problems({ 'log.dirs': dirs }).map(({ key }) => key)
  for (const dirs of ['a,a/', 'a,./a', '/d//a,/d/a', 'a,b/../a', 'a,a/topic-0', 'a/x,a', '.,b', '/,/b', '/d,/d/e/../f'])
    assert.equal(refused(dirs), ['log.dirs'], dirs)
  for (const dirs of [
    'a,b',
    'a,ab',
    'a,/a',
    'a,a/../b',
    'a,a/x/../../b',
    '.,../b',
    '..,../../b',
    '/d/a,/d/b',
    '/d,/../e',
  ])
    assert.equal(refused(dirs), [], dirs)
})

resolution('Kafka’s shipped server.properties is what is set when nothing else is', () => {
  const { config, warnings, withoutEffect } = resolved()
  assert.is(config.number('offsets.topic.replication.factor'), 1)
  assert.is(config.text('listeners'), 'PLAINTEXT://127.0.0.1:9092,CONTROLLER://localhost:9093')
  assert.equal(config.list('log.dirs'), ['./data'])
  assert.is(config.text('advertised.listeners'), null)
  assert.is(config.number('node.id'), 1)
  assert.is(config.flush, 'group')
  assert.equal([warnings, withoutEffect], [[], []])
})

resolution('a later layer wins and options win over all when they say the same thing', () => {
  const layers = [
    layer('server.properties', { 'num.partitions': '3', 'log.dirs': '/a', 'odradek.flush': 'os' }),
    layer('environment', { 'num.partitions': '4' }),
    layer('-c', { 'num.partitions': '5' }),
  ]
  const result = resolveConfig(layers, { dir: '/b', flush: 'group', port: 9192 })
  assert.ok(result.ok)
  if (!result.ok) return
  assert.is(result.config.number('num.partitions'), 5)
  assert.equal(result.config.list('log.dirs'), ['/b'])
  assert.is(result.config.flush, 'group')
  assert.equal(result.config.listeners, [{ name: 'PLAINTEXT', protocol: 'PLAINTEXT', host: '127.0.0.1', port: 9192 }])
})

resolution('host and port replace only themselves when listeners are given', () => {
  const listeners = 'CONTROLLER://:9093,PLAINTEXT://[::1]:9092'
  assert.is(resolved({ listeners }, { port: 1 }).config.text('listeners'), 'CONTROLLER://:9093,PLAINTEXT://[::1]:1')
  const { config } = resolved({ listeners }, { host: '10.0.0.1' })
  assert.is(config.text('listeners'), 'CONTROLLER://:9093,PLAINTEXT://10.0.0.1:9092')
  assert.is(resolved({}, { host: '::1', port: 0 }).config.listeners[0]?.host, '::1')
})

resolution('a bad value names key, value, origin and what is allowed when refused', () => {
  const [problem] = problems({ 'log.segment.bytes': '17' })
  assert.is(
    problem?.message,
    'log.segment.bytes=17 (server.properties) is not allowed: must be an integer of at least 1048576',
  )
  assert.equal([problem?.key, problem?.value], ['log.segment.bytes', '17'])
})

resolution('an unknown key is a warning that names the nearest when it is close', () => {
  const { warnings, config } = resolved({ 'num.partition': '3', 'our.own.plugin': 'x', 'super.users': 'User:a' })
  assert.equal(warnings, [
    'unknown config num.partition (test); the nearest is num.partitions',
    'unknown config our.own.plugin (test)',
  ])
  assert.is(config.given.get('our.own.plugin'), 'x')
})

resolution('what cannot be kept is refused when asked for', () => {
  const cases: [string, string][] = [
    ['authorizer.class.name', 'org.apache.kafka.metadata.authorizer.StandardAuthorizer'],
    ['create.topic.policy.class.name', 'x.Policy'],
    ['process.roles', 'broker'],
    ['controller.quorum.voters', '1@a:1,2@b:2'],
    ['listeners', 'SSL://:9092'],
    ['listeners', 'CONTROLLER://:9093'],
    ['listeners', 'PLAINTEXT://:9092,PLAINTEXT://:9094'],
    ['listeners', 'PLAINTEXT:9092'],
    ['listeners', 'PLAINTEXT://h:65536'],
    ['listeners', 'OTHER://:9092'],
    ['listener.security.protocol.map', 'PLAINTEXT=PLAINTEXT'],
    ['advertised.listeners', 'PLAINTEXT://0.0.0.0:9092'],
    ['advertised.listeners', 'PLAINTEXT://:9092'],
    ['advertised.listeners', 'SSL://h:9092'],
    ['remote.log.storage.system.enable', 'true'],
    ['broker.id', '2'],
    ['log.retention.ms', '0'],
    ['log.retention.hours', '-2'],
    ['log.roll.ms', '0'],
    ['log.cleaner.min.compaction.lag.ms', '9223372036854775807'],
    ['group.consumer.heartbeat.interval.ms', '4999'],
    ['group.consumer.session.timeout.ms', '60001'],
    ['group.consumer.assignment.interval.ms', '15001'],
    ['group.consumer.assignors', 'uniform,org.example.Assignor'],
    ['group.coordinator.rebalance.protocols', 'consumer'],
  ]
  for (const [key, value] of cases) {
    const extra: Record<string, string> = key === 'broker.id' ? { 'node.id': '1' } : {}
    const also = value.startsWith('922') ? { 'log.cleaner.max.compaction.lag.ms': '1' } : {}
    assert.equal(
      problems({ ...extra, ...also, [key]: value }).map(each => each.key),
      [key],
      `${key}=${value}`,
    )
  }
})

resolution('bounds of consumer groups are refused when they leave no room', () => {
  const keys = (values: Record<string, string>) => problems(values).map(each => each.key)
  assert.equal(keys({ 'group.consumer.min.session.timeout.ms': '60001' }), [
    'group.consumer.max.session.timeout.ms',
    'group.consumer.session.timeout.ms',
  ])
  const slow = {
    'group.consumer.max.heartbeat.interval.ms': '45000',
    'group.consumer.heartbeat.interval.ms': '45000',
  }
  assert.equal(keys(slow), ['group.consumer.heartbeat.interval.ms'])
})

resolution('a password is not repeated when its config is described or refused', () => {
  const { config } = resolved({ 'ssl.key.password': 'hunter2' })
  assert.is(config.text('ssl.key.password'), 'hunter2')
})

resolution('keys without effect are listed when they were changed', () => {
  const given = { 'log.preallocate': 'true', 'num.network.threads': '3', 'num.io.threads': '8', 'num.partitions': '2' }
  assert.equal(resolved(given).withoutEffect, ['log.preallocate'])
  const tuned = { 'num.network.threads': '2', 'num.io.threads': '4', 'offsets.topic.replication.factor': '1' }
  assert.equal(resolved(tuned).withoutEffect, ['num.network.threads', 'num.io.threads'])
})

resolution('log.dir stands for log.dirs when it is given alone', () => {
  assert.equal(resolved({ 'log.dir': '/a' }).config.list('log.dirs'), ['/a'])
  assert.equal(resolved({ 'log.dir': '/a', 'log.dirs': '/b,/c' }).config.list('log.dirs'), ['/b', '/c'])
})

resolution('broker.id stands for node.id when it is given alone', () => {
  assert.is(resolved({ 'broker.id': '7' }).config.number('node.id'), 7)
  assert.is(resolved({ 'node.id': '7' }).config.number('broker.id'), 7)
})

resolution('what is set while running wins when laid over', () => {
  const { config } = resolved({ 'log.segment.bytes': '2097152' })
  const cluster = new Map([
    ['log.segment.bytes', '3145728'],
    ['num.io.threads', 'many'],
  ])
  const above = config.withDynamic(cluster, new Map([['message.max.bytes', '5']]))
  assert.is(above.number('log.segment.bytes'), 3145728)
  assert.is(above.number('message.max.bytes'), 5)
  assert.is(above.number('num.io.threads'), 8)
  assert.is(config.number('log.segment.bytes'), 2097152)
})

resolution('variables of the environment become keys when they name one', () => {
  const { values, warnings } = environmentConfigs({
    KAFKA_LOG_DIRS: '/d',
    KAFKA_CFG_NUM_PARTITIONS: '3',
    KAFKA_LISTENER_NAME_INTERNAL_SSL_KEY_PASSWORD: 'x',
    KAFKA_OPTS: '-Xmx1G',
    KAFKA_NUM_PARTITON: '3',
    PATH: '/bin',
  })
  assert.equal(Object.fromEntries(values), {
    'log.dirs': '/d',
    'num.partitions': '3',
    'listener.name.internal.ssl.key.password': 'x',
  })
  assert.equal(warnings, [
    'environment variable KAFKA_NUM_PARTITON is no broker config and was ignored; the nearest is KAFKA_NUM_PARTITIONS',
    'environment variable KAFKA_OPTS is no broker config and was ignored',
  ])
})

resolution('addresses keep their meaning when parsed and printed', () => {
  const parsed = parseListeners(['a://[fe80::1%eth0]:1', 'B://:0'], 'A:PLAINTEXT,b:sasl_ssl')
  assert.equal(parsed, {
    ok: true,
    listeners: [
      { name: 'A', protocol: 'PLAINTEXT', host: 'fe80::1%eth0', port: 1 },
      { name: 'B', protocol: 'SASL_SSL', host: '', port: 0 },
    ],
  })
  assert.is(formatAddress('::1', 9), '[::1]:9')
  assert.equal(['127.0.0.2', '::1', 'localhost', '10.0.0.1'].map(isLoopback), [true, true, true, false])
  assert.equal(['', '0.0.0.0', '::', '127.0.0.1'].map(isWildcard), [true, true, true, false])
})

resolution('no name is near when a word is far from all', () => {
  assert.is(nearestName('log.dir', ['log.dirs', 'log.dir']), 'log.dir')
  assert.is(nearestName('xyz', ['log.dirs']), undefined)
})

resolution.run()
