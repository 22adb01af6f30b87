/**
 * Fetch (1), versions 4 to 18: record batches from an offset on, up to the high watermark or the last stable offset.
 *
 * Session first (fetch-session.ts), then each partition: unknown topic id, unknown topic or partition, a topic id that
 * is not the log's, storage error, fenced or unknown leader epoch, not leader, offset out of range; a reader whose last
 * fetched epoch diverges is told where, and gets no records. Reads run in request order under the response's byte limit
 * (`maxBytes`, at most `fetch.max.bytes`); the first partition that has anything answers with at least one batch,
 * however large. With less than `minBytes` and no error the request waits, holding no read, until enough was written,
 * `maxWaitMs` is over, or a partition changes under it.
 *
 * Storage errors reach clients below version 6 as NOT_LEADER_OR_FOLLOWER, which they know. Version 16 brought the
 * present leader in the answer. A fetch by a replica is refused: this broker has no followers.
 */

import type { ReadResult } from '../../log/log.ts'
import { clientErrorCode } from '../../log/log-errors.ts'
import type { FetchWaiter, Partition } from '../../partition/partition.ts'
import type { FetchRequest } from '../../protocol/apis/01-fetch.ts'
import { fetch } from '../../protocol/apis/01-fetch.ts'
import type { KafkaErrorCode } from '../../protocol/error-codes.ts'
import { ErrorCode } from '../../protocol/error-codes.ts'
import type { Part } from '../../protocol/schema.ts'
import type { Handler, RequestContext } from '../context.ts'
import { Deadline } from '../deadlines.ts'
import type { FetchContext, FetchOutcome, FetchTarget } from '../fetch-session.ts'
import type { LeaderEndpoints } from '../leaders.ts'
import { currentLeader } from '../leaders.ts'

const READ_COMMITTED = 1
const TOPIC_IDS_SINCE_VERSION = 13
const STORAGE_ERROR_SINCE_VERSION = 6
const LEADERS_SINCE_VERSION = 16
const REPLICA_STATE_SINCE_VERSION = 15
const noBytes = new Uint8Array(0)

export const fetchHandler: Handler<FetchRequest> = {
  apiKey: fetch.key,

  handle(context, request) {
    const { broker, version } = context
    const replicaId = version >= REPLICA_STATE_SINCE_VERSION ? request.replicaState.replicaId : request.replicaId
    const image = broker.image()
    const session = broker.fetchSessions.open(version, request, replicaId >= 0, id => image.topicsById.get(id)?.name)
    if (session.errorCode !== 0) return { errorCode: session.errorCode, sessionId: 0, responses: [] }
    new FetchOperation(context, request, session, replicaId >= 0).start()
    return undefined
  },

  failure(request, errorCode) {
    return {
      errorCode,
      sessionId: 0,
      responses: request.topics.map(topic => ({
        topic: topic.topic,
        topicId: topic.topicId,
        partitions: topic.partitions.map(partition => ({
          partitionIndex: partition.partition,
          errorCode,
          highWatermark: -1,
          abortedTransactions: null,
          records: noBytes,
        })),
      })),
    }
  },
}

/** What one partition has to say, and what the wait for it starts from. */
interface Result extends FetchOutcome {
  errorCode: KafkaErrorCode
  highWatermark: number
  lastStableOffset: number
  logStartOffset: number
  bytes: number
  diverging: boolean
  /** 0: no bytes. */
  handle: number
  divergingEpoch: { epoch: number; endOffset: number } | undefined
  aborted: ReadResult['aborted'] | null
  /** undefined: answered with an error before its log was asked. */
  partition: Partition | undefined
  /** The limit up to which it was read, and the log's byte counter at the fetch offset. */
  limit: number
  bytesStart: number
  /** Waiting: bytes that became readable, as last summed. */
  readable: number
}

