//! One partition's log, owned by its lane: appends, rolls, cuts. Everything that changes a log goes through here.
//!
//! Invariants: one owner, so nothing here waits for a lock held over I/O. Bytes first, knowledge after: end offset,
//! indexes, epochs, producers and the readers' view move only when the write has succeeded. A write that failed is cut
//! back; if that fails too, the directory is offline. Nothing is cut before a recovery point at or below the cut is on
//! disk.

use crate::batch::{HEADER_BYTES, Header, patch};
use crate::command::{AppendedInfo, Failure, LogRef, Origin, Wake};
use crate::config::{Flush, LogConfig};
use crate::directory::Directory;
use crate::error::Code;
use crate::leader_epochs::LeaderEpochs;
use crate::producer_state::{ProducerStates, Verdict};
use crate::segment::{Largest, Segment};
use crate::sync::{Advance, LogSync};
use crate::txn_index::AbortedTransaction;
use crate::validate::{Rules, validate};
use crate::vfs::{File, is_no_space};
use crate::view::LogView;
use bytes::Bytes;
use std::io::{self, IoSlice};
use std::sync::Arc;

/// Batches that go to the disk in one write, and bytes of them.
const GROUP_BATCHES: usize = 512;
const GROUP_BYTES: u64 = 4 << 20;
/// A recovery point at least this often, in milliseconds of the commands' time.
pub const ADVANCE_MS: i64 = 60_000;
/// And after this many bytes.
const ADVANCE_BYTES: u64 = 256 << 20;

/// What lanes, sync threads and readers share of one log.
pub struct LogShared {
    pub log: LogRef,
    pub name: String,
    pub folder: Arc<str>,
    pub directory: Arc<Directory>,
    pub view: LogView,
    pub sync: LogSync,
}

pub struct Log {
    pub(crate) shared: Arc<LogShared>,
    pub(crate) config: LogConfig,
    pub(crate) active: Arc<Segment>,
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) bytes_end: u64,
    pub(crate) producers: ProducerStates,
    pub(crate) epochs: LeaderEpochs,
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
}

/// Where the last recovery point was begun.
#[derive(Clone, Copy, Debug)]
pub struct Advanced {
    pub end: i64,
    pub bytes: u64,
}

/// One append as it came.
#[derive(Clone, Debug)]
pub struct Pending {
    pub ticket: u32,
    pub batch: Bytes,
    pub leader_epoch: i32,
    pub origin: Origin,
    pub wake: Wake,
    pub transaction_version: i16,
    pub now_ms: i64,
    pub expected_base: i64,
}

/// What became of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub ticket: u32,
    pub code: Code,
    pub info: AppendedInfo,
    pub urgent: bool,
}

/// Judged, with its offset, not yet written.
struct Staged {
    at: usize,
    head: [u8; HEADER_BYTES],
    body: Bytes,
    header: Header,
    log_append_time: i64,
}

impl Log {
    pub fn shared(&self) -> &Arc<LogShared> {
        &self.shared
    }

    pub fn marks(&self) -> (i64, i64, i64) {
        (self.start, self.end, self.shared.sync.synced_end())
    }

    /// Carries the appends out in order; consecutive ones go to the disk in one write. The second value is true if
    /// the log has to be queued for a sync. The caller hands the outcomes on before it queues.
    pub fn append(&mut self, pending: &[Pending]) -> (Vec<Outcome>, bool) {
        let mut outcomes: Vec<Option<Outcome>> = pending.iter().map(|_| None).collect();
        let mut staged: Vec<Staged> = Vec::new();
        let mut staged_bytes = 0;
        let mut queue = false;
        let mut now_ms = 0;
        for (at, one) in pending.iter().enumerate() {
            now_ms = one.now_ms;
            loop {
                match self.stage(at, one, &staged, staged_bytes) {
                    Ok(Some(next)) => {
                        staged_bytes += (HEADER_BYTES + next.body.len()) as u64;
                        staged.push(next);
                    }
                    // It has to see what the staged ones leave behind.
                    Ok(None) => {
                        queue |= self.write(&mut staged, pending, &mut outcomes);
                        staged_bytes = 0;
                        continue;
                    }
                    Err((code, info)) => outcomes[at] = Some(self.refused(one, code, *info)),
                }
                break;
            }
            if staged.len() >= GROUP_BATCHES || staged_bytes >= GROUP_BYTES {
                queue |= self.write(&mut staged, pending, &mut outcomes);
                staged_bytes = 0;
            }
        }
        queue |= self.write(&mut staged, pending, &mut outcomes);
        queue |= self.advance_if_due(now_ms);
        (outcomes.into_iter().flatten().collect(), queue)
    }

