/**
 * DeleteTopics (20): removes topics by name or, from version 6, by id. A topic named twice, or once by name and once by
 * id, is refused altogether.
 */
import { ZERO_UUID } from '../base/uuid.ts'
import type { NewRecord } from '../metadata/records.ts'
import type { DeleteTopicsRequest, DeleteTopicsResponseInput } from '../protocol/apis/20-delete-topics.ts'
import type { KafkaErrorCode } from '../protocol/error-codes.ts'
import { describeError, ErrorCode } from '../protocol/error-codes.ts'
import { namesThatRepeat } from './create-topics.ts'
import type { OperationContext, OperationResult } from './operation.ts'

type Result = DeleteTopicsResponseInput['responses'][number]

export function deleteTopics(
  context: OperationContext,
  request: DeleteTopicsRequest,
  version: number,
): OperationResult<DeleteTopicsResponseInput> {
  if (!context.config.boolean('delete.topic.enable')) return deletionDisabled(request, version)
  const { image } = context.state
  const responses: Result[] = []
  const answer = (name: string | null, topicId: string, errorCode: KafkaErrorCode, text?: string): void => {
    const errorMessage = errorCode === ErrorCode.NONE ? null : (text ?? describeError(errorCode).text)
    responses.push({ name, topicId, errorCode, errorMessage })
  }

  const names = [...request.topicNames]
  const ids: string[] = []
  for (const { name, topicId } of request.topics) {
    const hasId = topicId !== ZERO_UUID
    if (name === null && hasId) ids.push(topicId)
    else if (name !== null && !hasId) names.push(name)
    else if (name === null)
      answer(null, ZERO_UUID, ErrorCode.INVALID_REQUEST, 'Neither topic name nor id were specified.')
    else answer(name, topicId, ErrorCode.INVALID_REQUEST, 'You may not specify both topic name and topic id.')
  }
  const namedTwice = namesThatRepeat(names)
  const idsTwice = namesThatRepeat(ids)
  for (const name of namedTwice) answer(name, ZERO_UUID, ErrorCode.INVALID_REQUEST, 'Duplicate topic name.')
  for (const id of idsTwice) answer(null, id, ErrorCode.INVALID_REQUEST, 'Duplicate topic id.')

  const found = new Map<string, string>()
  for (const id of ids) {
    if (idsTwice.has(id)) continue
    const topic = image.topicsById.get(id)
    if (topic === undefined) answer(null, id, ErrorCode.UNKNOWN_TOPIC_ID)
    else found.set(id, topic.name)
  }
  for (const name of names) {
    if (namedTwice.has(name)) continue
    const topic = image.topicsByName.get(name)
    if (topic === undefined) {
      answer(name, ZERO_UUID, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
    } else if (idsTwice.has(topic.id) || found.has(topic.id)) {
      found.delete(topic.id)
      const text = 'The provided topic name maps to an ID that was already supplied.'
      answer(name, topic.id, ErrorCode.INVALID_REQUEST, text)
    } else {
      found.set(topic.id, name)
    }
  }
  const records: NewRecord[] = []
  for (const [topicId, name] of found) {
    records.push({ name: 'RemoveTopicRecord', version: 0, data: { topicId } })
    answer(name, topicId, ErrorCode.NONE)
  }
  return { records, answer: { responses } }
}

function deletionDisabled(request: DeleteTopicsRequest, version: number): OperationResult<DeleteTopicsResponseInput> {
  const errorCode = version < 3 ? ErrorCode.INVALID_REQUEST : ErrorCode.TOPIC_DELETION_DISABLED
  return { records: [], answer: { responses: failedDeletions(request, errorCode, describeError(errorCode).text) } }
}

/** The same error for everything that the request names. */
export function failedDeletions(
  request: DeleteTopicsRequest,
  errorCode: KafkaErrorCode,
  errorMessage: string,
): Result[] {
  return [
    ...request.topicNames.map(name => ({ name, topicId: ZERO_UUID, errorCode, errorMessage })),
    ...request.topics.map(({ name, topicId }) => ({ name, topicId, errorCode, errorMessage })),
  ]
}
