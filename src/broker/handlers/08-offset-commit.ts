/**
 * OffsetCommit (8): the group's coordinator takes what concerns partitions that exist; the others are answered here.
 *
 * Order of checks: the topic (UNKNOWN_TOPIC_ID from version 10, UNKNOWN_TOPIC_OR_PARTITION before), its partitions,
 * then the group and its member, which fail all partitions alike. In the answer stand first the refused ones, as
 * they came, then what the coordinator says. A commit may overlap earlier ones of its connection: it never awaits
 * before the coordinator has it.
 */
import type { OffsetCommitRequest, OffsetCommitResponseInput } from '../../protocol/apis/08-offset-commit.ts'
import { offsetCommit } from '../../protocol/apis/08-offset-commit.ts'
import { ErrorCode } from '../../protocol/error-codes.ts'
import type { Handler, RequestContext } from '../context.ts'
import { PartitionCodes } from '../partition-codes.ts'
import { originOf } from '../request-origin.ts'

const IDS_SINCE_VERSION = 10

type Topic = OffsetCommitRequest['topics'][number]

export const offsetCommitHandler: Handler<OffsetCommitRequest> = {
  apiKey: offsetCommit.key,

  handle(context, request) {
    const answer = new PartitionCodes(context.version >= IDS_SINCE_VERSION)
    const topics: Topic[] = []
    for (const topic of request.topics) {
      const found = existing(context, topic, answer)
      if (found !== undefined) topics.push(found)
    }
    if (topics.length === 0) return answer
    context.broker.groups.commitOffsets(originOf(context), { ...request, topics }, response => {
      context.answer(answer.topics.length === 0 ? response : merge(answer, response))
    })
    return undefined
  },

  failure(request, errorCode) {
    return {
      topics: request.topics.map(({ name, topicId, partitions }) => ({
        name,
        topicId,
        partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
      })),
    }
  },
}

/** The topic with name and id, and of its partitions those that exist; undefined when none does. */
function existing({ broker, version }: RequestContext, topic: Topic, answer: PartitionCodes): Topic | undefined {
  const image = broker.image()
  const byId = version >= IDS_SINCE_VERSION
  const known = byId ? image.topicsById.get(topic.topicId) : image.topicsByName.get(topic.name)
  if (known === undefined) {
    const code = byId ? ErrorCode.UNKNOWN_TOPIC_ID : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    answer.addAll(topic, topic.partitions, code)
    return undefined
  }
  const { name, id: topicId } = known
  let { partitions } = topic
  if (partitions.some(({ partitionIndex }) => known.partitions[partitionIndex] === undefined)) {
    partitions = partitions.filter(({ partitionIndex }) => {
      const exists = known.partitions[partitionIndex] !== undefined
      if (!exists) answer.add({ name, topicId }, partitionIndex, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
      return exists
    })
  }
  return partitions.length === 0 ? undefined : { name, topicId, partitions }
}

function merge(answer: PartitionCodes, { topics }: OffsetCommitResponseInput): PartitionCodes {
  for (const topic of topics) {
    for (const { partitionIndex, errorCode } of topic.partitions) answer.add(topic, partitionIndex, errorCode)
  }
  return answer
}
