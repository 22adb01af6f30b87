/**
 * The consumer groups (KIP-848) of one shard: what their members, tools and topics ask of them.
 *
 * Requests of members with the classic protocol are for a group of this kind that has members. Operations look at the
 * state, uncommitted changes included, and return records; `replay` alone changes groups.
 */

import type { MetadataDelta } from '../../../metadata/delta.ts'
import type { MetadataImage } from '../../../metadata/image.ts'
import type { JoinGroupRequest } from '../../../protocol/apis/11-join-group.ts'
import type { HeartbeatRequest, HeartbeatResponseInput } from '../../../protocol/apis/12-heartbeat.ts'
import type { LeaveGroupRequest, LeaveGroupResponseInput } from '../../../protocol/apis/13-leave-group.ts'
import type { SyncGroupRequest } from '../../../protocol/apis/14-sync-group.ts'
import type {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponseInput,
} from '../../../protocol/apis/68-consumer-group-heartbeat.ts'
import { ErrorCode } from '../../../protocol/error-codes.ts'
import type { Outcome } from '../../shard.ts'
import { Refusal } from '../../shard.ts'
import { rangeAssignor } from '../assignors/range.ts'
import { uniformAssignor } from '../assignors/uniform.ts'
import { ClassicGroup } from '../classic/group.ts'
import type { JoinAnswer, SyncAnswer } from '../classic/member.ts'
import type { GroupContext, RequestOrigin } from '../context.ts'
import type { GroupRecord } from '../records.ts'
import { ClassicMembers } from './classic-members.ts'
import type { DescribedConsumerGroup } from './describe.ts'
import { describeGroup } from './describe.ts'
import { Fencing } from './fencing.ts'
import { ConsumerGroup } from './group.ts'
import { checkHeartbeat } from './heartbeat-request.ts'
import { Heartbeats } from './heartbeats.ts'
import { LEAVE_EPOCH, MemberState, STATIC_LEAVE_EPOCH } from './member.ts'
import { MetadataHashes } from './metadata-hash.ts'
import type { ClassicPort } from './migration.ts'
import { Migration } from './migration.ts'
import { Regexes } from './regexes.ts'
import type { ConsumerRecord } from './replay.ts'
import { Replay } from './replay.ts'
import { Steps } from './steps.ts'
import { MemberTimers } from './timers.ts'

export class ConsumerGroups {
  readonly #context: GroupContext
  readonly #replay: Replay
  readonly #regexes: Regexes
  readonly #timers: MemberTimers
  readonly #steps: Steps
  readonly #migration: Migration
  readonly #fencing: Fencing
  readonly #heartbeats: Heartbeats
  readonly #classicMembers: ClassicMembers

  constructor(context: GroupContext, classic: ClassicPort) {
    const hashes = new MetadataHashes()
    this.#context = context
    this.#replay = new Replay(context)
    this.#regexes = new Regexes(context, hashes)
    this.#timers = new MemberTimers(context.timers, (...fenced) => this.#fencing.fenceById(...fenced))
    this.#steps = new Steps(context, hashes, this.#regexes, this.#timers, [uniformAssignor, rangeAssignor])
    this.#migration = new Migration(context, hashes, this.#timers, classic)
    this.#fencing = new Fencing(context, hashes, this.#timers, this.#migration)
    this.#heartbeats = new Heartbeats(context, this.#steps, this.#timers, this.#migration)
    this.#classicMembers = new ClassicMembers(context, this.#steps, this.#timers, this.#migration, this.#fencing)
  }

  // Requests of members.

  /** Also to a classic group, or none: what joins makes a consumer group of it where that may be. @throws Refusal */
  heartbeat(
    origin: RequestOrigin,
    request: ConsumerGroupHeartbeatRequest,
  ): Outcome<GroupRecord, ConsumerGroupHeartbeatResponseInput> {
    checkHeartbeat(origin.apiVersion, request, this.#context.settings.consumerAssignors)
    const { memberEpoch } = request
    const leaves = memberEpoch === LEAVE_EPOCH || memberEpoch === STATIC_LEAVE_EPOCH
    return leaves ? this.#fencing.leave(this.#get(request.groupId), request) : this.#heartbeats.handle(origin, request)
  }

  classicJoin(origin: RequestOrigin, request: JoinGroupRequest, respond: JoinAnswer): Outcome<GroupRecord, void> {
    return this.#classicMembers.join(origin, this.#get(request.groupId), request, respond)
  }

  classicSync(origin: RequestOrigin, request: SyncGroupRequest, respond: SyncAnswer): Outcome<GroupRecord, void> {
    return this.#classicMembers.sync(origin, this.#get(request.groupId), request, respond)
  }

  classicHeartbeat(_origin: RequestOrigin, request: HeartbeatRequest): Outcome<GroupRecord, HeartbeatResponseInput> {
    return this.#classicMembers.heartbeat(this.#get(request.groupId), request)
  }

  classicLeave(origin: RequestOrigin, request: LeaveGroupRequest): Outcome<GroupRecord, LeaveGroupResponseInput> {
    return this.#classicMembers.leave(origin, this.#get(request.groupId), request)
  }

  // Of tools.

  describe(group: ConsumerGroup): DescribedConsumerGroup {
    return describeGroup(group, this.#steps.defaultAssignor, this.#context.image())
  }

  // Life of the shard.

  replay(record: ConsumerRecord): void {
    this.#replay.replay(record)
  }

  /** Every member has a full session from now on. Classic groups are loaded before. */
  onLoaded(): void {
    this.#regexes.onNewTopics(this.#context.image())
    for (const [groupId, lastEpoch] of this.#replay.endLoad()) {
      const group = this.#context.groups.get(groupId)
      if (group instanceof ClassicGroup) this.#migration.resume(group, lastEpoch)
    }
    for (const group of this.#context.groups.all()) {
      if (!(group instanceof ConsumerGroup)) continue
      const { groupId } = group
      const sessionTimeoutMs = this.#context.settings.consumerSessionTimeoutMs(groupId)
      for (const { memberId, memberEpoch, state, rebalanceTimeoutMs } of group.members.values()) {
        this.#timers.startSession(groupId, memberId, sessionTimeoutMs)
        if (state === MemberState.unrevokedPartitions) {
          this.#timers.startRebalance(groupId, memberId, memberEpoch, rebalanceTimeoutMs)
        }
      }
    }
  }

  /** Who waits for a record is answered when that is settled; nobody waits longer. */
  onUnloaded(): void {}

  /** Groups look at their topics again at the next heartbeat of any member. */
  onMetadata(delta: MetadataDelta, image: MetadataImage): void {
    let created = false
    for (const topicId of delta.changedTopics) {
      const topic = image.topicsById.get(topicId)
      if (topic === undefined) continue
      created ||= !delta.base.topicsById.has(topicId)
      this.#refresh(topic.name)
    }
    for (const topic of delta.deletedTopics.values()) this.#refresh(topic.name)
    if (created) this.#regexes.onNewTopics(image)
  }

  #refresh(topic: string): void {
    for (const group of this.#replay.groupsOf(topic)) group.requestRefresh()
  }

  /** @throws Refusal GROUP_ID_NOT_FOUND */
  #get(groupId: string): ConsumerGroup {
    const group = this.#context.groups.get(groupId)
    if (group instanceof ConsumerGroup) return group
    throw new Refusal(ErrorCode.GROUP_ID_NOT_FOUND, `No consumer group ${groupId}.`)
  }
}
