/**
 * One group, its members and its coordinator on one simulated clock: the real shard on the real runtime, over a log in
 * memory, behind the service that handlers ask; and everything that can happen to each of them.
 *
 * Invariants: the same seed and the same happenings give the same history. What is wrong throws from `check`, at the
 * first step after it went wrong.
 */
import * as assert from 'uvu/assert'
import { silentLogger } from '../../../src/base/logger.ts'
import { Prng } from '../../../src/base/prng.ts'
import { brokerConfigOf } from '../../../src/config/broker-config.ts'
import { ClassicGroup } from '../../../src/coordinator/group/classic/group.ts'
import { ConsumerGroup } from '../../../src/coordinator/group/consumer/group.ts'
import type { GroupRecord } from '../../../src/coordinator/group/records.ts'
import { groupRecordSerde, offsetCommitRecord } from '../../../src/coordinator/group/records.ts'
import { GroupService } from '../../../src/coordinator/group/service.ts'
import { GroupSettings } from '../../../src/coordinator/group/settings.ts'
import { GroupShard } from '../../../src/coordinator/group/shard.ts'
import { Loader } from '../../../src/coordinator/loader.ts'
import type { ShardContext } from '../../../src/coordinator/shard.ts'
import { Refusal } from '../../../src/coordinator/shard.ts'
import type { Host } from '../../../src/host/host.ts'
import { MetadataDelta } from '../../../src/metadata/delta.ts'
import type { MetadataImage } from '../../../src/metadata/image.ts'
import { emptyImage } from '../../../src/metadata/image.ts'
import { buildBatch } from '../../../src/records/builder.ts'
import { Timeline } from '../../../src/timeline/timeline.ts'
import { stateOf } from '../consumer-rig.ts'
import { CoordinatorRig } from '../coordinator.ts'
import { ClassicMember } from './classic-member.ts'
import { ConsumerMember } from './consumer-member.ts'
import { checkEpochs } from './epochs.ts'
import type { Connection, Member, Surroundings } from './member.ts'
import { GROUP } from './member.ts'

export interface WorldOptions {
  readonly seed: number
  readonly assignor: 'uniform' | 'range'
  readonly assignmentIntervalMs: number
  /** Members with the classic protocol are cooperative. */
  readonly cooperative: boolean
}

const START_TOPICS = { foo: 4, bar: 2 }

export class GroupWorld implements Surroundings {
  readonly rig: CoordinatorRig<GroupShard, GroupRecord>
  readonly members: Member[] = []
  /** How many of 100 messages are lost, and how long others take at most. */
  weather = { lost: 0, delayMs: 5 }
  /** Appends and loads that will be refused. */
  refusals = { appends: 0, loads: 0 }
  readonly #options: WorldOptions
  readonly #prng: Prng
  readonly #settings: GroupSettings
  readonly #faults: unknown[] = []
  /** Requests that arrived, and how often each was answered. */
  readonly #requests: { answers: number }[] = []
  readonly #positions = new Map<string, bigint>()
  readonly #acknowledged = new Map<string, bigint>()
  #service: GroupService
  #image: MetadataImage = emptyImage
  #topicsMade = 0
  #names = 0

