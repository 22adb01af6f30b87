/**
 * What every `Host` keeps to. `run` is called by test/host/host.test.ts for the system's and for the simulated one.
 */
import * as assert from 'uvu/assert'
import type { Host } from '../../src/host/host.ts'

export interface HostUnderTest {
  readonly host: Host
  /** Lets so much of the host's time pass. */
  pass(ms: number): Promise<void>
}

export type Registry = (name: string, body: () => void | Promise<void>) => void

export function hostContract(test: Registry, make: () => HostUnderTest): void {
  test('fires timers in the order in which they come due, equal ones in the order in which they were set', async () => {
    const { host, pass } = make()
    const fired: string[] = []
    const now = host.clock.monotonicMs()
    host.timers.at(now + 30, () => fired.push('30'))
    host.timers.at(now + 10, () => fired.push('10a'))
    host.timers.at(now + 10, () => fired.push('10b'))
    host.timers.at(now - 5, () => fired.push('past'))
    await pass(100)
    assert.equal(fired, ['past', '10a', '10b', '30'])
  })

  test('never fires a timer before its time', async () => {
    const { host, pass } = make()
    const dueMs = host.clock.monotonicMs() + 20.5
    let firedMs = 0
    host.timers.at(dueMs, () => {
      firedMs = host.clock.monotonicMs()
    })
    await pass(100)
    assert.ok(firedMs >= dueMs, `${firedMs} < ${dueMs}`)
  })

  test('never fires a cancelled timer, also when it was due already', async () => {
    const { host, pass } = make()
    const fired: string[] = []
    const now = host.clock.monotonicMs()
    const second = host.timers.at(now, () => fired.push('second'))
    const late = host.timers.at(now + 20, () => fired.push('late'))
    host.timers.at(now - 1, () => {
      fired.push('first')
      host.timers.cancel(second)
    })
    host.timers.cancel(late)
    await pass(60)
    assert.equal(fired, ['first'])
  })

  test('fires a timer that was set by a timer', async () => {
    const { host, pass } = make()
    const fired: number[] = []
    const again = (left: number) => {
      fired.push(left)
      if (left > 0) host.timers.at(host.clock.monotonicMs() + 5, () => again(left - 1))
    }
    host.timers.at(host.clock.monotonicMs(), () => again(3))
    await pass(100)
    assert.equal(fired, [3, 2, 1, 0])
  })

  test('keeps hundreds of timers apart when half of them are cancelled', async () => {
    const { host, pass } = make()
    const fired: number[] = []
    const now = host.clock.monotonicMs()
    const ids: number[] = []
    for (let index = 0; index < 500; index++) {
      const delay = (index * 7919) % 50
      ids.push(host.timers.at(now + delay, () => fired.push(delay)))
    }
    ids.forEach((id, index) => {
      if (index % 2 === 0) host.timers.cancel(id)
    })
    await pass(120)
    assert.is(fired.length, 250)
    assert.equal(
      fired,
      [...fired].sort((a, b) => a - b),
    )
    assert.is(new Set(ids).size, 500)
    assert.not.ok(ids.includes(0))
  })

  test('runs microtasks before the job ends and yielded tasks after it', async () => {
    const { host, pass } = make()
    const ran: string[] = []
    host.loop.yield(() => ran.push('yielded'))
    host.loop.microtask(() => ran.push('microtask'))
    ran.push('job')
    await pass(20)
    assert.equal(ran, ['job', 'microtask', 'yielded'])
  })

  test('tells time that does not go back, and whole wall-clock milliseconds', async () => {
    const { host, pass } = make()
    const before = [host.clock.monotonicMs(), host.clock.wallMs()] as const
    await pass(20)
    assert.ok(host.clock.monotonicMs() >= before[0] + 10)
    assert.ok(host.clock.wallMs() >= before[1])
    assert.ok(Number.isInteger(host.clock.wallMs()))
  })

  test('draws 32-bit numbers and as many bytes as asked for', () => {
    const { random } = make().host
    const drawn = new Set<number>()
    for (let index = 0; index < 3000; index++) {
      const number = random.u32()
      assert.ok(Number.isInteger(number) && number >= 0 && number < 2 ** 32)
      drawn.add(number)
    }
    assert.ok(drawn.size > 2990)
    assert.is(random.bytes(33).length, 33)
    assert.ok(new Set(random.bytes(2000)).size > 200)
  })

  test('stops telling a listener that was removed', () => {
    const { host } = make()
    assert.ok(host.process.pid > 0)
    host.process.onExit(() => assert.unreachable())()
    host.process.onSignal('SIGTERM', () => assert.unreachable())()
  })
}
