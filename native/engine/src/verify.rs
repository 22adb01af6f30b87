//! Checks batches before they are served: whether what the disk gives is what was written.
//!
//! Invariants: what was appended by this process, or was checked by it, is taken as it is while it stays in the
//! system's cache; everything else is checked whenever it is read, its way there included. So decay shows when bytes
//! come from the disk. A bad batch ends what is served: those before it can be read, nobody is led past it, and the
//! error names file and byte.

use crate::leader_epochs::LeaderEpochs;
use crate::scan::{Entry, Scan, Step};
use crate::segment::Segment;
use crate::sums::Order;
use crate::vfs::File;
use std::io;

/// Bytes read at once.
const WINDOW: usize = 64 << 10;

/// Walks a segment from a batch boundary on, and hands out batches that are what was written.
pub struct CheckedScan<'a> {
    scan: Scan<'a>,
    segment: &'a Segment,
    epochs: &'a LeaderEpochs,
    order: Order,
    /// Where the next batch has to begin, as far as that is known.
    due: Option<i64>,
    /// The base of the next segment, or the log's end.
    next_base: i64,
}

impl<'a> CheckedScan<'a> {
    pub fn new(
        segment: &'a Segment,
        file: &'a dyn File,
        (from, to): (u64, u64),
        epochs: &'a LeaderEpochs,
        next_base: i64,
    ) -> CheckedScan<'a> {
        let due = (from == 0).then_some(segment.base);
        CheckedScan { scan: Scan::new(file, from, to, WINDOW), segment, epochs, order: segment.order(), due, next_base }
    }

    /// The next batch. `wanted` is asked by the header, which is not checked then; false: the walk stops before it.
    pub fn next_if(&mut self, wanted: impl FnOnce(&Entry) -> bool) -> io::Result<Option<Entry>> {
        let position = self.scan.position();
        let entry = match self.scan.next()? {
            Step::End => return Ok(None),
            Step::Bad(why) => return Err(self.damage(position, &why)),
            Step::Batch(entry) => entry,
        };
        if !wanted(&entry) {
            return Ok(None);
        }
        if let Some(why) = self.misplaced(&entry) {
            return Err(self.damage(position, &why));
        }
        if !self.scan.checksum_matches(&entry)? {
            return Err(self.damage(position, "the checksum does not match"));
        }
        self.due = Some(entry.header.next_offset());
        Ok(Some(entry))
    }

    pub fn next(&mut self) -> io::Result<Option<Entry>> {
        self.next_if(|_| true)
    }

    /// Offset after the last batch that was handed out.
    pub fn due(&self) -> Option<i64> {
        self.due
    }

    /// What its checksum doesn't cover: offset and leader epoch.
    fn misplaced(&self, entry: &Entry) -> Option<String> {
        let (header, last) = (&entry.header, entry.header.last_offset());
        let base = header.base_offset;
        let due = self.due.unwrap_or(self.segment.base);
        if base < due || self.order.dense && self.due.is_some() && base > due {
            return Some(format!("offset {base} where {due} is due"));
        }
        if last >= self.next_base {
            return Some(format!("offset {last} belongs behind the segment"));
        }
        let epoch = self.epochs.at(last).filter(|epoch| self.order.exact && *epoch != header.leader_epoch);
        epoch.map(|epoch| format!("leader epoch {} where {epoch} is due", header.leader_epoch))
    }

    fn damage(&self, position: u64, why: &str) -> io::Error {
        rotten(self.segment, position, why)
    }
}

/// The error that names the place.
pub fn rotten(segment: &Segment, position: u64, why: &str) -> io::Error {
    let text = format!(
        "{} is damaged at byte {position}: {why}. What is there is not served; restore the partition from a replica or a \
         backup",
        segment.path(".log")
    );
    io::Error::new(io::ErrorKind::InvalidData, text)
}
