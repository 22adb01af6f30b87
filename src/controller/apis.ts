/** The requests that the controller answers: what each does, and its answer when it could not be done at all. */
import { ZERO_UUID } from '../base/uuid.ts'
import type { CreateTopicsRequest } from '../protocol/apis/19-create-topics.ts'
import type { DeleteTopicsRequest } from '../protocol/apis/20-delete-topics.ts'
import type { AlterConfigsRequest } from '../protocol/apis/33-alter-configs.ts'
import type { CreatePartitionsRequest } from '../protocol/apis/37-create-partitions.ts'
import type { IncrementalAlterConfigsRequest } from '../protocol/apis/44-incremental-alter-configs.ts'
import type { AlterPartitionReassignmentsRequest } from '../protocol/apis/45-alter-partition-reassignments.ts'
import type { ListPartitionReassignmentsRequest } from '../protocol/apis/46-list-partition-reassignments.ts'
import type { BrokerRegistrationRequest } from '../protocol/apis/62-broker-registration.ts'
import type { BrokerHeartbeatRequest } from '../protocol/apis/63-broker-heartbeat.ts'
import type { AllocateProducerIdsRequest } from '../protocol/apis/67-allocate-producer-ids.ts'
import type { AssignReplicasToDirsRequest } from '../protocol/apis/73-assign-replicas-to-dirs.ts'
import type { KafkaErrorCode } from '../protocol/error-codes.ts'
import { allocateProducerIds } from './allocate-producer-ids.ts'
import { alterConfigs, failedAlterations, incrementalAlterConfigs } from './alter-configs.ts'
import { alterPartitionReassignments } from './alter-partition-reassignments.ts'
import { assignReplicasToDirs } from './assign-replicas-to-dirs.ts'
import { brokerHeartbeat } from './broker-heartbeat.ts'
import { createPartitions } from './create-partitions.ts'
import { createTopics } from './create-topics.ts'
import { deleteTopics, failedDeletions } from './delete-topics.ts'
import { listPartitionReassignments } from './list-partition-reassignments.ts'
import type { OperationContext, OperationResult } from './operation.ts'
import { registerBroker } from './register-broker.ts'

export interface ControllerApi {
  operate(context: OperationContext, request: object, version: number): OperationResult
  failure(request: object, errorCode: KafkaErrorCode, message: string): object
}

function api<Request extends object>(
  operate: (context: OperationContext, request: Request, version: number) => OperationResult,
  failure: (request: Request, errorCode: KafkaErrorCode, message: string) => object,
): ControllerApi {
  return {
    operate: (context, request, version) => operate(context, request as Request, version),
    failure: (request, errorCode, message) => failure(request as Request, errorCode, message),
  }
}

export const controllerApis: ReadonlyMap<number, ControllerApi> = new Map([
  [
    19,
    api<CreateTopicsRequest>(createTopics, ({ topics }, errorCode, errorMessage) => ({
      topics: topics.map(({ name }) => ({ name, topicId: ZERO_UUID, errorCode, errorMessage, configs: [] })),
    })),
  ],
  [
    20,
    api<DeleteTopicsRequest>(deleteTopics, (request, errorCode, errorMessage) => ({
      responses: failedDeletions(request, errorCode, errorMessage),
    })),
  ],
  [33, api<AlterConfigsRequest>(alterConfigs, failedAlterations)],
  [
    37,
    api<CreatePartitionsRequest>(createPartitions, ({ topics }, errorCode, errorMessage) => ({
      results: topics.map(({ name }) => ({ name, errorCode, errorMessage })),
    })),
  ],
  [44, api<IncrementalAlterConfigsRequest>(incrementalAlterConfigs, failedAlterations)],
  [
    45,
    api<AlterPartitionReassignmentsRequest>(alterPartitionReassignments, (_request, errorCode, errorMessage) => ({
      errorCode,
      errorMessage,
      responses: [],
    })),
  ],
  [
    46,
    api<ListPartitionReassignmentsRequest>(listPartitionReassignments, (_request, errorCode, errorMessage) => ({
      errorCode,
      errorMessage,
      topics: [],
    })),
  ],
  [62, api<BrokerRegistrationRequest>(registerBroker, (_request, errorCode) => ({ errorCode }))],
  [63, api<BrokerHeartbeatRequest>(brokerHeartbeat, (_request, errorCode) => ({ errorCode, shouldShutDown: false }))],
  [
    67,
    api<AllocateProducerIdsRequest>(allocateProducerIds, (_request, errorCode) => ({
      errorCode,
      producerIdStart: 0n,
      producerIdLen: 0,
    })),
  ],
  [
    73,
    api<AssignReplicasToDirsRequest>(assignReplicasToDirs, (_request, errorCode) => ({ errorCode, directories: [] })),
  ],
])
