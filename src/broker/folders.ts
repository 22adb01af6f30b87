/**
 * What lies in the log directories at start: folders of partitions, and of the copies that a move to another directory
 * had under way (`<topic>-<partition>.<32 hex digits>-future`).
 *
 * Invariants: each folder is taken once, by the partition that it belongs to, or left over. A partition that lies in
 * two directories is that of the directory which the metadata names.
 */
import type { Host } from '../host/host.ts'
import { futureOf } from '../log/folder-names.ts'
import type { LogDirectory } from '../log/log.ts'
import { topicIdIn } from '../log/topic-id.ts'
import { METADATA_FOLDER } from '../raft/survey.ts'

/** Bytes of a folder's name. */
const LONGEST_NAME = 255

export interface Folder {
  readonly directory: LogDirectory
  readonly name: string
}

/** Where a partition's folder lies, and of which topic it is, which is looked up where there are two of its name. */
interface Place {
  readonly directory: LogDirectory
  topicId: string | undefined
}

/** A name that no folder has; undefined where it would be too long. */
export function futureName(host: Host, folder: string): string | undefined {
  const name = `${folder}.${unique(host)}-future`
  return name.length > LONGEST_NAME ? undefined : name
}

/** Under this name a folder is nobody's. */
export function strayName(host: Host, folder: string): string {
  const suffix = `.${unique(host)}-stray`
  return folder.slice(0, LONGEST_NAME - suffix.length) + suffix
}

function unique(host: Host): string {
  return Array.from(host.random.bytes(16), byte => byte.toString(16).padStart(2, '0')).join('')
}

export class Folders {
  /** By the partition's folder. */
  readonly #present = new Map<string, Place[]>()
  readonly #futures = new Map<string, Folder[]>()

  static async read(directories: Iterable<LogDirectory>): Promise<Folders> {
    const folders = new Folders()
    for (const directory of directories) {
      for (const name of await directory.partitionFolders()) {
        const future = futureOf(name)
        if (future !== undefined) add(folders.#futures, future, { directory, name })
        else if (name !== METADATA_FOLDER) add(folders.#present, name, { directory, topicId: undefined })
      }
    }
    for (const [folder, places] of folders.#present) {
      if (places.length === 1) continue
      for (const place of places) place.topicId = await topicIdIn(place.directory, folder)
    }
    return folders
  }

  /** Where the partition lies: of several places that of its topic, and of those `preferred`. */
  take(folder: string, topicId: string, preferred: LogDirectory | undefined): LogDirectory | undefined {
    const places = this.#present.get(folder)
    if (places === undefined) return undefined
    const own = places.filter(place => place.topicId === topicId)
    const from = own.length > 0 ? own : places
    const taken = from.find(({ directory }) => directory === preferred) ?? (from[0] as Place)
    places.splice(places.indexOf(taken), 1)
    if (places.length === 0) this.#present.delete(folder)
    return taken.directory
  }

  /** A copy of the partition on its way from `present` to another directory. */
  takeFuture(folder: string, present: LogDirectory): Folder | undefined {
    return this.#takeFuture(folder, future => future.directory !== present)
  }

  /**
   * A copy that is all that `directory`, which the metadata names, has of the partition: its move lacked but the names.
   */
  takeAbandoned(folder: string, directory: LogDirectory): Folder | undefined {
    if (this.#present.get(folder)?.some(place => place.directory === directory)) return undefined
    return this.#takeFuture(folder, future => future.directory === directory)
  }

  #takeFuture(folder: string, is: (future: Folder) => boolean): Folder | undefined {
    const futures = this.#futures.get(folder)
    const at = futures?.findIndex(is) ?? -1
    if (futures === undefined || at < 0) return undefined
    const [taken] = futures.splice(at, 1)
    if (futures.length === 0) this.#futures.delete(folder)
    return taken
  }

  /** What nobody has taken; it is given once. */
  takeRest(): Folder[] {
    const rest = [...this.#futures.values()].flat()
    for (const [name, places] of this.#present) for (const { directory } of places) rest.push({ directory, name })
    this.#present.clear()
    this.#futures.clear()
    return rest
  }
}

function add<Value>(lists: Map<string, Value[]>, key: string, value: Value): void {
  const known = lists.get(key)
  if (known === undefined) lists.set(key, [value])
  else known.push(value)
}
