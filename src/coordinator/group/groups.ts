/**
 * The groups of one shard by id, of whatever kind, and which of them read a topic.
 *
 * Invariants: entries are timeline state: a group that an append put in place of another is gone when the append fails.
 */

import { TimelineMap } from '../../timeline/map.ts'
import type { Timeline } from '../../timeline/timeline.ts'
import type { Group } from './group.ts'

export class GroupTable {
  readonly #groups: TimelineMap<string, Group>

  constructor(timeline: Timeline) {
    this.#groups = new TimelineMap(timeline)
  }

  get size(): number {
    return this.#groups.size
  }

  get(groupId: string): Group | undefined {
    return this.#groups.get(groupId)
  }

  set(group: Group): void {
    this.#groups.set(group.groupId, group)
  }

  delete(groupId: string): void {
    this.#groups.delete(groupId)
  }

  all(): IterableIterator<Group> {
    return this.#groups.values()
  }
}
