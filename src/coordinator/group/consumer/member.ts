/**
 * A member of a consumer group: what it said of itself, and how far it has come towards its target assignment.
 * Immutable: a change makes a new object, and a change to what is there already none.
 */
import type {
  ConsumerGroupCurrentMemberAssignmentValue,
  ConsumerGroupMemberMetadataValue,
} from '../../../protocol/records/groups.ts'
import type { PartitionEpochs } from './assignment.ts'
import { NO_PARTITIONS, samePartitions } from './assignment.ts'

/** Member epochs that mean something else than an epoch. */
export const JOIN_EPOCH = 0
export const LEAVE_EPOCH = -1
/** A static member that will be back. */
export const STATIC_LEAVE_EPOCH = -2

/** As records number them. */
export const MemberState = { stable: 0, unrevokedPartitions: 1, unreleasedPartitions: 2, unknown: 127 } as const
export type MemberState = (typeof MemberState)[keyof typeof MemberState]

export type ClassicMemberMetadata = NonNullable<ConsumerGroupMemberMetadataValue['classicMemberMetadata']>

export interface ConsumerMember {
  readonly memberId: string
  readonly memberEpoch: number
  /** The epoch before: accepted when the answer that raised it was lost. */
  readonly previousMemberEpoch: number
  readonly state: MemberState
  readonly instanceId: string | null
  readonly rackId: string | null
  /** -1: never said. */
  readonly rebalanceTimeoutMs: number
  readonly clientId: string
  readonly clientHost: string
  /** Ascending, each once. */
  readonly subscribedTopicNames: readonly string[]
  /** Empty or null: none. */
  readonly subscribedTopicRegex: string | null
  readonly serverAssignor: string | null
  readonly assigned: PartitionEpochs
  readonly pendingRevocation: PartitionEpochs
  /** null: the member speaks the consumer protocol. */
  readonly classic: ClassicMemberMetadata | null
}

const NO_TOPICS: readonly string[] = []

export function newMember(memberId: string): ConsumerMember {
  return {
    memberId,
    memberEpoch: 0,
    previousMemberEpoch: -1,
    state: MemberState.stable,
    instanceId: null,
    rackId: null,
    rebalanceTimeoutMs: -1,
    clientId: '',
    clientHost: '',
    subscribedTopicNames: NO_TOPICS,
    subscribedTopicRegex: '',
    serverAssignor: null,
    assigned: NO_PARTITIONS,
    pendingRevocation: NO_PARTITIONS,
    classic: null,
  }
}

/** What a member says of itself; the part that its metadata record keeps. */
export type MemberMetadata = Pick<
  ConsumerMember,
  | 'instanceId'
  | 'rackId'
  | 'rebalanceTimeoutMs'
  | 'clientId'
  | 'clientHost'
  | 'subscribedTopicNames'
  | 'subscribedTopicRegex'
  | 'serverAssignor'
  | 'classic'
>

/** @returns `member` itself when it says nothing new. */
export function withMetadata(member: ConsumerMember, said: MemberMetadata): ConsumerMember {
  const same =
    member.instanceId === said.instanceId &&
    member.rackId === said.rackId &&
    member.rebalanceTimeoutMs === said.rebalanceTimeoutMs &&
    member.clientId === said.clientId &&
    member.clientHost === said.clientHost &&
    sameNames(member.subscribedTopicNames, said.subscribedTopicNames) &&
    member.subscribedTopicRegex === said.subscribedTopicRegex &&
    member.serverAssignor === said.serverAssignor &&
    sameClassic(member.classic, said.classic)
  return same ? member : { ...member, ...said }
}

/** The part that the current assignment record keeps. */
export type MemberProgress = Pick<
  ConsumerMember,
  'memberEpoch' | 'previousMemberEpoch' | 'state' | 'assigned' | 'pendingRevocation'
>

