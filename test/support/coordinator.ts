/**
 * A coordinator in memory: the real runtime on a simulated host, its log an array of batches.
 *
 * Invariants: deterministic for a seed; an append is written in one turn of the simulated loop and committed
 * in a later one, both after the call; what is in the log outlives every runtime, so that a coordinator can
 * be loaded from it again.
 */
import type { Logger } from '../../src/base/logger.ts'
import { silentLogger } from '../../src/base/logger.ts'
import type { ListenFirst, PartitionWriter, TenureListener, Ticket } from '../../src/coordinator/ports.ts'
import { CoordinatorRuntime } from '../../src/coordinator/runtime.ts'
import type { CoordinatorShard, Outcome, RecordSerde, ShardContext } from '../../src/coordinator/shard.ts'
import { Refusal } from '../../src/coordinator/shard.ts'
import type { Host } from '../../src/host/host.ts'
import { SimulatedHost } from '../../src/host/simulated.ts'
import { LogErrorCode } from '../../src/log/log-errors.ts'
import type { MetadataImage } from '../../src/metadata/image.ts'
import { emptyImage } from '../../src/metadata/image.ts'
import type { KafkaErrorCode } from '../../src/protocol/error-codes.ts'
import { ErrorCode } from '../../src/protocol/error-codes.ts'
import { BatchView } from '../../src/records/batch.ts'
import { buildBatch } from '../../src/records/builder.ts'
import type { BatchRecord } from '../../src/records/iterate.ts'
import { recordsOf } from '../../src/records/iterate.ts'

interface MemoryPartition {
  readonly batches: Uint8Array[]
  highWatermark: number
  leaderEpoch: number
  listener: TenureListener | undefined
  /** Appends that are not written yet. */
  readonly queued: { ticket: Ticket; bytes: Uint8Array; expectedBase: number; listener: TenureListener | undefined }[]
}

const endOf = (batch: Uint8Array): number => BatchView.at(batch, 0)!.lastOffset + 1

export class MemoryWriter implements PartitionWriter {
  readonly #host: Host
  readonly #partitions: MemoryPartition[]
  #ticket = 0
  maxBytes = 1_048_588
  /** Called for each append; a code refuses it. */
  plan: (batch: BatchView) => KafkaErrorCode = () => ErrorCode.NONE
  /** Appends are not written before this is cleared and `resume` is called. */
  holdAppends = false
  /** What is written is not committed before this is cleared and `resume` is called. */
  holdCommits = false
  /** Called at the start of each load; a code fails it. */
  planLoad: () => KafkaErrorCode = () => ErrorCode.NONE
  /** Called when a load has read everything, before it says so. */
  afterLoad: () => void = () => {}

  constructor(host: Host, partitions: number) {
    this.#host = host
    this.#partitions = Array.from({ length: partitions }, () => ({
      batches: [],
      highWatermark: 0,
      leaderEpoch: 0,
      listener: undefined,
      queued: [],
    }))
  }

  maxBatchBytes(): number {
    return this.maxBytes
  }

  partitionCount(): number {
    return this.#partitions.length
  }

  append(partition: number, leaderEpoch: number, batch: Uint8Array, expectedBase: number): Ticket {
    const at = this.#at(partition)
    const ticket = ++this.#ticket
    const listener = leaderEpoch === at.leaderEpoch ? at.listener : undefined
    at.queued.push({ ticket, bytes: batch.slice(), expectedBase, listener })
    this.#host.loop.yield(() => this.#write(at))
    return ticket
  }

  listen(partition: number, leaderEpoch: number, listener: TenureListener): () => void {
    const at = this.#at(partition)
    if (leaderEpoch !== at.leaderEpoch) throw new Refusal(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    at.listener = listener
    return () => {
      if (at.listener === listener) at.listener = undefined
    }
  }

  marks(partition: number): { logStart: number; end: number; highWatermark: number } {
    const at = this.#at(partition)
    return { logStart: 0, end: this.#end(at), highWatermark: at.highWatermark }
  }

  async load(
    partition: number,
    leaderEpoch: number,
    onBatches: (bytes: Uint8Array) => void | Promise<void>,
  ): Promise<number> {
    await new Promise<void>(resolve => this.#host.loop.yield(resolve))
    const code = this.planLoad()
    const at = this.#at(partition)
    if (code !== ErrorCode.NONE) throw new Refusal(code)
    if (leaderEpoch !== at.leaderEpoch) throw new Refusal(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    // What an earlier leadership has queued is written first, as in a log that carries its commands out in order.
    while (at.queued.length > 0) this.#writeNext(at)
    let end = 0
    for (let index = 0; index < at.batches.length; index++) {
      const batch = at.batches[index] as Uint8Array
      await onBatches(batch.slice())
      end = endOf(batch)
    }
    this.afterLoad()
    return end
  }

  /** Goes on with what was held. */
  resume(): void {
    for (const at of this.#partitions) {
      for (let queued = at.queued.length; queued > 0; queued--) this.#host.loop.yield(() => this.#write(at))
      this.#host.loop.yield(() => this.#commit(at))
    }
  }

  /** Commits what is written, at once. */
  commitNow(): void {
    for (const at of this.#partitions) this.#commit(at)
  }

  /** Another leadership begins: the present one hears of its end, and nothing after it. */
  lose(partition: number): number {
    const at = this.#at(partition)
    at.leaderEpoch++
    const { listener } = at
    at.listener = undefined
    listener?.onLost()
    return at.leaderEpoch
  }

  leaderEpoch(partition: number): number {
    return this.#at(partition).leaderEpoch
  }

  /** Puts a batch into the log behind everybody's back; it is committed like others. */
  intrude(partition: number, batch: Uint8Array): void {
    const at = this.#at(partition)
    at.batches.push(batch)
    this.#host.loop.yield(() => this.#commit(at))
  }

  /** Everything in the log. */
  records(partition: number): BatchRecord[] {
    return this.#at(partition).batches.flatMap(batch => [...recordsOf(BatchView.at(batch, 0)!)])
  }

  batches(partition: number): readonly Uint8Array[] {
    return this.#at(partition).batches
  }

  #at(partition: number): MemoryPartition {
    const at = this.#partitions[partition]
    if (at === undefined) throw new Refusal(ErrorCode.NOT_LEADER_OR_FOLLOWER)
    return at
  }

  #end(at: MemoryPartition): number {
    const last = at.batches.at(-1)
    return last === undefined ? 0 : endOf(last)
  }

  #write(at: MemoryPartition): void {
    if (!this.holdAppends) this.#writeNext(at)
  }

  #writeNext(at: MemoryPartition): void {
    const append = at.queued.shift()
    if (append === undefined) return
    const { ticket, bytes, expectedBase } = append
    const listener = append.listener === at.listener ? at.listener : undefined
    const mismatch = expectedBase !== this.#end(at)
    const planned = mismatch ? ErrorCode.NONE : this.plan(BatchView.at(bytes, 0)!)
    if (mismatch || planned !== ErrorCode.NONE) {
      listener?.onFailed(ticket, mismatch ? LogErrorCode.OFFSET_MISMATCH : planned)
      return
    }
    at.batches.push(bytes)
    listener?.onAppended(ticket, this.#end(at))
    this.#host.loop.yield(() => this.#commit(at))
  }

  #commit(at: MemoryPartition): void {
    if (this.holdCommits) return
    const end = this.#end(at)
    if (end <= at.highWatermark) return
    at.highWatermark = end
    at.listener?.onHighWatermark(end)
  }
}

