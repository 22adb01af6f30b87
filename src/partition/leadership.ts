/** What follows from who leads a partition: who may ask what, and who is in sync. Pure functions. */
import type { KafkaErrorCode } from '../protocol/error-codes.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import type { Leadership } from './ports.ts'

/** Of a partition that the image has not named yet. */
export const NOBODY_LEADS: Leadership = { leader: -1, leaderEpoch: -1, isr: [], replicas: [] }

/** 0 or Kafka's code for a client that knows `currentLeaderEpoch`; -1: it doesn't say. */
export function refusesEpoch({ leaderEpoch }: Leadership, currentLeaderEpoch: number): KafkaErrorCode {
  if (currentLeaderEpoch < 0 || currentLeaderEpoch === leaderEpoch) return 0
  return currentLeaderEpoch < leaderEpoch ? ErrorCode.FENCED_LEADER_EPOCH : ErrorCode.UNKNOWN_LEADER_EPOCH
}

/** Nobody else is in sync. */
export function leadsAlone({ leader, isr }: Leadership, nodeId: number): boolean {
  return leader === nodeId && isr.length === 1 && isr[0] === nodeId
}

/** Too few are in sync for an append with acks=all. */
export function lacksReplicas({ isr, replicas }: Leadership, minInSyncReplicas: number): boolean {
  return isr.length < Math.min(minInSyncReplicas, replicas.length)
}
