/**
 * Members of a consumer group that do everything that clients do, at random: they join, leave, lose answers, give up
 * partitions slowly, change their minds; topics come, grow and go; appends are refused, coordinators loaded anew.
 */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ErrorCode } from '../../../../src/protocol/error-codes.ts'
import type { HeartbeatAnswer } from '../../../support/consumer-rig.ts'
import { ConsumerRig, codeOf, idOf } from '../../../support/consumer-rig.ts'
import type { Subscription } from '../../../support/group-clients.ts'
import { ConsumerClient } from '../../../support/group-clients.ts'
import { runs } from '../../../support/runs.ts'

const test = suite('consumer groups, at random')

const subscriptions: readonly Subscription[] = [
  { topics: ['foo'] },
  { topics: ['foo', 'bar'] },
  { regex: 'fo.*' },
  { regex: '.*' },
  { topics: [] },
  { topics: ['bar'], regex: 'foo' },
]

type Step =
  | { kind: 'beat'; client: number; lost: boolean; slow: boolean }
  | { kind: 'refused'; clients: readonly number[]; leaves: boolean }
  | { kind: 'together'; clients: readonly number[] }
  | { kind: 'leave'; client: number; forAWhile: boolean }
  | { kind: 'subscribe'; client: number; to: number }
  | { kind: 'advance'; ms: number }
  | { kind: 'reload' }
  | { kind: 'grow' | 'create' | 'delete'; topic: number }

const clientIndex = fc.nat(5)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('beat' as const),
      client: clientIndex,
      lost: fc.integer({ min: 0, max: 9 }).map(dice => dice === 0),
      slow: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('refused' as const),
      clients: fc.uniqueArray(clientIndex, { minLength: 1, maxLength: 4 }),
      leaves: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('together' as const),
      clients: fc.uniqueArray(clientIndex, { minLength: 2, maxLength: 6 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('leave' as const), client: clientIndex, forAWhile: fc.boolean() }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('subscribe' as const),
      client: clientIndex,
      to: fc.nat(subscriptions.length - 1),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('advance' as const),
      ms: fc.constantFrom(0, 1_000, 5_000, 12_000, 50_000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reload' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom('grow' as const, 'create' as const, 'delete' as const),
      topic: fc.nat(2),
    }),
  },
)

const topics = ['foo', 'bar', 'fooled']

class World {
  rig: ConsumerRig
  /** 0 to 3 dynamic; 4 and 5 are one static member, started twice. */
  readonly clients: ConsumerClient[]
  epoch = 0

  constructor(assignor: string, intervalMs: number) {
    const config = {
      'group.consumer.assignors': assignor,
      'group.consumer.assignment.interval.ms': intervalMs,
    }
    this.rig = new ConsumerRig({ foo: 4, bar: 3 }, config)
    this.clients = Array.from(
      { length: 6 },
      (_, index) => new ConsumerClient(`m${index}`, index < 4 ? null : 'instance'),
    )
  }

  do(step: Step): void {
    switch (step.kind) {
      case 'beat':
        this.beat(this.clients[step.client]!, step.lost, step.slow)
        break
      case 'refused':
        this.#refused(step.clients, step.leaves)
        break
      case 'together':
        this.#together(step.clients)
        break
      case 'leave':
        this.#leave(this.clients[step.client]!, step.forAWhile)
        break
      case 'subscribe':
        this.clients[step.client]!.subscription = subscriptions[step.to]!
        this.clients[step.client]!.full = true
        break
      case 'advance':
        this.rig.advance(step.ms)
        break
      case 'reload':
        this.reload()
        break
      default:
        this.#changeTopic(step.kind, topics[step.topic]!)
    }
    this.check()
  }

  beat(client: ConsumerClient, lost: boolean, slow: boolean): void {
    const { memberId, epoch } = client
    let answer: HeartbeatAnswer | undefined
    const code = codeOf(() => {
      answer = this.rig.heartbeat(memberId, epoch, client.request())
    })
    if (lost) {
      client.full = epoch !== 0
      return
    }
    if (code === ErrorCode.NONE) {
      client.take(answer!, slow)
      return
    }
    const expected = [
      ErrorCode.UNKNOWN_MEMBER_ID,
      ErrorCode.FENCED_MEMBER_EPOCH,
      ErrorCode.GROUP_ID_NOT_FOUND,
      ErrorCode.UNRELEASED_INSTANCE_ID,
      ErrorCode.FENCED_INSTANCE_ID,
    ]
    assert.ok(expected.includes(code as never), `code ${code}`)
    client.drop()
  }

