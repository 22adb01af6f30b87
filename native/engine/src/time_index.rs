//! The sparse index of one segment from timestamps to offsets: 12 bytes an entry, {largest timestamp so far, last
//! offset of the batch that holds it, relative to the base}.
//!
//! Invariant: timestamps strictly ascend, offsets ascend.

use crate::vfs::{File, read_exact_at};
use std::io;

pub const ENTRY_BYTES: usize = 12;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeEntry {
    pub timestamp: i64,
    pub relative: u32,
}

impl TimeEntry {
    pub fn decode(bytes: &[u8]) -> TimeEntry {
        let (timestamp, relative) = bytes.split_at(8);
        TimeEntry {
            timestamp: i64::from_be_bytes(timestamp.try_into().expect("eight bytes")),
            relative: u32::from_be_bytes(relative[..4].try_into().expect("four bytes")),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimeIndex {
    entries: Vec<TimeEntry>,
}

impl TimeIndex {
    /// Gives back the room that is kept for entries to come.
    pub fn shrink(&mut self) {
        self.entries.shrink_to_fit();
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn last(&self) -> Option<TimeEntry> {
        self.entries.last().copied()
    }

    /// Ignored unless the timestamp is above the last one (and any timestamp at all).
    pub fn append(&mut self, timestamp: i64, relative: u32) {
        if self.entries.last().map_or(timestamp > -1, |last| timestamp > last.timestamp && relative >= last.relative) {
            self.entries.push(TimeEntry { timestamp, relative });
        }
    }

    /// The last entry with a timestamp at or below this one.
    pub fn floor(&self, timestamp: i64) -> Option<TimeEntry> {
        let above = self.entries.partition_point(|entry| entry.timestamp <= timestamp);
        above.checked_sub(1).map(|at| self.entries[at])
    }

    /// Drops entries whose offset is at or above this one.
    pub fn truncate(&mut self, relative: u32) {
        let keep = self.entries.partition_point(|entry| entry.relative < relative);
        self.entries.truncate(keep);
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.entries.len() * ENTRY_BYTES);
        for entry in &self.entries {
            bytes.extend(entry.timestamp.to_be_bytes());
            bytes.extend(entry.relative.to_be_bytes());
        }
        bytes
    }

    /// Reads entries up to the first that doesn't ascend; the second value says whether only zeros stood behind.
    pub fn decode(bytes: &[u8]) -> (TimeIndex, bool) {
        let mut index = TimeIndex::default();
        for raw in bytes.chunks_exact(ENTRY_BYTES) {
            let entry = TimeEntry::decode(raw);
            let ascends =
                index.last().is_none_or(|last| entry.timestamp > last.timestamp && entry.relative >= last.relative);
            if raw.iter().all(|byte| *byte == 0) || !ascends || entry.timestamp < 0 {
                break;
            }
            index.entries.push(entry);
        }
        let sound = bytes[index.len() * ENTRY_BYTES..].iter().all(|byte| *byte == 0);
        (index, sound)
    }
}

/// As `TimeIndex::floor`, in the file of a sealed segment.
pub fn floor_in_file(file: &dyn File, timestamp: i64) -> io::Result<Option<TimeEntry>> {
    let mut raw = [0; ENTRY_BYTES];
    let (mut low, mut high) = (0, file.len()? / ENTRY_BYTES as u64);
    let mut found = None;
    while low < high {
        let middle = low + (high - low) / 2;
        read_exact_at(file, &mut raw, middle * ENTRY_BYTES as u64)?;
        let entry = TimeEntry::decode(&raw);
        let blank = middle > 0 && entry.timestamp == 0;
        if !blank && entry.timestamp <= timestamp {
            found = Some(entry);
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vfs::{MemoryVfs, OpenMode, Vfs, write_all_at};

    #[test]
    fn floor_finds_the_entry_at_or_below_in_memory_and_in_the_file() {
        let mut index = TimeIndex::default();
        for (timestamp, relative) in [(-1, 3), (1000, 9), (900, 19), (1000, 29), (2000, 39)] {
            index.append(timestamp, relative);
        }
        assert_eq!(index.len(), 2);
        let file = MemoryVfs::new().open("t", OpenMode::Create).unwrap();
        let mut bytes = index.encode();
        bytes.extend([0; 30]);
        write_all_at(&*file, &bytes, 0).unwrap();
        let first = Some(TimeEntry { timestamp: 1000, relative: 9 });
        let second = Some(TimeEntry { timestamp: 2000, relative: 39 });
        for (timestamp, entry) in
            [(-1, None), (999, None), (1000, first), (1999, first), (2000, second), (9999, second)]
        {
            assert_eq!(index.floor(timestamp), entry);
            assert_eq!(floor_in_file(&*file, timestamp).unwrap(), entry);
        }
        assert_eq!(TimeIndex::decode(&bytes), (index.clone(), true));
        index.truncate(39);
        assert_eq!(index.last(), first);
    }

    #[test]
    fn decode_stops_where_timestamps_descend() {
        let mut index = TimeIndex::default();
        index.append(5, 1);
        index.append(9, 2);
        let mut bytes = index.encode();
        bytes[7] = 200;
        let (cut, sound) = TimeIndex::decode(&bytes);
        assert_eq!((cut.len(), sound), (1, false));
    }
}
