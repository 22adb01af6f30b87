/**
 * Members of both protocols in one group, at random: it becomes a consumer group and a classic one
 * again as they come and go.
 */
import * as fc from 'fast-check'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { ErrorCode } from '../../../../src/protocol/error-codes.ts'
import type { HeartbeatAnswer } from '../../../support/consumer-rig.ts'
import { ConsumerRig, codeOf, idOf } from '../../../support/consumer-rig.ts'
import { ClassicClient, ConsumerClient } from '../../../support/group-clients.ts'
import { runs } from '../../../support/runs.ts'

const test = suite('members of both protocols, at random')

type Step =
  | { kind: 'step' | 'leave'; client: number }
  | { kind: 'refused'; client: number }
  | { kind: 'advance'; ms: number }
  | { kind: 'reload' }

const client = fc.nat(4)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 14, arbitrary: fc.record({ kind: fc.constant('step' as const), client }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('leave' as const), client }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('refused' as const), client }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('advance' as const), ms: fc.constantFrom(0, 3_000, 6_000, 46_000) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reload' as const) }) },
)

class World {
  rig = new ConsumerRig({ foo: 4, bar: 2 })
  readonly consumers = [new ConsumerClient('m0', null), new ConsumerClient('m1', null)]
  readonly classics = [new ClassicClient(['foo']), new ClassicClient(['foo', 'bar']), new ClassicClient(['foo'])]

  do(step: Step): void {
    switch (step.kind) {
      case 'step':
        this.step(step.client)
        break
      case 'leave':
        this.#leave(step.client)
        break
      case 'refused':
        this.rig.held = true
        this.step(step.client)
        this.rig.refuse(ErrorCode.NOT_ENOUGH_REPLICAS)
        this.rig.held = false
        break
      case 'advance':
        this.rig.advance(step.ms)
        break
      case 'reload':
        this.reload()
    }
    this.check()
  }

  step(index: number): void {
    const classic = this.classics[index - this.consumers.length]
    if (classic !== undefined) {
      classic.step(this.rig)
      return
    }
    const consumer = this.consumers[index]!
    const { memberId, epoch } = consumer
    let answer: HeartbeatAnswer | undefined
    const code = codeOf(() => {
      answer = this.rig.heartbeat(memberId, epoch, consumer.request())
    })
    // An answer that waits for records which are then refused never comes.
    if (code === ErrorCode.NONE && this.rig.held) consumer.full = epoch !== 0
    else if (code === ErrorCode.NONE) consumer.take(answer!, false)
    else consumer.drop()
  }

  #leave(index: number): void {
    const classic = this.classics[index - this.consumers.length]
    if (classic !== undefined) {
      if (!classic.isOut) classic.leave(this.rig)
      return
    }
    const consumer = this.consumers[index]!
    codeOf(() => this.rig.heartbeat(consumer.memberId, -1))
    consumer.drop()
  }

  reload(): void {
    const live = this.rig.hardState()
    this.rig.consumer.onUnloaded()
    this.rig.classic.onUnloaded()
    this.rig = this.rig.reload()
    assert.equal(this.rig.hardState(), live)
  }

  /** Clients that the coordinator holds for members now. */
  get members(): { memberId: string; owned: ReadonlySet<string> }[] {
    const group = this.rig.table.get('g')
    const all = [...this.consumers.filter(({ epoch }) => epoch > 0), ...this.classics]
    return all.filter(({ memberId }) => memberId !== '' && group?.hasMember(memberId))
  }

  check(): void {
    const owners = new Map<string, string>()
    for (const { memberId, owned } of this.members) {
      for (const partition of owned) {
        assert.is(owners.get(partition), undefined, `${partition} is ${owners.get(partition)}'s and ${memberId}'s`)
        owners.set(partition, memberId)
      }
    }
  }

  /** Who is there goes on undisturbed, and nobody else comes. */
  settle(): void {
    for (let round = 0; round < 60; round++) {
      for (let index = 0; index < this.consumers.length + this.classics.length; index++) {
        const isOut = (this.consumers[index]?.epoch ?? 1) === 0
        if (!isOut && !this.classics[index - this.consumers.length]?.isOut) this.step(index)
        this.check()
      }
      this.rig.advance(4_000)
    }
    const { members } = this
    if (members.length === 0) return
    assert.is(this.rig.table.get('g')?.stateName, 'Stable')
    const readsBar = members.some(({ memberId }) => memberId === this.classics[1]!.memberId)
    const all = [...[0, 1, 2, 3].map(index => `${idOf('foo')}/${index}`)]
    if (readsBar) all.push(...[0, 1].map(index => `${idOf('bar')}/${index}`))
    assert.equal(members.flatMap(({ owned }) => [...owned]).sort(), all.sort())
  }
}

test('members of both protocols never share a partition, and settle', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120, size: 'max' }), steps => {
      const world = new World()
      for (const each of steps) world.do(each)
      if (steps.length % 2 === 0) world.reload()
      world.settle()
      world.reload()
    }),
    runs(300),
  )
})

test.run()
