/**
 * ListOffsets (2), versions 1 to 11: the offset of a moment, or one of the special ones: latest -1, earliest -2,
 * largest timestamp -3 (version 7), earliest local -4 (8), latest tiered -5 (9), earliest not yet tiered -6 (11).
 * Without tiered storage -4 is -2, and -5 and -6 find nothing.
 *
 * Everything but earliest waits until what the log held at the request's arrival is readable: under `flush=group` a
 * record acknowledged with acks=1 becomes readable with its sync, and clients rely on seeing it here. Partitions named
 * twice get INVALID_REQUEST. Version 5 brought OFFSET_NOT_AVAILABLE (before: LEADER_NOT_AVAILABLE), 4 leader epochs.
 */

import type { Found } from '../../log/log.ts'
import { clientErrorCode } from '../../log/log-errors.ts'
import type { Partition } from '../../partition/partition.ts'
import type { ListOffsetsRequest } from '../../protocol/apis/02-list-offsets.ts'
import { listOffsets } from '../../protocol/apis/02-list-offsets.ts'
import type { KafkaErrorCode } from '../../protocol/error-codes.ts'
import { ErrorCode } from '../../protocol/error-codes.ts'
import { Answers } from '../answers.ts'
import type { Handler, RequestContext } from '../context.ts'
import { findPartition } from '../find-partition.ts'

const LATEST = -1n
const EARLIEST = -2n
const LARGEST_TIMESTAMP = -3n
const EARLIEST_LOCAL = -4n
const LATEST_TIERED = -5n
const EARLIEST_PENDING_UPLOAD = -6n

/** Version from which a special timestamp is known. */
const sinceVersion = new Map([
  [LATEST, 1],
  [EARLIEST, 1],
  [LARGEST_TIMESTAMP, 7],
  [EARLIEST_LOCAL, 8],
  [LATEST_TIERED, 9],
  [EARLIEST_PENDING_UPLOAD, 11],
])

const CONSUMER = -1
const DEBUGGER = -2
const READ_COMMITTED = 1
const LEADER_EPOCH_SINCE_VERSION = 4
const NOT_AVAILABLE_SINCE_VERSION = 5
const SMALLEST_TIMESTAMP = -(2n ** 63n)

interface PartitionAnswer {
  partitionIndex: number
  errorCode: KafkaErrorCode
  timestamp?: bigint
  offset?: number
  leaderEpoch?: number
}

type Question = ListOffsetsRequest['topics'][number]['partitions'][number]

export const listOffsetsHandler: Handler<ListOffsetsRequest> = {
  apiKey: listOffsets.key,

  async handle(context, request) {
    const repeated = repeatedPartitions(request)
    const answered = new Set<string>()
    const answers = new Answers()
    const topics = request.topics.map(({ name, partitions: questions }) => {
      const partitions: PartitionAnswer[] = []
      for (const question of questions.filter(once(answered, name))) {
        const isRepeated = repeated.has(`${name}/${question.partitionIndex}`)
        answers.add(
          partitions,
          isRepeated ? failed(question, ErrorCode.INVALID_REQUEST) : answer(context, request, name, question),
        )
      }
      return { name, partitions }
    })
    await answers.all()
    return { topics }
  },

  failure(request, errorCode) {
    return {
      topics: request.topics.map(topic => ({
        name: topic.name,
        partitions: topic.partitions.map(question => failed(question, errorCode)),
      })),
    }
  },
}

/** Passes each partition once: one that is named twice has one answer. */
function once(seen: Set<string>, topic: string): (question: Question) => boolean {
  return ({ partitionIndex }) => {
    const key = `${topic}/${partitionIndex}`
    if (seen.has(key)) return false
    seen.add(key)
    return true
  }
}

function failed(question: Question, errorCode: KafkaErrorCode): PartitionAnswer {
  return { partitionIndex: question.partitionIndex, errorCode }
}

function repeatedPartitions(request: ListOffsetsRequest): Set<string> {
  const repeated = new Set<string>()
  const seen = new Set<string>()
  for (const topic of request.topics) {
    const isFirst = once(seen, topic.name)
    for (const question of topic.partitions) {
      if (!isFirst(question)) repeated.add(`${topic.name}/${question.partitionIndex}`)
    }
  }
  return repeated
}

function answer(
  context: RequestContext,
  request: ListOffsetsRequest,
  topic: string,
  question: Question,
): PartitionAnswer | Promise<PartitionAnswer> {
  const { version } = context
  const { timestamp } = question
  if (timestamp < 0n && version < (sinceVersion.get(timestamp) ?? Infinity))
    return failed(question, ErrorCode.UNSUPPORTED_VERSION)
  const partition = findPartition(context, topic, question.partitionIndex)
  if (typeof partition === 'number') return failed(question, partition)
  const refused = partition.access(question.currentLeaderEpoch, request.replicaId !== DEBUGGER)
  if (refused !== 0 || partition.log === undefined) return failed(question, refused)
  return ask(context, request, question, partition)
}

async function ask(
  context: RequestContext,
  request: ListOffsetsRequest,
  question: Question,
  partition: Partition,
): Promise<PartitionAnswer> {
  const { version } = context
  const { timestamp } = question
  const answered = (offset: number, at: bigint, leaderEpoch: number): PartitionAnswer => {
    const result = { partitionIndex: question.partitionIndex, errorCode: 0, timestamp: at, offset }
    return version >= LEADER_EPOCH_SINCE_VERSION ? { ...result, leaderEpoch } : result
  }

  if (timestamp === EARLIEST || timestamp === EARLIEST_LOCAL) {
    const start = partition.logStartOffset
    return answered(start, -1n, await epochAtStart(partition))
  }
  if (timestamp === LATEST_TIERED || timestamp === EARLIEST_PENDING_UPLOAD) return answered(-1, -1n, -1)

  const unreadable = await readable(partition)
  if (unreadable !== 0) return failed(question, unreadable)
  const fromClient = request.replicaId === CONSUMER
  if (fromClient && partition.leaderEpochStartOffset > partition.highWatermark)
    return failed(
      question,
      version >= NOT_AVAILABLE_SINCE_VERSION ? ErrorCode.OFFSET_NOT_AVAILABLE : ErrorCode.LEADER_NOT_AVAILABLE,
    )
  const isolation = request.isolationLevel === READ_COMMITTED ? 1 : 0
  const limit = fromClient ? partition.limit(isolation) : partition.logEndOffset
  if (timestamp === LATEST) return answered(limit, -1n, partition.leaderEpoch)
  const found: Found = await partition.lookUp(log =>
    timestamp === LARGEST_TIMESTAMP ? log.lookupMaxTime(limit) : log.lookupTime(timestamp, limit),
  )
  if (found.code !== 0) return failed(question, clientErrorCode(found.code))
  if (found.offset < 0 || found.offset >= limit) return answered(-1, -1n, -1)
  return answered(found.offset, found.timestamp, found.leaderEpoch)
}

/** Waits until what the log holds now is readable. */
function readable(partition: Partition): Promise<KafkaErrorCode> {
  return new Promise(resolve => partition.whenReadable(partition.logEndOffset, resolve))
}

/** The leader epoch at the log's start: known unless it was written in an earlier epoch. */
async function epochAtStart(partition: Partition): Promise<number> {
  const start = partition.logStartOffset
  if (partition.leaderEpochStartOffset <= start || partition.logEndOffset === start) return partition.latestEpoch
  const first = await partition.lookUp(log => log.lookupTime(SMALLEST_TIMESTAMP, partition.logEndOffset))
  return first.code === 0 ? first.leaderEpoch : -1
}
