//! Appends to a log: judges each batch, gives it its offset, writes what came together in one write, and only
//! then takes it into account.
//!
//! Invariants: an outcome for every append, in the order in which they came. A batch sees what the ones before it left,
//! so one that depends on a staged one (same producer, a roll) waits for its write. A failed write refuses all that it
//! held, and the file is cut back.

use crate::batch::{HEADER_BYTES, Header, add_sequence, patch};
use crate::command::{AppendedInfo, Failure, Origin, Wake};
use crate::config::Flush;
use crate::error::Code;
use crate::log::Log;
use crate::planted::{Bug, planted};
use crate::producer_state::Verdict;
use crate::segment::Largest;
use crate::txn_index::AbortedTransaction;
use crate::validate::{Accepted, Refused, Rules, validate, validate_quickly};
use crate::vfs::{File, is_no_space};
use bytes::Bytes;
use std::io::{self, IoSlice};
use std::sync::Arc;

/// Batches that go to the disk in one write, and bytes of them.
const GROUP_BATCHES: usize = 512;
const GROUP_BYTES: u64 = 4 << 20;
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
    /// What another thread has found.
    pub judged: Option<Box<Result<Accepted, Refused>>>,
}

/// What became of some appends.
pub struct Appended {
    pub outcomes: Vec<Outcome>,
    /// The log has to be queued for a sync.
    pub queue: bool,
    /// The appends from this one on have no outcome: its records take long to look at.
    pub left: Option<usize>,
}

