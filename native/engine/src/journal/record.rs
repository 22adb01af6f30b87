//! One record of the journal: what one sync made durable for many logs.
//!
//! Layout, big-endian: magic (8 bytes), CRC-32C of all behind it (4), length of the whole (4), sequence (8),
//! entries (4); then the entries: kind (1), name (2 + n), topic id (1 + n), and for bytes: segment base (8),
//! position (8), log end behind them (8), length (4), the bytes. Each record begins at a multiple of `BLOCK`, so
//! that no two share what a disk writes.
//!
//! Invariant: nothing is allocated or read beyond what is there, whatever a length says.

use crc_fast::{CrcAlgorithm, checksum};

pub const BLOCK: usize = 4096;
const MAGIC: &[u8; 8] = b"ODRJRNL1";
const HEADER_BYTES: usize = 28;
const BYTES: u8 = 0;
const FORGET: u8 = 1;

/// Where bytes of a log belong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The log's folder.
    pub name: &'a str,
    /// Empty for a log without one.
    pub topic_id: &'a str,
    pub base: i64,
    pub position: u64,
    /// The log's end behind them.
    pub end: i64,
}

/// A record that is being made.
pub struct Writer {
    bytes: Vec<u8>,
    entries: u32,
}

impl Default for Writer {
    fn default() -> Writer {
        Writer::new()
    }
}

impl Writer {
    pub fn new() -> Writer {
        Writer { bytes: vec![0; HEADER_BYTES], entries: 0 }
    }

    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// What it takes on disk with `more` bytes.
    pub fn padded(&self, more: usize) -> u64 {
        (self.bytes.len() + more).next_multiple_of(BLOCK) as u64
    }

    /// What an entry takes.
    pub fn entry_bytes(place: &Place<'_>, length: usize) -> usize {
        1 + 2 + place.name.len() + 1 + place.topic_id.len() + 28 + length
    }

    /// `fill` writes `length` bytes; if it fails the record is as before.
    pub fn add<E>(
        &mut self,
        place: &Place<'_>,
        length: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let begin = self.bytes.len();
        self.head(BYTES, place.name, place.topic_id);
        self.bytes.extend(place.base.to_be_bytes());
        self.bytes.extend(place.position.to_be_bytes());
        self.bytes.extend(place.end.to_be_bytes());
        self.bytes.extend((length as u32).to_be_bytes());
        let at = self.bytes.len();
        self.bytes.resize(at + length, 0);
        let filled = fill(&mut self.bytes[at..]);
        match filled {
            Ok(()) => self.entries += 1,
            Err(_) => self.bytes.truncate(begin),
        }
        filled
    }

    /// Nothing that stands in the journal of this log counts any more.
    pub fn forget(&mut self, name: &str) {
        self.head(FORGET, name, "");
        self.entries += 1;
    }

    fn head(&mut self, kind: u8, name: &str, topic_id: &str) {
        self.bytes.push(kind);
        self.bytes.extend((name.len() as u16).to_be_bytes());
        self.bytes.extend(name.as_bytes());
        self.bytes.push(topic_id.len() as u8);
        self.bytes.extend(topic_id.as_bytes());
    }

    pub fn finish(mut self, sequence: u64) -> Vec<u8> {
        let length = self.bytes.len() as u32;
        self.bytes[..8].copy_from_slice(MAGIC);
        self.bytes[12..16].copy_from_slice(&length.to_be_bytes());
        self.bytes[16..24].copy_from_slice(&sequence.to_be_bytes());
        self.bytes[24..28].copy_from_slice(&self.entries.to_be_bytes());
        let sum = checksum(CrcAlgorithm::Crc32Iscsi, &self.bytes[12..]) as u32;
        self.bytes[8..12].copy_from_slice(&sum.to_be_bytes());
        self.bytes.resize((length as usize).next_multiple_of(BLOCK), 0);
        self.bytes
    }
}

/// A record as it was found.
#[derive(Debug)]
pub struct Found<'a> {
    pub sequence: u64,
    /// Up to where the next one begins.
    pub padded: usize,
    pub entries: Vec<Entry<'a>>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    Bytes(Place<'a>, &'a [u8]),
    Forget(&'a str),
}

/// The record at the front of `bytes`; None if there is no whole one.
pub fn read(bytes: &[u8]) -> Option<Found<'_>> {
    if bytes.get(..8)? != MAGIC {
        return None;
    }
    let mut head = Cursor(bytes.get(8..HEADER_BYTES)?);
    let (sum, length, sequence, count) = (head.u32()?, head.u32()? as usize, head.u64()?, head.u32()?);
    let whole = bytes.get(..length)?;
    if length < HEADER_BYTES || checksum(CrcAlgorithm::Crc32Iscsi, &whole[12..]) as u32 != sum {
        return None;
    }
    let mut rest = Cursor(&whole[HEADER_BYTES..]);
    let mut entries = Vec::new();
    for _ in 0..count {
        let kind = rest.take(1)?[0];
        let length = rest.u16()? as usize;
        let name = std::str::from_utf8(rest.take(length)?).ok()?;
        let length = rest.take(1)?[0] as usize;
        let topic_id = std::str::from_utf8(rest.take(length)?).ok()?;
        if kind == FORGET {
            entries.push(Entry::Forget(name));
            continue;
        }
        let (base, position, end) = (rest.u64()? as i64, rest.u64()?, rest.u64()? as i64);
        let length = rest.u32()? as usize;
        let place = Place { name, topic_id, base, position, end };
        entries.push(Entry::Bytes(place, rest.take(length)?));
    }
    Some(Found { sequence, padded: length.next_multiple_of(BLOCK), entries })
}

struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(front)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes(self.take(2)?.try_into().ok()?))
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_be_bytes(self.take(4)?.try_into().ok()?))
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_be_bytes(self.take(8)?.try_into().ok()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Vec<u8> {
        let mut writer = Writer::new();
        let place = Place { name: "t-0", topic_id: "id", base: 7, position: 100, end: 12 };
        writer
            .add(&place, 3, |into| {
                into.copy_from_slice(b"abc");
                Ok::<(), ()>(())
            })
            .unwrap();
        assert_eq!(writer.add(&place, 3, |_| Err(())), Err(()));
        writer.forget("gone-1");
        writer.finish(5)
    }

    #[test]
    fn a_record_reads_back_without_what_could_not_be_filled() {
        let bytes = record();
        assert_eq!(bytes.len(), BLOCK);
        let found = read(&bytes).unwrap();
        assert_eq!((found.sequence, found.padded, found.entries.len()), (5, BLOCK, 2));
        let place = Place { name: "t-0", topic_id: "id", base: 7, position: 100, end: 12 };
        assert_eq!(found.entries, [Entry::Bytes(place, b"abc"), Entry::Forget("gone-1")]);
    }

    #[test]
    fn a_record_that_was_cut_or_changed_anywhere_is_none() {
        let bytes = record();
        let length = u32::from_be_bytes(bytes[12..16].try_into().unwrap()) as usize;
        for at in 0..length {
            let mut changed = bytes.clone();
            changed[at] ^= 0x20;
            assert!(read(&changed).is_none(), "byte {at}");
            assert!(read(&bytes[..at]).is_none(), "cut at {at}");
        }
        assert!(read(&[]).is_none());
        assert!(read(&[0xff; 64]).is_none());
    }
}
