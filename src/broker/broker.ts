/**
 * One broker, wired: directories, metadata, partitions, registration, listeners. Nothing is decided here but the order.
 *
 * Start: directories locked and opened; metadata (formatting on the first start); the logs of this broker's partitions,
 * recovered where needed; listeners bound; registered with the controller; unfenced, and then in use.
 * Stop: the controller is told, and takes leadership away, which ends every delayed fetch; members of groups are
 * answered; no new connections; requests in flight are answered, within a limit; connections closed; logs synced and
 * closed; metadata closed; checkpoints and the clean-shutdown file; unlocked. If a step of the start fails, what was
 * opened is closed again and the error passed on.
 */
import type { Logger } from '../base/logger.ts'
import type { BrokerConfig } from '../config/broker-config.ts'
import type { ListenerAddress } from '../config/listeners.ts'
import { isWildcard } from '../config/listeners.ts'
import type { MetadataNode } from '../controller/start.ts'
import { startMetadata } from '../controller/start.ts'
import type { GroupLag } from '../coordinator/group/service.ts'
import type { Host } from '../host/host.ts'
import { openEngineDirectory } from '../log/engine-directory.ts'
import type { LogDirectory } from '../log/log.ts'
import type { Endpoint as RegisteredEndpoint } from '../metadata/records.ts'
import type { ConnectionLimits, Disk, Runtime } from '../native/types.ts'
import type { Connection, Listener, ListenerHandler } from '../net/net.ts'
import { listen } from '../net/reactor-listener.ts'
import { produce } from '../protocol/apis/00-produce.ts'
import { offsetCommit } from '../protocol/apis/08-offset-commit.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import { findApi } from '../protocol/registry.ts'
import { skimProgram } from '../protocol/skim.ts'
import { Assignments } from './assignments.ts'
import { Cleaner } from './cleaner.ts'
import { CleaningPauses } from './cleaning-pauses.ts'
import type { BrokerPorts, Endpoint } from './context.ts'
import { Deadlines } from './deadlines.ts'
import { warnOf } from './directory-warnings.ts'
import { FetchSessions } from './fetch-session.ts'
import { Flushing } from './flushing.ts'
import { Gate } from './gate.ts'
import { GROUPS_TOPIC, GroupCoordinators } from './group-coordinators.ts'
import { handlers } from './handlers/index.ts'
import type { BrokerLifecycle } from './lifecycle.ts'
import { previousBrokerEpoch, startLifecycle } from './lifecycle.ts'
import { LostDirectories } from './lost-directories.ts'
import { LogPartitionWriter } from './partition-writer.ts'
import { ProducerIds } from './producer-ids.ts'
import { Replicas } from './replicas.ts'
import { Retention } from './retention.ts'
import { Router } from './router.ts'

/** Answers in flight at a stop get so long. */
const DRAIN_MS = 5_000
const CONTROLLED_SHUTDOWN_MS = 5_000
/**
 * Requests that may overlap earlier ones of these kinds on their connection, so that they share a sync of the disk.
 * Their handlers append before they return.
 */
const OVERLAP_KEYS = [produce.key, offsetCommit.key]
/** librdkafka takes a broker that lacks Produce 0 to 2 for one without newer versions either. */
const PRODUCE_ADVERTISED_FROM = 0
/** Kafka's SecurityProtocol: the only one so far. */
const PLAINTEXT = 0
const DEFAULT_FRAME_BUDGET = 64 * 1024 * 1024

export interface BrokerOptions {
  readonly host: Host
  readonly logger: Logger
  /** Stays open: whoever opened it closes it. */
  readonly runtime: Runtime
  readonly disk: Disk
  readonly config: BrokerConfig
  /** Absent: as the directory has it, or drawn on the first start. */
  readonly clusterId?: string
  /** Called once when the broker can't go on: the metadata log is gone, or the native runtime failed. */
  readonly onFailed?: (text: string) => void
}

/** What a start found and did, for whoever tells people. */
export interface StartReport {
  /** This start formatted the directories. */
  readonly formatted: boolean
  readonly topics: number
  readonly partitions: number
  /** Logs that were read through because the last stop was not clean, and what was cut from them. */
  readonly recovered: { readonly logs: number; readonly cutRecords: number; readonly cutBytes: number }
  /** Folders on disk that no partition belongs to, by the names that they were given. */
  readonly strays: readonly string[]
}

/** A listener as it was bound. */
export interface BoundAddress {
  readonly name: string
  readonly host: string
  readonly port: number
}

