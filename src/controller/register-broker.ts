/**
 * BrokerRegistration (62): a broker process tells who it is, where it listens, what it supports and which directories
 * it has. It gets its broker epoch: the offset at which its records begin.
 *
 * Order of checks as in Kafka. A new incarnation first cleans up after the old one: cleanly, as if it had been fenced,
 * or, when it does not present the stored broker epoch, by taking its replicas out of ISR and ELR.
 */

import { KRAFT_VERSION, METADATA_VERSION } from '../metadata/features.ts'
import type { NewRecord } from '../metadata/records.ts'
import { DirectoryId } from '../metadata/records.ts'
import type {
  BrokerRegistrationRequest,
  BrokerRegistrationResponseInput,
} from '../protocol/apis/62-broker-registration.ts'
import type { KafkaErrorCode } from '../protocol/error-codes.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import { electionRecords } from './elections.ts'
import type { OperationContext, OperationResult } from './operation.ts'

const RESERVED: readonly string[] = Object.values(DirectoryId)

export function registerBroker(
  context: OperationContext,
  request: BrokerRegistrationRequest,
  version: number,
): OperationResult<BrokerRegistrationResponseInput> {
  const refuse = (errorCode: KafkaErrorCode) => ({ records: [], answer: { errorCode } })
  const { state, versions, sessions } = context
  const { brokerId, incarnationId } = request
  const existing = state.image.brokers.get(brokerId)

  if (request.clusterId !== context.clusterId) return refuse(ErrorCode.INCONSISTENT_CLUSTER_ID)
  const sameIncarnation = existing?.incarnationId === incarnationId
  if (existing !== undefined && !sameIncarnation && sessions.isLive(brokerId, existing.epoch)) {
    return refuse(ErrorCode.DUPLICATE_BROKER_REGISTRATION)
  }
  if (request.isMigratingZkBroker) return refuse(ErrorCode.BROKER_ID_NOT_REGISTERED)
  if (versions.directories && !directoriesAreFree(context, request)) return refuse(ErrorCode.INVALID_REGISTRATION)
  const unsupported = featureProblem(context, request)
  if (unsupported !== undefined) return refuse(unsupported)

  const records: NewRecord[] = []
  if (!sameIncarnation) {
    const clean = version >= 3 && existing?.epoch === request.previousBrokerEpoch
    if (context.elrEnabled && !clean) {
      const touched = (ids: { isr: readonly number[]; elr: readonly number[] }) =>
        ids.isr.includes(brokerId) || ids.elr.includes(brokerId)
      records.push(...electionRecords(context, { unclean: brokerId }, touched))
    } else {
      records.push(...electionRecords(context, { removed: brokerId }, partition => partition.isr.includes(brokerId)))
    }
  }
  const kept = sameIncarnation ? existing : undefined
  const brokerEpoch = kept?.epoch ?? context.nextOffset
  records.push({
    name: 'RegisterBrokerRecord',
    version: versions.registerBroker,
    data: {
      brokerId,
      incarnationId,
      brokerEpoch,
      endPoints: request.listeners,
      features: request.features,
      rack: request.rack,
      fenced: kept?.fenced ?? true,
      inControlledShutdown: kept?.inControlledShutdown ?? false,
      ...(versions.directories ? { logDirs: request.logDirs } : {}),
    },
  })
  const proposed = (): void => {
    if (kept === undefined) sessions.forget(brokerId)
  }
  return { records, answer: { errorCode: ErrorCode.NONE, brokerEpoch }, proposed }
}

/** Directories are there, none twice, none reserved, none another broker's. */
function directoriesAreFree({ state }: OperationContext, { brokerId, logDirs }: BrokerRegistrationRequest): boolean {
  if (logDirs.length === 0 || new Set(logDirs).size !== logDirs.length) return false
  if (logDirs.some(id => RESERVED.includes(id))) return false
  for (const broker of state.image.brokers.values()) {
    if (broker.id !== brokerId && broker.logDirs.some(id => logDirs.includes(id))) return false
  }
  return true
}

/** Every finalised feature must lie in the range that the broker supports; one it does not name counts as 0 to 0. */
function featureProblem(
  context: OperationContext,
  { features }: BrokerRegistrationRequest,
): KafkaErrorCode | undefined {
  const { image } = context.state
  const finalised = new Map([...image.features, [KRAFT_VERSION, context.kraftVersion]])
  for (const { name, minSupportedVersion, maxSupportedVersion } of features) {
    const level = finalised.get(name) ?? 0
    if (level < minSupportedVersion || level > maxSupportedVersion) return ErrorCode.UNSUPPORTED_VERSION
  }
  const named = new Set(features.map(feature => feature.name))
  if (!named.has(METADATA_VERSION)) return ErrorCode.INVALID_REGISTRATION
  for (const [name, level] of finalised) {
    if (level !== 0 && !named.has(name)) return ErrorCode.UNSUPPORTED_VERSION
  }
  return undefined
}
