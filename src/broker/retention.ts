/**
 * When retention runs: a while after the start, then every `log.retention.check.interval.ms`. Each directory
 * is asked which of its logs have anything to let go of, and only those are told to: at rest a hundred
 * thousand cost one question.
 *
 * Invariant: a log that fails says so itself.
 */
import type { Host } from '../host/host.ts'
import type { LogDirectory } from '../log/log.ts'
import type { Partition } from '../partition/partition.ts'
import { Rounds } from './rounds.ts'

/** Partitions asked at once. */
const AT_ONCE = 64

export interface RetentionOptions {
  readonly host: Host
  readonly directories: readonly LogDirectory[]
  /** Whose log lies in the folder. */
  readonly partitionIn: (folder: string) => Partition | undefined
  readonly initialDelayMs: number
  readonly intervalMs: number
  /** A log could not be asked. */
  readonly onFailed: (partition: Partition, error: unknown) => void
}

export class Retention {
  readonly #options: RetentionOptions
  readonly #rounds: Rounds

  constructor(options: RetentionOptions) {
    this.#options = options
    this.#rounds = new Rounds(options.host, options.initialDelayMs, () => this.#round())
  }

  close(): void {
    this.#rounds.close()
  }

  async #round(): Promise<number> {
    for (const directory of this.#options.directories) if (!directory.offline) await this.#directory(directory)
    return this.#options.intervalMs
  }

  async #directory(directory: LogDirectory): Promise<void> {
    // One that fails says so itself.
    const folders = await directory.due().catch(() => [])
    for (let from = 0; from < folders.length && !this.#rounds.closed; from += AT_ONCE)
      await Promise.all(folders.slice(from, from + AT_ONCE).map(folder => this.#retain(folder)))
  }

  async #retain(folder: string): Promise<void> {
    const partition = this.#options.partitionIn(folder)
    try {
      await partition?.retain()
    } catch (error) {
      if (partition !== undefined && !this.#rounds.closed && partition.unavailable === 0)
        this.#options.onFailed(partition, error)
    }
  }
}
