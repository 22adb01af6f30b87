/**
 * FindCoordinator (10), versions 0 to 6: which broker coordinates a group, a transaction or a share partition.
 *
 * Up to version 3 a request asks for one key, from 4 for several. Version 1 brought the type of the key, the throttle
 * time and error messages, 3 the flexible encoding, 5 TRANSACTION_ABORTABLE, 6 the keys of share partitions.
 */
import { api } from '../api.ts'
import type { Message, MessageInput } from '../schema.ts'
import { array, int8, int16, int32, message, string } from '../schema.ts'

const range = { apiKey: 10, versions: '0-6', flexible: '3+' }

const findCoordinatorRequest = message('FindCoordinatorRequest', range, {
  key: string('0-3'),
  /** 0 group, 1 transaction, 2 share partition. */
  keyType: int8('1+', { default: 0 }),
  coordinatorKeys: array('4+', 'string'),
})

const findCoordinatorResponse = message('FindCoordinatorResponse', range, {
  throttleTimeMs: int32('1+', { ignorable: true }),
  errorCode: int16('0-3'),
  errorMessage: string('1-3', { nullable: '1-3', ignorable: true }),
  /** -1, an empty host and port -1: none. */
  nodeId: int32('0-3'),
  host: string('0-3'),
  port: int32('0-3'),
  coordinators: array('4+', {
    key: string('4+'),
    nodeId: int32('4+'),
    host: string('4+'),
    port: int32('4+'),
    errorCode: int16('4+'),
    errorMessage: string('4+', { nullable: '4+', ignorable: true }),
  }),
})

export const findCoordinator = api(findCoordinatorRequest, findCoordinatorResponse)
export type FindCoordinatorRequest = Message<typeof findCoordinatorRequest>
export type FindCoordinatorRequestInput = MessageInput<typeof findCoordinatorRequest>
export type FindCoordinatorResponse = Message<typeof findCoordinatorResponse>
export type FindCoordinatorResponseInput = MessageInput<typeof findCoordinatorResponse>
