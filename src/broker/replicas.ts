/**
 * The partitions that this broker holds: follows the metadata image, opens, configures and deletes their logs,
 * and hands leadership down.
 *
 * Invariants: one `Partition` for each replica of this broker in the image; it exists from the moment the image has it,
 * and gets its log when that is open. Logs are opened and closed many at once, but not all. What lies in a
 * directory and is not in the image is renamed, never deleted. A deletion that arrives while its log is being
 * opened happens after it.
 */
import { assert } from '../base/assert.ts'
import type { Logger } from '../base/logger.ts'
import type { BrokerConfig } from '../config/broker-config.ts'
import type { Host, TimerId } from '../host/host.ts'
import type { Log, LogDirectory, OpenOptions } from '../log/log.ts'
import { clientErrorCode, LogError } from '../log/log-errors.ts'
import type { MetadataDelta } from '../metadata/delta.ts'
import { METADATA_VERSION, recordVersions } from '../metadata/features.ts'
import type { MetadataImage, TopicImage } from '../metadata/image.ts'
import { Partition } from '../partition/partition.ts'
import type { KafkaErrorCode } from '../protocol/error-codes.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import type { CleaningPauses } from './cleaning-pauses.ts'
import type { LogDirectoryContent, ReplicaPort } from './context.ts'
import { directoryContents } from './directory-contents.ts'
import { type Folder, Folders, strayName } from './folders.ts'
import { Placement } from './placement.ts'
import { ReplicaMoves } from './replica-moves.ts'
import { ReplicaSettings, type Settings } from './replica-settings.ts'
import { TaskQueue } from './task-queue.ts'

/** Logs that are opened, or closed, at once: enough for every thread of the engine to take many together. */
const AT_ONCE = 512
/** A log that found the disk full is opened again after so long. */
const AGAIN_MS = 2_000

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
  /** A copy of it that was under way to another directory. */
  readonly future?: Folder | undefined
  /** The copy's folder, which takes the partition's name first. */
  readonly promoted?: string | undefined
}

type Task = Opening | (() => Promise<void>)

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
  /** A log of the page cache has this `flush.ms`. */
  readonly onFlushMs: (flushMs: number) => void
  /** Paths of directories that could not be used at start. */
  readonly unusable: readonly string[]
  readonly pauses: CleaningPauses
  /** Tells the controller where a replica lies; resolves to Kafka's code. */
  assign(topicId: string, index: number, directoryId: string): Promise<number>
}

export class Replicas implements ReplicaPort {
  readonly name = 'replicas'
  readonly #options: ReplicasOptions
  #config: BrokerConfig
  readonly #topics = new Map<string, Topic>()
  /** Folders that lie on a disk and whose partition the image has not named (yet), and where. */
  #folders = new Folders()
  readonly #moves: ReplicaMoves
  /** Moves that an earlier process has left; undefined: they go on. */
  #left: { readonly partition: Partition; readonly future: Folder }[] | undefined = []
  /** What lies on the disks is all taken: what comes from now on is new. */
  #started = false
  readonly #placement: Placement
  readonly #settings: ReplicaSettings
  readonly #tasks: TaskQueue<Task>
  /** Openings that wait for room on their disk. */
  readonly #again = new Set<TimerId>()
  /** `num.recovery.threads.per.data.dir` as the directories have been told. */
  #recoveryThreads = 0
  /** As last published. */
  #image: MetadataImage | undefined
  #recovered = { logs: 0, cutRecords: 0, cutBytes: 0 }
  /** What a clean stop left in a directory and this start has not found there. */
  readonly #gone: string[] = []

