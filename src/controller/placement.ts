/**
 * Which brokers hold the replicas of new partitions, and in which directory.
 *
 * Partitions are striped over the brokers from a random one on, serving ones before fenced ones, so that leaders spread
 * evenly. A fenced broker may hold a replica, never be the only one.
 */
import type { Random } from '../host/host.ts'
import type { PartitionImage } from '../metadata/image.ts'
import { LeaderRecoveryState } from '../metadata/image.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import { defaultDirectory } from './directories.ts'
import { isActive } from './elections.ts'
import type { ApiError, OperationContext } from './operation.ts'

/** Replica lists of `count` partitions, or why they cannot be placed. */
export function placeReplicas(
  context: OperationContext,
  count: number,
  replicationFactor: number,
): readonly (readonly number[])[] | ApiError {
  const brokers = [...context.state.image.brokers.values()].filter(broker => !broker.inControlledShutdown)
  const serving = ids(brokers.filter(broker => !broker.fenced))
  const fenced = ids(brokers.filter(broker => broker.fenced))
  const refuse = (reason: string): ApiError => ({
    code: ErrorCode.INVALID_REPLICATION_FACTOR,
    message: `Unable to replicate the partition ${replicationFactor} time(s): ${reason}`,
  })
  if (replicationFactor <= 0) return refuse('the replication factor must be above 0.')
  if (serving.length === 0) return refuse('no broker serves at present.')
  if (replicationFactor > brokers.length) {
    return refuse(
      `The target replication factor of ${replicationFactor} cannot be reached because only ${brokers.length} broker(s) are registered.`,
    )
  }
  const from = startOf(context.host.random, serving.length)
  return Array.from({ length: count }, (_, partition) => {
    const turn = from + partition
    return [...rotated(serving, turn), ...rotated(fenced, turn)].slice(0, replicationFactor)
  })
}

/** Why these brokers cannot hold a partition; undefined when they can. */
export function manualPlacementProblem(
  { state }: OperationContext,
  replicas: readonly number[],
  replicationFactor: number | undefined,
): ApiError | undefined {
  const refuse = (message: string): ApiError => ({ code: ErrorCode.INVALID_REPLICA_ASSIGNMENT, message })
  if (replicas.length === 0) return refuse('The manual partition assignment includes an empty replica list.')
  const sorted = [...replicas].sort((a, b) => a - b)
  for (const [index, id] of sorted.entries()) {
    if (!state.image.brokers.has(id)) {
      return refuse(`The manual partition assignment includes broker ${id}, but no such broker is registered.`)
    }
    if (id === sorted[index - 1]) {
      return refuse(`The manual partition assignment includes the broker ${id} more than once.`)
    }
  }
  if (replicationFactor !== undefined && replicas.length !== replicationFactor) {
    return refuse(
      `The manual partition assignment includes a partition with ${replicas.length} replica(s), but other partitions have ${replicationFactor}.`,
    )
  }
  return undefined
}

/** A new partition on these replicas; undefined when none of them serves. */
export function newPartition(context: OperationContext, replicas: readonly number[]): PartitionImage | undefined {
  const isr = replicas.filter(id => isActive(context, id))
  if (isr[0] === undefined) return undefined
  return {
    replicas,
    directories: replicas.map(id => defaultDirectory(context, id)),
    isr,
    removingReplicas: [],
    addingReplicas: [],
    elr: [],
    lastKnownElr: [],
    leader: isr[0],
    leaderRecoveryState: LeaderRecoveryState.recovered,
    leaderEpoch: 0,
    partitionEpoch: 0,
  }
}

function ids(brokers: readonly { readonly id: number }[]): number[] {
  return brokers.map(broker => broker.id).sort((a, b) => a - b)
}

function rotated(list: readonly number[], by: number): number[] {
  const at = list.length === 0 ? 0 : by % list.length
  return [...list.slice(at), ...list.slice(0, at)]
}

function startOf(random: Random, length: number): number {
  return length > 1 ? random.u32() % length : 0
}
