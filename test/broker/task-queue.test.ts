import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { TaskQueue } from '../../src/broker/task-queue.ts'

const test = suite('task queue')

/** Tasks that end when they are told to. */
class Hand {
  readonly begun: string[] = []
  readonly #ends = new Map<string, () => void>()
  readonly queue: TaskQueue<string>

  constructor(atOnce: number) {
    this.queue = new TaskQueue(atOnce, name => {
      this.begun.push(name)
      return new Promise(resolve => this.#ends.set(name, resolve))
    })
  }

  async end(name: string): Promise<void> {
    this.#ends.get(name)?.()
    await Promise.resolve()
    await Promise.resolve()
  }
}

test('as many run as may, and the next one begins when one ends', async () => {
  const hand = new Hand(2)
  for (const name of ['a', 'b', 'c', 'd']) hand.queue.add(name)
  assert.equal(hand.begun, ['a', 'b'])
  await hand.end('b')
  assert.equal(hand.begun, ['a', 'b', 'c'])
  hand.queue.add('e')
  await hand.end('a')
  await hand.end('c')
  assert.equal(hand.begun, ['a', 'b', 'c', 'd', 'e'])
})

test('it is idle when nothing runs and nothing waits, and can begin anew', async () => {
  const hand = new Hand(1)
  await hand.queue.whenIdle()
  hand.queue.add('a')
  let isIdle = false
  const idle = hand.queue.whenIdle().then(() => {
    isIdle = true
  })
  hand.queue.add('b')
  await hand.end('a')
  assert.is(isIdle, false)
  await hand.end('b')
  await idle
  hand.queue.add('c')
  assert.equal(hand.begun, ['a', 'b', 'c'])
})

test.run()
