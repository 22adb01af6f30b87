/** DeleteTopics: the controller decides; the logs go when the metadata says so. */
import { type DeleteTopicsRequest, deleteTopics } from '../../protocol/apis/20-delete-topics.ts'
import type { Handler } from '../context.ts'
import { forwarded } from '../forward.ts'

export const deleteTopicsHandler: Handler<DeleteTopicsRequest> = {
  apiKey: deleteTopics.key,
  handle: forwarded,

  failure(request, errorCode) {
    const named = request.topicNames.map(name => ({ name, errorCode }))
    const either = request.topics.map(({ name, topicId }) => ({ name, topicId, errorCode }))
    return { responses: [...named, ...either] }
  },
}
