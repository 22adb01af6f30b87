/** The APIs that there are, by key. What a broker serves is the list of its handlers, which is part of this one. */
import type { Api } from './api.ts'
import { produce } from './apis/00-produce.ts'
import { fetch } from './apis/01-fetch.ts'
import { listOffsets } from './apis/02-list-offsets.ts'
import { metadata } from './apis/03-metadata.ts'
import { offsetCommit } from './apis/08-offset-commit.ts'
import { offsetFetch } from './apis/09-offset-fetch.ts'
import { findCoordinator } from './apis/10-find-coordinator.ts'
import { joinGroup } from './apis/11-join-group.ts'
import { heartbeat } from './apis/12-heartbeat.ts'
import { leaveGroup } from './apis/13-leave-group.ts'
import { syncGroup } from './apis/14-sync-group.ts'
import { describeGroups } from './apis/15-describe-groups.ts'
import { listGroups } from './apis/16-list-groups.ts'
import { apiVersions } from './apis/18-api-versions.ts'
import { createTopics } from './apis/19-create-topics.ts'
import { deleteTopics } from './apis/20-delete-topics.ts'
import { deleteRecords } from './apis/21-delete-records.ts'
import { initProducerId } from './apis/22-init-producer-id.ts'
import { offsetForLeaderEpoch } from './apis/23-offset-for-leader-epoch.ts'
import { describeConfigs } from './apis/32-describe-configs.ts'
import { alterConfigs } from './apis/33-alter-configs.ts'
import { alterReplicaLogDirs } from './apis/34-alter-replica-log-dirs.ts'
import { describeLogDirs } from './apis/35-describe-log-dirs.ts'
import { createPartitions } from './apis/37-create-partitions.ts'
import { deleteGroups } from './apis/42-delete-groups.ts'
import { incrementalAlterConfigs } from './apis/44-incremental-alter-configs.ts'
import { alterPartitionReassignments } from './apis/45-alter-partition-reassignments.ts'
import { listPartitionReassignments } from './apis/46-list-partition-reassignments.ts'
import { offsetDelete } from './apis/47-offset-delete.ts'
import { describeCluster } from './apis/60-describe-cluster.ts'
import { brokerRegistration } from './apis/62-broker-registration.ts'
import { brokerHeartbeat } from './apis/63-broker-heartbeat.ts'
import { allocateProducerIds } from './apis/67-allocate-producer-ids.ts'
import { consumerGroupHeartbeat } from './apis/68-consumer-group-heartbeat.ts'
import { consumerGroupDescribe } from './apis/69-consumer-group-describe.ts'
import { assignReplicasToDirs } from './apis/73-assign-replicas-to-dirs.ts'
import { listConfigResources } from './apis/74-list-config-resources.ts'
import { describeTopicPartitions } from './apis/75-describe-topic-partitions.ts'

export const apis: readonly Api[] = [
  produce,
  fetch,
  listOffsets,
  metadata,
  offsetCommit,
  offsetFetch,
  findCoordinator,
  joinGroup,
  heartbeat,
  leaveGroup,
  syncGroup,
  describeGroups,
  listGroups,
  apiVersions,
  createTopics,
  deleteTopics,
  deleteRecords,
  initProducerId,
  offsetForLeaderEpoch,
  describeConfigs,
  alterConfigs,
  alterReplicaLogDirs,
  describeLogDirs,
  createPartitions,
  deleteGroups,
  incrementalAlterConfigs,
  alterPartitionReassignments,
  listPartitionReassignments,
  offsetDelete,
  describeCluster,
  brokerRegistration,
  brokerHeartbeat,
  allocateProducerIds,
  consumerGroupHeartbeat,
  consumerGroupDescribe,
  assignReplicasToDirs,
  listConfigResources,
  describeTopicPartitions,
]

const byKey: (Api | undefined)[] = []
for (const api of apis) byKey[api.key] = api

export function findApi(key: number): Api | undefined {
  return byKey[key]
}