  /** What several clients asked for is refused as a whole. */
  #refused(clients: readonly number[], leaves: boolean): void {
    this.rig.held = true
    for (const index of clients) {
      const client = this.clients[index]!
      const { memberId, epoch, instance } = client
      const request = client.request()
      codeOf(() => this.rig.heartbeat(memberId, leaves ? -1 : epoch, leaves ? { instance } : request))
      client.full = epoch !== 0
    }
    this.rig.refuse(ErrorCode.NOT_ENOUGH_REPLICAS)
    this.rig.held = false
  }

  /** Requests of several clients are on their way before any is answered. */
  #together(clients: readonly number[]): void {
    this.rig.held = true
    const answers = clients.map(index => {
      const client = this.clients[index]!
      const before = client.epoch
      let answer: HeartbeatAnswer | undefined
      const code = codeOf(() => {
        answer = this.rig.heartbeat(client.memberId, before, client.request())
      })
      return { client, code, answer }
    })
    this.rig.commit()
    this.rig.held = false
    for (const { client, code, answer } of answers) {
      if (code === ErrorCode.NONE) client.take(answer!, false)
      else client.drop()
    }
  }

  #leave(client: ConsumerClient, forAWhile: boolean): void {
    const isStatic = client.instance !== null
    const epoch = isStatic && forAWhile ? -2 : -1
    codeOf(() => this.rig.heartbeat(client.memberId, epoch, { instance: client.instance }))
    client.drop()
  }

  reload(): void {
    const live = this.rig.hardState()
    this.rig = this.rig.reload()
    assert.equal(this.rig.hardState(), live)
  }

  #changeTopic(kind: 'grow' | 'create' | 'delete', topic: string): void {
    const present = this.rig.image.topicsByName.get(topic)?.partitions.length
    if (kind === 'create' && present === undefined) this.rig.createTopics({ [topic]: 2 })
    if (kind === 'grow' && present !== undefined && present < 8) this.rig.growTopic(topic, present + 1)
    if (kind === 'delete' && present !== undefined && topic !== 'foo') this.rig.deleteTopic(topic)
  }

  /** Clients that the coordinator holds for members now. */
  get members(): ConsumerClient[] {
    const group = this.rig.table.get('g')
    return this.clients.filter(client => client.epoch > 0 && group?.hasMember(client.memberId))
  }

  check(): void {
    const group = this.rig.table.get('g') === undefined ? undefined : this.rig.group()
    if (group === undefined) return
    assert.ok(group.epoch >= this.epoch, 'epochs grow')
    this.epoch = group.epoch
    assert.ok(group.targetVersion.epoch <= group.epoch, 'the target is not newer than the group')
    for (const memberId of group.targets.keys()) assert.ok(group.hasMember(memberId), "a target is a member's")
    const owners = new Map<string, string>()
    for (const client of this.members) {
      const member = group.memberOrThrow(client.memberId)
      for (const partition of client.owned) {
        assert.is(
          owners.get(partition),
          undefined,
          `${partition} is ${owners.get(partition)}'s and ${client.memberId}'s`,
        )
        owners.set(partition, client.memberId)
        const [topicId, index] = partition.split('/') as [string, string]
        const known = member.assigned.get(topicId)?.has(+index) || member.pendingRevocation.get(topicId)?.has(+index)
        assert.ok(known, `the coordinator knows that ${client.memberId} has ${partition}`)
      }
    }
  }

  /** Who is there goes on undisturbed. */
  settle(): void {
    for (let round = 0; round < 14; round++) {
      for (const client of this.clients) {
        if (client.epoch === 0) continue
        this.beat(client, false, false)
        this.check()
      }
      this.rig.advance(11_000)
    }
    const { members } = this
    if (members.length === 0) return
    assert.is(this.rig.group().stateName, 'Stable')
    const owned = members.flatMap(client => [...client.owned]).sort()
    assert.equal(owned, this.#readable(members))
  }

  /** Every partition of a topic to which somebody subscribes. */
  #readable(members: readonly ConsumerClient[]): string[] {
    const all: string[] = []
    for (const topic of this.rig.image.topicsByName.values()) {
      const isRead = members.some(({ memberId }) => {
        const { subscribedTopicNames: names, subscribedTopicRegex: regex } = this.rig.member(memberId)
        return names.includes(topic.name) || (regex !== '' && new RegExp(`^(?:${regex})$`).test(topic.name))
      })
      if (isRead) for (const partition of topic.partitions.keys()) all.push(`${idOf(topic.name)}/${partition}`)
    }
    return all.sort()
  }
}

for (const assignor of ['uniform', 'range']) {
  for (const intervalMs of [0, 3_000]) {
    test(`members of a group with ${assignor} and ${intervalMs} ms between assignments never share a partition, and settle`, () => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 120, size: 'max' }), steps => {
          const world = new World(assignor, intervalMs)
          for (const each of steps) world.do(each)
          // A coordinator that has just been loaded looks at everything anew.
          if (steps.length % 4 === 0) world.reload()
          world.settle()
          world.reload()
        }),
        runs(150),
      )
    })
  }
}

test.run()
