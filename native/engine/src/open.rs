//! Opens a log: makes its folder, or finds out what the folder holds. Runs beside other openings, off the lane.
//!
//! Invariants: a new folder, its `partition.metadata` and both names are on disk before the log is there to append to.
//! What is reported as synced is on disk. A log that can't be opened leaves the others of its directory alone; only a
//! failed sync or write takes the directory offline.

use crate::checkpoint::{self, PARTITION_METADATA};
use crate::command::{Failure, OpenInfo, OpenLog, Sink};
use crate::directory::{Directory, LogPoints};
use crate::error::Code;
use crate::load::Loaded;
use crate::log::{Advanced, Log, LogShared};
use crate::recovery::damaged;
use crate::sync::LogSync;
use crate::vfs::{self, Vfs, is_no_space, path, write_file_atomically};
use crate::view::LogView;
use std::io;
use std::sync::Arc;

/// Opens one log whose folder is there. `created`: by `create_folders`, just now.
pub fn open(
    directory: &Arc<Directory>,
    request: &OpenLog,
    created: bool,
    sink: Arc<dyn Sink>,
) -> Result<(Box<Log>, Box<OpenInfo>), Failure> {
    directory.check()?;
    let opening = Opening::new(directory, request);
    let loaded = if created {
        Loaded::empty(&opening, 0)
    } else {
        opening.check_metadata()?;
        opening.load()?
    };
    opening.assemble(loaded, created, sink)
}

/// One log that is being opened.
pub struct Opening<'a> {
    pub directory: &'a Arc<Directory>,
    pub request: &'a OpenLog,
    pub vfs: Arc<dyn Vfs>,
    pub folder: Arc<str>,
    pub points: LogPoints,
}

impl<'a> Opening<'a> {
    pub fn new(directory: &'a Arc<Directory>, request: &'a OpenLog) -> Opening<'a> {
        Opening {
            directory,
            request,
            vfs: directory.vfs.clone(),
            folder: Arc::from(path(&directory.path, &request.name)),
            points: directory.points(&request.name),
        }
    }

    /// An error of a read or a list: this log's alone.
    pub fn failed(&self, what: &str, error: io::Error) -> Failure {
        let code = if is_no_space(&error) { Code::NoSpace } else { Code::Io };
        Failure { code, text: format!("{what} {}: {error}", self.folder) }
    }

    /// An error of a write or a sync: no room is this log's alone, anything else the directory's.
    pub fn broken(&self, what: &str, error: io::Error) -> Failure {
        if is_no_space(&error) {
            return self.failed(what, error);
        }
        self.directory.fail(&format!("{what} {}", self.folder), &error)
    }

    /// True if it was not there.
    pub fn create_folder(&self) -> Result<bool, Failure> {
        if self.request.must_exist {
            return match self.vfs.list(&self.folder) {
                Ok(_) => Ok(false),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    Err(Failure { code: Code::NotFound, text: format!("there is no log in {}", self.folder) })
                }
                Err(error) => Err(self.failed("listing", error)),
            };
        }
        match self.vfs.create_folder(&self.folder) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(self.broken("creating", error)),
        }
    }

    fn check_metadata(&self) -> Result<(), Failure> {
        let metadata = vfs::read_file(&*self.vfs, &path(&self.folder, PARTITION_METADATA))
            .map_err(|error| self.failed("reading partition.metadata of", error))?;
        match (&self.request.topic_id, metadata) {
            // A crash can leave an empty file where no append was ever taken.
            (Some(_), None) => self.write_metadata()?,
            (Some(_), Some(bytes)) if bytes.is_empty() => self.write_metadata()?,
            (Some(wanted), Some(bytes)) => {
                let file = path(&self.folder, PARTITION_METADATA);
                let found = checkpoint::decode_partition_metadata(&bytes)
                    .map_err(|why| damaged(format!("{file} can't be read: {why}")))?;
                if found != *wanted {
                    let text = format!("{file} names topic {found}, the cluster's metadata says {wanted}");
                    return Err(Failure { code: Code::InconsistentTopicId, text });
                }
            }
            (None, _) => {}
        }
        Ok(())
    }

    fn write_metadata(&self) -> Result<(), Failure> {
        let Some(topic_id) = &self.request.topic_id else { return Ok(()) };
        let content = checkpoint::encode_partition_metadata(topic_id);
        write_file_atomically(&*self.vfs, &self.folder, PARTITION_METADATA, &content)
            .map_err(|error| self.broken("writing partition.metadata of", error))
    }

    fn assemble(
        &self,
        loaded: Loaded,
        created: bool,
        sink: Arc<dyn Sink>,
    ) -> Result<(Box<Log>, Box<OpenInfo>), Failure> {
        let Loaded { mut state, mut epochs, report, producers, loose_snapshots, first_timestamp, settled, unsynced } =
            loaded;
        epochs.truncate_from_start(state.start);
        let epochs = Arc::new(epochs);
        state.epochs = epochs.clone();
        let (start, end, bytes_end) = (state.start, state.end, state.bytes_end);
        let active = state.segments[state.segments.len() - 1].clone();
        let shared = Arc::new(LogShared {
            log: self.request.log,
            name: self.directory.name(&self.request.name),
            folder: self.folder.clone(),
            directory: self.directory.clone(),
            view: LogView::new(state),
            topic_id: self.request.topic_id.as_deref().map(|id| self.directory.topic_id(id)),
            sync: LogSync::new(self.request.log, sink, end, self.points.recovery.min(end), unsynced),
        });
        let mut log = Box::new(Log {
            shared,
            config: self.directory.config(&self.request.config),
            active,
            start: start.min(end),
            end,
            bytes_end,
            producers,
            epochs,
            name_is_new: false,
            unindexed: 0,
            rolled: false,
            first_timestamp,
            created_ms: self.request.now_ms,
            unsynced_indexes: Vec::new(),
            loose_snapshots,
            advanced: Advanced { end: if settled { end } else { -1 }, bytes: bytes_end },
            expiring: Default::default(),
            cleaning: None,
            cleaned_ms: 0,
            replacing: None,
            flushed: (end, None),
            reserved: 0,
        });
        if start > end {
            // Records up to the start were deleted, and a crash took the rest: the log goes on at its start.
            log.restart_at(start, self.request.now_ms)?;
        }
        let (start, end, synced_end) = log.marks();
        let info = OpenInfo {
            start,
            end,
            synced_end,
            bytes_end,
            oldest_open_transaction: log.oldest_open_transaction(),
            latest_epoch: log.epochs.latest(),
            high_watermark: if created { -1 } else { self.points.high_watermark.min(end) },
            created,
            cut_bytes: report.cut_bytes,
            cut_records: report.cut_records,
            recovered_segments: report.recovered_segments,
            topic_id: self.request.topic_id.clone(),
        };
        Ok((log, Box::new(info)))
    }
}
