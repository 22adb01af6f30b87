/**
 * The move of one replica to another directory of this broker: a future log is copied from the present one, batch by
 * batch, while that is served and written; once it has caught up, it takes its place.
 *
 *   copying --caught up--> swapping --> done        (swapping: appends wait)
 *   copying --stopped--> the copy stays, or goes
 *
 * Invariants: at each moment one of the two folders holds every record that was acknowledged, and a start finds out
 * which: until the metadata names the new directory, the present one; from then on the copy, which is complete and on
 * disk by then, under its future name or under the partition's own. The present folder goes last.
 */
import type { Logger } from '../base/logger.ts'
import type { Host } from '../host/host.ts'
import type { Appended, Log, LogConfig, LogDirectory, ReadResult } from '../log/log.ts'
import { Origin, Wake } from '../log/log.ts'
import { LogError } from '../log/log-errors.ts'
import type { Partition } from '../partition/partition.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import { BATCH_HEADER_BYTES, BATCH_LOG_OVERHEAD, Field } from '../records/batch.ts'

/** Bytes that are copied at a time. */
const PART_BYTES = 1 << 20
const LONGEST_PAUSE_MS = 1_000
/** Cuts by leader epochs that aligning takes at most. */
const MOST_CUTS = 100

export interface MoveOptions {
  readonly host: Host
  readonly logger: Logger
  readonly partition: Partition
  /** Where it goes. */
  readonly directory: LogDirectory
  /** Folder of the future log; it may hold what an earlier move has copied. */
  readonly folder: string
  config(): LogConfig
  /** Resolves when the log is not compacted any more. */
  ready(): Promise<void>
  /** Bytes that may be copied in a second. */
  bytesPerSecond(): number
  /** Tells the controller that the replica lies in the new directory, or (false) in the old one still. */
  assign(moved: boolean): Promise<boolean>
}

export class ReplicaMove {
  readonly #options: MoveOptions
  readonly directory: LogDirectory
  readonly folder: string
  #future: Log | undefined
  #stopped = false
  #wake: (() => void) | undefined
  #cancelTimer: (() => void) | undefined
  #ended: Promise<boolean> | undefined
  readonly #begun: Promise<void>
  #begin = (): void => {}

  constructor(options: MoveOptions) {
    this.#options = options
    this.directory = options.directory
    this.folder = options.folder
    this.#begun = new Promise(resolve => (this.#begin = resolve))
  }

  /** Resolves when the copy is there to be seen, or nothing comes of it. */
  get begun(): Promise<void> {
    return this.#begun
  }

