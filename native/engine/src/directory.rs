//! One log directory: its lock, its offline state, its checkpoint files, and the names allowed in it.
//!
//! Invariants: offline is for good and said once. A checkpoint file is written whole, one writer at a time, from
//! values read after the writer's turn began, so an older state never replaces a newer one. In the root lie only
//! partition folders and plain files: Apache Kafka stops at any other folder, which is why the journal is one. Opening and
//! reading change nothing but the lock, and put back what a journal holds: the first command that changes anything takes
//! possession (`claim`), and without one closing leaves all as it was. A directory that failed has a file that says so,
//! until its next clean close: what the system's cache holds of it then is no proof of what the disk holds.

use crate::checkpoint::{self, CLEAN_SHUTDOWN, CLEANED, HIGH_WATERMARKS, LOG_STARTS, RECOVERY_POINTS};
use crate::command::{Completion, DirectoryId, Failure, Sink};
use crate::error::Code;
use crate::journal::Journal;
use crate::journal::replay::{Replayed, replay};
use crate::lock::lock;
use crate::planted::{Bug, planted};
use crate::points::{Kind, Points};
use crate::vfs::{self, Lock, LockFailure, OpenMode, Vfs, is_no_space, path, remove_if_there, write_file_atomically};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// Longest name of a file or folder that file systems take.
const MAX_NAME_BYTES: usize = 255;

/// The file that says that the directory failed.
const FAILED: &str = ".odradek-failed";

/// The checkpoint files, in the order in which they are written.
const CHECKPOINTS: [(&str, Kind); 3] =
    [(LOG_STARTS, Kind::Start), (RECOVERY_POINTS, Kind::Recovery), (HIGH_WATERMARKS, Kind::HighWatermark)];

pub struct Directory {
    pub id: DirectoryId,
    pub path: String,
    pub vfs: Arc<dyn Vfs>,
    sink: Arc<dyn Sink>,
    lock: Mutex<Option<Box<dyn Lock>>>,
    offline: AtomicBool,
    failure: Mutex<Option<Failure>>,
    /// It failed when it was last used, or before: bytes that can be read may never have reached the disk, although a
    /// sync finds nothing to do.
    pub doubted: bool,
    points: Mutex<Points>,
    /// Held while checkpoint files are written.
    writing: Mutex<()>,
    pub journal: Journal,
    /// Whether what a dead process left in the system's cache has been brought to the disk as a whole; None: nobody asked yet.
    caught_up: Mutex<Option<bool>>,
    /// What taking possession has to do; None once that is done.
    unclaimed: Mutex<Option<Unclaimed>>,
}

struct Unclaimed {
    clean_file: bool,
    /// Folders renamed for deletion.
    deleted: Vec<String>,
}

/// What opening found.
pub struct Found {
    pub clean: bool,
    pub broker_epoch: i64,
    pub folders: Vec<String>,
}

/// Where a log stands by the checkpoint files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogPoints {
    pub recovery: i64,
    /// The file has a recovery point of it, were it 0.
    pub listed: bool,
    pub start: Option<i64>,
    pub high_watermark: i64,
}

