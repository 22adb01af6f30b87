/**
 * The uniform assignor: members get equally many partitions, as far as their subscriptions allow, and keep what they
 * have as far as that allows.
 *
 * Topics with the same subscribers are dealt with as one pool. Everybody keeps what it subscribes to; what nobody has
 * goes to the least loaded subscribers of its pool; then, pool by pool, the most loaded gives to the least loaded until
 * no partition is left whose owner has two more than somebody else who could take it.
 *
 * Invariants: that last condition holds of the result; where all subscribe to the same, the numbers differ by one at
 * most and no other way there moves fewer partitions. What it returns it returns again when asked with it. It ends,
 * because every move makes the sum of the squared loads smaller.
 */
import type { AssignorInput, GroupAssignment, MemberSubscription, PartitionAssignor } from './assignor.ts'
import { compareText, countOf } from './assignor.ts'

const NOBODY = -1

/** A subscribed topic; its partitions are numbered on from those of the topics before it. */
interface Topic {
  readonly id: string
  readonly count: number
  readonly first: number
}

/** Topics with the same subscribers. */
interface Pool {
  readonly topics: Topic[]
  /** Member numbers, ascending. */
  readonly subscribers: number[]
  partitions: number
}

/** What members subscribe to. Topics and members are numbered in the order of their ids. */
interface Subscriptions {
  readonly topicIds: readonly string[]
  /** Numbers of the topics of each member; of the first one alone when all subscribe to the same. */
  readonly ofMembers: readonly (readonly number[])[]
}

const subscriptionsOf = (input: AssignorInput, memberIds: readonly string[]): Subscriptions => {
  const asked = input.homogeneous ? memberIds.slice(0, 1) : memberIds
  const subscribed = asked.map(memberId => (input.members.get(memberId) as MemberSubscription).topicIds)
  const topicIds = [...new Set(subscribed.flatMap(ids => [...ids]))].sort(compareText)
  const numbers = new Map(topicIds.map((topicId, number) => [topicId, number]))
  return { topicIds, ofMembers: subscribed.map(ids => Array.from(ids, id => numbers.get(id) as number)) }
}

/** A number for each topic: topics have the same one when they have the same subscribers. */
const poolNumbers = ({ topicIds, ofMembers }: Subscriptions): Int32Array => {
  const pools = new Int32Array(topicIds.length)
  let next = 1
  for (const topics of ofMembers) {
    // Each member parts the topics of a pool that it subscribes to from those that it doesn't.
    const parts = new Map<number, number>()
    for (const topic of topics) {
      const pool = pools[topic] as number
      let part = parts.get(pool)
      if (part === undefined) {
        part = next++
        parts.set(pool, part)
      }
      pools[topic] = part
    }
  }
  return pools
}

/** Who is picked next to get or to give one: members in the order of their loads, taken level by level. */
class Level {
  readonly #members: number[]
  readonly #loads: Int32Array
  readonly #step: 1 | -1
  #end = 0
  #at = 0

  /** `step` 1: the least loaded first, each getting one; -1: the most loaded first, each giving one. */
  constructor(members: readonly number[], loads: Int32Array, step: 1 | -1) {
    // Sorted as numbers that hold load and member both: several times faster than by a comparison.
    const keys = Float64Array.from(members, member => step * (loads[member] as number) * loads.length + member)
    const modulus = loads.length
    this.#members = Array.from(keys.sort(), key => ((key % modulus) + modulus) % modulus)
    this.#loads = loads
    this.#step = step
    this.#extend()
  }

  /** All that now have the load of the first one are one level. */
  #extend(): void {
    const level = this.#loads[this.#members[0] as number]
    while (this.#end < this.#members.length && this.#loads[this.#members[this.#end] as number] === level) this.#end++
    this.#at = 0
  }

  /** Whose turn it is; undefined: nobody is left. */
  get present(): number | undefined {
    return this.#members[this.#at]
  }

