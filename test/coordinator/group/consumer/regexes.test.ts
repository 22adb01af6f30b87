import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { GroupRecordOf } from '../../../../src/coordinator/group/records.ts'
import { ErrorCode } from '../../../../src/protocol/error-codes.ts'
import { assignedBy, ConsumerRig, codeOf } from '../../../support/consumer-rig.ts'

const test = suite('subscriptions by regular expression')

const names = (rig: ConsumerRig): string[] => rig.written.map(record => record.name.replace('ConsumerGroup', ''))

test('an expression is resolved apart from the heartbeat that brings it, and assigned at the next', () => {
  const rig = new ConsumerRig({ foo: 2, bar: 2, fool: 1 })
  const joined = rig.heartbeat('a', 0, { regex: 'fo.*' })
  assert.equal([joined.memberEpoch, assignedBy(joined)], [1, {}])
  assert.equal(names(rig), ['MemberMetadata', 'CurrentMemberAssignment'])
  rig.advance(0)
  assert.equal(names(rig), ['RegularExpression', 'Metadata'])
  const { value } = rig.written[0] as GroupRecordOf<'ConsumerGroupRegularExpression'>
  assert.equal(value, { topics: ['foo', 'fool'], version: rig.image.offset, timestamp: rig.nowMs })
  const answer = rig.heartbeat('a', 1)
  assert.equal([answer.memberEpoch, assignedBy(answer)], [2, { foo: [0, 1], fool: [0] }])
  assert.equal(rig.reload().hardState(), rig.hardState())
})

test('an expression that is none is refused and changes nothing', () => {
  const rig = new ConsumerRig({ foo: 2 })
  assert.is(
    codeOf(() => rig.heartbeat('a', 0, { regex: 'fo[' })),
    ErrorCode.INVALID_REGULAR_EXPRESSION,
  )
  assert.is(rig.table.size, 0)
  assert.equal(rig.timers, [])
})

test('a member with an expression that is resolved gets its topics at once', () => {
  const rig = new ConsumerRig({ foo: 2 })
  rig.heartbeat('a', 0, { regex: 'fo.*' })
  rig.advance(0)
  rig.heartbeat('a', 1)
  rig.heartbeat('b', 0, { regex: 'fo.*' })
  assert.is(rig.group().epoch, 3)
  assert.is(rig.group().regexes.get('fo.*'), 2)
  assert.ok(rig.group().isHomogeneous)
  assert.equal(rig.timers, ['session a', 'session b'], 'nothing is to be resolved')
})

test('an expression goes with its last member', () => {
  const rig = new ConsumerRig({ foo: 2 })
  rig.heartbeat('a', 0, { regex: 'fo.*' })
  rig.heartbeat('b', 0, { regex: 'fo.*' })
  rig.advance(0)
  rig.heartbeat('a', -1)
  assert.not.ok(names(rig).includes('RegularExpression'))
  assert.ok(rig.group().isSubscribedToTopic('foo'))
  rig.heartbeat('b', -1)
  assert.ok(rig.written.some(record => record.name === 'ConsumerGroupRegularExpression' && record.value === null))
  assert.is(rig.group().resolvedRegexes.size, 0)
  assert.not.ok(rig.group().isSubscribedToTopic('foo'))
})

test('a member that gives its expression up for another, or for names, keeps nothing of it', () => {
  const rig = new ConsumerRig({ foo: 2, bar: 2 })
  rig.heartbeat('a', 0, { regex: 'fo.*' })
  rig.advance(11_000)
  rig.heartbeat('a', 1)
  rig.heartbeat('a', 2, { regex: 'ba.*', owned: { foo: [0, 1] } })
  assert.equal([...rig.group().regexes], [['ba.*', 1]])
  assert.is(rig.group().resolvedRegexes.size, 0)
  rig.advance(0)
  assert.equal(assignedBy(rig.heartbeat('a', 2, { owned: {} })), { bar: [0, 1] })
  rig.heartbeat('a', 3, { regex: '', topics: ['foo'] })
  assert.is(rig.group().regexes.size, 0)
  assert.equal(assignedBy(rig.heartbeat('a', 3, { owned: {} })), { foo: [0, 1] })
})

test('a topic that comes is found at the next heartbeat, but not within ten seconds of the last look', () => {
  const rig = new ConsumerRig({ foo: 1 })
  rig.heartbeat('a', 0, { regex: 'fo.*' })
  rig.advance(0)
  rig.heartbeat('a', 1)
  rig.createTopics({ fool: 1 })
  rig.advance(10_000)
  rig.heartbeat('a', 2)
  rig.advance(0)
  assert.equal(rig.written, [])
  rig.advance(1)
  rig.heartbeat('a', 2)
  rig.advance(0)
  assert.equal(names(rig), ['RegularExpression', 'Metadata'])
  assert.equal(assignedBy(rig.heartbeat('a', 2)), { foo: [0], fool: [0] })
})