impl Directory {
    pub fn open(
        id: DirectoryId,
        directory: &str,
        vfs: Arc<dyn Vfs>,
        journal_bytes: u64,
        sink: Arc<dyn Sink>,
    ) -> Result<(Directory, Found), Failure> {
        let failed = |what: &str, error: io::Error| Failure {
            code: if is_no_space(&error) { Code::NoSpace } else { Code::Io },
            text: format!("{what} {directory}: {error}"),
        };
        if directory.is_empty() {
            return Err(Failure { code: Code::BadName, text: "the directory's path is empty".to_string() });
        }
        vfs.create_folders(directory).map_err(|error| match (error.kind(), error.raw_os_error()) {
            // Of one that is only read: whoever can make folders is told by the system what is in the way.
            (io::ErrorKind::NotFound, None) => {
                Failure { code: Code::NotFound, text: format!("there is no directory {directory}") }
            }
            _ => failed("creating the directory", error),
        })?;
        let held = vfs.lock(&path(directory, ".lock")).map_err(|refused| match refused {
            LockFailure::HeldHere => Failure {
                code: Code::Locked,
                text: format!("{directory} is in use by a broker or log of this process; close that one first"),
            },
            LockFailure::HeldElsewhere { process } => Failure {
                code: Code::Locked,
                text: match process {
                    Some(process) => format!("{directory} is in use by process {process}; stop it or use another one"),
                    None => format!("{directory} is in use by another process; stop it or use another one"),
                },
            },
            LockFailure::Io(error) => failed("locking", error),
        })?;
        let entries = vfs.list(directory).map_err(|error| failed("listing", error))?;
        let doubted = vfs.has_disk() && entries.iter().any(|entry| entry.name == FAILED);
        let clean_file = path(directory, CLEAN_SHUTDOWN);
        let clean =
            vfs::read_file(&*vfs, &clean_file).map_err(|error| failed("reading the clean-shutdown file of", error))?;
        let mut points = Points::default();
        // Apache Kafka begins with empty files. We never write one: an empty one is lost where a later one is ours. Without
        // starts deleted records come back, without recovery points what was aborted by transactions that began in deleted
        // records is forgotten.
        let mut ours = false;
        for (name, kind) in CHECKPOINTS.into_iter().rev() {
            let file = path(directory, name);
            if let Some(bytes) =
                vfs::read_file(&*vfs, &file).map_err(|error| failed("reading a checkpoint of", error))?
            {
                let lost = ours && bytes.is_empty();
                let decoded = if lost { Err("it is empty".to_string()) } else { checkpoint::decode_offsets(&bytes) };
                let offsets = decoded.map_err(|why| Failure {
                    code: Code::Damaged,
                    text: format!("{file} can't be read: {why}. {}", remedy(kind)),
                })?;
                points.load(kind, offsets);
                ours |= checkpoint::has_checksum(&bytes);
            }
        }
        // Without it everything counts as not yet cleaned, which costs time alone.
        let cleaned = vfs::read_file(&*vfs, &path(directory, CLEANED))
            .map_err(|error| failed("reading a checkpoint of", error))?
            .unwrap_or_default();
        points.load(Kind::Cleaned, checkpoint::decode_offsets(&cleaned).unwrap_or_default());
        let recovery_point = |name: &str| points.get(Kind::Recovery, name).unwrap_or(0);
        // Of a process that runs everything is in the files.
        let replayed = match held.is_anothers() {
            true => Ok(Replayed::Nothing),
            false => replay(&*vfs, directory, doubted, recovery_point),
        };
        let replayed = replayed.map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => Failure { code: Code::Damaged, text: error.to_string() },
            _ => failed("putting back what the journal holds of", error),
        })?;
        let mut found = Found {
            clean: clean.is_some() && replayed == Replayed::Nothing,
            broker_epoch: clean.as_deref().map_or(-1, checkpoint::decode_clean_shutdown),
            folders: Vec::new(),
        };
        let mut deleted = Vec::new();
        for entry in entries.into_iter().filter(|entry| entry.folder) {
            if entry.name.ends_with("-delete") {
                deleted.push(entry.name);
            } else if check_folder_name(&entry.name).is_ok() {
                found.folders.push(entry.name);
            }
        }
        let directory = Directory {
            id,
            path: directory.to_string(),
            vfs,
            sink,
            lock: Mutex::new(Some(held)),
            offline: AtomicBool::new(false),
            failure: Mutex::new(None),
            doubted,
            points: Mutex::new(points),
            writing: Mutex::new(()),
            journal: Journal::new(journal_bytes),
            caught_up: Mutex::new((replayed == Replayed::WithEverything).then_some(true)),
            unclaimed: Mutex::new(Some(Unclaimed { clean_file: clean.is_some(), deleted })),
        };
        Ok((directory, found))
    }

    /// Before anything is changed: from here on a crash counts as unclean. Returns, once, the folders to delete.
    pub fn claim(&self) -> Result<Vec<String>, Failure> {
        let mut unclaimed = lock(&self.unclaimed);
        let Some(found) = &*unclaimed else { return Ok(Vec::new()) };
        self.check()?;
        for name in [RECOVERY_POINTS, LOG_STARTS, HIGH_WATERMARKS, CLEANED] {
            let file = path(&self.path, &format!("{name}.tmp"));
            remove_if_there(&*self.vfs, &file).map_err(|error| self.fail("tidying", &error))?;
        }
        if found.clean_file && !planted(Bug::CleanForEver) {
            self.vfs
                .remove_file(&path(&self.path, CLEAN_SHUTDOWN))
                .map_err(|error| self.fail("removing the clean-shutdown file", &error))?;
        }
        // Also the folders of logs that a process made and didn't live to make durable.
        self.vfs.sync_folder(&self.path).map_err(|error| self.fail("syncing", &error))?;
        Ok(unclaimed.take().map_or_else(Vec::new, |found| found.deleted))
    }

    /// One sync instead of two for each log: brings to the disk what the last process wrote and no longer could sync. Done once,
    /// where the file system can; after a failed sync it proves nothing, and is not tried.
    pub fn catch_up(&self) -> Result<(), Failure> {
        let mut caught_up = lock(&self.caught_up);
        if caught_up.is_none() {
            self.check()?;
            let synced = if self.doubted { Ok(false) } else { self.vfs.sync_everything(&self.path) };
            *caught_up = Some(match synced {
                Ok(synced) => synced,
                // Each log by itself finds out whether it is meant.
                Err(error) if is_no_space(&error) => false,
                Err(error) => return Err(self.fail("syncing the file system of", &error)),
            });
        }
        Ok(())
    }

    /// What was found in the directory is on disk.
    pub fn has_caught_up(&self) -> bool {
        *lock(&self.caught_up) == Some(true)
    }

    /// Every log of it is closed. The lock is given back in any case.
    pub fn close(&self, clean: bool, broker_epoch: i64) -> Result<(), Failure> {
        if lock(&self.unclaimed).is_some() {
            self.retire();
            return Ok(());
        }
        let outcome = match self.check() {
            Ok(()) => self.write_checkpoints().and_then(|()| self.journal.close(self)).and_then(|()| {
                if !clean {
                    return Ok(());
                }
                // Every log of it was written anew when it was opened.
                remove_if_there(&*self.vfs, &path(&self.path, FAILED)).map_err(|error| self.fail("tidying", &error))?;
                let content = checkpoint::encode_clean_shutdown(broker_epoch);
                write_file_atomically(&*self.vfs, &self.path, CLEAN_SHUTDOWN, &content).map_err(|error| Failure {
                    code: if is_no_space(&error) { Code::NoSpace } else { Code::Io },
                    text: format!("writing the clean-shutdown file of {}: {error}", self.path),
                })
            }),
            Err(failure) => Err(failure),
        };
        self.retire();
        outcome
    }

    /// Gives the lock back: from here on nothing touches the disk. Says nothing, since nothing failed.
    pub fn retire(&self) {
        let text = format!("log directory {} is closed", self.path);
        lock(&self.failure).get_or_insert(Failure { code: Code::DirectoryOffline, text });
        self.offline.store(true, Ordering::Release);
        lock(&self.lock).take();
    }

    pub fn is_offline(&self) -> bool {
        self.offline.load(Ordering::Acquire)
    }

    /// The failure to answer with once it is offline.
    pub fn check(&self) -> Result<(), Failure> {
        if self.is_offline() { Err(self.failure()) } else { Ok(()) }
    }

    fn failure(&self) -> Failure {
        lock(&self.failure).clone().unwrap_or(Failure { code: Code::DirectoryOffline, text: String::new() })
    }

    /// Takes it offline for good; the first cause is the one that is told.
    pub fn fail(&self, what: &str, error: &io::Error) -> Failure {
        let text = format!("log directory {} is offline: {what}: {error}", self.path);
        self.fail_with(error.raw_os_error().unwrap_or(0), text)
    }

    /// The first failure stands, whoever else comes with one.
    pub fn fail_with(&self, errno: i32, text: String) -> Failure {
        let (code, first) = (Code::DirectoryOffline, Failure { code: Code::DirectoryOffline, text });
        let stands = {
            let mut failure = lock(&self.failure);
            if let Some(stands) = &*failure {
                return stands.clone();
            }
            *failure = Some(first.clone());
            self.offline.store(true, Ordering::Release);
            let text = first.text.clone();
            self.sink.complete(Completion::DirectoryFailed { directory: self.id, code, errno, text }, true);
            first
        };
        // It lives as long as the cache does that it speaks of: no sync, and no harm where it can't be made.
        let _ = self.vfs.open(&path(&self.path, FAILED), OpenMode::Create);
        stands
    }

    pub fn points(&self, folder: &str) -> LogPoints {
        let points = lock(&self.points);
        LogPoints {
            recovery: points.get(Kind::Recovery, folder).unwrap_or(0),
            listed: points.get(Kind::Recovery, folder).is_some(),
            start: points.get(Kind::Start, folder),
            high_watermark: points.get(Kind::HighWatermark, folder).unwrap_or(-1),
        }
    }

    /// The folder's name, shared by all who keep it.
    pub fn name(&self, folder: &str) -> Arc<str> {
        lock(&self.points).name(folder)
    }

    /// Its log is about to be opened. False: it is open already.
    pub fn claim_log(&self, folder: &str) -> bool {
        lock(&self.points).claim(folder)
    }

    /// Its log is open no more.
    pub fn release_log(&self, folder: &str) {
        lock(&self.points).release(folder);
    }

    pub fn set_recovery_point(&self, folder: &str, offset: i64) {
        lock(&self.points).set(Kind::Recovery, folder, Some(offset));
    }

    /// None: the start is the first segment's base, which needs no entry.
    pub fn set_start(&self, folder: &str, offset: Option<i64>) {
        lock(&self.points).set(Kind::Start, folder, offset);
    }

    /// The log's first file is that of `base` now: a start there needs no entry.
    pub fn settle_start(&self, folder: &str, base: i64) {
        let points = &mut *lock(&self.points);
        if points.get(Kind::Start, folder) == Some(base) {
            points.set(Kind::Start, folder, None);
        }
    }

    pub fn set_high_watermark(&self, folder: &str, offset: i64) {
        lock(&self.points).set(Kind::HighWatermark, folder, Some(offset));
    }

    /// Where recovery would begin after a crash now.
    pub fn recovery_on_disk(&self, folder: &str) -> i64 {
        lock(&self.points).recovery_on_disk(folder).unwrap_or(0)
    }

    /// First offset that was not cleaned yet; None: none was.
    pub fn cleaned(&self, folder: &str) -> Option<i64> {
        lock(&self.points).get(Kind::Cleaned, folder)
    }

    pub fn set_cleaned(&self, folder: &str, offset: i64) {
        lock(&self.points).set(Kind::Cleaned, folder, Some(offset));
    }

    /// The files on disk may say something of it.
    pub fn has_points(&self, folder: &str) -> bool {
        let points = lock(&self.points);
        points.is_listed(folder) || points.cleaned_changed
    }

    /// The log is gone; true if the files on disk still have a point of it.
    pub fn forget(&self, folder: &str) -> bool {
        let points = &mut *lock(&self.points);
        for (_, kind) in CHECKPOINTS {
            points.set(kind, folder, None);
        }
        points.set(Kind::Cleaned, folder, None) || points.is_listed(folder)
    }

    pub fn checkpoints_changed(&self) -> bool {
        lock(&self.points).changed
    }

    pub fn recovery_points_changed(&self) -> bool {
        lock(&self.points).recovery_changed
    }

    /// Lowers recovery point and log start on disk to `offset` before bytes above it are cut. A log without a recovery point gets
    /// one, so that what its folder tells of the bytes of before does not count for those that follow.
    pub fn lower_points(&self, folder: &str, offset: i64) -> Result<(), Failure> {
        let higher = {
            let points = &mut *lock(&self.points);
            let unlisted = points.recovery_on_disk(folder).is_none();
            let higher = unlisted || points.on_disk(folder, |known| known > offset);
            if points.get(Kind::Recovery, folder).is_none() {
                points.set(Kind::Recovery, folder, Some(0));
            }
            let cleaned_further = points.get(Kind::Cleaned, folder).is_some_and(|known| known > offset);
            for kind in [Kind::Recovery, Kind::Start, Kind::Cleaned] {
                if points.get(kind, folder).is_some_and(|known| known > offset) {
                    points.set(kind, folder, Some(offset));
                }
            }
            higher || cleaned_further
        };
        if higher { self.write_checkpoints() } else { Ok(()) }
    }

    /// Writes the three files; the starts first, because a recovery point may be past segments that only a start on disk
    /// has let go of. No room is an answer; any other failure takes the directory offline.
    pub fn write_checkpoints(&self) -> Result<(), Failure> {
        let _turn = lock(&self.writing);
        self.check()?;
        let mut files = {
            let points = &mut *lock(&self.points);
            points.changed = false;
            points.recovery_changed = false;
            CHECKPOINTS.map(|(name, kind)| (name, kind, points.encode(kind), points.pending(kind)))
        };
        if planted(Bug::RecoveryPointBeforeStart) {
            files.swap(0, 1);
        }
        for (name, kind, content, pending) in files {
            self.write_checkpoint(name, &content)?;
            lock(&self.points).written(kind, pending);
        }
        self.write_cleaned_now()
    }

    /// Writes how far each log is clean, if that has changed. Fails as `write_checkpoints` does.
    pub fn write_cleaned(&self) -> Result<(), Failure> {
        let _turn = lock(&self.writing);
        self.check()?;
        self.write_cleaned_now()
    }

    fn write_cleaned_now(&self) -> Result<(), Failure> {
        let content = {
            let points = &mut *lock(&self.points);
            if !std::mem::take(&mut points.cleaned_changed) {
                return Ok(());
            }
            points.encode(Kind::Cleaned)
        };
        self.write_checkpoint(CLEANED, &content).inspect_err(|_| lock(&self.points).cleaned_changed = true)
    }

    fn write_checkpoint(&self, name: &str, content: &[u8]) -> Result<(), Failure> {
        match write_file_atomically(&*self.vfs, &self.path, name, content) {
            Ok(()) => Ok(()),
            Err(error) if is_no_space(&error) => {
                lock(&self.points).changed = true;
                let text = format!("writing {name} in {}: {error}", self.path);
                Err(Failure { code: Code::NoSpace, text })
            }
            Err(error) => Err(self.fail(&format!("writing {name}"), &error)),
        }
    }
}

