/**
 * ListPartitionReassignments (46), version 0: the partitions whose replicas are being changed;
 * the controller knows them.
 */
import { api } from '../api.ts'
import type { Message, MessageInput } from '../schema.ts'
import { array, int16, int32, message, string } from '../schema.ts'

const range = { apiKey: 46, versions: '0', flexible: '0+' }

const listPartitionReassignmentsRequest = message('ListPartitionReassignmentsRequest', range, {
  timeoutMs: int32('0+', { default: 60_000 }),
  /** null: all. */
  topics: array(
    '0+',
    {
      name: string('0+'),
      partitionIndexes: array('0+', 'int32'),
    },
    { nullable: '0+', default: null },
  ),
})

const listPartitionReassignmentsResponse = message('ListPartitionReassignmentsResponse', range, {
  throttleTimeMs: int32('0+', { default: 0 }),
  errorCode: int16('0+'),
  errorMessage: string('0+', { nullable: '0+' }),
  topics: array('0+', {
    name: string('0+'),
    partitions: array('0+', {
      partitionIndex: int32('0+'),
      /** All of them, those that come and those that go included. */
      replicas: array('0+', 'int32'),
      addingReplicas: array('0+', 'int32'),
      removingReplicas: array('0+', 'int32'),
    }),
  }),
})

export const listPartitionReassignments = api(listPartitionReassignmentsRequest, listPartitionReassignmentsResponse)
export type ListPartitionReassignmentsRequest = Message<typeof listPartitionReassignmentsRequest>
export type ListPartitionReassignmentsRequestInput = MessageInput<typeof listPartitionReassignmentsRequest>
export type ListPartitionReassignmentsResponse = Message<typeof listPartitionReassignmentsResponse>
export type ListPartitionReassignmentsResponseInput = MessageInput<typeof listPartitionReassignmentsResponse>
