/**
 * CreateTopics (19), versions 2 to 7: create topics; the controller does it.
 *
 * From version 4 partitions and replication factor may be left to the broker; 5 brought the flexible encoding and the
 * configs in the answer, 7 the topic id in the answer.
 */
import { api } from '../api.ts'
import type { Message, MessageInput } from '../schema.ts'
import { array, bool, int8, int16, int32, message, string, uuid } from '../schema.ts'

const range = { apiKey: 19, versions: '2-7', flexible: '5+' }

const createTopicsRequest = message('CreateTopicsRequest', range, {
  topics: array('0+', {
    name: string('0+'),
    /** -1: the broker's default, or as many as `assignments` says. */
    numPartitions: int32('0+'),
    /** -1: the broker's default, or as `assignments` says. */
    replicationFactor: int16('0+'),
    /** Empty: the controller assigns. */
    assignments: array('0+', {
      partitionIndex: int32('0+'),
      brokerIds: array('0+', 'int32'),
    }),
    configs: array('0+', {
      name: string('0+'),
      value: string('0+', { nullable: '0+' }),
    }),
  }),
  timeoutMs: int32('0+', { default: 60000 }),
  /** Check, and change nothing. */
  validateOnly: bool('1+', { default: false }),
})

const createTopicsResponse = message('CreateTopicsResponse', range, {
  throttleTimeMs: int32('2+', { default: 0, ignorable: true }),
  topics: array('0+', {
    name: string('0+'),
    topicId: uuid('7+', { ignorable: true }),
    errorCode: int16('0+'),
    errorMessage: string('1+', { nullable: '0+', ignorable: true }),
    /** Why `configs` is null. */
    topicConfigErrorCode: int16('5+', { tagged: '5+', tag: 0, ignorable: true }),
    numPartitions: int32('5+', { default: -1, ignorable: true }),
    replicationFactor: int16('5+', { default: -1, ignorable: true }),
    configs: array(
      '5+',
      {
        name: string('5+'),
        value: string('5+', { nullable: '5+' }),
        readOnly: bool('5+'),
        /**
         * 1 topic, 2 broker, 3 default of all brokers, 4 static broker, 5 default, 6 broker logger, 7
         * client metrics, 8 group.
         */
        configSource: int8('5+', { default: -1, ignorable: true }),
        isSensitive: bool('5+'),
      },
      { nullable: '5+', ignorable: true },
    ),
  }),
})

export const createTopics = api(createTopicsRequest, createTopicsResponse)
export type CreateTopicsRequest = Message<typeof createTopicsRequest>
export type CreateTopicsRequestInput = MessageInput<typeof createTopicsRequest>
export type CreateTopicsResponse = Message<typeof createTopicsResponse>
export type CreateTopicsResponseInput = MessageInput<typeof createTopicsResponse>
