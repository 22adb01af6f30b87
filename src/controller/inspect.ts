/**
 * Whether this release can go on with what the directories hold, found out before anything in them is changed: a
 * refusal leaves them to the release that wrote them.
 *
 * Invariants: reads only. What it lets pass, `start.ts` can load; what it refuses, its message names by file and value.
 */
import type { Logger } from '../base/logger.ts'
import { silentLogger } from '../base/logger.ts'
import { futureOf } from '../log/folder-names.ts'
import type { LogDirectory } from '../log/log.ts'
import { topicIdIn } from '../log/topic-id.ts'
import { KRAFT_VERSION, METADATA_VERSION, SUPPORTED_FEATURES } from '../metadata/features.ts'
import type { MetadataImage } from '../metadata/image.ts'
import { MetadataLoader } from '../metadata/loader.ts'
import type { NewRecord } from '../metadata/records.ts'
import { decodeRecord, MetadataError } from '../metadata/records.ts'
import { strangers, whyNotLeader } from '../raft/candidate.ts'
import type { Voter } from '../raft/control-records.ts'
import { committed } from '../raft/driver.ts'
import { parseSnapshot } from '../raft/snapshot.ts'
import { METADATA_FOLDER, type Survey, survey } from '../raft/survey.ts'
import { BOOTSTRAP_FILE, type Identity } from './format.ts'

/** @throws MetadataError saying which directory, what is in the way, and the remedy */
export async function inspect(
  logger: Logger,
  directories: readonly LogDirectory[],
  self: Voter,
  identity: Identity,
): Promise<void> {
  const metadata = directories[0]!
  const path = `${metadata.path}/${METADATA_FOLDER}`
  const twice = await checkFolders(directories, identity)
  let found: Survey
  let image: MetadataImage
  try {
    found = await survey(metadata, logger)
    image = imageIn(found)
  } catch (error) {
    const { message } = error as Error
    throw new MetadataError(message.includes(path) ? message : `${path}: ${message}`, { cause: error })
  }
  checkTwice(twice, image, identity, self.voterId)
  if (identity.firstStart) {
    if (found.endOffset === 0) return
    throw new MetadataError(
      `${metadata.path} holds a metadata log (${METADATA_FOLDER}) but no meta.properties: ` +
        'restore that file from a copy, or choose another directory',
    )
  }
  const { kraftVersion, voters } = found.quorum
  const others = kraftVersion === 0 ? (found.election?.voterIds ?? []).filter(id => id !== self.voterId) : []
  const refused =
    others.length > 0
      ? strangers([...others, self.voterId].sort((a, b) => a - b))
      : whyNotLeader(self, kraftVersion, voters)
  if (refused !== undefined) throw new MetadataError(`${path}: ${refused}`)
  checkFeatures(path, image.features, kraftVersion)
  if (image.features.has(METADATA_VERSION)) checkOtherBrokers(path, image, self.voterId)
  else if (image.topicsById.size + image.brokers.size > 0) {
    throw new MetadataError(`${path} has no ${METADATA_VERSION}, so a release before 3.3 wrote it: ${tooOld}`)
  } else {
    // Formatted and never started, or that start broke off: what formatting chose is what counts.
    const records = await readBootstrap(metadata)
    const chosen = records.flatMap(({ name, data }) =>
      name === 'FeatureLevelRecord' ? [[data.name, data.featureLevel] as const] : [],
    )
    checkFeatures(`${metadata.path}/${BOOTSTRAP_FILE}`, new Map(chosen), kraftVersion)
  }
}

interface Twice {
  readonly folder: string
  readonly directories: readonly LogDirectory[]
}

/**
 * No directory has partitions without the metadata log. Two topics may have had one name, one after the other: while
 * the directory of the first was offline, the second came to lie in another.
 * @returns the partitions that lie in two
 */
