/**
 * Metadata (3), versions 0 to 13: brokers, topics and leaders; creates topics on demand.
 *
 * In version 0 an empty list means all topics; from 1 null does. Version 4 brought allowAutoTopicCreation, 5 offline
 * replicas, 7 leader epochs, 8 authorized operations (those of the cluster until 10), 9 the flexible encoding, 10 topic
 * ids in the answer, 12 look-up by topic id, 13 an error code for the whole answer.
 */
import { api } from '../api.ts'
import type { Message, MessageInput } from '../schema.ts'
import { array, bool, int16, int32, message, string, uuid } from '../schema.ts'

const range = { apiKey: 3, versions: '0-13', flexible: '9+' }

/** What a field of authorized operations says when nobody asked for it. */
const NOT_ASKED = -2147483648

const metadataRequest = message('MetadataRequest', range, {
  topics: array(
    '0+',
    {
      topicId: uuid('10+', { ignorable: true }),
      name: string('0+', { nullable: '10+' }),
    },
    { nullable: '1+' },
  ),
  allowAutoTopicCreation: bool('4+', { default: true }),
  includeClusterAuthorizedOperations: bool('8-10', { default: false }),
  includeTopicAuthorizedOperations: bool('8+', { default: false }),
})

const metadataResponse = message('MetadataResponse', range, {
  throttleTimeMs: int32('3+', { ignorable: true }),
  brokers: array('0+', {
    nodeId: int32('0+'),
    host: string('0+'),
    port: int32('0+'),
    rack: string('1+', { nullable: '1+', default: null, ignorable: true }),
  }),
  clusterId: string('2+', { nullable: '2+', default: null, ignorable: true }),
  controllerId: int32('1+', { default: -1, ignorable: true }),
  topics: array('0+', {
    errorCode: int16('0+'),
    /** null: asked for by an id that is unknown. */
    name: string('0+', { nullable: '12+' }),
    topicId: uuid('10+', { ignorable: true }),
    isInternal: bool('1+', { default: false, ignorable: true }),
    partitions: array('0+', {
      errorCode: int16('0+'),
      partitionIndex: int32('0+'),
      /** -1: none. */
      leaderId: int32('0+'),
      leaderEpoch: int32('7+', { default: -1, ignorable: true }),
      replicaNodes: array('0+', 'int32'),
      isrNodes: array('0+', 'int32'),
      offlineReplicas: array('5+', 'int32', { ignorable: true }),
    }),
    /** A bit per operation; the smallest int32 when nobody asked. */
    topicAuthorizedOperations: int32('8+', { default: NOT_ASKED }),
  }),
  clusterAuthorizedOperations: int32('8-10', { default: NOT_ASKED }),
  errorCode: int16('13+', { ignorable: true }),
})

export const metadata = api(metadataRequest, metadataResponse)
export type MetadataRequest = Message<typeof metadataRequest>
export type MetadataRequestInput = MessageInput<typeof metadataRequest>
export type MetadataResponse = Message<typeof metadataResponse>
export type MetadataResponseInput = MessageInput<typeof metadataResponse>
