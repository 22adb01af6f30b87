/**
 * The group coordinator as the request handlers see it: finds the shard of a group, runs the operation there, and turns
 * what goes wrong into the answer that each API has for it.
 *
 * Invariants: whoever asks is answered exactly once, with Kafka's code for its API; `answer` may be called within the
 * call. An operation on several groups asks each shard once, and answers in the order of the question. Before `start`
 * and after `close` everything is COORDINATOR_NOT_AVAILABLE.
 */
import type { Logger } from '../../base/logger.ts'
import type { OffsetCommitRequest, OffsetCommitResponseInput } from '../../protocol/apis/08-offset-commit.ts'
import type { JoinGroupRequest, JoinGroupResponseInput } from '../../protocol/apis/11-join-group.ts'
import type { HeartbeatRequest, HeartbeatResponseInput } from '../../protocol/apis/12-heartbeat.ts'
import type { LeaveGroupRequest, LeaveGroupResponseInput } from '../../protocol/apis/13-leave-group.ts'
import type { SyncGroupRequest, SyncGroupResponseInput } from '../../protocol/apis/14-sync-group.ts'
import type { DescribeGroupsResponseInput } from '../../protocol/apis/15-describe-groups.ts'
import type { ListGroupsResponseInput } from '../../protocol/apis/16-list-groups.ts'
import type { DeleteGroupsResponseInput } from '../../protocol/apis/42-delete-groups.ts'
import type { OffsetDeleteRequest, OffsetDeleteResponseInput } from '../../protocol/apis/47-offset-delete.ts'
import type {
  ConsumerGroupHeartbeatRequest,
  ConsumerGroupHeartbeatResponseInput,
} from '../../protocol/apis/68-consumer-group-heartbeat.ts'
import type { ConsumerGroupDescribeResponseInput } from '../../protocol/apis/69-consumer-group-describe.ts'
import type { KafkaErrorCode } from '../../protocol/error-codes.ts'
import { ErrorCode } from '../../protocol/error-codes.ts'
import type { OperationError } from '../operation-error.ts'
import { operationError } from '../operation-error.ts'
import { partitionFor } from '../partition-for.ts'
import type { CoordinatorRuntime } from '../runtime.ts'
import type { Outcome } from '../shard.ts'
import { Refusal } from '../shard.ts'
import type { RequestOrigin } from './context.ts'
import type { OffsetFetchGroup, OffsetFetchGroupResponse } from './offsets/offsets.ts'
import type { GroupRecord } from './records.ts'
import type { GroupSettings } from './settings.ts'
import type { GroupShard } from './shard.ts'

type DescribedGroup = DescribeGroupsResponseInput['groups'][number]
type DescribedConsumerGroup = ConsumerGroupDescribeResponseInput['groups'][number]
type DeletedGroup = DeleteGroupsResponseInput['results'][number]

type Answer<Response> = (response: Response) => void

/** How far a group is behind in one partition. */
export interface GroupLag {
  readonly groupId: string
  readonly topic: string
  readonly partition: number
  readonly committedOffset: bigint
  /** undefined: the partition is not here; `lag` too. */
  readonly highWatermark: number | undefined
  /** Records, at least 0. */
  readonly lag: number | undefined
}

export interface GroupServiceOptions {
  readonly runtime: CoordinatorRuntime<GroupShard, GroupRecord>
  readonly settings: GroupSettings
  readonly logger: Logger
  /** Partitions of `__consumer_offsets`, or how many it will have. */
  readonly partitionCount: () => number
  /** undefined: this broker does not hold it. */
  readonly highWatermark: (topic: string, partition: number) => number | undefined
}

const NO_BYTES = new Uint8Array(0)

export class GroupService {
  readonly #options: GroupServiceOptions
  readonly #runtime: CoordinatorRuntime<GroupShard, GroupRecord>
  readonly #settings: GroupSettings
  #active = false

  constructor(options: GroupServiceOptions) {
    this.#options = options
    this.#runtime = options.runtime
    this.#settings = options.settings
  }

  start(): void {
    this.#active = true
  }

  close(): void {
    this.#active = false
  }

