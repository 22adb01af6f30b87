/** The features that this broker supports, with the levels that it understands: what it registers and what ApiVersions shows. */

export interface SupportedFeature {
  readonly name: string
  readonly minVersion: number
  readonly maxVersion: number
}

/** Those of Apache Kafka 4.3, so that this broker can stand in one cluster with it. */
export const supportedFeatures: readonly SupportedFeature[] = [
  { name: 'metadata.version', minVersion: 7, maxVersion: 30 },
  { name: 'kraft.version', minVersion: 0, maxVersion: 1 },
  { name: 'transaction.version', minVersion: 0, maxVersion: 2 },
  { name: 'group.version', minVersion: 0, maxVersion: 1 },
  { name: 'eligible.leader.replicas.version', minVersion: 0, maxVersion: 1 },
  { name: 'share.version', minVersion: 0, maxVersion: 1 },
  { name: 'streams.version', minVersion: 0, maxVersion: 1 },
]
