/**
 * CreateTopics: the controller decides; the answer leaves when the topics can be written, so that a client's first
 * produce finds its partitions.
 */
import {
  type CreateTopicsRequest,
  type CreateTopicsResponse,
  createTopics,
} from '../../protocol/apis/19-create-topics.ts'
import type { Handler } from '../context.ts'
import { forwardUntilWritable } from '../forward.ts'

export const createTopicsHandler: Handler<CreateTopicsRequest> = {
  apiKey: createTopics.key,

  handle(context, request) {
    return forwardUntilWritable<CreateTopicsResponse>(context, request, ({ topics }) => topics)
  },

  failure(request, errorCode) {
    return { topics: request.topics.map(({ name }) => ({ name, errorCode, errorMessage: null, configs: null })) }
  },
}
