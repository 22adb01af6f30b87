/**
 * Which cluster the log directories belong to; and formatting those that belong to none yet, as `kafka-storage format
 * --standalone` does: bootstrap.checkpoint, in the first directory a checkpoint that names this node as the only voter,
 * and last of all meta.properties.
 *
 * Invariants: a directory that has meta.properties is never formatted again. Nothing is formatted before every file
 * that exists was found to agree.
 */
import { isUuid, randomUuid } from '../base/uuid.ts'
import type { Host } from '../host/host.ts'
import type { LogDirectory } from '../log/log.ts'
import { FORMATTED_FEATURES } from '../metadata/features.ts'
import type { NewRecord } from '../metadata/records.ts'
import { encodeRecord, MetadataError } from '../metadata/records.ts'
import type { Voter } from '../raft/control-records.ts'
import { buildSnapshot, FIRST_SNAPSHOT, snapshotName } from '../raft/snapshot.ts'
import { METADATA_FOLDER } from '../raft/survey.ts'
import type { MetaProperties } from './meta-properties.ts'
import { formatMetaProperties, META_PROPERTIES, parseMetaProperties } from './meta-properties.ts'

export const BOOTSTRAP_FILE = 'bootstrap.checkpoint'
const FORMATTED_KRAFT_VERSION = 1

export interface Identity {
  readonly clusterId: string
  readonly directoryIds: Map<LogDirectory, string>
  /** Directories that the system does not let us use; never the first. */
  readonly lost: LogDirectory[]
  /** Directories that have yet to be formatted. */
  readonly unformatted: readonly LogDirectory[]
  /** None was formatted: this is the node's first start. */
  readonly firstStart: boolean
}

/**
 * Reads every meta.properties and checks that they agree with each other and with what was asked for.
 * @throws MetadataError naming file, value and remedy
 */
export async function identify(
  host: Host,
  directories: readonly LogDirectory[],
  nodeId: number,
  clusterId: string | undefined,
): Promise<Identity> {
  if (clusterId !== undefined && clusterId === '') throw new MetadataError('the cluster id is empty')
  const found = new Map<LogDirectory, MetaProperties>()
  const lost: LogDirectory[] = []
  for (const directory of directories) {
    let content: Uint8Array | undefined
    try {
      content = await directory.readFile(META_PROPERTIES)
    } catch (error) {
      if (directory === directories[0]) throw unreadable(directory, error)
      lost.push(directory)
    }
    if (content === undefined) continue
    const path = `${directory.path}/${META_PROPERTIES}`
    const meta = parseMetaProperties(path, content)
    checkMeta(path, meta, nodeId, clusterId ?? [...found.values()][0]?.clusterId)
    found.set(directory, meta)
  }
  const directoryIds = new Map<LogDirectory, string>()
  const usable = directories.filter(directory => !lost.includes(directory))
  for (const directory of usable) {
    const known = found.get(directory)?.directoryId
    const path = `${directory.path}/${META_PROPERTIES}`
    if (known !== undefined && !isUuid(known)) {
      throw new MetadataError(`${path} has directory.id=${known}, which is no id: restore it from a copy`)
    }
    const id = known ?? randomUuid(host.random)
    if ([...directoryIds.values()].includes(id)) {
      throw new MetadataError(`${path} has directory.id=${id}, as another directory has: one is a copy, remove it`)
    }
    directoryIds.set(directory, id)
  }
  const [first] = found.values()
  return {
    clusterId: first?.clusterId ?? clusterId ?? randomUuid(host.random),
    directoryIds,
    lost,
    unformatted: usable.filter(directory => found.get(directory)?.directoryId === undefined),
    firstStart: found.size === 0,
  }
}

function unreadable({ path }: LogDirectory, error: unknown): MetadataError {
  return new MetadataError(`${path}/${META_PROPERTIES} can't be read: ${(error as Error).message}`, { cause: error })
}

function checkMeta(path: string, meta: MetaProperties, nodeId: number, clusterId: string | undefined): void {
  if (clusterId !== undefined && meta.clusterId !== clusterId) {
    throw new MetadataError(
      `${path} has cluster.id=${meta.clusterId}, not ${clusterId}: the directory belongs to another cluster; ` +
        'choose another directory, or start with that cluster id',
    )
  }
  if (meta.nodeId !== nodeId) {
    throw new MetadataError(
      `${path} has node.id=${meta.nodeId}, not ${nodeId}: the directory belongs to another node; ` +
        `choose another directory, or start with node.id=${meta.nodeId}`,
    )
  }
}

/** Formats what is not formatted. The folder of the metadata log must exist by now. */
export async function format(host: Host, identity: Identity, nodeId: number, self: Voter, metadata: LogDirectory) {
  const nowMs = host.clock.wallMs()
  for (const directory of identity.unformatted) {
    try {
      await formatOne(identity, directory, nodeId, self, directory === metadata, nowMs)
    } catch (error) {
      if (directory === metadata) throw error
      identity.directoryIds.delete(directory)
      identity.lost.push(directory)
    }
  }
}

async function formatOne(
  identity: Identity,
  directory: LogDirectory,
  nodeId: number,
  self: Voter,
  isMetadata: boolean,
  nowMs: number,
): Promise<void> {
  if (identity.firstStart) {
    const records = FORMATTED_FEATURES.map(([name, featureLevel]) => {
      const record: NewRecord = { name: 'FeatureLevelRecord', version: 0, data: { name, featureLevel } }
      return encodeRecord(record)
    })
    const bootstrap = { lastContainedTimestampMs: 0, quorum: undefined, records }
    const files: [string, Uint8Array][] = [[BOOTSTRAP_FILE, buildSnapshot(FIRST_SNAPSHOT, bootstrap, nowMs)]]
    if (isMetadata) {
      const quorum = { kraftVersion: FORMATTED_KRAFT_VERSION, voters: [self] }
      const first = { lastContainedTimestampMs: nowMs, quorum, records: [] }
      const path = `${METADATA_FOLDER}/${snapshotName(FIRST_SNAPSHOT)}`
      files.push([path, buildSnapshot(FIRST_SNAPSHOT, first, nowMs)])
    }
    await Promise.all(files.map(([path, content]) => directory.writeFile(path, content)))
  }
  const directoryId = identity.directoryIds.get(directory)
  const content = formatMetaProperties({ clusterId: identity.clusterId, nodeId, directoryId })
  await directory.writeFile(META_PROPERTIES, content)
}
