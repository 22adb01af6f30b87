/**
 * Which directory a replica lies in: where the metadata says, or where the fewest logs are.
 *
 * Invariant: a directory that the metadata names and that is none of this start is never guessed at.
 */
import type { LogDirectory } from '../log/log.ts'
import { DirectoryId } from '../metadata/records.ts'

export class Placement {
  readonly #directories: ReadonlyMap<LogDirectory, string>
  readonly #logsIn = new Map<LogDirectory, number>()

  /** Online directories, and the id of each. */
  constructor(directories: ReadonlyMap<LogDirectory, string>) {
    this.#directories = directories
    for (const directory of directories.keys()) this.#logsIn.set(directory, 0)
  }

  count(directory: LogDirectory, more: number): void {
    this.#logsIn.set(directory, (this.#logsIn.get(directory) ?? 0) + more)
  }

  /** A log went over; `from` as the engine numbers directories. */
  moved(from: number, to: LogDirectory): void {
    for (const directory of this.#directories.keys()) if (directory.id === from) this.count(directory, -1)
    this.count(to, 1)
  }

  withId(id: string | undefined): LogDirectory | undefined {
    for (const [directory, itsId] of this.#directories) if (itsId === id) return directory
    return undefined
  }

  /** The metadata names a directory, and it is none of this start. */
  isElsewhere(id: string | undefined): boolean {
    const reserved: readonly string[] = Object.values(DirectoryId)
    if (id === undefined || reserved.includes(id)) return false
    return this.withId(id) === undefined
  }

  /** The directory that the metadata names, or the one with the fewest logs. */
  directoryFor(id: string | undefined): LogDirectory {
    let best: LogDirectory | undefined
    for (const [directory, itsId] of this.#directories) {
      if (itsId === id) return directory
      const fewest = best === undefined ? Infinity : (this.#logsIn.get(best) as number)
      if (!directory.offline && (this.#logsIn.get(directory) as number) < fewest) best = directory
    }
    return best ?? ([...this.#directories.keys()][0] as LogDirectory)
  }
}
