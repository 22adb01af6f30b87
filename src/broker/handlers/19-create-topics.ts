/**
 * CreateTopics: the controller decides; the answer leaves when the topics can be written, so that a client's first produce
 * finds its partitions.
 */
import {
  type CreateTopicsRequest,
  type CreateTopicsResponse,
  createTopics,
} from '../../protocol/apis/19-create-topics.ts'
import { ErrorCode } from '../../protocol/error-codes.ts'
import type { Handler } from '../context.ts'
import { forwardToController, whenWritable } from '../forward.ts'

export const createTopicsHandler: Handler<CreateTopicsRequest> = {
  apiKey: createTopics.key,

  async handle(context, request) {
    const answer = (await forwardToController(context, request, request.timeoutMs)) as CreateTopicsResponse
    if (request.validateOnly) return answer
    const created = answer.topics.filter(topic => topic.errorCode === ErrorCode.NONE).map(topic => topic.name)
    await whenWritable(context, created, request.timeoutMs)
    return answer
  },

  failure(request, errorCode) {
    return { topics: request.topics.map(({ name }) => ({ name, errorCode, errorMessage: null, configs: null })) }
  },
}