/** @returns `member` itself when nothing changes. */
export function withProgress(member: ConsumerMember, progress: MemberProgress): ConsumerMember {
  const same =
    member.memberEpoch === progress.memberEpoch &&
    member.previousMemberEpoch === progress.previousMemberEpoch &&
    member.state === progress.state &&
    samePartitions(member.assigned, progress.assigned) &&
    samePartitions(member.pendingRevocation, progress.pendingRevocation)
  return same ? member : { ...member, ...progress }
}

export function metadataFromRecord(value: ConsumerGroupMemberMetadataValue): MemberMetadata {
  return {
    instanceId: value.instanceId,
    rackId: value.rackId,
    rebalanceTimeoutMs: value.rebalanceTimeoutMs,
    clientId: value.clientId,
    clientHost: value.clientHost,
    subscribedTopicNames: sortedNames(value.subscribedTopicNames),
    subscribedTopicRegex: value.subscribedTopicRegex,
    serverAssignor: value.serverAssignor,
    classic: value.classicMemberMetadata,
  }
}

export function progressFromRecord(value: ConsumerGroupCurrentMemberAssignmentValue): MemberProgress {
  return {
    memberEpoch: value.memberEpoch,
    previousMemberEpoch: value.previousMemberEpoch,
    state: stateFromRecord(value.state),
    assigned: epochsFromRecord(value.assignedPartitions, value.memberEpoch),
    pendingRevocation: epochsFromRecord(value.partitionsPendingRevocation, value.memberEpoch),
  }
}

function stateFromRecord(state: number): MemberState {
  return state === 0 || state === 1 || state === 2 ? state : MemberState.unknown
}

/** Records of older brokers have no epochs: the member's then counts, but never a negative one. */
function epochsFromRecord(
  topics: ConsumerGroupCurrentMemberAssignmentValue['assignedPartitions'],
  memberEpoch: number,
): PartitionEpochs {
  if (topics.length === 0) return NO_PARTITIONS
  const owned = new Map<string, ReadonlyMap<number, number>>()
  for (const { topicId, partitions, assignmentEpochs } of topics) {
    if (partitions.length === 0) continue
    const epochs = assignmentEpochs?.length === partitions.length ? assignmentEpochs : undefined
    const otherwise = Math.max(memberEpoch, 0)
    owned.set(topicId, new Map(partitions.map((partition, index) => [partition, epochs?.[index] ?? otherwise])))
  }
  return owned
}

/** Stable and at the epoch: nothing is left to do. */
export function isReconciledTo(member: ConsumerMember, targetEpoch: number): boolean {
  return member.state === MemberState.stable && member.memberEpoch === targetEpoch
}

/** undefined: the member subscribes to no regular expression. */
export function regexOf(member: ConsumerMember | undefined): string | undefined {
  return member?.subscribedTopicRegex || undefined
}

/** Ascending, each once. */
export function sortedNames(names: readonly string[]): readonly string[] {
  if (names.length === 0) return NO_TOPICS
  return names.length === 1 ? names : [...new Set(names)].sort()
}

export function sameNames(left: readonly string[], right: readonly string[]): boolean {
  return left === right || (left.length === right.length && left.every((name, index) => name === right[index]))
}

/** Whether `name` is among `names`, which ascend. */
export function includesName(names: readonly string[], name: string): boolean {
  let from = 0
  let to = names.length
  while (from < to) {
    const middle = (from + to) >>> 1
    if (names[middle]! < name) from = middle + 1
    else to = middle
  }
  return names[from] === name
}

function sameClassic(left: ClassicMemberMetadata | null, right: ClassicMemberMetadata | null): boolean {
  if (left === right) return true
  if (left === null || right === null) return false
  return (
    left.sessionTimeoutMs === right.sessionTimeoutMs &&
    left.supportedProtocols.length === right.supportedProtocols.length &&
    left.supportedProtocols.every((protocol, index) => {
      const other = right.supportedProtocols[index]!
      return protocol.name === other.name && sameBytes(protocol.metadata, other.metadata)
    })
  )
}

function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index])
}
