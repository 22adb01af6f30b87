/**
 * Conversations made up from a seed. What a member does next depends on what it was answered, so both brokers are asked
 * the same as long as they answer the same.
 *
 * Where Apache Kafka's answer hangs on the order of a hash table, the scripts keep off: no more than two members
 * are classic, and where they are in a consumer group all members have instance ids. The assignor is always range:
 * which members the uniform one gives one partition more is for each implementation to choose. Nor does anybody
 * subscribe to nothing at all: Apache Kafka then takes the subscriptions of the others for equal to it, and
 * assigns what was not asked for.
 */
import { leaveGroup } from '../../../../src/protocol/apis/13-leave-group.ts'
import { ErrorCode } from '../../../../src/protocol/error-codes.ts'
import type { Conversation, Talk } from '../../../support/conversation.ts'
import { assignment, beat, commit, describe, enter, join, type Owned, pulse, subscription, sync } from './asking.ts'

/** Whole numbers below a bound, from a seed. */
class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = seed
  }

  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound
  }

  of<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!
  }

  /** True in so many of a hundred. */
  chance(percent: number): boolean {
    return this.below(100) < percent
  }
}

interface Scene {
  readonly talk: Talk
  readonly dice: Dice
  readonly groupId: string
  readonly topic: { readonly name: string; readonly id: string }
}

/** A client of the consumer protocol that mostly behaves. */
class Consumer {
  readonly #scene: Scene
  readonly #ids: readonly string[]
  readonly #instanceId: string | null
  #id = ''
  #epoch = 0
  #previousEpoch = 0
  #assigned: Owned = []
  isIn = false

  constructor(scene: Scene, ids: readonly string[], instanceId: string | null) {
    this.#scene = scene
    this.#ids = ids
    this.#instanceId = instanceId
  }

  async act(): Promise<void> {
    const { dice } = this.#scene
    if (!this.isIn) return this.#join()
    const roll = dice.below(100)
    if (roll < 35) return this.#beat({})
    if (roll < 62) return this.#beat({ topicPartitions: this.#assigned })
    if (roll < 68) return this.#beat({ topicPartitions: this.#some() })
    if (roll < 74) return this.#lost()
    if (roll < 79) return this.#beat({ subscribedTopicNames: this.#subscription() })
    if (roll < 82) return this.#beat({ rackId: dice.of(['r', 's']) })
    if (roll < 86) return this.#beat({ topicPartitions: this.#assigned }, this.#previousEpoch)
    if (roll < 89) return this.#commit()
    if (roll < 91) return this.#join()
    if (roll < 94) return this.#leave(-1)
    if (this.#instanceId !== null) return this.#leave(-2)
    return this.#beat({ topicPartitions: this.#assigned })
  }

  #subscription(): string[] {
    const { dice, topic, talk } = this.#scene
    if (dice.chance(10)) return [talk.named('unknown')]
    return dice.chance(20) ? [topic.name, talk.named('unknown')] : [topic.name]
  }

  #some(): Owned {
    const { dice } = this.#scene
    const all = this.#assigned.map(({ topicId, partitions }) => ({
      topicId,
      partitions: partitions.toSorted((a, b) => a - b).filter(() => dice.chance(60)),
    }))
    return all.filter(({ partitions }) => partitions.length > 0)
  }

  async #join(): Promise<void> {
    const { talk, groupId, dice } = this.#scene
    this.#id = dice.of(this.#ids)
    const more = { instanceId: this.#instanceId, serverAssignor: 'range' }
    this.#take(await enter(talk, groupId, this.#id, this.#subscription(), more))
  }

  async #beat(more: object, epoch = this.#epoch): Promise<void> {
    const { talk, groupId } = this.#scene
    this.#take(await pulse(talk, groupId, this.#id, epoch, { instanceId: this.#instanceId, ...more }))
  }

  /** The answer does not arrive. */
  async #lost(): Promise<void> {
    const { talk, groupId, dice } = this.#scene
    const more = dice.chance(50) ? { subscribedTopicNames: this.#subscription() } : {}
    await pulse(talk, groupId, this.#id, this.#epoch, { instanceId: this.#instanceId, ...more })
  }

  async #leave(epoch: number): Promise<void> {
    const { talk, groupId } = this.#scene
    await pulse(talk, groupId, this.#id, epoch, { instanceId: this.#instanceId })
    this.isIn = false
  }

  async #commit(): Promise<void> {
    const { talk, groupId, dice, topic } = this.#scene
    const generationId = dice.chance(70) ? this.#epoch : dice.below(this.#epoch + 2)
    await commit(talk, this.#id, groupId, topic.name, BigInt(dice.below(100)), { memberId: this.#id, generationId })
  }

  #take(answer: Awaited<ReturnType<typeof pulse>>): void {
    if (answer.errorCode === ErrorCode.NONE) {
      this.isIn = true
      if (answer.memberEpoch !== this.#epoch) this.#previousEpoch = this.#epoch
      this.#epoch = answer.memberEpoch
      if (answer.assignment !== null) this.#assigned = answer.assignment.topicPartitions
    } else if (answer.errorCode !== ErrorCode.UNRELEASED_INSTANCE_ID) {
      this.isIn = false
    }
  }
}

