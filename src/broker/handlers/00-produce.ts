/**
 * Produce (0), versions 3 to 13. Each partition's batch becomes one append; the answer leaves when the last of them is
 * as durable as `acks` asks.
 *
 * Which error, in this order, as Kafka has it: unknown topic id (13 and later), unknown topic or partition, a shape
 * that the version does not allow (not exactly one batch of format 2, or zstd before version 7), transactional batches
 * (there are no transactions), acks other than -1, 0 and 1, an internal topic, then the partition's own and the
 * engine's. Versions below 10 have no room for the current leader, below 8 for record errors. acks=0 is never answered:
 * an error closes the connection.
 *
 * Where the answer depends on one append being written, or on disk, and on nothing else, it is written ahead and leaves
 * without another turn here. The deadline of one that waits for no disk is the append, which nobody waits for longer
 * than Kafka does for its own.
 *
 * Nothing awaits between the arrival of a request and its appends, or the connection's next Produce would overtake it.
 */

import type { Appended, BatchSource, PreparedAnswer } from '../../log/log.ts'
import { clientErrorCode } from '../../log/log-errors.ts'
import type { Partition } from '../../partition/partition.ts'
import type { AppendSink } from '../../partition/ports.ts'
import type { ProduceRequest } from '../../protocol/apis/00-produce.ts'
import { produce } from '../../protocol/apis/00-produce.ts'
import type { KafkaErrorCode } from '../../protocol/error-codes.ts'
import { describeError, ErrorCode } from '../../protocol/error-codes.ts'
import type { RecordsRef } from '../../protocol/schema.ts'
import type { Handler, RequestContext } from '../context.ts'
import { Deadline } from '../deadlines.ts'
import type { LeaderEndpoints } from '../leaders.ts'
import { currentLeader } from '../leaders.ts'
import { isInternalTopic } from '../topic-names.ts'
import { UNKNOWN_OFFSET } from '../unknown-offset.ts'

// Of a version 2 batch header.
const HEADER_BYTES = 61
const MAGIC_AT = 16
const ATTRIBUTES_AT = 22
const CODEC_MASK = 7
const ZSTD = 4
const TRANSACTIONAL = 0x10
const ZSTD_SINCE_VERSION = 7
const LEADERS_SINCE_VERSION = 10

export const produceHandler: Handler<ProduceRequest> = {
  apiKey: produce.key,

  handle(context, request) {
    const operation = new ProduceOperation(context, request)
    operation.start()
    return undefined
  },

  failure(request, errorCode) {
    return {
      responses: request.topicData.map(topic => ({
        name: topic.name,
        topicId: topic.topicId,
        partitionResponses: topic.partitionData.map(partition => refused(partition.index, errorCode, undefined)),
      })),
    }
  },
}

interface PartitionAnswer {
  index: number
  errorCode: KafkaErrorCode
  baseOffset: number
  logAppendTimeMs: number
  logStartOffset: number
  recordErrors: readonly { batchIndex: number; batchIndexErrorMessage: string }[]
  errorMessage: string | null
  currentLeader?: { leaderId: number; leaderEpoch: number }
}

const noRecordErrors: readonly never[] = []

class ProduceOperation extends Deadline implements AppendSink {
  readonly #context: RequestContext
  readonly #request: ProduceRequest
  /** One slot per partition of the request, in its order; undefined while its append is under way. */
  readonly #answers: (PartitionAnswer | undefined)[] = []
  /** The context's own is gone once it was kept. */
  readonly #frame: number
  #left = 0
  #failed = false
  #done = false

  constructor(context: RequestContext, request: ProduceRequest) {
    super()
    this.#context = context
    this.#request = request
    this.#frame = context.frame
  }

