/**
 * A shard of classic groups under a hand-moved clock, over a log in memory that commits at once, or when it is told to.
 *
 * Invariants: every answer is counted, so a request that is answered twice fails the test at once.
 */
import * as assert from 'uvu/assert'
import { silentLogger } from '../../src/base/logger.ts'
import { Prng } from '../../src/base/prng.ts'
import type { BrokerConfig } from '../../src/config/broker-config.ts'
import { ClassicGroup } from '../../src/coordinator/group/classic/group.ts'
import { ClassicGroups } from '../../src/coordinator/group/classic/groups.ts'
import type { GroupContext } from '../../src/coordinator/group/context.ts'
import { GroupTable } from '../../src/coordinator/group/groups.ts'
import type { GroupRecord } from '../../src/coordinator/group/records.ts'
import { groupRecordSerde } from '../../src/coordinator/group/records.ts'
import { GroupSettings } from '../../src/coordinator/group/settings.ts'
import type { CoordinatorTimers, Outcome, RecordBytes } from '../../src/coordinator/shard.ts'
import type { JoinGroupRequest, JoinGroupResponseInput } from '../../src/protocol/apis/11-join-group.ts'
import type { LeaveGroupRequest } from '../../src/protocol/apis/13-leave-group.ts'
import type { SyncGroupResponseInput } from '../../src/protocol/apis/14-sync-group.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { Timeline } from '../../src/timeline/timeline.ts'

export const config = {
  'group.min.session.timeout.ms': 6_000,
  'group.max.session.timeout.ms': 1_800_000,
  'group.initial.rebalance.delay.ms': 3_000,
  'group.max.size': 2_147_483_647,
}

/** An answer that may come later. */
export class Reply<T> {
  answer: T | undefined = undefined

  readonly take = (answer: T): void => {
    assert.is(this.answer, undefined, 'answered once')
    this.answer = answer
  }

  get is(): T {
    assert.ok(this.answer !== undefined, 'answered')
    return this.answer
  }

  get errorCode(): number {
    return (this.is as { errorCode: number }).errorCode
  }
}

export type JoinReply = Reply<JoinGroupResponseInput>
export type SyncReply = Reply<SyncGroupResponseInput>

interface Pending {
  readonly mark: number
  readonly bytes: readonly RecordBytes[]
  readonly settled: ((code: number) => void) | undefined
}

export interface JoinOptions {
  group?: string
  memberId?: string
  instance?: string | null
  version?: number
  sessionMs?: number
  rebalanceMs?: number
  type?: string
  protocols?: JoinGroupRequest['protocols']
  clientId?: string
}

export const protocol = (name: string, ...metadata: number[]) => ({ name, metadata: Uint8Array.from(metadata) })

export class ClassicRig implements CoordinatorTimers<GroupRecord> {
  readonly timeline = new Timeline()
  readonly table = new GroupTable(this.timeline)
  readonly config: Record<string, number> = { ...config }
  readonly context: GroupContext
  readonly classic: ClassicGroups
  /** Committed, in order. */
  readonly log: RecordBytes[] = []
  /** Records wait until `commit` or `refuse`. */
  held = false
  nowMs = 1_000_000
  readonly #seed: number
  readonly #pending: Pending[] = []
  readonly #timers = new Map<string, { dueMs: number; operation: () => Outcome<GroupRecord, void> }>()

  constructor(seed = 1) {
    this.#seed = seed
    const prng = new Prng(seed)
    this.context = {
      clock: { monotonicMs: () => this.nowMs, wallMs: () => this.nowMs },
      random: { u32: () => prng.u32(), bytes: length => Uint8Array.from({ length }, () => prng.u32() >>> 24) },
      logger: silentLogger,
      settings: new GroupSettings(
        () => ({ number: (key: string) => this.config[key] }) as unknown as BrokerConfig,
        () => undefined,
      ),
      regex: { check: () => undefined, matching: () => [] },
      timeline: this.timeline,
      timers: this,
      groups: this.table,
      image: () => assert.unreachable('classic groups look at no topics') as never,
    }
    this.classic = new ClassicGroups(this.context)
  }

  // Timers.

  schedule(key: string, delayMs: number, operation: () => Outcome<GroupRecord, void>): void {
    this.#timers.set(key, { dueMs: this.nowMs + delayMs, operation })
  }

  putOff(key: string, delayMs: number): boolean {
    const timer = this.#timers.get(key)
    if (timer !== undefined) this.#timers.set(key, { ...timer, dueMs: this.nowMs + delayMs })
    return timer !== undefined
  }