/** A consumer of the classic protocol, always static: its join and its sync may wait while others act. */
class Classic {
  readonly #scene: Scene
  readonly #who: string
  readonly #instanceId: string
  #id = ''
  #generation = -1
  #protocol: string | null = 'range'
  #leads: readonly string[] = []
  #mustSync = false
  #waiting = false
  #pending: Promise<void> = Promise.resolve()
  isIn = false

  constructor(scene: Scene, who: string, instanceId: string) {
    this.#scene = scene
    this.#who = who
    this.#instanceId = instanceId
  }

  async act(): Promise<void> {
    if (this.#waiting) return
    const { dice, talk, groupId, topic } = this.#scene
    const roll = dice.below(100)
    if (!this.isIn || roll < 12) return this.#ask(this.#join(roll < 50 ? this.#id : ''))
    if (this.#mustSync && roll < 80) return this.#ask(this.#sync())
    const member = { memberId: this.#id, generationId: dice.chance(90) ? this.#generation : this.#generation - 1 }
    if (roll < 75) {
      const { errorCode } = await beat(talk, this.#who, groupId, member, this.#instanceId)
      if (errorCode === ErrorCode.REBALANCE_IN_PROGRESS) return this.#ask(this.#join(this.#id))
      if (errorCode !== ErrorCode.NONE && member.generationId === this.#generation) this.isIn = false
    } else if (roll < 82) {
      await commit(talk, this.#who, groupId, topic.name, BigInt(dice.below(100)), member)
    } else if (roll < 88) {
      await talk.send(this.#who, leaveGroup, 5, {
        groupId,
        members: [{ memberId: '', groupInstanceId: this.#instanceId }],
      })
      this.isIn = false
    } else {
      return this.#ask(this.#sync())
    }
  }

  get isWaiting(): boolean {
    return this.#waiting
  }

  /** Starts what may wait. */
  async #ask(asking: Promise<void>): Promise<void> {
    this.#waiting = true
    // What still waits at the end of the conversation is cut off.
    this.#pending = asking
      .catch(() => {})
      .finally(() => {
        this.#waiting = false
      })
    await Promise.race([this.#pending, this.#scene.talk.moment()])
  }

  async #join(memberId: string): Promise<void> {
    const { talk, groupId, topic } = this.#scene
    const answer = await join(talk, this.#who, groupId, {
      memberId,
      groupInstanceId: this.#instanceId,
      protocols: [{ name: 'range', metadata: subscription([topic.name]) }],
    })
    this.isIn = answer.errorCode === ErrorCode.NONE
    this.#mustSync = this.isIn
    this.#id = this.isIn ? answer.memberId : ''
    this.#generation = answer.generationId
    this.#protocol = answer.protocolName
    this.#leads = answer.members.map(member => member.memberId)
  }

  async #sync(): Promise<void> {
    const { talk, groupId, topic } = this.#scene
    const members = this.#leads.toSorted()
    const assignments = members.map((memberId, index) => ({
      memberId,
      assignment: assignment([[topic.name, [index]]]),
    }))
    const member = { memberId: this.#id, generationId: this.#generation }
    const more = { groupInstanceId: this.#instanceId, protocolName: this.#protocol, assignments }
    const { errorCode } = await sync(talk, this.#who, groupId, member, more)
    this.#mustSync = errorCode !== ErrorCode.NONE
    if (errorCode !== ErrorCode.NONE && errorCode !== ErrorCode.REBALANCE_IN_PROGRESS) this.isIn = false
  }
}

interface Actor {
  act(): Promise<void>
  readonly isWaiting?: boolean
}

function random(kind: string, seed: number, steps: number, cast: (scene: Scene) => readonly Actor[]): Conversation {
  return {
    id: `${kind}-${seed}`,
    name: `members do at random what ${kind} members do (${seed})`,
    async body(talk) {
      const dice = new Dice(seed)
      const topic = await talk.topic('topic', 1 + dice.below(7))
      const scene = { talk, dice, groupId: talk.named('group'), topic }
      const actors = cast(scene)
      for (let step = 0; step < steps; step++) {
        await dice.of(actors).act()
        if (actors.some(actor => actor.isWaiting)) await talk.moment()
        if (step % 6 === 5) await describe(talk, scene.groupId)
      }
    },
  }
}

/** Those of the first so many seeds of each kind. */
export function atRandom(count: number, steps: number): Conversation[] {
  const seeds = Array.from({ length: count }, (_, index) => index + 1)
  return seeds.flatMap(seed => [
    random('consumer', seed, steps, scene => [
      new Consumer(scene, ['a'], null),
      new Consumer(scene, ['b'], null),
      new Consumer(scene, ['c', 'd', 'e'], 'i'),
      new Consumer(scene, ['f', 'g'], 'j'),
    ]),
    random('mixed', seed, steps, scene => [
      new Consumer(scene, ['a', 'b'], 'i'),
      new Consumer(scene, ['c'], 'j'),
      new Classic(scene, 'k', 'k'),
      new Classic(scene, 'l', 'k'),
    ]),
    random('classic', seed, steps, scene => [
      new Classic(scene, 'k', 'k'),
      new Classic(scene, 'l', 'l'),
      new Classic(scene, 'm', 'l'),
    ]),
  ])
}
