/** Durable appends that are asked for together are written by one call, and nobody can tell but by the clock. */
import fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Log, openLog } from '../../src/index.ts'
import { temporaryFolder } from '../support/temporary.ts'

const test = suite('durable appends')

const decoder = new TextDecoder()
const folder = () => `${temporaryFolder('durable')}/audit-0`
const values = (log: Log) => [...log].map(({ value }) => (value === null ? null : decoder.decode(value)))

async function using(run: (log: Log) => unknown, options: object = {}) {
  const log = await openLog({ dir: folder(), ...options })
  try {
    await run(log)
  } finally {
    await log.close()
  }
}

test('durable appends and others of one job lie in the order of their calls', () =>
  using(async log => {
    const first = [log.appendDurable('a'), log.appendDurable('b')]
    assert.is(log.append('c'), 2)
    const rest = [log.appendDurable('d'), log.appendDurable(null), log.appendDurable('f', { key: 'k' })]
    assert.is(log.appendMany(['g', 'h']), 6)
    const last = log.appendDurable('i')
    assert.equal(await Promise.all([...first, ...rest, last]), [0, 1, 3, 4, 5, 8])
    assert.equal(values(log), ['a', 'b', 'c', 'd', null, 'f', 'g', 'h', 'i'])
  }))

test('what was asked for is there for whoever looks in the same job', () =>
  using(async log => {
    const promise = log.appendDurable('a')
    assert.is(log.endOffset, 1)
    const second = log.appendDurable('b')
    assert.is(decoder.decode(log.read(1)!.value!), 'b')
    const third = log.appendDurable('c')
    assert.equal(values(log), ['a', 'b', 'c'])
    const fourth = log.appendDurable('d')
    log.flushSync()
    assert.is(log.flushedOffset, 4)
    assert.equal(await Promise.all([promise, second, third, fourth]), [0, 1, 2, 3])
  }))

test('arrays may change once the call has returned', () =>
  using(async log => {
    const bytes = new TextEncoder().encode('before')
    const promise = log.appendDurable(bytes)
    bytes.fill(0)
    await promise
    assert.equal(values(log), ['before'])
  }))

test('one value too large is refused alone when others come with it', () =>
  using(
    async log => {
      const large = 'x'.repeat(9000)
      const outcomes = await Promise.allSettled(['a', large, 'b'].map(value => log.appendDurable(value)))
      assert.equal(
        outcomes.map(outcome => (outcome.status === 'fulfilled' ? outcome.value : outcome.reason.name)),
        [0, 'RangeError', 1],
      )
      assert.equal(values(log), ['a', 'b'])
    },
    { config: { 'max.message.bytes': '8192' } },
  ))

test('a value of a wrong kind rejects and nothing of it is written', () =>
  using(async log => {
    const outcomes = await Promise.allSettled(['a', 7, undefined, 'b'].map(value => log.appendDurable(value as string)))
    assert.equal(
      outcomes.map(outcome => (outcome.status === 'fulfilled' ? outcome.value : outcome.reason.name)),
      [0, 'TypeError', 'TypeError', 1],
    )
  }))

test('values of any size asked for at once come back whole and in order', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.oneof(
          fc.string({ unit: 'grapheme' }),
          fc.nat(40_000).map(length => 'ä'.repeat(length)),
        ),
        { maxLength: 60 },
      ),
      texts =>
        using(async log => {
          const offsets = await Promise.all(texts.map(text => log.appendDurable(text)))
          assert.equal(offsets, [...texts.keys()])
          assert.equal(values(log), texts)
        }),
    ),
    { numRuns: 15 },
  ))

test('flush.messages brings to disk what was appended without waiting', () =>
  using(
    async log => {
      log.append('a')
      log.append('b')
      assert.is(log.flushedOffset, 0)
      log.append('c')
      for (let tries = 0; log.flushedOffset < 3; tries++) {
        assert.ok(tries < 1000, `${log.flushedOffset}`)
        await new Promise(resolve => setTimeout(resolve, 5))
      }
      log.append('d')
      assert.is(log.flushedOffset, 3)
    },
    { config: { 'flush.messages': 3 } },
  ))

test.run()
