/**
 * DescribeLogDirs (35), versions 1 to 5: each configured directory with the sizes of the logs asked for (null: of
 * all) and the room on its volume. A failed directory answers with its error and nothing else. The metadata log is
 * not listed, as in Kafka.
 */
import type { DescribeLogDirsRequest } from '../../protocol/apis/35-describe-log-dirs.ts'
import { describeLogDirs } from '../../protocol/apis/35-describe-log-dirs.ts'
import { ErrorCode } from '../../protocol/error-codes.ts'
import type { BrokerPorts, Handler, LogDirectoryContent } from '../context.ts'

export const describeLogDirsHandler: Handler<DescribeLogDirsRequest> = {
  apiKey: describeLogDirs.key,

  handle({ broker }, { topics }) {
    const wanted = topics === null ? undefined : namesOf(topics)
    const results = broker.replicas.logDirectories().map(directory => describe(broker, directory, wanted))
    return { errorCode: ErrorCode.NONE, results }
  },

  failure(_request, errorCode) {
    return { errorCode, results: [] }
  },
}

function namesOf(topics: NonNullable<DescribeLogDirsRequest['topics']>): Map<string, Set<number>> {
  const wanted = new Map<string, Set<number>>()
  for (const { topic, partitions } of topics) {
    const known = wanted.get(topic)
    if (known === undefined) wanted.set(topic, new Set(partitions))
    else for (const index of partitions) known.add(index)
  }
  return wanted
}

function describe(
  broker: BrokerPorts,
  { path, errorCode, logs, totalBytes, usableBytes }: LogDirectoryContent,
  wanted: ReadonlyMap<string, ReadonlySet<number>> | undefined,
): object {
  const topics = new Map<string, object[]>()
  for (const { topic, index, bytes, futureLag } of logs) {
    if (wanted !== undefined && wanted.get(topic)?.has(index) !== true) continue
    const partition = broker.replicas.partition(topic, index)
    const ownLag = partition === undefined ? -1 : Math.max(0, partition.highWatermark - partition.logEndOffset)
    const isFutureKey = futureLag !== undefined
    const described = { partitionIndex: index, partitionSize: bytes, offsetLag: futureLag ?? ownLag, isFutureKey }
    const known = topics.get(topic)
    if (known === undefined) topics.set(topic, [described])
    else known.push(described)
  }
  return {
    errorCode,
    logDir: path,
    topics: [...topics].map(([name, partitions]) => ({ name, partitions })),
    totalBytes,
    usableBytes,
    isCordoned: false,
  }
}
