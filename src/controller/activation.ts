/** The records with which a controller begins its tenure. */

import { METADATA_VERSION, SUPPORTED_FEATURES } from '../metadata/features.ts'
import { ConfigResource } from '../metadata/image.ts'
import type { NewRecord } from '../metadata/records.ts'
import { fencingRecords } from './fencing.ts'
import type { OperationContext, OperationResult } from './operation.ts'

export interface Activation {
  /** The log ends within a metadata transaction, which died with its writer. */
  readonly inTransaction: boolean
  /** Of the file bootstrap.checkpoint; written to a log that has none. */
  readonly bootstrap: readonly NewRecord[]
  readonly nodeId: number
  readonly incarnationId: string
  readonly listener: { readonly name: string; readonly host: string; readonly port: number }
}

/** A new log gets what formatting chose, in one transaction; one that broke off is aborted. */
export function beginTenure(context: OperationContext, { inTransaction, bootstrap }: Activation): OperationResult {
  const records: NewRecord[] = []
  if (inTransaction) {
    records.push({ name: 'AbortTransactionRecord', version: 0, data: { reason: 'Controller failover' } })
  }
  if (!context.state.image.features.has(METADATA_VERSION)) {
    const elr = bootstrap.some(
      ({ name, data }) =>
        name === 'FeatureLevelRecord' && data.name === 'eligible.leader.replicas.version' && data.featureLevel > 0,
    )
    records.push({ name: 'BeginTransactionRecord', version: 0, data: { name: 'Bootstrap records' } }, ...bootstrap)
    // With eligible leader replicas the cluster has one min.insync.replicas, so it is written down.
    if (elr) {
      const value = String(context.config.number('min.insync.replicas'))
      const data = { resourceType: ConfigResource.broker, resourceName: '', name: 'min.insync.replicas', value }
      records.push({ name: 'ConfigRecord', version: 0, data })
    }
    records.push({ name: 'EndTransactionRecord', version: 0, data: {} })
  }
  return { records, answer: {} }
}

/** This controller's end point and features. */
export function registerController(context: OperationContext, activation: Activation): OperationResult {
  if (!context.versions.controllerRegistration) return { records: [], answer: {} }
  const data = {
    controllerId: activation.nodeId,
    incarnationId: activation.incarnationId,
    zkMigrationReady: false,
    endPoints: [{ ...activation.listener, securityProtocol: 0 }],
    features: SUPPORTED_FEATURES,
  }
  return { records: [{ name: 'RegisterControllerRecord', version: 0, data }], answer: {} }
}

/**
 * Fences the brokers that the log shows as serving. This controller listens on no socket, so only a broker of its own
 * process can be alive, and that one has not registered yet: nobody's session needs to be waited out.
 */
export function fenceAbsentBrokers(context: OperationContext): OperationResult {
  const records: NewRecord[] = []
  for (const broker of context.state.image.brokers.values()) {
    if (!broker.fenced) records.push(...fencingRecords(context, broker))
  }
  return { records, answer: {} }
}
