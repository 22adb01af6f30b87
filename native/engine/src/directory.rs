//! One log directory: its lock, its offline state, what opening found in it. `directory/` has its checkpoint files
//! and the names allowed in it.
//!
//! Invariants: offline is for good and said once. In the root lie only partition folders and plain files: Apache
//! Kafka stops at any other folder, which is why the journal is one. Opening and reading change nothing but the lock,
//! and put back what a journal holds: the first command that changes anything takes possession (`claim`), and without
//! one closing leaves all as it was. A directory that failed has a file that says so, until its next clean close:
//! what the system's cache holds of it then is no proof of what the disk holds.

use crate::alike::Alike;
use crate::checkpoint::{self, CLEAN_SHUTDOWN, CLEANED, HIGH_WATERMARKS, LOG_STARTS, RECOVERY_POINTS};
use crate::command::{Completion, DirectoryId, Failure, Sink};
use crate::config::LogConfig;
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

mod checkpoints;
mod names;

pub use checkpoints::LogPoints;
pub use names::{check_file_path, check_folder_name, deleted_name, future_of};

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
    configs: Alike<LogConfig>,
    topic_ids: Alike<str>,
    /// Held while checkpoint files are written.
    writing: Mutex<()>,
    pub journal: Journal,
    /// Whether what a dead process left in the system's cache has been brought to the disk as a
    /// whole; None: nobody asked yet.
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
        // Apache Kafka begins with empty files. We never write one: an empty one is lost where a later one is ours.
        // Without starts deleted records come back, without recovery points what was aborted by transactions that began
        // in deleted records is forgotten.
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
            configs: Alike::default(),
            topic_ids: Alike::default(),
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

    /// One sync instead of two for each log: brings to the disk what the last process wrote and no longer could sync.
    /// Done once, where the file system can; after a failed sync it proves nothing, and is not tried.
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

    /// A log's settings, shared by all that come with the same one after another; so is the topic id.
    pub fn config(&self, config: &LogConfig) -> Arc<LogConfig> {
        self.configs.share(config, || Arc::new(config.clone()))
    }

    pub fn topic_id(&self, id: &str) -> Arc<str> {
        self.topic_ids.share(id, || Arc::from(id))
    }
}

/// What to do about a checkpoint file that can't be read.
fn remedy(kind: Kind) -> &'static str {
    match kind {
        Kind::Start => "Restore it, or delete it: deleted records that still have their segment then come back",
        _ => "Restore it, or delete it to have every log scanned",
    }
}
