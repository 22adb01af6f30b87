/** A member with the classic protocol: eager, or cooperative, which keeps what it owns while it joins again. */
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from '../../../src/coordinator/group/classic/consumer-protocol.ts'
import type { MetadataImage } from '../../../src/metadata/image.ts'
import type { JoinGroupResponseInput } from '../../../src/protocol/apis/11-join-group.ts'
import type { HeartbeatResponseInput } from '../../../src/protocol/apis/12-heartbeat.ts'
import type { SyncGroupResponseInput } from '../../../src/protocol/apis/14-sync-group.ts'
import { ErrorCode } from '../../../src/protocol/error-codes.ts'
import type { Surroundings } from './member.ts'
import { GROUP, HEARTBEAT_MS, isPassing, Member } from './member.ts'

const REBALANCE_MS = 20_000

interface Assignment {
  readonly memberId: string
  readonly assignment: Uint8Array
}

export class ClassicMember extends Member {
  readonly kind = 'classic'
  readonly #cooperative: boolean
  readonly #version: number
  #generation = -1
  #ownedSince = -1
  /** Topics as the leader saw them when it assigned. */
  #seen: string | undefined
  protected readonly commitVersion = 8

  constructor(
    world: Surroundings,
    name: string,
    instanceId: string | null,
    topics: readonly string[],
    { cooperative, version }: { cooperative: boolean; version: number },
  ) {
    super(world, name, instanceId, topics)
    this.#cooperative = cooperative
    this.#version = version
    this.next(0, () => this.#join())
  }

  get version(): number {
    return this.#generation
  }

  get ownedSince(): number {
    return this.#ownedSince
  }

  subscribe(topics: readonly string[]): void {
    if (this.instanceId !== null) return
    this.topics = topics
    if (this.#generation >= 0) this.next(0, () => this.#join())
  }

  leave(_forAWhile: boolean): void {
    const { memberId, instanceId: groupInstanceId } = this
    this.crash()
    if (memberId === '') return
    const request = { groupId: GROUP, memberId: '', members: [{ memberId, groupInstanceId, reason: null }] }
    this.world.call(
      this.connection,
      5_000,
      (service, answer) => service.leaveGroup(this.#origin(5), request, answer),
      () => {},
    )
  }

  #origin(apiVersion: number) {
    return { apiVersion, clientId: this.name, clientHost: '/127.0.0.1' }
  }

  #join(): void {
    if (!this.#cooperative) this.owned.clear()
    const request = {
      groupId: GROUP,
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: REBALANCE_MS,
      memberId: this.memberId,
      groupInstanceId: this.instanceId,
      protocolType: 'consumer',
      protocols: [{ name: this.#cooperative ? 'cooperative-sticky' : 'range', metadata: this.#subscription() }],
      reason: null,
    }
    this.ask<JoinGroupResponseInput>(
      REBALANCE_MS + 5_000,
      (service, answer) => service.joinGroup(this.#origin(this.#version), request, answer),
      answer => this.#joined(answer),
    )
  }

  #subscription(): Uint8Array {
    const topics = new Map<string, number[]>()
    for (const partition of this.owned) {
      const [topicId, index] = partition.split('/') as [string, string]
      const name = this.world.image().topicsById.get(topicId)?.name
      if (name !== undefined) topics.set(name, [...(topics.get(name) ?? []), Number(index)])
    }
    const ownedPartitions = Array.from(topics, ([topic, partitions]) => ({ topic, partitions }))
    return encodeSubscription(2, { topics: this.topics, ownedPartitions, generationId: this.#generation })
  }

  #joined(answer: JoinGroupResponseInput | undefined): void {
    if (answer?.errorCode === ErrorCode.MEMBER_ID_REQUIRED) {
      this.memberId = answer.memberId
      return this.#join()
    }
    if (answer === undefined || answer.errorCode !== ErrorCode.NONE) return this.#failed(answer?.errorCode)
    this.memberId = answer.memberId
    this.#generation = answer.generationId!
    const leads = answer.leader === this.memberId && answer.skipAssignment !== true
    // What it was not asked to assign may be of other topics than there are now: then it is as if it had seen none.
    this.#seen = leads ? seen(this.world.image()) : answer.leader === this.memberId ? '' : undefined
    const request = {
      groupId: GROUP,
      generationId: this.#generation,
      memberId: this.memberId,
      groupInstanceId: this.instanceId,
      protocolType: answer.protocolType ?? null,
      protocolName: answer.protocolName ?? null,
      assignments: leads ? assign(this.world.image(), answer.members, this.#cooperative) : [],
    }
    this.ask<SyncGroupResponseInput>(
      REBALANCE_MS + 5_000,
      (service, answer) => service.syncGroup(this.#origin(Math.min(5, this.#version)), request, answer),
      answer => this.#synced(answer),
    )
  }

  #synced(answer: SyncGroupResponseInput | undefined): void {
    if (answer === undefined || answer.errorCode !== ErrorCode.NONE) return this.#failed(answer?.errorCode)
    const assigned = new Set<string>()
    if (answer.assignment.length > 0) {
      for (const { topic, partitions } of decodeAssignment(answer.assignment).assignedPartitions) {
        const id = this.world.image().topicsByName.get(topic)?.id
        for (const index of partitions) if (id !== undefined) assigned.add(`${id}/${index}`)
      }
    }
    const givesUp = [...this.owned].some(partition => !assigned.has(partition))
    this.owned = assigned
    this.#ownedSince = this.#generation
    this.next(givesUp ? 0 : HEARTBEAT_MS, () => (givesUp ? this.#join() : this.#beat()))
  }

  #beat(): void {
    if (this.world.chance(3) === 0) this.commit()
    // Topics have grown, come or gone: a leader has to assign anew.
    if (this.#seen !== undefined && this.#seen !== seen(this.world.image())) return this.#join()
    const { memberId, instanceId: groupInstanceId } = this
    const request = { groupId: GROUP, generationId: this.#generation, memberId, groupInstanceId }
    this.ask<HeartbeatResponseInput>(
      HEARTBEAT_MS,
      (service, answer) => service.heartbeat(this.#origin(4), request, answer),
      answer => {
        const code = answer?.errorCode ?? ErrorCode.NONE
        if (code === ErrorCode.NONE || isPassing(code)) this.next(HEARTBEAT_MS, () => this.#beat())
        else this.#failed(code)
      },
    )
  }

  /** undefined: no answer. */
  #failed(code: number | undefined): void {
    const again = (delayMs: number) => this.next(delayMs, () => this.#join())
    if (code === undefined || isPassing(code)) return again(500)
    switch (code) {
      case ErrorCode.REBALANCE_IN_PROGRESS:
        return again(this.world.chance(200))
      case ErrorCode.UNKNOWN_MEMBER_ID:
        this.memberId = ''
        this.#lose()
        return again(100)
      case ErrorCode.ILLEGAL_GENERATION:
        this.#lose()
        return again(100)
      case ErrorCode.FENCED_INSTANCE_ID:
        return this.crash()
      default:
        this.world.fault(`${this.name} was answered ${code}`)
    }
  }

  #lose(): void {
    this.#generation = -1
    this.lose()
    this.#seen = undefined
  }
}

const seen = (image: MetadataImage): string =>
  [...image.topicsById.values()].map(({ id, partitions }) => `${id}/${partitions.length}`).join()

/** Partitions in turn to those who subscribe; one that another member says it owns has to be given up first. */
function assign(
  image: MetadataImage,
  members: readonly { readonly memberId: string; readonly metadata: Uint8Array }[],
  cooperative: boolean,
): Assignment[] {
  const said = members
    .map(({ memberId, metadata }) => ({ memberId, ...decodeSubscription(metadata) }))
    .sort((left, right) => (left.memberId < right.memberId ? -1 : 1))
  const assigned = new Map(said.map(({ memberId }) => [memberId, new Map<string, number[]>()]))
  const owners = new Map<string, { memberId: string; generationId: number }>()
  for (const { memberId, ownedPartitions, generationId } of cooperative ? said : []) {
    for (const { topic, partitions } of ownedPartitions) {
      for (const index of partitions) {
        const present = owners.get(`${topic}/${index}`)
        if (present === undefined || present.generationId < generationId)
          owners.set(`${topic}/${index}`, { memberId, generationId })
      }
    }
  }
  let turn = 0
  for (const topic of [...image.topicsByName.values()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const readers = said.filter(({ topics }) => topics.includes(topic.name))
    if (readers.length === 0) continue
    for (const index of topic.partitions.keys()) {
      const { memberId } = readers[turn++ % readers.length]!
      const owner = owners.get(`${topic.name}/${index}`)
      if (owner !== undefined && owner.memberId !== memberId) continue
      const topics = assigned.get(memberId)!
      topics.set(topic.name, [...(topics.get(topic.name) ?? []), index])
    }
  }
  return Array.from(assigned, ([memberId, topics]) => ({
    memberId,
    assignment: encodeAssignment(1, {
      assignedPartitions: Array.from(topics, ([topic, partitions]) => ({ topic, partitions })),
    }),
  }))
}
