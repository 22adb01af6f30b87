/** Records for what happens to partitions when a broker comes, goes, or loses a directory. */
import { topicValue } from '../config/topic-config.ts'
import type { PartitionImage, TopicImage } from '../metadata/image.ts'
import { NO_LEADER, topicConfigs } from '../metadata/image.ts'
import type { NewRecord } from '../metadata/records.ts'
import { DirectoryId } from '../metadata/records.ts'
import type { OperationContext } from './operation.ts'
import { changePartition } from './partition-change.ts'

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
    partition,
    isr: partition.isr.filter(replica => replica !== removed && replica !== unclean),
    mayLead: replica =>
      replica !== removed &&
      replica !== unclean &&
      (replica === added || isActive(context, replica)) &&
      isOnline(context, partition, replica),
    minInsyncReplicas: minInsyncReplicas(context, topic, configs),
    elrEnabled: context.elrEnabled,
    uncleanElection: topicValue('unclean.leader.election.enable', configs, context.config) === true,
    uncleanReplica: unclean,
  })
}

/** Whether `brokerId` leads any partition. */
export function hasLeaderships({ state }: OperationContext, brokerId: number): boolean {
  for (const topic of state.image.topicsById.values()) {
    if (topic.partitions.some(partition => partition.leader === brokerId)) return true
  }
  return false
}

function minInsyncReplicas(context: OperationContext, topic: TopicImage, configs: ReadonlyMap<string, string>): number {
  const configured = Number(topicValue('min.insync.replicas', configs, context.config))
  return Math.min(configured, topic.partitions[0]?.replicas.length ?? 1)
}

function isOnline({ state }: OperationContext, partition: PartitionImage, replica: number): boolean {
  const directory = partition.directories[partition.replicas.indexOf(replica)]
  if (directory === undefined || directory === DirectoryId.unassigned || directory === DirectoryId.migrating)
    return true
  if (directory === DirectoryId.lost) return false
  const online = state.image.brokers.get(replica)?.logDirs ?? []
  return online.length === 0 || online.includes(directory)
}
