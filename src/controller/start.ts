/**
 * Starts the metadata of a node that is its own controller: directories, raft, controller, loader.
 *
 * Invariants: nothing is written before every file that exists was read and found to agree; when
 * `startMetadata` resolves, the tenure's own records are committed and the image shows them. A failing metadata
 * log is told once, by `onFailed`.
 */
import type { Logger } from '../base/logger.ts'
import { randomUuid } from '../base/uuid.ts'
import type { BrokerConfig } from '../config/broker-config.ts'
import type { Host } from '../host/host.ts'
import type { Log, LogDirectory } from '../log/log.ts'
import { METADATA_VERSION } from '../metadata/features.ts'
import type { MetadataImage } from '../metadata/image.ts'
import { MetadataLoader } from '../metadata/loader.ts'
import { MetadataError } from '../metadata/records.ts'
import type { Voter } from '../raft/control-records.ts'
import type { RaftListener } from '../raft/driver.ts'
import { openMetadataLog, RaftDriver } from '../raft/driver.ts'
import { METADATA_FOLDER } from '../raft/survey.ts'
import { Controller } from './controller.ts'
import type { Identity } from './format.ts'
import { format, identify } from './format.ts'
import { inspect, readBootstrap } from './inspect.ts'
import { Snapshots } from './snapshots.ts'

export interface MetadataOptions {
  readonly host: Host
  readonly logger: Logger
  /** log.dirs, at least one; the metadata log lives in the first. */
  readonly directories: readonly LogDirectory[]
  readonly nodeId: number
  /** 22 characters; absent: read from meta.properties, or drawn on the first start. */
  readonly clusterId?: string
  /** Recorded, not bound. */
  readonly controllerListener: { readonly name: string; readonly host: string; readonly port: number }
  readonly config: BrokerConfig
}

export interface MetadataNode {
  readonly clusterId: string
  /** This start formatted the directories. */
  readonly firstStart: boolean
  /** directory.id of each directory's meta.properties. */
  readonly directoryIds: ReadonlyMap<LogDirectory, string>
  /** Directories that are offline since the start. */
  readonly unusable: readonly LogDirectory[]
  readonly kraftVersion: number
  readonly controller: Controller
  readonly loader: MetadataLoader
  image(): MetadataImage
  /** Stores a snapshot of the metadata now. */
  snapshot(): Promise<void>
  /** Hears, once, that the metadata log is of no more use: the broker must stop. */
  onFailed(listener: (text: string) => void): void
  close(): Promise<void>
}

/** @throws MetadataError saying which file, which value, and what to do */
export async function startMetadata(options: MetadataOptions): Promise<MetadataNode> {
  const { host, directories, nodeId, controllerListener } = options
  const [metadata] = directories
  if (metadata === undefined) throw new MetadataError('there is no log directory')
  const identity = await identify(host, directories, nodeId, options.clusterId)
  const self = {
    voterId: nodeId,
    voterDirectoryId: identity.directoryIds.get(metadata)!,
    endpoints: [controllerListener],
    kRaftVersionFeature: { minSupportedVersion: 0, maxSupportedVersion: 1 },
  }
  await inspect(options.logger, [...identity.directoryIds.keys()], self, identity)
  const log = await openMetadataLog(metadata)
  try {
    await format(host, identity, nodeId, self, metadata)
    return await lead(options, log, metadata, self, identity)
  } catch (error) {
    await log.close(true).catch(() => {})
    throw error
  }
}

async function lead(
  options: MetadataOptions,
  log: Log,
  metadata: LogDirectory,
  self: Voter,
  identity: Identity,
): Promise<MetadataNode> {
  const { host, logger, nodeId, controllerListener, config } = options
  const { clusterId } = identity
  const loader = new MetadataLoader(logger)
  const failures: ((text: string) => void)[] = []
  let failed = false
  let leading: { epoch: number; offset: number } | undefined
  let unreadable: Error | undefined

  const fail = (text: string): void => {
    if (failed) return
    failed = true
    controller.stopped(text)
    for (const listener of failures) listener(text)
  }
  const load = (what: () => void): void => {
    try {
      if (!failed) what()
    } catch (error) {
      unreadable = error as Error
      fail(`the metadata log cannot be understood: ${(error as Error).message}`)
    }
  }
  const listener: RaftListener = {
    onSnapshot: (id, snapshot) => load(() => loader.loadSnapshot(id, snapshot)),
    onCommitted: batches => {
      load(() => loader.loadBatches(batches))
      if (failed) return
      controller.committed(batches.at(-1)!.lastOffset + 1)
      // Within a metadata transaction the image stands before it, which need not be the end of a batch.
      if (!loader.inTransaction) snapshots.committed(batches, loader.image())
    },
    onLead: (epoch, offset) => {
      leading = { epoch, offset }
    },
    onRejected: (base, code, text) => controller.rejected(base, code, text),
    onStopped: fail,
  }
  const raft = new RaftDriver(log, { host, logger, directory: metadata, self, listener })
  const controller = new Controller({ host, logger, log: raft, clusterId, config })
  const snapshots = new Snapshots(host, logger, raft, config)

  await raft.start().catch((error: Error) => {
    throw new MetadataError(error.message, { cause: error })
  })
  if (unreadable !== undefined) {
    throw new MetadataError(`${metadata.path}/${METADATA_FOLDER}: ${unreadable.message}`, { cause: unreadable })
  }
  const isNew = !loader.image().features.has(METADATA_VERSION)
  const activation = {
    inTransaction: loader.inTransaction,
    bootstrap: isNew ? await readBootstrap(metadata) : [],
    nodeId,
    incarnationId: randomUuid(host.random),
    listener: controllerListener,
  }
  await controller.lead(leading!.epoch, loader.image(), leading!.offset, activation).catch((error: Error) => {
    throw new MetadataError(error.message, { cause: error })
  })

  return {
    clusterId,
    firstStart: identity.firstStart,
    directoryIds: identity.directoryIds,
    unusable: identity.lost,
    kraftVersion: raft.kraftVersion,
    controller,
    loader,
    image: () => loader.image(),
    snapshot: () => snapshots.store(loader.image()),
    onFailed: listener => failures.push(listener),
    close: async () => {
      controller.stopped('the broker is closing')
      await snapshots.idle()
      await raft.close()
    },
  }
}
