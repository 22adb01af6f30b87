/** The requests of conversations, with what most of them share filled in. */
import { encodeAssignment, encodeSubscription } from '../../../../src/coordinator/group/classic/consumer-protocol.ts'
import { offsetCommit } from '../../../../src/protocol/apis/08-offset-commit.ts'
import {
  type JoinGroupRequestInput,
  type JoinGroupResponse,
  joinGroup,
} from '../../../../src/protocol/apis/11-join-group.ts'
import { heartbeat } from '../../../../src/protocol/apis/12-heartbeat.ts'
import {
  type SyncGroupRequestInput,
  type SyncGroupResponse,
  syncGroup,
} from '../../../../src/protocol/apis/14-sync-group.ts'
import {
  type ConsumerGroupHeartbeatRequestInput,
  type ConsumerGroupHeartbeatResponse,
  consumerGroupHeartbeat,
} from '../../../../src/protocol/apis/68-consumer-group-heartbeat.ts'
import { consumerGroupDescribe } from '../../../../src/protocol/apis/69-consumer-group-describe.ts'
import type { Talk } from '../../../support/conversation.ts'

/** A member of a classic group as its client knows it. */
export interface ClassicMember {
  readonly memberId: string
  readonly generationId: number
}

type Join = Partial<JoinGroupRequestInput>

export const opaque = (...bytes: number[]): Uint8Array => new Uint8Array(bytes)

/** Asks to join; version 9 and a protocol of opaque bytes unless said otherwise. */
export function join(
  talk: Talk,
  who: string,
  groupId: string,
  more: Join = {},
  version = 9,
): Promise<JoinGroupResponse> {
  return talk.send(who, joinGroup, version, {
    groupId,
    sessionTimeoutMs: 30_000,
    rebalanceTimeoutMs: 30_000,
    memberId: '',
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: opaque(1, 2) }],
    ...more,
  })
}

/** The member-id-required round; resolves to the id that was given. */
export async function memberId(talk: Talk, who: string, groupId: string, more: Join = {}): Promise<string> {
  return (await join(talk, who, groupId, more)).memberId
}

export function sync(
  talk: Talk,
  who: string,
  groupId: string,
  member: ClassicMember,
  more: Partial<SyncGroupRequestInput> = {},
  version = 5,
): Promise<SyncGroupResponse> {
  const { memberId, generationId } = member
  const named = version >= 5 ? { protocolType: 'consumer', protocolName: 'range' } : {}
  return talk.send(who, syncGroup, version, { groupId, memberId, generationId, assignments: [], ...named, ...more })
}

/** The assignments of a leader: a byte for each member, in the order given. */
export function each(...members: ClassicMember[]) {
  return { assignments: members.map(({ memberId }, index) => ({ memberId, assignment: opaque(index + 1) })) }
}

/** The only member of a classic group, joined and synced. */
export async function alone(talk: Talk, who: string, groupId: string, more: Join = {}): Promise<ClassicMember> {
  const isStatic = more.groupInstanceId !== undefined
  const id = isStatic ? '' : await memberId(talk, who, groupId, more)
  const joined = await join(talk, who, groupId, { ...more, memberId: id })
  await sync(talk, who, groupId, joined, { protocolName: joined.protocolName, ...each(joined) })
  return joined
}

/** Two members of a classic group, `a` its leader, in generation 2, synced. */
export async function pair(talk: Talk, groupId: string, more: Join = {}): Promise<[ClassicMember, ClassicMember]> {
  const first = await alone(talk, 'a', groupId, more)
  const secondId = await memberId(talk, 'b', groupId, more)
  const second = join(talk, 'b', groupId, { ...more, memberId: secondId })
  await talk.reached(groupId, 'PreparingRebalance', 2)
  const a = await join(talk, 'a', groupId, { ...more, memberId: first.memberId })
  const b = await second
  const following = sync(talk, 'b', groupId, b)
  await sync(talk, 'a', groupId, a, each(a, b))
  await following
  return [a, b]
}

export function beat(
  talk: Talk,
  who: string,
  groupId: string,
  member: ClassicMember,
  groupInstanceId: string | null = null,
) {
  const { memberId, generationId } = member
  return talk.send(who, heartbeat, 4, { groupId, memberId, generationId, groupInstanceId })
}

interface Committing {
  readonly memberId?: string
  readonly generationId?: number
  readonly groupInstanceId?: string | null
  readonly metadata?: string | null
  readonly partition?: number
}

/** Commits an offset for one partition by its topic's name. */
export function commit(
  talk: Talk,
  who: string,
  groupId: string,
  topic: string,
  offset: bigint,
  { memberId = '', generationId = -1, groupInstanceId = null, metadata = '', partition = 0 }: Committing = {},
  version = 9,
) {
  return talk.send(who, offsetCommit, version, {
    groupId,
    memberId,
    generationIdOrMemberEpoch: generationId,
    groupInstanceId,
    topics: [
      {
        name: topic,
        partitions: [{ partitionIndex: partition, committedOffset: offset, committedMetadata: metadata }],
      },
    ],
  })
}

type Beat = Partial<ConsumerGroupHeartbeatRequestInput>
export type Owned = NonNullable<ConsumerGroupHeartbeatResponse['assignment']>['topicPartitions']

/** A heartbeat of a consumer group's member that says nothing new. */
export function pulse(
  talk: Talk,
  groupId: string,
  memberId: string,
  memberEpoch: number,
  more: Beat = {},
  version = 1,
): Promise<ConsumerGroupHeartbeatResponse> {
  return talk.send(memberId === '' || memberId.length > 20 ? 'a' : memberId, consumerGroupHeartbeat, version, {
    groupId,
    memberId,
    memberEpoch,
    ...more,
  })
}

/** The first heartbeat of a member. */
export function enter(
  talk: Talk,
  groupId: string,
  memberId: string,
  topics: readonly string[] | null,
  more: Beat = {},
  version = 1,
) {
  return pulse(
    talk,
    groupId,
    memberId,
    0,
    { rebalanceTimeoutMs: 60_000, subscribedTopicNames: topics, topicPartitions: [], ...more },
    version,
  )
}

export function describe(talk: Talk, ...groupIds: string[]) {
  return talk.send('admin', consumerGroupDescribe, 1, { groupIds })
}

/** The bytes of a consumer's subscription inside a classic group. */
export function subscription(
  topics: readonly string[],
  owned: readonly (readonly [string, readonly number[]])[] = [],
  generationId = -1,
) {
  return encodeSubscription(3, {
    topics,
    ownedPartitions: owned.map(([topic, partitions]) => ({ topic, partitions })),
    generationId,
  })
}

/** The bytes of a consumer's assignment inside a classic group. */
export function assignment(owned: readonly (readonly [string, readonly number[]])[]) {
  return encodeAssignment(3, {
    assignedPartitions: owned.map(([topic, partitions]) => ({ topic, partitions })),
  })
}
