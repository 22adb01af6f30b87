/** Lines of the log for people: on a terminal, and from the library when no logger is given. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { logText, warningLogger } from '../../src/base/logger.ts'

const test = suite('logger')

test('a line names whom it is about when it has fields', () => {
  const fields = { groupId: 'readers', generationId: 2, epoch: 3n, none: undefined, reason: null }
  assert.is(logText(fields, 'a group rebalances'), 'a group rebalances groupId=readers generationId=2 epoch=3')
  assert.is(logText('stopping'), 'stopping')
})

test('a value is quoted when it is more than a word', () => {
  const fields = { reason: 'the session is "over"', groups: { deleted: 2n }, empty: '' }
  assert.is(logText(fields, 'x'), 'x reason="the session is \\"over\\"" groups={"deleted":"2"} empty=""')
})

test('nothing reaches a terminal as a command when a name holds control characters', () => {
  const text = logText({ groupId: 'a\u001b[2J\n\u009b2J\u007f' }, 'x')
  assert.is(text, 'x groupId="a\\u001b[2J\\n\\u009b2J\\u007f"')
})

test('a value is cut when it is long', () => {
  assert.is(logText({ groupId: 'g'.repeat(32_767) }, 'x').length < 300, true)
})

test('the stack of an error stands below its line', () => {
  const error = new Error('no such place')
  assert.is(logText({ groupId: 'g', err: error }, 'it failed'), `it failed groupId=g\n${error.stack}`)
})

test('the logger of the library prints warnings with their fields and nothing less', () => {
  const printed: unknown[] = []
  const before = console.error
  console.error = line => printed.push(line)
  try {
    warningLogger.info({ groupId: 'g' }, 'not this')
    warningLogger.warn({ groupId: 'g' }, 'this')
  } finally {
    console.error = before
  }
  assert.equal(printed, ['odradek warn this groupId=g'])
})

test.run()
