//! The engine's outcome codes. One table in `src/log/` maps them to Kafka's error codes; the numbers are that seam.

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Code {
    Ok = 0,
    /// Kafka 1 OFFSET_OUT_OF_RANGE
    OutOfRange = 1,
    /// Kafka 2 CORRUPT_MESSAGE
    Corrupt = 2,
    /// Kafka 10 MESSAGE_TOO_LARGE
    TooLarge = 3,
    /// Kafka 18 RECORD_LIST_TOO_LARGE
    LargerThanSegment = 4,
    /// Kafka 32 INVALID_TIMESTAMP
    BadTimestamp = 5,
    /// Kafka 45 OUT_OF_ORDER_SEQUENCE_NUMBER
    OutOfOrderSequence = 6,
    /// Kafka 47 INVALID_PRODUCER_EPOCH
    StaleProducerEpoch = 7,
    /// Kafka 48 INVALID_TXN_STATE
    BadTransactionState = 8,
    /// Kafka 56 KAFKA_STORAGE_ERROR; the log stays usable
    NoSpace = 9,
    /// Kafka 56 KAFKA_STORAGE_ERROR
    DirectoryOffline = 10,
    /// Kafka 59 UNKNOWN_PRODUCER_ID
    UnknownProducer = 11,
    /// Kafka 76 UNSUPPORTED_COMPRESSION_TYPE
    UnknownCodec = 12,
    /// Kafka 87 INVALID_RECORD
    BadRecord = 13,
    /// Kafka 6 NOT_LEADER_OR_FOLLOWER
    StaleLog = 14,
    /// Stays inside the broker: `expected_base` differs from the end offset.
    OffsetMismatch = 15,
    /// Stays inside the broker: an append with an older leader epoch than the log's last.
    EpochFenced = 16,
    /// Kafka 56: damage below the recovery point, or files that contradict each other; the partition is offline.
    Damaged = 17,
    /// No such folder or file.
    NotFound = 18,
    /// A name that is not allowed in a path.
    BadName = 19,
    /// Held by another process or by this one.
    Locked = 20,
    /// Kafka 103 INCONSISTENT_TOPIC_ID: `partition.metadata` names another topic.
    InconsistentTopicId = 21,
    /// Any other operating system error while opening or reading.
    Io = 22,
    /// Kafka 43 UNSUPPORTED_FOR_MESSAGE_FORMAT: magic below 2 where 2 is required.
    OldMagic = 23,
    /// Kafka -1 UNKNOWN_SERVER_ERROR
    Internal = 24,
    /// Kafka 74 TRANSACTION_COORDINATOR_FENCED
    CoordinatorFenced = 25,
    /// Kafka 46 DUPLICATE_SEQUENCE_NUMBER: it is in the log already, and where is not known any more.
    DuplicateSequence = 26,
}
