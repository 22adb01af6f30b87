/**
 * The runtime of a coordinator: one shard for each partition of its topic that this broker leads.
 *
 * Invariants: operations of one shard run one after the other, in call order, and their answers leave in that
 * order, each when everything that it may have seen is committed. `writeTo` is the primitive: it promises
 * nothing and costs the least. Codes of refused appends are passed on as they are; what a client is told of them
 * is `operation-error.ts`'s.
 */
import type { MetadataDelta } from '../metadata/delta.ts'
import type { MetadataImage } from '../metadata/image.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import type { KeeperOptions } from './keeper.ts'
import { Keeper } from './keeper.ts'
import type { CoordinatorShard, Outcome } from './shard.ts'
import { Refusal } from './shard.ts'
import type { Answer } from './waiting.ts'

/** Partitions that are loaded at once. */
const LOADS_AT_ONCE = 4

export type CoordinatorRuntimeOptions<S extends CoordinatorShard<R>, R> = Omit<KeeperOptions<S, R>, 'enqueueLoad'>

export class CoordinatorRuntime<S extends CoordinatorShard<R>, R> {
  readonly #options: KeeperOptions<S, R>
  readonly #keepers = new Map<number, Keeper<S, R>>()
  readonly #loads: (() => Promise<void>)[] = []
  #loading = 0
  #closed = false

  constructor(options: CoordinatorRuntimeOptions<S, R>) {
    this.#options = { ...options, enqueueLoad: load => this.#enqueueLoad(load) }
  }

  // Leadership.

  /**
   * This broker leads `partition` since `leaderEpoch`: it is loaded (again). News older than what is known is ignored.
   */
  elected(partition: number, leaderEpoch: number): void {
    if (this.#closed) return
    let keeper = this.#keepers.get(partition)
    if (keeper === undefined) {
      keeper = new Keeper(this.#options, partition)
      this.#keepers.set(partition, keeper)
    }
    keeper.elected(leaderEpoch)
  }

  /** Somebody else leads it since `leaderEpoch`; undefined: there is no such partition any more. */
  resigned(partition: number, leaderEpoch: number | undefined): void {
    const keeper = this.#keepers.get(partition)
    if (keeper === undefined || (leaderEpoch !== undefined && leaderEpoch <= keeper.leaderEpoch)) return
    this.#keepers.delete(partition)
    keeper.close()
  }

  onMetadata(delta: MetadataDelta, image: MetadataImage): void {
    for (const keeper of this.#keepers.values()) keeper.onMetadata(delta, image)
  }

  /** Ends every shard; whoever waits is refused. */
  close(): void {
    this.#closed = true
    const keepers = [...this.#keepers.values()]
    this.#keepers.clear()
    for (const keeper of keepers) keeper.close()
  }

  #enqueueLoad(load: () => Promise<void>): void {
    this.#loads.push(load)
    if (this.#loading < LOADS_AT_ONCE) void this.#runLoads()
  }

  async #runLoads(): Promise<void> {
    this.#loading++
    for (let load = this.#loads.shift(); load !== undefined; load = this.#loads.shift()) await load()
    this.#loading--
  }

  // Operations.

  /**
   * Runs `operation` in the shard of `partition`, at once. `answer` is told its response when its records are
   * committed, or a `Refusal`: NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS, the operation's own, REQUEST_TIMED_OUT
   * after `timeoutMs` (the records may still be written then), or the code of the append that took it down.
   */
  writeTo<T>(
    partition: number,
    name: string,
    timeoutMs: number,
    operation: (shard: S) => Outcome<R, T>,
    answer: Answer<T>,
  ): void {
    const keeper = this.#keepers.get(partition)
    if (keeper === undefined) answer.refuse(new Refusal(ErrorCode.NOT_COORDINATOR))
    else keeper.write(name, timeoutMs, operation, answer)
  }

  /** As `writeTo`, by promise. */
  write<T>(partition: number, name: string, timeoutMs: number, operation: (shard: S) => Outcome<R, T>): Promise<T> {
    return new Promise((answer, refuse) => this.writeTo(partition, name, timeoutMs, operation, { answer, refuse }))
  }

  /**
   * Reads the state as it stands; the answer waits until that is committed. When it is taken back instead, the read
   * runs again. Rejects with a `Refusal`.
   */
  read<T>(partition: number, name: string, operation: (shard: S) => T): Promise<T> {
    return new Promise((answer, refuse) => {
      const keeper = this.#keepers.get(partition)
      if (keeper === undefined) refuse(new Refusal(ErrorCode.NOT_COORDINATOR))
      else keeper.read(name, operation, { answer, refuse })
    })
  }

  /** A write in every shard of this broker, also in those that refuse it because they are not loaded. */
  writeAll<T>(name: string, timeoutMs: number, operation: (shard: S) => Outcome<R, T>): Promise<T>[] {
    return this.partitions().map(partition => this.write(partition, name, timeoutMs, operation))
  }

  /** A read in every shard of this broker, also in those that refuse it because they are not loaded. */
  readAll<T>(name: string, operation: (shard: S) => T): Promise<T>[] {
    return this.partitions().map(partition => this.read(partition, name, operation))
  }

  /** The partitions that this broker was elected for, in order. */
  partitions(): number[] {
    return [...this.#keepers.keys()].sort((a, b) => a - b)
  }
}
