/** A member with the consumer protocol (KIP-848), which may take its time to give partitions up. */
import type { ConsumerGroupHeartbeatResponseInput } from '../../../src/protocol/apis/68-consumer-group-heartbeat.ts'
import { ErrorCode } from '../../../src/protocol/error-codes.ts'
import type { Surroundings } from './member.ts'
import { GROUP, HEARTBEAT_MS, isPassing, Member } from './member.ts'

export class ConsumerMember extends Member {
  readonly kind = 'consumer'
  #epoch = 0
  /** What it was told to own. */
  #assigned = new Set<string>()
  /** The next request says everything. */
  #full = true
  /** The next request says what it owns. */
  #report = false
  /** How often in a row its instance id was another's. */
  #refused = 0
  protected readonly commitVersion = 9

  constructor(world: Surroundings, name: string, instanceId: string | null, topics: readonly string[]) {
    super(world, name, instanceId, topics)
    this.memberId = name
    this.next(0, () => this.#beat())
  }

  get version(): number {
    return this.#epoch
  }

  get ownedSince(): number {
    return this.#epoch
  }

  subscribe(topics: readonly string[]): void {
    this.topics = topics
    this.#full = true
  }

  leave(forAWhile: boolean): void {
    const memberEpoch = forAWhile && this.instanceId !== null ? -2 : -1
    this.crash()
    const request = { ...this.#request(), memberEpoch, topicPartitions: null }
    this.world.call(
      this.connection,
      5_000,
      (service, answer) => service.consumerGroupHeartbeat(this.#origin, request, answer),
      () => {},
    )
  }

  get #origin() {
    return { apiVersion: 1, clientId: this.name, clientHost: '/127.0.0.1' }
  }

  #request() {
    const full = this.#full || this.#epoch === 0
    const topics = new Map<string, number[]>()
    for (const partition of this.owned) {
      const [topicId, index] = partition.split('/') as [string, string]
      topics.set(topicId, [...(topics.get(topicId) ?? []), Number(index)])
    }
    const owned = Array.from(topics, ([topicId, partitions]) => ({ topicId, partitions }))
    return {
      groupId: GROUP,
      memberId: this.memberId,
      memberEpoch: this.#epoch,
      instanceId: this.instanceId,
      rackId: null,
      rebalanceTimeoutMs: full ? 20_000 : -1,
      subscribedTopicNames: full ? [...this.topics] : null,
      subscribedTopicRegex: null,
      serverAssignor: null,
      topicPartitions: full || this.#report ? owned : null,
    }
  }

  #beat(): void {
    if (this.world.chance(3) === 0) this.commit()
    const request = this.#request()
    this.#full = false
    this.#report = false
    this.ask<ConsumerGroupHeartbeatResponseInput>(
      4_000,
      (service, answer) => service.consumerGroupHeartbeat(this.#origin, request, answer),
      answer => this.#take(answer),
    )
  }

  #take(answer: ConsumerGroupHeartbeatResponseInput | undefined): void {
    const code = answer?.errorCode
    if (answer === undefined || code === undefined || isPassing(code)) return this.#again(500)
    switch (code) {
      case ErrorCode.NONE:
        return this.#progress(answer)
      case ErrorCode.UNKNOWN_MEMBER_ID:
      case ErrorCode.FENCED_MEMBER_EPOCH:
      case ErrorCode.GROUP_ID_NOT_FOUND:
        this.#epoch = 0
        this.lose()
        this.#assigned.clear()
        return this.#again(0)
      case ErrorCode.UNRELEASED_INSTANCE_ID:
        // The one that has the id may be dead, or here to stay.
        if (this.#refused++ > 60) return this.crash()
        return this.#again(1_000)
      case ErrorCode.FENCED_INSTANCE_ID:
        return this.crash()
      default:
        this.world.fault(`${this.name} was answered ${code}`)
    }
  }

  #again(delayMs: number): void {
    this.#full = true
    this.next(delayMs, () => this.#beat())
  }

  #progress({ memberEpoch, assignment }: ConsumerGroupHeartbeatResponseInput): void {
    this.#epoch = memberEpoch
    this.#refused = 0
    if (assignment != null) {
      this.#assigned = new Set(
        assignment.topicPartitions.flatMap(({ topicId, partitions }) => partitions.map(index => `${topicId}/${index}`)),
      )
      for (const partition of this.#assigned) {
        if (this.owned.has(partition)) continue
        this.owned.add(partition)
        this.#report = true
      }
    }
    const isDone = [...this.owned].every(partition => this.#assigned.has(partition))
    if (isDone) return this.next(this.#report ? 0 : HEARTBEAT_MS, () => this.#beat())
    // It has work to end before it can let go, and sends heartbeats meanwhile.
    if (this.world.chance(3) > 0) return this.next(HEARTBEAT_MS, () => this.#beat())
    this.next(this.world.chance(HEARTBEAT_MS), () => {
      for (const partition of this.owned) if (!this.#assigned.has(partition)) this.owned.delete(partition)
      this.#report = true
      this.#beat()
    })
  }
}