/// What to do about a checkpoint file that can't be read.
fn remedy(kind: Kind) -> &'static str {
    match kind {
        Kind::Start => "Restore it, or delete it: deleted records that still have their segment then come back",
        _ => "Restore it, or delete it to have every log scanned",
    }
}

/// The partition's folder that a future log will be renamed to: its name without the `.<32 hex digits>-future` that
/// Kafka gives to a copy under way. None for any other name.
pub fn future_of(name: &str) -> Option<&str> {
    let (folder, unique) = name.strip_suffix("-future")?.rsplit_once('.')?;
    let hex = unique.len() == 32 && unique.bytes().all(|byte| byte.is_ascii_hexdigit());
    (hex && name.len() <= MAX_NAME_BYTES && check_partition_name(folder).is_ok()).then_some(folder)
}

/// A partition's folder, `topic-partition`, or that of its future log; no path.
pub fn check_folder_name(name: &str) -> Result<(), Failure> {
    if future_of(name).is_some() { Ok(()) } else { check_partition_name(name) }
}

fn check_partition_name(name: &str) -> Result<(), Failure> {
    let bad = |why: &str| {
        Err(Failure { code: Code::BadName, text: format!("{name:?} is no name of a partition's folder: {why}") })
    };
    let Some((topic, partition)) = name.rsplit_once('-') else { return bad("no dash before a partition number") };
    if topic.is_empty() || topic == "." || topic == ".." {
        return bad("the topic's name is empty or points elsewhere");
    }
    if !topic.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')) {
        return bad("letters, digits, '.', '_' and '-' are allowed");
    }
    let plain = partition.bytes().all(|byte| byte.is_ascii_digit()) && partition.parse::<i32>().is_ok();
    if !plain || name.len() > MAX_NAME_BYTES {
        return bad("the partition is no number, or the name is too long");
    }
    Ok(())
}

