//! One segment of a log: the file of its batches and what is known about it. Shared by the lane, which appends to the
//! active one, and by readers.
//!
//! Invariants: bytes below `size` are whole batches and don't change until a truncation. An entry out of an index file
//! is believed only when the batch that it names is there; otherwise the walk begins with the segment. What this
//! process has neither written nor checked since (`is_checked`) is checked before it is served (`verify.rs`). While it
//! is written to, the active segment's index entries live in memory and its file stays open; when it rests, and when
//! it is sealed, it holds neither, only what a look-up needs to begin. The inner lock is held for memory work alone,
//! never over a read or write.

use crate::lock::lock;
use crate::offset_index::{self, OffsetEntry, OffsetIndex};
use crate::planted::{Bug, planted};
use crate::scan::{Entry, Scan, Step};
use crate::sums::{IndexSums, Order, SegmentSums};
use crate::time_index::{self, TimeEntry, TimeIndex};
use crate::txn_index::{self, AbortedTransaction};
use crate::vfs::{self, File, OpenMode, Vfs, path};
use std::io;
use std::sync::{Arc, Mutex};

/// Bytes read at once when a look-up walks headers behind an index entry.
const LOOKUP_WINDOW: usize = 4096;

/// Index entries that a segment at rest keeps in memory; of more it reads its files when it is woken.
const RESTING_ENTRIES: usize = 8;

/// Checked ranges that are remembered.
const CHECKED_RANGES: usize = 64;

/// The largest timestamp of a segment, and the last offset of the batch that holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Largest {
    pub timestamp: i64,
    pub offset: i64,
}

/// Index entries that are in memory.
#[derive(Clone, Debug, Default)]
pub struct Indexes {
    pub offsets: OffsetIndex,
    pub times: TimeIndex,
}

impl Indexes {
    /// Without a closing time entry, which speaks of batches behind the last offset entry.
    pub fn close_at_last(&mut self) {
        let last = self.offsets.last().map_or(0, |entry| entry.relative.saturating_add(1));
        self.times.truncate(last);
    }
}

pub struct Segment {
    vfs: Arc<dyn Vfs>,
    folder: Arc<str>,
    pub base: i64,
    /// The log's byte counter at this segment's first byte.
    pub bytes_before: u64,
    handle: Mutex<Option<Arc<dyn File>>>,
    inner: Mutex<Inner>,
}

struct Inner {
    size: u64,
    /// None: sealed or at rest, and to be searched in its files.
    indexes: Option<Box<Indexes>>,
    active: bool,
    largest: Largest,
    aborted: Vec<AbortedTransaction>,
    order: Order,
    /// Of the index files, while the entries are not in memory.
    sums: Option<IndexSums>,
    /// From here on this process wrote the bytes.
    own_from: u64,
    /// Below that: what it has checked. Ascending, with bytes in between.
    checked: Vec<(u64, u64)>,
}

/// The content of a segment's index files.
#[derive(Clone, Debug)]
pub struct IndexFiles {
    pub base: i64,
    pub offsets: Vec<u8>,
    pub times: Vec<u8>,
    pub aborted: Vec<u8>,
}

pub fn file_name(base: i64, suffix: &str) -> String {
    format!("{base:020}{suffix}")
}

/// The offset in a name of 20 digits and this suffix.
pub fn parse_name(name: &str, suffix: &str) -> Option<i64> {
    let digits = name.strip_suffix(suffix)?;
    if digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}

impl Segment {
    /// An empty active segment; its file is made at the first append.
    pub fn new(vfs: Arc<dyn Vfs>, folder: Arc<str>, base: i64, bytes_before: u64) -> Segment {
        let largest = Largest { timestamp: -1, offset: -1 };
        let mut inner = Inner::new(0, Some(Box::default()), largest, Vec::new());
        inner.order = Order { dense: true, exact: true };
        Segment { vfs, folder, base, bytes_before, handle: Mutex::new(None), inner: Mutex::new(inner) }
    }

    /// What opening found out. `indexes`: Some for the active segment.
    pub fn load(&self, size: u64, indexes: Option<Indexes>, largest: Largest, aborted: Vec<AbortedTransaction>) {
        *lock(&self.inner) = Inner::new(size, indexes.map(Box::new), largest, aborted);
    }

    /// What is known beyond that: how its batches follow one another; of a sealed one, what its index files are.
    pub fn know(&self, order: Order, sums: Option<IndexSums>) {
        let inner = &mut *lock(&self.inner);
        inner.order = order;
        inner.sums = sums;
    }

