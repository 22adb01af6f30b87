/** DeleteRecords (21), versions 0 to 2: everything below an offset of a partition counts as deleted. */
import { api } from '../api.ts'
import type { Message, MessageInput } from '../schema.ts'
import { array, int16, int32, int64, message, string } from '../schema.ts'

const range = { apiKey: 21, versions: '0-2', flexible: '2+' }

const deleteRecordsRequest = message('DeleteRecordsRequest', range, {
  topics: array('0+', {
    name: string('0+'),
    partitions: array('0+', {
      partitionIndex: int32('0+'),
      offset: int64('0+'),
    }),
  }),
  timeoutMs: int32('0+'),
})

const deleteRecordsResponse = message('DeleteRecordsResponse', range, {
  throttleTimeMs: int32('0+'),
  topics: array('0+', {
    name: string('0+'),
    partitions: array('0+', {
      partitionIndex: int32('0+'),
      lowWatermark: int64('0+'),
      errorCode: int16('0+'),
    }),
  }),
})

export const deleteRecords = api(deleteRecordsRequest, deleteRecordsResponse)
export type DeleteRecordsRequest = Message<typeof deleteRecordsRequest>
export type DeleteRecordsRequestInput = MessageInput<typeof deleteRecordsRequest>
export type DeleteRecordsResponse = Message<typeof deleteRecordsResponse>
export type DeleteRecordsResponseInput = MessageInput<typeof deleteRecordsResponse>
