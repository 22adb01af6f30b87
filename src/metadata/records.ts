/**
 * What the records of the metadata log are made of, beyond their schemas: shared parts and reserved values.
 */

export interface Endpoint {
  readonly name: string
  readonly host: string
  readonly port: number
  /** Kafka's SecurityProtocol id: 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL. */
  readonly securityProtocol: number
}

export interface VersionRange {
  readonly name: string
  readonly minSupportedVersion: number
  readonly maxSupportedVersion: number
}

/** Directory ids that name no directory. */
export const DirectoryId = {
  /** From before brokers told their directories. */
  migrating: 'AAAAAAAAAAAAAAAAAAAAAA',
  /** The broker has not said where it put the replica. */
  unassigned: 'AAAAAAAAAAAAAAAAAAAAAQ',
  /** The directory is offline. */
  lost: 'AAAAAAAAAAAAAAAAAAAAAg',
} as const