async function checkFolders(directories: readonly LogDirectory[], identity: Identity): Promise<Twice[]> {
  const seen = new Map<string, LogDirectory>()
  const twice: Twice[] = []
  for (const directory of directories) {
    for (const folder of await directory.partitionFolders()) {
      if (futureOf(folder) !== undefined) continue
      const other = seen.get(folder)
      if (other !== undefined && !(await areOfTwoTopics(folder, other, directory)))
        twice.push({ folder, directories: [other, directory] })
      seen.set(folder, directory)
    }
  }
  const metadata = directories[0]!
  const home = seen.get(METADATA_FOLDER)
  if (home !== undefined && home !== metadata) {
    throw new MetadataError(
      `the metadata log (${METADATA_FOLDER}) lies in ${home.path}, not in ${metadata.path}: ` +
        `name it first in log.dirs, or set metadata.log.dir=${home.path}`,
    )
  }
  if (home !== undefined || seen.size === 0) return twice
  const [folder, directory] = [...seen][0]!
  throw new MetadataError(
    identity.firstStart
      ? `${directory.path} holds partitions (${folder}) but no meta.properties: restore that file and the metadata log ` +
          'from a copy, or choose an empty directory'
      : `${directory.path} holds partitions (${folder}) but no directory has the metadata log (${METADATA_FOLDER}): ` +
          'add the one that has it to log.dirs, in the first place',
  )
}

/**
 * A partition may lie in two directories after a move that broke off at its end: the metadata
 * names the one that counts.
 */
function checkTwice(twice: readonly Twice[], image: MetadataImage, identity: Identity, nodeId: number): void {
  for (const { folder, directories } of twice) {
    const dash = folder.lastIndexOf('-')
    const state = image.topicsByName.get(folder.slice(0, dash))?.partitions[Number(folder.slice(dash + 1))]
    const named = state?.directories[state.replicas.indexOf(nodeId)]
    if (directories.some(directory => identity.directoryIds.get(directory) === named)) continue
    const [one, other] = directories.map(({ path }) => path)
    throw new MetadataError(`${folder} lies in ${one} and in ${other}; move one of them away`)
  }
}

async function areOfTwoTopics(folder: string, one: LogDirectory, other: LogDirectory): Promise<boolean> {
  return (await topicIdIn(one, folder)) !== (await topicIdIn(other, folder))
}

/** The image after everything in the log, whether it was committed or not. */
function imageIn({ snapshot, batches }: Survey): MetadataImage {
  const loader = new MetadataLoader(silentLogger)
  if (snapshot !== undefined) loader.loadSnapshot(snapshot.id, snapshot.snapshot)
  loader.loadBatches(batches.map(committed))
  return loader.image()
}

const tooOld =
  'let Apache Kafka 3.3 to 4.3 raise the metadata.version (kafka-features.sh upgrade), and stop it cleanly, before you come here'
const tooNew = 'use the release that wrote the directory'

/** @throws MetadataError when a feature is at a level that this release does not know */
function checkFeatures(path: string, features: ReadonlyMap<string, number>, kraftVersion: number): void {
  for (const [name, level] of [...features, [KRAFT_VERSION, kraftVersion] as const]) {
    const known = SUPPORTED_FEATURES.find(feature => feature.name === name)
    if (level === 0 && known === undefined) continue
    if (known !== undefined && level >= known.minSupportedVersion && level <= known.maxSupportedVersion) continue
    const range = known === undefined ? 'nothing' : `${known.minSupportedVersion} to ${known.maxSupportedVersion}`
    const remedy = known !== undefined && level < known.minSupportedVersion ? tooOld : tooNew
    throw new MetadataError(`${path} has ${name}=${level}, and this release knows ${range} of it: ${remedy}`)
  }
}

/** One node is the whole cluster: nobody else may hold records, or serve. */
function checkOtherBrokers(path: string, image: MetadataImage, nodeId: number): void {
  const others = new Set<number>()
  for (const broker of image.brokers.values()) if (!broker.fenced) others.add(broker.id)
  for (const topic of image.topicsById.values()) {
    for (const { replicas } of topic.partitions) for (const id of replicas) others.add(id)
  }
  others.delete(nodeId)
  if (others.size === 0) return
  const ids = [...others].sort((a, b) => a - b).join(', ')
  throw new MetadataError(
    `${path} is of a cluster with other brokers (${ids}); this broker is a cluster of its own: ` +
      'move their partitions to this node and unregister them with Apache Kafka first',
  )
}

/** The records that a new metadata log begins with. */
export async function readBootstrap(directory: LogDirectory): Promise<NewRecord[]> {
  const content = await directory.readFile(BOOTSTRAP_FILE)
  const snapshot = content === undefined ? 'it is missing' : parseSnapshot(content)
  if (typeof snapshot !== 'string') return snapshot.records.map(decodeRecord)
  throw new MetadataError(`${directory.path}/${BOOTSTRAP_FILE} cannot be used: ${snapshot}; restore it from a copy`)
}