class FetchOperation extends Deadline implements FetchWaiter {
  readonly #context: RequestContext
  readonly #request: FetchRequest
  readonly #session: FetchContext
  readonly #targets: readonly FetchTarget[]
  readonly #fromReplica: boolean
  readonly #isolation: number
  readonly #minBytes: number
  readonly #maxBytes: number
  #results: Result[] = []
  /** The next target to look at, the bytes that are still allowed, and the reads under way. */
  #next = 0
  #allowed = 0
  #expected = 0
  #reading = 0
  #bytes = 0
  /** Targets whose topic and partition exist: with none there is nothing to wait for. */
  #known = 0
  /** Answer with whatever the running reads bring. */
  #final: boolean
  #waiting = false
  #readableBytes = 0
  #waitingOn: Map<Partition, Result> | undefined
  #ended = false

  constructor(context: RequestContext, request: FetchRequest, session: FetchContext, fromReplica: boolean) {
    super()
    this.#context = context
    this.#request = request
    this.#session = session
    this.#targets = session.targets
    this.#fromReplica = fromReplica
    this.#isolation = request.isolationLevel === READ_COMMITTED ? 1 : 0
    this.#maxBytes = Math.min(request.maxBytes, context.broker.config.number('fetch.max.bytes'))
    this.#minBytes = Math.min(request.minBytes, this.#maxBytes)
    this.#final = request.maxWaitMs <= 0 || this.#targets.length === 0
  }

  start(): void {
    this.#attempt()
  }

