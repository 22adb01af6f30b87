/**
 * Produce (0), versions 3 to 13: append record batches.
 *
 * Version 4 brought KAFKA_STORAGE_ERROR, 5 the log start offset in the answer, 7 zstd, 8 record errors, 9 the flexible
 * encoding, 10 the current leader in the answer, 12 implicit transaction partitions, 13 topic ids in place of names.
 */
import { api } from '../api.ts'
import type { Message, MessageInput } from '../schema.ts'
import { array, int16, int32, int64, message, records, string, struct, uuid } from '../schema.ts'

const range = { apiKey: 0, versions: '3-13', flexible: '9+' }

const produceRequest = message('ProduceRequest', range, {
  transactionalId: string('3+', { nullable: '3+', default: null }),
  /** 0: no answer; 1: the leader has it; -1: all in-sync replicas have it. */
  acks: int16('0+'),
  timeoutMs: int32('0+'),
  topicData: array('0+', {
    name: string('0-12', { ignorable: true }),
    topicId: uuid('13+', { ignorable: true }),
    partitionData: array('0+', {
      index: int32('0+'),
      /** Exactly one batch of format 2. */
      records: records('0+', { nullable: '0+' }),
    }),
  }),
})

const produceResponse = message('ProduceResponse', range, {
  responses: array('0+', {
    name: string('0-12', { ignorable: true }),
    topicId: uuid('13+', { ignorable: true }),
    partitionResponses: array('0+', {
      index: int32('0+'),
      errorCode: int16('0+'),
      /** Offset of the first record; -1 on an error. */
      baseOffset: int64('0+'),
      /** The broker's time under LogAppendTime, else -1. */
      logAppendTimeMs: int64('2+', { default: -1, ignorable: true }),
      logStartOffset: int64('5+', { default: -1, ignorable: true }),
      /** The records because of which the batch was refused. */
      recordErrors: array(
        '8+',
        {
          batchIndex: int32('8+'),
          batchIndexErrorMessage: string('8+', { nullable: '8+', default: null }),
        },
        { ignorable: true },
      ),
      errorMessage: string('8+', { nullable: '8+', default: null, ignorable: true }),
      currentLeader: struct(
        '10+',
        {
          leaderId: int32('10+', { default: -1 }),
          leaderEpoch: int32('10+', { default: -1 }),
        },
        { tagged: '10+', tag: 0 },
      ),
    }),
  }),
  throttleTimeMs: int32('1+', { default: 0, ignorable: true }),
  /** Where the leaders named above can be reached. */
  nodeEndpoints: array(
    '10+',
    {
      nodeId: int32('10+'),
      host: string('10+'),
      port: int32('10+'),
      rack: string('10+', { nullable: '10+', default: null }),
    },
    { tagged: '10+', tag: 0 },
  ),
})

export const produce = api(produceRequest, produceResponse)
export type ProduceRequest = Message<typeof produceRequest>
export type ProduceRequestInput = MessageInput<typeof produceRequest>
export type ProduceResponse = Message<typeof produceResponse>
export type ProduceResponseInput = MessageInput<typeof produceResponse>
