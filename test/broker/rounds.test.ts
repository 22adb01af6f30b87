/** When housekeeping comes again, over a simulated clock. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Rounds } from '../../src/broker/rounds.ts'
import { SimulatedHost } from '../../src/host/simulated.ts'

const test = suite('rounds')

/** Rounds that end when they are told to. */
const heldRounds = () => {
  const host = new SimulatedHost({ seed: 1 })
  const ends: ((nextMs: number) => void)[] = []
  const rounds = new Rounds(host, 100, () => new Promise(resolve => ends.push(resolve)))
  return { host, ends, rounds }
}

test('no round begins while one runs, and the next comes after the pause that it asked for', async () => {
  const { host, ends, rounds } = heldRounds()
  await host.advance(99)
  assert.is(ends.length, 0)
  await host.advance(10_000)
  assert.is(ends.length, 1)
  ends[0]?.(50)
  await host.advance(49)
  assert.is(ends.length, 1)
  await host.advance(1)
  assert.is(ends.length, 2)
  rounds.close()
})

test('none begins after a close, neither one that was due nor one after the round that ran', async () => {
  const waiting = heldRounds()
  waiting.rounds.close()
  await waiting.host.advance(1_000)
  assert.is(waiting.ends.length, 0)
  const running = heldRounds()
  await running.host.advance(100)
  running.rounds.close()
  assert.is(running.rounds.closed, true)
  running.ends[0]?.(10)
  await running.host.advance(1_000)
  assert.is(running.ends.length, 1)
})

test.run()
