/**
 * OffsetDelete (47): the group's coordinator takes what concerns partitions that exist; the others are answered
 * UNKNOWN_TOPIC_OR_PARTITION here. What fails the group fails the whole answer, which then has no partitions.
 */
import type { OffsetDeleteRequest } from '../../protocol/apis/47-offset-delete.ts'
import { offsetDelete } from '../../protocol/apis/47-offset-delete.ts'
import { ErrorCode } from '../../protocol/error-codes.ts'
import type { Handler } from '../context.ts'
import { PartitionCodes } from '../partition-codes.ts'

export const offsetDeleteHandler: Handler<OffsetDeleteRequest> = {
  apiKey: offsetDelete.key,

  async handle({ broker }, { groupId, topics }) {
    const { topicsByName } = broker.image()
    const answer = new PartitionCodes(false)
    const existing: OffsetDeleteRequest['topics'][number][] = []
    for (const { name, partitions } of topics) {
      const known = topicsByName.get(name)?.partitions ?? []
      const found = partitions.filter(({ partitionIndex }) => {
        const exists = known[partitionIndex] !== undefined
        if (!exists) answer.add({ name }, partitionIndex, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
        return exists
      })
      if (found.length > 0) existing.push({ name, partitions: found })
    }
    const response = await broker.groups.deleteOffsets({ groupId, topics: existing })
    if (response.errorCode !== ErrorCode.NONE) return response
    for (const topic of response.topics) {
      for (const { partitionIndex, errorCode } of topic.partitions) answer.add(topic, partitionIndex, errorCode)
    }
    return { errorCode: ErrorCode.NONE, topics: answer.topics }
  },

  failure(_request, errorCode) {
    return { errorCode, topics: [] }
  },
}
