//! Loads a sealed segment below the recovery point by its index files, which take no walk as long as they are what they
//! have to be.
//!
//! Invariant: index files that are missing, make no sense or are others than `odradek-sums` says are built anew from
//! the batches; so is the list of aborted transactions, from the sums. A segment that lost bytes is damage.

use crate::command::Failure;
use crate::leader_epochs::LeaderEpochs;
use crate::offset_index::{self, OffsetIndex};
use crate::open::Opening;
use crate::planted::{Bug, planted};
use crate::recovery::{Recovery, Report, damaged, read_aborted};
use crate::scan::{Scan, Step};
use crate::segment::{Indexes, Largest, Segment, find_batch};
use crate::sums::{IndexSums, Order, SegmentSums, Sums};
use crate::sync_job::Failed;
use crate::time_index::{self, TimeIndex};
use crate::vfs;
use std::io;

impl Opening<'_> {
    /// A sealed segment whose files are trusted: only what a look-up needs. Index files that are missing or make no
    /// sense are built anew.
    pub(crate) fn load_sealed(&self, segment: &Segment, next_base: i64, sums: &Sums) -> Result<(), Failure> {
        let load = || -> Result<(), Failed> {
            let failed = |error| Failed { what: format!("reading a segment of {}", self.folder), error };
            let size = segment.size();
            let mut aborted = read_aborted(&*self.vfs, segment).map_err(failed)?;
            let listed_before = aborted.len();
            aborted.retain(|gone| gone.last_offset < next_base);
            let outlived = aborted.len() < listed_before;
            let of_it = sums.segments.get(&segment.base).filter(|_| !planted(Bug::TrustTheFiles));
            let mut kept = of_it.filter(|kept| kept.bytes == size);
            // Only compaction takes from a segment: before a cut the sums go. One that was active then is sealed
            // by now.
            let short = of_it.is_some_and(|kept| kept.bytes > size) && !self.is_compacted(segment.base);
            let offsets = vfs::read_file(&*self.vfs, &segment.path(".index")).map_err(failed)?;
            let times = vfs::read_file(&*self.vfs, &segment.path(".timeindex")).map_err(failed)?;
            if let (Some(offsets), Some(times)) = (&offsets, &times) {
                let found = IndexSums::of_files(offsets, times);
                let lengths = (offsets.len(), times.len());
                let ((offsets, sound), (times, times_sound)) =
                    (OffsetIndex::decode(offsets, size), TimeIndex::decode(times));
                let indexes = Indexes { offsets, times };
                let vouched = |kept: &SegmentSums| match kept.sealed {
                    true => kept.indexes == found,
                    false => kept.vouch_for(&indexes, segment.relative(sums.upto)),
                };
                let (vouched, listed) = (kept.is_none_or(vouched), kept.is_none_or(|kept| kept.aborted == aborted));
                if !vouched && !listed {
                    // Somebody else has changed them.
                    kept = None;
                }
                // Of one that was active then, the closing entry is not known.
                let as_told = kept.is_none_or(|kept| kept.sealed && vouched && listed);
                // A pass may have made another one of the same length since.
                kept = kept.filter(|_| vouched || !self.is_compacted(segment.base));
                // Zeros behind the entries are room that nobody has filled, or entries that a crash took.
                let filled = planted(Bug::TrustZeros)
                    || lengths
                        == (
                            indexes.offsets.len() * offset_index::ENTRY_BYTES,
                            indexes.times.len() * time_index::ENTRY_BYTES,
                        );
                // A sealed segment with timestamps has its largest in the index.
                let timed = size == 0 || indexes.times.len() > 0;
                let sound = sound && times_sound && filled && timed && as_told && !short && !outlived;
                if sound && self.fits(segment, &indexes, next_base).map_err(failed)? {
                    let largest = indexes.times.last().map_or(Largest { timestamp: -1, offset: -1 }, |entry| Largest {
                        timestamp: entry.timestamp,
                        offset: segment.base + entry.relative as i64,
                    });
                    segment.load(size, None, largest, aborted);
                    segment.know(kept.map_or(Order::default(), |kept| kept.order), Some(found));
                    return Ok(());
                }
            }
            let mut recovery = Recovery {
                vfs: &*self.vfs,
                folder: &self.folder,
                // No entry of the old index counts.
                recovery_point: segment.base,
                told: 0,
                verify: false,
                producers: None,
                sums: &Sums::default(),
                compacted: true,
                index_interval_bytes: self.request.config.index_interval_bytes as u64,
                epochs: LeaderEpochs::default(),
                next_offset: segment.base,
                report: Report::default(),
            };
            if let Some(bad) = recovery.walk(0, segment, Some(next_base), None).map_err(failed)? {
                let why = format!("{} is damaged at byte {}: {}", segment.path(".log"), bad.position, bad.why);
                return Err(failed(io::Error::new(io::ErrorKind::InvalidData, why)));
            }
            if short && recovery.next_offset != next_base {
                let end = recovery.next_offset;
                let why = format!("{} ends at offset {end}: bytes that were on disk are missing", segment.path(".log"));
                return Err(failed(io::Error::new(io::ErrorKind::InvalidData, why)));
            }
            if let Some(kept) = kept {
                aborted.clone_from(&kept.aborted);
            }
            let dense = segment.order().dense;
            segment.load(size, Some(segment.load_indexes().map_err(failed)?), segment.largest(), aborted);
            segment.know(kept.map_or(Order { dense, exact: false }, |kept| kept.order), None);
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

    /// The last entry of the offset index points at the batch that it names, and that of the time index is of a batch
    /// in the segment. What a cut takes off index files is not synced: where the next segment and the recovery point
    /// are at the cut, a power cut brings back the entries of what was cut, or half of one.
    fn fits(&self, segment: &Segment, indexes: &Indexes, next_base: i64) -> io::Result<bool> {
        let inside = |relative: u32| segment.base + (relative as i64) < next_base;
        let largest = indexes.times.last();
        if largest.is_some_and(|largest| !inside(largest.relative)) {
            return Ok(false);
        }
        let Some(last) = indexes.offsets.last() else { return Ok(segment.base < next_base) };
        let file = segment.file()?;
        let step = Scan::new(&*file, last.position as u64, segment.size(), 0).next()?;
        let named = matches!(step, Step::Batch(entry) if segment.relative(entry.header.last_offset()) == last.relative);
        let Some(largest) = largest.filter(|_| next_base == self.points.recovery) else {
            return Ok(named && inside(last.relative));
        };
        let begin = indexes.offsets.floor(largest.relative) as u64;
        let entry = find_batch(&*file, begin, segment.size(), segment.base + largest.relative as i64)?;
        let reached = entry.is_some_and(|entry| entry.header.max_timestamp == largest.timestamp);
        Ok(named && inside(last.relative) && reached)
    }
}
