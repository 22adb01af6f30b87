/**
 * DeleteTopics (20), versions 1 to 6: delete topics; the controller does it.
 *
 * Version 3 brought TOPIC_DELETION_DISABLED, 4 the flexible encoding, 5 error messages, 6 deletion by topic id.
 */
import { api } from '../api.ts'
import type { Message, MessageInput } from '../schema.ts'
import { array, int16, int32, message, string, uuid } from '../schema.ts'

const range = { apiKey: 20, versions: '1-6', flexible: '4+' }

const deleteTopicsRequest = message('DeleteTopicsRequest', range, {
  /** Each by its name or by its id, the other being null or zero. */
  topics: array('6+', {
    name: string('6+', { nullable: '6+', default: null }),
    topicId: uuid('6+'),
  }),
  topicNames: array('0-5', 'string', { ignorable: true }),
  timeoutMs: int32('0+'),
})

const deleteTopicsResponse = message('DeleteTopicsResponse', range, {
  throttleTimeMs: int32('1+', { default: 0, ignorable: true }),
  responses: array('0+', {
    name: string('0+', { nullable: '6+' }),
    topicId: uuid('6+', { ignorable: true }),
    errorCode: int16('0+'),
    errorMessage: string('5+', { nullable: '5+', default: null, ignorable: true }),
  }),
})

export const deleteTopics = api(deleteTopicsRequest, deleteTopicsResponse)
export type DeleteTopicsRequest = Message<typeof deleteTopicsRequest>
export type DeleteTopicsRequestInput = MessageInput<typeof deleteTopicsRequest>
export type DeleteTopicsResponse = Message<typeof deleteTopicsResponse>
export type DeleteTopicsResponseInput = MessageInput<typeof deleteTopicsResponse>
