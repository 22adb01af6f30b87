//! Opens a log: makes its folder, or finds out what the folder holds. Runs beside other openings, off the lane.
//!
//! Invariants: a new folder, its `partition.metadata` and both names are on disk before the log is there to append to.
//! What is reported as synced is on disk. A log that can't be opened leaves the others of its directory alone; only a
//! failed sync or write takes the directory offline.

use crate::checkpoint::{self, LEADER_EPOCHS, PARTITION_METADATA};
use crate::command::{Failure, OpenInfo, OpenLog, Sink};
use crate::directory::{Directory, LogPoints, check_folder_name};
use crate::error::Code;
use crate::leader_epochs::{EpochEntry, LeaderEpochs};
use crate::log::{Advanced, Log, LogShared};
use crate::offset_index::OffsetIndex;
use crate::recovery::{Bad, Recovery, Report, damaged, load_producers, read_aborted};
use crate::scan::{Scan, Step};
use crate::segment::{Largest, Segment, parse_name};
use crate::sync::{Failed, LogSync};
use crate::tidy::tidy;
use crate::time_index::TimeIndex;
use crate::vfs::{self, File, OpenMode, Vfs, is_no_space, path, write_file_atomically};
use crate::view::{LogView, ViewState};
use std::io;
use std::sync::Arc;

const WINDOW: usize = 1 << 20;

/// Makes the folders that are missing, together: a journal then commits them with few syncs. For each request whether
/// its folder is new.
pub fn create_folders(directory: &Arc<Directory>, requests: &[OpenLog]) -> Vec<Result<bool, Failure>> {
    let mut outcomes: Vec<Result<bool, Failure>> = Vec::with_capacity(requests.len());
    let mut metadata = Vec::new();
    for request in requests {
        outcomes.push(directory.check().and_then(|()| check_folder_name(&request.name)).and_then(|()| {
            let opening = Opening::new(directory, request);
            let created = opening.create_folder()?;
            if let Some(topic_id) = request.topic_id.as_ref().filter(|_| created) {
                let temporary = path(&opening.folder, &format!("{PARTITION_METADATA}.tmp"));
                let content = checkpoint::encode_partition_metadata(topic_id);
                let written = opening.vfs.open(&temporary, OpenMode::Truncate).and_then(|file| {
                    vfs::write_all_at(&*file, &content, 0)?;
                    Ok(file)
                });
                let file = written.map_err(|error| opening.broken("writing partition.metadata of", error))?;
                metadata.push((file, temporary, opening.folder.clone()));
            }
            Ok(created)
        }));
    }
    if outcomes.iter().any(|outcome| matches!(outcome, Ok(true)))
        && let Err(failure) = settle_folders(directory, requests, &outcomes, &metadata)
    {
        for outcome in outcomes.iter_mut().filter(|outcome| matches!(outcome, Ok(true))) {
            *outcome = Err(failure.clone());
        }
    }
    outcomes
}

fn settle_folders(
    directory: &Directory,
    requests: &[OpenLog],
    outcomes: &[Result<bool, Failure>],
    metadata: &[(Arc<dyn File>, String, Arc<str>)],
) -> Result<(), Failure> {
    let settle = || -> io::Result<()> {
        for (file, _, _) in metadata {
            file.sync_data()?;
        }
        for (_, temporary, folder) in metadata {
            directory.vfs.rename(temporary, &path(folder, PARTITION_METADATA))?;
        }
        for (_, _, folder) in metadata {
            directory.vfs.sync_folder(folder)?;
        }
        directory.vfs.sync_folder(&directory.path)
    };
    settle().map_err(|error| directory.fail("making new logs durable", &error))?;
    // Older logs of these names: their recovery points would make an unwritten tail of the new ones damage.
    let mut stale = false;
    for (request, _) in requests.iter().zip(outcomes).filter(|(_, outcome)| matches!(outcome, Ok(true))) {
        stale |= directory.forget(&request.name);
    }
    if stale { directory.write_checkpoints() } else { Ok(()) }
}

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