  /** The present one has got one, or given one. */
  advance(): void {
    const member = this.#members[this.#at] as number
    this.#loads[member] = (this.#loads[member] as number) + this.#step
    this.#at++
    if (this.#at === this.#end) this.#extend()
  }

  /** The present one has no more to give. */
  drop(): void {
    this.#members.splice(this.#at, 1)
    this.#end--
    if (this.#at === this.#end) this.#extend()
  }
}

class Uniform {
  readonly #input: AssignorInput
  /** In order; a member's number is its place here. */
  readonly #memberIds: readonly string[]
  readonly #topics = new Map<string, Topic>()
  readonly #pools: Pool[] = []
  /** How many partitions each member has. */
  readonly #loads: Int32Array
  /** The member that has each partition. */
  readonly #owners: Int32Array

  constructor(input: AssignorInput) {
    this.#input = input
    this.#memberIds = [...input.members.keys()].sort(compareText)
    const total = this.#makePools()
    this.#loads = new Int32Array(this.#memberIds.length)
    this.#owners = new Int32Array(total).fill(NOBODY)
  }

  #makePools(): number {
    const subscriptions = subscriptionsOf(this.#input, this.#memberIds)
    const numbers = poolNumbers(subscriptions)
    const pools = new Map<number, Pool>()
    let total = 0
    for (const [at, id] of subscriptions.topicIds.entries()) {
      const topic = { id, count: countOf(this.#input, id), first: total }
      let pool = pools.get(numbers[at] as number)
      if (pool === undefined) {
        pool = { topics: [], subscribers: [], partitions: 0 }
        pools.set(numbers[at] as number, pool)
        this.#pools.push(pool)
      }
      pool.topics.push(topic)
      pool.partitions += topic.count
      total += topic.count
      this.#topics.set(id, topic)
    }
    for (const member of this.#memberIds.keys()) {
      for (const at of subscriptions.ofMembers[this.#input.homogeneous ? 0 : member] as readonly number[]) {
        const { subscribers } = pools.get(numbers[at] as number) as Pool
        if (subscribers.at(-1) !== member) subscribers.push(member)
      }
    }
    // Those first that give their subscribers the most, and of them those that have the fewest to choose from.
    this.#pools.sort(
      (left, right) =>
        right.partitions / right.subscribers.length - left.partitions / left.subscribers.length ||
        left.subscribers.length - right.subscribers.length,
    )
    return total
  }

  assign(): GroupAssignment {
    this.#keep()
    for (const pool of this.#pools) this.#deal(pool)
    let unmoved = 0
    for (let at = 0; unmoved < this.#pools.length; at = (at + 1) % this.#pools.length) {
      unmoved = this.#balance(this.#pools[at] as Pool) ? 0 : unmoved + 1
    }
    return this.#result()
  }

  /** Members keep what they have and subscribe to. */
  #keep(): void {
    for (const [member, memberId] of this.#memberIds.entries()) {
      const { assigned, topicIds } = this.#input.members.get(memberId) as MemberSubscription
      for (const [topicId, partitions] of assigned) {
        const topic = topicIds.has(topicId) ? this.#topics.get(topicId) : undefined
        if (topic === undefined) continue
        for (const partition of partitions) {
          if (partition < topic.count && this.#owners[topic.first + partition] === NOBODY) {
            this.#owners[topic.first + partition] = member
            this.#loads[member] = (this.#loads[member] as number) + 1
          }
        }
      }
    }
  }

  /** What nobody has goes to the least loaded. */
  #deal({ topics, subscribers }: Pool): void {
    let takers: Level | undefined
    for (const { first, count } of topics) {
      for (let at = first; at < first + count; at++) {
        if (this.#owners[at] !== NOBODY) continue
        takers ??= new Level(subscribers, this.#loads, 1)
        this.#owners[at] = takers.present as number
        takers.advance()
      }
    }
  }

  /** The most loaded give to the least loaded. @returns whether any did. */
  #balance(pool: Pool): boolean {
    let least = Number.POSITIVE_INFINITY
    let most = 0
    for (const member of pool.subscribers) {
      const load = this.#loads[member] as number
      if (load < least) least = load
      if (load > most) most = load
    }
    if (most - least < 2) return false
    const holdings = this.#holdings(pool)
    const givers = new Level([...holdings.keys()], this.#loads, -1)
    const takers = new Level(pool.subscribers, this.#loads, 1)
    let moved = false
    for (;;) {
      const giver = givers.present
      const taker = takers.present
      if (giver === undefined || taker === undefined) return moved
      if ((this.#loads[giver] as number) - (this.#loads[taker] as number) < 2) return moved
      const partition = holdings.get(giver)?.pop()
      if (partition === undefined) {
        givers.drop()
        continue
      }
      this.#owners[partition] = taker
      givers.advance()
      takers.advance()
      moved = true
    }
  }

  /** A pool's partitions by the member that has them. */
  #holdings({ topics }: Pool): Map<number, number[]> {
    const holdings = new Map<number, number[]>()
    for (const { first, count } of topics) {
      for (let at = first; at < first + count; at++) {
        const owner = this.#owners[at] as number
        const held = holdings.get(owner)
        if (held === undefined) holdings.set(owner, [at])
        else held.push(at)
      }
    }
    return holdings
  }

  #result(): GroupAssignment {
    const assignments = this.#memberIds.map(() => new Map<string, Set<number>>())
    for (const { id, first, count } of this.#topics.values()) {
      for (let partition = 0; partition < count; partition++) {
        const assigned = assignments[this.#owners[first + partition] as number] as Map<string, Set<number>>
        const partitions = assigned.get(id)
        if (partitions === undefined) assigned.set(id, new Set([partition]))
        else partitions.add(partition)
      }
    }
    return new Map(
      this.#memberIds.map((memberId, member) => [memberId, assignments[member] as Map<string, Set<number>>]),
    )
  }
}

export const uniformAssignor: PartitionAssignor = { name: 'uniform', assign: input => new Uniform(input).assign() }
