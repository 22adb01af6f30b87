/**
 * DescribeCluster (60), versions 0 to 2: cluster id and brokers, or controllers.
 *
 * Version 1 brought the type of end point, 2 fenced brokers.
 */
import { api } from '../api.ts'
import type { Message, MessageInput } from '../schema.ts'
import { array, bool, int8, int16, int32, message, string } from '../schema.ts'

const range = { apiKey: 60, versions: '0-2', flexible: '0+' }

const describeClusterRequest = message('DescribeClusterRequest', range, {
  includeClusterAuthorizedOperations: bool('0+', { default: false }),
  /** 1: brokers; 2: controllers. */
  endpointType: int8('1+', { default: 1 }),
  includeFencedBrokers: bool('2+', { default: false }),
})

const describeClusterResponse = message('DescribeClusterResponse', range, {
  throttleTimeMs: int32('0+', { default: 0 }),
  errorCode: int16('0+'),
  errorMessage: string('0+', { nullable: '0+', default: null }),
  /** 1: brokers; 2: controllers. */
  endpointType: int8('1+', { default: 1 }),
  clusterId: string('0+'),
  controllerId: int32('0+', { default: -1 }),
  brokers: array('0+', {
    brokerId: int32('0+'),
    host: string('0+'),
    port: int32('0+'),
    rack: string('0+', { nullable: '0+', default: null }),
    isFenced: bool('2+'),
  }),
  /** A bit per operation; the smallest int32 when nobody asked. */
  clusterAuthorizedOperations: int32('0+', { default: -2147483648 }),
})

export const describeCluster = api(describeClusterRequest, describeClusterResponse)
export type DescribeClusterRequest = Message<typeof describeClusterRequest>
export type DescribeClusterRequestInput = MessageInput<typeof describeClusterRequest>
export type DescribeClusterResponse = Message<typeof describeClusterResponse>
export type DescribeClusterResponseInput = MessageInput<typeof describeClusterResponse>
