//! The segment that a pass writes: `.cleaned` files beside the segments that it will replace.
//!
//! Invariants: nothing of it counts until it is on disk with its names (`finish`), and nobody reads it before it is
//! adopted (`swap.rs`). Its index files have the shape that a roll gives them.

use super::filter::{Judged, Left};
use super::swap::CLEANED;
use crate::batch::Header;
use crate::segment::{Indexes, Largest, Segment, file_name};
use crate::txn_index::AbortedTransaction;
use crate::vfs::{File, OpenMode, Vfs, path, remove_if_there, write_all_at};
use std::io;
use std::sync::Arc;

/// Bytes that are written at once.
const WRITE_BYTES: usize = 256 * 1024;

pub struct Output {
    base: i64,
    folder: Arc<str>,
    vfs: Arc<dyn Vfs>,
    file: Arc<dyn File>,
    /// Not written yet, behind `written` bytes.
    buffer: Vec<u8>,
    written: u64,
    index_interval_bytes: u64,
    unindexed: u64,
    indexes: Indexes,
    largest: Largest,
    aborted: Vec<AbortedTransaction>,
}

impl Output {
    pub fn create(vfs: &Arc<dyn Vfs>, folder: &Arc<str>, base: i64, index_interval_bytes: u64) -> io::Result<Output> {
        let file = vfs.open(&cleaned(folder, base, ".log"), OpenMode::Truncate)?;
        Ok(Output {
            base,
            folder: folder.clone(),
            vfs: vfs.clone(),
            file,
            buffer: Vec::new(),
            written: 0,
            index_interval_bytes,
            unindexed: 0,
            indexes: Indexes::default(),
            largest: Largest { timestamp: -1, offset: -1 },
            aborted: Vec::new(),
        })
    }

    pub fn size(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// Takes what is left of a batch; the bytes that it adds.
    pub fn add(&mut self, header: &Header, batch: &[u8], judged: &Judged) -> io::Result<u64> {
        self.aborted.extend(judged.aborted);
        let bytes = match &judged.left {
            Left::Nothing => return Ok(0),
            Left::Whole => batch,
            Left::Rewritten(bytes) => bytes,
        };
        let position = self.size();
        if position + bytes.len() as u64 > i32::MAX as u64 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "what is left is larger than a segment can be"));
        }
        let max_timestamp = Header::read(bytes).map_or(-1, |header| header.max_timestamp);
        if max_timestamp > self.largest.timestamp {
            self.largest = Largest { timestamp: max_timestamp, offset: header.last_offset() };
        }
        if self.unindexed > self.index_interval_bytes {
            let relative = |offset: i64| offset.saturating_sub(self.base).clamp(0, u32::MAX as i64) as u32;
            self.indexes.offsets.append(relative(header.last_offset()), position as u32);
            self.indexes.times.append(self.largest.timestamp, relative(self.largest.offset));
            self.unindexed = 0;
        }
        self.unindexed += bytes.len() as u64;
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= WRITE_BYTES {
            self.write()?;
        }
        Ok(bytes.len() as u64)
    }

    fn write(&mut self) -> io::Result<()> {
        write_all_at(&*self.file, &self.buffer, self.written)?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// Puts all of it on disk, names included. The segment is readable by its open file and its indexes in memory,
    /// under whatever names it goes. `bytes_before`: of the first of those that it replaces.
    pub fn finish(mut self, bytes_before: u64) -> io::Result<Segment> {
        self.write()?;
        let segment = Segment::new(self.vfs.clone(), self.folder.clone(), self.base, bytes_before);
        segment.load(self.written, Some(self.indexes), self.largest, self.aborted);
        segment.own();
        segment.pin(self.file.clone());
        let files = segment.index_files().expect("its indexes are in memory");
        self.file.sync_data()?;
        for (suffix, bytes) in [(".index", &files.offsets), (".timeindex", &files.times), (".txnindex", &files.aborted)]
        {
            if suffix == ".txnindex" && bytes.is_empty() {
                continue;
            }
            let file = self.vfs.open(&cleaned(&self.folder, self.base, suffix), OpenMode::Truncate)?;
            write_all_at(&*file, bytes, 0)?;
            file.sync_data()?;
        }
        self.vfs.sync_folder(&self.folder)?;
        Ok(segment)
    }
}

fn cleaned(folder: &str, base: i64, suffix: &str) -> String {
    path(folder, &format!("{}{CLEANED}", file_name(base, suffix)))
}

/// Removes what a pass has written for this base.
pub fn discard(vfs: &dyn Vfs, folder: &str, base: i64) -> io::Result<()> {
    for suffix in [".index", ".timeindex", ".txnindex", ".log"] {
        remove_if_there(vfs, &cleaned(folder, base, suffix))?;
    }
    Ok(())
}