test('a topic that comes and does not match is looked at once and moves nothing', () => {
  const rig = new ConsumerRig({ foo: 1 })
  rig.heartbeat('a', 0, { regex: 'fo.*' })
  rig.advance(11_000)
  rig.heartbeat('a', 1)
  rig.createTopics({ bar: 1 })
  rig.heartbeat('a', 2)
  rig.advance(0)
  assert.equal(names(rig), ['RegularExpression'])
  rig.advance(11_000)
  rig.heartbeat('a', 2)
  rig.advance(0)
  assert.equal(rig.written, [])
})

test('expressions are looked at again when the interval has passed', () => {
  const rig = new ConsumerRig({ foo: 1 }, { 'group.consumer.session.timeout.ms': 10_000_000 })
  rig.heartbeat('a', 0, { regex: 'fo.*' })
  rig.advance(0)
  rig.heartbeat('a', 1)
  rig.advance(600_000)
  rig.heartbeat('a', 2)
  rig.advance(0)
  assert.equal(rig.written, [])
  rig.advance(1)
  rig.heartbeat('a', 2)
  rig.advance(0)
  assert.equal(names(rig), ['RegularExpression'])
})

test('a coordinator that was loaded looks at expressions that an older image resolved', () => {
  const rig = new ConsumerRig({ foo: 1 })
  rig.heartbeat('a', 0, { regex: 'fo.*' })
  rig.advance(11_000)
  rig.heartbeat('a', 1)
  rig.createTopics({ fool: 1 })
  const loaded = rig.reload()
  loaded.heartbeat('a', 2)
  loaded.advance(0)
  assert.equal(assignedBy(loaded.heartbeat('a', 2)), { foo: [0], fool: [0] })
})

test('a topic that is deleted is taken away before the expression is looked at again', () => {
  const rig = new ConsumerRig({ foo: 1, fool: 1 })
  rig.heartbeat('a', 0, { regex: 'fo.*' })
  rig.advance(0)
  rig.heartbeat('a', 1)
  rig.deleteTopic('fool')
  assert.equal(assignedBy(rig.heartbeat('a', 2)), { foo: [0] })
})

test('a resolution that could not be written comes with the next heartbeat', () => {
  const rig = new ConsumerRig({ foo: 1 })
  rig.heartbeat('a', 0, { regex: 'fo.*' })
  rig.held = true
  rig.advance(0)
  rig.refuse(ErrorCode.NOT_ENOUGH_REPLICAS)
  rig.held = false
  rig.heartbeat('a', 1)
  rig.advance(0)
  assert.equal(assignedBy(rig.heartbeat('a', 1)), { foo: [0] })
})

test('a member may bring names and an expression, and reads both', () => {
  const rig = new ConsumerRig({ foo: 1, bar: 1 })
  rig.heartbeat('a', 0, { regex: 'fo.*', topics: ['bar'] })
  rig.advance(0)
  assert.equal(assignedBy(rig.heartbeat('a', 2)), { bar: [0], foo: [0] })
  assert.not.ok(rig.group().isHomogeneous)
})

test('costly expressions are matched in slices, between which others are heard', () => {
  const rig = new ConsumerRig({ foo: 2, bar: 1 })
  const { regex } = rig.context
  const matching = regex.matching.bind(regex)
  regex.matching = (pattern, topics) => {
    rig.nowMs += 6
    return matching(pattern, topics)
  }
  const heard: number[] = []
  for (const [at, pattern] of ['f.*', 'b.*', 'fo+', 'ba.'].entries()) rig.heartbeat(`m${at}`, 0, { regex: pattern })
  const startMs = rig.nowMs
  rig.schedule('another', 1, () => {
    heard.push(rig.nowMs - startMs)
    return { records: [], response: undefined }
  })
  rig.advance(30)
  assert.equal(heard, [12], 'after two of the four')
  assert.is(rig.group().resolvedRegexes.size, 4)
  assert.equal(rig.reload().hardState(), rig.hardState())
})

test('expressions that come and go while others are matched are resolved, and not written', () => {
  const rig = new ConsumerRig({ foo: 2, bar: 1 })
  const { regex } = rig.context
  const matching = regex.matching.bind(regex)
  regex.matching = (pattern, topics) => {
    rig.nowMs += 12
    return matching(pattern, topics)
  }
  rig.heartbeat('a', 0, { regex: 'f.*' })
  rig.heartbeat('b', 0, { regex: 'b.*' })
  rig.advance(0)
  rig.heartbeat('b', -1)
  rig.heartbeat('c', 0, { regex: 'ba.' })
  rig.advance(100)
  assert.equal([...rig.group().resolvedRegexes.keys()].sort(), ['ba.', 'f.*'])
  assert.equal(rig.reload().hardState(), rig.hardState())
})

test.run()