    /// All of it was written by this process.
    pub fn own(&self) {
        lock(&self.inner).own_from = 0;
    }

    pub fn order(&self) -> Order {
        lock(&self.inner).order
    }

    /// A batch came that doesn't begin where the one before it ends.
    pub fn leave_gap(&self) {
        lock(&self.inner).order.dense = false;
    }

    /// Its batches may have other leader epochs than the log's say.
    pub fn leave_epochs(&self) {
        lock(&self.inner).order.exact = false;
    }

    /// What `odradek-sums` is to say of it; None: nothing is there, or nothing is known.
    pub fn sums(&self) -> Option<SegmentSums> {
        let inner = &*lock(&self.inner);
        let indexes = match &inner.indexes {
            Some(indexes) => Some(active_sums(indexes)),
            None => inner.sums,
        };
        Some(SegmentSums {
            base: self.base,
            bytes: inner.size,
            sealed: !inner.active,
            order: inner.order,
            indexes: indexes.filter(|_| inner.size > 0)?,
            aborted: inner.aborted.clone(),
        })
    }

    /// Whether nothing between these positions has to be checked, as long as it doesn't come from the disk again.
    pub fn is_checked(&self, from: u64, to: u64) -> bool {
        let inner = &*lock(&self.inner);
        let to = to.min(inner.own_from);
        from >= to || planted(Bug::TrustTheSegment) || inner.checked.iter().any(|&(a, b)| a <= from && to <= b)
    }

    /// What stands between these positions is what was written.
    pub fn checked(&self, from: u64, to: u64) {
        let checked = &mut lock(&self.inner).checked;
        let first = checked.partition_point(|&(_, end)| end < from);
        let behind = checked.partition_point(|&(begin, _)| begin <= to);
        let touching = &checked[first..behind.max(first)];
        let from = touching.first().map_or(from, |range| range.0.min(from));
        let to = touching.last().map_or(to, |range| range.1.max(to));
        checked.splice(first..behind.max(first), [(from, to)]);
        if checked.len() > CHECKED_RANGES {
            // Of those far behind nobody may ask again.
            checked.remove(0);
        }
    }

    pub fn size(&self) -> u64 {
        lock(&self.inner).size
    }

    pub fn largest(&self) -> Largest {
        lock(&self.inner).largest
    }

    pub fn path(&self, suffix: &str) -> String {
        path(&self.folder, &file_name(self.base, suffix))
    }

    /// The log file, open. The active segment's stays open until it is released, unless descriptors are scarce; a
    /// sealed one's lives as long as its reader.
    pub fn file(&self) -> io::Result<Arc<dyn File>> {
        let mut handle = lock(&self.handle);
        if let Some(file) = &*handle {
            return Ok(file.clone());
        }
        if self.is_active() {
            let file = self.vfs.open(&self.path(".log"), OpenMode::Write)?;
            if !vfs::is_scarce(&*file) {
                *handle = Some(file.clone());
            }
            return Ok(file);
        }
        self.vfs.open(&self.path(".log"), OpenMode::Read)
    }

    /// The active segment's file, which stays open until it is released: a sync has to find the
    /// one that was written to.
    pub fn file_to_write(&self) -> io::Result<Arc<dyn File>> {
        let file = self.file()?;
        self.pin(file.clone());
        Ok(file)
    }

    /// The log file if it is open already.
    pub fn open_file(&self) -> Option<Arc<dyn File>> {
        lock(&self.handle).clone()
    }

    /// Makes the log file; an older one of that name must be gone.
    pub fn create_file(&self) -> io::Result<Arc<dyn File>> {
        let file = self.vfs.open(&self.path(".log"), OpenMode::Truncate)?;
        *lock(&self.handle) = Some(file.clone());
        Ok(file)
    }

    /// Reads go to this open file, whatever its name is, until it is released.
    pub fn pin(&self, file: Arc<dyn File>) {
        *lock(&self.handle) = Some(file);
    }

    /// Closes the file until somebody needs it.
    pub fn release_file(&self) {
        *lock(&self.handle) = None;
    }

    pub fn is_active(&self) -> bool {
        lock(&self.inner).active
    }

    /// Entries in both indexes; the roll depends on them.
    pub fn index_entries(&self) -> (usize, usize) {
        lock(&self.inner).indexes.as_ref().map_or((0, 0), |indexes| (indexes.offsets.len(), indexes.times.len()))
    }

