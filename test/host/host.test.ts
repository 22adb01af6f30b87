import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { SimulatedHost } from '../../src/host/simulated.ts'
import { systemHost } from '../../src/host/system.ts'
import { hostContract } from '../contract/host.ts'

const system = suite('system host')
hostContract(system, () => ({
  host: systemHost(),
  // The host's own timers keep nobody alive, so the test waits with one of the runtime's.
  pass: ms => new Promise(resolve => setTimeout(resolve, ms)),
}))
system.run()

const simulated = suite('simulated host')
hostContract(simulated, () => {
  const host = new SimulatedHost({ seed: 7 })
  return { host, pass: ms => host.advance(ms) }
})

simulated('gives the same numbers for the same seed and others for another', () => {
  const draw = (seed: number) => {
    const { random } = new SimulatedHost({ seed })
    return [random.u32(), random.u32(), ...random.bytes(4)]
  }
  assert.equal(draw(1), draw(1))
  assert.not.equal(draw(1), draw(2))
  assert.not.equal(draw(1), draw(2 ** 32 + 1))
})

simulated('stands still until it is moved, and stops at each timer on the way', async () => {
  const host = new SimulatedHost({ seed: 1, wallMs: 1000 })
  const at: number[] = []
  host.timers.at(10, () => at.push(host.clock.wallMs()))
  host.timers.at(25, () => at.push(host.clock.wallMs()))
  await host.settle()
  assert.equal(at, [])
  assert.is(host.nextTimerMs, 10)
  await host.advance(30)
  assert.equal(at, [1010, 1025])
  assert.is(host.clock.monotonicMs(), 30)
  assert.is(host.nextTimerMs, undefined)
})

simulated('tells its listeners of exit and signals', () => {
  const host = new SimulatedHost({ seed: 1 })
  const heard: string[] = []
  host.process.onExit(() => heard.push('exit'))
  host.process.onSignal('SIGINT', () => heard.push('SIGINT'))
  host.signal('SIGINT')
  host.signal('SIGTERM')
  host.exit()
  assert.equal(heard, ['SIGINT', 'exit'])
})

simulated.run()