    fn refused(&self, one: &Pending, code: Code, info: AppendedInfo) -> Outcome {
        let urgent = code != Code::Ok || one.wake != Wake::Never;
        Outcome { ticket: one.ticket, code, info, urgent }
    }

    /// None: the staged ones have to be written first. An error with `Code::Ok` is a duplicate's answer.
    fn stage(
        &mut self,
        at: usize,
        one: &Pending,
        staged: &[Staged],
        staged_bytes: u64,
    ) -> Result<Option<Staged>, (Code, Box<AppendedInfo>)> {
        let refuse = |code, text| (code, Box::new(AppendedInfo { text, ..AppendedInfo::default() }));
        self.shared.directory.check().map_err(|failure| refuse(failure.code, failure.text))?;
        let end = staged.last().map_or(self.end, |last| last.header.next_offset());
        if one.expected_base >= 0 && one.expected_base != end {
            let text = format!("the log ends at {end}, the caller expected {}", one.expected_base);
            return Err(refuse(Code::OffsetMismatch, text));
        }
        let accepted = validate(&one.batch, &self.rules(one.origin), one.now_ms).map_err(|refused| {
            let (record_errors, text) = (refused.record_errors, refused.text);
            (refused.code, Box::new(AppendedInfo { record_errors, text, ..AppendedInfo::default() }))
        })?;
        let mut header = accepted.header;
        let latest = staged.last().map_or(-1, |last| last.header.leader_epoch).max(self.epochs.latest());
        if one.origin == Origin::Replication {
            if header.leader_epoch > one.leader_epoch {
                let text = format!("a batch of epoch {} came under epoch {}", header.leader_epoch, one.leader_epoch);
                return Err(refuse(Code::EpochFenced, text));
            }
            if header.base_offset < end {
                let text = format!("a batch at {} came where the log ends at {end}", header.base_offset);
                return Err(refuse(Code::OffsetMismatch, text));
            }
        } else {
            header.base_offset = end;
            header.leader_epoch = one.leader_epoch;
        }
        if header.leader_epoch < latest {
            let text = format!("leader epoch {} is older than the log's last one, {latest}", header.leader_epoch);
            return Err(refuse(Code::EpochFenced, text));
        }
        let bytes = (HEADER_BYTES + accepted.body.len()) as u64;
        if bytes > self.config.segment_bytes as u64 {
            let text = format!("the batch has {bytes} bytes, a segment takes {}", self.config.segment_bytes);
            return Err(refuse(Code::LargerThanSegment, text));
        }
        let same_producer = |other: &Staged| other.header.producer_id == header.producer_id;
        if header.has_producer_id() && staged.iter().any(same_producer) {
            return Ok(None);
        }
        match self.producers.check(&header, &accepted.body, one.origin, one.transaction_version) {
            Ok(Verdict::New) => {}
            Ok(Verdict::Duplicate { base, end, timestamp }) => {
                let info = AppendedInfo { base, end, log_append_time: timestamp, duplicate: true, ..self.info() };
                return Err((Code::Ok, Box::new(info)));
            }
            Err((code, text)) => return Err(refuse(code, text)),
        }
        if self.must_roll(&header, bytes, staged, staged_bytes, one.now_ms) {
            if !staged.is_empty() {
                return Ok(None);
            }
            self.roll(header.base_offset, one.now_ms).map_err(|failure| refuse(failure.code, failure.text))?;
        }
        let mut head = accepted.head;
        patch(&mut head, header.base_offset, header.leader_epoch);
        let log_append_time = accepted.log_append_time;
        Ok(Some(Staged { at, head, body: accepted.body, header, log_append_time }))
    }

