/** CreatePartitions: the controller decides; the answer leaves when the new partitions can be written. */
import {
  type CreatePartitionsRequest,
  type CreatePartitionsResponse,
  createPartitions,
} from '../../protocol/apis/37-create-partitions.ts'
import { ErrorCode } from '../../protocol/error-codes.ts'
import type { Handler } from '../context.ts'
import { forwardToController, whenWritable } from '../forward.ts'

export const createPartitionsHandler: Handler<CreatePartitionsRequest> = {
  apiKey: createPartitions.key,

  async handle(context, request) {
    const answer = (await forwardToController(context, request, request.timeoutMs)) as CreatePartitionsResponse
    if (request.validateOnly) return answer
    const grown = answer.results.filter(result => result.errorCode === ErrorCode.NONE).map(result => result.name)
    await whenWritable(context, grown, request.timeoutMs)
    return answer
  },

  failure(request, errorCode) {
    return { results: request.topics.map(({ name }) => ({ name, errorCode, errorMessage: null })) }
  },
}
