/**
 * A shard of groups of both kinds under a hand-moved clock, over a log in memory that commits at once, or when it is
 * told to; and members that speak the consumer protocol as clients do.
 *
 * Invariants: every record passes its serde before it is replayed on a reload; live it is replayed as it was made.
 */
import * as assert from 'uvu/assert'
import { silentLogger } from '../../src/base/logger.ts'
import { Prng } from '../../src/base/prng.ts'
import type { BrokerConfig } from '../../src/config/broker-config.ts'
import type { ClassicGroup } from '../../src/coordinator/group/classic/group.ts'
import { ClassicGroups } from '../../src/coordinator/group/classic/groups.ts'
import { ConsumerGroup } from '../../src/coordinator/group/consumer/group.ts'
import { ConsumerGroups } from '../../src/coordinator/group/consumer/groups.ts'
import type { ConsumerMember } from '../../src/coordinator/group/consumer/member.ts'
import type { ConsumerRecord } from '../../src/coordinator/group/consumer/replay.ts'
import type { GroupContext, RequestOrigin } from '../../src/coordinator/group/context.ts'
import { GroupTable } from '../../src/coordinator/group/groups.ts'
import type { GroupRecord, GroupRecordOf } from '../../src/coordinator/group/records.ts'
import { groupRecordSerde } from '../../src/coordinator/group/records.ts'
import { GroupSettings } from '../../src/coordinator/group/settings.ts'
import type { CoordinatorTimers, Outcome, RecordBytes } from '../../src/coordinator/shard.ts'
import { Refusal } from '../../src/coordinator/shard.ts'
import { MetadataDelta } from '../../src/metadata/delta.ts'
import type { MetadataImage } from '../../src/metadata/image.ts'
import { emptyImage } from '../../src/metadata/image.ts'
import type { JoinGroupResponseInput } from '../../src/protocol/apis/11-join-group.ts'
import type { SyncGroupResponseInput } from '../../src/protocol/apis/14-sync-group.ts'
import type {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponseInput,
} from '../../src/protocol/apis/68-consumer-group-heartbeat.ts'
import { Timeline } from '../../src/timeline/timeline.ts'

export type HeartbeatAnswer = ConsumerGroupHeartbeatResponseInput

export const consumerConfig = {
  'group.min.session.timeout.ms': 6_000,
  'group.max.session.timeout.ms': 1_800_000,
  'group.initial.rebalance.delay.ms': 3_000,
  'group.max.size': 2_147_483_647,
  'group.consumer.session.timeout.ms': 45_000,
  'group.consumer.heartbeat.interval.ms': 5_000,
  'group.consumer.assignment.interval.ms': 0,
  'group.consumer.max.size': 2_147_483_647,
  'group.consumer.assignors': 'uniform,range',
  'group.consumer.migration.policy': 'bidirectional',
  'group.consumer.regex.refresh.interval.ms': 600_000,
}

/** A topic id that tells which topic it is. */
export const idOf = (topic: string): string =>
  `${topic}AAAAAAAAAAAAAAAAAAAAAA`.replace(/[^\w-]/g, '_').slice(0, 21) + 'A'

type Partitions = Record<string, readonly number[]>

/** Topic name to partitions, as requests and answers list them by id. */
export const listed = (owned: Partitions) =>
  Object.entries(owned).map(([topic, partitions]) => ({ topicId: idOf(topic), partitions: [...partitions] }))

/** What an answer assigns, by topic name. */
export function assignedBy(answer: HeartbeatAnswer): Partitions {
  const assigned: Record<string, number[]> = {}
  for (const { topicId, partitions } of answer.assignment?.topicPartitions ?? []) {
    assigned[topicId.replace(/A+$/, '')] = [...partitions]
  }
  return assigned
}

export interface HeartbeatOptions {
  group?: string
  version?: number
  instance?: string | null
  rack?: string | null
  rebalanceMs?: number
  topics?: readonly string[] | null
  regex?: string | null
  assignor?: string | null
  owned?: Partitions | null
}

interface Pending {
  readonly mark: number
  readonly bytes: readonly RecordBytes[]
  readonly settled: ((code: number) => void) | undefined
}

interface Due {
  readonly dueMs: number
  readonly operation: () => Outcome<GroupRecord, void>
}