  /** Records that the copy lacks. */
  get lag(): number {
    return Math.max(0, this.#options.partition.logEndOffset - (this.#future?.endOffset ?? 0))
  }

  /** Resolves to true when the replica has moved, to false when the move was stopped. @throws LogError and others */
  run(): Promise<boolean> {
    this.#ended ??= this.#run().finally(this.#begin)
    return this.#ended
  }

  /** Copies nothing any more. The copy is closed, and deleted unless it is kept for the next start. */
  async stop(keep: boolean): Promise<void> {
    this.#stopped = true
    this.#cancelTimer?.()
    this.#wake?.()
    const moved = await this.#ended?.catch(() => false)
    if (moved === true) return
    const future = this.#future
    this.#future = undefined
    if (keep) await future?.close(true)
    else await (future ?? (await this.#openLeft()))?.delete()
  }

  /** What a move that failed has left. */
  #openLeft(): Promise<Log | undefined> {
    const { directory, partition, folder } = this.#options
    const options = { config: this.#options.config(), topicId: partition.topicId, mustExist: true }
    return directory.open(folder, options).catch(() => undefined)
  }

  async #run(): Promise<boolean> {
    const { partition, directory, folder } = this.#options
    const source = partition.log
    if (source === undefined) return false
    const future = await directory.open(folder, { config: this.#options.config(), topicId: partition.topicId })
    this.#future = future
    this.#begin()
    if (this.#stopped) return false
    await Promise.race([this.#options.ready(), new Promise<void>(stopped => (this.#wake = stopped))])
    if (this.#stopped) return false
    await this.#align(source, future)
    const { clock } = this.#options.host
    while (!this.#stopped) {
      if (partition.log !== source || partition.unavailable !== 0) return false
      const beganMs = clock.monotonicMs()
      const bytes = await this.#copy(source, future)
      if (bytes === 0) return this.#swap(source, future)
      // The rate may be altered meanwhile.
      const dueMs = () => beganMs + (bytes / this.#options.bytesPerSecond()) * 1000
      for (let nowMs = clock.monotonicMs(); !this.#stopped && nowMs < dueMs(); nowMs = clock.monotonicMs())
        await this.#pause(Math.min(dueMs(), nowMs + LONGEST_PAUSE_MS))
    }
    return false
  }

  /** Cuts what the copy has and the source has not, or no more: after a crash each may have lost its own end. */
  async #align(source: Log, future: Log): Promise<void> {
    let epoch = future.opened.latestEpoch
    for (let cuts = 0; future.endOffset > 0 && cuts < MOST_CUTS; cuts++) {
      const found = await source.lookupEpochEnd(epoch)
      const known = found.code === ErrorCode.NONE && found.offset >= 0
      const keep = known ? Math.min(found.offset, source.endOffset) : 0
      if (keep < future.endOffset) await future.truncate(keep)
      if (!known || found.leaderEpoch === epoch) return
      epoch = found.leaderEpoch
    }
  }

  /** One part. @returns its bytes, 0 when there is nothing to copy */
  async #copy(source: Log, future: Log): Promise<number> {
    const { partition } = this.#options
    const from = Math.max(future.endOffset, source.startOffset)
    const limit = source.endOffset
    if (from >= limit) return 0
    const options = { from, limit, maxBytes: PART_BYTES, atLeastOne: true, toMemory: true }
    const read = await new Promise<ReadResult>(resolve => source.read(options, resolve))
    // Retention went on meanwhile.
    if (read.code === ErrorCode.OFFSET_OUT_OF_RANGE && source.startOffset > from) return this.#copy(source, future)
    if (read.code !== ErrorCode.NONE) throw new LogError(read.code, `${source.name} can't be read at offset ${from}`)
    const bytes = new Uint8Array(read.bytes)
    if (read.handle !== 0) {
      source.copy(read.handle, 0, bytes)
      source.release(read.handle)
    }
    const batches = [...wholeBatches(bytes)]
    const first = batches[0]
    // What the copy has, or would have had, is gone from the source; a batch may reach below the start.
    if (first !== undefined && future.endOffset < source.startOffset)
      await restartAt(future, Math.min(source.startOffset, baseOffset(first)))
    const epoch = Math.max(partition.leaderEpoch, partition.latestEpoch)
    const appended = batches.map((batch, at) => {
      const wake = at === batches.length - 1 ? Wake.appended : Wake.never
      const append = { leaderEpoch: epoch, origin: Origin.replication, wake }
      return new Promise<Appended>(resolve => future.append(batch, append, resolve))
    })
    for (const { code, message } of await Promise.all(appended)) {
      if (code !== ErrorCode.NONE) throw new LogError(code, message ?? `${future.name} does not take what is copied`)
    }
    return bytes.length
  }

  async #swap(source: Log, future: Log): Promise<boolean> {
    const { partition, directory, folder } = this.#options
    const name = source.name
    let assigned = false
    try {
      await partition.pause()
      // The last command of the source: its start and its end are final.
      await source.sync()
      for (let bytes = 1; bytes > 0; ) bytes = await this.#copy(source, future)
      if (this.#stopped || partition.unavailable !== 0) return false
      await this.#finish(source, future)
      this.#future = undefined
      await future.close(true)
      assigned = await this.#options.assign(true)
      if (!assigned) throw new LogError(ErrorCode.KAFKA_STORAGE_ERROR, 'the controller did not take the move over')
      await directory.setAside(folder, name)
      const options = { config: this.#options.config(), topicId: partition.topicId, mustExist: true, clean: true }
      partition.resume(await directory.open(name, options))
    } catch (error) {
      // The metadata may name a directory that has no replica.
      if (assigned && !(await this.#options.assign(false))) partition.fail(ErrorCode.KAFKA_STORAGE_ERROR)
      throw error
    } finally {
      if (partition.log === source) partition.resume()
    }
    await source.delete().catch(error => {
      // At the next start it is in the wrong directory, and set aside.
      this.#options.logger.warn({ err: error }, `${name} was moved and could not be deleted where it lay`)
    })
    return true
  }

  /** What the batches don't tell: an end without any of them, the start, the last leader epoch, the high watermark. */
  async #finish(source: Log, future: Log): Promise<void> {
    const { partition } = this.#options
    // All its records have been deleted.
    if (future.endOffset < source.endOffset) await restartAt(future, source.endOffset)
    if (partition.latestEpoch >= 0) {
      const began = partition.leaderEpochStartOffset
      await future.startEpoch(partition.latestEpoch, began < 0 ? future.endOffset : began)
    }
    if (source.startOffset > future.startOffset) await future.advanceStart(source.startOffset)
    future.setHighWatermark(partition.highWatermark)
  }

  /** Until `untilMs`, or until the move is stopped. */
  #pause(untilMs: number): Promise<void> {
    const { timers } = this.#options.host
    return new Promise(resolve => {
      this.#wake = resolve
      const timer = timers.at(untilMs, resolve)
      this.#cancelTimer = () => timers.cancel(timer)
    })
  }
}

/** It has no records then, and goes on at `offset`. */
async function restartAt(future: Log, offset: number): Promise<void> {
  if (future.startOffset < future.endOffset) await future.truncate(0)
  await future.truncate(offset)
}

function baseOffset(batch: Uint8Array): number {
  return Number(new DataView(batch.buffer, batch.byteOffset).getBigInt64(Field.baseOffset))
}

/** The whole batches that the bytes begin with. */
function* wholeBatches(bytes: Uint8Array): Generator<Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  for (let at = 0; at + BATCH_HEADER_BYTES <= bytes.length; ) {
    const size = view.getInt32(at + Field.length) + BATCH_LOG_OVERHEAD
    if (size < BATCH_HEADER_BYTES || at + size > bytes.length) return
    yield bytes.subarray(at, at + size)
    at += size
  }
}
