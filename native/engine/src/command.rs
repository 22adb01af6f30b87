//! What the outside asks of the engine and what it answers: the only vocabulary between the driver and whoever
//! embeds it (the addon, the tests). Plain data, no behaviour.
//!
//! Invariants: the commands of one log are carried out in the order in which they were submitted; each command that
//! carries a `ticket` is answered by exactly one completion with that ticket; `Appended` completions of one log leave
//! in command order, and the `Appended` of a batch is listed before any `Synced` that covers it.

use crate::config::LogConfig;
use crate::error::Code;
use crate::slice::FileSlice;
use bytes::Bytes;

/// Names an open log. A stale generation is answered with `Code::StaleLog`, never followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogRef {
    pub slot: u32,
    pub generation: u32,
}

/// Names an open log directory (one entry of `log.dirs`).
pub type DirectoryId = u32;

/// Who made the batch; decides which rules of validation apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Origin {
    /// A produce request: every check of Kafka's LogValidator, base offset 0.
    Client = 0,
    /// A coordinator of this broker.
    Coordinator = 1,
    /// The metadata log's leader.
    Raft = 2,
    /// A follower's copy: offsets, epoch and timestamps are the leader's and are kept.
    Replication = 3,
    /// A transaction marker.
    Marker = 4,
}