export class ConsumerRig implements CoordinatorTimers<GroupRecord> {
  readonly timeline = new Timeline()
  readonly table = new GroupTable(this.timeline)
  readonly config: Record<string, number | string>
  readonly context: GroupContext
  readonly classic: ClassicGroups
  readonly consumer: ConsumerGroups
  /** Committed, in order. */
  readonly log: RecordBytes[] = []
  /** Records of the last operation. */
  written: readonly GroupRecord[] = []
  /** Records wait until `commit` or `refuse`. */
  held = false
  nowMs = 1_000_000
  image: MetadataImage = emptyImage
  readonly #prng: Prng
  readonly #pending: Pending[] = []
  readonly #timers = new Map<string, Due>()

  constructor(topics: Record<string, number> = {}, config: Record<string, number | string> = {}, seed = 1) {
    this.#prng = new Prng(seed)
    this.config = { ...consumerConfig, ...config }
    const values = {
      number: (key: string) => this.config[key],
      text: (key: string) => this.config[key],
      list: (key: string) => String(this.config[key]).split(','),
    }
    this.context = {
      clock: { monotonicMs: () => this.nowMs, wallMs: () => this.nowMs },
      random: {
        u32: () => this.#prng.u32(),
        bytes: length => Uint8Array.from({ length }, () => this.#prng.u32() >>> 24),
      },
      logger: silentLogger,
      settings: new GroupSettings(
        () => values as unknown as BrokerConfig,
        () => undefined,
      ),
      regex: {
        check: pattern => (pattern.includes('[') && !pattern.includes(']') ? 'a bracket is open' : undefined),
        matching: (pattern, names) => names.filter(name => new RegExp(`^(?:${pattern})$`).test(name)),
      },
      timeline: this.timeline,
      timers: this,
      groups: this.table,
      image: () => this.image,
    }
    this.classic = new ClassicGroups(this.context)
    this.consumer = new ConsumerGroups(this.context, {
      recordOf: group => this.classic.recordOf(group),
      converted: (group, reason) => this.#converted(group, reason),
    })
    if (Object.keys(topics).length > 0) this.createTopics(topics)
  }

  #converted(group: ClassicGroup, reason: string | undefined): void {
    this.classic.startSessions(group)
    if (reason !== undefined) this.classic.rebalance(group, reason)
  }

  // Timers.

  schedule(key: string, delayMs: number, operation: Due['operation']): void {
    this.#timers.set(key, { dueMs: this.nowMs + delayMs, operation })
  }

  putOff(key: string, delayMs: number): boolean {
    const timer = this.#timers.get(key)
    if (timer !== undefined) this.#timers.set(key, { ...timer, dueMs: this.nowMs + delayMs })
    return timer !== undefined
  }

