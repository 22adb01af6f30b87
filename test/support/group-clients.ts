/**
 * Members of groups as client libraries make them, one request at a time, over a `ConsumerRig`.
 *
 * Invariants: `owned` is what the member would read from now: topic ids with partitions, as `id/partition`.
 */
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from '../../src/coordinator/group/classic/consumer-protocol.ts'
import type { JoinGroupResponseInput } from '../../src/protocol/apis/11-join-group.ts'
import type { SyncGroupResponseInput } from '../../src/protocol/apis/14-sync-group.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import type { ConsumerRig, HeartbeatAnswer } from './consumer-rig.ts'
import { idOf } from './consumer-rig.ts'

export interface Subscription {
  readonly topics?: string[]
  readonly regex?: string
}

/** Speaks the consumer protocol. */
export class ConsumerClient {
  readonly memberId: string
  readonly instance: string | null
  subscription: Subscription = { topics: ['foo'] }
  epoch = 0
  /** Topic ids with partitions that it reads. */
  owned = new Set<string>()
  /** Of those, what it was told to give up and still reads. */
  revoking = new Set<string>()
  /** The next heartbeat says everything. */
  full = false
  /** The next heartbeat says what it owns. */
  report = false

  constructor(memberId: string, instance: string | null) {
    this.memberId = memberId
    this.instance = instance
  }

  drop(): void {
    this.epoch = 0
    this.owned.clear()
    this.revoking.clear()
    this.full = false
  }

  request() {
    const joins = this.epoch === 0
    const finished = this.revoking.size > 0
    for (const partition of this.revoking) this.owned.delete(partition)
    this.revoking.clear()
    const full = joins || this.full
    const owned: Record<string, number[]> = {}
    for (const partition of this.owned) {
      const [topicId, index] = partition.split('/') as [string, string]
      ;(owned[topicId.replace(/A+$/, '')] ??= []).push(Number(index))
    }
    const { topics = full ? [] : null, regex = full ? '' : null } = full ? this.subscription : {}
    return {
      topics,
      regex,
      rebalanceMs: full ? 60_000 : -1,
      owned: full || finished || this.report ? owned : null,
      instance: this.instance,
    }
  }

  take(answer: HeartbeatAnswer, slow: boolean): void {
    this.epoch = answer.memberEpoch
    this.full = false
    this.report = false
    if (answer.assignment == null) return
    const assigned = new Set<string>()
    for (const { topicId, partitions } of answer.assignment.topicPartitions) {
      for (const partition of partitions) assigned.add(`${topicId}/${partition}`)
    }
    for (const partition of this.owned) {
      if (assigned.has(partition)) continue
      if (slow) this.revoking.add(partition)
      else this.owned.delete(partition)
    }
    for (const partition of assigned) this.owned.add(partition)
    this.report = !slow
  }
}

/** Speaks the classic protocol, and gives up everything before it joins again. */
export class ClassicClient {
  readonly topics: readonly string[]
  memberId = ''
  generation = -1
  owned = new Set<string>()
  #joining: { answer?: JoinGroupResponseInput } | undefined
  #syncing: { answer?: SyncGroupResponseInput } | undefined

  constructor(topics: readonly string[]) {
    this.topics = topics
  }

  get isOut(): boolean {
    return this.memberId === '' && this.#joining === undefined
  }

  /** Does what is next, as far as it goes without waiting. */
  step(rig: ConsumerRig): void {
    if (this.#syncing !== undefined) this.#endSync(this.#syncing.answer)
    else if (this.#joining !== undefined) this.#endJoin(rig, this.#joining.answer)
    else if (this.generation < 0) this.#join(rig)
    else this.#failed(rig.classicHeartbeat(this.memberId, this.generation))
  }

  leave(rig: ConsumerRig): void {
    const request = {
      groupId: 'g',
      memberId: '',
      members: [{ memberId: this.memberId, groupInstanceId: null, reason: null }],
    }
    const origin = { apiVersion: 5, clientId: 'client', clientHost: '/127.0.0.1' }
    const toConsumer = rig.table.get('g')?.kind === 'consumer'
    rig.run(() => (toConsumer ? rig.consumer.classicLeave(origin, request) : rig.classic.leave(origin, request)))
    this.#drop()
    this.memberId = ''
  }

  #join(rig: ConsumerRig): void {
    this.owned.clear()
    const metadata = encodeSubscription(1, { topics: this.topics, ownedPartitions: [] })
    this.#joining = rig.classicJoin(this.memberId, { sessionMs: 45_000, protocols: [{ name: 'range', metadata }] })
    this.#endJoin(rig, this.#joining.answer)
  }

  #endJoin(rig: ConsumerRig, answer: JoinGroupResponseInput | undefined): void {
    if (answer === undefined) return
    this.#joining = undefined
    if (answer.errorCode === ErrorCode.MEMBER_ID_REQUIRED) {
      this.memberId = answer.memberId
      this.#join(rig)
      return
    }
    if (this.#failed(answer.errorCode)) return
    this.memberId = answer.memberId
    this.generation = answer.generationId ?? -1
    const assignments = answer.leader === this.memberId ? assign(rig, answer) : {}
    this.#syncing = rig.classicSync(this.memberId, this.generation, { assignments })
    this.#endSync(this.#syncing.answer)
  }

  #endSync(answer: SyncGroupResponseInput | undefined): void {
    if (answer === undefined) return
    this.#syncing = undefined
    if (this.#failed(answer.errorCode)) return
    for (const { topic, partitions } of decodeAssignment(answer.assignment).assignedPartitions) {
      for (const partition of partitions) this.owned.add(`${idOf(topic)}/${partition}`)
    }
  }

  #failed(code: number): boolean {
    if (code === ErrorCode.NONE) return false
    if (code === ErrorCode.UNKNOWN_MEMBER_ID) this.memberId = ''
    this.#drop()
    return true
  }

  #drop(): void {
    this.generation = -1
    this.owned.clear()
    this.#joining = undefined
    this.#syncing = undefined
  }
}

/** What a leader does: partitions in turn to those who subscribe. */
function assign(rig: ConsumerRig, joined: JoinGroupResponseInput): Record<string, Uint8Array> {
  const assigned = new Map(joined.members.map(({ memberId }) => [memberId, new Map<string, number[]>()]))
  let turn = 0
  for (const topic of [...rig.image.topicsByName.values()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const readers = joined.members.filter(({ metadata }) => decodeSubscription(metadata).topics.includes(topic.name))
    if (readers.length === 0) continue
    for (const partition of topic.partitions.keys()) {
      const topics = assigned.get(readers[turn++ % readers.length]!.memberId)!
      topics.set(topic.name, [...(topics.get(topic.name) ?? []), partition])
    }
  }
  const encoded: Record<string, Uint8Array> = {}
  for (const [memberId, topics] of assigned) {
    const assignedPartitions = Array.from(topics, ([topic, partitions]) => ({ topic, partitions }))
    encoded[memberId] = encodeAssignment(1, { assignedPartitions })
  }
  return encoded
}