  scheduleIfAbsent(key: string, delayMs: number, operation: () => Outcome<GroupRecord, void>): void {
    if (!this.#timers.has(key)) this.schedule(key, delayMs, operation)
  }

  cancel(key: string): void {
    this.#timers.delete(key)
  }

  isScheduled(key: string): boolean {
    return this.#timers.has(key)
  }

  get timers(): string[] {
    return [...this.#timers.keys()].map(key => key.replace(/^classic-(\w+)-.*$/, '$1')).sort()
  }

  advance(ms: number): void {
    const untilMs = this.nowMs + ms
    for (;;) {
      const next = [...this.#timers].sort((a, b) => a[1].dueMs - b[1].dueMs)[0]
      if (next === undefined || next[1].dueMs > untilMs) break
      this.nowMs = next[1].dueMs
      this.#timers.delete(next[0])
      this.run(next[1].operation)
    }
    this.nowMs = untilMs
  }

  // Operations.

  run<T>(operation: () => Outcome<GroupRecord, T>): T {
    const mark = this.timeline.mark
    const { records, response, settled } = operation()
    const bytes = records.map(record => groupRecordSerde.serialize(record))
    for (const record of records) if (record.name === 'GroupMetadata') this.classic.replay(record)
    this.#pending.push({ mark, bytes, settled })
    if (!this.held) this.commit()
    return response
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

  /** The coordinator dies; what is pending reached the log before, or never will. */
  die(written: boolean): void {
    if (written) for (const { bytes } of this.#pending) this.log.push(...bytes)
    this.refuse(ErrorCode.NOT_COORDINATOR)
    this.classic.onUnloaded()
  }

  /** Another shard, loaded from the same log. */
  reload(): ClassicRig {
    const rig = new ClassicRig(this.#seed + 1)
    Object.assign(rig.config, this.config)
    rig.nowMs = this.nowMs
    for (const bytes of this.log) {
      const record = groupRecordSerde.deserialize(bytes)
      if (record?.name === 'GroupMetadata') rig.classic.replay(record)
      rig.log.push(bytes)
    }
    rig.timeline.forget(rig.timeline.mark)
    rig.classic.onLoaded()
    return rig
  }

  /** What must survive, by group. */
  hardState(): Record<string, unknown> {
    const groups = [...this.table.all()].map(group => [group.groupId, (group as ClassicGroup).committed.value] as const)
    return Object.fromEntries(groups.filter(([, value]) => value !== null).sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  group(groupId = 'g'): ClassicGroup {
    const group = this.table.get(groupId)
    assert.ok(group instanceof ClassicGroup, `there is a classic group ${groupId}`)
    return group as ClassicGroup
  }

  // Requests.

  join(options: JoinOptions = {}): JoinReply {
    const reply: JoinReply = new Reply()
    const { version = 9, memberId = '', instance = null, sessionMs = 10_000, rebalanceMs = 60_000 } = options
    const request: JoinGroupRequest = {
      groupId: options.group ?? 'g',
      sessionTimeoutMs: sessionMs,
      rebalanceTimeoutMs: rebalanceMs,
      memberId,
      groupInstanceId: instance,
      protocolType: options.type ?? 'consumer',
      protocols: options.protocols ?? [protocol('range')],
      reason: null,
    }
    const origin = { apiVersion: version, clientId: options.clientId ?? 'client', clientHost: '/127.0.0.1' }
    this.run(() => this.classic.join(origin, request, reply.take))
    return reply
  }

  sync(
    memberId: string,
    generationId: number,
    assignments: Record<string, Uint8Array> = {},
    options: { group?: string; instance?: string; version?: number; type?: string | null; name?: string | null } = {},
  ): SyncReply {
    const reply: SyncReply = new Reply()
    const { version = 5, type = 'consumer', name = 'range' } = options
    const request = {
      groupId: options.group ?? 'g',
      generationId,
      memberId,
      groupInstanceId: options.instance ?? null,
      protocolType: type,
      protocolName: name,
      assignments: Object.entries(assignments).map(([memberId, assignment]) => ({ memberId, assignment })),
    }
    const origin = { apiVersion: version, clientId: 'client', clientHost: '/127.0.0.1' }
    this.run(() => this.classic.sync(origin, request, reply.take))
    return reply
  }

  heartbeat(memberId: string, generationId: number, instance: string | null = null, group = 'g'): number {
    const request = { groupId: group, generationId, memberId, groupInstanceId: instance }
    const origin = { apiVersion: 4, clientId: 'client', clientHost: '/127.0.0.1' }
    return this.run(() => this.classic.heartbeat(origin, request)).errorCode
  }

  leave(members: (string | { memberId?: string; instance?: string })[], version = 5, group = 'g') {
    const named = members.map(member => ({
      memberId: typeof member === 'string' ? member : (member.memberId ?? ''),
      groupInstanceId: typeof member === 'string' ? null : (member.instance ?? null),
      reason: null,
    }))
    const request: LeaveGroupRequest = {
      groupId: group,
      memberId: version < 3 ? (named[0]?.memberId ?? '') : '',
      members: version < 3 ? [] : named,
    }
    const origin = { apiVersion: version, clientId: 'client', clientHost: '/127.0.0.1' }
    return this.run(() => this.classic.leave(origin, request))
  }

  // Whole rounds.

  /** A new member through both rounds; the second join waits. */
  enter(options: JoinOptions = {}): { memberId: string; joined: JoinReply } {
    if (options.instance || (options.version ?? 9) < 4) return { memberId: '', joined: this.join(options) }
    const { memberId } = this.join(options).is
    return { memberId, joined: this.join({ ...options, memberId }) }
  }

  /** A stable group of that many members, with assignments 0, 1, ... Each gets its join options from `options`. */
  stable(count: number, options: (index: number) => JoinOptions = () => ({})): { ids: string[]; generation: number } {
    const entered = Array.from({ length: count }, (_, index) => this.enter(options(index)))
    this.advance(this.config['group.initial.rebalance.delay.ms']! * (count > 1 ? 2 : 1))
    const ids = entered.map(({ joined }) => joined.is.memberId)
    const { generationId = -1, protocolName, protocolType } = entered[0]!.joined.is
    const assignments = Object.fromEntries(ids.map((id, index) => [id, Uint8Array.of(index)]))
    const protocolNames = { name: protocolName, type: protocolType ?? 'consumer' }
    for (const id of ids) this.sync(id, generationId, id === ids[0] ? assignments : {}, protocolNames)
    assert.is(this.group().state, 'Stable')
    return { ids, generation: generationId }
  }
}