  scheduleIfAbsent(key: string, delayMs: number, operation: Due['operation']): void {
    if (!this.#timers.has(key)) this.schedule(key, delayMs, operation)
  }

  cancel(key: string): void {
    this.#timers.delete(key)
  }

  isScheduled(key: string): boolean {
    return this.#timers.has(key)
  }

  /** `kind member` of each timer of members that is set, in order. */
  get timers(): string[] {
    return [...this.#timers.keys()].map(key => key.replace(/^consumer-(\w+):(?:1:g)?/, '$1 ')).sort()
  }

  advance(ms: number): void {
    const untilMs = this.nowMs + ms
    for (;;) {
      const next = [...this.#timers].sort((a, b) => a[1].dueMs - b[1].dueMs)[0]
      if (next === undefined || next[1].dueMs > untilMs) break
      this.nowMs = Math.max(this.nowMs, next[1].dueMs)
      this.#timers.delete(next[0])
      this.run(next[1].operation)
    }
    this.nowMs = untilMs
  }

  // Topics.

  createTopics(topics: Record<string, number>): void {
    this.#change(delta => {
      for (const [name, partitions] of Object.entries(topics)) {
        delta.replay({ name: 'TopicRecord', version: 0, data: { name, topicId: idOf(name) } } as never)
        for (let partition = 0; partition < partitions; partition++) addPartition(delta, name, partition)
      }
    })
  }

  growTopic(name: string, partitions: number): void {
    const present = this.image.topicsByName.get(name)!.partitions.length
    this.#change(delta => {
      for (let partition = present; partition < partitions; partition++) addPartition(delta, name, partition)
    })
  }

  deleteTopic(name: string): void {
    this.#change(delta =>
      delta.replay({ name: 'RemoveTopicRecord', version: 0, data: { topicId: idOf(name) } } as never),
    )
  }

  #change(change: (delta: MetadataDelta) => void): void {
    const delta = new MetadataDelta(this.image)
    change(delta)
    this.image = delta.apply({ offset: this.image.offset + 10, epoch: 1, timestampMs: this.nowMs })
    this.consumer.onMetadata(delta, this.image)
  }

  // Operations.

  run<T>(operation: () => Outcome<GroupRecord, T>): T {
    const mark = this.timeline.mark
    const { records, response, settled } = operation()
    assert.is(this.timeline.mark, mark, 'only replay changes what must survive')
    const bytes = records.map(record => groupRecordSerde.serialize(record))
    this.written = records
    for (const record of records) this.replay(record)
    this.#pending.push({ mark, bytes, settled })
    if (!this.held) this.commit()
    return response
  }

  replay(record: GroupRecord): void {
    if (record.name === 'GroupMetadata') this.classic.replay(record as GroupRecordOf<'GroupMetadata'>)
    else this.consumer.replay(record as ConsumerRecord)
  }

  commit(): void {
    this.timeline.forget(this.timeline.mark)
    for (const { bytes, settled } of this.#pending.splice(0)) {
      this.log.push(...bytes)
      settled?.(0)
    }
  }

  /** The log refuses what is pending. */
  refuse(code: number): void {
    const failed = this.#pending.splice(0)
    if (failed[0] !== undefined) this.timeline.revertTo(failed[0].mark)
    for (const { settled } of failed) settled?.(code)
  }

  /** Another shard, loaded from the same log, or from `log`. */
  reload(log: readonly RecordBytes[] = this.log): ConsumerRig {
    const rig = new ConsumerRig({}, this.config, this.#prng.u32())
    rig.nowMs = this.nowMs
    rig.image = this.image
    for (const bytes of log) {
      const record = groupRecordSerde.deserialize(bytes)
      assert.ok(record !== undefined)
      rig.replay(record)
      rig.log.push(bytes)
    }
    rig.timeline.forget(rig.timeline.mark)
    rig.classic.onLoaded()
    rig.consumer.onLoaded()
    return rig
  }

  /** What must survive, by group. */
  hardState(): Record<string, unknown> {
    const state: Record<string, unknown> = {}
    for (const group of [...this.table.all()].sort((a, b) => (a.groupId < b.groupId ? -1 : 1))) {
      state[group.groupId] =
        group instanceof ConsumerGroup ? stateOf(group) : { classic: (group as ClassicGroup).committed.value }
    }
    return state
  }

  group(groupId = 'g'): ConsumerGroup {
    const group = this.table.get(groupId)
    assert.ok(group instanceof ConsumerGroup, `there is a consumer group ${groupId}`)
    return group as ConsumerGroup
  }

  member(memberId: string, groupId = 'g'): ConsumerMember {
    return this.group(groupId).memberOrThrow(memberId)
  }

  // Requests.

  /** A request of the consumer protocol. Joins with epoch 0 are complete, others as sparse as clients send them. */
  heartbeat(memberId: string, memberEpoch: number, options: HeartbeatOptions = {}): HeartbeatAnswer {
    const joins = memberEpoch === 0
    const { owned = joins ? {} : null, topics = joins && options.regex === undefined ? ['foo'] : null } = options
    const request: ConsumerGroupHeartbeatRequest = {
      groupId: options.group ?? 'g',
      memberId,
      memberEpoch,
      instanceId: options.instance ?? null,
      rackId: options.rack ?? null,
      rebalanceTimeoutMs: options.rebalanceMs ?? (joins ? 60_000 : -1),
      subscribedTopicNames: topics === null ? null : [...topics],
      subscribedTopicRegex: options.regex ?? null,
      serverAssignor: options.assignor ?? null,
      topicPartitions: owned === null ? null : listed(owned),
    }
    return this.run(() => this.consumer.heartbeat(origin(options.version ?? 1), request))
  }

  classicJoin(memberId: string, options: ClassicJoinOptions = {}): { answer?: JoinGroupResponseInput } {
    const reply: { answer?: JoinGroupResponseInput } = {}
    const request = {
      groupId: 'g',
      sessionTimeoutMs: options.sessionMs ?? 10_000,
      rebalanceTimeoutMs: options.rebalanceMs ?? 60_000,
      memberId,
      groupInstanceId: options.instance ?? null,
      protocolType: 'consumer',
      protocols: options.protocols ?? [{ name: 'range', metadata: new Uint8Array() }],
      reason: null,
    }
    const take = (answer: JoinGroupResponseInput): void => {
      assert.is(reply.answer, undefined, 'answered once')
      reply.answer = answer
    }
    const toConsumer = this.table.get('g')?.kind === 'consumer' && !this.table.get('g')!.isEmpty
    const from = origin(options.version ?? 9)
    this.run(() =>
      toConsumer ? this.consumer.classicJoin(from, request, take) : this.classic.join(from, request, take),
    )
    return reply
  }

  classicSync(
    memberId: string,
    generationId: number,
    options: { instance?: string; protocol?: string; assignments?: Record<string, Uint8Array> } = {},
  ): { answer?: SyncGroupResponseInput } {
    const reply: { answer?: SyncGroupResponseInput } = {}
    const request = {
      groupId: 'g',
      generationId,
      memberId,
      groupInstanceId: options.instance ?? null,
      protocolType: 'consumer',
      protocolName: options.protocol ?? 'range',
      assignments: Object.entries(options.assignments ?? {}).map(([id, assignment]) => ({ memberId: id, assignment })),
    }
    const take = (answer: SyncGroupResponseInput): void => {
      assert.is(reply.answer, undefined, 'answered once')
      reply.answer = answer
    }
    const toConsumer = this.table.get('g')?.kind === 'consumer'
    this.run(() =>
      toConsumer ? this.consumer.classicSync(origin(5), request, take) : this.classic.sync(origin(5), request, take),
    )
    return reply
  }

  classicHeartbeat(memberId: string, generationId: number, instance: string | null = null): number {
    const request = { groupId: 'g', generationId, memberId, groupInstanceId: instance }
    const toConsumer = this.table.get('g')?.kind === 'consumer'
    const operation = () =>
      toConsumer ? this.consumer.classicHeartbeat(origin(4), request) : this.classic.heartbeat(origin(4), request)
    return this.run(operation).errorCode
  }
}

