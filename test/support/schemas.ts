/** Every message that src/protocol describes, for the tests that go through all of them. */
import { requestHeader, responseHeader } from '../../src/protocol/headers.ts'
import { controlRecordTypeSchema, endTxnMarker } from '../../src/protocol/records/control.ts'
import { metadataRecords } from '../../src/protocol/records/metadata-records.ts'
import { quorumStateData } from '../../src/protocol/records/quorum-state.ts'
import {
  kraftVersionRecord,
  leaderChangeMessage,
  snapshotFooterRecord,
  snapshotHeaderRecord,
  votersRecord,
} from '../../src/protocol/records/raft.ts'
import { apis } from '../../src/protocol/registry.ts'
import type { Schema } from '../../src/protocol/schema.ts'

export const allSchemas: readonly Schema[] = [
  requestHeader,
  responseHeader,
  ...apis.flatMap(api => [api.request, api.response]),
  ...metadataRecords,
  leaderChangeMessage,
  snapshotHeaderRecord,
  snapshotFooterRecord,
  kraftVersionRecord,
  votersRecord,
  controlRecordTypeSchema,
  endTxnMarker,
  quorumStateData,
]

/** Each schema with each of its versions. */
export const allVersions = (): { schema: Schema; version: number }[] =>
  allSchemas.flatMap(schema => versionsOf(schema).map(version => ({ schema, version })))

export const versionsOf = (schema: Schema): number[] => {
  const { from, to } = schema.versions
  return Array.from({ length: to - from + 1 }, (_, index) => from + index)
}