    /// Takes written batches into account: new size, and per batch its entry when one is due.
    pub fn appended(&self, size: u64, largest: Largest, entries: &[(i64, u32, Largest)]) {
        let inner = &mut *lock(&self.inner);
        inner.size = size;
        inner.largest = largest;
        if let Some(indexes) = &mut inner.indexes {
            for (last_offset, position, so_far) in entries {
                indexes.offsets.append(self.relative(*last_offset), *position);
                indexes.times.append(so_far.timestamp, self.relative(so_far.offset));
            }
        }
    }

    pub fn add_aborted(&self, transaction: AbortedTransaction) {
        lock(&self.inner).aborted.push(transaction);
    }

    pub fn aborted(&self) -> Vec<AbortedTransaction> {
        lock(&self.inner).aborted.clone()
    }

    /// As `txn_index::collect`.
    pub fn collect_aborted(&self, from: i64, upper: i64, into: &mut Vec<(i64, i64)>) -> bool {
        txn_index::collect(&lock(&self.inner).aborted, from, upper, into)
    }

    /// What its index files have to hold now; with the closing time entry, which Kafka adds when it seals or closes.
    pub fn index_files(&self) -> Option<IndexFiles> {
        self.files_of(&lock(&self.inner))
    }

    fn files_of(&self, inner: &Inner) -> Option<IndexFiles> {
        let indexes = inner.indexes.as_ref()?;
        let mut times = indexes.times.clone();
        if inner.largest.timestamp >= 0 {
            times.append(inner.largest.timestamp, self.relative(inner.largest.offset));
        }
        Some(IndexFiles {
            base: self.base,
            offsets: indexes.offsets.encode(),
            times: times.encode(),
            aborted: txn_index::encode(&inner.aborted),
        })
    }

    /// Its index files are written: from now on they are searched there. The file closes when its last reader ends.
    pub fn seal(&self) {
        let inner = &mut *lock(&self.inner);
        if let Some(files) = self.files_of(inner) {
            inner.sums = Some(IndexSums::of_files(&files.offsets, &files.times));
        }
        inner.indexes = None;
        inner.active = false;
        self.release_file();
    }

    /// Nobody writes to it for a while, its index files are written and all of it is on disk:
    /// it gives back what it can.
    pub fn rest(&self) {
        self.release_file();
        let inner = &mut *lock(&self.inner);
        inner.aborted.shrink_to_fit();
        let Some(indexes) = &mut inner.indexes else { return };
        if inner.size == 0 {
            inner.indexes = None;
        } else if indexes.offsets.len() + indexes.times.len() > RESTING_ENTRIES {
            inner.sums = Some(active_sums(indexes));
            inner.indexes = None;
        } else {
            indexes.offsets.shrink();
            indexes.times.shrink();
        }
    }

    /// It is about to be written to: the index entries are in memory again.
    pub fn wake(&self) -> io::Result<()> {
        {
            let inner = &mut *lock(&self.inner);
            if inner.size == 0 && inner.active {
                inner.indexes.get_or_insert_default();
            }
            if inner.indexes.is_some() || !inner.active {
                return Ok(());
            }
        }
        let indexes = Box::new(self.load_indexes()?);
        lock(&self.inner).indexes = Some(indexes);
        Ok(())
    }

    /// Cuts at `position`, where the batch with this offset began. `indexes` replaces what is known (a sealed segment
    /// becomes the active one again).
    pub fn truncated(&self, position: u64, offset: i64, indexes: Indexes, largest: Largest) {
        let inner = &mut *lock(&self.inner);
        inner.size = position;
        inner.indexes = Some(Box::new(indexes));
        inner.active = true;
        inner.largest = largest;
        inner.sums = None;
        inner.own_from = inner.own_from.min(position);
        inner.checked.retain_mut(|(from, to)| {
            *to = position.min(*to);
            from < to
        });
        inner.aborted.retain(|transaction| transaction.last_offset < offset);
    }

    /// Offset relative to the base; anything outside of 32 bits is the nearest bound.
    pub fn relative(&self, offset: i64) -> u32 {
        offset.saturating_sub(self.base).clamp(0, u32::MAX as i64) as u32
    }

    /// None: the entries are in the files.
    fn in_memory<T>(&self, ask: impl FnOnce(&Indexes) -> T) -> Option<T> {
        let inner = &*lock(&self.inner);
        match &inner.indexes {
            Some(indexes) => Some(ask(indexes)),
            None => (inner.size == 0).then(|| ask(&Indexes::default())),
        }
    }