  /** The partition of `__consumer_offsets` that a group belongs to. */
  partitionFor(groupId: string): number {
    return partitionFor(groupId, this.#options.partitionCount())
  }

  // Classic groups.

  joinGroup(origin: RequestOrigin, request: JoinGroupRequest, answer: Answer<JoinGroupResponseInput>): void {
    const { groupId, memberId, sessionTimeoutMs } = request
    const { minSessionTimeoutMs, maxSessionTimeoutMs } = this.#settings
    const refuse = (errorCode: KafkaErrorCode, its: string) =>
      answer({ errorCode, protocolName: '', leader: '', memberId: its, members: [] })
    const invalid = this.#refusalOf(groupId)
    if (invalid !== ErrorCode.NONE) return refuse(invalid, memberId)
    if (sessionTimeoutMs < minSessionTimeoutMs || sessionTimeoutMs > maxSessionTimeoutMs)
      return refuse(ErrorCode.INVALID_SESSION_TIMEOUT, memberId)
    const once = onlyOnce(answer)
    this.#write(groupId, 'join', shard => shard.join(origin, request, once), {
      answer: () => {},
      refuse: ({ code }) => once({ errorCode: code, protocolName: '', leader: '', memberId: '', members: [] }),
    })
  }

  syncGroup(origin: RequestOrigin, request: SyncGroupRequest, answer: Answer<SyncGroupResponseInput>): void {
    const invalid = this.#refusalOf(request.groupId)
    if (invalid !== ErrorCode.NONE) return answer({ errorCode: invalid, assignment: NO_BYTES })
    const once = onlyOnce(answer)
    this.#write(request.groupId, 'sync', shard => shard.sync(origin, request, once), {
      answer: () => {},
      refuse: ({ code }) => once({ errorCode: code, assignment: NO_BYTES }),
    })
  }

  heartbeat(origin: RequestOrigin, request: HeartbeatRequest, answer: Answer<HeartbeatResponseInput>): void {
    const invalid = this.#refusalOf(request.groupId)
    if (invalid !== ErrorCode.NONE) return answer({ errorCode: invalid })
    this.#write(request.groupId, 'heartbeat', shard => shard.heartbeat(origin, request), {
      answer,
      refuse({ code }) {
        // Whose group is still being loaded is let live.
        answer({ errorCode: code === ErrorCode.COORDINATOR_LOAD_IN_PROGRESS ? ErrorCode.NONE : code })
      },
    })
  }

  leaveGroup(origin: RequestOrigin, request: LeaveGroupRequest, answer: Answer<LeaveGroupResponseInput>): void {
    const { groupId } = request
    const invalid = this.#refusalOf(groupId)
    if (invalid !== ErrorCode.NONE) return answer({ errorCode: invalid, members: [] })
    this.#write(groupId, 'leave', shard => shard.leave(origin, request), {
      answer,
      refuse({ code }) {
        if (code !== ErrorCode.UNKNOWN_MEMBER_ID) return answer({ errorCode: code, members: [] })
        const members = request.members.map(({ memberId, groupInstanceId }) => ({
          memberId,
          groupInstanceId,
          errorCode: code,
        }))
        answer({ errorCode: ErrorCode.NONE, members })
      },
    })
  }

  // Consumer groups.

  consumerGroupHeartbeat(
    origin: RequestOrigin,
    request: ConsumerGroupHeartbeatRequest,
    answer: Answer<ConsumerGroupHeartbeatResponseInput>,
  ): void {
    const refuse = ({ code, message }: OperationError) =>
      answer({ errorCode: code, errorMessage: message, memberEpoch: 0, heartbeatIntervalMs: 0 })
    if (!this.#active) return refuse({ code: ErrorCode.COORDINATOR_NOT_AVAILABLE, message: null })
    this.#write(request.groupId, 'consumer heartbeat', shard => shard.consumerHeartbeat(origin, request), {
      answer,
      refuse,
    })
  }

  // Offsets.

  /** Of partitions that exist, with name and id. The empty group id is a group as others are. */
  commitOffsets(origin: RequestOrigin, request: OffsetCommitRequest, answer: Answer<OffsetCommitResponseInput>): void {
    const refuse = ({ code }: { readonly code: KafkaErrorCode }) =>
      answer({
        topics: request.topics.map(({ name, topicId, partitions }) => ({
          name,
          topicId,
          partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: code })),
        })),
      })
    if (!this.#active) return refuse({ code: ErrorCode.COORDINATOR_NOT_AVAILABLE })
    this.#write(request.groupId, 'commit offsets', shard => shard.commitOffsets(origin, request), { answer, refuse })
  }

  /** Of topics with names. A failure of the group is told by its code, without topics. */
  async fetchOffsets(group: OffsetFetchGroup, requireStable: boolean): Promise<OffsetFetchGroupResponse> {
    const { groupId } = group
    if (!this.#active) return { groupId, topics: [], errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE }
    try {
      return await this.#read(groupId, 'fetch offsets', shard => shard.fetchOffsets(group, requireStable))
    } catch (error) {
      return { groupId, topics: [], errorCode: this.#error(error, 'fetch offsets').code }
    }
  }

  async deleteOffsets(request: OffsetDeleteRequest): Promise<OffsetDeleteResponseInput> {
    const { groupId } = request
    const invalid = this.#refusalOf(groupId)
    if (invalid !== ErrorCode.NONE) return { errorCode: invalid, topics: [] }
    const partition = this.partitionFor(groupId)
    try {
      return await this.#runtime.write(partition, 'delete offsets', this.#timeoutMs, shard =>
        shard.deleteOffsets(request),
      )
    } catch (error) {
      return { errorCode: this.#error(error, 'delete offsets').code, topics: [] }
    }
  }

  // Any group.

  /** Filters are compared without regard to case; empty ones let everything pass. */
  async listGroups(statesFilter: readonly string[], typesFilter: readonly string[]): Promise<ListGroupsResponseInput> {
    if (!this.#active) return { errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE, groups: [] }
    try {
      const reads = this.#runtime.readAll('list groups', shard => shard.listGroups(statesFilter, typesFilter))
      const lists = await Promise.all(reads.map(read => read.catch(noneIfGone)))
      return { errorCode: ErrorCode.NONE, groups: lists.flat() }
    } catch (error) {
      return { errorCode: this.#error(error, 'list groups').code, groups: [] }
    }
  }

  /** Classic groups; the empty group id is a group as others are. */
  describeGroups(groupIds: readonly string[], apiVersion: number): Promise<DescribedGroup[]> {
    const failed = (groupId: string, errorCode: KafkaErrorCode): DescribedGroup => ({
      groupId,
      errorCode,
      groupState: '',
      protocolType: '',
      protocolData: '',
      members: [],
    })
    return this.#each(groupIds, 'describe groups', failed, (partition, ids) =>
      this.#runtime.read(partition, 'describe groups', shard => shard.describeGroups(ids, apiVersion)),
    )
  }

  consumerGroupDescribe(groupIds: readonly string[]): Promise<DescribedConsumerGroup[]> {
    const failed = (groupId: string, errorCode: KafkaErrorCode): DescribedConsumerGroup => ({
      groupId,
      errorCode,
      groupState: '',
      groupEpoch: 0,
      assignmentEpoch: 0,
      assignorName: '',
      members: [],
    })
    const emptyToo = (groupId: string, errorCode: KafkaErrorCode) =>
      failed(groupId, groupId === '' ? ErrorCode.INVALID_GROUP_ID : errorCode)
    return this.#each(groupIds, 'describe consumer groups', emptyToo, async (partition, ids) => {
      const described = await this.#runtime.read(partition, 'describe consumer groups', shard =>
        shard.describeConsumerGroups(ids),
      )
      return described.map(group => (group.groupId === '' ? failed('', ErrorCode.INVALID_GROUP_ID) : group))
    })
  }

  /** The empty group id is a group as others are. */
  deleteGroups(groupIds: readonly string[]): Promise<DeletedGroup[]> {
    const failed = (groupId: string, errorCode: KafkaErrorCode): DeletedGroup => ({ groupId, errorCode })
    return this.#each(groupIds, 'delete groups', failed, (partition, ids) =>
      this.#runtime.write(partition, 'delete groups', this.#timeoutMs, shard => shard.deleteGroups(ids)),
    )
  }

  /** The offsets that any group has for deleted topics go. */
  onTopicsDeleted(topics: readonly { readonly id: string; readonly name: string }[]): void {
    const writes = this.#runtime.writeAll('forget topics', this.#timeoutMs, shard => shard.onTopicsDeleted(topics))
    for (const write of writes) write.catch(error => this.#error(error, 'forgetting topics'))
  }

  /** Every partition for which a group of this broker has an offset. @throws Refusal while groups are being loaded. */
  async lags(): Promise<GroupLag[]> {
    const lists = await Promise.all(
      this.#runtime.readAll('lags', shard => this.#lagsIn(shard)).map(read => read.catch(noneIfGone)),
    )
    return lists.flat()
  }

  #lagsIn(shard: GroupShard): GroupLag[] {
    const lags: GroupLag[] = []
    for (const groupId of shard.groupIds()) {
      for (const offsets of shard.committedOffsets(groupId)) {
        const { topic } = offsets
        for (const [partition, { offset: committedOffset }] of offsets) {
          const highWatermark = this.#options.highWatermark(topic, partition)
          const lag = highWatermark === undefined ? undefined : Math.max(0, highWatermark - Number(committedOffset))
          lags.push({ groupId, topic, partition, committedOffset, highWatermark, lag })
        }
      }
    }
    return lags
  }

  // What the operations have in common.

  get #timeoutMs(): number {
    return this.#settings.commitTimeoutMs
  }

  /** Most APIs refuse the empty group id. */
  #refusalOf(groupId: string): KafkaErrorCode {
    if (!this.#active) return ErrorCode.COORDINATOR_NOT_AVAILABLE
    return groupId === '' ? ErrorCode.INVALID_GROUP_ID : ErrorCode.NONE
  }

  #error(error: unknown, operation: string): OperationError {
    return operationError(error, operation, this.#options.logger)
  }

  #write<Response>(
    groupId: string,
    name: string,
    operation: (shard: GroupShard) => Outcome<GroupRecord, Response>,
    { answer, refuse }: { answer: Answer<Response>; refuse: (error: OperationError) => void },
  ): void {
    this.#runtime.writeTo(this.partitionFor(groupId), name, this.#timeoutMs, operation, {
      answer,
      refuse: error => refuse(this.#error(error, name)),
    })
  }

  #read<Response>(groupId: string, name: string, operation: (shard: GroupShard) => Response): Promise<Response> {
    return this.#runtime.read(this.partitionFor(groupId), name, operation)
  }

  /**
   * Asks the shard of each group, all groups of one shard together, and for each group once, however often it stands
   * there: a short request could ask for any amount. Answers stand where the questions stood.
   */
  async #each<Response>(
    groupIds: readonly string[],
    name: string,
    failed: (groupId: string, errorCode: KafkaErrorCode) => Response,
    ask: (partition: number, groupIds: readonly string[]) => Promise<readonly Response[]>,
  ): Promise<Response[]> {
    if (!this.#active) return groupIds.map(groupId => failed(groupId, ErrorCode.COORDINATOR_NOT_AVAILABLE))
    const asked = new Map<number, Set<string>>()
    for (const groupId of groupIds) {
      const partition = this.partitionFor(groupId)
      const known = asked.get(partition)
      if (known === undefined) asked.set(partition, new Set([groupId]))
      else known.add(groupId)
    }
    const answers = new Map<string, Response>()
    await Promise.all(
      Array.from(asked, async ([partition, its]) => {
        const ids = [...its]
        let found: readonly Response[]
        try {
          found = await ask(partition, ids)
        } catch (error) {
          const { code } = this.#error(error, name)
          found = ids.map(groupId => failed(groupId, code))
        }
        for (const [index, groupId] of ids.entries()) answers.set(groupId, found[index] as Response)
      }),
    )
    return groupIds.map(groupId => answers.get(groupId) as Response)
  }
}

/** A shard that has moved away meanwhile has no groups here. */
function noneIfGone(error: unknown): [] {
  if (error instanceof Refusal && error.code === ErrorCode.NOT_COORDINATOR) return []
  throw error
}

/** An operation that is taken back after it has answered is not answered again. */
function onlyOnce<Response>(answer: Answer<Response>): Answer<Response> {
  let answered = false
  return response => {
    if (answered) return
    answered = true
    answer(response)
  }
}
