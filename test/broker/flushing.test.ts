/** When logs are looked over, on a simulated host, and what `flush.messages` makes of a log. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Flushing } from '../../src/broker/flushing.ts'
import { resolveConfig } from '../../src/config/resolve.ts'
import { logConfigFor } from '../../src/config/topic-config.ts'
import { SimulatedHost } from '../../src/host/simulated.ts'
import type { LogDirectory } from '../../src/log/log.ts'

const NEVER = Number.MAX_SAFE_INTEGER
const test = suite('flushing')

function started(schedulerIntervalMs: number, checkpointIntervalsMs: number[]) {
  const host = new SimulatedHost({ seed: 1 })
  const looks: boolean[] = []
  const directory = { offline: false, look: async (sweep: boolean) => void looks.push(sweep) }
  const directories = [directory as unknown as LogDirectory]
  const flushing = new Flushing({ host, directories, schedulerIntervalMs, checkpointIntervalsMs })
  return { host, looks, directory, flushing }
}

test('nobody looks for flush.ms until a topic has one, and then as often as the least of them asks', async () => {
  const { host, looks, flushing } = started(NEVER, [0, 0])
  flushing.expect(NEVER)
  await host.advance(1_000_000)
  assert.equal(looks, [])
  flushing.expect(1000)
  await host.advance(3000)
  assert.is(looks.length, 3)
  flushing.expect(100)
  flushing.expect(5000)
  await host.advance(1000)
  assert.is(looks.length, 13)
  flushing.close()
  await host.advance(10_000)
  assert.equal(looks, Array(13).fill(false))
})

test('a topic that asks for less while a look is under way is not looked at twice as often', async () => {
  const host = new SimulatedHost({ seed: 1 })
  let looks = 0
  const look = async () => {
    looks++
    if (looks === 1) flushing.expect(100)
  }
  const directories = [{ offline: false, look } as unknown as LogDirectory]
  const flushing = new Flushing({ host, directories, schedulerIntervalMs: NEVER, checkpointIntervalsMs: [0] })
  flushing.expect(1000)
  await host.advance(2000)
  assert.is(looks, 11)
  flushing.close()
})

test('the scheduler interval says how often when it is set', async () => {
  const { host, looks, flushing } = started(300, [0])
  flushing.expect(1000)
  await host.advance(900)
  assert.equal(looks, [false, false, false])
})

test('checkpoints are written as often as the shorter of their intervals asks, and not where the directory is offline', async () => {
  const { host, looks, directory } = started(NEVER, [700, 500])
  await host.advance(1000)
  assert.equal(looks, [true, true])
  directory.offline = true
  await host.advance(1000)
  assert.is(looks.length, 2)
})

test('a log that is flushed at each message is one of the disk', () => {
  const resolved = resolveConfig([], { flush: 'os' })
  assert.ok(resolved.ok)
  const config = (overrides: Record<string, string>) =>
    logConfigFor(new Map(Object.entries(overrides)), resolved.config)
  assert.is(config({}).flush, 'os')
  assert.is(config({ 'flush.messages': '1' }).flush, 'group')
  assert.equal([config({ 'flush.messages': '2' }).flush, config({ 'flush.messages': '2' }).flushMessages], ['os', 2])
  assert.is(config({ 'flush.ms': '250' }).flushMs, 250)
})

test.run()
