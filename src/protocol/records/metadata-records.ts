/** All records that a metadata log may hold, by their API key. The framing around them is `src/metadata`'s. */
import type { Schema } from '../schema.ts'
import {
  brokerRegistrationChangeRecord,
  fenceBrokerRecord,
  registerBrokerRecord,
  registerControllerRecord,
  unfenceBrokerRecord,
  unregisterBrokerRecord,
} from './brokers.ts'
import {
  abortTransactionRecord,
  beginTransactionRecord,
  endTransactionRecord,
  noOpRecord,
  zkMigrationStateRecord,
} from './log-marks.ts'
import {
  accessControlEntryRecord,
  delegationTokenRecord,
  removeAccessControlEntryRecord,
  removeDelegationTokenRecord,
  removeUserScramCredentialRecord,
  userScramCredentialRecord,
} from './security.ts'
import { clientQuotaRecord, configRecord, featureLevelRecord, producerIdsRecord } from './settings.ts'
import { clearElrRecord, partitionChangeRecord, partitionRecord, removeTopicRecord, topicRecord } from './topics.ts'

export const metadataRecords: readonly Schema[] = [
  registerBrokerRecord,
  unregisterBrokerRecord,
  topicRecord,
  partitionRecord,
  configRecord,
  partitionChangeRecord,
  fenceBrokerRecord,
  unfenceBrokerRecord,
  removeTopicRecord,
  delegationTokenRecord,
  userScramCredentialRecord,
  featureLevelRecord,
  clientQuotaRecord,
  producerIdsRecord,
  brokerRegistrationChangeRecord,
  accessControlEntryRecord,
  removeAccessControlEntryRecord,
  noOpRecord,
  zkMigrationStateRecord,
  removeUserScramCredentialRecord,
  beginTransactionRecord,
  endTransactionRecord,
  abortTransactionRecord,
  removeDelegationTokenRecord,
  registerControllerRecord,
  clearElrRecord,
]

const byKey = new Map(metadataRecords.map(schema => [schema.apiKey, schema]))

/** undefined: no record of that key is known. */
export function findMetadataRecord(apiKey: number): Schema | undefined {
  return byKey.get(apiKey)
}