export class Broker {
  readonly clusterId: string
  readonly nodeId: number
  readonly listeners: readonly BoundAddress[]
  readonly report: StartReport
  readonly #parts: Parts
  #closing: Promise<void> | undefined

  private constructor(parts: Parts, node: MetadataNode, replicas: Replicas, strays: string[]) {
    this.#parts = parts
    this.clusterId = node.clusterId
    this.nodeId = parts.options.config.number('node.id')
    this.listeners = [...parts.listeners].map(([listener, address]) => ({
      name: address.name,
      host: listener.host,
      port: listener.port,
    }))
    this.report = {
      formatted: node.firstStart,
      ...replicas.count,
      recovered: replicas.recovered,
      strays,
    }
  }

  static async start(options: BrokerOptions): Promise<Broker> {
    const parts: Parts = { options, directories: [], listeners: new Map(), unsubscribe: [] }
    try {
      return await start(parts, (...found) => new Broker(parts, ...found))
    } catch (error) {
      await stop(parts)
      throw error
    }
  }

  /** How far the groups of this broker are behind. @throws Refusal while they are being loaded. */
  groupLags(): Promise<GroupLag[]> {
    return this.#parts.groupCoordinators?.groups.lags() ?? Promise.resolve([])
  }

  /** Stops cleanly; the same promise however often it is called. */
  close(): Promise<void> {
    this.#closing ??= stop(this.#parts)
    return this.#closing
  }
}

/** What has been opened so far. */
interface Parts {
  readonly options: BrokerOptions
  readonly directories: LogDirectory[]
  readonly listeners: Map<Listener, ListenerAddress>
  node?: MetadataNode
  replicas?: Replicas
  groupCoordinators?: GroupCoordinators
  readonly unsubscribe: (() => void)[]
  router?: Router
  deadlines?: Deadlines
  lifecycle?: BrokerLifecycle
  flushing?: Flushing
  retention?: Retention
  cleaner?: Cleaner
}

