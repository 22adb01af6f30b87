/**
 * Who leads a partition and which replicas are in sync, after something has changed: the record that says so. A change
 * of its replicas that was under way is completed with it, as soon as those that come are in sync.
 *
 * The rules are Kafka's, those of eligible leader replicas (ELR) among them: below min.insync.replicas, a replica that
 * left the ISR properly stays eligible; the last leader is remembered when none is left, and may be elected again,
 * though marked as recovering, if all replicas lost their claim by an unclean stop.
 */
import type { PartitionImage } from '../metadata/image.ts'
import { LeaderRecoveryState, NO_LEADER } from '../metadata/image.ts'
import type { NewDataOf } from '../metadata/records.ts'
import { type Assignment, assignmentOf, completed } from './reassignment.ts'

export interface PartitionChange {
  readonly partition: PartitionImage
  /** The ISR as it shall be; an election may narrow it. */
  readonly isr: readonly number[]
  /** Its replicas as they shall be; absent: as they are, or as a change under way has them. */
  readonly assignment?: Assignment | undefined
  /** Where a broker that gets a replica will put it; undefined: the cluster's metadata doesn't say. */
  readonly newDirectory: ((replica: number) => string) | undefined
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
export function changePartition(wanted: PartitionChange): Change | undefined {
  const { partition, elrEnabled } = wanted
  const towards = wanted.assignment ?? assignmentOf(partition)
  const done = completed(towards, wanted.isr)
  const assignment = done === undefined ? towards : { replicas: done.replicas, adding: [], removing: [] }
  const change = { ...wanted, assignment, isr: done?.isr ?? wanted.isr }
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
  // Whoever loses a replica has to hear of it.
  if (!partition.replicas.every(id => assignment.replicas.includes(id))) record.leader ??= partition.leader
  if (!sameIds(elr, partition.elr)) record.eligibleLeaderReplicas = elr
  // Without ELR an ISR never becomes empty: its last member stays, though nobody leads.
  if ((isr.length > 0 || elrEnabled) && !sameIds(isr, partition.isr)) record.isr = isr
  if (elrEnabled && record.leader === NO_LEADER && partition.lastKnownElr.length === 0) {
    record.lastKnownElr = [partition.leader]
  } else if (elrEnabled && record.leader !== undefined && record.leader >= 0 && partition.lastKnownElr.length > 0) {
    record.lastKnownElr = []
  }
  Object.assign(record, assignmentChange(change, assignment))
  return Object.keys(record).length === 0 ? undefined : record
}

function assignmentChange({ partition, newDirectory }: PartitionChange, assignment: Assignment): Change {
  const { replicas, adding, removing } = assignment
  const known = (replica: number): string | undefined => partition.directories[partition.replicas.indexOf(replica)]
  return {
    ...(sameIds(replicas, partition.replicas)
      ? {}
      : {
          replicas,
          ...(newDirectory === undefined ? {} : { directories: replicas.map(id => known(id) ?? newDirectory(id)) }),
        }),
    ...(sameIds(adding, partition.addingReplicas) ? {} : { addingReplicas: adding }),
    ...(sameIds(removing, partition.removingReplicas) ? {} : { removingReplicas: removing }),
  }
}

/** Replicas that may be elected besides the ISR. */
function eligible({ partition, isr, minInsyncReplicas, uncleanReplica }: PartitionChange): number[] {
  if (isr.length >= minInsyncReplicas) return []
  const candidates = new Set([...partition.elr, ...partition.isr])
  return [...candidates].filter(replica => !isr.includes(replica) && replica !== uncleanReplica)
}

function elect(
  change: PartitionChange & { readonly assignment: Assignment },
  elr: readonly number[],
): { leader: number; unclean: boolean } {
  const { partition, isr, mayLead } = change
  const { replicas } = change.assignment
  const isClean = (replica: number): boolean =>
    (isr.includes(replica) || (isr.length === 0 && elr.includes(replica))) && mayLead(replica)

  if (isClean(partition.leader)) return { leader: partition.leader, unclean: false }
  const clean = replicas.find(isClean)
  if (clean !== undefined) return { leader: clean, unclean: false }
  const [lastKnown] = partition.lastKnownElr
  const none = isr.length === 0 && elr.length === 0 && partition.lastKnownElr.length === 1
  if (change.elrEnabled && none && lastKnown !== undefined && mayLead(lastKnown)) {
    return { leader: lastKnown, unclean: true }
  }
  const unclean = change.uncleanElection ? replicas.find(mayLead) : undefined
  return unclean === undefined ? { leader: NO_LEADER, unclean: false } : { leader: unclean, unclean: true }
}

function sameIds(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((id, index) => id === b[index])
}
