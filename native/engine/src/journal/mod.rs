//! A journal for one log directory: one sync makes the newest bytes of many logs durable at once. The logs' own files
//! are synced later, in the background.
//!
//! Two files of fixed size, written full beforehand, take turns: one is written while the logs of the other are synced,
//! and it is begun anew only when none is left. They lie in a folder of their own in the directory's root, the one
//! foreign folder that we put there: Apache Kafka refuses to start beside it, and so loses nothing of what only the
//! journal holds. A clean stop removes it.
//!
//! Invariants: what a run counts as synced is in the journal, behind one sync. Records have consecutive sequences,
//! each is on disk before the next is written, so at most the last one is torn. A log whose bytes change otherwise
//! than by appends above its recovery point (a cut, a folder made again under its name) is forgotten first, durably;
//! what the cleaner and retention change lies below the recovery point on disk, where nothing is put back. After a
//! failed sync nothing is written any more: the directory is offline. The lock is held over I/O: whoever cuts a log
//! waits for the run before it.

pub mod record;
pub mod replay;
mod writer;

pub use writer::Journal;

/// The folder's name says to whoever reads Kafka's complaint what to do.
pub const FOLDER: &str = "odradek-journal.recover-with-odradek";
/// Its two files.
pub const HALVES: [&str; 2] = ["0", "1"];
/// Bytes of each.
pub const HALF_BYTES: u64 = 64 << 20;
/// Logs in one run, and bytes of one log; who has more syncs its own file.
pub const RUN_LOGS: usize = 512;
pub const LOG_BYTES: u64 = 64 << 10;
