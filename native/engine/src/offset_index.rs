//! The sparse index of one segment from offsets to file positions: 8 bytes an entry, the offset relative to the
//! segment's base. An entry holds a batch's *last* offset and where that batch starts.
//!
//! Invariant: offsets strictly ascend, positions ascend. The active segment's entries live in memory; a sealed one's
//! are searched in the file.

use crate::vfs::{File, read_exact_at};
use std::io;

pub const ENTRY_BYTES: usize = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetEntry {
    /// Last offset of the batch, relative to the base.
    pub relative: u32,
    /// First byte of the batch.
    pub position: u32,
}

impl OffsetEntry {
    pub fn decode(bytes: &[u8]) -> OffsetEntry {
        OffsetEntry {
            relative: u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]),
            position: u32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OffsetIndex {
    entries: Vec<OffsetEntry>,
}

impl OffsetIndex {
    /// Gives back the room that is kept for entries to come.
    pub fn shrink(&mut self) {
        self.entries.shrink_to_fit();
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn last(&self) -> Option<OffsetEntry> {
        self.entries.last().copied()
    }

    /// Ignored unless the offset is above the last one.
    pub fn append(&mut self, relative: u32, position: u32) {
        if self.entries.last().is_none_or(|last| relative > last.relative) {
            self.entries.push(OffsetEntry { relative, position });
        }
    }

    /// Position of the last entry at or below the offset; 0 when there is none.
    pub fn floor(&self, relative: u32) -> u32 {
        let above = self.entries.partition_point(|entry| entry.relative <= relative);
        above.checked_sub(1).map_or(0, |at| self.entries[at].position)
    }

    /// The last indexed position at or below this one; 0 when there is none.
    pub fn floor_position(&self, position: u64) -> u32 {
        let above = self.entries.partition_point(|entry| entry.position as u64 <= position);
        above.checked_sub(1).map_or(0, |at| self.entries[at].position)
    }

    /// Drops entries at or above the offset.
    pub fn truncate(&mut self, relative: u32) {
        let keep = self.entries.partition_point(|entry| entry.relative < relative);
        self.entries.truncate(keep);
    }

    pub fn encode(&self) -> Vec<u8> {
        self.entries.iter().flat_map(|e| [e.relative.to_be_bytes(), e.position.to_be_bytes()]).flatten().collect()
    }

    /// Reads entries up to the first that doesn't ascend or lies outside the segment: preallocated zeros end it, and
    /// so does damage. The second value says whether everything but trailing zeros was good.
    pub fn decode(bytes: &[u8], segment_bytes: u64) -> (OffsetIndex, bool) {
        let mut index = OffsetIndex::default();
        for raw in bytes.chunks_exact(ENTRY_BYTES) {
            let entry = OffsetEntry::decode(raw);
            let ascends =
                index.last().is_none_or(|last| entry.relative > last.relative && entry.position > last.position);
            let blank = raw.iter().all(|byte| *byte == 0);
            if blank || !ascends || entry.position as u64 >= segment_bytes {
                break;
            }
            index.entries.push(entry);
        }
        let rest = &bytes[index.len() * ENTRY_BYTES..];
        let sound = rest.iter().all(|byte| *byte == 0);
        (index, sound)
    }
}

/// The last entry at or below the offset, in the file of a sealed segment.
pub fn floor_in_file(file: &dyn File, relative: u32) -> io::Result<Option<OffsetEntry>> {
    search(file, |entry| entry.relative <= relative)
}

/// The last entry with a position at or below this one, in the file of a sealed segment.
pub fn floor_position_in_file(file: &dyn File, position: u64) -> io::Result<Option<OffsetEntry>> {
    search(file, |entry| entry.position as u64 <= position)
}

fn search(file: &dyn File, at_or_below: impl Fn(&OffsetEntry) -> bool) -> io::Result<Option<OffsetEntry>> {
    let mut raw = [0; ENTRY_BYTES];
    let (mut low, mut high) = (0, file.len()? / ENTRY_BYTES as u64);
    let mut found = None;
    while low < high {
        let middle = low + (high - low) / 2;
        read_exact_at(file, &mut raw, middle * ENTRY_BYTES as u64)?;
        let entry = OffsetEntry::decode(&raw);
        // Preallocated zeros stand behind the entries: they are above everything.
        let blank = middle > 0 && entry.relative == 0;
        if !blank && at_or_below(&entry) {
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

    fn index() -> OffsetIndex {
        let mut index = OffsetIndex::default();
        for (relative, position) in [(9, 100), (19, 5000), (29, 9000)] {
            index.append(relative, position);
        }
        index
    }

    #[test]
    fn floor_finds_the_entry_at_or_below_in_memory_and_in_the_file() {
        let index = index();
        let file = MemoryVfs::new().open("i", OpenMode::Create).unwrap();
        let mut bytes = index.encode();
        bytes.extend([0; 64]);
        write_all_at(&*file, &bytes, 0).unwrap();
        for (offset, position) in [(0, 0), (8, 0), (9, 100), (18, 100), (19, 5000), (29, 9000), (4_000_000_000, 9000)] {
            assert_eq!(index.floor(offset), position);
            assert_eq!(floor_in_file(&*file, offset).unwrap().map_or(0, |entry| entry.position), position);
        }
        for (at, position) in [(0, 0), (99, 0), (100, 100), (8999, 5000), (1 << 40, 9000)] {
            assert_eq!(index.floor_position(at), position);
            assert_eq!(floor_position_in_file(&*file, at).unwrap().map_or(0, |entry| entry.position), position);
        }
    }

    #[test]
    fn decode_stops_at_zeros_and_at_damage() {
        let mut bytes = index().encode();
        bytes.extend([0; 21]);
        assert_eq!(OffsetIndex::decode(&bytes, 10_000), (index(), true));
        let (cut, sound) = OffsetIndex::decode(&bytes, 9000);
        assert_eq!((cut.len(), sound), (2, false));
        bytes[8] = 0xff;
        let (cut, sound) = OffsetIndex::decode(&bytes, 10_000);
        assert_eq!((cut.len(), sound), (2, false));
    }

    #[test]
    fn truncate_drops_entries_at_and_above_the_offset() {
        let mut index = index();
        index.truncate(19);
        assert_eq!(index.last(), Some(OffsetEntry { relative: 9, position: 100 }));
    }
}
