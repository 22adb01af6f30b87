//! Appends of the mapped writer: small ones into the map, large ones and those soon after a sync by a write.
//!
//! Invariants: bytes first, knowledge after, as on the lane. In the map everything of a batch is stored before its base
//! offset, and that before its length: until then what stands there is no batch, afterwards it is whole. A batch that
//! could not be written is cut off again, and the log stays usable when only room was missing.

use super::frame::{self, Packed, Records, Single};
use super::window::{self, Window};
use super::{MappedLog, Writer};
use crate::append::{Appended, Pending};
use crate::batch::{HEADER_BYTES, LOG_OVERHEAD};
use crate::command::{Failure, Origin, Wake};
use crate::error::Code;
use crate::segment::Largest;
use crate::vfs::{File, is_no_space, write_all_at};
use bytes::Bytes;
use std::io;
use std::sync::Arc;

/// Batches of at least this many bytes are written: there a map costs as much or more.
const WRITE_FROM: usize = 64 << 10;
/// After a sync this many bytes are written before stores begin again.
pub(super) const WRITE_AFTER_SYNC: u64 = 256 << 10;
/// Segments that may wait for the disk: who fills them faster waits for it too, before descriptors run out.
const WAITING_FILES: usize = 128;
/// Bytes that a batch of packed values has at most.
const PACKED_BYTES: usize = 32 << 10;

impl MappedLog {
    /// One record; its offset. It is in the file when this returns.
    pub fn append(
        &mut self,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        timestamp: i64,
        now_ms: i64,
    ) -> Result<i64, Failure> {
        self.put(&Single { key, value }, timestamp, now_ms)
    }

    /// Values in their order; the offset of the first. Either all of them are small enough, or none is appended.
    pub fn append_packed(&mut self, values: Packed<'_>, now_ms: i64) -> Result<i64, Failure> {
        let first = self.log.end;
        let limit = (self.log.config.max_message_bytes.min(self.log.config.segment_bytes)) as usize;
        let mut rest = values;
        while rest.count() > 0 {
            let (one, more) = rest.split(PACKED_BYTES.min(limit));
            self.fits(HEADER_BYTES + one.bytes())?;
            rest = more;
        }
        let mut rest = values;
        while rest.count() > 0 {
            let (one, more) = rest.split(PACKED_BYTES.min(limit));
            self.put(&one, now_ms, now_ms)?;
            rest = more;
        }
        Ok(first)
    }

    /// A batch that was built elsewhere, judged as a client's.
    pub fn append_batch(&mut self, batch: Bytes, now_ms: i64) -> Result<i64, Failure> {
        self.settle();
        let pending = Pending {
            ticket: 0,
            batch,
            leader_epoch: self.log.epochs.latest().max(0),
            origin: Origin::Client,
            wake: Wake::Never,
            transaction_version: 0,
            now_ms,
            expected_base: -1,
            judged: None,
        };
        let before = self.log.active.base;
        let Appended { outcomes, queue, .. } = self.log.append(std::slice::from_ref(&pending), false);
        let failed = outcomes.first().is_none_or(|outcome| outcome.code != Code::Ok);
        // A refused write was cut off, and what was reserved behind it.
        if failed || self.log.active.base != before {
            self.new_segment();
        }
        self.queue_if(queue);
        self.keep_pace()?;
        match outcomes.into_iter().next() {
            Some(outcome) if outcome.code == Code::Ok => Ok(outcome.info.base),
            Some(outcome) => Err(Failure { code: outcome.code, text: outcome.info.text }),
            None => Err(Failure { code: Code::Internal, text: "an append without an outcome".into() }),
        }
    }

