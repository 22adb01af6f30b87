//! One partition's log, owned by its lane: appends, rolls, cuts. Everything that changes a log goes through here.
//!
//! Invariants: one owner, so nothing here waits for a lock held over I/O. Bytes first, knowledge after: end offset,
//! indexes, epochs, producers and the readers' view move only when the write has succeeded. A write that failed is cut
//! back; if that fails too, the directory is offline. Nothing is cut before a recovery point at or below the cut is on
//! disk.

use crate::cleaner::{Replacement, Stop, Token};
use crate::command::{Failure, LogRef};
use crate::config::{Flush, LogConfig};
use crate::directory::Directory;
use crate::error::Code;
use crate::leader_epochs::LeaderEpochs;
use crate::planted::{Bug, planted};
use crate::producer_state::ProducerStates;
use crate::segment::Segment;
use crate::sums::Sums;
use crate::sync::LogSync;
use crate::sync_job::Advance;
use crate::view::LogView;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;

/// A recovery point at least this often, in milliseconds of the commands' time.
pub const ADVANCE_MS: i64 = 60_000;
/// And after this many bytes.
const ADVANCE_BYTES: u64 = 256 << 20;

/// What lanes, sync threads and readers share of one log.
pub struct LogShared {
    pub log: LogRef,
    pub name: Arc<str>,
    pub folder: Arc<str>,
    pub directory: Arc<Directory>,
    pub view: LogView,
    pub sync: LogSync,
    pub topic_id: Option<Arc<str>>,
}

impl LogShared {
    /// Syncs the files that a journal vouches for.
    pub fn sync_journaled(&self) -> Result<(), Failure> {
        for file in self.sync.journaled() {
            let failed = |error| self.directory.fail(&format!("syncing a segment of {}", self.name), &error);
            file.sync_data().map_err(failed)?;
        }
        Ok(())
    }
}

pub struct Log {
    pub(crate) shared: Arc<LogShared>,
    pub(crate) config: Arc<LogConfig>,
    pub(crate) active: Arc<Segment>,
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) bytes_end: u64,
    pub(crate) producers: ProducerStates,
    pub(crate) epochs: Arc<LeaderEpochs>,
    /// The active segment's file was made and its name not yet reported to the sync.
    pub(crate) name_is_new: bool,
    /// Bytes since the last index entry.
    pub(crate) unindexed: u64,
    /// A roll came since the last look.
    pub(crate) rolled: bool,
    /// Timestamp of the active segment's first batch, from which its age counts.
    pub(crate) first_timestamp: Option<i64>,
    /// When the active segment was made or found, for the age of one whose batches have no timestamps.
    pub(crate) created_ms: i64,
    /// Sealed segments whose index files are written and not known to be synced.
    pub(crate) unsynced_indexes: Vec<i64>,
    /// Producer snapshots on disk that belong to no roll; the next recovery point replaces them.
    pub(crate) loose_snapshots: Vec<i64>,
    pub(crate) advanced: Advanced,
    /// Under `flush=os`: the end up to which a sync was asked for, and since when there is more.
    pub(crate) flushed: (i64, Option<i64>),
    /// Segments that left the log, and when their files may go.
    pub(crate) expiring: VecDeque<(i64, i64)>,
    /// Ends the cleaning that runs.
    pub(crate) cleaning: Option<Arc<Token>>,
    /// When it began.
    pub(crate) cleaned_ms: i64,
    /// A cleaned segment that readers see and whose files don't have their names yet.
    pub(crate) replacing: Option<Arc<Replacement>>,
    /// How long the active segment's file is while room is reserved behind its batches.
    pub(crate) reserved: u64,
}

/// Where the last recovery point was begun.
#[derive(Clone, Copy, Debug)]
pub struct Advanced {
    pub end: i64,
    pub bytes: u64,
}

impl Log {
    pub fn shared(&self) -> &Arc<LogShared> {
        &self.shared
    }

    pub fn marks(&self) -> (i64, i64, i64) {
        (self.start, self.end, self.shared.sync.synced_end())
    }

    pub fn oldest_open_transaction(&self) -> i64 {
        self.producers.oldest_open_transaction().unwrap_or(-1)
    }

    pub fn active_size(&self) -> u64 {
        self.bytes_end - self.active.bytes_before
    }

    /// Lets readers see what has changed.
    pub(crate) fn publish(&self, epochs_changed: bool) {
        let epochs = epochs_changed.then(|| self.epochs.clone());
        self.shared.view.update(|view| {
            view.start = self.start;
            view.end = self.end;
            view.bytes_end = self.bytes_end;
            if let Some(epochs) = epochs {
                view.epochs = epochs;
            }
        });
    }

