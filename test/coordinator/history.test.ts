import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { silentLogger } from '../../src/base/logger.ts'
import { Refusal } from '../../src/coordinator/shard.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { CoordinatorRig } from '../support/coordinator.ts'
import type { Count } from '../support/counter-shard.ts'
import { CounterShard, countSerde } from '../support/counter-shard.ts'
import { runs } from '../support/runs.ts'

const test = suite('histories of a coordinator')

type Step =
  | { kind: 'add'; names: string[]; amount: number; atomic: boolean; timeoutMs: number }
  | { kind: 'look'; name: string }
  | { kind: 'read'; name: string }
  | { kind: 'turn' }
  | { kind: 'wait'; ms: number }
  | { kind: 'refuse'; count: number; after: number }
  | { kind: 'hold'; appends: boolean; commits: boolean }
  | { kind: 'lose' }
  | { kind: 'restart' }
  | { kind: 'failLoads'; count: number }
  | { kind: 'intrude' }

const name = fc.constantFrom('a', 'b', 'c', 'd')
const kind = <K extends string>(value: K) => fc.constant(value)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: kind('add'),
      names: fc.array(name, { minLength: 1, maxLength: 8 }),
      amount: fc.integer({ min: 0, max: 3 }),
      atomic: fc.boolean(),
      timeoutMs: fc.constantFrom(5, 50, 5_000),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: kind('look'), name }) },
  { weight: 4, arbitrary: fc.record({ kind: kind('read'), name }) },
  { weight: 8, arbitrary: fc.record({ kind: kind('turn') }) },
  { weight: 3, arbitrary: fc.record({ kind: kind('wait'), ms: fc.nat(400) }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: kind('refuse'), count: fc.integer({ min: 1, max: 3 }), after: fc.nat(2) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: kind('hold'), appends: fc.boolean(), commits: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('lose') }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('restart') }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('failLoads'), count: fc.integer({ min: 1, max: 2 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: kind('intrude') }) },
)

/** What an operation was answered, and what became of its records. */
interface Asked {
  readonly value: number
  readonly name: string
  answers: number
  settled: number[]
  answered?: 'yes' | number
}

