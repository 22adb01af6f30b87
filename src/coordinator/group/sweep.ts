/**
 * Work on all groups of a shard, a part at a time: the broker has other things to do while a million offsets expire.
 *
 * Invariants: a part begins when the records of the one before are committed, and is done again when its own are not.
 */
import type { CoordinatorTimers, Outcome } from '../shard.ts'
import type { GroupRecord } from './records.ts'

/** A part ends with whichever comes first. */
const GROUPS_AT_ONCE = 10_000
const RECORDS_AT_ONCE = 5_000

export interface Sweep {
  /** Name of the timer; a sweep that begins under a name replaces the one that is under way. */
  readonly key: string
  readonly delayMs: number
  /** Asked when the sweep begins. */
  groupIds(): readonly string[]
  /** Adds what is to be written of a group, which may be gone by now. */
  visit(groupId: string, records: GroupRecord[]): void
  /** Everything is committed. */
  swept(): void
}

export function startSweep(timers: CoordinatorTimers<GroupRecord>, sweep: Sweep): void {
  timers.schedule(sweep.key, sweep.delayMs, () => {
    const groupIds = sweep.groupIds()
    const part = (from: number): Outcome<GroupRecord, void> => {
      const records: GroupRecord[] = []
      const end = Math.min(from + GROUPS_AT_ONCE, groupIds.length)
      let next = from
      while (next < end && records.length < RECORDS_AT_ONCE) sweep.visit(groupIds[next++]!, records)
      return {
        records,
        response: undefined,
        settled(code) {
          if (code !== 0) return
          if (next < groupIds.length) timers.schedule(sweep.key, 0, () => part(next))
          else sweep.swept()
        },
      }
    }
    return part(0)
  })
}
