//! Look-ups by timestamp: the first record at or after one, and the record with the largest. They may wait for the
//! disk, so they run on a read thread.

use crate::batch::Records;
use crate::command::{Answer, Failure};
use crate::planted::{Bug, planted};
use crate::scan::Entry;
use crate::segment::Segment;
use crate::time_index::TimeEntry;
use crate::verify::CheckedScan;
use crate::vfs::{self, File};
use crate::view::{LogView, ViewState, read_failure};
use std::io;

const NOTHING: Answer = Answer::Found { offset: -1, timestamp: -1, epoch: -1 };

impl LogView {
    /// The first record at or after the timestamp, below `limit`.
    pub fn lookup_time(&self, timestamp: i64, limit: i64) -> Result<Answer, Failure> {
        self.lookup(|state| state.find_record(limit, timestamp, |at| at >= timestamp))
    }

    /// The first of the records with the largest timestamp, if it is below `limit`.
    pub fn lookup_max_time(&self, limit: i64) -> Result<Answer, Failure> {
        self.lookup(|state| {
            let mut largest = -1;
            for at in 0..state.segments.len() {
                largest = largest.max(state.largest_visible(at)?);
            }
            if largest < 0 {
                return Ok(NOTHING);
            }
            state.find_record(limit, largest, |at| at == largest)
        })
    }

    fn lookup(&self, find: impl Fn(&ViewState) -> io::Result<Answer>) -> Result<Answer, Failure> {
        loop {
            let state = self.state();
            match find(&state) {
                Ok(_) if self.state().replacements != state.replacements => {}
                Ok(answer) => return Ok(answer),
                Err(_) if self.state().truncations != state.truncations => {}
                Err(error) => return Err(read_failure("looking a timestamp up", &error)),
            }
        }
    }
}

impl ViewState {
    /// The largest timestamp of a segment's records from the log's start on; -1 when there is none.
    fn largest_visible(&self, at: usize) -> io::Result<i64> {
        let (segment, size) = (&self.segments[at], self.size_of(at));
        let largest = segment.largest();
        if segment.base >= self.start || size == 0 {
            return Ok(largest.timestamp);
        }
        let begin = segment.floor(self.start, true)?.unwrap_or(0);
        let file = segment.file()?;
        let mut scan = self.scan(at, &*file, begin);
        let first = loop {
            match scan.next()? {
                Some(entry) if entry.header.last_offset() >= self.start => break entry,
                Some(_) => {}
                None => return Ok(-1),
            }
        };
        let whole = first.header.base_offset >= self.start;
        if largest.offset > first.header.last_offset() || whole && largest.offset >= self.start {
            return Ok(largest.timestamp);
        }
        // The record that has it was deleted, or its batch is one of which records were.
        let mut timestamp = if whole || planted(Bug::LargestOfDeleted) {
            first.header.max_timestamp
        } else {
            self.largest_left(&*file, &first)?
        };
        while let Some(entry) = scan.next()? {
            timestamp = timestamp.max(entry.header.max_timestamp);
        }
        Ok(timestamp)
    }

    /// The largest timestamp in a batch that begins below the log's start.
    fn largest_left(&self, file: &dyn File, entry: &Entry) -> io::Result<i64> {
        let mut largest = -1;
        find_in_batch(file, entry, self.start, &mut |at| {
            largest = largest.max(at);
            false
        })?;
        Ok(largest)
    }

    /// The first record that `wanted` takes; all that it takes are at or after `timestamp`.
    fn find_record(&self, limit: i64, timestamp: i64, wanted: impl Fn(i64) -> bool) -> io::Result<Answer> {
        for (at, segment) in self.segments.iter().enumerate() {
            let next_base = self.segments.get(at + 1).map_or(self.end, |next| next.base);
            if next_base <= self.start || segment.largest().timestamp < timestamp {
                continue;
            }
            // Of equal timestamps the index names the first batch that reached it.
            let named = segment.floor_time(timestamp - 1)?;
            // One that leads past nothing that counts needs no look.
            let mut named = named.filter(|index| segment.base + index.relative as i64 >= self.start);
            let file = segment.file()?;
            let mut scan = self.scan(at, &*file, self.begin(segment, named)?);
            loop {
                let entry = scan.next()?;
                if let Some(index) =
                    named.take_if(|index| entry.as_ref().is_none_or(|entry| reaches(segment, entry, index)))
                    && entry.as_ref().is_none_or(|entry| entry.header.max_timestamp != index.timestamp)
                    && !planted(Bug::TrustTheEntry)
                {
                    // It is not the entry that was written: what it leads past may be what is looked for.
                    scan = self.scan(at, &*file, self.begin(segment, None)?);
                    continue;
                }
                let Some(entry) = entry else { break };
                if named.is_some() {
                    // Not yet where the index leads: what is looked for lies behind that.
                    continue;
                }
                let header = &entry.header;
                // Of a batch that begins below the start the largest timestamp may be that of a deleted record.
                let whole = header.base_offset >= self.start;
                if header.last_offset() < self.start || whole && !wanted(header.max_timestamp) {
                    continue;
                }
                if header.base_offset >= limit {
                    return Ok(NOTHING);
                }
                if let Some((offset, timestamp)) = find_in_batch(&*file, &entry, self.start, &mut |at| wanted(at))? {
                    let found = Answer::Found { offset, timestamp, epoch: header.leader_epoch };
                    return Ok(if offset < limit { found } else { NOTHING });
                }
            }
        }
        Ok(NOTHING)
    }

    /// A walk from that position to the end of the segment.
    fn scan<'a>(&'a self, at: usize, file: &'a dyn File, begin: u64) -> CheckedScan<'a> {
        let next_base = self.segments.get(at + 1).map_or(self.end, |next| next.base);
        CheckedScan::new(&self.segments[at], file, (begin, self.size_of(at)), &self.epochs, next_base)
    }

    /// Where the walk for a timestamp begins that lies behind the index entry.
    fn begin(&self, segment: &Segment, index: Option<TimeEntry>) -> io::Result<u64> {
        let offset = index.map_or(segment.base, |index| segment.base + index.relative as i64).max(self.start);
        Ok(segment.floor(offset, true)?.unwrap_or(0))
    }
}

/// The batch is the one that the index entry names, or the first behind it.
fn reaches(segment: &Segment, entry: &Entry, index: &TimeEntry) -> bool {
    entry.header.last_offset() >= segment.base + index.relative as i64
}

fn find_in_batch(
    file: &dyn File,
    entry: &Entry,
    start: i64,
    wanted: &mut dyn FnMut(i64) -> bool,
) -> io::Result<Option<(i64, i64)>> {
    if entry.header.magic < 2 {
        return Ok(Some((entry.header.base_offset, entry.header.max_timestamp)));
    }
    let mut batch = vec![0; entry.bytes as usize];
    vfs::read_exact_at(file, &mut batch, entry.position)?;
    for record in Records::new(&batch).into_iter().flatten() {
        let record = record.map_err(|why| io::Error::new(io::ErrorKind::InvalidData, why))?;
        if record.offset >= start && wanted(record.timestamp) {
            return Ok(Some((record.offset, record.timestamp)));
        }
    }
    Ok(None)
}
