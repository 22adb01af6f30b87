/** What a partition is given, and whom it tells. Types only. */
import type { Appended } from '../log/log.ts'

/** Who gave an append; one object may give several, told apart by `slot`. */
export interface AppendSink {
  /** Exactly once for each append that `Partition.append` accepted. */
  appended(slot: number, result: Appended): void
  /**
   * A batch that lies in a request's frame has to wait: the frame stays until the returned function is called. A sink
   * that lacks this gives no such batches.
   */
  keepFrame?(): () => void
}

/** A coordinator that lives in the partition for one leadership: told of what it appends by `appendAsCoordinator`. */
export interface TenantListener {
  highWatermarkMoved(highWatermark: number): void
  /** Another epoch or leader, deleted, or its directory failed. Nothing is told after it. */
  leadershipEnded(): void
}

/** What the partition has of its topic's and its broker's configuration. */
export interface PartitionSettings {
  readonly flush: 'group' | 'os'
  readonly minInSyncReplicas: number
  readonly timestampType: 'CreateTime' | 'LogAppendTime'
  /** Absent: its log is not compacted. */
  readonly compaction?: Compaction | undefined
}

/** When a compacted log is worth cleaning. */
export interface Compaction {
  /** `min.cleanable.dirty.ratio`. */
  readonly minDirtyRatio: number
  readonly minLagMs: number
}

/** What the metadata image says of the partition, as far as its replicas act on it. */
export interface Leadership {
  readonly leader: number
  readonly leaderEpoch: number
  readonly isr: readonly number[]
  readonly replicas: readonly number[]
}