  constructor(options: WorldOptions) {
    this.#options = options
    this.#prng = new Prng(options.seed)
    const config = brokerConfigOf(
      new Map([
        ['group.initial.rebalance.delay.ms', '1000'],
        ['group.consumer.migration.policy', 'bidirectional'],
        ['group.consumer.assignors', options.assignor],
        ['group.consumer.assignment.interval.ms', String(options.assignmentIntervalMs)],
      ]),
    )
    this.#settings = new GroupSettings(
      () => config,
      () => undefined,
    )
    const logger = {
      ...silentLogger,
      error: (first: object | string) => {
        const { err } = first as { err?: unknown }
        if (err !== undefined && !(err instanceof Refusal)) this.#faults.push(err)
      },
    }
    this.rig = new CoordinatorRig<GroupShard, GroupRecord>({
      seed: options.seed,
      logger,
      serde: groupRecordSerde,
      image: () => this.#image,
      makeShard: (context, host) => this.#makeShard(context, host),
    })
    const { writer } = this.rig
    writer.plan = () => (this.refusals.appends > 0 && this.refusals.appends-- > 0 ? 19 : 0)
    writer.planLoad = () => (this.refusals.loads > 0 && this.refusals.loads-- > 0 ? 56 : 0)
    this.#service = this.#makeService()
    for (const [name, partitions] of Object.entries(START_TOPICS)) this.createTopic(name, partitions)
  }

  #makeShard(context: ShardContext<GroupRecord>, { clock, random }: Host): GroupShard {
    const regex = { check: () => undefined, matching: () => [] }
    return new GroupShard({ clock, random, logger: silentLogger, settings: this.#settings, regex }, context)
  }

  #makeService(): GroupService {
    const service = new GroupService({
      runtime: this.rig.runtime,
      settings: this.#settings,
      logger: silentLogger,
      partitionCount: () => 1,
      highWatermark: () => undefined,
    })
    service.start()
    return service
  }

  // What members have of it.

  get host(): Host {
    return this.rig.host
  }

  image(): MetadataImage {
    return this.#image
  }

  chance(bound: number): number {
    return this.#prng.u32() % bound
  }

  fault(what: string): void {
    this.#faults.push(new Error(what))
  }

  call<T>(
    connection: Connection,
    patienceMs: number,
    send: (service: GroupService, answer: (response: T) => void) => void,
    done: (response: T | undefined) => void,
  ): void {
    const { clock, timers } = this.host
    let isOver = false
    const end = (response: T | undefined) => {
      if (isOver) return
      isOver = true
      timers.cancel(patience)
      done(response)
    }
    const patience = timers.at(clock.monotonicMs() + patienceMs, () => end(undefined))
    if (this.#isLost(connection)) return
    connection.arrivesMs = Math.max(connection.arrivesMs, this.#arrivalMs())
    timers.at(connection.arrivesMs, () => {
      const request = { answers: 0 }
      this.#requests.push(request)
      send(this.#service, response => {
        if (++request.answers > 1) this.fault('a request was answered twice')
        if (this.#isLost(connection)) return
        timers.at(this.#arrivalMs(), () => end(response))
      })
    })
  }

  #isLost({ cutUntilMs }: Connection): boolean {
    return this.host.clock.monotonicMs() < cutUntilMs || this.chance(100) < this.weather.lost
  }

  #arrivalMs(): number {
    return this.host.clock.monotonicMs() + this.chance(this.weather.delayMs + 1)
  }

  position(partition: string): bigint {
    return this.#positions.get(partition) ?? 0n
  }

  readUpTo(partition: string, offset: bigint): void {
    if (offset > this.position(partition)) this.#positions.set(partition, offset)
  }

  acknowledged(partition: string, offset: bigint): void {
    if (!this.#image.topicsById.has(partition.slice(0, partition.indexOf('/')))) return
    if (offset > (this.#acknowledged.get(partition) ?? 0n)) this.#acknowledged.set(partition, offset)
  }

  // What can happen.

  async start(): Promise<this> {
    await this.rig.start()
    return this
  }

  join(kind: 'classic' | 'consumer', instanceId: string | null, topics: readonly string[], version = 9): void {
    const name = `${kind}-${this.#names++}`
    // A classic group goes on without a rebalance when a static member is back, even if that reads something else by
    // now, or is a leader who does not know that it is one.
    if (instanceId !== null) {
      topics = [instanceId === 'i' ? 'foo' : 'bar']
      version = 9
    }
    this.members.push(
      kind === 'consumer'
        ? new ConsumerMember(this, name, instanceId, topics)
        : new ClassicMember(this, name, instanceId, topics, { cooperative: this.#options.cooperative, version }),
    )
  }

  get alive(): Member[] {
    return this.members.filter(({ isAlive }) => isAlive)
  }

  createTopic(name: string, partitions: number): void {
    if (this.#image.topicsByName.has(name)) return
    const topicId = `${name}${this.#topicsMade++}`.padEnd(21, 'a') + 'A'
    this.#changeTopics(delta => {
      delta.replay({ name: 'TopicRecord', version: 0, data: { name, topicId } } as never)
      for (let index = 0; index < partitions; index++) addPartition(delta, topicId, index)
    })
  }

  growTopic(name: string): void {
    const topic = this.#image.topicsByName.get(name)
    if (topic !== undefined) this.#changeTopics(delta => addPartition(delta, topic.id, topic.partitions.length))
  }

  deleteTopic(name: string): void {
    const topic = this.#image.topicsByName.get(name)
    if (topic === undefined) return
    for (const index of topic.partitions.keys()) this.#acknowledged.delete(`${topic.id}/${index}`)
    this.#changeTopics(delta =>
      delta.replay({ name: 'RemoveTopicRecord', version: 0, data: { topicId: topic.id } } as never),
    )
    this.#service.onTopicsDeleted([{ id: topic.id, name }])
  }

  #changeTopics(change: (delta: MetadataDelta) => void): void {
    const delta = new MetadataDelta(this.#image)
    change(delta)
    this.#image = delta.apply({ offset: this.#image.offset + 10, epoch: 1, timestampMs: this.host.clock.wallMs() })
    this.rig.runtime.onMetadata(delta, this.#image)
  }

  /** The leadership goes and comes back. */
  lose(): void {
    this.rig.runtime.elected(0, this.rig.writer.lose(0))
  }

  async restart(): Promise<void> {
    const restarted = this.rig.restart()
    this.#service = this.#makeService()
    await restarted
    this.#service = this.#makeService()
  }

  /** Somebody else writes into the log: an open transaction commits an offset, or ends. */
  intrude(what: 'begin' | 'commit' | 'abort'): void {
    const { writer } = this.rig
    const options = {
      baseOffset: writer.marks(0).end,
      leaderEpoch: writer.leaderEpoch(0),
      timestamp: BigInt(this.host.clock.wallMs()),
      transactional: true,
      producerId: 7n,
      producerEpoch: 0,
    }
    const key = Uint8Array.of(0, 0, 0, what === 'commit' ? 1 : 0)
    const pending = offsetCommitRecord('transactional', 'foo', this.chance(2), {
      offset: BigInt(this.chance(100)),
      leaderEpoch: -1,
      metadata: '',
      commitTimestamp: this.host.clock.wallMs(),
      expireTimestamp: -1,
      topicId: 'fooooooooooooooooooooA',
    })
    const record = what === 'begin' ? groupRecordSerde.serialize(pending) : { key, value: new Uint8Array(6) }
    writer.intrude(0, buildBatch([record], { ...options, control: what !== 'begin' }))
    // So much that no append behind a refused one finds the end where it expects it.
    const passedOver = { key: Uint8Array.of(0x7f, 0xff), value: null }
    const baseOffset = writer.marks(0).end
    const { leaderEpoch, timestamp } = options
    writer.intrude(0, buildBatch(Array(500).fill(passedOver), { baseOffset, leaderEpoch, timestamp }))
  }

  hold(appends: boolean, commits: boolean): void {
    const { writer } = this.rig
    writer.holdAppends = appends
    writer.holdCommits = commits
    writer.resume()
  }

  /** No more disturbance from now on. */
  calm(): void {
    this.weather = { lost: 0, delayMs: 5 }
    this.refusals = { appends: 0, loads: 0 }
    for (const { connection } of this.members) connection.cutUntilMs = 0
    this.hold(false, false)
  }

  // What must be so.

  /** The shard that is in use; undefined: there is none now. */
  get shard(): GroupShard | undefined {
    let found: GroupShard | undefined
    const look = (shard: GroupShard) => {
      found = shard
      return { records: [], response: undefined }
    }
    this.rig.runtime.writeTo(0, 'look', 5_000, look, { answer: () => {}, refuse: () => {} })
    return found
  }

  check(): void {
    if (this.#faults.length > 0) throw this.#faults[0]
    const { shard } = this
    if (shard === undefined) return
    this.#checkOwners(shard)
    this.#checkOffsets(shard)
  }

  /** Of members that the coordinator knows and who know their epoch, no two own one partition. */
  #checkOwners(shard: GroupShard): void {
    const group = shard.group(GROUP)
    const owners = new Map<string, string>()
    for (const member of this.alive) {
      const { name, memberId, ownedSince } = member
      if (memberId === '' || !group?.hasMember(memberId)) continue
      let generation = String(ownedSince)
      if (group instanceof ConsumerGroup) {
        const { memberEpoch, previousMemberEpoch } = group.memberOrThrow(memberId)
        // One that was fenced and does not know it yet is none, though it may be a member again.
        if (ownedSince !== memberEpoch && ownedSince !== previousMemberEpoch) continue
        generation = 'any'
      } else if (!(member instanceof ClassicMember)) continue
      for (const partition of member.owned) {
        const key = `${partition} of generation ${generation}`
        assert.is(owners.get(key), undefined, `${key} is ${owners.get(key)}'s and ${name}'s`)
        owners.set(key, name)
      }
    }
  }

  #checkOffsets(shard: GroupShard): void {
    if (this.#acknowledged.size === 0) return
    const committed = new Map<string, bigint>()
    for (const topic of shard.committedOffsets(GROUP)) {
      for (const [index, { topicId, offset }] of topic) committed.set(`${topicId}/${index}`, offset)
    }
    for (const [partition, offset] of this.#acknowledged) {
      const found = committed.get(partition) ?? -1n
      assert.ok(found >= offset, `${partition} was acknowledged at ${offset} and is at ${found}`)
    }
  }

  /** The members who are there have come to rest, and read everything that they subscribe to. */
  checkSettled(): void {
    this.check()
    const { alive, shard } = this
    if (alive.length === 0) return
    const group = shard?.group(GROUP)
    assert.is(group?.stateName, 'Stable')
    assert.equal(
      alive.filter(({ memberId }) => !group?.hasMember(memberId)).map(({ name }) => name),
      [],
      'all are members',
    )
    assert.is(group?.memberCount, alive.length)
    const topics = new Set(alive.flatMap(member => member.topics))
    const readable: string[] = []
    for (const { name, id, partitions } of this.#image.topicsById.values()) {
      if (topics.has(name)) for (const index of partitions.keys()) readable.push(`${id}/${index}`)
    }
    assert.equal(alive.flatMap(({ owned }) => [...owned]).sort(), readable.sort())
  }

  /** A shard that is loaded from the log has what the one has that lived through it all. */
  async checkReplay(): Promise<void> {
    this.calm()
    await this.rig.host.settle()
    // A shard that others wrote behind finds out when it writes itself.
    for (let times = 0; times < 2; times++) {
      const probe = {
        groupId: 'probe',
        generationIdOrMemberEpoch: -1,
        memberId: '',
        groupInstanceId: null,
        retentionTimeMs: -1,
      }
      const partition = { partitionIndex: 0, committedOffset: 1n, committedLeaderEpoch: -1, committedMetadata: '' }
      const topics = [{ name: 't', topicId: 'tttttttttttttttttttttA', partitions: [partition] }]
      this.#service.commitOffsets({ apiVersion: 9, clientId: 'probe', clientHost: '/' }, { ...probe, topics }, () => {})
      await this.rig.host.settle()
      for (let ms = 0; this.shard === undefined && ms < 60_000; ms += 500) await this.rig.host.advance(500)
    }
    const live = this.shard
    assert.ok(live !== undefined, 'the shard is in use')
    const timeline = new Timeline()
    const timers = { schedule() {}, putOff: () => false, scheduleIfAbsent() {}, cancel() {}, isScheduled: () => false }
    const loaded = this.#makeShard({ partition: 0, timeline, timers, image: () => this.#image }, this.host)
    const loader = new Loader(this.host, groupRecordSerde, loaded, timeline)
    for (const batch of this.rig.writer.batches(0)) await loader.replay(batch)
    assert.equal(dump(loaded), dump(live as GroupShard))
  }

  /** Everybody ends, and time goes by: nobody is left without an answer. */
  async end(): Promise<void> {
    for (const member of this.members) member.crash()
    await this.rig.host.advance(400_000)
    this.check()
    assert.is(this.#requests.filter(({ answers }) => answers !== 1).length, 0, 'requests without an answer')
    checkEpochs(this.rig.writer.records(0))
  }
}

function dump(shard: GroupShard): unknown {
  return shard
    .groupIds()
    .sort()
    .map(groupId => {
      const group = shard.group(groupId)
      const everything = { groupId, memberId: null, memberEpoch: -1, topics: null }
      return {
        groupId,
        offsets: shard.committedOffsets(groupId).map(topic => ({ topic: topic.topic, partitions: [...topic] })),
        stable: shard.fetchOffsets(everything, true).topics,
        state:
          group instanceof ConsumerGroup
            ? stateOf(group)
            : group instanceof ClassicGroup
              ? group.committed.value
              : null,
      }
    })
}

function addPartition(delta: MetadataDelta, topicId: string, partitionId: number): void {
  const data = {
    topicId,
    partitionId,
    replicas: [1],
    isr: [1],
    removingReplicas: [],
    addingReplicas: [],
    leader: 1,
    leaderRecoveryState: 0,
    leaderEpoch: 0,
    partitionEpoch: 0,
    directories: ['DDDDDDDDDDDDDDDDDDDDDA'],
    eligibleLeaderReplicas: null,
    lastKnownElr: null,
  }
  delta.replay({ name: 'PartitionRecord', version: 1, data } as never)
}
