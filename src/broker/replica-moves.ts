/**
 * Which replicas of this broker are on their way to another of its directories, and what AlterReplicaLogDirs asks for.
 *
 * Invariants: one move a partition. A copy under way is listed until it has taken the place of the replica,
 * or is gone. A move that fails is tried again for as long as both directories are online; a stop keeps the
 * copy for the next start.
 */
import type { Logger } from '../base/logger.ts'
import type { Host, TimerId } from '../host/host.ts'
import type { LogConfig, LogDirectory } from '../log/log.ts'
import type { Partition } from '../partition/partition.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import type { CleaningPauses } from './cleaning-pauses.ts'
import { type Folder, futureName } from './folders.ts'
import { ReplicaMove } from './replica-move.ts'

/** A move that failed is tried again after so long. */
const AGAIN_MS = 5_000

export interface ReplicaMovesOptions {
  readonly host: Host
  readonly logger: Logger
  /** Online ones, and the id of each. */
  readonly directories: ReadonlyMap<LogDirectory, string>
  /** Paths of those that can't be used since the start. */
  readonly unusable: readonly string[]
  readonly pauses: CleaningPauses
  configOf(topic: string): LogConfig
  bytesPerSecond(): number
  assign(topicId: string, index: number, directoryId: string): Promise<number>
  /** The replica lies in `to` now. */
  onMoved(partition: Partition, from: number, to: LogDirectory): void
}

export class ReplicaMoves {
  readonly #options: ReplicaMovesOptions
  readonly #moves = new Map<Partition, ReplicaMove>()
  /** Where a partition that is not here yet shall be created, by its folder. */
  readonly #preferred = new Map<string, LogDirectory>()
  readonly #again = new Set<TimerId>()
  #closed = false

  constructor(options: ReplicaMovesOptions) {
    this.#options = options
  }

  /** By the name of the copy's folder. */
  find(folder: string): { partition: Partition; move: ReplicaMove } | undefined {
    for (const [partition, move] of this.#moves) if (move.folder === folder) return { partition, move }
    return undefined
  }

  takePreferred(folder: string): LogDirectory | undefined {
    const directory = this.#preferred.get(folder)
    this.#preferred.delete(folder)
    return directory?.offline === false ? directory : undefined
  }

  /**
   * Lets the replica go to the directory at `path`. `exists`: the metadata has the partition.
   * @returns Kafka's code; the copy is there by then, and hardly anything in it
   */
  async alter(
    topic: string,
    index: number,
    path: string,
    find: () => Partition | undefined,
    exists: () => boolean,
  ): Promise<(typeof ErrorCode)[keyof typeof ErrorCode]> {
    const { host, directories, unusable } = this.#options
    const name = `${topic}-${index}`
    const folder = futureName(host, name)
    if (folder === undefined) return ErrorCode.INVALID_TOPIC_EXCEPTION
    if (unusable.some(each => trimmed(each) === trimmed(path))) return ErrorCode.KAFKA_STORAGE_ERROR
    const directory = [...directories.keys()].find(each => trimmed(each.path) === trimmed(path))
    if (directory === undefined) return ErrorCode.LOG_DIR_NOT_FOUND
    if (directory.offline) return ErrorCode.KAFKA_STORAGE_ERROR
    const under = find()
    const underWay = under && this.#moves.get(under)
    if (under !== undefined && underWay !== undefined && underWay.directory !== directory) await this.stop(under, false)
    const partition = find()
    if (partition === undefined) {
      this.#preferred.set(name, directory)
      return exists() ? ErrorCode.REPLICA_NOT_AVAILABLE : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION
    }
    if (partition.log === undefined || partition.unavailable !== 0) {
      const { unavailable } = partition
      return unavailable === ErrorCode.KAFKA_STORAGE_ERROR ? unavailable : ErrorCode.REPLICA_NOT_AVAILABLE
    }
    if (partition.log.directory === directory.id || this.#moves.has(partition)) return ErrorCode.NONE
    if (unusable.length > 0 || [...directories.keys()].some(each => each.offline)) return ErrorCode.KAFKA_STORAGE_ERROR
    this.begin(partition, { directory, name: folder })
    // Who asks how far it has come and finds no copy takes it for cancelled.
    await this.#moves.get(partition)?.begun
    return ErrorCode.NONE
  }

  /** Begins a move, or goes on with one whose copy is there. */
  begin(partition: Partition, { directory, name }: Folder): void {
    const { host, logger, directories, pauses, bytesPerSecond, assign, configOf, onMoved } = this.#options
    const from = partition.log?.directory ?? -1
    const source = [...directories].find(([each]) => each.id === from)
    const { topic, topicId, index } = partition
    const move = new ReplicaMove({
      host,
      logger,
      partition,
      directory,
      folder: name,
      bytesPerSecond,
      config: () => configOf(topic),
      ready: () => pauses.pause(partition),
      assign: async moved => {
        const id = moved ? directories.get(directory) : source?.[1]
        return id !== undefined && (await assign(topicId, index, id)) === ErrorCode.NONE
      },
    })
    this.#moves.set(partition, move)
    void move.run().then(
      moved => {
        if (this.#moves.get(partition) === move) this.#forget(partition)
        if (!moved) return
        onMoved(partition, from, directory)
        logger.info(`${topic}-${index} lies in ${directory.path} now`)
      },
      error => this.#failed(partition, move, error, source?.[0]),
    )
  }

  #failed(partition: Partition, move: ReplicaMove, error: unknown, source: LogDirectory | undefined): void {
    if (this.#closed || this.#moves.get(partition) !== move) return
    const { host, logger } = this.#options
    const text = error instanceof Error ? error.message : String(error)
    logger.error({ err: error }, `${partition.topic}-${partition.index} can't go to ${move.directory.path}: ${text}`)
    if (move.directory.offline || source === undefined || source.offline || partition.unavailable !== 0) {
      this.#forget(partition)
      return
    }
    const timer = host.timers.at(host.clock.monotonicMs() + AGAIN_MS, () => {
      this.#again.delete(timer)
      if (this.#closed || this.#moves.get(partition) !== move) return
      void move.stop(true).then(() => this.begin(partition, { directory: move.directory, name: move.folder }))
    })
    this.#again.add(timer)
  }

  #forget(partition: Partition): void {
    this.#moves.delete(partition)
    this.#options.pauses.resume(partition)
  }

  /** Resolves when nothing is copied any more; the copy is gone, unless it is kept. */
  async stop(partition: Partition, keep: boolean): Promise<void> {
    const move = this.#moves.get(partition)
    if (move === undefined) return
    this.#forget(partition)
    await move.stop(keep).catch(error => {
      const text = error instanceof Error ? error.message : String(error)
      this.#options.logger.error({ err: error }, `the copy ${move.folder} was not closed: ${text}`)
    })
  }

  /** The copies stay for the next start. */
  async close(): Promise<void> {
    this.#closed = true
    for (const timer of this.#again) this.#options.host.timers.cancel(timer)
    this.#again.clear()
    await Promise.all([...this.#moves.keys()].map(partition => this.stop(partition, true)))
  }
}

function trimmed(path: string): string {
  return path.length > 1 ? path.replace(/\/+$/, '') : path
}
