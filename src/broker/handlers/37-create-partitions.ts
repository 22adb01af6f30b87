/** CreatePartitions: the controller decides; the answer leaves when the new partitions can be written. */
import {
  type CreatePartitionsRequest,
  type CreatePartitionsResponse,
  createPartitions,
} from '../../protocol/apis/37-create-partitions.ts'
import type { Handler } from '../context.ts'
import { forwardUntilWritable } from '../forward.ts'

export const createPartitionsHandler: Handler<CreatePartitionsRequest> = {
  apiKey: createPartitions.key,

  handle(context, request) {
    return forwardUntilWritable<CreatePartitionsResponse>(context, request, ({ results }) => results)
  },

  failure(request, errorCode) {
    return { results: request.topics.map(({ name }) => ({ name, errorCode, errorMessage: null })) }
  },
}
