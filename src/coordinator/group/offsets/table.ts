/**
 * Committed offsets by group, topic and partition. Groups and topics without offsets are not there.
 *
 * Invariants: changes are undone by the timeline. Topics come in the order of their names and partitions in theirs, in
 * whatever order they were committed.
 */
import type { OffsetCommitValue } from '../../../protocol/records/groups.ts'
import type { Timeline } from '../../../timeline/timeline.ts'
import type { CommittedOffset, TopicOffsetsOwner } from './topic-offsets.ts'
import { TopicOffsets } from './topic-offsets.ts'

export class OffsetTable {
  readonly #timeline: Timeline
  readonly #groups = new Map<string, GroupOffsets>()

  constructor(timeline: Timeline) {
    this.#timeline = timeline
  }

  get(groupId: string, topic: string, partition: number): CommittedOffset | undefined {
    return this.topic(groupId, topic)?.get(partition)
  }

  has(groupId: string, topic: string, partition: number): boolean {
    return this.topic(groupId, topic)?.has(partition) ?? false
  }

  put(groupId: string, topic: string, partition: number, value: OffsetCommitValue, recordOffset: number): void {
    const group = this.#groups.get(groupId) ?? new GroupOffsets(this.#groups, groupId)
    const offsets = group.topic(topic) ?? new TopicOffsets(group, topic)
    offsets.put(this.#timeline, partition, value, recordOffset)
  }

  /** @returns whether there was one. */
  remove(groupId: string, topic: string, partition: number): boolean {
    return this.topic(groupId, topic)?.remove(this.#timeline, partition) ?? false
  }

  topic(groupId: string, topic: string): TopicOffsets | undefined {
    return this.#groups.get(groupId)?.topic(topic)
  }

  /** Topics of a group; none when it has no offsets. */
  topics(groupId: string): readonly TopicOffsets[] {
    return this.#groups.get(groupId)?.topics ?? []
  }

  groupIds(): IterableIterator<string> {
    return this.#groups.keys()
  }
}

class GroupOffsets implements TopicOffsetsOwner {
  readonly groupId: string
  /** Sorted by name. */
  topics: TopicOffsets[] = []
  readonly #groups: Map<string, GroupOffsets>

  constructor(groups: Map<string, GroupOffsets>, groupId: string) {
    this.#groups = groups
    this.groupId = groupId
  }

  topic(name: string): TopicOffsets | undefined {
    const at = this.#place(name)
    const found = this.topics[at]
    return found?.topic === name ? found : undefined
  }

  attach(topic: TopicOffsets): void {
    if (this.topics.length > 0) {
      this.topics.splice(this.#place(topic.topic), 0, topic)
      return
    }
    this.topics = [topic]
    this.#groups.set(this.groupId, this)
  }

  detach(topic: TopicOffsets): void {
    this.topics.splice(this.topics.indexOf(topic), 1)
    if (this.topics.length === 0) this.#groups.delete(this.groupId)
  }

  /** Where a topic is, or belongs. */
  #place(name: string): number {
    let low = 0
    let high = this.topics.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.topics[middle]!.topic < name) low = middle + 1
      else high = middle
    }
    return low
  }
}
