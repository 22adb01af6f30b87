/**
 * CreatePartitions (37), versions 0 to 3: give topics more partitions; the controller does it.
 *
 * Version 2 brought the flexible encoding, 3 THROTTLING_QUOTA_EXCEEDED.
 */
import { api } from '../api.ts'
import type { Message, MessageInput } from '../schema.ts'
import { array, bool, int16, int32, message, string } from '../schema.ts'

const range = { apiKey: 37, versions: '0-3', flexible: '2+' }

const createPartitionsRequest = message('CreatePartitionsRequest', range, {
  topics: array('0+', {
    name: string('0+'),
    /** Partitions afterwards, the present ones included. */
    count: int32('0+'),
    /** One entry for each new partition; null: the controller assigns. */
    assignments: array(
      '0+',
      {
        brokerIds: array('0+', 'int32'),
      },
      { nullable: '0+' },
    ),
  }),
  timeoutMs: int32('0+'),
  /** Check, and change nothing. */
  validateOnly: bool('0+'),
})

const createPartitionsResponse = message('CreatePartitionsResponse', range, {
  throttleTimeMs: int32('0+', { default: 0 }),
  results: array('0+', {
    name: string('0+'),
    errorCode: int16('0+'),
    errorMessage: string('0+', { nullable: '0+', default: null }),
  }),
})

export const createPartitions = api(createPartitionsRequest, createPartitionsResponse)
export type CreatePartitionsRequest = Message<typeof createPartitionsRequest>
export type CreatePartitionsRequestInput = MessageInput<typeof createPartitionsRequest>
export type CreatePartitionsResponse = Message<typeof createPartitionsResponse>
export type CreatePartitionsResponseInput = MessageInput<typeof createPartitionsResponse>
