/**
 * Which compacted log is cleaned next: the one with the largest share of dirt, of those with enough of it or with
 * records that have waited too long. What a pass does is the log's own work; here it is only asked for.
 *
 * Invariants: a round that has cleaned something is followed by another at once. A log that has not moved since it was
 * found clean is not asked, nor one that is on its way to another directory. A log whose batches can't be read is left
 * alone until the broker starts again, and said so once.
 */
import type { Logger } from '../base/logger.ts'
import type { BrokerConfig } from '../config/broker-config.ts'
import type { Host } from '../host/host.ts'
import type { CleanOptions, LogDirt } from '../log/log.ts'
import { LogError, LogErrorCode } from '../log/log-errors.ts'
import type { Partition } from '../partition/partition.ts'
import type { Compaction } from '../partition/ports.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import type { CleaningPauses } from './cleaning-pauses.ts'
import { Rounds } from './rounds.ts'

/** Logs asked at once. */
const AT_ONCE = 64
/** A log whose dirt lies above its recovery point is tried again after this, or after the pause if that is shorter. */
const AGAIN_MS = 1000

export interface CleanerOptions {
  readonly host: Host
  readonly logger: Logger
  readonly partitions: () => Iterable<Partition>
  readonly pauses: CleaningPauses
  /** Read anew each round. */
  readonly config: () => BrokerConfig
}

/** What is remembered of a log between rounds. */
interface Known {
  /** The settings that the rest was found under. */
  compaction: Compaction | undefined
  /** Its last stable offset when nothing of it could be cleaned, nor will be before that moves; else -1. */
  cleanAt: number
  /** It could not be read; `log` is the one that couldn't. */
  unreadable: Partition['log']
  /** It was told of that there was no room. */
  noSpace: boolean
}

interface Candidate {
  readonly partition: Partition
  readonly share: number
}

export class Cleaner {
  readonly #options: CleanerOptions
  #known = new WeakMap<Partition, Known>()
  readonly #rounds: Rounds

  constructor(options: CleanerOptions) {
    this.#options = options
    this.#rounds = new Rounds(options.host, options.config().number('log.cleaner.backoff.ms'), () => this.#round())
  }

  close(): void {
    this.#rounds.close()
  }

  async #round(): Promise<number> {
    const candidates = await this.#candidates()
    candidates.sort((a, b) => b.share - a.share)
    const threads = this.#options.config().number('log.cleaner.threads')
    let cleaned = false
    let waits = false
    const work = async () => {
      for (let next = candidates.shift(); next !== undefined && !this.#rounds.closed; next = candidates.shift()) {
        const progress = await this.#clean(next.partition, threads)
        if (progress === 'cleaned') cleaned = true
        else if (progress === 'waits') waits = true
      }
    }
    await Promise.all(Array.from({ length: threads }, work))
    const backoffMs = this.#options.config().number('log.cleaner.backoff.ms')
    if (cleaned) return 0
    return waits ? Math.min(backoffMs, AGAIN_MS) : backoffMs
  }

  async #candidates(): Promise<Candidate[]> {
    const candidates: Candidate[] = []
    let together: Promise<void>[] = []
    for (const partition of this.#options.partitions()) {
      if (!this.#mayBeDirty(partition)) continue
      together.push(this.#ask(partition, candidates))
      if (together.length < AT_ONCE) continue
      await Promise.all(together)
      if (this.#rounds.closed) return []
      together = []
    }
    await Promise.all(together)
    return candidates
  }

  #mayBeDirty(partition: Partition): boolean {
    const { compaction, log } = partition
    if (compaction === undefined || log === undefined || partition.unavailable !== 0) return false
    if (this.#options.pauses.isPaused(partition)) return false
    const known = this.#known.get(partition)
    if (known === undefined) return true
    if (known.unreadable === log) return false
    return known.compaction !== compaction || known.cleanAt !== partition.lastStableOffset
  }

  async #ask(partition: Partition, candidates: Candidate[]): Promise<void> {
    const { log, compaction, lastStableOffset } = partition
    if (log === undefined || compaction === undefined) return
    let dirt: LogDirt
    try {
      dirt = await log.dirt(lastStableOffset)
    } catch (error) {
      this.#failed(partition, log, error)
      return
    }
    const { cleanBytes, dirtyBytes, overdueMs } = dirt
    const share = dirtyBytes > 0 ? dirtyBytes / (cleanBytes + dirtyBytes) : 0
    const known = this.#remember(partition)
    known.compaction = compaction
    known.cleanAt = dirtyBytes === 0 && compaction.minLagMs === 0 ? lastStableOffset : -1
    if (share > compaction.minDirtyRatio || (overdueMs > 0 && dirtyBytes > 0)) candidates.push({ partition, share })
  }

  #remember(partition: Partition): Known {
    let known = this.#known.get(partition)
    if (known === undefined) {
      known = { compaction: undefined, cleanAt: -1, unreadable: undefined, noSpace: false }
      this.#known.set(partition, known)
    }
    return known
  }

  async #clean(partition: Partition, threads: number): Promise<'cleaned' | 'waits' | 'failed'> {
    const { log } = partition
    const { pauses } = this.#options
    if (log === undefined || partition.unavailable !== 0 || pauses.isPaused(partition)) return 'failed'
    const limit = partition.lastStableOffset
    try {
      const pass = () => log.clean(limit, this.#limits(threads))
      const { readBytes, writtenBytes, cleanedTo, keylessRecords } = await pauses.run(partition, pass)
      if (readBytes === 0) return 'waits'
      this.#remember(partition).noSpace = false
      const { logger } = this.#options
      logger.debug({ readBytes, writtenBytes }, `${partition.topic}-${partition.index} is clean up to ${cleanedTo}`)
      if (keylessRecords > 0)
        logger.warn(`${partition.topic}-${partition.index}: compaction dropped ${keylessRecords} records without a key`)
      return 'cleaned'
    } catch (error) {
      this.#failed(partition, log, error)
      return 'failed'
    }
  }

  #limits(threads: number): CleanOptions {
    const config = this.#options.config()
    return {
      mapBytes: Math.floor(config.number('log.cleaner.dedupe.buffer.size') / threads),
      loadFactor: config.number('log.cleaner.io.buffer.load.factor'),
      bufferBytes: Math.floor(config.number('log.cleaner.io.buffer.size') / threads / 2),
      bytesPerSecond: config.number('log.cleaner.io.max.bytes.per.second') / threads,
    }
  }

  #failed(partition: Partition, log: Partition['log'], error: unknown): void {
    // Another may have taken its place.
    if (this.#rounds.closed || partition.unavailable !== 0 || partition.log !== log) return
    const known = this.#remember(partition)
    const name = `${partition.topic}-${partition.index}`
    if (error instanceof LogError) {
      // The log has changed under the pass, or somebody else cleans it.
      if (error.code === ErrorCode.NOT_LEADER_OR_FOLLOWER || error.code === LogErrorCode.LOCKED) return
      if (error.noSpace) {
        if (!known.noSpace) this.#options.logger.warn({ err: error }, `there is no room to compact ${name}`)
        known.noSpace = true
        return
      }
    }
    known.unreadable = partition.log
    this.#options.logger.error({ err: error }, `${name} is not compacted any more`)
  }
}
