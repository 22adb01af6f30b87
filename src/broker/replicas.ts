/**
 * The partitions that this broker holds: follows the metadata image, opens, configures and deletes their logs, and hands
 * leadership down.
 *
 * Invariants: one `Partition` for each replica of this broker in the image; it exists from the moment the image has it,
 * and gets its log when that is open. Logs are opened and closed many at once, but not all. What lies in a directory and
 * is not in the image is renamed, never deleted. A deletion that arrives while its log is being opened happens after it.
 */
import { assert } from '../base/assert.ts'
import type { Logger } from '../base/logger.ts'
import type { BrokerConfig } from '../config/broker-config.ts'
import { drawJitter, logConfigFor, topicValue } from '../config/topic-config.ts'
import type { Host, TimerId } from '../host/host.ts'
import type { Log, LogConfig, LogDirectory, OpenOptions } from '../log/log.ts'
import { clientErrorCode, LogError } from '../log/log-errors.ts'
import type { MetadataDelta } from '../metadata/delta.ts'
import type { MetadataImage, TopicImage } from '../metadata/image.ts'
import { topicConfigs } from '../metadata/image.ts'
import { DirectoryId } from '../metadata/records.ts'
import { Partition, type PartitionSettings } from '../partition/partition.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import { METADATA_FOLDER } from '../raft/survey.ts'
import type { LogDirectoryContent, ReplicaPort } from './context.ts'

/** Logs that are opened, or closed, at once: enough for every thread of the engine to take many together. */
const AT_ONCE = 512
/** A log that found the disk full is opened again after so long. */
const AGAIN_MS = 2_000
/** Bytes of a folder's name. */
const LONGEST_NAME = 255

interface Topic {
  readonly id: string
  readonly partitions: (Partition | undefined)[]
  opening: number
  /** Who waits for `opening` to be 0. */
  waiting: (() => void)[]
}

/** A log that waits to be opened. There may be a hundred thousand of them at a start: no closure, no configs. */
interface Opening {
  readonly directory: LogDirectory
  readonly topic: Topic
  readonly partition: Partition
  /** The first try. */
  readonly isFirst: boolean
}

type Task = Opening | (() => Promise<void>)

/** What a topic's configs and the broker's make together. */
interface Settings {
  readonly configs: ReadonlyMap<string, string>
  readonly broker: BrokerConfig
  /** Its jitter is the greatest that may be drawn. */
  readonly log: LogConfig
  readonly partition: PartitionSettings
}

export interface ReplicasOptions {
  readonly host: Host
  readonly logger: Logger
  /** The static configuration; what the image changes lies over it. */
  readonly config: BrokerConfig
  readonly nodeId: number
  /** Online directories, and the id of each. */
  readonly directories: ReadonlyMap<LogDirectory, string>
  /** The same, and those that are offline. */
  readonly allDirectories: readonly LogDirectory[]
}

export class Replicas implements ReplicaPort {
  readonly name = 'replicas'
  readonly #options: ReplicasOptions
  #config: BrokerConfig
  readonly #topics = new Map<string, Topic>()
  /** Folders that lie on a disk and whose partition the image has not named (yet), and where. */
  readonly #folders = new Map<string, LogDirectory>()
  readonly #logsIn = new Map<LogDirectory, number>()
  #queue: Task[] = []
  /** Tasks of the queue that have been taken. */
  #taken = 0
  #running = 0
  #idleWaiting: (() => void)[] = []
  /** Openings that wait for room on their disk. */
  readonly #again = new Set<TimerId>()
  /** As last published. */
  #image: MetadataImage | undefined
  #settings: Settings | undefined
  #recovered = { logs: 0, cutRecords: 0, cutBytes: 0 }

  private constructor(options: ReplicasOptions) {
    this.#options = options
    this.#config = options.config
  }

  /** Reads what lies in the directories; opens nothing before the first `publish`. */
  static async create(options: ReplicasOptions): Promise<Replicas> {
    const replicas = new Replicas(options)
    for (const directory of options.directories.keys()) {
      replicas.#logsIn.set(directory, 0)
      for (const folder of await directory.partitionFolders()) {
        if (folder !== METADATA_FOLDER) replicas.#folders.set(folder, directory)
      }
    }
    return replicas
  }

  /** Static configuration with what the image has changed. */
  get config(): BrokerConfig {
    return this.#config
  }