  start(): void {
    const { broker, version } = this.#context
    const { acks } = this.#request
    const image = broker.image()
    let deadline = acks === -1
    // Counts itself until every append is made, so that no early completion ends the request.
    this.#left = 1
    for (const topic of this.#request.topicData) {
      const byId = version >= 13
      const known = byId ? image.topicsById.get(topic.topicId) : image.topicsByName.get(topic.name)
      for (const { index, records } of topic.partitionData) {
        const slot = this.#answers.length
        this.#answers.push(undefined)
        let code: KafkaErrorCode
        let message: string | undefined
        if (known === undefined) code = byId ? ErrorCode.UNKNOWN_TOPIC_ID : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        else if (known.partitions[index] === undefined) code = ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
        else {
          const shape = wrongShape(records, version)
          if (shape !== undefined) ({ code, message } = shape)
          else if (isTransactional(records as RecordsRef)) code = ErrorCode.INVALID_TXN_STATE
          else if (acks < -1 || acks > 1) code = ErrorCode.INVALID_REQUIRED_ACKS
          else if (isInternalTopic(known.name)) {
            code = ErrorCode.INVALID_TOPIC_EXCEPTION
            message = `${known.name} is written by the broker itself`
          } else {
            const partition = broker.replicas.partition(known.name, index)
            if (partition === undefined) code = ErrorCode.NOT_LEADER_OR_FOLLOWER
            else if (partition.topicId !== known.id) code = ErrorCode.UNKNOWN_TOPIC_ID
            else {
              this.#left++
              const prepared = this.#prepare(partition)
              if (prepared !== undefined && !prepared.untilSynced) deadline = false
              code = partition.append(this.#batch(records as RecordsRef), acks, this, slot, prepared)
              if (code === 0) continue
              this.#left--
            }
          }
        }
        this.#refuse(slot, index, code, message)
      }
    }
    if (--this.#left === 0) this.#finish()
    else if (deadline) broker.deadlines.add(this, Math.max(0, this.#request.timeoutMs))
  }

  /** The answer to a request of this one batch, if nothing but its offset will be unknown once it is written. */
  #prepare(partition: Partition): PreparedAnswer | undefined {
    const { topicData, acks } = this.#request
    const [topic] = topicData
    if (topicData.length !== 1 || topic === undefined || topic.partitionData.length !== 1) return undefined
    const answers = partition.answersAhead(acks)
    if (answers === undefined || (answers === 'written' && !this.#context.connection.quiet)) return undefined
    const answer = written(partition.index, UNKNOWN_OFFSET, -1, partition.logStartOffset)
    const responses = [{ name: topic.name, topicId: topic.topicId, partitionResponses: [answer] }]
    return this.#context.prepare({ responses, nodeEndpoints: [] }, answers === 'synced')
  }

  #batch(records: RecordsRef): BatchSource {
    const { bytes } = this.#context
    const frame = this.#frame
    const { position, length } = records
    return frame === 0 ? bytes.subarray(position, position + length) : { frame, position, length }
  }

  keepFrame(): () => void {
    return this.#context.keepFrame()
  }

  appended(slot: number, result: Appended): void {
    if (this.#done) return
    if (result.answered) {
      this.#done = true
      this.#context.broker.deadlines.remove(this)
      this.#context.answeredAhead()
      return
    }
    if (this.#answers[slot] === undefined) {
      const code = clientErrorCode(result.code)
      if (code === 0) {
        this.#answers[slot] = written(this.#indexOf(slot), result.base, result.logAppendTime, result.logStart)
      } else {
        const answer = this.#refuse(slot, this.#indexOf(slot), code, result.message)
        answer.recordErrors = result.recordErrors.map(error => ({
          batchIndex: error.index,
          batchIndexErrorMessage: describeError(error.code).text,
        }))
      }
    }
    if (--this.#left === 0) this.#finish()
  }

  /** The time that the client allowed for acks=all is over. */
  override expired(): void {
    for (let slot = 0; slot < this.#answers.length; slot++) {
      if (this.#answers[slot] === undefined)
        this.#refuse(slot, this.#indexOf(slot), ErrorCode.REQUEST_TIMED_OUT, undefined)
    }
    this.#finish()
  }

  #refuse(slot: number, index: number, code: KafkaErrorCode, message: string | undefined): PartitionAnswer {
    this.#failed = true
    const answer = refused(index, code, message)
    this.#answers[slot] = answer
    return answer
  }

  #indexOf(slot: number): number {
    let before = 0
    for (const topic of this.#request.topicData) {
      const partition = topic.partitionData[slot - before]
      if (partition !== undefined) return partition.index
      before += topic.partitionData.length
    }
    return -1
  }

  #finish(): void {
    this.#done = true
    const context = this.#context
    context.broker.deadlines.remove(this)
    if (this.#request.acks === 0) {
      if (this.#failed) context.close('a produce request with acks=0 failed')
      else context.answerNothing()
      return
    }
    let slot = 0
    const leaders: LeaderEndpoints = { endpoints: [] }
    const tellLeaders = this.#failed && context.version >= LEADERS_SINCE_VERSION
    const responses = this.#request.topicData.map(topic => ({
      name: topic.name,
      topicId: topic.topicId,
      partitionResponses: topic.partitionData.map(() => {
        const answer = this.#answers[slot++] as PartitionAnswer
        if (tellLeaders && answer.errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER)
          answer.currentLeader = currentLeader(context, topic.name, topic.topicId, answer.index, leaders)
        return answer
      }),
    }))
    context.answer({ responses, nodeEndpoints: leaders.endpoints })
  }
}

function written(index: number, baseOffset: number, logAppendTimeMs: number, logStartOffset: number): PartitionAnswer {
  return {
    index,
    errorCode: 0,
    baseOffset,
    logAppendTimeMs,
    logStartOffset,
    recordErrors: noRecordErrors,
    errorMessage: null,
  }
}

function refused(index: number, errorCode: KafkaErrorCode, message: string | undefined): PartitionAnswer {
  return {
    index,
    errorCode,
    baseOffset: -1,
    logAppendTimeMs: -1,
    logStartOffset: -1,
    recordErrors: noRecordErrors,
    errorMessage: message ?? describeError(errorCode).text,
  }
}

/** Why this version may not carry these records; undefined when it may, or when the engine will say more exactly. */
function wrongShape(
  records: RecordsRef | null,
  version: number,
): { code: KafkaErrorCode; message: string | undefined } | undefined {
  if (records === null || records.length < HEADER_BYTES)
    return { code: ErrorCode.INVALID_RECORD, message: 'a partition needs one whole record batch' }
  const { header } = records
  if (header[MAGIC_AT] !== 2)
    return { code: ErrorCode.INVALID_RECORD, message: 'only record batches of format 2 may be produced' }
  if (version < ZSTD_SINCE_VERSION && ((header[ATTRIBUTES_AT] as number) & CODEC_MASK) === ZSTD)
    return { code: ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, message: `zstd needs Produce version ${ZSTD_SINCE_VERSION}` }
  return undefined
}

function isTransactional(records: RecordsRef): boolean {
  return ((records.header[ATTRIBUTES_AT] as number) & TRANSACTIONAL) !== 0
}
