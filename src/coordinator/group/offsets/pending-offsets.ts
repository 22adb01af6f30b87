/**
 * Offsets that open transactions have committed, until their end: by producer, and which
 * partitions of a group have some.
 *
 * Invariants: timeline state. A partition is `pending` exactly as long as an offset of it is in
 * the table of a producer.
 */
import type { OffsetCommitValue } from '../../../protocol/records/groups.ts'
import { TimelineMap } from '../../../timeline/map.ts'
import type { Timeline } from '../../../timeline/timeline.ts'
import { OffsetTable } from './table.ts'

interface PendingPartition {
  readonly topic: string
  readonly partition: number
  /** Who has an offset pending there; never empty. */
  readonly producerIds: readonly bigint[]
}

export class PendingOffsets {
  readonly #timeline: Timeline
  readonly #producers: TimelineMap<bigint, OffsetTable>
  /** By group, then by `keyOf` the partition; a group without any is not there. */
  readonly #partitions: TimelineMap<string, TimelineMap<string, PendingPartition>>

  constructor(timeline: Timeline) {
    this.#timeline = timeline
    this.#producers = new TimelineMap(timeline)
    this.#partitions = new TimelineMap(timeline)
  }

  put(
    producerId: bigint,
    groupId: string,
    topic: string,
    partition: number,
    value: OffsetCommitValue,
    recordOffset: number,
  ): void {
    let table = this.#producers.get(producerId)
    if (table === undefined) this.#producers.set(producerId, (table = new OffsetTable(this.#timeline)))
    table.put(groupId, topic, partition, value, recordOffset)
    let ofGroup = this.#partitions.get(groupId)
    if (ofGroup === undefined) this.#partitions.set(groupId, (ofGroup = new TimelineMap(this.#timeline)))
    const key = keyOf(topic, partition)
    const producerIds = ofGroup.get(key)?.producerIds ?? []
    if (!producerIds.includes(producerId)) {
      ofGroup.set(key, { topic, partition, producerIds: [...producerIds, producerId] })
    }
  }

  /** Forgets what every producer has for the partition. */
  remove(groupId: string, topic: string, partition: number): void {
    const pending = this.#partitions.get(groupId)?.get(keyOf(topic, partition))
    if (pending === undefined) return
    for (const producerId of pending.producerIds) {
      this.#producers.get(producerId)?.remove(groupId, topic, partition)
      this.#release(groupId, topic, partition, producerId)
    }
  }

  /** The transaction ends: what it had, no longer pending. undefined: it had nothing here. */
  take(producerId: bigint): OffsetTable | undefined {
    const table = this.#producers.delete(producerId)
    if (table === undefined) return undefined
    for (const groupId of table.groupIds()) {
      for (const offsets of table.topics(groupId)) {
        for (const [partition] of offsets) this.#release(groupId, offsets.topic, partition, producerId)
      }
    }
    return table
  }

  has(groupId: string, topic: string, partition: number): boolean {
    return this.#partitions.get(groupId)?.has(keyOf(topic, partition)) ?? false
  }

  hasGroup(groupId: string): boolean {
    return this.#partitions.has(groupId)
  }

  /** Partitions of the group that have some, sorted by topic and partition. */
  ofGroup(groupId: string): { readonly topic: string; readonly partition: number }[] {
    const ofGroup = this.#partitions.get(groupId)
    if (ofGroup === undefined) return []
    return [...ofGroup.values()].sort((a, b) =>
      a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1,
    )
  }

  groupIds(): IterableIterator<string> {
    return this.#partitions.keys()
  }

  /** What producers have for the partition. */
  *values(groupId: string, topic: string, partition: number): IterableIterator<OffsetCommitValue> {
    for (const producerId of this.#partitions.get(groupId)?.get(keyOf(topic, partition))?.producerIds ?? []) {
      const value = this.#producers.get(producerId)?.get(groupId, topic, partition)
      if (value !== undefined) yield value
    }
  }

  #release(groupId: string, topic: string, partition: number, producerId: bigint): void {
    const ofGroup = this.#partitions.get(groupId)
    const key = keyOf(topic, partition)
    const pending = ofGroup?.get(key)
    if (ofGroup === undefined || pending === undefined) return
    const producerIds = pending.producerIds.filter(other => other !== producerId)
    if (producerIds.length > 0) {
      ofGroup.set(key, { topic, partition, producerIds })
      return
    }
    ofGroup.delete(key)
    if (ofGroup.size === 0) this.#partitions.delete(groupId)
  }
}

function keyOf(topic: string, partition: number): string {
  return `${partition}:${topic}`
}
