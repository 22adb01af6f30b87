import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { brokerConfigs, topicConfigs } from '../../src/config/table.ts'
import { javaDouble, parseValue } from '../../src/config/value.ts'

const value = suite('config value')

const parse = (name: string, text: string) => parseValue((topicConfigs.get(name) ?? brokerConfigs.get(name))!, text)
const good = (name: string, text: string) => {
  const parsed = parse(name, text)
  assert.ok(parsed.ok, `${name}=${text}`)
  return parsed.ok ? [parsed.value, parsed.text] : []
}
const bad = (name: string, text: string) => {
  const parsed = parse(name, text)
  assert.not.ok(parsed.ok, `${name}=${text}`)
  return parsed.ok ? '' : parsed.mustBe
}

value('integers keep Java notation when canonical text is asked', () => {
  assert.equal(good('segment.bytes', ' +01048576 '), [1048576, '1048576'])
  assert.is(bad('segment.bytes', '1048575'), 'an integer of at least 1048576')
  for (const text of ['2147483648', '1e6', '0x100000', '1_000_000', '', '1048576.0']) bad('segment.bytes', text)
})

value('a 64-bit integer saturates when it has no exact number', () => {
  assert.equal(good('retention.bytes', '9223372036854775807'), [Number.MAX_SAFE_INTEGER, '9223372036854775807'])
  assert.equal(good('retention.bytes', '-9223372036854775808'), [-Number.MAX_SAFE_INTEGER, '-9223372036854775808'])
  bad('retention.bytes', '9223372036854775808')
  bad('retention.bytes', '1'.repeat(100_000))
})

value('a level outside its range is refused when it is not the one exception', () => {
  assert.equal(good('compression.gzip.level', '-1'), [-1, '-1'])
  assert.is(bad('compression.gzip.level', '0'), '1 to 9, or -1')
  bad('compression.gzip.level', '10')
  assert.equal(good('compression.zstd.level', '-131072'), [-131072, '-131072'])
})

value('booleans are true or false when in any case, and nothing else', () => {
  assert.equal(good('preallocate', ' TRUE'), [true, 'true'])
  assert.is(bad('preallocate', 'yes'), 'true or false')
})

value('lists are trimmed and refused when a value is empty, unknown or twice', () => {
  assert.equal(good('cleanup.policy', ' compact , delete '), [['compact', 'delete'], 'compact,delete'])
  assert.equal(good('cleanup.policy', ''), [[], ''])
  for (const text of ['compact,compact', 'compact,', 'Compact', 'delete;compact']) bad('cleanup.policy', text)
  assert.equal(good('leader.replication.throttled.replicas', '0:1, 1:2'), [['0:1', '1:2'], '0:1,1:2'])
  assert.equal(good('leader.replication.throttled.replicas', '*'), [['*'], '*'])
  bad('leader.replication.throttled.replicas', '0-1')
  bad('listeners', '')
})

value('a choice is taken in any case only when its definition says so', () => {
  bad('compression.type', 'GZIP')
  assert.equal(good('group.consumer.migration.policy', 'bidirectional'), ['bidirectional', 'bidirectional'])
  assert.is(bad('message.timestamp.type', 'createtime'), 'one of CreateTime, LogAppendTime')
})

value('doubles are printed as Java prints them when described', () => {
  const cases: [number, string][] = [
    [1, '1.0'],
    [0.5, '0.5'],
    [1e7, '1.0E7'],
    [12345678.5, '1.23456785E7'],
    [0.0001, '1.0E-4'],
    [Number.MAX_VALUE, '1.7976931348623157E308'],
    [0, '0.0'],
  ]
  for (const [number, text] of cases) assert.is(javaDouble(number), text)
  assert.equal(good('min.cleanable.dirty.ratio', '.5'), [0.5, '0.5'])
  bad('min.cleanable.dirty.ratio', '1.1')
  bad('min.cleanable.dirty.ratio', 'NaN')
})

value('a text of millions of characters is refused at once, where looking twice would take for ever', () => {
  const many = 2_000_000
  bad('min.cleanable.dirty.ratio', `${'1'.repeat(many)}x`)
  bad('cleanup.policy', `a${' '.repeat(many)}b`)
  bad('leader.replication.throttled.replicas', `${'1'.repeat(many)}:`)
  bad('retention.ms', '1'.repeat(many))
})

value.run()
