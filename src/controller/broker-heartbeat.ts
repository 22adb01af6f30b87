/**
 * BrokerHeartbeat (63): a broker says how far it has come and whether it wants to serve, to be fenced, or to shut down.
 *
 *   fenced --caught up, does not want the fence--> serving --wants to shut down, leads something--> shutting down
 *   serving | shutting down --leads nothing, all others know--> fenced (and told to shut down)
 */

import type { BrokerImage } from '../metadata/image.ts'
import { NO_LEADER } from '../metadata/image.ts'
import type { NewRecord } from '../metadata/records.ts'
import type { BrokerHeartbeatRequest, BrokerHeartbeatResponseInput } from '../protocol/apis/63-broker-heartbeat.ts'
import { ErrorCode } from '../protocol/error-codes.ts'
import { electionRecords, hasLeaderships, isActive } from './elections.ts'
import { fencingRecords } from './fencing.ts'
import type { OperationContext, OperationResult } from './operation.ts'

type BrokerState = 'fenced' | 'serving' | 'shuttingDown' | 'shutDown'

export function brokerHeartbeat(
  context: OperationContext,
  request: BrokerHeartbeatRequest,
): OperationResult<BrokerHeartbeatResponseInput> {
  const { state, sessions, versions } = context
  const { brokerId, brokerEpoch, currentMetadataOffset } = request
  const broker = state.image.brokers.get(brokerId)
  if (broker?.epoch !== brokerEpoch) {
    return { records: [], answer: { errorCode: ErrorCode.STALE_BROKER_EPOCH, shouldShutDown: false } }
  }
  const caughtUp = currentMetadataOffset >= (state.registrationOffsets.get(brokerId) ?? 0)
  const before = broker.fenced ? 'fenced' : broker.inControlledShutdown ? 'shuttingDown' : 'serving'
  const after = nextState(context, request, before, caughtUp)
  const records: NewRecord[] = before === after ? [] : transitionRecords(context, broker, after)
  if (versions.directories) records.push(...offlineDirectoryRecords(context, broker, request.offlineLogDirs))
  if (versions.cordonedDirectories) records.push(...cordonedDirectoryRecords(broker, request.cordonedLogDirs))
  sessions.touch(brokerId, brokerEpoch, currentMetadataOffset)
  const answer = {
    errorCode: ErrorCode.NONE,
    isCaughtUp: caughtUp,
    isFenced: after === 'fenced' || after === 'shutDown',
    shouldShutDown: after === 'shutDown',
  }
  return {
    records,
    answer,
    proposed: end => {
      if (after === 'shuttingDown') sessions.beginShutdown(brokerId, end - 1)
    },
  }
}

function nextState(
  context: OperationContext,
  request: BrokerHeartbeatRequest,
  state: BrokerState,
  caughtUp: boolean,
): BrokerState {
  const { brokerId, wantFence, wantShutDown } = request
  switch (state) {
    case 'fenced':
      if (wantShutDown) return 'shutDown'
      return wantFence || !caughtUp ? 'fenced' : 'serving'
    case 'serving':
      if (wantFence) return wantShutDown ? 'shutDown' : 'fenced'
      if (!wantShutDown) return 'serving'
      return hasLeaderships(context, brokerId) ? 'shuttingDown' : 'shutDown'
    default:
      if (hasLeaderships(context, brokerId)) return 'shuttingDown'
      return context.sessions.shutdownOffset(brokerId) <= lowestActiveOffset(context) ? 'shutDown' : 'shuttingDown'
  }
}

/** What every serving broker has applied. */
function lowestActiveOffset(context: OperationContext): number {
  let lowest = Number.MAX_SAFE_INTEGER
  for (const { id } of context.state.image.brokers.values()) {
    if (isActive(context, id)) lowest = Math.min(lowest, context.sessions.metadataOffset(id))
  }
  return lowest
}

function transitionRecords(context: OperationContext, broker: BrokerImage, to: BrokerState): NewRecord[] {
  const { id: brokerId, epoch: brokerEpoch } = broker
  switch (to) {
    case 'serving':
      return [
        { name: 'BrokerRegistrationChangeRecord', version: 0, data: { brokerId, brokerEpoch, fenced: -1 } },
        ...electionRecords(context, { added: brokerId }, partition => partition.leader === NO_LEADER),
      ]
    case 'shuttingDown':
      return [
        {
          name: 'BrokerRegistrationChangeRecord',
          version: 1,
          data: { brokerId, brokerEpoch, inControlledShutdown: 1 },
        },
        ...electionRecords(context, { removed: brokerId }, partition => partition.isr.includes(brokerId)),
      ]
    default:
      return fencingRecords(context, broker)
  }
}

/** Directories that the broker lost: what was in them leads no more. */
function offlineDirectoryRecords(
  context: OperationContext,
  broker: BrokerImage,
  offline: readonly string[],
): NewRecord[] {
  const lost = broker.logDirs.filter(id => offline.includes(id))
  if (lost.length === 0) return []
  const { id: brokerId, epoch: brokerEpoch } = broker
  const logDirs = broker.logDirs.filter(id => !offline.includes(id))
  return [
    ...electionRecords(context, { removed: brokerId }, partition => {
      const directory = partition.directories[partition.replicas.indexOf(brokerId)]
      return directory !== undefined && lost.includes(directory)
    }),
    { name: 'BrokerRegistrationChangeRecord', version: 2, data: { brokerId, brokerEpoch, logDirs } },
  ]
}

function cordonedDirectoryRecords(broker: BrokerImage, cordoned: readonly string[] | null): NewRecord[] {
  if (cordoned === null) return []
  const known = broker.cordonedLogDirs
  if (known !== null && known.length === cordoned.length && known.every(id => cordoned.includes(id))) return []
  const data = { brokerId: broker.id, brokerEpoch: broker.epoch, cordonedLogDirs: cordoned }
  return [{ name: 'BrokerRegistrationChangeRecord', version: 3, data }]
}
