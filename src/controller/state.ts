/**
 * What the controller decides from: the image after everything it has proposed, and two indexes that the image lacks.
 *
 * Invariants: immutable; changed only by replaying records, so a state after the log's first n records is the same
 * whoever computes it, and going back is keeping the old one.
 */
import { PersistentMap } from '../base/persistent-map.ts'
import { MetadataDelta } from '../metadata/delta.ts'
import type { MetadataImage } from '../metadata/image.ts'
import type { MetadataRecord } from '../metadata/records.ts'
import { collisionKey } from './topic-names.ts'

export interface ControllerState {
  readonly image: MetadataImage
  /** Offset of each broker's newest RegisterBrokerRecord: it has caught up when it knows that. */
  readonly registrationOffsets: ReadonlyMap<number, number>
  /** Names of the topics that share a key under which metric names collide. */
  readonly collisions: PersistentMap<string, readonly string[]>
}

/** The state of a controller that finds `image` committed. */
export function stateOf(image: MetadataImage): ControllerState {
  let collisions = PersistentMap.of<string, readonly string[]>()
  for (const name of image.topicsByName.keys()) collisions = withName(collisions, name)
  const registrationOffsets = new Map([...image.brokers.keys()].map(id => [id, image.offset] as const))
  return { image, registrationOffsets, collisions }
}

/**
 * The state after `records`, the first of which is at `baseOffset`.
 * @throws MetadataError when a record does not fit
 */
export function replayRecords(
  state: ControllerState,
  records: readonly MetadataRecord[],
  baseOffset: number,
  epoch: number,
  timestampMs: number,
): ControllerState {
  const delta = new MetadataDelta(state.image)
  const registrationOffsets = new Map(state.registrationOffsets)
  let { collisions } = state
  for (const [index, record] of records.entries()) {
    delta.replay(record)
    if (record.name === 'RegisterBrokerRecord') registrationOffsets.set(record.data.brokerId, baseOffset + index)
    if (record.name === 'UnregisterBrokerRecord') registrationOffsets.delete(record.data.brokerId)
    if (record.name === 'TopicRecord') collisions = withName(collisions, record.data.name)
    if (record.name === 'RemoveTopicRecord') {
      const topic = state.image.topicsById.get(record.data.topicId)
      if (topic !== undefined) collisions = withoutName(collisions, topic.name)
    }
  }
  const image = delta.apply({ offset: baseOffset + records.length - 1, epoch, timestampMs })
  return { image, registrationOffsets, collisions }
}

function withName(collisions: PersistentMap<string, readonly string[]>, name: string) {
  const key = collisionKey(name)
  return key === undefined ? collisions : collisions.with(key, [...(collisions.get(key) ?? []), name])
}

function withoutName(collisions: PersistentMap<string, readonly string[]>, name: string) {
  const key = collisionKey(name)
  if (key === undefined) return collisions
  const rest = (collisions.get(key) ?? []).filter(other => other !== name)
  return rest.length === 0 ? collisions.without(key) : collisions.with(key, rest)
}
