//! A log that its caller's thread owns instead of a lane: appends are calls that return when the bytes are in the file.
//! For the embedded log under `flush=os`; a broker's logs stay with their lane.
//!
//! Invariants: while it is lent, nobody else changes the log; readers, look-ups and syncs work as ever, on what
//! `settle` has told them of. So every hand-over to other threads comes after a `settle`. Each batch is whole in
//! the file before its offset is given out, and a batch that is not whole does not count: the length field of
//! its header is stored last.

mod append;
mod clean;
mod frame;
mod window;

use crate::cleaner::Cleaning;
use crate::command::{Answer, Failure, LogRef, ReadBytes, ReadFlags};
use crate::config::{CompressionType, LogConfig, TimestampType};
use crate::driver::Engine;
use crate::error::Code;
use crate::hub::Deletion;
use crate::log::{ADVANCE_MS, Log};
use crate::segment::Largest;
use crate::view::{Patience, ReadRequest};
use bytes::Bytes;
use window::Window;

pub use frame::Packed;
pub use window::Piece;

/// A log and its writer. Dropping it closes nothing: `give_back` does, or the engine's end.
pub struct MappedLog {
    engine: Engine,
    log: Box<Log>,
    window: Option<Window>,
    /// Where batches that don't go through the map are built.
    scratch: Vec<u8>,
    /// What readers have not been told of.
    untold: Untold,
    /// Index entries that the active segment may still get.
    index_room: usize,
    /// Batches of records as they are given need no look at each record.
    plain: bool,
    writer: Writer,
    /// Bytes since somebody asked for the disk: soon after it, maps cost more than they save.
    since_sync: u64,
    /// The disk was asked for twice with few bytes in between.
    durable: bool,
    /// Zeros were written behind the batches up to here.
    zeros: u64,
    swept_ms: Option<i64>,
    /// A pass of compaction whose errand is done.
    pass: Option<Box<Cleaning>>,
}

#[derive(Default)]
struct Untold {
    any: bool,
    epochs: bool,
    largest: Option<Largest>,
    entries: Vec<(i64, u32, Largest)>,
}

/// How batches get into the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writer {
    /// As measurements say: small ones through the map, large ones and those soon after a sync by a write.
    Chosen,
    /// All that fit through the map.
    Map,
    /// All by writes: also where the file system takes no stores.
    Write,
}

/// Where a log begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Marks {
    pub start: i64,
    pub end: i64,
    pub synced: i64,
    /// Of its segments' batches.
    pub bytes: u64,
}

impl MappedLog {
    /// Takes the log from its lane. None: it isn't open.
    pub fn take(engine: &Engine, log: LogRef, writer: Writer) -> Option<MappedLog> {
        let log = engine.lend(log)?;
        let mut mapped = MappedLog {
            engine: engine.clone(),
            plain: is_plain(&log.config),
            log,
            window: None,
            scratch: Vec::new(),
            untold: Untold::default(),
            index_room: 0,
            writer,
            since_sync: u64::MAX,
            durable: false,
            zeros: 0,
            swept_ms: None,
            pass: None,
        };
        mapped.new_segment();
        Some(mapped)
    }

    /// The lane has it again: for its close.
    pub fn give_back(mut self) {
        self.settle();
        self.window = None;
        self.go_on(0);
        // What can't be cut off is zeros, which the next opening takes for what they are.
        let _ = self.log.cut_reserve();
        self.engine.clone().take_back(self.log);
    }

    pub fn log(&self) -> LogRef {
        self.log.shared().log
    }

    pub fn marks(&mut self) -> Marks {
        self.settle();
        let (start, end, synced) = self.log.marks();
        Marks { start, end, synced, bytes: self.log.shared().view.state().size() }
    }

    /// Lets everybody else see what was appended.
    pub fn settle(&mut self) {
        if !std::mem::take(&mut self.untold.any) {
            return;
        }
        let (log, entries) = (&mut self.log, std::mem::take(&mut self.untold.entries));
        let largest = self.untold.largest.take().unwrap_or_else(|| log.active.largest());
        log.active.appended(log.active_size(), largest, &entries);
        log.publish(std::mem::take(&mut self.untold.epochs));
        let names = std::mem::take(&mut log.name_is_new);
        let file = log.active.open_file().or_else(|| self.window.as_ref().map(Window::file));
        if let Some(file) = file {
            // No place: a log of its own thread is synced by itself.
            log.shared.sync.written(log.end, &file, None, names, false, false);
        }
        self.untold.entries = entries;
        self.untold.entries.clear();
    }

