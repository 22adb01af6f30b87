//! The files that are appended to, each where its end is; and those that were written full beforehand.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of the file that a journal is written round and round in, and of each file that is written over.
pub const JOURNAL_BYTES: u64 = 32 << 20;
pub const RECYCLED_BYTES: u64 = 4 << 20;

pub struct Files {
    folder: String,
    count: usize,
    pub payload: Vec<u8>,
    logs: Vec<(File, AtomicU64)>,
    pub journal: File,
    recycled: Vec<(File, AtomicU64)>,
}

impl Files {
    pub fn new(folder: &str, count: usize, bytes: usize) -> io::Result<Files> {
        std::fs::create_dir_all(folder)?;
        let create = |name: String| {
            OpenOptions::new().read(true).write(true).create(true).truncate(true).open(format!("{folder}/{name}"))
        };
        let filled = |name: String, length: u64| -> io::Result<File> {
            let file = create(name)?;
            for at in (0..length).step_by(1 << 20) {
                file.write_all_at(&vec![b'.'; 1 << 20], at)?;
            }
            file.sync_all()?;
            Ok(file)
        };
        let mut logs = Vec::with_capacity(count);
        for at in 0..count {
            logs.push((create(format!("log-{at}"))?, AtomicU64::new(0)));
        }
        let mut recycled = Vec::new();
        for at in 0..count.min(16) {
            recycled.push((filled(format!("recycled-{at}"), RECYCLED_BYTES)?, AtomicU64::new(0)));
        }
        let journal = filled("journal".to_string(), JOURNAL_BYTES)?;
        let files = Files { folder: folder.to_string(), count, payload: vec![b'x'; bytes], logs, journal, recycled };
        files.settle()?;
        Ok(files)
    }

    pub fn count(&self) -> usize {
        self.count
    }

    pub fn log(&self, at: usize) -> &File {
        &self.logs[at].0
    }

    /// One append; where it lies.
    pub fn append(&self, at: usize) -> io::Result<u64> {
        let (file, end) = &self.logs[at];
        let from = end.fetch_add(self.payload.len() as u64, Ordering::Relaxed);
        file.write_all_at(&self.payload, from)?;
        Ok(from)
    }

    /// As an append to a file whose space was written before.
    pub fn write_over(&self, at: usize) -> io::Result<&File> {
        let (file, end) = &self.recycled[at % self.recycled.len()];
        let from = end.fetch_add(self.payload.len() as u64, Ordering::Relaxed);
        file.write_all_at(&self.payload, from % (RECYCLED_BYTES - self.payload.len() as u64))?;
        Ok(file)
    }

    /// Asks the system to begin writing, without waiting.
    pub fn begin_writing(&self, at: usize, from: u64) {
        let length = self.payload.len() as i64;
        // SAFETY: the descriptor is open, and nothing but numbers is passed.
        unsafe {
            libc::sync_file_range(self.log(at).as_raw_fd(), from as i64, length, libc::SYNC_FILE_RANGE_WRITE);
        }
    }

    pub fn sync_file_system(&self) -> io::Result<()> {
        // SAFETY: the descriptor is open.
        if unsafe { libc::syncfs(self.journal.as_raw_fd()) } == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Nothing that one way left to write is charged to the next.
    pub fn settle(&self) -> io::Result<()> {
        self.sync_file_system()
    }

    pub fn remove(self) -> io::Result<()> {
        let folder = self.folder.clone();
        drop(self);
        std::fs::remove_dir_all(folder)
    }
}