    #[inline]
    fn put(&mut self, records: &impl Records, timestamp: i64, now_ms: i64) -> Result<i64, Failure> {
        let bytes = HEADER_BYTES + records.bytes();
        if !self.plain || !self.is_timely(timestamp, now_ms) {
            return self.append_batch(built(records, bytes, timestamp), now_ms);
        }
        self.fits(bytes)?;
        let due = self.swept_ms.is_none_or(|last| now_ms - last >= crate::log::ADVANCE_MS);
        if due {
            self.sweep(now_ms);
        }
        if self.log.shared.directory.is_offline() {
            self.log.shared.directory.check()?;
        }
        if !self.untold.any {
            self.begin()?;
        }
        if self.must_roll(bytes as u64, records.count(), timestamp, now_ms) {
            self.roll(now_ms)?;
        }
        let (at, base, epoch) = (self.log.active_size(), self.log.end, self.log.epochs.latest().max(0));
        let mapped = match self.writer {
            Writer::Chosen => bytes < WRITE_FROM && self.since_sync >= WRITE_AFTER_SYNC,
            Writer::Map => true,
            Writer::Write => false,
        };
        if mapped && (self.window.as_ref().is_some_and(|window| window.covers(at, bytes)) || self.reach(at, bytes)?) {
            let window = self.window.as_mut().expect("a window that covers the batch");
            frame::build(window.bytes(at, bytes), records, timestamp, epoch);
            let fields = frame::overhead(base, bytes);
            // In this order, whatever the compiler would like: each is told of before the next.
            let mut whole = window.stored(at + LOG_OVERHEAD as u64, bytes - LOG_OVERHEAD);
            window.bytes(at, 8).copy_from_slice(&fields[..8]);
            whole &= window.stored(at, 8);
            window.bytes(at + 8, 4).copy_from_slice(&fields[8..]);
            whole &= window.stored(at + 8, 4);
            if !whole {
                self.window = None;
                return Err(self.log.write_failed(&io::Error::other("a page of the mapped file is gone")));
            }
        } else {
            self.write(at, (base, epoch), bytes, records, timestamp)?;
        }
        self.account(at, base, bytes, records.count(), timestamp);
        Ok(base)
    }

    /// The first append since everybody was told: the segment may have rested meanwhile.
    fn begin(&mut self) -> Result<(), Failure> {
        self.log.active.wake().map_err(|error| self.log.read_failed(&error))?;
        self.index_room = self.index_room();
        Ok(())
    }

    fn fits(&self, bytes: usize) -> Result<(), Failure> {
        let config = &self.log.config;
        if bytes > config.max_message_bytes as usize {
            let text = format!("the batch has {bytes} bytes, more than max.message.bytes={}", config.max_message_bytes);
            return Err(Failure { code: Code::TooLarge, text });
        }
        if bytes > config.segment_bytes as usize {
            let text = format!("the batch has {bytes} bytes, a segment takes {}", config.segment_bytes);
            return Err(Failure { code: Code::LargerThanSegment, text });
        }
        Ok(())
    }

    #[inline]
    fn is_timely(&self, timestamp: i64, now_ms: i64) -> bool {
        let age = now_ms.wrapping_sub(timestamp);
        age == 0
            || timestamp >= 0
                && age <= self.log.config.timestamp_before_max_ms
                && age.wrapping_neg() <= self.log.config.timestamp_after_max_ms
    }

    #[inline]
    fn must_roll(&self, bytes: u64, count: usize, timestamp: i64, now_ms: i64) -> bool {
        let log = &self.log;
        let size = log.active_size();
        if size == 0 {
            return false;
        }
        let age = match log.first_timestamp {
            Some(first) if first >= 0 => timestamp.saturating_sub(first),
            _ => now_ms.saturating_sub(log.created_ms),
        };
        size + bytes > log.config.segment_bytes as u64
            || age > log.config.segment_ms.saturating_sub(log.config.segment_jitter_ms)
            || self.untold.entries.len() >= self.index_room
            || log.end + count as i64 - log.active.base > i32::MAX as i64
    }

    #[cold]
    fn roll(&mut self, now_ms: i64) -> Result<(), Failure> {
        self.settle();
        self.keep_pace()?;
        self.window = None;
        let rolled = self.log.roll(-1, now_ms);
        self.new_segment();
        rolled?;
        let queue = self.log.advance_if_due(now_ms);
        self.queue_if(queue);
        // What is too much or too old goes whenever a segment is sealed.
        self.tend(now_ms).map(|_| ())
    }

    fn keep_pace(&mut self) -> Result<(), Failure> {
        let shared = self.log.shared();
        if shared.sync.waiting_files() < WAITING_FILES { Ok(()) } else { self.engine.sync_here(shared) }
    }