/// When the completion of an append must wake its reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Wake {
    /// May ride along with other news (it is sent on within 1 ms all the same).
    Never = 0,
    /// The `Appended` completion is urgent.
    Appended = 1,
    /// The `Synced` completion that covers it is urgent.
    Synced = 2,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum WatchLimit {
    End = 0,
    Synced = 1,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The first record at or after this timestamp, below `limit`.
    Time { timestamp: i64 },
    /// The record with the largest timestamp.
    MaxTime,
    /// The end offset of the largest epoch at or below this one.
    EpochEnd { epoch: i32 },
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadFlags {
    /// Return the first batch even if it is larger than `max_bytes`.
    pub at_least_one: bool,
    /// List the aborted transactions that overlap the range.
    pub aborted_list: bool,
    /// Copy the bytes into memory instead of pinning file ranges.
    pub to_memory: bool,
}

#[derive(Clone, Debug)]
pub struct OpenLog {
    pub log: LogRef,
    pub ticket: u32,
    pub directory: DirectoryId,
    /// The folder's name below the directory, `topic-partition`; validated by the engine (no separator, no `..`).
    pub name: String,
    pub config: LogConfig,
    /// 22 characters of base64url; written to `partition.metadata` (and synced) before the first append when the
    /// folder is new, compared when it exists. None: no such file (the metadata log).
    pub topic_id: Option<String>,
    /// Trust the recovery point and skip the scan: the directory's clean-shutdown file was there at start.
    pub clean: bool,
    /// Refuse with `Code::UnknownLog` instead of creating the folder.
    pub must_exist: bool,
    pub now_ms: i64,
}

#[derive(Clone, Copy, Debug)]
pub struct CleanLog {
    pub log: LogRef,
    pub ticket: u32,
    /// Nothing from here on may be cleaned: the last stable offset.
    pub limit: i64,
    pub now_ms: i64,
    /// Memory for keys, 24 bytes each.
    pub map_bytes: u64,
    /// How full that may get, as a fraction.
    pub load_factor: f64,
    /// Bytes read at once.
    pub buffer_bytes: u32,
    /// Ceiling of what is read and written; 0 or infinite: none.
    pub bytes_per_second: f64,
}

#[derive(Clone, Debug)]
pub enum Command {
    Open(Box<OpenLog>),
    Close {
        log: LogRef,
        ticket: u32,
        clean: bool,
    },
    /// Closes, renames the folder to Kafka's `-delete` name at once and removes it on the background role.
    Delete {
        log: LogRef,
        ticket: u32,
    },
    Append {
        log: LogRef,
        ticket: u32,
        /// Exactly one record batch. Never changed in place: the header is copied and patched.
        batch: Bytes,
        leader_epoch: i32,
        origin: Origin,
        wake: Wake,
        transaction_version: i16,
        now_ms: i64,
        /// -1: any. Otherwise refused with `Code::OffsetMismatch` unless it is the log's end offset.
        expected_base: i64,
    },
    Read {
        log: LogRef,
        ticket: u32,
        from: i64,
        /// Exclusive; the caller passes high watermark, last stable offset or end.
        limit: i64,
        max_bytes: u32,
        last_fetched_epoch: i32,
        flags: ReadFlags,
    },
    /// The next move of the limit past `offset` is urgent; at once if it has already passed.
    Watch {
        log: LogRef,
        offset: i64,
        limit: WatchLimit,
    },
    Truncate {
        log: LogRef,
        ticket: u32,
        offset: i64,
        now_ms: i64,
    },
    StartEpoch {
        log: LogRef,
        ticket: u32,
        epoch: i32,
        offset: i64,
    },
    SetMarks {
        log: LogRef,
        high_watermark: i64,
    },
    Configure {
        log: LogRef,
        ticket: u32,
        config: Box<LogConfig>,
        now_ms: i64,
    },
    AdvanceStart {
        log: LogRef,
        ticket: u32,
        offset: i64,
        now_ms: i64,
    },
    Roll {
        log: LogRef,
        ticket: u32,
        now_ms: i64,
    },
    /// Moves the start past the segments that the config's retention no longer keeps, below the high watermark;
    /// answered with marks at once. Their files go in the background.
    Retain {
        log: LogRef,
        ticket: u32,
        now_ms: i64,
    },
    /// What the cleaner would find; answered by `Answer::Dirt`. Reads nothing.
    Dirt {
        log: LogRef,
        ticket: u32,
        /// Nothing from here on may be cleaned: the last stable offset.
        limit: i64,
        now_ms: i64,
    },
    /// One pass of compaction, in the background; answered when it is over by `Answer::Cleaned`. Refused with
    /// `Code::Locked` while another one runs, with `Code::StaleLog` when the log changed meanwhile, with
    /// `Code::Damaged` when a batch can't be read: then it will fail again.
    Clean(Box<CleanLog>),
    Lookup {
        log: LogRef,
        ticket: u32,
        lookup: Lookup,
        limit: i64,
    },
    /// Answered when everything appended before it is on disk.
    Sync {
        log: LogRef,
        ticket: u32,
    },
    /// tmp, write, fsync, rename, directory fsync. `path` is relative to the directory and validated.
    WriteFile {
        directory: DirectoryId,
        ticket: u32,
        path: String,
        content: Bytes,
    },
    ReadFile {
        directory: DirectoryId,
        ticket: u32,
        path: String,
    },
    ListFiles {
        directory: DirectoryId,
        ticket: u32,
        path: String,
    },
    RemoveFile {
        directory: DirectoryId,
        ticket: u32,
        path: String,
    },
    /// Renames the folder of a log that is not open, durably; `name` must not be that of a partition.
    SetAside {
        directory: DirectoryId,
        ticket: u32,
        folder: String,
        name: String,
    },
    /// Syncs the logs whose `flush_ms` is over. `sweep`: moves recovery points and writes the checkpoint files, where
    /// there is anything new.
    Look {
        directory: DirectoryId,
        ticket: u32,
        now_ms: i64,
        sweep: bool,
    },
    /// Which logs of the directory `Retain` would find something to do for; their folders' names.
    Due {
        directory: DirectoryId,
        ticket: u32,
        now_ms: i64,
    },
    /// Writes the checkpoint files (recovery point, log start, high watermarks) now.
    Checkpoint {
        directory: DirectoryId,
        ticket: u32,
    },
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct AppendedInfo {
    /// First offset of the batch; of the original batch when `duplicate`.
    pub base: i64,
    /// Offset after the batch.
    pub end: i64,
    /// The batch's LogAppendTime, or -1.
    pub log_append_time: i64,
    pub log_start: i64,
    /// Bytes ever appended to this log up to `end` since it was opened.
    pub bytes_end: u64,
    /// First offset of the oldest open transaction, or -1.
    pub oldest_open_transaction: i64,
    /// First offset of the transaction that this marker closed, or -1.
    pub closed_transaction_first: i64,
    pub duplicate: bool,
    /// Index of the record in its batch, and why it was refused (Kafka's `record_errors`).
    pub record_errors: Vec<(u32, Code)>,
    /// Why it was refused; empty when it was accepted.
    pub text: String,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct OpenInfo {
    pub start: i64,
    pub end: i64,
    pub synced_end: i64,
    pub bytes_end: u64,
    pub oldest_open_transaction: i64,
    /// The last leader epoch entry, or -1.
    pub latest_epoch: i32,
    pub high_watermark: i64,
    pub created: bool,
    /// Bytes of a torn tail that recovery cut away.
    pub cut_bytes: u64,
    pub cut_records: u64,
    pub recovered_segments: u32,
    pub topic_id: Option<String>,
}

#[derive(Clone, Debug)]
pub enum ReadBytes {
    Files(Vec<FileSlice>),
    Memory(Bytes),
}

#[derive(Clone, Debug)]
pub struct ReadInfo {
    pub bytes: ReadBytes,
    pub total: u64,
    /// The `bytes_end` counter at the first byte read: with the log's counter it says how many bytes wait beyond.
    pub bytes_start: u64,
    pub first_offset: i64,
    /// Set when the reader's last fetched epoch diverges: where that epoch ends here, and which epoch it is.
    pub diverging: Option<(i32, i64)>,
    /// (producer id, first offset) of aborted transactions in range.
    pub aborted: Vec<(i64, i64)>,
    pub log_start: i64,
    pub end: i64,
}

/// What a pass of compaction did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CleanInfo {
    /// Everything below is clean now.
    pub cleaned_to: i64,
    pub read_bytes: u64,
    pub written_bytes: u64,
    /// Keys of the dirty part that the table took.
    pub keys: u64,
    pub records: u64,
    pub kept_records: u64,
    /// Records that went because they had no key.
    pub keyless_records: u64,
}

#[derive(Clone, Debug)]
pub enum Answer {
    None,
    /// Bytes of the cleaned part and of the part that may be cleaned, and for how long records wait beyond
    /// `max.compaction.lag.ms` (0: none does).
    Dirt {
        clean_bytes: u64,
        dirty_bytes: u64,
        overdue_ms: i64,
    },
    Cleaned(CleanInfo),
    /// A look-up: offset, timestamp, leader epoch (each -1 when there is none).
    Found {
        offset: i64,
        timestamp: i64,
        epoch: i32,
    },
    /// Truncate, AdvanceStart, Roll, Retain: start, end and synced end after it.
    Marks {
        start: i64,
        end: i64,
        synced_end: i64,
    },
    File(Bytes),
    Names(Vec<String>),
}

#[derive(Clone, Debug)]
pub enum Completion {
    Opened {
        log: LogRef,
        ticket: u32,
        outcome: Result<Box<OpenInfo>, Failure>,
    },
    Appended {
        log: LogRef,
        ticket: u32,
        code: Code,
        info: AppendedInfo,
    },
    /// Everything below `synced_end` is on disk.
    Synced {
        log: LogRef,
        synced_end: i64,
    },
    /// What was appended above this offset and is not on disk never will be: it was cut off, or the log came to its
    /// end.
    NeverSynced {
        log: LogRef,
        above: i64,
    },
    ReadDone {
        log: LogRef,
        ticket: u32,
        outcome: Result<Box<ReadInfo>, Failure>,
    },
    Answered {
        ticket: u32,
        outcome: Result<Answer, Failure>,
    },
    /// The directory is offline for good; everything queued on it has failed or will.
    DirectoryFailed {
        directory: DirectoryId,
        code: Code,
        errno: i32,
        text: String,
    },
    /// A thread of the engine panicked.
    Fatal {
        text: String,
    },
}

/// A code for the machine and a text for the person: it names the file, the byte and the remedy where there is one.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    pub code: Code,
    pub text: String,
}

/// Where completions go. Called on engine threads (or by `step` in manual mode); must not block.
pub trait Sink: Send + Sync {
    /// `urgent`: someone waits for this one; otherwise it may ride along with later news.
    fn complete(&self, completion: Completion, urgent: bool);

    /// As `complete`, on a thread that has the next sync to begin: whatever takes long is left to another.
    fn complete_in_passing(&self, completion: Completion, urgent: bool) {
        self.complete(completion, urgent);
    }

    /// Several at once, in order; `urgent`: someone waits for one of them. One hand-over costs what one completion
    /// does.
    fn complete_all(&self, completions: Vec<Completion>, urgent: bool) {
        for completion in completions {
            self.complete(completion, urgent);
        }
    }
}
