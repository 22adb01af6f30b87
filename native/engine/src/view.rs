//! What readers see of a log: the segments, its bounds, its epochs. Plans reads and answers look-ups; never changes the
//! log.
//!
//! Invariants: a reader works on a copy of the state taken under a short lock; no disk access happens under it. A range
//! handed out holds whole batches only, all of them below the caller's limit, and what comes from the disk was checked.
//! What was truncated while a plan was being made is planned again.

use crate::command::{Failure, ReadBytes, ReadFlags, ReadInfo};
use crate::error::Code;
use crate::leader_epochs::LeaderEpochs;
use crate::lock::lock;
use crate::scan::{Entry, Scan, Step};
use crate::segment::{Segment, boundary_below, find_batch};
use crate::slice::FileSlice;
use crate::verify::{CheckedScan, rotten};
use crate::vfs::{self, File};
use bytes::Bytes;
use std::io;
use std::sync::{Arc, Mutex};

/// The newest bytes of a log, which count as in the system's cache without asking.
const HOT_BYTES: u64 = 8 * 1024 * 1024;

/// What is read and not pinned while descriptors are scarce.
const COPIED_BYTES: u64 = 64 * 1024;

#[derive(Clone)]
pub struct ViewState {
    /// Ascending; the last one is active. Never empty.
    pub segments: Arc<[Arc<Segment>]>,
    pub start: i64,
    pub end: i64,
    /// The byte counter at `end`: bytes ever appended, and those found at opening. Truncation takes it back.
    pub bytes_end: u64,
    /// The byte counter at opening: only what was written since is hot by rule.
    pub bytes_at_open: u64,
    pub epochs: Arc<LeaderEpochs>,
    /// Counts truncations, so that a reader notices one.
    pub truncations: u64,
    /// Counts cleaned segments that came in the place of others: a name may mean another file since.
    pub replacements: u64,
}

pub struct LogView {
    state: Mutex<ViewState>,
}

/// One read, as the command asks for it.
#[derive(Clone, Copy, Debug)]
pub struct ReadRequest {
    pub from: i64,
    pub limit: i64,
    pub max_bytes: u32,
    pub last_fetched_epoch: i32,
    pub flags: ReadFlags,
}

/// Where a read may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// On a thread that must not wait: gives up when the disk might be needed.
    None,
    /// On a read thread; brings cold ranges into the cache before it hands them out.
    Disk,
}

impl LogView {
    pub fn new(state: ViewState) -> LogView {
        LogView { state: Mutex::new(state) }
    }

    pub fn state(&self) -> ViewState {
        lock(&self.state).clone()
    }

    pub fn update(&self, change: impl FnOnce(&mut ViewState)) {
        change(&mut lock(&self.state));
    }

    /// Whether the active segment's file is open.
    pub fn holds_file(&self) -> bool {
        lock(&self.state).segments.last().is_some_and(|active| active.open_file().is_some())
    }

    /// None: it would have to wait for the disk, and `patience` forbids it.
    pub fn read(&self, request: &ReadRequest, patience: Patience) -> Option<Result<ReadInfo, Failure>> {
        loop {
            let state = self.state();
            match state.read(request, patience) {
                Ok(None) => return None,
                // What was found by name may have been half of the one file and half of the other.
                Ok(Some(_)) if lock(&self.state).replacements != state.replacements => {}
                Ok(Some(outcome)) => return Some(outcome),
                // The file was cut or removed under us: look again. Otherwise the error is real.
                Err(_) if lock(&self.state).truncations != state.truncations => {}
                Err(error) => return Some(Err(read_failure("reading the log", &error))),
            }
        }
    }
}

/// Damage, or an error of the system.
pub fn read_failure(what: &str, error: &io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::InvalidData => Failure { code: Code::Corrupt, text: error.to_string() },
        _ => Failure { code: Code::Io, text: format!("{what}: {error}") },
    }
}

/// What may be served from one segment.
struct Range {
    segment: Arc<Segment>,
    file: Option<Arc<dyn File>>,
    from: u64,
    to: u64,
    first_offset: i64,
    /// Offset after the range, as near as is known without reading more.
    upper: i64,
}

