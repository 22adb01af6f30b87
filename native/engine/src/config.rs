//! The settings of one log, already parsed and checked by the caller. Names are Kafka's topic configs.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// An append asks for a sync at once; all that wait share it. What is readable is on disk.
    Group,
    /// The operating system decides when dirty pages reach the disk (Kafka's own promise).
    Os,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CompressionType {
    /// Keep what the producer sent.
    Producer,
    Uncompressed,
    Gzip {
        level: i32,
    },
    Snappy,
    Lz4 {
        level: i32,
    },
    Zstd {
        level: i32,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    CreateTime,
    LogAppendTime,
}

#[derive(Clone, Debug, PartialEq)]
pub struct LogConfig {
    pub flush: Flush,
    pub segment_bytes: u32,
    pub segment_ms: i64,
    /// Already drawn by the caller (the engine has no randomness): subtracted from `segment_ms`.
    pub segment_jitter_ms: i64,
    pub segment_index_bytes: u32,
    pub index_interval_bytes: u32,
    pub max_message_bytes: u32,
    pub compression_type: CompressionType,
    pub timestamp_type: TimestampType,
    pub timestamp_before_max_ms: i64,
    pub timestamp_after_max_ms: i64,
    /// `cleanup.policy` contains `compact`: keys are required.
    pub compacted: bool,
    /// `cleanup.policy` contains `delete`: the two retention limits count.
    pub deletes: bool,
    /// Negative: for ever.
    pub retention_ms: i64,
    /// Negative: no limit.
    pub retention_bytes: i64,
    pub file_delete_delay_ms: i64,
    /// How long a tombstone stays in a compacted log after it was first seen by the cleaner.
    pub delete_retention_ms: i64,
    /// Younger segments are left alone by the cleaner.
    pub min_compaction_lag_ms: i64,
    /// Older records are to be cleaned whatever their share; `i64::MAX`: never for that.
    pub max_compaction_lag_ms: i64,
    pub producer_id_expiration_ms: i64,
}

impl Default for LogConfig {
    /// Kafka's defaults, with `flush` as Odradek has it.
    fn default() -> Self {
        LogConfig {
            flush: Flush::Group,
            segment_bytes: 1 << 30,
            segment_ms: 7 * 24 * 3600 * 1000,
            segment_jitter_ms: 0,
            segment_index_bytes: 10 << 20,
            index_interval_bytes: 4096,
            max_message_bytes: 1_048_588,
            compression_type: CompressionType::Producer,
            timestamp_type: TimestampType::CreateTime,
            timestamp_before_max_ms: i64::MAX,
            timestamp_after_max_ms: 3_600_000,
            compacted: false,
            deletes: true,
            retention_ms: 7 * 24 * 3600 * 1000,
            retention_bytes: -1,
            file_delete_delay_ms: 60_000,
            delete_retention_ms: 86_400_000,
            min_compaction_lag_ms: 0,
            max_compaction_lag_ms: i64::MAX,
            producer_id_expiration_ms: 86_400_000,
        }
    }
}