  /** Looks at every target once, from the first. */
  #attempt(): void {
    this.#results = []
    this.#known = 0
    this.#next = 0
    this.#bytes = 0
    this.#expected = 0
    this.#allowed = this.#maxBytes
    this.#advance()
  }

  /** Starts as many reads as the byte limit may take; the rest follow when it is known what these brought. */
  #advance(): void {
    this.#reading++
    while (this.#next < this.#targets.length && (this.#reading === 1 || this.#expected < this.#allowed)) {
      const index = this.#next++
      this.#look(index, this.#targets[index] as FetchTarget)
    }
    this.#readEnded()
  }

  #look(index: number, target: FetchTarget): void {
    if (target.topic === undefined) {
      this.#results[index] = nothing(ErrorCode.UNKNOWN_TOPIC_ID)
      return
    }
    const known = this.#context.broker.image().topicsByName.get(target.topic)
    if (known?.partitions[target.partition] === undefined) {
      this.#results[index] = nothing(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION)
      return
    }
    this.#known++
    const partition = this.#readable(target.topic, target)
    if (typeof partition === 'number') this.#failed(index, partition)
    else this.#read(index, target, partition)
  }

  /** The partition, or why this client may not read it from that offset. */
  #readable(topic: string, target: FetchTarget): Partition | KafkaErrorCode {
    const { fetchOffset } = target
    const partition = this.#context.broker.replicas.partition(topic, target.partition)
    if (partition === undefined || this.#fromReplica) return ErrorCode.NOT_LEADER_OR_FOLLOWER
    if (this.#context.version >= TOPIC_IDS_SINCE_VERSION && partition.topicId !== target.topicId)
      return ErrorCode.INCONSISTENT_TOPIC_ID
    const refused = partition.access(target.currentLeaderEpoch, true)
    if (refused !== 0) return refused
    const outOfRange = fetchOffset < partition.logStartOffset || fetchOffset > partition.logEndOffset
    return outOfRange ? ErrorCode.OFFSET_OUT_OF_RANGE : partition
  }

  #read(index: number, target: FetchTarget, partition: Partition): void {
    const { fetchOffset } = target
    const limit = partition.limit(this.#isolation)
    const mayDiverge = target.lastFetchedEpoch >= 0 && target.lastFetchedEpoch !== partition.latestEpoch
    const full = this.#bytes > 0 && this.#allowed === 0
    if ((fetchOffset >= limit || full) && !mayDiverge) {
      const result = found(partition, this.#isolation, limit)
      result.bytesStart = partition.bytesToHighWatermark
      this.#results[index] = result
      return
    }
    this.#reading++
    const maxBytes = Math.max(0, Math.min(target.partitionMaxBytes, this.#allowed))
    this.#expected += maxBytes
    partition.read(
      {
        from: fetchOffset,
        limit: Math.max(limit, fetchOffset),
        maxBytes,
        atLeastOne: this.#bytes === 0,
        abortedList: this.#isolation === READ_COMMITTED,
        toMemory: false,
        lastFetchedEpoch: mayDiverge ? target.lastFetchedEpoch : -1,
      },
      read => this.#wasRead(index, partition, limit, maxBytes, read),
    )
  }

  #failed(index: number, errorCode: KafkaErrorCode): void {
    const result = nothing(errorCode)
    if (errorCode === ErrorCode.KAFKA_STORAGE_ERROR && this.#context.version < STORAGE_ERROR_SINCE_VERSION)
      result.errorCode = ErrorCode.NOT_LEADER_OR_FOLLOWER
    this.#results[index] = result
    this.#final = true
  }

  #wasRead(index: number, partition: Partition, limit: number, maxBytes: number, read: ReadResult): void {
    this.#expected -= maxBytes
    if (this.#ended) {
      if (read.handle !== 0) partition.log?.release(read.handle)
    } else if (read.code !== 0) {
      this.#failed(index, clientErrorCode(read.code))
    } else {
      const result = found(partition, this.#isolation, limit)
      result.bytesStart = read.bytesStart
      result.aborted = this.#isolation === READ_COMMITTED ? read.aborted : null
      if (read.diverging !== undefined) {
        result.diverging = true
        result.divergingEpoch = read.diverging
        this.#final = true
      }
      this.#results[index] = result
      if (read.handle !== 0) {
        result.handle = read.handle
        result.bytes = read.bytes
      }
    }
    this.#readEnded()
  }

  /** When the last running read has ended, takes what fits, in order, and goes on or decides. */
  #readEnded(): void {
    if (--this.#reading > 0 || this.#ended) return
    for (let index = 0; index < this.#next; index++) {
      const result = this.#results[index] as Result
      if (result.handle === 0 || result.readable > 0) continue
      const target = this.#targets[index] as FetchTarget
      if (result.bytes > Math.min(this.#allowed, target.partitionMaxBytes) && this.#bytes > 0) {
        // Only the first partition may exceed its limits; this one is read again with what is left, if that is enough.
        result.partition?.log?.release(result.handle)
        result.handle = result.bytes = 0
        if (this.#allowed > 0 && target.partitionMaxBytes > 0) this.#readLess(target, result)
        continue
      }
      result.readable = result.bytes
      this.#bytes += result.bytes
      this.#allowed = Math.max(0, this.#allowed - result.bytes)
    }
    if (this.#reading > 0) return
    if (this.#next < this.#targets.length) this.#advance()
    else this.#decide()
  }

  #readLess(target: FetchTarget, result: Result): void {
    const partition = result.partition as Partition
    const maxBytes = Math.min(this.#allowed, target.partitionMaxBytes)
    this.#allowed = 0
    this.#reading++
    const options = {
      from: target.fetchOffset,
      limit: partition.limit(this.#isolation),
      maxBytes,
      atLeastOne: false,
      abortedList: this.#isolation === READ_COMMITTED,
      toMemory: false,
      lastFetchedEpoch: -1,
    }
    partition.read(options, read => {
      if (read.handle !== 0 && (this.#ended || read.bytes > maxBytes)) partition.log?.release(read.handle)
      else if (read.handle !== 0) {
        result.handle = read.handle
        result.bytes = result.readable = read.bytes
        this.#bytes += read.bytes
      }
      this.#readEnded()
    })
  }

  #decide(): void {
    if (this.#final || this.#known === 0 || this.#bytes >= this.#minBytes) this.#answer()
    else this.#wait()
  }

  #wait(): void {
    this.#release()
    if (!this.#context.connection.open) {
      this.#ended = true
      this.#context.broker.deadlines.remove(this)
      this.#context.close('the connection has ended')
      return
    }
    if (this.list === undefined) {
      this.#context.broker.deadlines.add(this, this.#request.maxWaitMs)
      this.#context.onAbandoned(() => this.#abandon())
    }
    this.#waiting = true
    this.#waitingOn = new Map()
    this.#readableBytes = 0
    for (let index = 0; index < this.#results.length; index++) {
      const result = this.#results[index] as Result
      const { partition } = result
      if (partition === undefined) continue
      this.#waitingOn.set(partition, result)
      partition.addFetchWaiter(this)
      // The limit may have moved between the read and now.
      this.#sum(partition, result)
    }
    if (this.#readableBytes >= this.#minBytes) this.#resume(false)
  }

  #sum(partition: Partition, result: Result): void {
    let readable: number
    if (partition.limit(this.#isolation) === partition.highWatermark)
      readable = Math.max(0, partition.bytesToHighWatermark - result.bytesStart)
    // An open transaction holds the limit back and its bytes aren't counted: reading again tells.
    else readable = partition.limit(this.#isolation) > result.limit ? Infinity : 0
    this.#readableBytes += readable - result.readable
    result.readable = readable
  }

  moved(partition: Partition): void {
    if (!this.#waiting) return
    const result = this.#waitingOn?.get(partition)
    if (result === undefined) return
    this.#sum(partition, result)
    if (this.#readableBytes >= this.#minBytes) this.#resume(false)
  }

  interrupted(): void {
    if (this.#waiting) this.#resume(true)
  }

  override expired(): void {
    this.#final = true
    if (this.#waiting) this.#resume(true)
  }

  #resume(final: boolean): void {
    this.#stopWaiting()
    this.#final ||= final
    this.#attempt()
  }

  #stopWaiting(): void {
    this.#waiting = false
    for (const partition of this.#waitingOn?.keys() ?? []) partition.removeFetchWaiter(this)
    this.#waitingOn = undefined
  }

  #abandon(): void {
    this.#ended = true
    this.#stopWaiting()
    this.#context.broker.deadlines.remove(this)
    this.#release()
  }

  #release(): void {
    for (const result of this.#results) {
      if (result.handle !== 0) result.partition?.log?.release(result.handle)
      result.handle = result.bytes = result.readable = 0
    }
  }

  #answer(): void {
    this.#ended = true
    const context = this.#context
    context.broker.deadlines.remove(this)
    const { errorCode, sessionId, included } = this.#session.finish(this.#results)
    if (errorCode !== 0) this.#release()
    const leaders: LeaderEndpoints = { endpoints: [] }
    const responses: { topic: string; topicId: string; partitions: object[] }[] = []
    for (const index of included) {
      const target = this.#targets[index] as FetchTarget
      const topic = target.topic ?? ''
      let last = responses[responses.length - 1]
      if (last === undefined || last.topic !== topic || last.topicId !== target.topicId) {
        last = { topic, topicId: target.topicId, partitions: [] }
        responses.push(last)
      }
      last.partitions.push(this.#partitionAnswer(target, this.#results[index] as Result, leaders))
    }
    context.answer({ errorCode, sessionId, responses, nodeEndpoints: leaders.endpoints })
  }

  #partitionAnswer(target: FetchTarget, result: Result, leaders: LeaderEndpoints): object {
    const { errorCode, handle, bytes } = result
    const records: Part = handle === 0 ? noBytes : { handle, from: 0, length: bytes }
    const tellLeader =
      this.#context.version >= LEADERS_SINCE_VERSION &&
      (errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER || errorCode === ErrorCode.FENCED_LEADER_EPOCH)
    return {
      partitionIndex: target.partition,
      errorCode,
      highWatermark: result.highWatermark,
      lastStableOffset: result.lastStableOffset,
      logStartOffset: result.logStartOffset,
      divergingEpoch: result.divergingEpoch,
      currentLeader: tellLeader
        ? currentLeader(this.#context, target.topic ?? '', target.topicId, target.partition, leaders)
        : undefined,
      abortedTransactions: result.aborted,
      preferredReadReplica: -1,
      records,
    }
  }
}

function nothing(errorCode: KafkaErrorCode): Result {
  return {
    errorCode,
    highWatermark: -1,
    lastStableOffset: -1,
    logStartOffset: -1,
    bytes: 0,
    diverging: false,
    handle: 0,
    divergingEpoch: undefined,
    aborted: null,
    partition: undefined,
    limit: 0,
    bytesStart: 0,
    readable: 0,
  }
}

/** A partition that could be read up to `limit`. */
function found(partition: Partition, isolation: number, limit: number): Result {
  const result = nothing(0)
  result.partition = partition
  result.limit = limit
  result.highWatermark = partition.highWatermark
  result.lastStableOffset = partition.lastStableOffset
  result.logStartOffset = partition.logStartOffset
  if (isolation === READ_COMMITTED) result.aborted = []
  return result
}