  private constructor(options: ReplicasOptions) {
    this.#options = options
    this.#config = options.config
    this.#placement = new Placement(options.directories)
    this.#settings = new ReplicaSettings(options.host.random, options.onFlushMs)
    this.#tasks = new TaskQueue(AT_ONCE, task => (typeof task === 'function' ? task() : this.#openOne(task)))
    this.#moves = new ReplicaMoves({
      host: options.host,
      logger: options.logger,
      directories: options.directories,
      unusable: options.unusable,
      pauses: options.pauses,
      configOf: topic => this.#settings.drawn(this.#settingsOf(topic)),
      bytesPerSecond: () => Math.max(1, this.#config.number('replica.alter.log.dirs.io.max.bytes.per.second')),
      assign: options.assign,
      onMoved: (partition, from, to) => {
        // Configs may have changed while it was opened.
        this.#reconfigure(partition)
        this.#placement.moved(from, to)
      },
    })
  }

  /** Reads what lies in the directories; opens nothing before the first `publish`. */
  static async create(options: ReplicasOptions): Promise<Replicas> {
    const replicas = new Replicas(options)
    replicas.#folders = await Folders.read(options.directories.keys())
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
   * After the first image: renames the folders on disk that no partition of it belongs to, as Kafka does, so that a
   * topic that takes the name later finds it free. Nothing is deleted. @returns their new names.
   */
  async setStraysAside(): Promise<string[]> {
    const names: string[] = []
    this.#started = true
    if (this.#gone.length > 0) {
      const some = this.#gone.slice(0, 10).join(', ')
      const why = 'the folders that they had when their directories were closed are gone'
      const list = this.#gone.length > 10 ? `${some}, …` : some
      this.#options.logger.error(`${this.#gone.length} partitions begin empty, ${why}: ${list}`)
      this.#gone.length = 0
    }
    for (const { directory, name } of this.#folders.takeRest()) {
      try {
        names.push(await this.#setAside(directory, name))
      } catch (error) {
        this.#say(error, `${name} belongs to no topic and could not be renamed`)
      }
    }
    return names
  }

  async #setAside(directory: LogDirectory, folder: string): Promise<string> {
    const name = strayName(this.#options.host, folder)
    await directory.setAside(folder, name)
    return name
  }

  partition(topic: string, index: number): Partition | undefined {
    return this.#topics.get(topic)?.partitions[index]
  }

  /** Whose log has this folder. */
  partitionIn(folder: string): Partition | undefined {
    const dash = folder.lastIndexOf('-')
    return this.partition(folder.slice(0, dash), Number(folder.slice(dash + 1)))
  }

  *partitions(): Iterable<Partition> {
    for (const topic of this.#topics.values()) {
      for (const partition of topic.partitions) if (partition !== undefined) yield partition
    }
  }

  logDirectories(): LogDirectoryContent[] {
    return directoryContents({
      directories: this.#options.allDirectories,
      unusable: this.#options.unusable,
      moves: this.#moves,
      onFailed: (error, { path }) => this.#say(error, `${path} can't be described`),
    })
  }

  /** Once this broker serves: moves that were under way go on. Before, they would hold up its leaderships. */
  resumeMoves(): void {
    const left = this.#left ?? []
    this.#left = undefined
    for (const { partition, future } of left) if (partition.unavailable === 0) this.#moves.begin(partition, future)
  }

  move(topic: string, index: number, path: string): Promise<KafkaErrorCode> {
    const exists = () => this.#image?.topicsByName.get(topic)?.partitions[index] !== undefined
    return this.#moves.alter(topic, index, path, () => this.partition(topic, index), exists)
  }

  whenReady(name: string): Promise<void> {
    const topic = this.#topics.get(name)
    if (topic === undefined || topic.opening === 0) return Promise.resolve()
    return new Promise(resolve => topic.waiting.push(resolve))
  }

  /** Resolves when nothing is being opened, closed or deleted. */
  whenIdle(): Promise<void> {
    return this.#tasks.whenIdle()
  }

  publish(delta: MetadataDelta, image: MetadataImage): void {
    this.#image = image
    this.#reconfigureBroker(delta, image)
    this.#setRecoveryThreads()
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

  #setRecoveryThreads(): void {
    const threads = this.#config.number('num.recovery.threads.per.data.dir')
    if (threads === this.#recoveryThreads) return
    this.#recoveryThreads = threads
    for (const directory of this.#options.directories.keys()) directory.setRecoveryThreads(threads)
  }

  #reconfigureTopic(name: string): void {
    for (const partition of this.#topics.get(name)?.partitions ?? []) {
      if (partition?.log !== undefined) this.#reconfigure(partition)
    }
  }

  #reconfigure(partition: Partition): void {
    const settings = this.#settingsOf(partition.topic)
    partition.configure(settings.partition)
    partition.log
      ?.configure(this.#settings.drawn(settings))
      .catch(error => this.#say(error, `${partition.topic}-${partition.index} keeps its old configs`))
  }

  #settingsOf(topic: string): Settings {
    return this.#settings.of(topic, this.#image as MetadataImage, this.#config)
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
    const named = this.#placement.withId(directoryId)
    const promoted = named && this.#folders.takeAbandoned(folder, named)
    if (promoted !== undefined) {
      this.#placement.count(promoted.directory, 1)
      this.#openSoon({ directory: promoted.directory, topic, partition, isFirst: true, promoted: promoted.name })
      return
    }
    const existing = this.#folders.take(folder, partition.topicId, named)
    const future = existing && this.#folders.takeFuture(folder, existing)
    const unusable = this.#options.unusable.length > 0 && !this.#started
    if (existing === undefined && (this.#placement.isElsewhere(directoryId) || (unusable && named === undefined))) {
      // An empty log in its place would hide what it holds.
      partition.fail(ErrorCode.KAFKA_STORAGE_ERROR)
      const text = this.#placement.isElsewhere(directoryId)
        ? `it lies in the directory with directory.id=${directoryId}, which is offline or which log.dirs lacks`
        : 'it may lie in a directory that is offline'
      this.#options.logger.error(`${folder} is offline: ${text}`)
      return
    }
    if (existing === undefined && !this.#started && named?.clean === true) this.#gone.push(folder)
    const directory = existing ?? this.#moves.takePreferred(folder) ?? this.#placement.directoryFor(directoryId)
    this.#placement.count(directory, 1)
    this.#openSoon({ directory, topic, partition, isFirst: true, future })
  }

  #openSoon(opening: Opening): void {
    opening.topic.opening++
    this.#tasks.add(opening)
  }

  async #openOne({ directory, topic, partition, isFirst, future, promoted }: Opening): Promise<void> {
    const folder = `${partition.topic}-${partition.index}`
    try {
      if (promoted !== undefined) await directory.setAside(promoted, folder)
      const settings = this.#settingsOf(partition.topic)
      const config = this.#settings.drawn(settings)
      const log = await this.#openLog(directory, folder, { config, topicId: partition.topicId })
      if (log.opened.recoveredSegments > 0) {
        this.#recovered.logs++
        this.#recovered.cutRecords += log.opened.cutRecords
        this.#recovered.cutBytes += log.opened.cutBytes
      }
      partition.attach(log, settings.partition)
      this.#tell(partition, directory)
      const { configs, broker } = this.#settingsOf(partition.topic)
      if (configs !== settings.configs || broker !== settings.broker) this.#reconfigure(partition)
      if (future !== undefined && this.#left !== undefined) this.#left.push({ partition, future })
      else if (future !== undefined) this.#moves.begin(partition, future)
    } catch (error) {
      partition.fail(error instanceof LogError ? clientErrorCode(error.code) : ErrorCode.KAFKA_STORAGE_ERROR)
      const noSpace = error instanceof LogError && error.noSpace
      if (isFirst || !noSpace) this.#say(error, `${folder} is offline`)
      if (noSpace) this.#openLater(directory, topic, partition, promoted)
    }
    if (--topic.opening === 0) {
      const { waiting } = topic
      topic.waiting = []
      for (const resolve of waiting) resolve()
    }
  }

  /** A topic that was created on a full disk is served as soon as there is room, without a restart. */
  #openLater(directory: LogDirectory, topic: Topic, partition: Partition, promoted: string | undefined): void {
    const { clock, timers } = this.#options.host
    const timer = timers.at(clock.monotonicMs() + AGAIN_MS, () => {
      this.#again.delete(timer)
      if (this.#topics.get(partition.topic) !== topic || directory.offline) return
      this.#openSoon({ directory, topic, partition, isFirst: false, promoted })
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

  /** The metadata has to know where a replica lies, to know what an offline directory takes with it. */
  #tell(partition: Partition, directory: LogDirectory): void {
    const { directories, unusable, nodeId } = this.#options
    const image = this.#image as MetadataImage
    const several = directories.size + unusable.length > 1
    if (!several || !recordVersions(image.features.get(METADATA_VERSION) ?? 0).directories) return
    const state = image.topicsById.get(partition.topicId)?.partitions[partition.index]
    const id = directories.get(directory) as string
    if (state === undefined || state.directories[state.replicas.indexOf(nodeId)] === id) return
    void this.#options.assign(partition.topicId, partition.index, id)
  }

  #delete(image: TopicImage): void {
    const topic = this.#topics.get(image.name)
    if (topic === undefined || topic.id !== image.id) return
    this.#topics.delete(image.name)
    for (const partition of topic.partitions) {
      if (partition === undefined) continue
      partition.remove()
      this.#tasks.add(async () => {
        await new Promise<void>(resolve => {
          if (topic.opening === 0) resolve()
          else topic.waiting.push(resolve)
        })
        await this.#moves.stop(partition, false)
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
    await this.#moves.close()
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
        this.#tasks.add(async () => {
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

  #say(error: unknown, what: string): void {
    this.#options.logger.error({ err: error }, `${what}: ${error instanceof Error ? error.message : String(error)}`)
  }
}
