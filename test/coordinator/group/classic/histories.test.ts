/**
 * Members that follow the protocol, disturbed in every way that a log, a network and a coordinator can disturb them.
 */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ErrorCode } from '../../../../src/protocol/error-codes.ts'
import type { JoinReply, SyncReply } from '../../../support/classic-rig.ts'
import { ClassicRig, protocol } from '../../../support/classic-rig.ts'
import { runs } from '../../../support/runs.ts'

const test = suite('histories of classic groups')

const PARTITIONS = 5

/** A client as it sees itself. */
class Client {
  readonly instance: string | null
  readonly version: number
  memberId = ''
  generation = -1
  joining: JoinReply | undefined = undefined
  syncing: SyncReply | undefined = undefined
  /** What it works on; undefined: it has no part in a generation. */
  owned: readonly number[] | undefined = undefined

  constructor(instance: string | null, version: number) {
    this.instance = instance
    this.version = version
  }

  /** Loses what it waits for, as with its connection. */
  disconnect(): void {
    this.joining = undefined
    this.syncing = undefined
  }

  /** Starts anew and knows nothing. */
  restart(): void {
    this.disconnect()
    this.memberId = ''
    this.owned = undefined
  }

  /** Does what is next: takes an answer, or asks. */
  step(rig: ClassicRig): void {
    if (this.joining !== undefined) return this.#takeJoin(rig, this.joining)
    if (this.syncing !== undefined) return this.#takeSync(this.syncing)
    if (this.owned === undefined) return this.#join(rig)
    const code = rig.heartbeat(this.memberId, this.generation, this.instance)
    if (code !== 0) this.#failed(code)
  }

  #join(rig: ClassicRig): void {
    const { memberId, instance, version } = this
    this.joining = rig.join({ memberId, instance, version, protocols: [protocol('range')], rebalanceMs: 20_000 })
  }

  #takeJoin(rig: ClassicRig, { answer }: JoinReply): void {
    if (answer === undefined) return
    this.joining = undefined
    if (answer.errorCode === ErrorCode.MEMBER_ID_REQUIRED) {
      this.memberId = answer.memberId
      this.#join(rig)
      return
    }
    if (answer.errorCode !== 0) return this.#failed(answer.errorCode)
    this.memberId = answer.memberId
    this.generation = answer.generationId!
    const leads = answer.leader === answer.memberId && answer.skipAssignment !== true
    const ids = leads ? answer.members.map(({ memberId }) => memberId).sort() : []
    const assignments = Object.fromEntries(
      ids.map((id, index) => [id, Uint8Array.from(range(PARTITIONS).filter(at => at % ids.length === index))]),
    )
    const options = this.instance === null ? {} : { instance: this.instance }
    this.syncing = rig.sync(this.memberId, this.generation, assignments, options)
  }

  #takeSync({ answer }: SyncReply): void {
    if (answer === undefined) return
    this.syncing = undefined
    if (answer.errorCode !== 0) return this.#failed(answer.errorCode)
    this.owned = [...answer.assignment]
  }

  #failed(code: number): void {
    this.owned = undefined
    if (code === ErrorCode.UNKNOWN_MEMBER_ID || code === ErrorCode.FENCED_INSTANCE_ID) this.memberId = ''
  }
}

const range = (count: number) => Array.from({ length: count }, (_, index) => index)

type Event =
  | { kind: 'step' | 'disconnect' | 'restart' | 'leave'; client: number }
  | { kind: 'advance'; ms: number }
  | { kind: 'hold' | 'commit' | 'refuse' | 'unload' | 'crash' }

const CLIENTS = 4

const events: fc.Arbitrary<Event[]> = fc.array(
  fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({ kind: fc.constant('step' as const), client: fc.nat({ max: CLIENTS - 1 }) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constantFrom('disconnect' as const, 'restart' as const, 'leave' as const),
        client: fc.nat({ max: CLIENTS - 1 }),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.constantFrom(1, 1_500, 3_000, 9_000) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constantFrom(...(['hold', 'hold', 'commit', 'commit', 'refuse', 'unload', 'crash'] as const)),
      }),
    },
  ),
  { minLength: 20, maxLength: 150 },
)

class World {
  rig = new ClassicRig()
  readonly clients = [
    new Client(null, 3),
    new Client(null, 9),
    new Client('static-8', 8),
    new Client('static-9', 9),
  ] as const
  #generation = 0

  run(event: Event): void {
    switch (event.kind) {
      case 'step':
        this.clients[event.client]!.step(this.rig)
        break
      case 'disconnect':
        this.clients[event.client]!.disconnect()
        break
      case 'restart':
        this.clients[event.client]!.restart()
        break
      case 'leave':
        this.#leave(this.clients[event.client]!)
        break
      case 'advance':
        this.rig.advance(event.ms)
        break
      case 'hold':
        this.rig.held = true
        break
      case 'commit':
        this.#settle()
        break
      case 'refuse':
        this.rig.refuse(ErrorCode.NOT_ENOUGH_REPLICAS)
        this.rig.held = false
        break
      default:
        this.rig.die(event.kind === 'crash')
        this.rig = this.rig.reload()
    }
    this.#check()
  }

  #leave(client: Client): void {
    const { memberId, instance } = client
    if (instance !== null) this.rig.leave([{ instance }])
    else if (memberId !== '') this.rig.leave([memberId])
    client.restart()
  }

  #settle(): void {
    this.rig.commit()
    this.rig.held = false
    const loaded = this.rig.reload()
    assert.equal(loaded.hardState(), this.rig.hardState(), 'a loaded coordinator has what the living one has')
  }

  #check(): void {
    const owners = new Map<string, Client>()
    for (const client of this.clients) {
      for (const partition of client.owned ?? []) {
        const key = `${partition} of generation ${client.generation}`
        assert.not(owners.has(key), `two own partition ${key}`)
        owners.set(key, client)
      }
    }
    if (this.rig.held || this.rig.table.size === 0) return
    const generation = this.rig.group().committed.value?.generation ?? 0
    assert.ok(generation >= this.#generation, `generation ${generation} comes after ${this.#generation}`)
    this.#generation = generation
  }

  /** Without disturbance everybody is in one generation before long. */
  calm(): void {
    this.#settle()
    for (let seconds = 0; seconds < 120; seconds++) {
      for (const client of this.clients) client.step(this.rig)
      this.rig.advance(1_000)
      this.#check()
    }
    const { generationId, memberCount, state } = this.rig.group()
    assert.is(state, 'Stable')
    assert.is(memberCount, CLIENTS)
    assert.equal(new Set(this.clients.map(client => client.generation)), new Set([generationId]))
    const owned = this.clients.flatMap(client => client.owned ?? [])
    assert.equal(owned.sort(), range(PARTITIONS))
  }
}

test('members own each partition once and come to rest when they are disturbed at random', () => {
  fc.assert(
    fc.property(events, history => {
      const world = new World()
      for (const event of history) world.run(event)
      world.calm()
    }),
    runs(400),
  )
})

test.run()
