/**
 * A log's settings, parsed: what `logConfigFor` makes of configs and the engine works with.
 *
 * Invariant: the same fields as native/engine/src/config.rs.
 */
export interface LogConfig {
  flush: 'group' | 'os'
  segmentBytes: number
  segmentMs: number
  segmentJitterMs: number
  segmentIndexBytes: number
  indexIntervalBytes: number
  maxMessageBytes: number
  compressionType: 'producer' | 'uncompressed' | 'gzip' | 'snappy' | 'lz4' | 'zstd'
  compressionLevel: { gzip: number; lz4: number; zstd: number }
  timestampType: 'CreateTime' | 'LogAppendTime'
  timestampBeforeMaxMs: number
  timestampAfterMaxMs: number
  compacted: boolean
  /** `cleanup.policy` contains `delete`: the retention limits count. */
  deletes: boolean
  /** Negative: for ever. */
  retentionMs: number
  /** Negative: no limit. */
  retentionBytes: number
  fileDeleteDelayMs: number
  /** How long a tombstone stays after the cleaner first saw it. */
  deleteRetentionMs: number
  /** Younger segments are left alone by the cleaner. */
  minCompactionLagMs: number
  /** Older records are cleaned whatever their share; the largest integer: never for that. */
  maxCompactionLagMs: number
  producerIdExpirationMs: number
}