async function start(
  parts: Parts,
  started: (node: MetadataNode, replicas: Replicas, strays: string[]) => Broker,
): Promise<Broker> {
  const { options } = parts
  const { host, logger, runtime, config } = options
  const nodeId = config.number('node.id')
  runtime.onFatal(text => options.onFailed?.(text))

  const paths = metadataFirst(config.list('log.dirs'), config.text('metadata.log.dir'))
  const unusable = new LostDirectories(logger)
  for (const path of paths) {
    const directory = unusable.tryUse(path, path === paths[0], () => openEngineDirectory(runtime, path, options.disk))
    if (directory === undefined) continue
    parts.directories.push(directory)
    directory.onFailed((_code, text) => {
      logger.error(text)
      directoryFailed(parts)
    })
    warnOf(directory, host, logger)
  }
  const node = await startMetadata({
    host,
    logger,
    directories: parts.directories,
    nodeId,
    ...(options.clusterId === undefined ? {} : { clusterId: options.clusterId }),
    controllerListener: {
      name: config.list('controller.listener.names')[0] ?? 'CONTROLLER',
      host: 'localhost',
      port: 9093,
    },
    config,
  })
  parts.node = node
  node.onFailed(text => options.onFailed?.(text))

  const assignments = new Assignments(node.controller, nodeId, logger)
  const flushing = new Flushing({
    host,
    directories: parts.directories,
    schedulerIntervalMs: config.number('log.flush.scheduler.interval.ms'),
    checkpointIntervalsMs: [
      config.number('log.flush.offset.checkpoint.interval.ms'),
      config.number('log.flush.start.offset.checkpoint.interval.ms'),
    ],
  })
  parts.flushing = flushing
  const pauses = new CleaningPauses()
  const replicas = await Replicas.create({
    host,
    logger,
    config,
    nodeId,
    directories: node.directoryIds,
    allDirectories: parts.directories.filter(directory => node.directoryIds.has(directory)),
    unusable: [...unusable.paths, ...node.unusable.map(directory => directory.path)],
    pauses,
    assign: (topicId, index, directoryId) => assignments.assign(topicId, index, directoryId),
    onFlushMs: flushMs => flushing.expect(flushMs),
  })
  parts.replicas = replicas
  parts.unsubscribe.push(node.loader.subscribe(replicas))
  await replicas.whenIdle()
  const strays = await replicas.setStraysAside()

  const groupCoordinators = coordinateGroups(parts, node, replicas)
  parts.groupCoordinators = groupCoordinators
  parts.unsubscribe.push(node.loader.subscribe(groupCoordinators))

  const deadlines = new Deadlines(host)
  parts.deadlines = deadlines
  const ports: BrokerPorts = {
    host,
    logger,
    nodeId,
    clusterId: node.clusterId,
    kraftVersion: node.kraftVersion,
    controller: node.controller,
    replicas,
    deadlines,
    groupCoordinators,
    groups: groupCoordinators.groups,
    producerIds: new ProducerIds(node.controller, nodeId, () => parts.lifecycle?.brokerEpoch ?? -1),
    fetchSessions: new FetchSessions({
      slots: config.number('max.incremental.fetch.session.cache.slots'),
      nowMs: () => host.clock.monotonicMs(),
      randomU32: () => host.random.u32(),
    }),
    servedApis: served(),
    get config() {
      return replicas.config
    },
    image: () => node.image(),
    endpointOf: (id, connection) => endpointOf(parts, id, connection),
  }
  const router = new Router(ports, handlers)
  parts.router = router

  setUpFrames(runtime, config)
  const gate = new Gate(router)
  for (const address of config.listeners) parts.listeners.set(bind(runtime, config, address, gate), address)
  parts.unsubscribe.push(
    node.loader.subscribe({
      name: 'limits of listeners',
      publish(delta) {
        if (!delta.changedConfigs.has('broker:') && !delta.changedConfigs.has(`broker:${nodeId}`)) return
        for (const [listener, { name }] of parts.listeners) listener.limit(limitsOf(replicas.config, name))
      },
    }),
  )

  parts.lifecycle = await startLifecycle({
    host,
    logger,
    controller: node.controller,
    loader: node.loader,
    nodeId,
    clusterId: node.clusterId,
    listeners: registered(parts),
    rack: config.text('broker.rack'),
    logDirs: [...node.directoryIds.values()],
    previousBrokerEpoch: previousBrokerEpoch(node.image(), nodeId, parts.directories, config.flush),
    heartbeatIntervalMs: config.number('broker.heartbeat.interval.ms'),
    offlineLogDirs: () => [...node.directoryIds].flatMap(([directory, id]) => (directory.offline ? [id] : [])),
  })
  assignments.start(parts.lifecycle.brokerEpoch)
  await parts.lifecycle.unfence()
  await replicas.whenIdle()
  parts.retention = new Retention({
    host,
    directories: [...node.directoryIds.keys()],
    partitionIn: folder => replicas.partitionIn(folder),
    initialDelayMs: config.number('log.initial.task.delay.ms'),
    intervalMs: config.number('log.retention.check.interval.ms'),
    onFailed: ({ topic, index }, error) => logger.warn({ err: error }, `${topic}-${index} keeps its old segments`),
  })
  if (config.boolean('log.cleaner.enable')) {
    parts.cleaner = new Cleaner({
      host,
      logger,
      partitions: () => replicas.partitions(),
      pauses,
      config: () => replicas.config,
    })
  }
  replicas.resumeMoves()
  gate.open()
  return started(node, replicas, strays)
}

/** The metadata log lives in the first directory of log.dirs, or in the one that metadata.log.dir names. */
function metadataFirst(paths: readonly string[], named: string | null): string[] {
  return [...paths.filter(path => path === named), ...paths.filter(path => path !== named)]
}

/** The controller hears of it at once; a broker that can't tell it in time stops, for it would be thought to lead. */
function directoryFailed(parts: Parts): void {
  const { lifecycle, options } = parts
  if (lifecycle === undefined) return
  const { clock, timers } = options.host
  const limitMs = options.config.number('log.dir.failure.timeout.ms')
  const timer = timers.at(clock.monotonicMs() + limitMs, () => {
    options.onFailed?.(`the controller did not hear within ${limitMs} ms that a log directory is offline`)
  })
  parts.unsubscribe.push(() => timers.cancel(timer))
  void lifecycle.heartbeat().then(({ errorCode }) => {
    if (errorCode === ErrorCode.NONE) timers.cancel(timer)
  })
}

