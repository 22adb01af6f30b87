/**
 * Who leads a partition and which replicas are in sync, after something has changed: the record that says so.
 *
 * The rules are Kafka's, those of eligible leader replicas (ELR) among them: below min.insync.replicas, a replica that left
 * the ISR properly stays eligible; the last leader is remembered when none is left, and may be elected again, though
 * marked as recovering, if all replicas lost their claim by an unclean stop.
 */
import type { PartitionImage } from '../metadata/image.ts'
import { LeaderRecoveryState, NO_LEADER } from '../metadata/image.ts'
import type { NewDataOf } from '../metadata/records.ts'

export interface PartitionChange {
  readonly partition: PartitionImage
  /** The ISR as it shall be; an election may narrow it. */
  readonly isr: readonly number[]
  /** Whether a replica may lead: its broker serves, and the directory of the replica is online. */
  readonly mayLead: (replica: number) => boolean
  /** Effective: not above the number of replicas. */
  readonly minInsyncReplicas: number
  readonly elrEnabled: boolean
  /** unclean.leader.election.enable of the topic. */
  readonly uncleanElection: boolean
  /** A replica whose broker stopped uncleanly; NO_LEADER: none. */
  readonly uncleanReplica: number
}

type Change = Omit<NewDataOf<'PartitionChangeRecord'>, 'topicId' | 'partitionId'>

/** What changes, as fields of a PartitionChangeRecord; undefined when nothing does. */
export function changePartition(change: PartitionChange): Change | undefined {
  const { partition, elrEnabled } = change
  let { isr } = change
  let elr = elrEnabled ? eligible(change) : []
  const elected = elect(change, elr)
  const record: { -readonly [Key in keyof Change]: Change[Key] } = {}

  if (elected.leader !== partition.leader) {
    record.leader = elected.leader
    if (elr.includes(elected.leader)) {
      isr = [elected.leader]
      elr = elr.filter(replica => replica !== elected.leader)
    }
    if (elected.unclean) {
      // The others may hold records that the new leader lacks: none of them is in sync with it any more.
      isr = [elected.leader]
      elr = []
      if (partition.leaderRecoveryState !== LeaderRecoveryState.recovering) {
        record.leaderRecoveryState = LeaderRecoveryState.recovering
      }
    }
  }
  if (!sameIds(elr, partition.elr)) record.eligibleLeaderReplicas = elr
  // Without ELR an ISR never becomes empty: its last member stays, though nobody leads.
  if ((isr.length > 0 || elrEnabled) && !sameIds(isr, partition.isr)) record.isr = isr
  if (elrEnabled && record.leader === NO_LEADER && partition.lastKnownElr.length === 0) {
    record.lastKnownElr = [partition.leader]
  } else if (elrEnabled && record.leader !== undefined && record.leader >= 0 && partition.lastKnownElr.length > 0) {
    record.lastKnownElr = []
  }
  return Object.keys(record).length === 0 ? undefined : record
}

/** Replicas that may be elected besides the ISR. */
function eligible({ partition, isr, minInsyncReplicas, uncleanReplica }: PartitionChange): number[] {
  if (isr.length >= minInsyncReplicas) return []
  const candidates = new Set([...partition.elr, ...partition.isr])
  return [...candidates].filter(replica => !isr.includes(replica) && replica !== uncleanReplica)
}

function elect(change: PartitionChange, elr: readonly number[]): { leader: number; unclean: boolean } {
  const { partition, isr, mayLead } = change
  const isClean = (replica: number): boolean =>
    (isr.includes(replica) || (isr.length === 0 && elr.includes(replica))) && mayLead(replica)

  if (isClean(partition.leader)) return { leader: partition.leader, unclean: false }
  const clean = partition.replicas.find(isClean)
  if (clean !== undefined) return { leader: clean, unclean: false }
  const [lastKnown] = partition.lastKnownElr
  const none = isr.length === 0 && elr.length === 0 && partition.lastKnownElr.length === 1
  if (change.elrEnabled && none && lastKnown !== undefined && mayLead(lastKnown)) {
    return { leader: lastKnown, unclean: true }
  }
  const unclean = change.uncleanElection ? partition.replicas.find(mayLead) : undefined
  return unclean === undefined ? { leader: NO_LEADER, unclean: false } : { leader: unclean, unclean: true }
}

function sameIds(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((id, index) => id === b[index])
}
