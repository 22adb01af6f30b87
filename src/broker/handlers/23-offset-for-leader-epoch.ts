/**
 * OffsetForLeaderEpoch (23), versions 2 to 4: where a leader epoch ends in the leader's log, by which a client or
 * follower finds out whether its log diverges. An epoch that the log never had ends where the largest one below it
 * ends; with none below, both answers are -1.
 */
import { clientErrorCode } from '../../log/log-errors.ts'
import type { OffsetForLeaderEpochRequest } from '../../protocol/apis/23-offset-for-leader-epoch.ts'
import { offsetForLeaderEpoch } from '../../protocol/apis/23-offset-for-leader-epoch.ts'
import type { KafkaErrorCode } from '../../protocol/error-codes.ts'
import { ErrorCode } from '../../protocol/error-codes.ts'
import { Answers } from '../answers.ts'
import type { Handler, RequestContext } from '../context.ts'
import { findPartition } from '../find-partition.ts'

type Question = OffsetForLeaderEpochRequest['topics'][number]['partitions'][number]

export const offsetForLeaderEpochHandler: Handler<OffsetForLeaderEpochRequest> = {
  apiKey: offsetForLeaderEpoch.key,

  async handle(context, request) {
    const answers = new Answers()
    const topics = request.topics.map(({ topic, partitions: questions }) => {
      const partitions: PartitionAnswer[] = []
      for (const question of questions) answers.add(partitions, answer(context, topic, question))
      return { topic, partitions }
    })
    await answers.all()
    return { topics }
  },

  failure(request, errorCode) {
    return {
      topics: request.topics.map(topic => ({
        topic: topic.topic,
        partitions: topic.partitions.map(({ partition }) => ({ partition, errorCode })),
      })),
    }
  },
}

interface PartitionAnswer {
  readonly partition: number
  readonly errorCode: KafkaErrorCode
  readonly leaderEpoch?: number
  readonly endOffset?: number
}

function answer(
  context: RequestContext,
  topic: string,
  question: Question,
): PartitionAnswer | Promise<PartitionAnswer> {
  const { partition: index } = question
  const partition = findPartition(context, topic, index)
  if (typeof partition === 'number') return { partition: index, errorCode: partition }
  const refused = partition.access(question.currentLeaderEpoch, true)
  if (refused !== 0 || partition.log === undefined) return { partition: index, errorCode: refused }
  return partition
    .lookUp(log => log.lookupEpochEnd(question.leaderEpoch))
    .then(end => {
      if (end.code !== 0) return { partition: index, errorCode: clientErrorCode(end.code) }
      return { partition: index, errorCode: ErrorCode.NONE, leaderEpoch: end.leaderEpoch, endOffset: end.offset }
    })
}