    /// Where to begin the walk for this offset. None when that needs the disk and `wait` is false.
    pub fn floor(&self, offset: i64, wait: bool) -> io::Result<Option<u64>> {
        let relative = self.relative(offset);
        if let Some(position) = self.in_memory(|indexes| indexes.offsets.floor(relative)) {
            return Ok(Some(position as u64));
        }
        if !wait {
            return Ok(None);
        }
        let file = self.vfs.open(&self.path(".index"), OpenMode::Read)?;
        Ok(Some(self.believed(offset_index::floor_in_file(&*file, relative)?)?))
    }

    /// A batch boundary at or before this position, as near as the index knows.
    pub fn floor_position(&self, position: u64) -> io::Result<u64> {
        if let Some(position) = self.in_memory(|indexes| indexes.offsets.floor_position(position)) {
            return Ok(position as u64);
        }
        let file = self.vfs.open(&self.path(".index"), OpenMode::Read)?;
        self.believed(offset_index::floor_position_in_file(&*file, position)?)
    }

    /// The entry's position, if the batch there is the one that it names; otherwise the segment's first byte.
    fn believed(&self, entry: Option<OffsetEntry>) -> io::Result<u64> {
        let Some(entry) = entry else { return Ok(0) };
        let position = entry.position as u64;
        let file = self.file()?;
        let there = Scan::new(&*file, position, self.size(), 0).next()?;
        let named = matches!(there, Step::Batch(batch) if self.relative(batch.header.last_offset()) == entry.relative);
        Ok(if named || planted(Bug::TrustTheEntry) { position } else { 0 })
    }

    /// The last time entry at or below the timestamp.
    pub fn floor_time(&self, timestamp: i64) -> io::Result<Option<TimeEntry>> {
        if let Some(entry) = self.in_memory(|indexes| indexes.times.floor(timestamp)) {
            return Ok(entry);
        }
        let file = self.vfs.open(&self.path(".timeindex"), OpenMode::Read)?;
        time_index::floor_in_file(&*file, timestamp)
    }

    /// The index entries, read from the files when they aren't in memory. None of files that are known to be others:
    /// then walks begin with the segment.
    pub fn load_indexes(&self) -> io::Result<Indexes> {
        let (sums, sealed) = {
            let inner = &*lock(&self.inner);
            if let Some(indexes) = &inner.indexes {
                return Ok(Indexes::clone(indexes));
            }
            (inner.sums, !inner.active)
        };
        let offsets = vfs::read_file(&*self.vfs, &self.path(".index"))?.unwrap_or_default();
        let times = vfs::read_file(&*self.vfs, &self.path(".timeindex"))?.unwrap_or_default();
        let indexes =
            Indexes { offsets: OffsetIndex::decode(&offsets, self.size()).0, times: TimeIndex::decode(&times).0 };
        let found = if sealed { IndexSums::of(&indexes) } else { active_sums(&indexes) };
        Ok(if sums.is_some_and(|sums| sums != found) { Indexes::default() } else { indexes })
    }
}

impl Inner {
    fn new(size: u64, indexes: Option<Box<Indexes>>, largest: Largest, aborted: Vec<AbortedTransaction>) -> Inner {
        let active = indexes.is_some();
        let (order, sums) = (Order::default(), None);
        Inner { size, indexes, active, largest, aborted, order, sums, own_from: size, checked: Vec::new() }
    }
}

fn active_sums(indexes: &Indexes) -> IndexSums {
    let mut indexes = indexes.clone();
    indexes.close_at_last();
    IndexSums::of(&indexes)
}

/// The first batch from `from` on whose last offset is at or above `offset`; None when there is none below `size`.
pub fn find_batch(file: &dyn File, from: u64, size: u64, offset: i64) -> io::Result<Option<Entry>> {
    let mut scan = Scan::new(file, from, size, LOOKUP_WINDOW);
    loop {
        match scan.next()? {
            Step::Batch(entry) if entry.header.last_offset() >= offset => return Ok(Some(entry)),
            Step::Batch(_) => {}
            Step::End => return Ok(None),
            Step::Bad(why) => return Err(damage(scan.position(), &why)),
        }
    }
}

/// The last batch boundary at or below `target`, walking from the boundary `from`.
pub fn boundary_below(file: &dyn File, from: u64, size: u64, target: u64) -> io::Result<u64> {
    let mut scan = Scan::new(file, from, size, LOOKUP_WINDOW);
    loop {
        match scan.next()? {
            Step::Batch(entry) if entry.end() <= target => {}
            Step::Batch(entry) => return Ok(entry.position),
            Step::End => return Ok(scan.position()),
            Step::Bad(why) => return Err(damage(scan.position(), &why)),
        }
    }
}

pub fn damage(position: u64, why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("at byte {position}: {why}"))
}