impl ViewState {
    fn read(&self, request: &ReadRequest, patience: Patience) -> io::Result<Option<Result<ReadInfo, Failure>>> {
        if request.from < self.start || request.from > self.end {
            let text = format!("offset {} is outside of {}..{}", request.from, self.start, self.end);
            return Ok(Some(Err(Failure { code: Code::OutOfRange, text })));
        }
        let mut info = ReadInfo {
            bytes: ReadBytes::Files(Vec::new()),
            total: 0,
            bytes_start: self.bytes_end,
            first_offset: request.from,
            diverging: None,
            aborted: Vec::new(),
            log_start: self.start,
            end: self.end,
        };
        if request.last_fetched_epoch >= 0 {
            let (epoch, end) = self.epochs.end_offset_for(request.last_fetched_epoch, self.end);
            if epoch < 0 || end < 0 {
                let text = format!("leader epoch {} is not known here", request.last_fetched_epoch);
                return Ok(Some(Err(Failure { code: Code::OutOfRange, text })));
            }
            if epoch < request.last_fetched_epoch || end < request.from {
                info.diverging = Some((epoch, end));
                return Ok(Some(Ok(info)));
            }
        }
        let range = match self.range(request, patience)? {
            Planned::NeedsDisk => return Ok(None),
            Planned::Nothing => return Ok(Some(Ok(info))),
            Planned::Range(range) => range,
        };
        info.bytes_start = range.segment.bytes_before + range.from;
        info.total = range.to - range.from;
        info.first_offset = range.first_offset;
        if let Some(file) = range.file.filter(|_| info.total > 0) {
            if patience == Patience::Disk && !request.flags.to_memory && !file.resident(range.from, info.total) {
                file.warm(range.from, info.total)?;
            }
            // Small ranges are copied sooner or later: now, when so many are open that there would
            // be none left for the next.
            let copies = patience == Patience::Disk && info.total <= COPIED_BYTES && vfs::is_scarce(&*file);
            info.bytes = if request.flags.to_memory || copies {
                let mut bytes = vec![0; info.total as usize];
                vfs::read_exact_at(&*file, &mut bytes, range.from)?;
                ReadBytes::Memory(Bytes::from(bytes))
            } else {
                ReadBytes::Files(vec![FileSlice { file, position: range.from, length: info.total as u32 }])
            };
            if request.flags.aborted_list {
                self.collect_aborted(&range.segment, request.from, range.upper, &mut info.aborted);
            }
        }
        Ok(Some(Ok(info)))
    }

    fn range(&self, request: &ReadRequest, patience: Patience) -> io::Result<Planned> {
        let wait = patience == Patience::Disk;
        let first = self.segments.partition_point(|segment| segment.base <= request.from).saturating_sub(1);
        for (at, segment) in self.segments.iter().enumerate().skip(first) {
            let next_base = self.segments.get(at + 1).map(|next| next.base);
            let size = self.size_of(at);
            if size == 0 {
                continue;
            }
            let Some(begin) = segment.floor(request.from, wait)? else { return Ok(Planned::NeedsDisk) };
            let file = match segment.open_file() {
                Some(file) => file,
                None if wait => segment.file()?,
                None => return Ok(Planned::NeedsDisk),
            };
            if !wait && !self.is_hot(segment, &*file, begin, size, request.max_bytes) {
                return Ok(Planned::NeedsDisk);
            }
            let place = Place { segment, begin, size, next_base };
            let planned = self.unchecked(&place, &file, request);
            let known = planned.as_ref().is_ok_and(|planned| {
                let to = planned.as_ref().map_or(size, |planned| planned.looked_at);
                segment.is_checked(begin, to) && (!wait || file.resident(begin, to - begin))
            });
            let range = match planned {
                Ok(planned) if known => planned.map(|planned| planned.range),
                _ if wait => self.checked(&place, &file, request)?,
                _ => return Ok(Planned::NeedsDisk),
            };
            if let Some(range) = range {
                return Ok(Planned::Range(range));
            }
        }
        Ok(Planned::Nothing)
    }

    /// By headers alone. None: the segment ends before the offset.
    fn unchecked(
        &self,
        place: &Place<'_>,
        file: &Arc<dyn File>,
        request: &ReadRequest,
    ) -> io::Result<Option<Unchecked>> {
        let &Place { segment, begin, size, next_base } = place;
        let Some(first) = find_batch(&**file, begin, size, request.from)? else { return Ok(None) };
        let mut range = place.nothing(&first, request);
        let fits = first.bytes <= request.max_bytes as u64;
        if first.header.last_offset() >= request.limit || !(fits || request.flags.at_least_one) {
            return Ok(Some(Unchecked { range, looked_at: first.end() }));
        }
        range.first_offset = first.header.base_offset;
        range.to = first.end();
        if fits {
            let limit_at = if request.limit >= next_base.unwrap_or(self.end) {
                size
            } else {
                let begin = segment.floor(request.limit, true)?.unwrap_or(0).max(first.position);
                find_batch(&**file, begin, size, request.limit)?.map_or(size, |entry| entry.position)
            };
            let target = first.position + request.max_bytes as u64;
            range.to = if limit_at <= target {
                limit_at
            } else {
                let begin = segment.floor_position(target)?.max(first.position);
                boundary_below(&**file, begin, size, target)?
            };
        }
        if range.to == size {
            range.upper = next_base.unwrap_or(self.end).min(request.limit);
        } else if request.flags.aborted_list
            && let Step::Batch(entry) = Scan::new(&**file, range.to, size, 0).next()?
        {
            range.upper = entry.header.base_offset.min(request.limit);
        }
        range.file = Some(file.clone());
        Ok(Some(Unchecked { looked_at: range.to.max(first.end()), range }))
    }

