//! Finds out what a log holds after a start: walks what is above the recovery point, rebuilds indexes, epochs and
//! producers from it, and cuts what a crash has torn.
//!
//! Invariants: below the recovery point everything was on disk, so a bad batch there is damage: nothing is cut and the
//! error names file and byte. Above it the log ends at the first bad batch; when whole batches follow, the bytes cut
//! are kept beside the segment. Snapshots and index entries above the recovery point are not trusted. A gap between
//! two segments is believed only of a compacted log, and only when a producer snapshot says that everything below
//! the later one was on disk.

use crate::batch::{HEADER_BYTES, Header};
use crate::command::Failure;
use crate::cut::remove_segment;
use crate::error::Code;
use crate::leader_epochs::LeaderEpochs;
use crate::planted::{Bug, planted};
use crate::recovery_producers::ProducersAt;
use crate::scan::{Entry, Scan, Step};
use crate::segment::{Indexes, Largest, Segment, file_name, parse_name};
use crate::sums::{Order, SUMS, Sums};
use crate::txn_index::{self, AbortedTransaction};
use crate::vfs::{self, File, OpenMode, Vfs, path, read_exact_at};
use std::io;
use std::sync::Arc;

/// Bytes read at once.
const WINDOW: usize = 256 << 10;
/// A marker's record is far smaller.
pub const CONTROL_BYTES: usize = 64 * 1024;
/// What cut bytes are kept under; Kafka's loader ignores the suffix.
const CUT_SUFFIX: &str = "odradek-cut";

/// What the walk needs to know and what it learns.
pub struct Recovery<'a> {
    pub vfs: &'a dyn Vfs,
    pub folder: &'a str,
    /// Everything below is trusted.
    pub recovery_point: i64,
    /// Everything below was on disk, though it is not trusted.
    pub told: i64,
    /// Check sums and order above the recovery point; otherwise only find the end.
    pub verify: bool,
    /// What the producers are as of a snapshot, to be gone on with in the walk. None: nobody asks, or it can't.
    pub producers: Option<ProducersAt>,
    /// What the files were when a recovery point was written.
    pub sums: &'a Sums,
    /// Offsets may be missing between batches.
    pub compacted: bool,
    pub index_interval_bytes: u64,
    pub epochs: LeaderEpochs,
    pub next_offset: i64,
    pub report: Report,
}

#[derive(Debug, Default)]
pub struct Report {
    pub cut_bytes: u64,
    pub cut_records: u64,
    pub recovered_segments: u32,
    /// Files that were not what they have to be were set right, in memory alone.
    pub mended: bool,
}

/// Where and why the log stops being whole.
#[derive(Debug)]
pub struct Bad {
    /// Which of the segments.
    pub at: usize,
    pub position: u64,
    pub why: String,
}