struct Opening<'a> {
    directory: &'a Arc<Directory>,
    request: &'a OpenLog,
    vfs: Arc<dyn Vfs>,
    folder: Arc<str>,
    points: LogPoints,
}

struct Loaded {
    state: ViewState,
    epochs: LeaderEpochs,
    report: Report,
    producers: crate::producer_state::ProducerStates,
    loose_snapshots: Vec<i64>,
    first_timestamp: Option<i64>,
    /// The recovery point is the end: nothing has to be done before a clean close.
    settled: bool,
}

impl Loaded {
    fn empty(opening: &Opening<'_>, base: i64) -> Loaded {
        let segment = Segment::new(opening.vfs.clone(), opening.folder.clone(), base, 0);
        Loaded {
            state: view_of(vec![Arc::new(segment)], base, base, 0),
            epochs: LeaderEpochs::default(),
            report: Report::default(),
            producers: Default::default(),
            loose_snapshots: Vec::new(),
            first_timestamp: None,
            settled: base == 0,
        }
    }
}

fn view_of(segments: Vec<Arc<Segment>>, start: i64, end: i64, bytes_end: u64) -> ViewState {
    ViewState {
        segments: Arc::new(segments),
        start,
        end,
        bytes_end,
        bytes_at_open: bytes_end,
        epochs: Arc::default(),
        truncations: 0,
    }
}