    fn rules(&self, origin: Origin) -> Rules {
        Rules {
            origin,
            max_message_bytes: self.config.max_message_bytes,
            compression_type: self.config.compression_type,
            timestamp_type: self.config.timestamp_type,
            before_max_ms: self.config.timestamp_before_max_ms,
            after_max_ms: self.config.timestamp_after_max_ms,
            compacted: self.config.compacted,
        }
    }

    /// What every answer says of the log as it is.
    fn info(&self) -> AppendedInfo {
        AppendedInfo {
            log_append_time: -1,
            log_start: self.start,
            bytes_end: self.bytes_end,
            oldest_open_transaction: self.oldest_open_transaction(),
            closed_transaction_first: -1,
            ..AppendedInfo::default()
        }
    }

    pub fn oldest_open_transaction(&self) -> i64 {
        self.producers.oldest_open_transaction().unwrap_or(-1)
    }

    fn must_roll(&self, header: &Header, bytes: u64, staged: &[Staged], staged_bytes: u64, now_ms: i64) -> bool {
        let size = self.active_size() + staged_bytes;
        if size == 0 {
            return header.base_offset > self.end;
        }
        let full = size + bytes > self.config.segment_bytes as u64;
        let first = self.first_timestamp.or(staged.first().map(|first| first.header.max_timestamp));
        let age = match first {
            Some(first) if first >= 0 => header.max_timestamp.saturating_sub(first),
            _ => now_ms.saturating_sub(self.created_ms),
        };
        let (offsets, times) = self.active.index_entries();
        let offset_entries = self.config.segment_index_bytes as usize / crate::offset_index::ENTRY_BYTES;
        let time_entries = self.config.segment_index_bytes as usize / crate::time_index::ENTRY_BYTES;
        full || age > self.config.segment_ms.saturating_sub(self.config.segment_jitter_ms)
            || offsets + staged.len() >= offset_entries
            || times + staged.len() >= time_entries.saturating_sub(1)
            || header.last_offset() - self.active.base > i32::MAX as i64
    }

    pub fn active_size(&self) -> u64 {
        self.bytes_end - self.active.bytes_before
    }

    /// Writes the staged batches behind one another and takes them into account. True if a sync is due.
    fn write(&mut self, staged: &mut Vec<Staged>, pending: &[Pending], outcomes: &mut [Option<Outcome>]) -> bool {
        if staged.is_empty() {
            return false;
        }
        let staged = std::mem::take(staged);
        let at = self.active_size();
        let written = self.active_file().and_then(|file| match write_parts(&*file, &staged, at) {
            Ok(()) => Ok(file),
            Err(error) => match file.set_len(at) {
                Ok(()) => Err(error),
                Err(worse) => Err(io::Error::other(format!("{error}, and the part written could not be cut: {worse}"))),
            },
        });
        let file = match written {
            Ok(file) => file,
            Err(error) => {
                let failure = self.write_failed(&error);
                for one in &staged {
                    let info = AppendedInfo { text: failure.text.clone(), ..AppendedInfo::default() };
                    outcomes[one.at] = Some(self.refused(&pending[one.at], failure.code, info));
                }
                return false;
            }
        };
        self.written(&staged, pending, outcomes, &file)
    }

    fn active_file(&mut self) -> io::Result<Arc<dyn File>> {
        match self.active.open_file() {
            Some(file) => Ok(file),
            None if self.active_size() == 0 => {
                self.name_is_new = true;
                self.active.create_file()
            }
            None => self.active.file(),
        }
    }

