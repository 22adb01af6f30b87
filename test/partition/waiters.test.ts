import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { OffsetWaiters } from '../../src/partition/waiters.ts'

const test = suite('offset waiters')

const recorder = (log: string[]) => (name: string, untilOffset: number) => ({
  untilOffset,
  reached: (code: number) => void log.push(`${name}:${code}`),
})

test('waiters leave in offset order, those of one offset in arrival order', () => {
  const log: string[] = []
  const waiter = recorder(log)
  const waiters = new OffsetWaiters()
  for (const [name, offset] of [
    ['a', 5],
    ['b', 9],
    ['c', 5],
    ['d', 2],
    ['e', 9],
  ] as const)
    waiters.add(waiter(name, offset))
  waiters.release(1)
  assert.equal(log, [])
  waiters.release(5)
  assert.equal(log, ['d:0', 'a:0', 'c:0'])
  waiters.release(100)
  assert.equal(log, ['d:0', 'a:0', 'c:0', 'b:0', 'e:0'])
  assert.is(waiters.size, 0)
})

test('a waiter that is added while others are completed waits for the next call', () => {
  const log: string[] = []
  const waiter = recorder(log)
  const waiters = new OffsetWaiters()
  waiters.add({ untilOffset: 1, reached: () => waiters.add(waiter('late', 1)) })
  waiters.release(1)
  assert.equal(log, [])
  waiters.release(1)
  assert.equal(log, ['late:0'])
})

test('every waiter is failed once when the wait is over for good', () => {
  const log: string[] = []
  const waiter = recorder(log)
  const waiters = new OffsetWaiters()
  waiters.add(waiter('a', 1))
  waiters.add(waiter('b', 2))
  waiters.release(1)
  waiters.failAll(6)
  waiters.failAll(6)
  waiters.release(10)
  assert.equal(log, ['a:0', 'b:6'])
})

test('each waiter is completed exactly once, in order, whatever is added and released', () => {
  const step = fc.oneof(fc.record({ add: fc.nat(30) }), fc.record({ release: fc.nat(30) }))
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), steps => {
      const waiters = new OffsetWaiters()
      const completed: { offset: number; id: number }[] = []
      const waiting: { offset: number; id: number }[] = []
      let id = 0
      for (const each of steps) {
        if ('add' in each) {
          const mine = { offset: each.add, id: id++ }
          waiting.push(mine)
          waiters.add({ untilOffset: each.add, reached: () => void completed.push(mine) })
        } else {
          const before = completed.length
          waiters.release(each.release)
          const due = waiting.filter(other => other.offset <= each.release)
          due.sort((one, other) => one.offset - other.offset || one.id - other.id)
          assert.equal(completed.slice(before), due)
          for (const done of due) waiting.splice(waiting.indexOf(done), 1)
        }
        assert.is(waiters.size, waiting.length)
      }
    }),
  )
})

test.run()
