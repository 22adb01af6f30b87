//! Look-ups by timestamp: the first record at or after one, and the record with the largest. They may wait for the
//! disk, so they run on a read thread.

use crate::batch::Records;
use crate::command::{Answer, Failure};
use crate::error::Code;
use crate::scan::{Entry, Scan, Step};
use crate::segment::find_batch;
use crate::vfs::{self, File};
use crate::view::{LogView, ViewState};
use std::io;

/// Bytes read at once while walking headers.
const WINDOW: usize = 16 * 1024;

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
                Err(error) => return Err(Failure { code: Code::Io, text: format!("looking a timestamp up: {error}") }),
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
        let Some(first) = find_batch(&*file, begin, size, self.start)? else { return Ok(-1) };
        let whole = first.header.base_offset >= self.start;
        if largest.offset > first.header.last_offset() || whole && largest.offset >= self.start {
            return Ok(largest.timestamp);
        }
        // The record that has it was deleted, or its batch is one of which records were.
        let mut timestamp = if whole { first.header.max_timestamp } else { self.largest_left(&*file, &first)? };
        let mut scan = Scan::new(&*file, first.end(), size, WINDOW);
        while let Step::Batch(entry) = scan.next()? {
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
            let size = self.size_of(at);
            // Of equal timestamps the index names the first batch that reached it.
            let entry = segment.floor_time(timestamp - 1)?;
            let offset = entry.map_or(segment.base, |entry| segment.base + entry.relative as i64).max(self.start);
            let begin = segment.floor(offset, true)?.unwrap_or(0);
            let file = segment.file()?;
            let mut scan = Scan::new(&*file, begin, size, WINDOW);
            while let Step::Batch(entry) = scan.next()? {
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
