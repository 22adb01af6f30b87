/**
 * AlterReplicaLogDirs (34), versions 1 and 2: replicas of this broker go to other directories of it. The answer says
 * that they are on their way; DescribeLogDirs shows how far they are.
 *
 * Order of checks for each partition, as in Kafka: the name is short enough for a copy, the directory is configured,
 * and online; the partition is here (else the directory is remembered for it, and the answer says whether the metadata
 * has the partition), and online; no directory is offline.
 */
import type { AlterReplicaLogDirsRequest } from '../../protocol/apis/34-alter-replica-log-dirs.ts'
import { alterReplicaLogDirs } from '../../protocol/apis/34-alter-replica-log-dirs.ts'
import type { Handler } from '../context.ts'

export const alterReplicaLogDirsHandler: Handler<AlterReplicaLogDirsRequest> = {
  apiKey: alterReplicaLogDirs.key,

  async handle({ broker }, request) {
    const results = new Map<string, { partitionIndex: number; errorCode: number }[]>()
    for (const [topicName, wanted] of wantedBy(request)) {
      const partitions: { partitionIndex: number; errorCode: number }[] = []
      for (const [partitionIndex, path] of wanted) {
        const errorCode = await broker.replicas.move(topicName, partitionIndex, path)
        partitions.push({ partitionIndex, errorCode })
      }
      results.set(topicName, partitions)
    }
    return { results: [...results].map(([topicName, partitions]) => ({ topicName, partitions })) }
  },

  failure(request, errorCode) {
    const results = [...wantedBy(request)].map(([topicName, wanted]) => ({
      topicName,
      partitions: [...wanted.keys()].map(partitionIndex => ({ partitionIndex, errorCode })),
    }))
    return { results }
  },
}

/** The path for each partition of each topic; of several, the last one. */
function wantedBy({ dirs }: AlterReplicaLogDirsRequest): Map<string, Map<number, string>> {
  const wanted = new Map<string, Map<number, string>>()
  for (const { path, topics } of dirs) {
    for (const { name, partitions } of topics) {
      let known = wanted.get(name)
      if (known === undefined) wanted.set(name, (known = new Map()))
      for (const index of partitions) known.set(index, path)
    }
  }
  return wanted
}