export interface RigOptions<S extends CoordinatorShard<R>, R> {
  readonly serde: RecordSerde<R>
  readonly makeShard: (context: ShardContext<R>, host: Host) => S
  readonly seed?: number
  readonly partitions?: number
  readonly image?: () => MetadataImage
  readonly lingerMs?: () => number
  readonly logger?: Logger
}

/** A runtime over a `MemoryWriter`, driven by hand. */
export class CoordinatorRig<S extends CoordinatorShard<R>, R> {
  readonly host: SimulatedHost
  readonly writer: MemoryWriter
  /** The shard of each partition that was made last. */
  readonly shards = new Map<number, S>()
  runtime: CoordinatorRuntime<S, R>
  readonly #options: RigOptions<S, R>

  constructor(options: RigOptions<S, R>) {
    this.#options = options
    this.host = new SimulatedHost({ seed: options.seed ?? 1 })
    this.writer = new MemoryWriter(this.host, options.partitions ?? 1)
    this.runtime = this.#makeRuntime()
  }

  #makeRuntime(): CoordinatorRuntime<S, R> {
    const { serde, makeShard, image, lingerMs, logger } = this.#options
    const listenFirst: ListenFirst = { whenHeard: done => this.host.loop.yield(done) }
    return new CoordinatorRuntime<S, R>({
      host: this.host,
      logger: logger ?? silentLogger,
      writer: this.writer,
      serde,
      listenFirst,
      makeShard: context => {
        const shard = makeShard(context, this.host)
        this.shards.set(context.partition, shard)
        return shard
      },
      image: image ?? (() => emptyImage),
      topic: '__memory',
      lingerMs: lingerMs ?? (() => -1),
      timerPatienceMs: () => 5_000,
    })
  }

  /** Elects the runtime for every partition and loads them. */
  async start(): Promise<this> {
    for (let partition = 0; partition < this.writer.partitionCount(); partition++)
      this.runtime.elected(partition, this.writer.leaderEpoch(partition))
    await this.host.settle()
    return this
  }

  shard(partition = 0): S {
    const shard = this.shards.get(partition)
    if (shard === undefined) throw new TypeError(`partition ${partition} has no shard`)
    return shard
  }

  /** The leadership of `partition` goes and comes back: its shard is loaded from the log. */
  async reload(partition = 0): Promise<S> {
    this.runtime.elected(partition, this.writer.lose(partition))
    await this.host.settle()
    return this.shard(partition)
  }

  /** The broker dies and comes back: every partition is loaded by another runtime. */
  async restart(): Promise<void> {
    const before = this.runtime
    for (let partition = 0; partition < this.writer.partitionCount(); partition++) this.writer.lose(partition)
    before.close()
    this.runtime = this.#makeRuntime()
    await this.start()
  }

  /** Appends a record behind the back of whoever leads `partition`. */
  intrude(record: R, partition = 0): void {
    const { key, value } = this.#options.serde.serialize(record)
    const { end } = this.writer.marks(partition)
    this.writer.intrude(partition, buildBatch([{ key, value }], { baseOffset: end, leaderEpoch: 0, timestamp: 0n }))
  }

  /** Begins a write and lets it come to its end. */
  async write<T>(operation: (shard: S) => Outcome<R, T>, partition = 0, timeoutMs = 5_000): Promise<T> {
    const done = this.runtime.write(partition, 'test', timeoutMs, operation)
    done.catch(() => {})
    await this.host.settle()
    return done
  }

  async read<T>(operation: (shard: S) => T, partition = 0): Promise<T> {
    const done = this.runtime.read(partition, 'test', operation)
    done.catch(() => {})
    await this.host.settle()
    return done
  }
}