    /// Seals the active segment and begins a new one at `base` (or the end, if that is later). No room: refused, and
    /// the log goes on in the old one.
    pub fn roll(&mut self, base: i64, now_ms: i64) -> Result<(), Failure> {
        self.shared.directory.check()?;
        let base = base.max(self.end);
        if self.active_size() == 0 {
            return if base > self.end { self.rebase(base, now_ms) } else { Ok(()) };
        }
        self.cut_reserve()?;
        let directory = self.shared.directory.clone();
        let folder = self.shared.folder.clone();
        let sealed = self.active.clone();
        sealed.wake().map_err(|error| self.read_failed(&error))?;
        let files = sealed.index_files().expect("the active segment has its indexes in memory");
        self.shared.sync.seals(&files);
        match files.write(&*directory.vfs, &folder) {
            Ok(Some(_)) => {}
            Ok(None) => return Err(self.write_failed(&io::ErrorKind::StorageFull.into())),
            Err(failed) => return Err(directory.fail(&failed.what, &failed.error)),
        }
        // A later segment on disk vouches for the names of those before it: a crash may shorten them, not drop them.
        let unsynced = self.name_is_new || !self.shared.sync.names_are_durable();
        if unsynced && !planted(Bug::RollBeforeNames) {
            let synced = directory.vfs.sync_folder(&folder);
            synced.map_err(|error| directory.fail(&format!("syncing {folder}"), &error))?;
        }
        let next = Arc::new(Segment::new(directory.vfs.clone(), folder, base, self.bytes_end));
        let file = next.create_file().map_err(|error| self.write_failed(&error))?;
        self.producers.expire(now_ms, self.config.producer_id_expiration_ms);
        self.shared.sync.add_snapshot(base, self.producers.encode_snapshot());
        self.shared.view.update(|view| {
            view.segments = view.segments.iter().chain([&next]).cloned().collect();
        });
        sealed.seal();
        if !planted(Bug::UnsyncedIndexes) {
            self.unsynced_indexes.push(sealed.base);
        }
        self.active = next;
        self.unindexed = 0;
        self.first_timestamp = None;
        self.created_ms = now_ms;
        self.name_is_new = false;
        self.rolled = true;
        self.shared.sync.written(self.end, &file, None, true, false, false);
        Ok(())
    }

    /// The active segment's file ends where its batches do.
    pub(crate) fn cut_reserve(&mut self) -> Result<(), Failure> {
        if std::mem::take(&mut self.reserved) <= self.active_size() {
            return Ok(());
        }
        let cut = self.active.file().and_then(|file| {
            file.set_len(self.active_size())?;
            Ok(file)
        });
        let file = cut.map_err(|error| self.write_failed(&error))?;
        // The cut has to be on disk before anything that comes to stand behind it in the next segment.
        self.shared.sync.written(self.end, &file, None, false, false, false);
        Ok(())
    }

    pub(crate) fn advance_if_due(&mut self, now_ms: i64) -> bool {
        // Under flush=os a sealed segment goes to the disk at its roll, as Kafka's does, and no sooner.
        let rolled = std::mem::take(&mut self.rolled);
        let due = match self.config.flush {
            Flush::Group => self.bytes_behind() >= ADVANCE_BYTES,
            Flush::Os => rolled,
        };
        due && self.advance(now_ms)
    }

    /// Under `flush=os`: whether messages or their age have come to the bound at which the log is synced. True if
    /// the log has to be queued.
    pub fn flush_if_due(&mut self, now_ms: i64) -> bool {
        let (upto, since_ms) = &mut self.flushed;
        if self.config.flush == Flush::Group || *upto == self.end {
            self.flushed = (self.end, None);
            return false;
        }
        let age_ms = now_ms.saturating_sub(*since_ms.get_or_insert(now_ms));
        let due = self.end - *upto >= self.config.flush_messages
            || (self.config.flush_ms < i64::MAX && age_ms >= self.config.flush_ms);
        if !due {
            return false;
        }
        self.flushed = (self.end, None);
        self.shared.sync.request(None)
    }

    /// The sweep that comes by every `ADVANCE_MS`: a recovery point for what was written since the last one; a log with
    /// nothing of it left gives back what it can. True if the log has to be queued.
    pub fn sweep(&mut self, now_ms: i64) -> bool {
        if self.is_behind() {
            return self.advance(now_ms);
        }
        if self.is_settled() {
            self.active.rest();
            self.unsynced_indexes.shrink_to_fit();
            self.loose_snapshots.shrink_to_fit();
            self.expiring.shrink_to_fit();
        }
        false
    }

    pub fn bytes_end(&self) -> u64 {
        self.bytes_end
    }

    /// Bytes written since the last recovery point was begun, where they count as on disk.
    pub fn bytes_behind(&self) -> u64 {
        if self.config.flush == Flush::Group { self.bytes_end.saturating_sub(self.advanced.bytes) } else { 0 }
    }

    /// There is more than the last recovery point was begun for.
    pub fn is_behind(&self) -> bool {
        self.end != self.advanced.end
    }

    /// The index entries are in memory again, as whoever writes needs them.
    pub fn wake(&self) -> io::Result<()> {
        self.active.wake()
    }

