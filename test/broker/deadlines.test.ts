import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { Deadline, Deadlines } from '../../src/broker/deadlines.ts'
import type { Host } from '../../src/host/host.ts'

const test = suite('deadlines')

/** A clock that moves by hand, and how many timers are armed. */
function manual() {
  let now = 0
  let next = 1
  const timers = new Map<number, { atMs: number; fire: () => void }>()
  const host = {
    clock: { monotonicMs: () => now, wallMs: () => now },
    timers: {
      at(atMs: number, fire: () => void) {
        timers.set(next, { atMs, fire })
        return next++
      },
      cancel: (id: number) => void timers.delete(id),
    },
  } as unknown as Host
  return {
    host,
    armed: () => timers.size,
    advance(ms: number) {
      now += ms
      for (const [id, timer] of [...timers]) {
        if (timer.atMs > now) continue
        timers.delete(id)
        timer.fire()
      }
    },
  }
}

class Entry extends Deadline {
  readonly name: string
  readonly log: string[]
  constructor(name: string, log: string[]) {
    super()
    this.name = name
    this.log = log
  }
  override expired() {
    this.log.push(this.name)
  }
}

test('entries of one limit expire in order, each once, and share one timer', () => {
  const time = manual()
  const deadlines = new Deadlines(time.host)
  const log: string[] = []
  deadlines.add(new Entry('a', log), 100)
  time.advance(50)
  deadlines.add(new Entry('b', log), 100)
  assert.is(time.armed(), 1)
  time.advance(50)
  assert.equal(log, ['a'])
  time.advance(49)
  assert.equal(log, ['a'])
  time.advance(1)
  assert.equal(log, ['a', 'b'])
  time.advance(1000)
  assert.equal(log, ['a', 'b'])
  assert.is(time.armed(), 0)
})

test('a removed entry never expires, wherever in the list it was', () => {
  const time = manual()
  const deadlines = new Deadlines(time.host)
  const log: string[] = []
  const entries = ['a', 'b', 'c', 'd'].map(name => new Entry(name, log))
  for (const entry of entries) deadlines.add(entry, 10)
  for (const index of [0, 2, 3]) deadlines.remove(entries[index]!)
  deadlines.remove(entries[0]!)
  time.advance(10)
  assert.equal(log, ['b'])
})

test('an entry that is added again when it expires waits the whole limit anew', () => {
  const time = manual()
  const deadlines = new Deadlines(time.host)
  let expired = 0
  class Again extends Deadline {
    override expired() {
      if (++expired < 3) deadlines.add(this, 10)
    }
  }
  deadlines.add(new Again(), 10)
  for (let round = 0; round < 5; round++) time.advance(10)
  assert.is(expired, 3)
  assert.is(time.armed(), 0)
})

test('limits that clients make up leave no timers behind', () => {
  const time = manual()
  const deadlines = new Deadlines(time.host)
  for (let limit = 1; limit <= 1000; limit++) {
    const entry = new Entry('x', [])
    deadlines.add(entry, 1_000_000 + limit)
    deadlines.remove(entry)
  }
  assert.ok(time.armed() <= 65, `${time.armed()} timers`)
})

test('nothing expires after the end', () => {
  const time = manual()
  const deadlines = new Deadlines(time.host)
  const log: string[] = []
  deadlines.add(new Entry('a', log), 10)
  deadlines.close()
  time.advance(100)
  assert.equal(log, [])
})

test.run()