/** Every step is tried, whatever became of the ones before it; the first failure is passed on at the end. */
async function stop(parts: Parts): Promise<void> {
  const { lifecycle, node, router, replicas } = parts
  const failures: unknown[] = []
  const step = async (act: () => unknown) => {
    try {
      await act()
    } catch (error) {
      failures.push(error)
    }
  }
  await step(() => lifecycle?.controlledShutdown(CONTROLLED_SHUTDOWN_MS))
  await step(() => parts.groupCoordinators?.close())
  for (const listener of parts.listeners.keys()) await step(() => listener.close())
  await router?.idle(DRAIN_MS)
  for (const listener of parts.listeners.keys()) listener.closeConnections()
  parts.deadlines?.close()
  parts.flushing?.close()
  parts.retention?.close()
  parts.cleaner?.close()
  lifecycle?.close()
  for (const unsubscribe of parts.unsubscribe) unsubscribe()
  // A start that came to no log leaves the directory as clean, or not, as it was found.
  const closed = await replicas?.close()
  await step(() => node?.close())
  for (const directory of parts.directories) {
    const clean = (closed ?? directory.clean) && failures.length === 0 && !directory.offline
    const brokerEpoch = lifecycle?.brokerEpoch ?? directory.cleanBrokerEpoch
    await step(() => directory.close({ clean, brokerEpoch }))
  }
  if (failures.length > 0) throw failures[0]
}

function coordinateGroups({ options }: Parts, node: MetadataNode, replicas: Replicas): GroupCoordinators {
  const { host, logger, runtime } = options
  const config = () => replicas.config
  const image = () => node.image()
  return new GroupCoordinators({
    host,
    logger,
    nodeId: options.config.number('node.id'),
    config,
    image,
    controller: node.controller,
    replicas,
    listenFirst: runtime,
    writer: new LogPartitionWriter({
      topic: GROUPS_TOPIC,
      replicas,
      loop: host.loop,
      loadBytes: options.config.number('offsets.load.buffer.size'),
      image,
      config,
    }),
  })
}

function served() {
  return handlers.map(({ apiKey }) => {
    const api = findApi(apiKey)
    if (api === undefined) throw new TypeError(`no schema for API key ${apiKey}`)
    const minVersion = apiKey === produce.key ? PRODUCE_ADVERTISED_FROM : api.minVersion
    return { apiKey, minVersion, maxVersion: api.maxVersion }
  })
}

/** How frames are taken in: the memory they may hold, and what of a Produce stays native. */
function setUpFrames(runtime: Runtime, config: BrokerConfig): void {
  const budget = config.number('queued.max.request.bytes')
  runtime.setFrameBudget(budget < 0 ? DEFAULT_FRAME_BUDGET : budget)
  for (let version = produce.minVersion; version <= produce.maxVersion; version++)
    runtime.registerSkim('request', produce.key, version, skimProgram('request', produce, version))
}

/** What an empty host in `listeners` binds. */
const EVERY_INTERFACE = '0.0.0.0'

function bind(runtime: Runtime, config: BrokerConfig, address: ListenerAddress, handler: ListenerHandler): Listener {
  const idleMs = config.number('connections.max.idle.ms')
  return listen(
    runtime,
    {
      host: address.host === '' ? EVERY_INTERFACE : address.host,
      port: address.port,
      maxFrameBytes: config.number('socket.request.max.bytes'),
      overlapKeys: OVERLAP_KEYS,
      backlog: config.number('socket.listen.backlog.size'),
      idleTimeoutMs: Math.max(0, idleMs),
      limits: limitsOf(config, address.name),
    },
    handler,
  )
}

function limitsOf(config: BrokerConfig, listener: string): ConnectionLimits {
  return {
    ofAll: config.number('max.connections'),
    ofListener: config.numberOfListener(listener, 'max.connections'),
    perIp: config.number('max.connections.per.ip'),
  }
}

/** What is registered with the controller: `advertised.listeners`, else where we are bound. */
function registered(parts: Parts): RegisteredEndpoint[] {
  return [...parts.listeners].map(([listener, { name }]) => {
    const advertised = parts.options.config.advertised.find(address => address.name === name)
    const bound = isWildcard(listener.host) ? 'localhost' : listener.host
    return {
      name,
      host: advertised?.host ?? bound,
      port: advertised?.port ?? listener.port,
      securityProtocol: PLAINTEXT,
    }
  })
}

/**
 * The address of a broker for one client. Ours: `advertised.listeners` if set; else the bound address; for a wildcard
 * bind the local address that the client dialled. Another broker's: as it registered for this listener's name.
 */
function endpointOf(parts: Parts, nodeId: number, connection: Connection): Endpoint | undefined {
  const broker = parts.node?.image().brokers.get(nodeId)
  if (broker === undefined || broker.fenced) return undefined
  const { listener } = connection
  const name = parts.listeners.get(listener)?.name
  if (nodeId !== parts.options.config.number('node.id')) return broker.endpoints.find(each => each.name === name)
  const advertised = parts.options.config.advertised.find(address => address.name === name)
  if (advertised !== undefined) return advertised
  return { host: isWildcard(listener.host) ? connection.localHost : listener.host, port: listener.port }
}
