/** Records for what happens to partitions when a broker comes, goes, or loses a directory. */
import { topicValue } from '../config/topic-config.ts'
import type { PartitionImage, TopicImage } from '../metadata/image.ts'
import { NO_LEADER, topicConfigs } from '../metadata/image.ts'
import type { NewRecord } from '../metadata/records.ts'
import { defaultDirectory, isOnline } from './directories.ts'
import type { OperationContext } from './operation.ts'
import { changePartition, type PartitionChange } from './partition-change.ts'
import type { Assignment } from './reassignment.ts'

export interface BrokerMove {
  /** Leaves every ISR and may not lead. */
  readonly removed?: number
  /** May lead, although the state still shows it fenced. */
  readonly added?: number
  /** Stopped uncleanly: leaves ISR and ELR and may not lead. */
  readonly unclean?: number
}

/** Whether a broker serves: registered, not fenced, not shutting down. */
export function isActive({ state }: OperationContext, brokerId: number): boolean {
  const broker = state.image.brokers.get(brokerId)
  return broker !== undefined && !broker.fenced && !broker.inControlledShutdown
}

/** PartitionChangeRecords for the partitions that `affected` picks, after `move`. */
export function electionRecords(
  context: OperationContext,
  move: BrokerMove,
  affected: (partition: PartitionImage) => boolean,
): NewRecord[] {
  const records: NewRecord[] = []
  for (const topic of context.state.image.topicsById.values()) {
    for (const [partitionId, partition] of topic.partitions.entries()) {
      if (!affected(partition)) continue
      const data = leaderChange(context, topic, partition, move)
      if (data === undefined) continue
      const version = context.versions.partitionChange
      records.push({ name: 'PartitionChangeRecord', version, data: { ...data, topicId: topic.id, partitionId } })
    }
  }
  return records
}

/** What becomes of one partition's leader and ISR after `move`; undefined when nothing does. */
export function leaderChange(
  context: OperationContext,
  topic: TopicImage,
  partition: PartitionImage,
  move: BrokerMove,
): ReturnType<typeof changePartition> {
  const { removed = NO_LEADER, added = NO_LEADER, unclean = NO_LEADER } = move
  const configs = topicConfigs(context.state.image, topic.name)
  return changePartition({
    ...surroundings(context, topic, partition),
    isr: partition.isr.filter(replica => replica !== removed && replica !== unclean),
    mayLead: replica =>
      replica !== removed &&
      replica !== unclean &&
      (replica === added || isActive(context, replica)) &&
      isOnline(context, partition, replica),
    uncleanElection: topicValue('unclean.leader.election.enable', configs, context.config) === true,
    uncleanReplica: unclean,
  })
}

/** What becomes of a partition that shall have other replicas; undefined when nothing does. */
export function reassignmentChange(
  context: OperationContext,
  topic: TopicImage,
  partition: PartitionImage,
  assignment: Assignment,
  isr: readonly number[],
  uncleanElection: boolean,
): ReturnType<typeof changePartition> {
  return changePartition({
    ...surroundings(context, topic, partition),
    assignment,
    isr,
    mayLead: replica => isActive(context, replica) && isOnline(context, partition, replica),
    uncleanElection,
    uncleanReplica: NO_LEADER,
  })
}

function surroundings(
  context: OperationContext,
  topic: TopicImage,
  partition: PartitionImage,
): Pick<PartitionChange, 'partition' | 'newDirectory' | 'minInsyncReplicas' | 'elrEnabled'> {
  return {
    partition,
    newDirectory: context.versions.directories ? replica => defaultDirectory(context, replica) : undefined,
    minInsyncReplicas: minInsyncReplicas(context, topic),
    elrEnabled: context.elrEnabled,
  }
}

/** Whether `brokerId` leads any partition. */
export function hasLeaderships({ state }: OperationContext, brokerId: number): boolean {
  for (const topic of state.image.topicsById.values()) {
    if (topic.partitions.some(partition => partition.leader === brokerId)) return true
  }
  return false
}

function minInsyncReplicas(context: OperationContext, topic: TopicImage): number {
  const configs = topicConfigs(context.state.image, topic.name)
  const configured = Number(topicValue('min.insync.replicas', configs, context.config))
  return Math.min(configured, topic.partitions[0]?.replicas.length ?? 1)
}
