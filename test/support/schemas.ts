/** Every message that src/protocol describes, for the tests that go through all of them. */
import { requestHeader, responseHeader } from '../../src/protocol/headers.ts'
import * as brokers from '../../src/protocol/records/brokers.ts'
import * as consumerProtocol from '../../src/protocol/records/consumer-protocol.ts'
import * as groups from '../../src/protocol/records/groups.ts'
import * as logMarks from '../../src/protocol/records/log-marks.ts'
import * as raft from '../../src/protocol/records/raft.ts'
import * as security from '../../src/protocol/records/security.ts'
import * as settings from '../../src/protocol/records/settings.ts'
import * as topics from '../../src/protocol/records/topics.ts'
import { apis } from '../../src/protocol/registry.ts'
import type { Schema } from '../../src/protocol/schema.ts'

export const allSchemas: readonly Schema[] = [
  requestHeader,
  responseHeader,
  ...apis.flatMap(api => [api.request, api.response]),
  ...[brokers, topics, settings, security, logMarks, raft, groups, consumerProtocol].flatMap(
    room => Object.values(room) as Schema[],
  ),
]

/** Each schema with each of its versions. */
export const allVersions = (): { schema: Schema; version: number }[] =>
  allSchemas.flatMap(schema => versionsOf(schema).map(version => ({ schema, version })))

export const versionsOf = (schema: Schema): number[] => {
  const { from, to } = schema.versions
  return Array.from({ length: to - from + 1 }, (_, index) => from + index)
}