    pub(crate) fn write_failed(&self, error: &io::Error) -> Failure {
        if is_no_space(error) {
            let text = format!("no room for the log {} in {}: {error}", self.shared.name, self.shared.directory.path);
            return Failure { code: Code::NoSpace, text };
        }
        self.shared.directory.fail(&format!("writing the log {}", self.shared.name), error)
    }

    fn written(
        &mut self,
        staged: &[Staged],
        pending: &[Pending],
        outcomes: &mut [Option<Outcome>],
        file: &Arc<dyn File>,
    ) -> bool {
        let mut largest = self.active.largest();
        let mut entries = Vec::new();
        let mut wake = false;
        let mut epochs_changed = false;
        for one in staged {
            let header = &one.header;
            let position = self.active_size();
            let bytes = (HEADER_BYTES + one.body.len()) as u64;
            if self.first_timestamp.is_none() {
                self.first_timestamp = Some(header.max_timestamp);
            }
            if header.max_timestamp > largest.timestamp {
                largest = Largest { timestamp: header.max_timestamp, offset: header.last_offset() };
            }
            if self.unindexed > self.config.index_interval_bytes as u64 {
                entries.push((header.last_offset(), position as u32, largest));
                self.unindexed = 0;
            }
            self.unindexed += bytes;
            if header.leader_epoch > self.epochs.latest() {
                epochs_changed |= self.epochs.assign(header.leader_epoch, header.base_offset);
            }
            self.end = header.next_offset();
            self.bytes_end += bytes;
            let mut closed = -1;
            if header.has_producer_id()
                && let Some(transaction) = self.producers.apply(header, &one.body)
            {
                closed = transaction.first_offset;
                if transaction.aborted {
                    self.active.add_aborted(AbortedTransaction {
                        producer_id: transaction.producer_id,
                        first_offset: transaction.first_offset,
                        last_offset: transaction.last_offset,
                        last_stable_offset: transaction.last_stable_offset,
                    });
                }
            }
            let append = &pending[one.at];
            wake |= append.wake == Wake::Synced;
            let info = AppendedInfo {
                base: header.base_offset,
                end: self.end,
                log_append_time: one.log_append_time,
                closed_transaction_first: closed,
                ..self.info()
            };
            let urgent = append.wake == Wake::Appended;
            outcomes[one.at] = Some(Outcome { ticket: append.ticket, code: Code::Ok, info, urgent });
        }
        self.active.appended(self.active_size(), largest, &entries);
        self.publish(epochs_changed);
        if self.shared.sync.passes_end_watch(self.end)
            && let Some(outcome) = staged.last().and_then(|one| outcomes[one.at].as_mut())
        {
            outcome.urgent = true;
        }
        let group = self.config.flush == Flush::Group;
        let names = std::mem::take(&mut self.name_is_new);
        self.shared.sync.written(self.end, file, names, wake && group, group)
    }

    /// Lets readers see what has changed.
    pub(crate) fn publish(&self, epochs_changed: bool) {
        let epochs = epochs_changed.then(|| Arc::new(self.epochs.clone()));
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
        let directory = self.shared.directory.clone();
        let folder = self.shared.folder.clone();
        let sealed = self.active.clone();
        let files = sealed.index_files().expect("the active segment has its indexes in memory");
        match files.write(&*directory.vfs, &folder) {
            Ok(Some(_)) => {}
            Ok(None) => return Err(self.write_failed(&io::ErrorKind::StorageFull.into())),
            Err(failed) => return Err(directory.fail(&failed.what, &failed.error)),
        }
        // A later segment on disk vouches for the names of those before it: a crash may shorten them, not drop them.
        if self.name_is_new || !self.shared.sync.names_are_durable() {
            let synced = directory.vfs.sync_folder(&folder);
            synced.map_err(|error| directory.fail(&format!("syncing {folder}"), &error))?;
        }
        let next = Arc::new(Segment::new(directory.vfs.clone(), folder, base, self.bytes_end));
        let file = next.create_file().map_err(|error| self.write_failed(&error))?;
        self.producers.expire(now_ms, self.config.producer_id_expiration_ms);
        self.shared.sync.add_snapshot(base, self.producers.encode_snapshot());
        self.shared.view.update(|view| {
            let mut segments = (*view.segments).clone();
            segments.push(next.clone());
            view.segments = Arc::new(segments);
        });
        sealed.seal();
        self.unsynced_indexes.push(sealed.base);
        self.active = next;
        self.unindexed = 0;
        self.first_timestamp = None;
        self.created_ms = now_ms;
        self.name_is_new = false;
        self.rolled = true;
        self.shared.sync.written(self.end, &file, true, false, false);
        Ok(())
    }