const play = async (steps: readonly Step[], lingerMs: number): Promise<void> => {
  const mistakes: unknown[] = []
  const at = new CoordinatorRig<CounterShard, Count>({
    logger: {
      ...silentLogger,
      error: (first: object | string) => {
        const { err } = first as { err?: unknown }
        if (err !== undefined && !(err instanceof Refusal)) mistakes.push(err)
      },
    },
    serde: countSerde,
    makeShard: context => new CounterShard(context),
    lingerMs: () => lingerMs,
  })
  await at.start()
  at.writer.maxBytes = 100
  let appends = 0
  const refusedAppends = new Set<number>()
  at.writer.plan = () => (refusedAppends.has(appends++) ? ErrorCode.NOT_ENOUGH_REPLICAS : ErrorCode.NONE)
  let failingLoads = 0
  at.writer.planLoad = () => (failingLoads-- > 0 ? ErrorCode.KAFKA_STORAGE_ERROR : ErrorCode.NONE)
  const asked: Asked[] = []
  // Every record has a value of its own, so that an answer can be looked for in the log.
  let unique = 0

  const inLog = (): Set<string> => {
    const found = new Set<string>()
    for (const { key, value } of at.writer.records(0)) {
      const record = countSerde.deserialize({ key: key as Uint8Array, value })
      found.add(`${record?.name}=${record?.value}`)
    }
    return found
  }
  /** Newest value of each counter below the high watermark. */
  const committed = (): Map<string, number> => {
    const { highWatermark } = at.writer.marks(0)
    const counts = new Map<string, number>()
    for (const { offset, key, value } of at.writer.records(0)) {
      const record = countSerde.deserialize({ key: key as Uint8Array, value })
      if (offset < highWatermark && record !== undefined) counts.set(record.name, record.value ?? 0)
    }
    return counts
  }

  const ask = (each: { kind: 'add' | 'look'; names: string[]; atomic: boolean; timeoutMs: number }, amount: number) => {
    const last = each.names.at(-1) as string
    const entry: { asked?: Asked } = {}
    const note = (value: number): Asked => {
      const made: Asked = { value, name: last, answers: 0, settled: [] }
      entry.asked = made
      asked.push(made)
      return made
    }
    at.runtime.writeTo<number>(
      0,
      'test',
      each.timeoutMs,
      shard => {
        if (each.kind === 'look') {
          const seen = note(shard.get(last))
          return { records: [], response: seen.value, settled: code => void seen.settled.push(code) }
        }
        if (amount === 0) throw new Refusal(ErrorCode.INVALID_REQUEST)
        const records = each.names.map(counter => ({ name: counter, value: ++unique }))
        const made = note(unique)
        return { records, response: unique, atomic: each.atomic, settled: code => void made.settled.push(code) }
      },
      {
        answer: value => {
          const made = entry.asked as Asked
          made.answers++
          made.answered = 'yes'
          assert.is(value, made.value)
          assert.equal(made.settled, [0])
          const highest = committed().get(made.name) ?? 0
          assert.ok(highest >= value, `${made.name} was answered as ${value} and is committed as ${highest}`)
        },
        refuse: error => {
          assert.instance(error, Refusal)
          if (entry.asked === undefined) return
          entry.asked.answers++
          entry.asked.answered = (error as Refusal).code
        },
      },
    )
  }

  const readings: { done: boolean }[] = []
  for (const each of steps) {
    if (each.kind === 'add') ask(each, each.amount)
    else if (each.kind === 'look') ask({ ...each, names: [each.name], atomic: false, timeoutMs: 5_000 }, 0)
    else if (each.kind === 'read') {
      const reading = { done: false }
      readings.push(reading)
      at.runtime
        .read(0, 'test', shard => shard.get(each.name))
        .then(
          value => assert.ok((committed().get(each.name) ?? 0) >= value, 'a read told what is not committed'),
          error => assert.instance(error, Refusal),
        )
        .then(() => {
          reading.done = true
        })
    } else if (each.kind === 'turn') await at.host.settle()
    else if (each.kind === 'wait') await at.host.advance(each.ms)
    else if (each.kind === 'refuse') for (let n = 0; n < each.count; n++) refusedAppends.add(appends + each.after + n)
    else if (each.kind === 'hold') {
      at.writer.holdAppends = each.appends
      at.writer.holdCommits = each.commits
      at.writer.resume()
    } else if (each.kind === 'lose') at.runtime.elected(0, at.writer.lose(0))
    else if (each.kind === 'restart') await at.restart()
    else if (each.kind === 'failLoads') failingLoads = each.count
    else at.intrude({ name: 'a', value: ++unique })
  }

  // Calm: everything comes to its end.
  refusedAppends.clear()
  failingLoads = 0
  at.writer.holdAppends = false
  at.writer.holdCommits = false
  at.writer.resume()
  await at.host.advance(60_000)
  // The first of these may find that the log has gone on by itself, and that it must be loaded again.
  const write = async () => {
    const end = at.runtime.write(0, 'test', 5_000, () => ({ records: [{ name: 'end', value: ++unique }], response: 1 }))
    const ended = end.catch((error: Refusal) => error.code)
    await at.host.advance(10)
    return ended
  }
  const first = await write()
  assert.ok(
    first === 1 || (first === ErrorCode.NOT_COORDINATOR && (await write()) === 1),
    `the end was refused: ${first}`,
  )

  if (mistakes.length > 0) throw mistakes[0]
  const present = inLog()
  for (const { value, name: counter, answers, settled, answered } of asked) {
    assert.is(answers, 1, 'one answer')
    assert.is(settled.length, 1, 'settled once')
    if (answered === 'yes' && value > 0) assert.ok(present.has(`${counter}=${value}`), `${counter}=${value} was lost`)
    if (settled[0] === 0 && value > 0) assert.ok(present.has(`${counter}=${value}`), `${counter}=${value} was lost`)
  }
  assert.ok(
    readings.every(reading => reading.done),
    'every read ends',
  )
  const lived = at.shard().state
  assert.equal((await at.reload()).state, lived)
  const offsets = at.shard().origins.map(origin => origin.offset)
  assert.equal(
    offsets,
    offsets.map((_, index) => index),
  )
}

for (const lingerMs of [-1, 0, 3]) {
  test(`whatever is refused, lost or loaded again, what is answered is in the log and the state is its replay (linger ${lingerMs})`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), steps => play(steps, lingerMs)),
      runs(300),
    )
  })
}

test.run()
