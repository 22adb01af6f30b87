//! A file's bytes in memory, for stores: what the mapped writer puts there is the file's content at once, and stays so
//! when the process ends. The range is mapped once; parts of it are made ready before and given back after their use.
//!
//! Invariants: nothing is stored outside of a part that `populate` has made ready: its bytes were written before, so it
//! needs no room, and its pages are there. A page that is lost all the same marks the map as broken (`guard.rs`).
//! Only on file systems that write in place: elsewhere a store could need a block that there isn't.

use super::guard::Guard;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr;
use std::sync::atomic::{Ordering, compiler_fence};

/// Linux 5.14.
const MADV_POPULATE_WRITE: libc::c_int = 23;
/// statfs types of file systems that write in place: ext4 (2, 3), XFS, tmpfs.
const IN_PLACE: [i64; 3] = [0xEF53, 0x5846_5342, 0x0102_1994];

pub struct PosixMap {
    start: ptr::NonNull<u8>,
    length: usize,
    /// File positions that stores may go to.
    ready: std::ops::Range<u64>,
    guard: Option<Guard>,
}

// SAFETY: the memory belongs to this value alone, and every store takes it exclusively.
unsafe impl Send for PosixMap {}

impl PosixMap {
    /// The first `length` bytes of the file, which may be shorter still.
    pub fn new(file: &File, length: u64) -> io::Result<PosixMap> {
        let unsupported = || io::Error::from(io::ErrorKind::Unsupported);
        let length = usize::try_from(length).ok().filter(|length| *length > 0).ok_or_else(unsupported)?;
        // SAFETY: statfs is plain data, and all zeros are a value of it; it outlives the call.
        let kind = unsafe {
            let mut found: libc::statfs = std::mem::zeroed();
            if libc::fstatfs(file.as_raw_fd(), &raw mut found) != 0 {
                return Err(io::Error::last_os_error());
            }
            found.f_type as i64
        };
        if !IN_PLACE.contains(&kind) {
            return Err(unsupported());
        }
        // SAFETY: a new range, chosen by the system.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                length,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                file.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = ptr::NonNull::new(start.cast()).ok_or_else(unsupported)?;
        let guard = Guard::new(start.as_ptr() as usize, length);
        let map = PosixMap { start, length, ready: 0..0, guard };
        if map.guard.is_none() { Err(unsupported()) } else { Ok(map) }
    }

    fn advise(&self, at: u64, length: u64, advice: libc::c_int) -> io::Result<()> {
        assert!(at.saturating_add(length) <= self.length as u64, "a range inside the map");
        // SAFETY: the range lies inside the map.
        let done = unsafe { libc::madvise(self.start.as_ptr().add(at as usize).cast(), length as usize, advice) };
        if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

impl super::Map for PosixMap {
    fn populate(&mut self, at: u64, length: u64) -> io::Result<()> {
        self.advise(at, length, MADV_POPULATE_WRITE)?;
        let from = if self.ready.end == at && !self.ready.is_empty() { self.ready.start } else { at };
        self.ready = from..at + length;
        Ok(())
    }

    fn leave(&mut self, until: u64) {
        let until = until.min(self.ready.end);
        if until > self.ready.start {
            // Only what the process holds of it: the pages stay in the system's cache.
            let _ = self.advise(self.ready.start, until - self.ready.start, libc::MADV_DONTNEED);
            self.ready.start = until;
        }
    }

    #[inline]
    fn bytes(&mut self, at: u64, length: usize) -> &mut [u8] {
        let inside = at >= self.ready.start && at.saturating_add(length as u64) <= self.ready.end;
        assert!(inside, "a store into a part that is ready");
        // SAFETY: inside the map and populated; nobody else in this process stores there, and it
        // lives as long as `self`.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr().add(at as usize), length) }
    }

    #[inline]
    fn stored(&mut self, _at: u64, _length: usize) -> bool {
        // The processor keeps the order of one thread's stores for whoever looks after that thread has ended.
        compiler_fence(Ordering::SeqCst);
        self.guard.as_ref().is_some_and(|guard| !guard.is_broken())
    }
}

impl Drop for PosixMap {
    fn drop(&mut self) {
        // The range may belong to another map the moment after.
        self.guard = None;
        // SAFETY: mapped by `new`, and nothing points there any more.
        unsafe {
            libc::munmap(self.start.as_ptr().cast(), self.length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Map;
    use super::*;
    use std::io::Write;

    #[test]
    fn a_page_that_the_file_lost_breaks_the_map_and_not_the_process() {
        let path = std::env::temp_dir().join(format!("odradek-map-{}", std::process::id()));
        let mut file =
            std::fs::OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path).unwrap();
        file.write_all(&[1; 16384]).unwrap();
        let mut map = match PosixMap::new(&file, 1 << 20) {
            Ok(map) => map,
            // A file system that does not write in place.
            Err(error) => return assert_eq!(error.kind(), io::ErrorKind::Unsupported),
        };
        map.populate(0, 16384).unwrap();
        map.bytes(8192, 3).copy_from_slice(b"abc");
        assert!(map.stored(8192, 3));
        assert_eq!(&std::fs::read(&path).unwrap()[8191..8196], b"\x01abc\x01");
        file.set_len(0).unwrap();
        map.bytes(4096, 3).copy_from_slice(b"abc");
        assert!(!map.stored(4096, 3));
        drop(map);
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    #[should_panic(expected = "a store into a part that is ready")]
    fn a_store_outside_of_what_is_ready_is_refused() {
        let path = std::env::temp_dir().join(format!("odradek-map-bounds-{}", std::process::id()));
        let file = std::fs::OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        file.set_len(8192).unwrap();
        let mut map = PosixMap::new(&file, 1 << 20).expect("a store into a part that is ready");
        map.populate(0, 4096).unwrap();
        map.bytes(4095, 2);
    }
}
