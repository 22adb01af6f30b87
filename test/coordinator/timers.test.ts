import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { CoordinatorTimers } from '../../src/coordinator/shard.ts'
import { ShardTimers } from '../../src/coordinator/timers.ts'
import { SimulatedHost } from '../../src/host/simulated.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { CoordinatorRig } from '../support/coordinator.ts'
import type { Count } from '../support/counter-shard.ts'
import { CounterShard, countSerde } from '../support/counter-shard.ts'
import { runs } from '../support/runs.ts'

const test = suite('timers of a shard')

const nothing = { records: [], response: undefined }

/** Timers alone: what ran, when, and a word with whoever is heard before a timer acts. */
const alone = () => {
  const host = new SimulatedHost({ seed: 1 })
  const ran: string[] = []
  const heard: (() => void)[] = []
  let hostTimers = 0
  const timers = new ShardTimers<Count>({
    clock: host.clock,
    timers: {
      at: (atMs, fire) => {
        hostTimers++
        return host.timers.at(atMs, fire)
      },
      cancel: id => host.timers.cancel(id),
    },
    listenFirst: {
      whenHeard: done =>
        host.loop.yield(() => {
          for (const speak of heard.splice(0)) speak()
          done()
        }),
    },
    write: (name, operation, { committed }) => {
      operation()
      ran.push(`${name} at ${host.clock.monotonicMs()}`)
      committed()
    },
  })
  const schedule = (key: string, delayMs: number) => timers.schedule(key, delayMs, () => nothing)
  return { host, ran, heard, timers, schedule, hostTimers: () => hostTimers }
}

test('a timer runs once, when its time has come', async () => {
  const { host, ran, timers, schedule } = alone()
  schedule('a', 10_000)
  schedule('b', 5)
  schedule('c', 0)
  schedule('d', -7)
  await host.advance(9_999)
  assert.equal(ran, ['timer c at 0', 'timer d at 0', 'timer b at 5'])
  assert.equal([timers.isScheduled('a'), timers.isScheduled('b')], [true, false])
  await host.advance(20_000)
  assert.equal(ran.slice(3), ['timer a at 10000'])
})

test('a timer that is replaced runs at the last time alone, sooner or later', async () => {
  const { host, ran, schedule } = alone()
  schedule('later', 5_000)
  schedule('sooner', 5_000)
  await host.advance(1_000)
  schedule('later', 10_000)
  schedule('sooner', 2_000)
  await host.advance(60_000)
  assert.equal(ran, ['timer sooner at 3000', 'timer later at 11000'])
})

test('a timer that is there is not replaced when it is scheduled if absent', async () => {
  const { host, ran, timers } = alone()
  timers.scheduleIfAbsent('a', 1_000, () => nothing)
  timers.scheduleIfAbsent('a', 10, () => assert.unreachable() as never)
  await host.advance(60_000)
  assert.equal(ran, ['timer a at 1000'])
})

test('a timer that is put off keeps its operation, and one that is not there stays away', async () => {
  const { host, ran, heard, timers, schedule } = alone()
  schedule('a', 10_000)
  schedule('sooner', 10_000)
  await host.advance(9_000)
  assert.ok(timers.putOff('a', 10_000))
  assert.ok(timers.putOff('sooner', 500))
  assert.not(timers.putOff('b', 10))
  heard.push(() => timers.putOff('sooner', 1_000))
  await host.advance(500)
  assert.equal(ran, [])
  await host.advance(60_000)
  assert.equal(ran, ['timer sooner at 10500', 'timer a at 19000'])
})

test('a cancelled timer does not run, not even when it was due', async () => {
  const { host, ran, heard, timers, schedule } = alone()
  schedule('a', 1_000)
  schedule('b', 1_000)
  schedule('c', 1_000)
  timers.cancel('a')
  heard.push(() => timers.cancel('b'))
  await host.advance(60_000)
  assert.equal(ran, ['timer c at 1000'])
  schedule('d', 1_000)
  timers.cancelAll()
  await host.advance(60_000)
  assert.equal([ran.length, timers.size, host.nextTimerMs], [1, 0, undefined])
})

test('a timer that is due is put off by whoever is heard first', async () => {
  const { host, ran, heard, schedule } = alone()
  schedule('a', 10_000)
  await host.advance(9_999)
  heard.push(() => schedule('a', 10_000))
  await host.advance(1)
  assert.equal(ran, [])
  await host.advance(60_000)
  assert.equal(ran, ['timer a at 20000'])
})

test('putting a timer off again and again leaves the timers of the host alone', async () => {
  const { host, ran, schedule, hostTimers } = alone()
  schedule('a', 45_000)
  for (let beat = 0; beat < 1_000; beat++) {
    await host.advance(30)
    schedule('a', 45_000)
  }
  assert.is(hostTimers(), 1)
  await host.advance(600_000)
  assert.equal(ran, ['timer a at 75000'])
  assert.is(hostTimers(), 3)
})