/// What comes of one before it is written.
enum Step {
    Staged(Box<Staged>),
    /// The staged ones have to be written first.
    Write,
    /// Another thread has to judge it first.
    Judge,
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
    /// Carries the appends out in order; consecutive ones go to the disk in one write. The caller hands the outcomes on
    /// before it queues the log for a sync. `hurried`: others wait for this thread, so that it looks at no records for
    /// long.
    pub fn append(&mut self, pending: &[Pending], hurried: bool) -> Appended {
        let mut outcomes: Vec<Option<Outcome>> = pending.iter().map(|_| None).collect();
        let mut staged: Vec<Staged> = Vec::new();
        let mut staged_bytes = 0;
        let mut queue = false;
        let mut now_ms = 0;
        let mut left = None;
        'all: for (at, one) in pending.iter().enumerate() {
            now_ms = one.now_ms;
            loop {
                match self.stage(at, one, hurried, &staged, staged_bytes) {
                    Ok(Step::Staged(next)) => {
                        staged_bytes += (HEADER_BYTES + next.body.len()) as u64;
                        staged.push(*next);
                    }
                    Ok(Step::Judge) => {
                        left = Some(at);
                        break 'all;
                    }
                    // It has to see what the staged ones leave behind.
                    Ok(Step::Write) => {
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
        queue |= self.flush_if_due(now_ms);
        Appended { outcomes: outcomes.into_iter().flatten().collect(), queue, left }
    }

    fn refused(&self, one: &Pending, code: Code, info: AppendedInfo) -> Outcome {
        let urgent = code != Code::Ok || one.wake != Wake::Never;
        Outcome { ticket: one.ticket, code, info, urgent }
    }

    /// An error with `Code::Ok` is a duplicate's answer.
    fn stage(
        &mut self,
        at: usize,
        one: &Pending,
        hurried: bool,
        staged: &[Staged],
        staged_bytes: u64,
    ) -> Result<Step, (Code, Box<AppendedInfo>)> {
        let refuse = |code, text| (code, Box::new(AppendedInfo { text, ..AppendedInfo::default() }));
        self.shared.directory.check().map_err(|failure| refuse(failure.code, failure.text))?;
        if staged.is_empty() {
            let woken = self.active.wake().map_err(|error| self.read_failed(&error));
            woken.map_err(|failure| refuse(failure.code, failure.text))?;
        }
        let end = staged.last().map_or(self.end, |last| last.header.next_offset());
        if one.expected_base >= 0 && one.expected_base != end {
            let text = format!("the log ends at {end}, the caller expected {}", one.expected_base);
            return Err(refuse(Code::OffsetMismatch, text));
        }
        let judged = match &one.judged {
            Some(judged) => (**judged).clone(),
            None if hurried => match validate_quickly(&one.batch, &self.rules(one.origin), one.now_ms) {
                Some(judged) => judged,
                None => return Ok(Step::Judge),
            },
            None => validate(&one.batch, &self.rules(one.origin), one.now_ms),
        };
        let accepted = judged.map_err(|refused| {
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
        let before = staged.iter().rev().find(|other| other.header.producer_id == header.producer_id);
        match before.filter(|_| header.has_producer_id()) {
            // The next one of a staged batch is as good as that.
            Some(before) if follows(&before.header, &header) => {}
            Some(_) => return Ok(Step::Write),
            None => match self.producers.check(&header, &accepted.body, one.origin, one.transaction_version) {
                Ok(Verdict::New) => {}
                Ok(Verdict::Duplicate { base, end, timestamp }) => {
                    let info = AppendedInfo { base, end, log_append_time: timestamp, duplicate: true, ..self.info() };
                    return Err((Code::Ok, Box::new(info)));
                }
                Err((code, text)) => return Err(refuse(code, text)),
            },
        }
        if self.must_roll(&header, bytes, staged, staged_bytes, one.now_ms) {
            if !staged.is_empty() {
                return Ok(Step::Write);
            }
            self.roll(header.base_offset, one.now_ms).map_err(|failure| refuse(failure.code, failure.text))?;
        }
        let mut head = accepted.head;
        patch(&mut head, header.base_offset, header.leader_epoch);
        let log_append_time = accepted.log_append_time;
        Ok(Step::Staged(Box::new(Staged { at, head, body: accepted.body, header, log_append_time })))
    }

    pub(crate) fn rules(&self, origin: Origin) -> Rules {
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

    fn must_roll(&self, header: &Header, bytes: u64, staged: &[Staged], staged_bytes: u64, now_ms: i64) -> bool {
        let size = self.active_size() + staged_bytes;
        if size == 0 {
            // A log without any record keeps its start: compaction takes a log's first batches too.
            let too_far = header.last_offset() - self.active.base > i32::MAX as i64;
            return header.base_offset > self.end && (too_far || self.shared.view.state().segments.len() > 1);
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

    /// Writes the staged batches behind one another and takes them into account. True if a sync is due.
    fn write(&mut self, staged: &mut Vec<Staged>, pending: &[Pending], outcomes: &mut [Option<Outcome>]) -> bool {
        if staged.is_empty() {
            return false;
        }
        let staged = std::mem::take(staged);
        let at = self.active_size();
        let written = self.active_file().and_then(|file| match write_parts(&*file, &staged, at) {
            Ok(()) => Ok(file),
            Err(error) => match if planted(Bug::LeaveTornWrite) { Ok(()) } else { file.set_len(at) } {
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

    pub(crate) fn active_file(&mut self) -> io::Result<Arc<dyn File>> {
        match self.active.open_file() {
            Some(file) => Ok(file),
            None if self.active_size() == 0 => {
                self.name_is_new = true;
                self.active.create_file()
            }
            None => self.active.file_to_write(),
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
        let from = self.active_size();
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
                epochs_changed |= Arc::make_mut(&mut self.epochs).assign(header.leader_epoch, header.base_offset);
            }
            if header.base_offset != if position == 0 { self.active.base } else { self.end } {
                self.active.leave_gap();
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
                base: if planted(Bug::OneOffsetTwice) { staged[0].header.base_offset } else { header.base_offset },
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
        let place = (self.active.base, from, self.active_size());
        self.shared.sync.written(self.end, file, Some(place), names, wake && group, group)
    }
}

/// Whether `next` is what the producer of `header` sends after it: same epoch and kind, the next sequence.
fn follows(header: &Header, next: &Header) -> bool {
    !header.is_control()
        && !next.is_control()
        && header.producer_epoch == next.producer_epoch
        && header.is_transactional() == next.is_transactional()
        && next.base_sequence >= 0
        && next.base_sequence == add_sequence(header.last_sequence(), 1)
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
