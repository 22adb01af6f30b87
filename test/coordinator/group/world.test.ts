/**
 * A group in a world that goes wrong: members of both protocols come, go, die and are cut off, messages are lost and
 * late, the log refuses, stalls and goes on by itself, coordinators come and go, topics too, and the thread is held up.
 */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import { GroupWorld } from '../../support/group-world/world.ts'
import { runs } from '../../support/runs.ts'

const test = suite('groups in a world that goes wrong')

const MEMBERS = 5

type Kind = 'classic' | 'consumer'
type Happening =
  | { do: 'join'; kind: Kind; instance: string | null; topics: readonly string[]; version: number }
  | { do: 'leave' | 'come back'; member: number; forAWhile: boolean }
  | { do: 'crash' | 'commit'; member: number }
  | { do: 'cut off'; member: number; ms: number }
  | { do: 'subscribe'; member: number; topics: readonly string[] }
  | { do: 'weather'; lost: number; delayMs: number }
  | { do: 'refuse'; appends: number; loads: number }
  | { do: 'hold'; appends: boolean; commits: boolean }
  | { do: 'intrude'; what: 'begin' | 'commit' | 'abort' }
  | { do: 'lose' | 'restart' | 'compare' | 'calm' }
  | { do: 'hold up'; ms: number }
  | { do: 'create' | 'grow' | 'delete'; topic: string }

interface Moment {
  readonly happening: Happening
  readonly thenMs: number
}

const member = fc.nat(MEMBERS - 1)
const topics = fc.constantFrom(['foo'], ['foo', 'bar'], ['bar'], ['foo', 'late'])
const topic = fc.constantFrom('foo', 'bar', 'late')
const act = <K extends string>(kind: K) => fc.constant(kind)

const moments = (kinds: readonly Kind[]): fc.Arbitrary<Moment[]> => {
  const instance = fc.constantFrom(null, null, null, 'i', 'j')
  const happening: fc.Arbitrary<Happening> = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        do: act('join'),
        kind: fc.constantFrom(...kinds),
        instance,
        topics,
        version: fc.constantFrom(9, 9, 3),
      }),
    },
    { weight: 6, arbitrary: fc.record({ do: act('commit'), member }) },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constantFrom('leave' as const, 'come back' as const),
        member,
        forAWhile: fc.boolean(),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: act('crash'), member }) },
    { weight: 1, arbitrary: fc.record({ do: act('cut off'), member, ms: fc.constantFrom(2_000, 12_000, 60_000) }) },
    { weight: 1, arbitrary: fc.record({ do: act('subscribe'), member, topics }) },
    {
      weight: 2,
      arbitrary: fc.record({
        do: act('weather'),
        lost: fc.constantFrom(0, 5, 20),
        delayMs: fc.constantFrom(5, 500, 4_000),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ do: act('refuse'), appends: fc.integer({ min: 1, max: 3 }), loads: fc.nat(1) }),
    },
    { weight: 2, arbitrary: fc.record({ do: act('hold'), appends: fc.boolean(), commits: fc.boolean() }) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: act('intrude'),
        what: fc.constantFrom('begin' as const, 'commit' as const, 'abort' as const),
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('lose' as const, 'restart' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('compare' as const, 'calm' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: act('hold up'), ms: fc.constantFrom(3_000, 15_000, 70_000) }) },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constantFrom('create' as const, 'grow' as const, 'delete' as const), topic }),
    },
  )
  const thenMs = fc.constantFrom(0, 10, 200, 1_000, 4_000, 12_000, 50_000)
  return fc.array(fc.record({ happening, thenMs }), { minLength: 5, maxLength: 60, size: 'max' })
}

async function happen(world: GroupWorld, happening: Happening): Promise<void> {
  const { alive } = world
  const whom = 'member' in happening ? alive[happening.member % alive.length] : undefined
  switch (happening.do) {
    case 'join':
      if (alive.length < MEMBERS) world.join(happening.kind, happening.instance, happening.topics, happening.version)
      return
    case 'leave':
      return whom?.leave(happening.forAWhile)
    case 'come back':
      // Another process in its place: with its instance id, if it has one.
      whom?.leave(happening.forAWhile)
      if (whom !== undefined) world.join(whom.kind, whom.instanceId, whom.topics)
      return
    case 'crash':
      return whom?.crash()
    case 'commit':
      return whom?.commit()
    case 'cut off':
      if (whom !== undefined) whom.connection.cutUntilMs = world.host.clock.monotonicMs() + happening.ms
      return
    case 'subscribe':
      return whom?.subscribe(happening.topics)
    case 'weather':
      world.weather = happening
      return
    case 'refuse':
      world.refusals = { appends: happening.appends, loads: happening.loads }
      return
    case 'hold':
      return world.hold(happening.appends, happening.commits)
    case 'intrude':
      return world.intrude(happening.what)
    case 'lose':
      return world.lose()
    case 'restart':
      return world.restart()
    case 'compare':
      return world.checkReplay()
    case 'calm':
      return world.calm()
    case 'hold up':
      return world.rig.host.holdUp(happening.ms)
    case 'create':
      return world.createTopic(happening.topic, 2)
    case 'grow':
      return world.growTopic(happening.topic)
    case 'delete':
      return world.deleteTopic(happening.topic)
  }
}

async function pass(world: GroupWorld, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 1_000) {
    await world.rig.host.advance(Math.min(left, 1_000))
    world.check()
  }
}

const options = fc.record({
  seed: fc.integer(),
  assignor: fc.constantFrom('uniform' as const, 'range' as const),
  assignmentIntervalMs: fc.constantFrom(0, 0, 3_000),
  cooperative: fc.boolean(),
})

for (const [which, kinds] of [
  ['the classic protocol', ['classic']],
  ['the consumer protocol', ['consumer']],
  ['both protocols', ['classic', 'consumer']],
] as const) {
  test(`members of ${which} never share a partition, come to rest, lose no commit, and their log has their state`, async () => {
    await fc.assert(
      fc.asyncProperty(options, moments(kinds), async (given, history) => {
        const world = await new GroupWorld(given).start()
        for (const { happening, thenMs } of history) {
          await happen(world, happening)
          world.check()
          await pass(world, thenMs)
        }
        world.calm()
        await pass(world, 150_000)
        world.checkSettled()
        await world.checkReplay()
        await world.end()
        await world.checkReplay()
      }),
      runs(40),
    )
  })
}

test.run()
