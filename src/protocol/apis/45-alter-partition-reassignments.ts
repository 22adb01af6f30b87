/**
 * AlterPartitionReassignments (45), versions 0 and 1: gives partitions other replicas, or takes such a change back; the
 * controller does it. Version 1 lets the client forbid that the number of replicas changes.
 */
import { api } from '../api.ts'
import type { Message, MessageInput } from '../schema.ts'
import { array, bool, int16, int32, message, string } from '../schema.ts'

const range = { apiKey: 45, versions: '0-1', flexible: '0+' }

const alterPartitionReassignmentsRequest = message('AlterPartitionReassignmentsRequest', range, {
  timeoutMs: int32('0+', { default: 60_000 }),
  allowReplicationFactorChange: bool('1+', { default: true }),
  topics: array('0+', {
    name: string('0+'),
    partitions: array('0+', {
      partitionIndex: int32('0+'),
      /** Broker ids, the preferred leader first; null: what is under way is taken back. */
      replicas: array('0+', 'int32', { nullable: '0+', default: null }),
    }),
  }),
})

const alterPartitionReassignmentsResponse = message('AlterPartitionReassignmentsResponse', range, {
  throttleTimeMs: int32('0+', { default: 0 }),
  allowReplicationFactorChange: bool('1+', { default: true, ignorable: true }),
  errorCode: int16('0+'),
  errorMessage: string('0+', { nullable: '0+' }),
  responses: array('0+', {
    name: string('0+'),
    partitions: array('0+', {
      partitionIndex: int32('0+'),
      errorCode: int16('0+'),
      errorMessage: string('0+', { nullable: '0+' }),
    }),
  }),
})

export const alterPartitionReassignments = api(alterPartitionReassignmentsRequest, alterPartitionReassignmentsResponse)
export type AlterPartitionReassignmentsRequest = Message<typeof alterPartitionReassignmentsRequest>
export type AlterPartitionReassignmentsRequestInput = MessageInput<typeof alterPartitionReassignmentsRequest>
export type AlterPartitionReassignmentsResponse = Message<typeof alterPartitionReassignmentsResponse>
export type AlterPartitionReassignmentsResponseInput = MessageInput<typeof alterPartitionReassignmentsResponse>