    /// False: this batch is written instead.
    #[cold]
    fn reach(&mut self, at: u64, bytes: usize) -> Result<bool, Failure> {
        if self.window.is_none() {
            let file = self.log.active_file().map_err(|error| self.log.write_failed(&error))?;
            let segment_bytes = u64::from(self.log.config.segment_bytes);
            match Window::open(&self.log.active, file, at, segment_bytes) {
                Ok(window) => self.window = Some(window),
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                    self.writer = Writer::Write;
                    return Ok(false);
                }
                Err(error) => return Err(self.log.write_failed(&error)),
            }
        }
        let Some(window) = &mut self.window else { return Ok(false) };
        // Whatever comes of it, the file may be longer than its batches from now on.
        self.log.reserved = u64::MAX;
        let engine = &self.engine;
        let reached = window.reach(at, bytes, |piece| engine.fill(piece));
        match reached {
            Ok(()) => Ok(true),
            Err(error) => {
                // A write says what is wrong, if anything is.
                self.window = None;
                if is_no_space(&error) { Err(self.log.write_failed(&error)) } else { Ok(false) }
            }
        }
    }

    #[cold]
    fn write(
        &mut self,
        at: u64,
        (base, epoch): (i64, i32),
        bytes: usize,
        records: &impl Records,
        timestamp: i64,
    ) -> Result<(), Failure> {
        // Nobody fills where this is about to be written.
        if let Some(window) = &mut self.window
            && let Err(error) = window.settle()
        {
            self.window = None;
            return Err(self.log.write_failed(&error));
        }
        let file = self.log.active_file().map_err(|error| self.log.write_failed(&error))?;
        self.scratch.resize(bytes.max(self.scratch.len()), 0);
        let batch = &mut self.scratch[..bytes];
        frame::build(batch, records, timestamp, epoch);
        batch[..LOG_OVERHEAD].copy_from_slice(&frame::overhead(base, bytes));
        let written = write_all_at(&*file, batch, at);
        if self.scratch.len() > 2 * WRITE_FROM {
            self.scratch = Vec::new();
        }
        if let (Ok(()), Some(window)) = (&written, &mut self.window) {
            window.written(at + bytes as u64);
        }
        let written = written.and_then(|()| self.write_zeros(&*file, at + bytes as u64));
        written.map_err(|error| {
            self.window = None;
            self.log.reserved = 0;
            self.zeros = 0;
            match file.set_len(at) {
                Ok(()) => self.log.write_failed(&error),
                Err(worse) => self.log.write_failed(&io::Error::other(format!(
                    "{error}, and the part written could not be cut: {worse}"
                ))),
            }
        })
    }

    /// While each few bytes are waited for, they are written over zeros that are there already: a sync that neither
    /// makes the file longer nor gives it blocks has no metadata to write (measured: two thirds of the time, and half
    /// for 64 KiB).
    fn write_zeros(&mut self, file: &dyn File, end: u64) -> io::Result<()> {
        if !self.durable || self.window.is_some() || end <= self.zeros {
            return Ok(());
        }
        let upto = window::reach_of_zeros(end, u64::from(self.log.config.segment_bytes));
        if upto <= end {
            return Ok(());
        }
        self.log.reserved = u64::MAX;
        match window::write_zeros(file, end, upto) {
            Ok(()) => self.zeros = upto,
            // Nothing but zeros lacks it.
            Err(error) if is_no_space(&error) => {
                self.durable = false;
                file.set_len(end)?;
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    #[inline]
    fn account(&mut self, at: u64, base: i64, bytes: usize, count: usize, timestamp: i64) {
        let log = &mut self.log;
        let last = base + count as i64 - 1;
        log.end = last + 1;
        log.bytes_end += bytes as u64;
        if log.first_timestamp.is_none() {
            log.first_timestamp = Some(timestamp);
        }
        let mut largest = match self.untold.largest {
            Some(largest) => largest,
            None => log.active.largest(),
        };
        if timestamp > largest.timestamp {
            largest = Largest { timestamp, offset: last };
        }
        self.untold.largest = Some(largest);
        if log.unindexed > u64::from(log.config.index_interval_bytes) {
            self.untold.entries.push((last, at as u32, largest));
            log.unindexed = 0;
        }
        log.unindexed += bytes as u64;
        if log.epochs.latest() < 0 {
            self.untold.epochs |= Arc::make_mut(&mut log.epochs).assign(0, base);
        }
        self.untold.any = true;
        self.since_sync = self.since_sync.saturating_add(bytes as u64);
    }
}

/// The batch by itself, for the way that looks at every record.
#[cold]
fn built(records: &impl Records, bytes: usize, timestamp: i64) -> Bytes {
    let mut batch = vec![0; bytes];
    frame::build(&mut batch, records, timestamp, 0);
    batch[..LOG_OVERHEAD].copy_from_slice(&frame::overhead(0, bytes));
    Bytes::from(batch)
}