export interface ClassicJoinOptions {
  version?: number
  instance?: string
  sessionMs?: number
  rebalanceMs?: number
  protocols?: { name: string; metadata: Uint8Array }[]
}

const origin = (apiVersion: number): RequestOrigin => ({ apiVersion, clientId: 'client', clientHost: '/127.0.0.1' })

/** The code with which `run` is refused. */
export function codeOf(run: () => unknown): number {
  try {
    run()
  } catch (error) {
    if (error instanceof Refusal) return error.code
    throw error
  }
  return 0
}

function addPartition(delta: MetadataDelta, topic: string, partitionId: number): void {
  const data = {
    topicId: idOf(topic),
    partitionId,
    replicas: [1],
    isr: [1],
    removingReplicas: [],
    addingReplicas: [],
    leader: 1,
    leaderRecoveryState: 0,
    leaderEpoch: 0,
    partitionEpoch: 0,
    directories: ['AAAAAAAAAAAAAAAAAAAAAQ'],
    eligibleLeaderReplicas: null,
    lastKnownElr: null,
  }
  delta.replay({ name: 'PartitionRecord', version: 1, data } as never)
}

/** Everything of a group that follows from its records, in an order of its own. */
export function stateOf(group: ConsumerGroup): unknown {
  const sorted = (value: unknown): unknown => {
    if (value instanceof Uint8Array) return [...value]
    if (value instanceof Set) return [...value].sort()
    if (
      value instanceof Map ||
      (typeof value === 'object' && value !== null && Symbol.iterator in value && 'get' in value)
    ) {
      const entries = [...(value as ReadonlyMap<string | number, unknown>)]
      return entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, inner]) => [key, sorted(inner)])
    }
    if (Array.isArray(value)) return value.map(sorted)
    if (typeof value === 'object' && value !== null) {
      return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, sorted(inner)]))
    }
    return value
  }
  const { epoch, metadataHash, targetVersion, members, targets, topics, regexes, resolvedRegexes } = group
  const { hasTopicsRecord, classicMemberCount, isHomogeneous, stateName } = group
  const owned: string[] = []
  for (const member of members.values()) {
    for (const partitions of [member.assigned, member.pendingRevocation]) {
      for (const [topicId, epochs] of partitions) {
        for (const partition of epochs.keys()) {
          assert.ok(group.isOwned(topicId, partition), 'what a member owns is known to be owned')
          owned.push(`${topicId}-${partition}`)
        }
      }
    }
  }
  assert.is(new Set(owned).size, owned.length, 'a partition has one owner')
  return sorted({
    epoch,
    metadataHash: metadataHash.toString(),
    targetVersion,
    members,
    targets,
    topics,
    regexes,
    resolvedRegexes,
    hasTopicsRecord,
    classicMemberCount,
    isHomogeneous,
    stateName,
    preferredAssignor: group.preferredAssignor(),
    owned: owned.sort(),
  })
}