    /// The active segment's file is closed until somebody needs it. All of it must be on disk.
    pub fn close_file(&self) {
        self.active.release_file();
    }

    /// The next sweep would find nothing to do and nothing to give back.
    pub fn is_settled(&self) -> bool {
        self.end == self.advanced.end && self.expiring.is_empty() && self.shared.sync.is_clean()
    }

    /// Begins to move the recovery point to the end. True if the log has to be queued.
    pub fn advance(&mut self, now_ms: i64) -> bool {
        if self.end == self.advanced.end || self.shared.directory.is_offline() {
            return false;
        }
        self.advanced = Advanced { end: self.end, bytes: self.bytes_end };
        self.producers.expire(now_ms, self.config.producer_id_expiration_ms);
        let at_roll = self.active_size() == 0 && self.active.base == self.end;
        let advance = Advance {
            offset: self.end,
            indexes: if self.active_size() > 0 { self.active.index_files().into_iter().collect() } else { Vec::new() },
            sealed: std::mem::take(&mut self.unsynced_indexes),
            epochs: self.epochs.encode(),
            sums: self.sums().encode(),
            snapshot: Some(self.producers.encode_snapshot()),
            obsolete: std::mem::take(&mut self.loose_snapshots),
        };
        if !at_roll {
            self.loose_snapshots.push(self.end);
        }
        self.shared.sync.advance(advance)
    }

    fn sums(&self) -> Sums {
        let state = self.shared.view.state();
        Sums::new(self.end, &self.epochs, state.segments.iter().filter_map(|segment| segment.sums()))
    }

    /// Before a clean close: the recovery point becomes the end, with all that it promises.
    pub fn advance_to_close(&mut self, now_ms: i64) -> bool {
        let settled =
            self.shared.directory.points(&self.shared.name).recovery == self.end && self.shared.sync.is_clean();
        if settled {
            return false;
        }
        self.advanced.end = -1;
        self.advance(now_ms)
    }

    /// An error of reading one's own files: this log's alone.
    pub(crate) fn read_failed(&self, error: &io::Error) -> Failure {
        Failure { code: Code::Io, text: format!("reading the indexes of {}: {error}", self.shared.name) }
    }

    /// After a roll that was asked for: what is sealed goes to the disk as after any other.
    pub fn rolled_by_hand(&mut self, now_ms: i64) -> bool {
        self.advance_if_due(now_ms) || (self.config.flush == Flush::Group && self.shared.sync.request(None))
    }

    pub fn start_epoch(&mut self, epoch: i32, offset: i64) -> Result<(), Failure> {
        self.shared.directory.check()?;
        if epoch < self.epochs.latest() {
            let text = format!("leader epoch {epoch} is older than the log's last one, {}", self.epochs.latest());
            return Err(Failure { code: Code::EpochFenced, text });
        }
        let changed = epoch > self.epochs.latest() && Arc::make_mut(&mut self.epochs).assign(epoch, offset);
        if changed && offset < self.end {
            // What is there already has an older one.
            let state = self.shared.view.state();
            let behind = state.segments.partition_point(|segment| segment.base <= offset).saturating_sub(1);
            state.segments[behind..].iter().for_each(|segment| segment.leave_epochs());
        }
        self.publish(changed);
        Ok(())
    }

    /// True if the log has to be queued.
    pub fn configure(&mut self, config: LogConfig) -> Result<bool, Failure> {
        let want = config.flush == Flush::Group && self.config.flush == Flush::Os;
        let config = self.shared.directory.config(&config);
        let was_compacted = std::mem::replace(&mut self.config, config).compacted;
        if was_compacted && !self.config.compacted {
            // A pass may take hours; what it has not put in place is kept.
            self.stop_cleaning(Stop::Cut)?;
        }
        // From now on what is readable is on disk: what was written under the other promise catches up.
        Ok(want && self.shared.sync.request(None))
    }

    /// Records below `offset` count as deleted; segments that have no others go. True if the log has to be queued.
    pub fn advance_start(&mut self, offset: i64, now_ms: i64) -> Result<bool, Failure> {
        self.shared.directory.check()?;
        if offset > self.end {
            let text = format!("offset {offset} is above the log's end, {}", self.end);
            return Err(Failure { code: Code::OutOfRange, text });
        }
        if offset <= self.start {
            return Ok(false);
        }
        self.start = offset;
        let changed = Arc::make_mut(&mut self.epochs).truncate_from_start(offset);
        self.note_start();
        self.publish(changed);
        Ok(self.let_go_of_passed(now_ms))
    }

    /// The log-start checkpoint lists a log only while its start is past the base of the first segment on disk.
    pub(crate) fn note_start(&self) {
        let first = self.shared.view.state().segments[0].base;
        let start = (self.start > first || self.shared.sync.is_retiring()).then_some(self.start);
        self.shared.directory.set_start(&self.shared.name, start);
    }
}
