/**
 * The features of Kafka that this release knows, and what the metadata version means for the form of records.
 *
 * Invariant: the ranges are Kafka 4.3's. A log whose metadata version lies outside is refused, not guessed at.
 */

export const METADATA_VERSION = 'metadata.version'
export const KRAFT_VERSION = 'kraft.version'
export const GROUP_VERSION = 'group.version'
export const ELR_VERSION = 'eligible.leader.replicas.version'

/** 4.3-IV0: the newest production level, at which this release formats. */
const LATEST_METADATA_VERSION = 30

/** What a broker and a controller of this release declare. */
export const SUPPORTED_FEATURES: readonly { name: string; minSupportedVersion: number; maxSupportedVersion: number }[] =
  [
    { name: METADATA_VERSION, minSupportedVersion: 7, maxSupportedVersion: LATEST_METADATA_VERSION },
    { name: KRAFT_VERSION, minSupportedVersion: 0, maxSupportedVersion: 1 },
    { name: 'transaction.version', minSupportedVersion: 0, maxSupportedVersion: 2 },
    { name: GROUP_VERSION, minSupportedVersion: 0, maxSupportedVersion: 1 },
    { name: ELR_VERSION, minSupportedVersion: 0, maxSupportedVersion: 1 },
    { name: 'share.version', minSupportedVersion: 0, maxSupportedVersion: 1 },
    { name: 'streams.version', minSupportedVersion: 0, maxSupportedVersion: 1 },
  ]

/** What formatting finalises, in the order in which Kafka's format writes it. */
export const FORMATTED_FEATURES: readonly (readonly [string, number])[] = [
  [METADATA_VERSION, LATEST_METADATA_VERSION],
  [ELR_VERSION, 1],
  [GROUP_VERSION, 1],
  ['share.version', 1],
  ['streams.version', 1],
  ['transaction.version', 2],
]

/** Levels of metadata.version at which something began. */
const Since = { transactions: 13, controllerRegistration: 15, migration: 8, directories: 17, elr: 23, cordoned: 30 }

/** Versions of the records that depend on the metadata version. */
export interface RecordVersions {
  readonly registerBroker: number
  readonly partition: number
  readonly partitionChange: number
  /** Metadata transactions may be written. */
  readonly transactions: boolean
  readonly controllerRegistration: boolean
  readonly directories: boolean
  readonly cordonedDirectories: boolean
}

export function recordVersions(metadataVersion: number): RecordVersions {
  const at = (level: number): boolean => metadataVersion >= level
  const partition = at(Since.elr) ? 2 : at(Since.directories) ? 1 : 0
  return {
    registerBroker: at(Since.cordoned) ? 4 : at(Since.directories) ? 3 : at(Since.migration) ? 2 : 1,
    partition,
    partitionChange: partition,
    transactions: at(Since.transactions),
    controllerRegistration: at(Since.controllerRegistration),
    directories: at(Since.directories),
    cordonedDirectories: at(Since.cordoned),
  }
}