    /// Whole batches from the one with `from` on, as many as fit `max_bytes`, at least one; None at the end. Waits for
    /// the disk where it has to.
    pub fn read(&mut self, from: i64, max_bytes: u32) -> Result<Option<Bytes>, Failure> {
        self.settle();
        let flags = ReadFlags { at_least_one: true, to_memory: true, ..ReadFlags::default() };
        let request = ReadRequest { from, limit: self.log.end, max_bytes, last_fetched_epoch: -1, flags };
        let shared = self.log.shared();
        shared.directory.check()?;
        let gave_up = || Failure { code: Code::Internal, text: "a read gave up".to_string() };
        let info = shared.view.read(&request, Patience::Disk).unwrap_or_else(|| Err(gave_up()))?;
        Ok(match info.bytes {
            ReadBytes::Memory(bytes) if !bytes.is_empty() => Some(bytes),
            _ => None,
        })
    }

    /// Offset of the first record at or after the timestamp.
    pub fn find(&mut self, timestamp: i64) -> Result<Option<i64>, Failure> {
        self.settle();
        match self.log.shared().view.lookup_time(timestamp, self.log.end)? {
            Answer::Found { offset, .. } if offset >= 0 => Ok(Some(offset)),
            _ => Ok(None),
        }
    }

    /// Asks for everything to be on disk; the ticket is answered after it.
    pub fn sync(&mut self, ticket: u32) {
        self.settle();
        self.note_sync();
        let queue = self.log.shared.sync.request(Some(ticket));
        self.queue_if(queue);
    }

    /// The same, on this thread.
    pub fn sync_now(&mut self) -> Result<(), Failure> {
        self.settle();
        self.note_sync();
        self.engine.sync_here(self.log.shared())
    }

    /// Records below `offset` count as deleted.
    pub fn trim(&mut self, offset: i64, now_ms: i64) -> Result<Marks, Failure> {
        self.settle();
        self.all_may_go();
        let queue = self.log.advance_start(offset, now_ms)?;
        self.queue_if(queue);
        Ok(self.marks())
    }

    /// Lets go of what retention no longer keeps, and does what comes due with time.
    pub fn tend(&mut self, now_ms: i64) -> Result<Marks, Failure> {
        self.settle();
        self.all_may_go();
        self.sweep(now_ms);
        let due = self.log.flush_if_due(now_ms);
        self.queue_if(due);
        let before = self.log.active.base;
        let outcome = self.log.retain(now_ms);
        if self.log.active.base != before {
            self.new_segment();
        }
        self.queue_if(outcome?);
        let bases = self.log.take_expired(now_ms);
        if !bases.is_empty() {
            self.engine.delete(Deletion::Segments { shared: self.log.shared().clone(), bases });
        }
        Ok(self.marks())
    }

    /// There are no replicas to wait for: what is there may be read, and so may go.
    fn all_may_go(&self) {
        let shared = self.log.shared();
        shared.directory.set_high_watermark(&shared.name, self.log.end);
    }

    fn sweep(&mut self, now_ms: i64) {
        let last = *self.swept_ms.get_or_insert(now_ms);
        if now_ms.saturating_sub(last) < ADVANCE_MS {
            return;
        }
        self.swept_ms = Some(now_ms);
        self.settle();
        let queue = self.log.sweep(now_ms);
        self.queue_if(queue);
    }

    fn queue_if(&self, queue: bool) {
        if queue {
            self.engine.queue_sync(self.log.shared());
        }
    }

    /// The active segment is another one, or has another file.
    fn new_segment(&mut self) {
        self.window = None;
        self.zeros = 0;
        self.index_room = self.index_room();
    }

    /// A map's dirty pages are far larger than what was stored: while somebody waits for the disk, none are made.
    fn note_sync(&mut self) {
        self.window = None;
        self.durable = self.since_sync < append::WRITE_AFTER_SYNC;
        self.since_sync = 0;
    }

    fn index_room(&self) -> usize {
        let (offsets, times) = self.log.active.index_entries();
        let bytes = self.log.config.segment_index_bytes as usize;
        let offset_room = (bytes / crate::offset_index::ENTRY_BYTES).saturating_sub(offsets);
        let time_room = (bytes / crate::time_index::ENTRY_BYTES).saturating_sub(times + 1);
        offset_room.min(time_room)
    }
}

fn is_plain(config: &LogConfig) -> bool {
    let uncompressed = matches!(config.compression_type, CompressionType::Producer | CompressionType::Uncompressed);
    // An append that others count is taken into account at once.
    let uncounted = config.flush_messages == i64::MAX && config.flush_ms == i64::MAX;
    uncompressed && uncounted && !config.compacted && config.timestamp_type == TimestampType::CreateTime
}
