/** OffsetDelete (47), version 0: forget the committed offsets of partitions to which nobody in the group subscribes. */
import { api } from '../api.ts'
import type { Message, MessageInput } from '../schema.ts'
import { array, int16, int32, message, string } from '../schema.ts'

const range = { apiKey: 47, versions: '0', flexible: 'none' }

const offsetDeleteRequest = message('OffsetDeleteRequest', range, {
  groupId: string('0+'),
  topics: array('0+', {
    name: string('0+'),
    partitions: array('0+', {
      partitionIndex: int32('0+'),
    }),
  }),
})

const offsetDeleteResponse = message('OffsetDeleteResponse', range, {
  errorCode: int16('0+'),
  throttleTimeMs: int32('0+', { ignorable: true }),
  topics: array('0+', {
    name: string('0+'),
    partitions: array('0+', {
      partitionIndex: int32('0+'),
      errorCode: int16('0+'),
    }),
  }),
})

export const offsetDelete = api(offsetDeleteRequest, offsetDeleteResponse)
export type OffsetDeleteRequest = Message<typeof offsetDeleteRequest>
export type OffsetDeleteRequestInput = MessageInput<typeof offsetDeleteRequest>
export type OffsetDeleteResponse = Message<typeof offsetDeleteResponse>
export type OffsetDeleteResponseInput = MessageInput<typeof offsetDeleteResponse>