    fn advance_if_due(&mut self, now_ms: i64) -> bool {
        // Under flush=os a sealed segment goes to the disk at its roll, as Kafka's does, and no sooner.
        let rolled = std::mem::take(&mut self.rolled);
        let due = match self.config.flush {
            Flush::Group => self.bytes_end.saturating_sub(self.advanced.bytes) >= ADVANCE_BYTES,
            Flush::Os => rolled,
        };
        due && self.advance(now_ms)
    }

    /// The sweep that comes by every `ADVANCE_MS`: a recovery point for what was written since the last one, and an
    /// idle log gives its file back. True if the log has to be queued.
    pub fn sweep(&mut self, now_ms: i64) -> bool {
        if self.end == self.advanced.end {
            if self.shared.sync.is_clean() {
                self.active.release_file();
            }
            return false;
        }
        self.advance(now_ms)
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
            snapshot: Some(self.producers.encode_snapshot()),
            obsolete: std::mem::take(&mut self.loose_snapshots),
        };
        if !at_roll {
            self.loose_snapshots.push(self.end);
        }
        self.shared.sync.advance(advance)
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
        let changed = epoch > self.epochs.latest() && self.epochs.assign(epoch, offset);
        self.publish(changed);
        Ok(())
    }

    pub fn configure(&mut self, config: LogConfig) -> bool {
        let want = config.flush == Flush::Group && self.config.flush == Flush::Os;
        self.config = config;
        // From now on what is readable is on disk: what was written under the other promise catches up.
        want && self.shared.sync.request(None)
    }

    /// Records below `offset` count as deleted.
    pub fn advance_start(&mut self, offset: i64) -> Result<(), Failure> {
        self.shared.directory.check()?;
        if offset > self.end {
            let text = format!("offset {offset} is above the log's end, {}", self.end);
            return Err(Failure { code: Code::OutOfRange, text });
        }
        if offset > self.start {
            self.start = offset;
            let changed = self.epochs.truncate_from_start(offset);
            self.note_start();
            self.publish(changed);
        }
        Ok(())
    }

    /// The log-start checkpoint lists a log only while its start is past the first segment's base.
    pub(crate) fn note_start(&self) {
        let first = self.shared.view.state().segments[0].base;
        let start = (self.start > first).then_some(self.start);
        self.shared.directory.set_start(&self.shared.name, start);
    }
}

/// All of the parts, with as few writes as the system allows.
fn write_parts(file: &dyn File, staged: &[Staged], mut at: u64) -> io::Result<()> {
    let mut parts: Vec<IoSlice<'_>> = Vec::with_capacity(staged.len() * 2);
    for one in staged {
        parts.push(IoSlice::new(&one.head));
        parts.push(IoSlice::new(&one.body));
    }
    let mut rest = &mut parts[..];
    while !rest.is_empty() {
        let n = file.write_at(rest, at)?;
        at += n as u64;
        IoSlice::advance_slices(&mut rest, n);
        // An empty part stays in front after an exact fit.
        while rest.first().is_some_and(|part| part.is_empty()) {
            rest = &mut rest[1..];
        }
    }
    Ok(())
}