  get count(): { topics: number; partitions: number } {
    let partitions = 0
    for (const topic of this.#topics.values()) partitions += topic.partitions.length
    return { topics: this.#topics.size, partitions }
  }

  /** Logs that were read through at start because the last stop was not clean, and what was cut from them. */
  get recovered(): { readonly logs: number; readonly cutRecords: number; readonly cutBytes: number } {
    return this.#recovered
  }

  /**
   * After the first image: renames the folders on disk that no partition of it belongs to, as Kafka does, so that a topic
   * that takes the name later finds it free. Nothing is deleted. @returns their new names.
   */
  async setStraysAside(): Promise<string[]> {
    const names: string[] = []
    for (const [folder, directory] of [...this.#folders]) {
      this.#folders.delete(folder)
      try {
        names.push(await this.#setAside(directory, folder))
      } catch (error) {
        this.#say(error, `${folder} belongs to no topic and could not be renamed`)
      }
    }
    return names
  }

  async #setAside(directory: LogDirectory, folder: string): Promise<string> {
    const unique = Array.from(this.#options.host.random.bytes(16), byte => byte.toString(16).padStart(2, '0')).join('')
    const suffix = `.${unique}-stray`
    const name = folder.slice(0, LONGEST_NAME - suffix.length) + suffix
    await directory.setAside(folder, name)
    return name
  }

  partition(topic: string, index: number): Partition | undefined {
    return this.#topics.get(topic)?.partitions[index]
  }

  *partitions(): Iterable<Partition> {
    for (const topic of this.#topics.values()) {
      for (const partition of topic.partitions) if (partition !== undefined) yield partition
    }
  }

  logDirectories(): LogDirectoryContent[] {
    return this.#options.allDirectories.map(directory => {
      const { path } = directory
      try {
        const { names, sizes, totalBytes, usableBytes } = directory.use()
        const logs = names.flatMap((folder, at) => {
          if (folder === METADATA_FOLDER) return []
          const dash = folder.lastIndexOf('-')
          return [{ topic: folder.slice(0, dash), index: Number(folder.slice(dash + 1)), bytes: sizes[at] as number }]
        })
        return { path, errorCode: ErrorCode.NONE, logs, totalBytes, usableBytes }
      } catch (error) {
        this.#say(error, `${path} can't be described`)
        return { path, errorCode: ErrorCode.KAFKA_STORAGE_ERROR, logs: [], totalBytes: -1, usableBytes: -1 }
      }
    })
  }

  whenReady(name: string): Promise<void> {
    const topic = this.#topics.get(name)
    if (topic === undefined || topic.opening === 0) return Promise.resolve()
    return new Promise(resolve => topic.waiting.push(resolve))
  }

  /** Resolves when nothing is being opened, closed or deleted. */
  whenIdle(): Promise<void> {
    if (this.#running === 0) return Promise.resolve()
    return new Promise(resolve => this.#idleWaiting.push(resolve))
  }

  publish(delta: MetadataDelta, image: MetadataImage): void {
    this.#image = image
    this.#reconfigureBroker(delta, image)
    for (const topic of delta.deletedTopics.values()) this.#delete(topic)
    for (const id of delta.changedTopics) {
      const topic = image.topicsById.get(id)
      if (topic !== undefined) this.#follow(topic)
    }
    for (const key of delta.changedConfigs) {
      if (key.startsWith('topic:')) this.#reconfigureTopic(key.slice('topic:'.length))
    }
  }

  #reconfigureBroker(delta: MetadataDelta, image: MetadataImage): void {
    const own = `broker:${this.#options.nodeId}`
    if (!delta.changedConfigs.has(own) && !delta.changedConfigs.has('broker:')) return
    const none = new Map<string, string>()
    this.#config = this.#options.config.withDynamic(
      image.configs.get('broker:') ?? none,
      image.configs.get(own) ?? none,
    )
    for (const name of this.#topics.keys()) this.#reconfigureTopic(name)
  }

  #reconfigureTopic(name: string): void {
    for (const partition of this.#topics.get(name)?.partitions ?? []) {
      if (partition?.log !== undefined) this.#reconfigure(partition)
    }
  }

  #reconfigure(partition: Partition): void {
    const image = this.#image as MetadataImage
    partition.configure(this.#partitionSettings(partition.topic, image))
    partition.log
      ?.configure(this.#logConfig(partition.topic, image))
      .catch(error => this.#say(error, `${partition.topic}-${partition.index} keeps its old configs`))
  }

  /** With the jitter of one log. */
  #logConfig(topic: string, image: MetadataImage): LogConfig {
    return drawJitter(this.#settingsOf(topic, image).log, () => this.#options.host.random.u32())
  }

  #partitionSettings(topic: string, image: MetadataImage): PartitionSettings {
    return this.#settingsOf(topic, image).partition
  }

  /** Worked out once for all partitions that come with the same configs one after another. */
  #settingsOf(topic: string, image: MetadataImage): Settings {
    const configs = topicConfigs(image, topic)
    const last = this.#settings
    if (last !== undefined && last.configs === configs && last.broker === this.#config) return last
    const log = logConfigFor(configs, this.#config)
    const minInSyncReplicas = topicValue('min.insync.replicas', configs, this.#config) as number
    const minDirtyRatio = topicValue('min.cleanable.dirty.ratio', configs, this.#config) as number
    const compaction = log.compacted ? { minDirtyRatio, minLagMs: log.minCompactionLagMs } : undefined
    const { timestampType } = log
    const partition = { flush: this.#config.flush, minInSyncReplicas, timestampType, compaction }
    this.#settings = { configs, broker: this.#config, log, partition }
    return this.#settings
  }

  #follow(image: TopicImage): void {
    let topic = this.#topics.get(image.name)
    if (topic === undefined) {
      topic = { id: image.id, partitions: [], opening: 0, waiting: [] }
      this.#topics.set(image.name, topic)
    }
    assert(topic.id === image.id, 'a topic is deleted before another one takes its name')
    for (const [index, state] of image.partitions.entries()) {
      const place = state.replicas.indexOf(this.#options.nodeId)
      if (place < 0) continue
      let partition = topic.partitions[index]
      if (partition === undefined) {
        partition = new Partition(image.name, image.id, index, this.#options.nodeId)
        topic.partitions[index] = partition
        partition.lead(state)
        this.#open(topic, partition, state.directories[place])
      } else partition.lead(state)
    }
  }

  #open(topic: Topic, partition: Partition, directoryId: string | undefined): void {
    const folder = `${partition.topic}-${partition.index}`
    const existing = this.#folders.get(folder)
    if (existing === undefined && this.#isElsewhere(directoryId)) {
      // An empty log in its place would hide what it holds.
      partition.fail(ErrorCode.KAFKA_STORAGE_ERROR)
      const text = `it lies in the directory with directory.id=${directoryId}, which log.dirs lacks`
      this.#options.logger.error(`${folder} is offline: ${text}`)
      return
    }
    const directory = existing ?? this.#directoryFor(directoryId)
    this.#folders.delete(folder)
    this.#logsIn.set(directory, (this.#logsIn.get(directory) ?? 0) + 1)
    topic.opening++
    this.#enqueue({ directory, topic, partition, isFirst: true })
  }

  async #openOne({ directory, topic, partition, isFirst }: Opening): Promise<void> {
    const folder = `${partition.topic}-${partition.index}`
    try {
      const settings = this.#settingsOf(partition.topic, this.#image as MetadataImage)
      const config = this.#logConfig(partition.topic, this.#image as MetadataImage)
      const log = await this.#openLog(directory, folder, { config, topicId: partition.topicId })
      if (log.opened.recoveredSegments > 0) {
        this.#recovered.logs++
        this.#recovered.cutRecords += log.opened.cutRecords
        this.#recovered.cutBytes += log.opened.cutBytes
      }
      partition.attach(log, settings.partition)
      const { configs, broker } = this.#settingsOf(partition.topic, this.#image as MetadataImage)
      if (configs !== settings.configs || broker !== settings.broker) this.#reconfigure(partition)
    } catch (error) {
      partition.fail(error instanceof LogError ? clientErrorCode(error.code) : ErrorCode.KAFKA_STORAGE_ERROR)
      const noSpace = error instanceof LogError && error.noSpace
      if (isFirst || !noSpace) this.#say(error, `${folder} is offline`)
      if (noSpace) this.#openLater(directory, topic, partition)
    }
    if (--topic.opening === 0) {
      const { waiting } = topic
      topic.waiting = []
      for (const resolve of waiting) resolve()
    }
  }

  /** A topic that was created on a full disk is served as soon as there is room, without a restart. */
  #openLater(directory: LogDirectory, topic: Topic, partition: Partition): void {
    const { clock, timers } = this.#options.host
    const timer = timers.at(clock.monotonicMs() + AGAIN_MS, () => {
      this.#again.delete(timer)
      if (this.#topics.get(partition.topic) !== topic || directory.offline) return
      topic.opening++
      this.#enqueue({ directory, topic, partition, isFirst: false })
    })
    this.#again.add(timer)
  }

  /** Opens a log; one that a deleted topic of the same name has left is set aside first. */
  async #openLog(directory: LogDirectory, folder: string, options: OpenOptions): Promise<Log> {
    try {
      return await directory.open(folder, options)
    } catch (error) {
      if (!(error instanceof LogError) || error.code !== ErrorCode.INCONSISTENT_TOPIC_ID) throw error
      const name = await this.#setAside(directory, folder)
      this.#options.logger.warn(`${folder} held a topic that is gone; it was renamed to ${name}`)
      return directory.open(folder, options)
    }
  }

  /** The image names a directory, and it is none of this start. */
  #isElsewhere(id: string | undefined): boolean {
    const reserved: readonly string[] = Object.values(DirectoryId)
    if (id === undefined || reserved.includes(id)) return false
    return ![...this.#options.directories.values()].includes(id)
  }

  /** The directory that the image names, or the one with the fewest logs. */
  #directoryFor(id: string | undefined): LogDirectory {
    let best: LogDirectory | undefined
    for (const [directory, itsId] of this.#options.directories) {
      if (itsId === id) return directory
      const fewest = best === undefined ? Infinity : (this.#logsIn.get(best) as number)
      if (!directory.offline && (this.#logsIn.get(directory) as number) < fewest) best = directory
    }
    return best ?? ([...this.#options.directories.keys()][0] as LogDirectory)
  }

  #delete(image: TopicImage): void {
    const topic = this.#topics.get(image.name)
    if (topic === undefined || topic.id !== image.id) return
    this.#topics.delete(image.name)
    for (const partition of topic.partitions) {
      if (partition === undefined) continue
      partition.remove()
      this.#enqueue(async () => {
        await new Promise<void>(resolve => {
          if (topic.opening === 0) resolve()
          else topic.waiting.push(resolve)
        })
        try {
          await partition.log?.delete()
        } catch (error) {
          this.#say(error, `${partition.topic}-${partition.index} could not be deleted from disk`)
        }
      })
    }
  }

  /** Closes every log. @returns false when one of them could not be closed cleanly. */
  async close(): Promise<boolean> {
    await this.whenIdle()
    for (const timer of this.#again) this.#options.host.timers.cancel(timer)
    this.#again.clear()
    let clean = true
    for (const topic of this.#topics.values()) {
      for (const partition of topic.partitions) {
        if (partition === undefined) continue
        const { log } = partition
        if (log === undefined) {
          // It could not be opened: whatever ails it must be looked for again.
          clean = false
          continue
        }
        this.#enqueue(async () => {
          try {
            await log.close(true)
          } catch (error) {
            clean = false
            this.#say(error, `${log.name} was not closed cleanly`)
          }
        })
      }
    }
    await this.whenIdle()
    return clean
  }

  #enqueue(task: Task): void {
    if (this.#running < AT_ONCE) void this.#run(task)
    else this.#queue.push(task)
  }

  async #run(first: Task): Promise<void> {
    this.#running++
    for (let task: Task | undefined = first; task !== undefined; task = this.#next())
      await (typeof task === 'function' ? task() : this.#openOne(task))
    if (--this.#running > 0) return
    const waiting = this.#idleWaiting
    this.#idleWaiting = []
    for (const resolve of waiting) resolve()
  }

  /** From an index, because taking the first of a long array moves all the others. */
  #next(): Task | undefined {
    const task = this.#queue[this.#taken]
    if (task !== undefined) {
      this.#taken++
      return task
    }
    this.#queue = []
    this.#taken = 0
    return undefined
  }

  #say(error: unknown, what: string): void {
    this.#options.logger.error({ err: error }, `${what}: ${error instanceof Error ? error.message : String(error)}`)
  }
}
