/** What the parts of one group shard share. Types only. */
import type { Logger } from '../../base/logger.ts'
import type { Clock, Random } from '../../host/host.ts'
import type { MetadataImage } from '../../metadata/image.ts'
import type { Timeline } from '../../timeline/timeline.ts'
import type { CoordinatorTimers } from '../shard.ts'
import type { GroupTable } from './groups.ts'
import type { GroupRecord } from './records.ts'
import type { GroupSettings } from './settings.ts'

/** Regular expressions of subscriptions: linear time, whole names, RE2's dialect. */
export interface RegexPort {
  /** undefined: valid. Otherwise what is wrong with it. */
  check(pattern: string): string | undefined
  /** The names that match as a whole, of a pattern that is valid. */
  matching(pattern: string, names: readonly string[]): string[]
}

export interface GroupContext {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly settings: GroupSettings
  readonly regex: RegexPort
  readonly timeline: Timeline
  readonly timers: CoordinatorTimers<GroupRecord>
  readonly groups: GroupTable
  image(): MetadataImage
}

/** Who sent a request, for what a group remembers of its members. */
export interface RequestOrigin {
  readonly apiVersion: number
  readonly clientId: string
  /** As Kafka writes an address: "/127.0.0.1". */
  readonly clientHost: string
}