impl Recovery<'_> {
    /// Walks one segment; the next one has base `next_base`, and is `next` where it is to be looked at. Its indexes
    /// are in memory afterwards.
    pub fn walk(
        &mut self,
        at: usize,
        segment: &Segment,
        next_base: Option<i64>,
        next: Option<&Segment>,
    ) -> io::Result<Option<Bad>> {
        let file = segment.file()?;
        let size = segment.size();
        if segment.base < self.next_offset {
            let why = format!("the segment begins below offset {}, where the one before it ends", self.next_offset);
            return Ok(Some(Bad { at, position: 0, why }));
        }
        let gap = segment.base > self.next_offset && segment.base > self.recovery_point.max(self.told);
        if gap && self.verify && at > 0 && !(self.compacted && self.has_snapshot(segment.base)?) {
            let why = format!("the segment before it ends at offset {}", self.next_offset);
            return Ok(Some(Bad { at, position: 0, why }));
        }
        self.next_offset = segment.base;
        let mut indexes = segment.load_indexes()?;
        let mut aborted = read_aborted(self.vfs, segment)?;
        aborted.retain(|transaction| transaction.last_offset < self.recovery_point);
        let kept = self.kept(segment, &mut indexes, &mut aborted);
        if !planted(Bug::TrustTheIndex) {
            indexes.offsets.truncate(segment.relative(self.recovery_point));
            indexes.times.truncate(segment.relative(self.recovery_point));
        }
        let begin = indexes.offsets.last().map_or(0, |entry| entry.position as u64);
        if let Some(entry) = indexes.offsets.last() {
            let first = Scan::new(&*file, begin, size, 0).next()?;
            if !matches!(first, Step::Batch(found) if segment.relative(found.header.last_offset()) == entry.relative) {
                indexes = Indexes::default();
            }
        }
        let mut begin = indexes.offsets.last().map_or(0, |entry| entry.position as u64);
        if begin == 0 || indexes.times.len() == 0 {
            indexes = Indexes::default();
            begin = 0;
        }
        // A closing time entry may speak of batches behind the last offset entry: the walk meets those itself.
        indexes.close_at_last();
        let mut largest = indexes.times.last().map_or(Largest { timestamp: -1, offset: -1 }, |entry| Largest {
            timestamp: entry.timestamp,
            offset: segment.base + entry.relative as i64,
        });
        // The first batch walked has its entry already, if there is one.
        let mut unindexed = 0;
        let mut order = match kept {
            Some(kept) if begin > 0 => kept,
            _ => Order { dense: begin == 0, exact: begin == 0 },
        };
        let mut due = (begin == 0).then_some(segment.base);
        let mut scan = Scan::new(&*file, begin, size, WINDOW);
        let bad = loop {
            let entry = match scan.next()? {
                Step::Batch(entry) => entry,
                Step::End => break None,
                Step::Bad(why) => break Some(why),
            };
            let header = &entry.header;
            let sure = kept.unwrap_or_default();
            if let Some(why) = self.judge(segment, next_base, header, due, sure) {
                break Some(why);
            }
            if let Some(why) = self.outruns(segment, next, &entry, due)? {
                break Some(why);
            }
            // With the last batch below the recovery point: if its length decayed, all behind it looks torn.
            let checked = self.verify && header.next_offset() >= self.recovery_point && !planted(Bug::SkipChecksum);
            if checked && !scan.checksum_matches(&entry)? {
                break Some("the checksum does not match".to_string());
            }
            if header.max_timestamp > largest.timestamp {
                largest = Largest { timestamp: header.max_timestamp, offset: header.last_offset() };
            }
            if unindexed > self.index_interval_bytes {
                indexes.offsets.append(segment.relative(header.last_offset()), entry.position as u32);
                indexes.times.append(largest.timestamp, segment.relative(largest.offset));
                unindexed = 0;
            }
            unindexed += entry.bytes;
            if header.leader_epoch > self.epochs.latest() {
                self.epochs.assign(header.leader_epoch, header.base_offset);
            }
            order.dense &= due.is_none_or(|due| header.base_offset == due);
            order.exact &= self.epochs.at(header.last_offset()).is_none_or(|epoch| epoch == header.leader_epoch);
            due = Some(header.next_offset());
            if self.producers.as_ref().is_some_and(|producers| producers.misses(header)) {
                self.producers = None;
            }
            if let Some(producers) = &mut self.producers
                && producers.wants(header)
            {
                let body = if header.is_control() { scan.body(&entry, CONTROL_BYTES)? } else { Vec::new() };
                aborted.extend(producers.apply(header, &body, self.recovery_point));
            }
            self.next_offset = header.next_offset();
            begin = entry.end();
        };
        segment.load(begin, Some(indexes), largest, aborted);
        segment.know(order, None);
        Ok(bad.map(|why| Bad { at, position: begin, why }))
    }

    /// What was known of the segment's order, if that still counts. Index entries and aborted transactions that are
    /// others than they were go; if both are, somebody else has changed them.
    fn kept(
        &mut self,
        segment: &Segment,
        indexes: &mut Indexes,
        aborted: &mut Vec<AbortedTransaction>,
    ) -> Option<Order> {
        let sums = self.sums;
        let size = segment.size();
        let kept = sums.segments.get(&segment.base).filter(|kept| match self.recovery_point {
            i64::MAX => kept.bytes == size,
            point => sums.upto >= point && kept.bytes <= size && (kept.bytes == size || !kept.sealed),
        })?;
        let below = kept.aborted.iter().filter(|transaction| transaction.last_offset < self.recovery_point);
        let vouched = kept.vouch_for(indexes, segment.relative(sums.upto));
        let listed = below.clone().eq(aborted.iter());
        if planted(Bug::TrustTheFiles) || (!vouched && !listed) {
            return None;
        }
        self.report.mended |= !vouched || !listed;
        if !vouched {
            *indexes = Indexes::default();
        }
        *aborted = below.copied().collect();
        Some(kept.order)
    }

    /// `due`: where the batch has to begin, unless offsets are missing; `sure`: what is known of
    /// those below the sums' end.
    fn judge(
        &self,
        segment: &Segment,
        next_base: Option<i64>,
        header: &Header,
        due: Option<i64>,
        sure: Order,
    ) -> Option<String> {
        let (base, last) = (header.base_offset, header.last_offset());
        if base < self.next_offset || last - segment.base > u32::MAX as i64 {
            return Some(format!("offset {base} where {} or later is due", self.next_offset));
        }
        let known = last < self.recovery_point.min(self.sums.upto);
        let unknown = self.verify && last >= self.recovery_point;
        if let Some(due) = due.filter(|due| base > *due)
            && (known && sure.dense || unknown && !self.compacted && (last >= self.told || sure.dense))
        {
            return Some(format!("offset {base} where {due} is due"));
        }
        if let Some(epoch) = self.sums.epochs.at(last)
            && known
            && sure.exact
            && epoch != header.leader_epoch
        {
            return Some(format!("leader epoch {} where {epoch} is due", header.leader_epoch));
        }
        if unknown {
            if next_base.is_some_and(|next_base| last >= next_base) {
                return Some(format!("offset {last} belongs to the next segment"));
            }
            let behind = (0..self.epochs.latest()).contains(&header.leader_epoch);
            if header.magic == 2 && (behind || header.leader_epoch < -1) {
                let latest = self.epochs.latest();
                return Some(format!("leader epoch {} comes after epoch {latest}", header.leader_epoch));
            }
        }
        None
    }

    /// Of a batch above the recovery point whose offset or leader epoch leaves something out: whether the next one
    /// belongs there. Both stand outside the checksum.
    fn outruns(
        &self,
        segment: &Segment,
        next: Option<&Segment>,
        entry: &Entry,
        due: Option<i64>,
    ) -> io::Result<Option<String>> {
        let (header, latest) = (&entry.header, self.epochs.latest());
        let rises = header.magic == 2 && latest >= 0 && header.leader_epoch > latest;
        let gap = due.is_some_and(|due| header.base_offset > due);
        if !self.verify || header.last_offset() < self.recovery_point || !(rises || gap) {
            return Ok(None);
        }
        let (segment, from) = match next {
            Some(next) if entry.end() == segment.size() => (next, 0),
            _ => (segment, entry.end()),
        };
        let step = Scan::new(&*segment.file()?, from, segment.size(), 0).next()?;
        let Step::Batch(Entry { header: behind, .. }) = step else { return Ok(None) };
        if rises && behind.magic == 2 && (latest..header.leader_epoch).contains(&behind.leader_epoch) {
            return Ok(Some(format!(
                "leader epoch {} comes before epoch {}",
                header.leader_epoch, behind.leader_epoch
            )));
        }
        let overlaps = due.is_some_and(|due| (due..header.next_offset()).contains(&behind.base_offset));
        Ok(overlaps.then(|| format!("offset {} comes before offset {}", header.base_offset, behind.base_offset)))
    }

    fn has_snapshot(&self, offset: i64) -> io::Result<bool> {
        match self.vfs.open(&path(self.folder, &file_name(offset, ".snapshot")), OpenMode::Read) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Ends the log at the bad batch. The segments from `bad.at` on lose what stands behind it.
    pub fn cut(&mut self, segments: &mut Vec<Arc<Segment>>, sizes: &[u64], bad: &Bad) -> Result<(), Failure> {
        let path_of_bad = segments[bad.at].path(".log");
        // Where segments that were there are gone, as after compaction, the next one begins behind what was told of.
        let told = if segments[bad.at].base < self.told { self.told } else { 0 };
        let known = match self.recovery_point > 0 {
            true => format!("below the recovery point {}", self.recovery_point),
            false => format!("below offset {told}, up to which it was on disk as {SUMS} tells"),
        };
        if self.next_offset < self.recovery_point.max(told) && !planted(Bug::CutDamage) {
            return Err(damaged(format!(
                "{path_of_bad} is damaged at byte {}, {known}: {}. Nothing was changed; restore the partition from a replica \
                 or a backup, or delete its recovery point and its {SUMS} to have it cut there",
                bad.position, bad.why
            )));
        }
        self.cut_files(segments, sizes, bad).map_err(|error| Failure {
            code: Code::Io,
            text: format!("cutting {path_of_bad} at byte {}: {error}", bad.position),
        })
    }

    fn cut_files(&mut self, segments: &mut Vec<Arc<Segment>>, sizes: &[u64], bad: &Bad) -> io::Result<()> {
        let (vfs, folder) = (self.vfs, self.folder);
        // Otherwise a gap or an overlap stands before it, and none of it belongs to the log.
        let continues = bad.position > 0 || segments[bad.at].base == self.next_offset;
        for (at, segment) in segments.iter().enumerate().skip(bad.at).rev() {
            let from = if at == bad.at { bad.position } else { 0 };
            // Zeros, as of room that was made and never used, hold no batch.
            let blank = vfs::skip_zeros(&*segment.file()?, from, sizes[at])? == sizes[at];
            let whole = if blank { 0 } else { self.whole_batches(segment, from, sizes[at])? };
            // As long as it says: then it may have been whole.
            let decayed = at == bad.at && !blank && self.is_there(segment, from, sizes[at])?;
            self.report.cut_bytes += sizes[at] - from;
            self.report.cut_records += whole;
            if whole > 0 || decayed {
                let kept = path(folder, &format!("{}.{from}.{CUT_SUFFIX}", file_name(segment.base, ".log")));
                copy(vfs, &*segment.file()?, from, sizes[at], &kept)?;
                vfs.sync_folder(folder)?;
            }
            if at > bad.at || !continues {
                remove_segment(vfs, folder, segment.base)?;
                vfs.sync_folder(folder)?;
            } else {
                let file = vfs.open(&segment.path(".log"), OpenMode::Write)?;
                file.set_len(bad.position)?;
                file.sync_data()?;
            }
        }
        segments.truncate(if continues { bad.at + 1 } else { bad.at });
        for entry in vfs.list(folder)? {
            if parse_name(&entry.name, ".snapshot").is_some_and(|offset| offset > self.next_offset) {
                vfs.remove_file(&path(folder, &entry.name))?;
            }
        }
        vfs.sync_folder(folder)
    }

    /// A batch with the offset that is due begins there, and as many bytes are there.
    fn is_there(&self, segment: &Segment, from: u64, size: u64) -> io::Result<bool> {
        let file = segment.file()?;
        let mut scan = Scan::new(&*file, from, size, 0);
        Ok(matches!(scan.next()?, Step::Batch(entry) if entry.header.base_offset == self.next_offset))
    }

    /// Records in whole batches that lie anywhere behind `from`: then more was lost than a torn tail.
    fn whole_batches(&self, segment: &Segment, from: u64, size: u64) -> io::Result<u64> {
        let file = segment.file()?;
        let (mut records, mut at) = (0, from);
        let mut buffer = vec![0; WINDOW];
        while at + HEADER_BYTES as u64 <= size {
            let want = (size - at).min(WINDOW as u64) as usize;
            read_exact_at(&*file, &mut buffer[..want], at)?;
            // The magic byte stands 16 bytes into a batch: only where it does is a closer look due.
            let last = want.saturating_sub(HEADER_BYTES);
            let candidate = (0..=last).find(|i| buffer[i + 16] == 2 && plausible(&buffer[*i..], segment.base));
            let Some(inside) = candidate else {
                // A batch begins with zeros, most of the time.
                let next = at + last as u64 + 1;
                at = next.max(file.data_from(next)?.saturating_sub(HEADER_BYTES as u64));
                continue;
            };
            let mut scan = Scan::new(&*file, at + inside as u64, size, WINDOW);
            match scan.next()? {
                Step::Batch(entry) if scan.checksum_matches(&entry)? => {
                    records += entry.header.count.max(0) as u64;
                    at = entry.end();
                }
                _ => at += inside as u64 + 1,
            }
        }
        Ok(records)
    }
}

