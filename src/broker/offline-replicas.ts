/** Which replicas of a partition cannot serve now, by the metadata image. */
import type { BrokerImage, MetadataImage, PartitionImage } from '../metadata/image.ts'
import { DirectoryId } from '../metadata/records.ts'

function directoryOnline(broker: BrokerImage, directory: string | undefined): boolean {
  if (directory === undefined || directory === DirectoryId.unassigned || directory === DirectoryId.migrating)
    return true
  if (directory === DirectoryId.lost) return false
  return broker.logDirs.length === 0 || broker.logDirs.includes(directory)
}

/** Broker ids, in the order of the partition's replicas. */
export function offlineReplicas(image: MetadataImage, partition: PartitionImage): number[] {
  return partition.replicas.filter((id, index) => {
    const broker = image.brokers.get(id)
    return broker === undefined || broker.fenced || !directoryOnline(broker, partition.directories[index])
  })
}