impl<'a> Opening<'a> {
    fn new(directory: &'a Arc<Directory>, request: &'a OpenLog) -> Opening<'a> {
        Opening {
            directory,
            request,
            vfs: directory.vfs.clone(),
            folder: Arc::from(path(&directory.path, &request.name)),
            points: directory.points(&request.name),
        }
    }

    /// An error of a read or a list: this log's alone.
    fn failed(&self, what: &str, error: io::Error) -> Failure {
        let code = if is_no_space(&error) { Code::NoSpace } else { Code::Io };
        Failure { code, text: format!("{what} {}: {error}", self.folder) }
    }

    /// An error of a write or a sync: no room is this log's alone, anything else the directory's.
    fn broken(&self, what: &str, error: io::Error) -> Failure {
        if is_no_space(&error) {
            return self.failed(what, error);
        }
        self.directory.fail(&format!("{what} {}", self.folder), &error)
    }

    /// True if it was not there.
    fn create_folder(&self) -> Result<bool, Failure> {
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

    fn load(&self) -> Result<Loaded, Failure> {
        tidy(&*self.vfs, &self.folder).map_err(|error| self.broken("tidying", error))?;
        let entries = self.vfs.list(&self.folder).map_err(|error| self.failed("listing", error))?;
        let bases: Vec<i64> = entries.iter().filter_map(|entry| parse_name(&entry.name, ".log")).collect();
        if bases.is_empty() {
            if self.points.recovery > 0 {
                return Err(damaged(format!(
                    "{} holds no segment, although its recovery point is {}",
                    self.folder, self.points.recovery
                )));
            }
            return Ok(Loaded::empty(self, self.points.start.unwrap_or(0)));
        }
        let mut segments = Vec::with_capacity(bases.len());
        let mut sizes = Vec::with_capacity(bases.len());
        let mut bytes = 0;
        for base in bases {
            let segment = Segment::new(self.vfs.clone(), self.folder.clone(), base, bytes);
            let size = self
                .vfs
                .open(&segment.path(".log"), OpenMode::Read)
                .and_then(|file| file.len())
                .map_err(|error| self.failed("reading a segment of", error))?;
            segment.load(size, None, Largest { timestamp: -1, offset: -1 }, Vec::new());
            bytes += size;
            sizes.push(size);
            segments.push(Arc::new(segment));
        }
        if self.request.clean
            && let Some(loaded) = self.load_segments(segments.clone(), &sizes, true)?
        {
            return Ok(loaded);
        }
        // Not closed clean, or not as clean as was said.
        for (segment, size) in segments.iter().zip(&sizes) {
            segment.load(*size, None, Largest { timestamp: -1, offset: -1 }, Vec::new());
        }
        let loaded = self.load_segments(segments, &sizes, false)?;
        loaded.ok_or_else(|| damaged(format!("{} can't be recovered", self.folder)))
    }

    /// None: `clean` was not true of what is there.
    fn load_segments(
        &self,
        mut segments: Vec<Arc<Segment>>,
        sizes: &[u64],
        clean: bool,
    ) -> Result<Option<Loaded>, Failure> {
        let recovery_point = if clean { i64::MAX } else { self.points.recovery };
        let first_walked = if clean {
            segments.len() - 1
        } else {
            segments.partition_point(|segment| segment.base <= recovery_point).saturating_sub(1)
        };
        for (segment, next) in segments.iter().zip(&segments[1..]).take(first_walked) {
            self.load_sealed(segment, next.base)?;
        }
        let mut recovery = Recovery {
            vfs: &*self.vfs,
            folder: &self.folder,
            recovery_point,
            verify: !clean,
            index_interval_bytes: self.request.config.index_interval_bytes as u64,
            epochs: self.load_epochs(&segments[..first_walked], recovery_point, first_walked == 0)?,
            next_offset: segments[first_walked].base,
            report: Report::default(),
        };
        let mut bad: Option<Bad> = None;
        for at in first_walked..segments.len() {
            let next_base = segments.get(at + 1).map(|next| next.base);
            bad = recovery
                .walk(at, &segments[at], next_base)
                .map_err(|error| self.failed("reading a segment of", error))?;
            if bad.is_some() {
                break;
            }
        }
        match bad {
            Some(_) if clean => return Ok(None),
            Some(bad) => recovery.cut(&mut segments, sizes, &bad).inspect_err(|failure| {
                if failure.code == Code::Io {
                    self.directory.fail_with(0, failure.text.clone());
                }
            })?,
            None => {}
        }
        let end = recovery.next_offset;
        if !clean && end < recovery_point {
            return Err(damaged(format!(
                "{} ends at offset {end}, below its recovery point {recovery_point}: bytes that were on disk are missing",
                self.folder
            )));
        }
        let mut epochs = std::mem::take(&mut recovery.epochs);
        epochs.truncate_from_end(end);
        let mut report = std::mem::take(&mut recovery.report);
        let bytes_end = segments.last().map_or(0, |last| last.bytes_before + last.size());
        let start = self.points.start.unwrap_or(0).max(segments[0].base);
        let state = view_of(segments, start, end, bytes_end);
        let (now_ms, expiration_ms) = (self.request.now_ms, self.request.config.producer_id_expiration_ms);
        if !clean {
            self.drop_untrusted_snapshots(recovery_point)?;
            report.recovered_segments = (state.segments.len() - first_walked.min(state.segments.len())) as u32;
        }
        let loaded = load_producers(&*self.vfs, &self.folder, &state, recovery_point, now_ms, expiration_ms)
            .map_err(|error| self.failed("reading producers of", error))?;
        self.seal_walked(&state, first_walked, clean)?;
        let first_timestamp = self.first_timestamp(&state)?;
        Ok(Some(Loaded {
            settled: end == self.points.recovery,
            state,
            epochs,
            report,
            producers: loaded.producers,
            loose_snapshots: loaded.loose,
            first_timestamp,
        }))
    }

    /// Snapshots above the recovery point may tell of records that a crash took away. Those at the base of a segment
    /// have done their service by now.
    fn drop_untrusted_snapshots(&self, recovery_point: i64) -> Result<(), Failure> {
        let drop = || -> io::Result<()> {
            let mut removed = false;
            for entry in self.vfs.list(&self.folder)? {
                if parse_name(&entry.name, ".snapshot").is_some_and(|offset| offset > recovery_point) {
                    self.vfs.remove_file(&path(&self.folder, &entry.name))?;
                    removed = true;
                }
            }
            if removed { self.vfs.sync_folder(&self.folder) } else { Ok(()) }
        };
        drop().map_err(|error| self.broken("removing snapshots of", error))
    }

    /// A sealed segment whose files are trusted: only what a look-up needs. Index files that are missing or make no
    /// sense are built anew.
    fn load_sealed(&self, segment: &Segment, next_base: i64) -> Result<(), Failure> {
        let load = || -> Result<(), Failed> {
            let failed = |error| Failed { what: format!("reading a segment of {}", self.folder), error };
            let size = segment.size();
            let aborted = read_aborted(&*self.vfs, segment).map_err(failed)?;
            let offsets = vfs::read_file(&*self.vfs, &segment.path(".index")).map_err(failed)?;
            let times = vfs::read_file(&*self.vfs, &segment.path(".timeindex")).map_err(failed)?;
            if let (Some(offsets), Some(times)) = (&offsets, &times) {
                let ((offsets, sound), (times, times_sound)) =
                    (OffsetIndex::decode(offsets, size), TimeIndex::decode(times));
                // A sealed segment with timestamps has its largest in the index.
                let timed = size == 0 || times.len() > 0;
                if sound && times_sound && timed && self.fits(segment, &offsets, next_base).map_err(failed)? {
                    let largest = times.last().map_or(Largest { timestamp: -1, offset: -1 }, |entry| Largest {
                        timestamp: entry.timestamp,
                        offset: segment.base + entry.relative as i64,
                    });
                    segment.load(size, None, largest, aborted);
                    return Ok(());
                }
            }
            let mut recovery = Recovery {
                vfs: &*self.vfs,
                folder: &self.folder,
                // No entry of the old index counts.
                recovery_point: segment.base,
                verify: false,
                index_interval_bytes: self.request.config.index_interval_bytes as u64,
                epochs: LeaderEpochs::default(),
                next_offset: segment.base,
                report: Report::default(),
            };
            if let Some(bad) = recovery.walk(0, segment, Some(next_base)).map_err(failed)? {
                let why = format!("{} is damaged at byte {}: {}", segment.path(".log"), bad.position, bad.why);
                return Err(failed(io::Error::new(io::ErrorKind::InvalidData, why)));
            }
            segment.load(size, Some(segment.load_indexes().map_err(failed)?), segment.largest(), aborted);
            if let Some(files) = segment.index_files() {
                files.write_durably(&*self.vfs, &self.folder)?;
            }
            segment.seal();
            Ok(())
        };
        load().map_err(|failed| match failed.error.kind() {
            io::ErrorKind::InvalidData => damaged(failed.error.to_string()),
            _ => self.failed(&failed.what, failed.error),
        })
    }

    /// The last entry points at the batch that it names.
    fn fits(&self, segment: &Segment, offsets: &OffsetIndex, next_base: i64) -> io::Result<bool> {
        let Some(last) = offsets.last() else { return Ok(segment.base < next_base) };
        let file = segment.file()?;
        let step = Scan::new(&*file, last.position as u64, segment.size(), 0).next()?;
        Ok(segment.base + (last.relative as i64) < next_base
            && matches!(step, Step::Batch(entry) if segment.relative(entry.header.last_offset()) == last.relative))
    }

    /// The epochs below the recovery point, from the checkpoint file or, should it be missing, from the batches.
    fn load_epochs(
        &self,
        sealed: &[Arc<Segment>],
        recovery_point: i64,
        all_walked: bool,
    ) -> Result<LeaderEpochs, Failure> {
        let bytes = vfs::read_file(&*self.vfs, &path(&self.folder, LEADER_EPOCHS))
            .map_err(|error| self.failed("reading leader epochs of", error))?;
        if let Some(Ok(mut epochs)) = bytes.as_deref().map(LeaderEpochs::decode) {
            epochs.truncate_from_end(recovery_point);
            return Ok(epochs);
        }
        let mut epochs = LeaderEpochs::default();
        if all_walked {
            return Ok(epochs);
        }
        let mut walk = || -> io::Result<()> {
            for segment in sealed {
                let file = segment.file()?;
                let mut scan = Scan::new(&*file, 0, segment.size(), WINDOW);
                while let Step::Batch(entry) = scan.next()? {
                    if entry.header.leader_epoch > epochs.latest() {
                        let entry = EpochEntry { epoch: entry.header.leader_epoch, start: entry.header.base_offset };
                        epochs.assign(entry.epoch, entry.start);
                    }
                }
            }
            Ok(())
        };
        walk().map_err(|error| self.failed("reading leader epochs of", error))?;
        Ok(epochs)
    }

    /// Walked segments but the last get their index files; what recovery read is made durable, since it is reported as
    /// synced.
    fn seal_walked(&self, state: &ViewState, first_walked: usize, clean: bool) -> Result<(), Failure> {
        let seal = || -> Result<(), Failed> {
            for (at, segment) in state.segments.iter().enumerate().skip(first_walked) {
                if !clean {
                    let failed = |error| Failed { what: format!("syncing {}", segment.path(".log")), error };
                    self.vfs
                        .open(&segment.path(".log"), OpenMode::Write)
                        .and_then(|file| file.sync_data())
                        .map_err(failed)?;
                }
                if at + 1 < state.segments.len() {
                    if let Some(files) = segment.index_files()
                        && !files.write_durably(&*self.vfs, &self.folder)?
                    {
                        let what = format!("writing the indexes of {}", segment.path(".log"));
                        return Err(Failed { what, error: io::ErrorKind::StorageFull.into() });
                    }
                    segment.seal();
                }
            }
            if clean {
                return Ok(());
            }
            let failed = |error| Failed { what: format!("syncing {}", self.folder), error };
            self.vfs.sync_folder(&self.folder).map_err(failed)
        };
        seal().map_err(|failed| {
            if is_no_space(&failed.error) {
                return self.failed(&failed.what, failed.error);
            }
            self.directory.fail(&failed.what, &failed.error)
        })
    }

    fn first_timestamp(&self, state: &ViewState) -> Result<Option<i64>, Failure> {
        let active = &state.segments[state.segments.len() - 1];
        if active.size() == 0 {
            return Ok(None);
        }
        let read = || -> io::Result<Option<i64>> {
            let file = active.file()?;
            Ok(match Scan::new(&*file, 0, active.size(), 0).next()? {
                Step::Batch(entry) => Some(entry.header.max_timestamp),
                _ => None,
            })
        };
        let timestamp = read().map_err(|error| self.failed("reading", error))?;
        active.release_file();
        Ok(timestamp)
    }

    fn assemble(
        &self,
        loaded: Loaded,
        created: bool,
        sink: Arc<dyn Sink>,
    ) -> Result<(Box<Log>, Box<OpenInfo>), Failure> {
        let Loaded { mut state, mut epochs, report, producers, loose_snapshots, first_timestamp, settled } = loaded;
        epochs.truncate_from_start(state.start);
        state.epochs = Arc::new(epochs.clone());
        let (start, end, bytes_end) = (state.start, state.end, state.bytes_end);
        let active = state.segments[state.segments.len() - 1].clone();
        let shared = Arc::new(LogShared {
            log: self.request.log,
            name: self.request.name.clone(),
            folder: self.folder.clone(),
            directory: self.directory.clone(),
            view: LogView::new(state),
            sync: LogSync::new(self.request.log, sink, end),
        });
        let mut log = Box::new(Log {
            shared,
            config: self.request.config.clone(),
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