test('nobody is evicted while the thread is held up, nor for a second after it', async () => {
  const { host, ran, heard, schedule } = alone()
  // Sessions that end early in the hold-up, late in it, and just after it.
  schedule('early', 10_000)
  await host.advance(2_500)
  schedule('just after', 15_000)
  await host.advance(2_000)
  schedule('late', 10_400)
  host.holdUp(10_500)
  await host.advance(0)
  assert.equal(ran, [])
  await host.advance(900)
  assert.equal(ran, [])
  // What the members sent meanwhile is read at last.
  for (const member of ['early', 'late', 'just after']) schedule(member, 10_000)
  await host.advance(9_999)
  assert.equal(ran, [])
  await host.advance(1)
  assert.is(ran.length, 3)
  assert.is(heard.length, 0)
})

test('who stays silent after a hold-up is evicted a second later', async () => {
  const { host, ran, schedule } = alone()
  schedule('a', 10_000)
  host.holdUp(15_000)
  await host.advance(60_000)
  assert.equal(ran, ['timer a at 16000'])
})

test('a hold-up that is over before the time comes puts nothing off for longer than a second after it', async () => {
  const { host, ran, schedule } = alone()
  schedule('soon', 10_000)
  schedule('later', 20_000)
  await host.advance(2_000)
  host.holdUp(7_900)
  await host.advance(60_000)
  assert.equal(ran, ['timer soon at 10900', 'timer later at 20000'])
})

const rig = async () => {
  const at = await new CoordinatorRig<CounterShard, Count>({
    serde: countSerde,
    makeShard: context => new CounterShard(context),
  }).start()
  const timers: CoordinatorTimers<Count> = at.shard().context.timers
  const count = () => {
    const { records } = at.shard().add(['ticks'], 1)
    return { records, response: undefined }
  }
  return { at, timers, count }
}

test('the operation of a timer is a write', async () => {
  const { at, timers, count } = await rig()
  timers.schedule('tick', 100, count)
  await at.host.advance(100)
  assert.equal((await at.reload()).state, [['ticks', 1]])
})

test('an operation that fails is tried again after a pause, unless that is not wanted', async () => {
  const { at, timers, count } = await rig()
  at.writer.plan = () => ErrorCode.NOT_ENOUGH_REPLICAS
  timers.schedule('tick', 100, count)
  timers.schedule('once', 100, count, { retry: false })
  await at.host.advance(1_000)
  assert.equal([timers.isScheduled('tick'), timers.isScheduled('once')], [true, false])
  at.writer.plan = () => ErrorCode.NONE
  await at.host.advance(500)
  assert.equal(at.shard().state, [['ticks', 1]])
  await at.host.advance(5_000)
  assert.equal(at.shard().state, [['ticks', 1]])
})

test('an operation that fails is not tried again when its timer was cancelled or replaced meanwhile', async () => {
  const { at, timers, count } = await rig()
  at.writer.holdAppends = true
  at.writer.plan = () => ErrorCode.NOT_ENOUGH_REPLICAS
  timers.schedule('cancelled', 100, count)
  timers.schedule('replaced', 100, count)
  await at.host.advance(100)
  assert.is(at.shard().get('ticks'), 2)
  timers.cancel('cancelled')
  timers.schedule('replaced', 3_000, count)
  at.writer.holdAppends = false
  at.writer.resume()
  await at.host.settle()
  assert.is(at.shard().get('ticks'), 0)
  at.writer.plan = () => ErrorCode.NONE
  await at.host.advance(2_999)
  assert.is(at.shard().get('ticks'), 0)
  await at.host.advance(1)
  assert.is(at.shard().get('ticks'), 1)
  await at.host.advance(60_000)
  assert.is(at.shard().get('ticks'), 1)
})

test('nothing of a shard that is gone runs any more', async () => {
  const { at, timers, count } = await rig()
  timers.schedule('tick', 100, count)
  at.writer.holdAppends = true
  timers.schedule('under way', 50, count)
  await at.host.advance(50)
  at.writer.holdAppends = false
  await at.reload()
  await at.host.advance(60_000)
  assert.is(at.shard().get('ticks'), 1)
  assert.is(at.host.nextTimerMs, undefined)
})

test('after any calls each timer has run exactly when its last schedule said', async () => {
  const call = fc.record({
    key: fc.constantFrom('a', 'b', 'c'),
    delayMs: fc.oneof(
      fc.nat(40).map(n => n * 250),
      fc.nat(3_000),
    ),
    cancel: fc.boolean(),
    thenMs: fc.nat(2_500),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(call, { maxLength: 40 }), async calls => {
      const { host, ran, timers, schedule } = alone()
      const due = new Map<string, number>()
      const expected: string[] = []
      let nowMs = 0
      const runUntil = (untilMs: number) => {
        for (const [key, atMs] of [...due].sort((a, b) => a[1] - b[1])) {
          if (atMs > untilMs) continue
          due.delete(key)
          expected.push(`timer ${key} at ${atMs}`)
        }
      }
      for (const { key, delayMs, cancel, thenMs } of calls) {
        if (cancel) {
          timers.cancel(key)
          due.delete(key)
        } else {
          schedule(key, delayMs)
          due.set(key, nowMs + delayMs)
        }
        assert.is(timers.size, due.size)
        await host.advance(thenMs)
        nowMs += thenMs
        runUntil(nowMs)
      }
      await host.advance(60_000)
      runUntil(Infinity)
      assert.equal(ran.sort(), expected.sort())
    }),
    runs(50),
  )
})

test.run()
