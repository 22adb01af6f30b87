//! Whole batches of a segment's file, one after another, each checked against its CRC.
//!
//! Invariants: memory is the window, or the batch if that is larger, which then is in the file. A batch that is handed
//! out is what was written: nothing damaged is ever copied under a new checksum.

use crate::batch::{HEADER_BYTES, Header, verify_crc};
use crate::command::Failure;
use crate::error::Code;
use crate::vfs::{File, read_exact_at};
use std::sync::Arc;

pub struct Batches {
    file: Arc<dyn File>,
    path: String,
    end: u64,
    window: usize,
    buffer: Vec<u8>,
    /// Where in the buffer the next batch begins, and where in the file the buffer does.
    at: usize,
    buffer_at: u64,
}

impl Batches {
    /// From the batch boundary `from` up to `end`; reads `window` bytes at once.
    pub fn new(file: Arc<dyn File>, path: String, from: u64, end: u64, window: usize) -> Batches {
        let window = window.max(HEADER_BYTES);
        Batches { file, path, end, window, buffer: Vec::new(), at: 0, buffer_at: from }
    }

    /// The next batch, or None at the end.
    pub fn next(&mut self) -> Result<Option<(Header, &[u8])>, Failure> {
        let position = self.buffer_at + self.at as u64;
        let left = self.end.saturating_sub(position);
        if left == 0 {
            return Ok(None);
        }
        self.fill(HEADER_BYTES as u64)?;
        let head = &self.buffer[self.at..];
        if head.len() > 16 && matches!(head[16], 0 | 1) {
            return Err(self.damage(position, "messages of format v0 and v1 are not compacted".to_string()));
        }
        let Some(header) = Header::read(head).filter(|header| header.magic == 2) else {
            return Err(self.damage(position, "no record batch begins there".to_string()));
        };
        let bytes = header.total_bytes() as u64;
        if bytes < HEADER_BYTES as u64 || bytes > left || header.base_offset < 0 || header.last_offset_delta < 0 {
            let why = format!("a batch of {bytes} bytes where {left} are left");
            return Err(self.damage(position, why));
        }
        self.fill(bytes)?;
        let from = self.at;
        self.at += bytes as usize;
        if !verify_crc(&self.buffer[from..self.at]) {
            return Err(self.damage(position, "the checksum does not match".to_string()));
        }
        Ok(Some((header, &self.buffer[from..self.at])))
    }

    /// Has `want` bytes at `at` in the buffer, or as many as there are.
    fn fill(&mut self, want: u64) -> Result<(), Failure> {
        let have = (self.buffer.len() - self.at) as u64;
        let position = self.buffer_at + self.at as u64;
        let left = self.end - position;
        if have >= want.min(left) {
            return Ok(());
        }
        let length = want.max(self.window as u64).min(left) as usize;
        self.buffer.copy_within(self.at.., 0);
        self.buffer.truncate(have as usize);
        // A batch larger than the window leaves a large buffer behind, which the next fill gives back.
        if self.buffer.capacity() > 4 * length.max(self.window) {
            self.buffer.shrink_to(length);
        }
        self.buffer.resize(length, 0);
        self.at = 0;
        self.buffer_at = position;
        read_exact_at(&*self.file, &mut self.buffer[have as usize..], position + have).map_err(|error| {
            let code = if error.kind() == std::io::ErrorKind::UnexpectedEof { Code::Damaged } else { Code::Io };
            Failure { code, text: format!("reading {} at byte {position}: {error}", self.path) }
        })
    }

    /// The failure to give up with at a batch that begins at `position`.
    fn damage(&self, position: u64, why: String) -> Failure {
        Failure { code: Code::Damaged, text: format!("{} can't be compacted at byte {position}: {why}", self.path) }
    }

    /// As `damage`, of the batch handed out last.
    pub fn damage_in(&self, header: &Header, why: String) -> Failure {
        self.damage(self.position() - header.total_bytes() as u64, why)
    }

    /// Byte behind the last batch that was handed out.
    pub fn position(&self) -> u64 {
        self.buffer_at + self.at as u64
    }
}

/// The bytes of a batch behind its header.
pub fn body(batch: &[u8]) -> &[u8] {
    &batch[HEADER_BYTES..]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::BatchBuilder;
    use crate::vfs::{MemoryVfs, OpenMode, Vfs, write_all_at};

    fn file(bytes: &[u8]) -> Arc<dyn File> {
        let file = MemoryVfs::new().open("f", OpenMode::Create).unwrap();
        write_all_at(&*file, bytes, 0).unwrap();
        file
    }

    fn batch(size: usize) -> Vec<u8> {
        BatchBuilder::new().record(1, Some(b"k"), Some(&vec![b'v'; size])).build()
    }

    #[test]
    fn batches_come_whole_whatever_the_window() {
        let bytes: Vec<u8> = [3, 5000, 0, 200, 70_000, 1].into_iter().flat_map(batch).collect();
        for window in [1, 100, 4096, 1 << 20] {
            let mut batches = Batches::new(file(&bytes), "f".into(), 0, bytes.len() as u64, window);
            let mut seen = Vec::new();
            while let Some((_, batch)) = batches.next().unwrap() {
                seen.extend_from_slice(batch);
                assert_eq!(batches.position(), seen.len() as u64);
            }
            assert!(seen == bytes, "window {window}");
        }
    }

    #[test]
    fn damage_is_named_and_never_handed_out() {
        let good: Vec<u8> = [30, 40].into_iter().flat_map(batch).collect();
        let first = batch(30).len();
        for (at, value) in [(first + 8, 0x7f), (first + 16, 9), (first + 16, 1), (first + 70, 0), (first + 11, 1)] {
            let mut bad = good.clone();
            bad[at] = value;
            let mut batches = Batches::new(file(&bad), "f".into(), 0, bad.len() as u64, 64);
            assert!(batches.next().unwrap().is_some());
            let failure = batches.next().unwrap_err();
            assert_eq!(failure.code, Code::Damaged, "byte {at}: {}", failure.text);
            assert!(failure.text.contains(&format!("f can't be compacted at byte {first}")), "{}", failure.text);
        }
        let cut = &good[..good.len() - 1];
        let mut batches = Batches::new(file(cut), "f".into(), 0, cut.len() as u64, 64);
        assert!(batches.next().unwrap().is_some());
        assert!(batches.next().is_err());
    }
}
