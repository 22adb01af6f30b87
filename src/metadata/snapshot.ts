/**
 * An image as records and back: what a snapshot of the metadata log holds.
 *
 * Invariants: replaying `imageRecords(image)` on the empty image gives an equal image. The metadata version comes
 * first, since it may bear on how later records are read.
 */

import type { SnapshotId } from '../raft/snapshot.ts'
import { MetadataDelta } from './delta.ts'
import { METADATA_VERSION, recordVersions } from './features.ts'
import type { BrokerImage, MetadataImage, PartitionImage } from './image.ts'
import { configResource, emptyImage } from './image.ts'
import type { NewDataOf, NewRecord } from './records.ts'
import { decodeRecord } from './records.ts'

/** The image in the records of a snapshot. `timestampMs`: append time of its last contained record. */
export function imageOf(id: SnapshotId, timestampMs: number, records: readonly Uint8Array[]): MetadataImage {
  const delta = new MetadataDelta(emptyImage)
  for (const value of records) delta.replay(decodeRecord(value))
  return delta.apply({ offset: id.endOffset - 1, epoch: id.epoch, timestampMs })
}

/** Everything that `image` holds, in an order in which it can be replayed. */
export function* imageRecords(image: MetadataImage): Generator<NewRecord, undefined> {
  const metadataVersion = image.features.get(METADATA_VERSION)
  if (metadataVersion !== undefined) yield feature(METADATA_VERSION, metadataVersion)
  for (const [name, level] of image.features) if (name !== METADATA_VERSION) yield feature(name, level)
  const versions = recordVersions(metadataVersion ?? 0)

  for (const broker of image.brokers.values()) {
    yield { name: 'RegisterBrokerRecord', version: versions.registerBroker, data: brokerData(broker) }
  }
  if (versions.controllerRegistration) {
    for (const { id, endpoints, ...rest } of image.controllers.values()) {
      yield { name: 'RegisterControllerRecord', version: 0, data: { ...rest, controllerId: id, endPoints: endpoints } }
    }
  }
  for (const topic of image.topicsById.values()) {
    yield { name: 'TopicRecord', version: 0, data: { name: topic.name, topicId: topic.id } }
    for (const [index, partition] of topic.partitions.entries()) {
      yield { name: 'PartitionRecord', version: versions.partition, data: partitionData(topic.id, index, partition) }
    }
  }
  for (const [key, values] of image.configs) {
    const resource = configResource(key)
    for (const [name, value] of values) yield { name: 'ConfigRecord', version: 0, data: { ...resource, name, value } }
  }
  for (const { entity, values } of image.clientQuotas.values()) {
    for (const [key, value] of values) {
      yield { name: 'ClientQuotaRecord', version: 0, data: { entity, key, value, remove: false } }
    }
  }
  if (image.nextProducerId >= 0n) {
    const data = { brokerId: -1, brokerEpoch: -1, nextProducerId: image.nextProducerId }
    yield { name: 'ProducerIdsRecord', version: 0, data }
  }
  for (const data of image.acls.values()) yield { name: 'AccessControlEntryRecord', version: 0, data }
  for (const data of image.scram.values()) yield { name: 'UserScramCredentialRecord', version: 0, data }
  for (const data of image.delegationTokens.values()) yield { name: 'DelegationTokenRecord', version: 0, data }
}

function feature(name: string, featureLevel: number): NewRecord {
  return { name: 'FeatureLevelRecord', version: 0, data: { name, featureLevel } }
}

function brokerData(broker: BrokerImage): NewDataOf<'RegisterBrokerRecord'> {
  const { id, epoch, endpoints, ...rest } = broker
  return { ...rest, brokerId: id, brokerEpoch: epoch, endPoints: endpoints }
}

/** Data of the PartitionRecord that says what `partition` is. */
export function partitionData(
  topicId: string,
  partitionId: number,
  partition: PartitionImage,
): NewDataOf<'PartitionRecord'> {
  const { elr, lastKnownElr, ...rest } = partition
  return {
    ...rest,
    topicId,
    partitionId,
    eligibleLeaderReplicas: elr.length === 0 ? null : elr,
    lastKnownElr: lastKnownElr.length === 0 ? null : lastKnownElr,
  }
}
