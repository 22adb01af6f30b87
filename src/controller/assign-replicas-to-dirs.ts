/**
 * AssignReplicasToDirs (73): a broker says in which of its directories replicas lie. What lies in a directory that is
 * offline by now leads no more; what was thought to be in one and is not may lead again.
 */
import { NO_LEADER } from '../metadata/image.ts'
import type { NewRecord } from '../metadata/records.ts'
import { DirectoryId } from '../metadata/records.ts'
import type {
  AssignReplicasToDirsRequest,
  AssignReplicasToDirsResponseInput,
} from '../protocol/apis/73-assign-replicas-to-dirs.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import { leaderChange } from './elections.ts'
import type { OperationContext, OperationResult } from './operation.ts'

export function assignReplicasToDirs(
  context: OperationContext,
  request: AssignReplicasToDirsRequest,
): OperationResult<AssignReplicasToDirsResponseInput> {
  const { state, versions } = context
  const broker = state.image.brokers.get(request.brokerId)
  const refuse = (errorCode: number) => ({ records: [], answer: { errorCode, directories: [] } })
  if (!versions.directories) return refuse(ErrorCode.UNSUPPORTED_VERSION)
  if (broker?.epoch !== request.brokerEpoch) return refuse(ErrorCode.STALE_BROKER_EPOCH)
  const records: NewRecord[] = []
  const directories = request.directories.map(({ id, topics }) => ({
    id,
    topics: topics.map(({ topicId, partitions }) => ({
      topicId,
      partitions: partitions.map(({ partitionIndex }) => {
        const assigned = assign(context, broker.id, id, topicId, partitionIndex)
        if (typeof assigned === 'number') return { partitionIndex, errorCode: assigned }
        records.push(...assigned)
        return { partitionIndex, errorCode: ErrorCode.NONE }
      }),
    })),
  }))
  return { records, answer: { errorCode: ErrorCode.NONE, directories } }
}

/** The records of one assignment, or Kafka's code. */
function assign(
  context: OperationContext,
  brokerId: number,
  directory: string,
  topicId: string,
  partitionId: number,
): NewRecord[] | number {
  const topic = context.state.image.topicsById.get(topicId)
  if (topic === undefined) return ErrorCode.UNKNOWN_TOPIC_ID
  const partition = topic.partitions[partitionId]
  if (partition === undefined) return ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
  const place = partition.replicas.indexOf(brokerId)
  if (place < 0) return ErrorCode.NOT_LEADER_OR_FOLLOWER
  if (directory === DirectoryId.migrating) return ErrorCode.INVALID_REQUEST
  if (partition.directories[place] === directory) return []
  const directories = partition.directories.map((known, at) => (at === place ? directory : known))
  const moved = { ...partition, directories }
  const lost = !(context.state.image.brokers.get(brokerId)?.logDirs ?? []).includes(directory)
  const elects = lost || partition.leader === NO_LEADER
  const elected = elects ? leaderChange(context, topic, moved, lost ? { removed: brokerId } : {}) : undefined
  const data = { ...elected, directories, topicId, partitionId }
  return [{ name: 'PartitionChangeRecord', version: context.versions.partitionChange, data }]
}
