/**
 * How the coordinators of this broker reach the logs of one topic: `PartitionWriter` over `Partition` and `Log`.
 *
 * Invariants: an append is told to the tenure in which it was made, or to nobody. A load is carried out in the epoch
 * that it was asked for, and fails when that has ended. While one part of the log is replayed, the next is being read.
 */
import type { BrokerConfig } from '../config/broker-config.ts'
import { topicValue } from '../config/topic-config.ts'
import type { PartitionWriter, TenureListener, Ticket } from '../coordinator/ports.ts'
import { Refusal } from '../coordinator/shard.ts'
import type { Loop } from '../host/host.ts'
import type { Appended, ReadResult } from '../log/log.ts'
import type { MetadataImage } from '../metadata/image.ts'
import { topicConfigs } from '../metadata/image.ts'
import type { Partition } from '../partition/partition.ts'
import type { AppendSink } from '../partition/ports.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import type { ReplicaPort } from './context.ts'
import { wholeBatches } from './whole-batches.ts'

export interface PartitionWriterOptions {
  /** Name of the coordinators' topic. */
  readonly topic: string
  readonly replicas: ReplicaPort
  readonly loop: Loop
  /** Bytes that a load reads at a time. */
  readonly loadBytes: number
  image(): MetadataImage
  config(): BrokerConfig
}

class Tenure implements AppendSink {
  readonly leaderEpoch: number
  readonly listener: TenureListener
  readonly partition: Partition
  ended = false

  constructor(partition: Partition, leaderEpoch: number, listener: TenureListener) {
    this.partition = partition
    this.leaderEpoch = leaderEpoch
    this.listener = listener
  }

  appended(ticket: Ticket, result: Appended): void {
    if (this.ended) return
    if (result.code === 0) this.listener.onAppended(ticket, result.end)
    else this.listener.onFailed(ticket, result.code)
  }
}

export class LogPartitionWriter implements PartitionWriter {
  readonly #options: PartitionWriterOptions
  readonly #tenures = new Map<number, Tenure>()
  #lastTicket: Ticket = 0
  #maxBytes: { image: MetadataImage; config: BrokerConfig; bytes: number } | undefined

  constructor(options: PartitionWriterOptions) {
    this.#options = options
  }

  partitionCount(): number | undefined {
    return this.#options.image().topicsByName.get(this.#options.topic)?.partitions.length
  }

  maxBatchBytes(): number {
    const image = this.#options.image()
    const config = this.#options.config()
    const known = this.#maxBytes
    if (known !== undefined && known.image === image && known.config === config) return known.bytes
    const configs = topicConfigs(image, this.#options.topic)
    const number = (name: string) => topicValue(name, configs, config) as number
    const bytes = Math.min(number('max.message.bytes'), number('segment.bytes'))
    this.#maxBytes = { image, config, bytes }
    return bytes
  }

  append(index: number, leaderEpoch: number, batch: Uint8Array, expectedBase: number): Ticket {
    const ticket = ++this.#lastTicket
    const tenure = this.#tenures.get(index)
    if (tenure === undefined || tenure.leaderEpoch !== leaderEpoch) return ticket
    const code = tenure.partition.appendAsCoordinator(batch, leaderEpoch, expectedBase, tenure, ticket)
    if (code !== ErrorCode.NONE) {
      this.#options.loop.microtask(() => {
        if (!tenure.ended) tenure.listener.onFailed(ticket, code)
      })
    }
    return ticket
  }

  listen(index: number, leaderEpoch: number, listener: TenureListener): () => void {
    const partition = this.#led(index, leaderEpoch)
    const tenure = new Tenure(partition, leaderEpoch, listener)
    const leave = partition.settle({
      highWatermarkMoved: highWatermark => listener.onHighWatermark(highWatermark),
      leadershipEnded: () => {
        end()
        listener.onLost()
      },
    })
    const end = () => {
      tenure.ended = true
      leave()
      if (this.#tenures.get(index) === tenure) this.#tenures.delete(index)
    }
    this.#tenures.set(index, tenure)
    return end
  }

  marks(index: number): { logStart: number; end: number; highWatermark: number } {
    const partition = this.#options.replicas.partition(this.#options.topic, index)
    if (partition === undefined) throw new Refusal(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    return { logStart: partition.logStartOffset, end: partition.logEndOffset, highWatermark: partition.highWatermark }
  }

  async load(
    index: number,
    leaderEpoch: number,
    onBatches: (bytes: Uint8Array) => void | Promise<void>,
  ): Promise<number> {
    await this.#options.replicas.whenReady(this.#options.topic)
    const partition = this.#led(index, leaderEpoch)
    let from = partition.logStartOffset
    let reading = this.#read(partition, from)
    for (;;) {
      const read = await reading
      this.#led(index, leaderEpoch)
      if (read.bytes.length === 0) return read.limit
      const { runs, nextOffset } = wholeBatches(read.bytes)
      if (nextOffset <= from)
        throw new Refusal(ErrorCode.CORRUPT_MESSAGE, `${partition.log?.name} holds no whole batch at offset ${from}`)
      from = nextOffset
      reading = this.#read(partition, from)
      // Whatever becomes of the next read, this part comes first.
      reading.catch(() => {})
      for (const run of runs) await onBatches(run)
    }
  }

  /** @throws Refusal unless this broker leads the partition in that epoch. */
  #led(index: number, leaderEpoch: number): Partition {
    const partition = this.#options.replicas.partition(this.#options.topic, index)
    if (partition === undefined || !partition.isLeader || partition.leaderEpoch !== leaderEpoch) {
      const code = partition?.unavailable ?? ErrorCode.NONE
      throw new Refusal(code === ErrorCode.NONE ? ErrorCode.NOT_LEADER_OR_FOLLOWER : code)
    }
    return partition
  }

  /** The bytes from `from` on; none at the log's end, `limit`. */
  async #read(partition: Partition, from: number): Promise<{ bytes: Uint8Array; limit: number }> {
    const limit = partition.logEndOffset
    if (from >= limit) return { bytes: NO_BYTES, limit }
    const options = { from, limit, maxBytes: this.#options.loadBytes, atLeastOne: true, toMemory: true }
    const result = await new Promise<ReadResult>(resolve => partition.read(options, resolve))
    if (result.code !== ErrorCode.NONE) throw new Refusal(result.code)
    const bytes = new Uint8Array(result.bytes)
    if (result.handle !== 0) {
      partition.log?.copy(result.handle, 0, bytes)
      partition.log?.release(result.handle)
    }
    return { bytes, limit }
  }
}

const NO_BYTES = new Uint8Array(0)
