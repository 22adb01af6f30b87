/**
 * The hash of the topics that a group subscribes to: when it differs from the one in the group's record, a topic was
 * created, deleted, grown or moved to other racks, and the group needs a new assignment.
 *
 * Invariants: the same number that Apache Kafka computes, so a group whose log moves between both isn't disturbed. A
 * topic is hashed once per image of it.
 */
import { uuidToBytes } from '../../../base/uuid.ts'
import type { MetadataImage, TopicImage } from '../../../metadata/image.ts'
import { xxh3 } from '../../../native/pure.ts'

const LAYOUT = 0

export class MetadataHashes {
  readonly #ofTopics = new WeakMap<TopicImage, bigint>()

  /** Of those of `names` that exist. @returns a signed 64-bit number; 0 when none exists. */
  ofTopics(names: Iterable<string>, image: MetadataImage): bigint {
    const topics: TopicImage[] = []
    for (const name of names) {
      const topic = image.topicsByName.get(name)
      if (topic !== undefined) topics.push(topic)
    }
    if (topics.length === 0) return 0n
    topics.sort((left, right) => (left.name < right.name ? -1 : 1))
    const bytes = new DataView(new ArrayBuffer(topics.length * 8))
    for (const [index, topic] of topics.entries()) bytes.setBigUint64(index * 8, this.#ofTopic(topic, image), true)
    return BigInt.asIntN(64, xxh3(new Uint8Array(bytes.buffer)))
  }

  #ofTopic(topic: TopicImage, image: MetadataImage): bigint {
    const known = this.#ofTopics.get(topic)
    if (known !== undefined) return known
    const hash = xxh3(topicBytes(topic, image))
    this.#ofTopics.set(topic, hash)
    return hash
  }
}

/** Integers little-endian, text in UTF-16 followed by its length, the uuid as two numbers. */
function topicBytes(topic: TopicImage, image: MetadataImage): Uint8Array {
  const racks = topic.partitions.map(partition => racksOf(partition.replicas, image))
  let size = 1 + 16 + textSize(topic.name) + 4 + racks.length * 4
  for (const ofPartition of racks) for (const rack of ofPartition) size += 4 + textSize(rack)

  const bytes = new Uint8Array(size)
  const view = new DataView(bytes.buffer)
  let at = 0
  const putInt = (value: number): void => {
    view.setInt32(at, value, true)
    at += 4
  }
  const putText = (text: string): void => {
    for (let index = 0; index < text.length; index++, at += 2) view.setUint16(at, text.charCodeAt(index), true)
    putInt(text.length)
  }

  bytes[at++] = LAYOUT
  uuidToBytes(topic.id, bytes, at)
  bytes.subarray(at, at + 8).reverse()
  bytes.subarray(at + 8, at + 16).reverse()
  at += 16
  putText(topic.name)
  putInt(topic.partitions.length)
  racks.forEach((ofPartition, index) => {
    putInt(index)
    for (const rack of ofPartition) {
      putInt(rack.length)
      putText(rack)
    }
  })
  return bytes
}

function racksOf(replicas: readonly number[], image: MetadataImage): string[] {
  const racks: string[] = []
  for (const id of replicas) {
    const rack = image.brokers.get(id)?.rack
    if (rack !== null && rack !== undefined) racks.push(rack)
  }
  return racks.sort()
}

function textSize(text: string): number {
  return text.length * 2 + 4
}
