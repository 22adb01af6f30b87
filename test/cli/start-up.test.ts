import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { version } from '../../src/base/version.ts'
import { createLogger, logSettings } from '../../src/cli/logging.ts'
import { serveConfig } from '../../src/cli/serve-config.ts'
import { addressWarnings, cutWarnings, reportLines, startedLine, startFailure } from '../../src/cli/start-up.ts'
import { resolveConfig } from '../../src/config/resolve.ts'
import { ListenError } from '../../src/native/runtime.ts'
import { inRepository } from '../support/paths.ts'
import { temporaryFolder } from '../support/temporary.ts'

const startUp = suite('start-up')

const config = (values: Record<string, string> = {}, options = {}) => {
  const resolved = resolveConfig([{ origin: 'test', values: new Map(Object.entries(values)) }], options)
  if (!resolved.ok) throw new Error(resolved.problems[0]?.message)
  return resolved.config
}

startUp('the version is that of package.json when printed', () => {
  assert.is(version, JSON.parse(readFileSync(inRepository('package.json'), 'utf8')).version)
})

startUp('the line says where, what acks=all means and how to connect when started', () => {
  const started = { host: '127.0.0.1', port: 9092, dir: './data', topics: 1, partitions: 6, afterMs: 63.4 }
  assert.is(
    startedLine(config(), started),
    `odradek ${version} listening on 127.0.0.1:9092 after 63 ms · data ./data (1 topic, 6 partitions) · ` +
      'acks=all waits for disk · try: kcat -b 127.0.0.1:9092 -L',
  )
  assert.match(startedLine(config({}, { flush: 'os' }), started), /acks=all waits for the page cache, not for the disk/)
  const memory = startedLine(config(), { ...started, host: '::', dir: undefined })
  assert.match(memory, /listening on \[::\]:9092 .* data in memory, gone when it stops .* kcat -b \[::1\]:9092/)
})

startUp('a listener beyond loopback is warned of when it starts', () => {
  assert.equal(addressWarnings(config(), '127.0.0.2', 9092), [])
  assert.equal(addressWarnings(config(), '::1', 9092), [])
  const [open, told, ...more] = addressWarnings(config(), '0.0.0.0', 9092)
  assert.match(open ?? '', /^0\.0\.0\.0:9092 accepts anyone/)
  assert.match(told ?? '', /set advertised\.listeners/)
  assert.equal(more, [])
  assert.is(addressWarnings(config(), '10.1.2.3', 9092).length, 1)
})

startUp('an advertised loopback address is warned of when others can connect', () => {
  const advertised = { 'advertised.listeners': 'PLAINTEXT://localhost:9092' }
  assert.match(addressWarnings(config(advertised), '0.0.0.0', 9092)[1] ?? '', /localhost:9092, which is themselves/)
  assert.equal(addressWarnings(config(advertised), '127.0.0.1', 9092), [])
  const right = { 'advertised.listeners': 'PLAINTEXT://kafka.example:9092' }
  assert.is(addressWarnings(config(right), '0.0.0.0', 9092).length, 1)
})

startUp('formatting and recovery are told when they happened', () => {
  const report = {
    formatted: true,
    topics: 0,
    partitions: 0,
    strays: [],
    recovered: { logs: 2, cutRecords: 1, cutBytes: 70 },
  }
  assert.equal(reportLines({ clusterId: 'c', nodeId: 1, report }, 'd'), [
    'formatted d: cluster c, node 1',
    'recovered 2 partitions after an unclean stop, cut 70 torn bytes',
  ])
  assert.match(cutWarnings({ report })[0] ?? '', /: 1 record that could be read, behind .*odradek-cut$/)
  const quiet = { ...report, formatted: false, recovered: { logs: 0, cutRecords: 0, cutBytes: 0 } }
  assert.equal(reportLines({ clusterId: 'c', nodeId: 1, report: quiet }, 'd'), [])
  assert.equal(cutWarnings({ report: quiet }), [])
})

startUp('a failure says what helps when it was foreseen', () => {
  const inUse = new ListenError('EADDRINUSE', '127.0.0.1', 9092, 'address in use')
  assert.match(startFailure(inUse) ?? '', /127\.0\.0\.1:9092.*--port/)
  assert.is(startFailure(new TypeError('x')), undefined)
})

startUp('flags win over the environment and that over the file when all speak', () => {
  const file = join(temporaryFolder('cli'), 'server.properties')
  writeFileSync(file, 'num.partitions=2\nlog.dirs=/file\nmessage.max.bytes=7\n')
  const environment = { KAFKA_NUM_PARTITIONS: '3', KAFKA_LOG_DIRS: '/environment' }
  const flags = { set: ['num.partitions=4'], dir: '/flag', config: file }
  const resolved = serveConfig(flags, environment)
  assert.ok(resolved.ok)
  if (!resolved.ok) return
  assert.is(resolved.config.number('num.partitions'), 4)
  assert.equal(resolved.config.list('log.dirs'), ['/flag'])
  assert.is(resolved.config.number('message.max.bytes'), 7)
  const without = serveConfig({ set: [], config: file }, environment)
  assert.equal(without.ok && without.config.list('log.dirs'), ['/environment'])
})

startUp('each problem is a line for people when the start is refused', () => {
  const errors = (flags: object, environment = {}) => {
    const resolved = serveConfig({ set: [], ...flags }, environment)
    return resolved.ok ? [] : resolved.errors
  }
  assert.equal(errors({ config: '/nowhere/at/all' }), ['cannot read /nowhere/at/all: there is no such file'])
  assert.equal(errors({ set: ['novalue'] }), ["-c takes key=value, not 'novalue'"])
  assert.match(errors({ set: ['num.partitions=0'] })[0] ?? '', /^num\.partitions=0 \(-c\) is not allowed: must be/)
  assert.match(errors({}, { KAFKA_NUM_PARTITIONS: 'x' })[0] ?? '', /^num\.partitions=x \(environment\)/)
  const file = join(temporaryFolder('cli'), 'broken.properties')
  writeFileSync(file, 'a=1\nb=\\u00zz\n')
  assert.equal(errors({ config: file }), [`${file}, line 2: \\u must be followed by four hexadecimal digits`])
})

startUp('the log is JSON unless it goes to a terminal when nothing is said', () => {
  assert.equal(logSettings({}, true), { level: 'info', format: 'pretty' })
  assert.equal(logSettings({ ODRADEK_LOG: 'warn' }, false), { level: 'warn', format: 'json' })
  assert.match(logSettings({ ODRADEK_LOG: 'loud' }, true) as string, /must be one of debug, info/)
  assert.match(logSettings({ ODRADEK_LOG_FORMAT: 'xml' }, true) as string, /pretty or json/)
  createLogger({ level: 'silent', format: 'pretty' }).error('nobody sees this')
  createLogger({ level: 'silent', format: 'json' }).error({ field: 1 }, 'nor this')
})

startUp.run()
