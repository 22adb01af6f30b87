/** In which of a broker's directories replicas lie, as the metadata has it. */
import type { PartitionImage } from '../metadata/image.ts'
import { DirectoryId } from '../metadata/records.ts'
import type { OperationContext } from './operation.ts'

/** The broker's only directory; with several the broker chooses and tells. */
export function defaultDirectory({ state }: OperationContext, brokerId: number): string {
  const logDirs = state.image.brokers.get(brokerId)?.logDirs
  if (logDirs === undefined) return DirectoryId.unassigned
  return logDirs.length === 0 ? DirectoryId.migrating : logDirs.length === 1 ? logDirs[0]! : DirectoryId.unassigned
}

/** Whether the directory of a replica is online, as far as the metadata knows it. */
export function isOnline({ state }: OperationContext, partition: PartitionImage, replica: number): boolean {
  const directory = partition.directories[partition.replicas.indexOf(replica)]
  if (directory === undefined || directory === DirectoryId.unassigned || directory === DirectoryId.migrating)
    return true
  if (directory === DirectoryId.lost) return false
  const online = state.image.brokers.get(replica)?.logDirs ?? []
  return online.length === 0 || online.includes(directory)
}