    /// The same, and every batch from `begin` on is checked: those on the way say where it begins.
    fn checked(&self, place: &Place<'_>, file: &Arc<dyn File>, request: &ReadRequest) -> io::Result<Option<Range>> {
        let &Place { segment, begin, size, next_base } = place;
        let mut scan = CheckedScan::new(segment, &**file, (begin, size), &self.epochs, next_base.unwrap_or(self.end));
        let first = loop {
            match scan.next()? {
                Some(entry) if entry.header.last_offset() >= request.from => break entry,
                Some(_) => {}
                None => {
                    let end = next_base.unwrap_or(self.end);
                    if segment.order().dense && scan.due().is_some_and(|due| due < end) {
                        return Err(rotten(segment, size, &format!("it ends there, before offset {}", end - 1)));
                    }
                    segment.checked(begin, size);
                    return Ok(None);
                }
            }
        };
        let mut range = place.nothing(&first, request);
        let fits = first.bytes <= request.max_bytes as u64;
        let mut to = first.end();
        if first.header.last_offset() < request.limit && (fits || request.flags.at_least_one) {
            range.first_offset = first.header.base_offset;
            let target = first.position + request.max_bytes as u64;
            let wanted = |entry: &Entry| entry.end() <= target && entry.header.last_offset() < request.limit;
            // Damage behind it is told to who asks for what is there.
            while let (true, Ok(Some(entry))) = (fits, scan.next_if(wanted)) {
                to = entry.end();
            }
            range.to = to;
            range.upper = scan.due().unwrap_or(request.limit).min(request.limit);
            if range.to == size {
                range.upper = next_base.unwrap_or(self.end).min(request.limit);
            }
            range.file = Some(file.clone());
        }
        segment.checked(begin, to);
        Ok(Some(range))
    }

    /// Bytes of a segment that belong to this state.
    pub fn size_of(&self, at: usize) -> u64 {
        let segment = &self.segments[at];
        if at + 1 == self.segments.len() { self.bytes_end - segment.bytes_before } else { segment.size() }
    }

    /// Bytes of all its segments.
    pub fn size(&self) -> u64 {
        (0..self.segments.len()).map(|at| self.size_of(at)).sum()
    }

    fn is_hot(&self, segment: &Segment, file: &dyn File, begin: u64, size: u64, max_bytes: u32) -> bool {
        let hot_from = self.bytes_end.saturating_sub(HOT_BYTES).max(self.bytes_at_open);
        segment.bytes_before + begin >= hot_from
            || file.resident(begin, (size - begin).min(max_bytes as u64 + 2 * 64 * 1024))
    }

    fn collect_aborted(&self, from_segment: &Arc<Segment>, from: i64, upper: i64, into: &mut Vec<(i64, i64)>) {
        for segment in self.segments.iter().filter(|segment| segment.base >= from_segment.base) {
            if segment.collect_aborted(from, upper, into) {
                break;
            }
        }
    }
}

/// Where a range is looked for: in which segment, from which batch on.
struct Place<'a> {
    segment: &'a Arc<Segment>,
    begin: u64,
    size: u64,
    next_base: Option<i64>,
}

impl Place<'_> {
    /// A range before the batch, empty.
    fn nothing(&self, first: &Entry, request: &ReadRequest) -> Range {
        Range {
            segment: self.segment.clone(),
            file: None,
            from: first.position,
            to: first.position,
            first_offset: request.from,
            upper: request.limit,
        }
    }
}

struct Unchecked {
    range: Range,
    /// Up to where headers were believed.
    looked_at: u64,
}

enum Planned {
    NeedsDisk,
    /// In range, and no batch stands there.
    Nothing,
    Range(Range),
}