/// A path below the directory: parts joined by `/`, none of them empty, `.` or `..`. Empty only where `root` allows it.
pub fn check_file_path(name: &str, root: bool) -> Result<(), Failure> {
    if root && name.is_empty() {
        return Ok(());
    }
    let plain = |part: &str| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && part.len() <= MAX_NAME_BYTES
            && part.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b':' | b'*' | b'?' | b'|'))
    };
    if name.split('/').count() <= 2 && name.split('/').all(plain) {
        return Ok(());
    }
    Err(Failure { code: Code::BadName, text: format!("{name:?} is no path below a log directory") })
}

/// The name of a folder that waits for its deletion, as Kafka builds it: 32 hex digits make it unique.
pub fn deleted_name(folder: &str, unique: u128) -> String {
    let suffix = format!(".{unique:032x}-delete");
    let keep = folder.len().min(MAX_NAME_BYTES - suffix.len());
    format!("{}{suffix}", &folder[..keep])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folder_names_that_leave_the_directory_are_refused() {
        for good in ["a-0", "a.b_c-d-17", "__cluster_metadata-0", "..-0.-1"] {
            assert!(check_folder_name(good).is_ok(), "{good}");
        }
        let long = format!("{}-0", "x".repeat(254));
        for bad in ["", "a", "-0", "..-0", "../a-0", "a/b-0", "a-", "a-x", "a-+1", "a-99999999999", "ü-0", &long] {
            assert!(check_folder_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn file_paths_that_leave_the_directory_are_refused() {
        for good in ["meta.properties", "__cluster_metadata-0/quorum-state"] {
            assert!(check_file_path(good, false).is_ok(), "{good}");
        }
        for bad in ["", "/", "/etc/passwd", "../x", "a/../b", "a//b", "a/b/c", "a\\b", "a\0b", "."] {
            assert!(check_file_path(bad, false).is_err(), "{bad:?}");
        }
        assert!(check_file_path("", true).is_ok());
    }

    #[test]
    fn a_deleted_name_fits_and_keeps_its_end() {
        let name = deleted_name(&format!("{}-0", "x".repeat(249)), 0xabc);
        assert_eq!(name.len(), 255);
        assert!(name.ends_with(".00000000000000000000000000000abc-delete"));
    }
}
