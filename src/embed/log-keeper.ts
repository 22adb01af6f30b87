/**
 * What comes due with time in an open log: retention, recovery points, compaction. The thread that owns the log looks
 * after it; what takes long is done in the background.
 *
 * Invariants: retention and recovery points are seen to at once, and then again every five minutes. One pass
 * of compaction at a time; a log that can't be read is left alone until it is opened anew, which is told once.
 * Nothing here keeps the process alive.
 */
import type { Host, TimerId } from '../host/host.ts'
import type { CleanOptions } from '../log/log.ts'
import { Code } from '../native/engine-code.ts'
import type { OwnedLog } from '../native/owned-log.ts'

/** Kafka's log.retention.check.interval.ms. */
const TEND_MS = 300_000
/** A log whose dirt lies above its recovery point is tried again after this. */
const AGAIN_MS = 1000

/** When and how a log is compacted. */
export interface Compaction extends CleanOptions {
  /** `min.cleanable.dirty.ratio` */
  readonly minDirtyRatio: number
  /** Between two looks at it. */
  readonly backoffMs: number
}

export class LogKeeper {
  readonly #host: Host
  readonly #owned: OwnedLog
  readonly #compaction: Compaction | undefined
  readonly #onStopped: (text: string) => void
  #tending: TimerId
  #cleaning: TimerId = 0

  /**
   * `onStopped`: why the log is not compacted any more.
   * @throws EngineError when retention fails at once.
   */
  constructor(
    { host, compaction }: { readonly host: Host; readonly compaction: Compaction | undefined },
    owned: OwnedLog,
    onStopped: (text: string) => void,
  ) {
    this.#host = host
    this.#owned = owned
    this.#compaction = compaction
    this.#onStopped = onStopped
    this.#tending = this.#tend()
    if (compaction !== undefined) this.#lookAfter(0)
  }

  close(): void {
    const { timers } = this.#host
    timers.cancel(this.#tending)
    timers.cancel(this.#cleaning)
  }

  #tend(): TimerId {
    const { clock, timers } = this.#host
    this.#owned.tend(clock.wallMs())
    const again = () => {
      try {
        this.#tending = this.#tend()
      } catch {
        // A disk that fails is told of by the next call that needs it.
      }
    }
    return timers.at(clock.monotonicMs() + TEND_MS, again)
  }

  #lookAfter(delayMs: number): void {
    const { clock, timers } = this.#host
    this.#cleaning = timers.at(clock.monotonicMs() + delayMs, () => this.#look())
  }

  #look(): void {
    const compaction = this.#compaction
    if (compaction === undefined) return
    const { code, text, cleanBytes, dirtyBytes, overdueMs } = this.#owned.dirt(this.#host.clock.wallMs())
    if (code !== Code.ok) {
      this.#onStopped(text)
      return
    }
    const due = dirtyBytes > 0 && (overdueMs > 0 || dirtyBytes / (cleanBytes + dirtyBytes) > compaction.minDirtyRatio)
    if (!due) {
      this.#lookAfter(compaction.backoffMs)
      return
    }
    this.#owned.clean(this.#host.clock.wallMs(), compaction, ({ code, text, readBytes }) => {
      if (code === Code.ok) this.#lookAfter(readBytes > 0 ? 0 : AGAIN_MS)
      else if (code === Code.staleLog || code === Code.noSpace) this.#lookAfter(compaction.backoffMs)
      else this.#onStopped(text)
    })
  }
}