fn plausible(bytes: &[u8], base: i64) -> bool {
    Header::read(bytes).is_some_and(|header| {
        header.base_offset >= base
            && header.base_offset - base <= u32::MAX as i64
            && header.length as usize >= HEADER_BYTES - 12
            && header.last_offset_delta >= 0
    })
}

pub fn damaged(text: String) -> Failure {
    Failure { code: Code::Damaged, text }
}

fn copy(vfs: &dyn Vfs, from: &dyn File, at: u64, end: u64, to: &str) -> io::Result<()> {
    let target = vfs.open(to, OpenMode::Truncate)?;
    vfs::copy_range(from, at, end, &*target)?;
    target.sync_data()
}

/// The aborted transactions in a segment's index file; none if there is no such file.
pub fn read_aborted(vfs: &dyn Vfs, segment: &Segment) -> io::Result<Vec<AbortedTransaction>> {
    let bytes = vfs::read_file(vfs, &segment.path(".txnindex"))?.unwrap_or_default();
    Ok(txn_index::decode(&bytes))
}

/// The largest timestamp below `size`, by the index and a walk behind its last entry.
pub fn measure(file: &dyn File, segment: &Segment, indexes: &Indexes, size: u64) -> io::Result<Largest> {
    let mut largest = indexes.times.last().map_or(Largest { timestamp: -1, offset: -1 }, |entry| Largest {
        timestamp: entry.timestamp,
        offset: segment.base + entry.relative as i64,
    });
    let from = indexes.offsets.last().map_or(0, |entry| entry.position as u64);
    let mut scan = Scan::new(file, from, size, WINDOW);
    while let Step::Batch(entry) = scan.next()? {
        if entry.header.max_timestamp > largest.timestamp {
            largest = Largest { timestamp: entry.header.max_timestamp, offset: entry.header.last_offset() };
        }
    }
    Ok(largest)
}
