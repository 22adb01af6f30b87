//! Walks the batches of a log file by their headers, through one bounded window; checks them when asked.
//!
//! Invariants: no length in the file is trusted before it was compared with the bytes that are there; memory is the
//! window, whatever the file says. Format v0 and v1 messages pass as opaque entries of one offset.

use crate::batch::{HEADER_BYTES, Header};
use crate::planted::{Bug, planted};
use crate::vfs::File;
use crc_fast::{CrcAlgorithm, Digest};
use std::io;

/// Bytes before the part that the length field counts.
const OVERHEAD: u64 = 12;
/// Where the range of a v2 batch's CRC begins.
const CRC_FROM: u64 = 21;
/// Least total bytes of a v0 message with neither key nor value.
const LEAST_LEGACY_BYTES: u64 = 26;

/// One batch and where it stands.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub position: u64,
    pub bytes: u64,
    /// Of a v0 or v1 message: only offset, length, magic and timestamp mean anything, the rest is as if absent.
    pub header: Header,
}

impl Entry {
    pub fn end(&self) -> u64 {
        self.position + self.bytes
    }
}

#[derive(Debug)]
pub enum Step {
    Batch(Entry),
    End,
    /// What stands there is no whole batch; why.
    Bad(String),
}

pub struct Scan<'a> {
    file: &'a dyn File,
    position: u64,
    end: u64,
    window: usize,
    buffer: Vec<u8>,
    buffer_at: u64,
}

impl<'a> Scan<'a> {
    /// From a batch boundary up to `end`. `window`: bytes to read at once; small for a look-up, large for a recovery.
    pub fn new(file: &'a dyn File, from: u64, end: u64, window: usize) -> Scan<'a> {
        Scan { file, position: from, end, window: window.max(HEADER_BYTES), buffer: Vec::new(), buffer_at: 0 }
    }

    pub fn position(&self) -> u64 {
        self.position
    }

    /// The next batch, by its header alone.
    pub fn next(&mut self) -> io::Result<Step> {
        let (position, rest) = (self.position, self.end.saturating_sub(self.position));
        if rest == 0 {
            return Ok(Step::End);
        }
        let raw = self.view(position, HEADER_BYTES)?;
        if raw.len() < LEAST_LEGACY_BYTES as usize {
            return Ok(Step::Bad(format!("{} bytes are left where a batch has at least {HEADER_BYTES}", raw.len())));
        }
        let header = match raw[16] {
            2 => Header::read(raw),
            0 | 1 => Some(legacy_header(raw)),
            magic => return Ok(Step::Bad(format!("magic {magic} is none that exists"))),
        };
        let Some(header) = header else {
            return Ok(Step::Bad(format!("{} bytes are left where a batch has at least {HEADER_BYTES}", raw.len())));
        };
        let least = if header.magic == 2 { HEADER_BYTES as u64 } else { LEAST_LEGACY_BYTES };
        let bytes = OVERHEAD + header.length.max(0) as u64;
        if bytes < least {
            return Ok(Step::Bad(format!("a length of {} is less than a batch has", header.length)));
        }
        if bytes + planted(Bug::TornTailByOne) as u64 > rest {
            return Ok(Step::Bad(format!("the batch has {bytes} bytes, {rest} are there")));
        }
        if header.base_offset < 0 || header.last_offset_delta < 0 || header.next_offset() == i64::MAX {
            return Ok(Step::Bad(format!(
                "offset {} and offset delta {} can't be",
                header.base_offset, header.last_offset_delta
            )));
        }
        self.position += bytes;
        Ok(Step::Batch(Entry { position, bytes, header }))
    }

    /// Whether the bytes match the batch's CRC.
    pub fn checksum_matches(&mut self, entry: &Entry) -> io::Result<bool> {
        let (algorithm, from) = match entry.header.magic {
            2 => (CrcAlgorithm::Crc32Iscsi, CRC_FROM),
            _ => (CrcAlgorithm::Crc32IsoHdlc, 16),
        };
        let mut digest = Digest::new(algorithm);
        let mut at = entry.position + from;
        while at < entry.end() {
            let want = (entry.end() - at).min(self.window as u64) as usize;
            let piece = self.view(at, want)?;
            if piece.is_empty() {
                return Ok(false);
            }
            digest.update(piece);
            at += piece.len() as u64;
        }
        Ok(digest.finalize() as u32 == entry.header.crc)
    }

    /// The first bytes of the batch's records, at most `limit`.
    pub fn body(&mut self, entry: &Entry, limit: usize) -> io::Result<Vec<u8>> {
        let have = entry.bytes.saturating_sub(HEADER_BYTES as u64).min(limit as u64) as usize;
        Ok(self.view(entry.position + HEADER_BYTES as u64, have)?.to_vec())
    }

    /// Up to `length` bytes at `at`, fewer at the end; the window moves there if need be.
    fn view(&mut self, at: u64, length: usize) -> io::Result<&[u8]> {
        let length = length.min(self.end.saturating_sub(at) as usize);
        let inside = at >= self.buffer_at && at + length as u64 <= self.buffer_at + self.buffer.len() as u64;
        if !inside {
            let want = self.window.max(length).min(self.end.saturating_sub(at) as usize);
            self.buffer.resize(want, 0);
            self.buffer_at = at;
            let mut filled = 0;
            while filled < want {
                match self.file.read_at(&mut self.buffer[filled..], at + filled as u64) {
                    Ok(0) => break,
                    Ok(n) => filled += n,
                    Err(error) => {
                        self.buffer.clear();
                        return Err(error);
                    }
                }
            }
            self.buffer.truncate(filled);
        }
        let from = (at - self.buffer_at) as usize;
        let to = (from + length).min(self.buffer.len());
        Ok(&self.buffer[from.min(to)..to])
    }
}

fn legacy_header(raw: &[u8]) -> Header {
    let i64_at = |at: usize| raw.get(at..at + 8).map(|b| i64::from_be_bytes(b.try_into().expect("eight bytes")));
    let i32_at = |at: usize| raw.get(at..at + 4).map_or(0, |b| i32::from_be_bytes(b.try_into().expect("four bytes")));
    let timestamp = if raw[16] == 1 { i64_at(18).unwrap_or(-1) } else { -1 };
    Header {
        base_offset: i64_at(0).unwrap_or(-1),
        length: i32_at(8),
        leader_epoch: -1,
        magic: raw[16] as i8,
        crc: i32_at(12) as u32,
        attributes: (raw[17] & 0x0f) as i16,
        last_offset_delta: 0,
        base_timestamp: timestamp,
        max_timestamp: timestamp,
        producer_id: -1,
        producer_epoch: -1,
        base_sequence: -1,
        count: 1,
    }
}
