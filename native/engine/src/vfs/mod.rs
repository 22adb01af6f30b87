//! The file system as the engine sees it: the only door to files, directories and locks.
//!
//! Three implementations: `posix` (libc and std, so that preloaded faults reach it), `memory` (for brokers without a
//! directory, and for tests: crash images, failures at the nth operation, stalls), and `overlay` (reads through to
//! another and keeps changes to itself). Everything else in the crate takes a `&dyn Vfs`; nothing else opens,
//! renames, syncs or locks.
//!
//! Rules that callers keep:
//! - A name (of a new file or a rename) is on disk only after `sync_folder` of its folder; bytes only after `sync_data`
//!   of their file.
//! - After a failed sync nothing is retried: the kernel may have dropped the dirty pages and would report success.
//! - Paths are strings with `/` between the parts; `path` joins them. No path is built from an unchecked name.

mod durability;
#[cfg(target_os = "linux")]
mod guard;
#[cfg(target_os = "linux")]
mod map;
mod memory;
mod memory_io;
mod memory_map;
mod overlay;
mod overlay_file;
mod pages;
mod platform;
mod posix;

use crate::planted::{Bug, planted};
use std::io::{self, IoSlice};
use std::sync::{Arc, OnceLock};

pub use durability::{Keep, Piece};
pub use memory::{MemoryVfs, Operation};
pub use platform::{descriptors, is_no_space};

/// Which file system a directory lives on.
#[derive(Clone)]
pub enum VfsKind {
    Posix,
    Memory(MemoryVfs),
    /// Of the other one nothing is changed; what is changed here is gone with the directory.
    ReadOnly(Box<VfsKind>),
}

impl VfsKind {
    pub fn open(&self) -> Arc<dyn Vfs> {
        match self {
            VfsKind::Posix => Arc::new(posix::PosixVfs::default()),
            VfsKind::Memory(memory) => Arc::new(memory.clone()),
            VfsKind::ReadOnly(below) => Arc::new(overlay::OverlayVfs::over(below.open())),
        }
    }
}

/// How `Vfs::open` treats a file that is there, or is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// For reading; it must exist.
    Read,
    /// For reading and writing; it must exist.
    Write,
    /// For reading and writing; created when it does not exist, kept as it is when it does.
    Create,
    /// For reading and writing; created, or emptied when it exists.
    Truncate,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DirectoryEntry {
    pub name: String,
    pub folder: bool,
}

/// Why a lock was not given.
#[derive(Debug)]
pub enum LockFailure {
    /// This process holds it already.
    HeldHere,
    /// Another process holds it; its process id where the system tells.
    HeldElsewhere {
        process: Option<u32>,
    },
    Io(io::Error),
}

/// Bytes of the volume that a folder lies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    pub total: u64,
    /// What this process may still fill.
    pub usable: u64,
}

/// Held as long as it lives.
pub trait Lock: Send + Sync {
    /// It is somebody else's, who may be writing: nobody took it here.
    fn is_anothers(&self) -> bool {
        false
    }
}

pub trait Vfs: Send + Sync {
    /// Whether a sync costs anything: a file system that forgets all at the end of the process has nothing to sync.
    fn has_disk(&self) -> bool;
    fn open(&self, path: &str, mode: OpenMode) -> io::Result<Arc<dyn File>>;
    /// Creates the folder; fails with `AlreadyExists` when it is there.
    fn create_folder(&self, path: &str) -> io::Result<()>;
    /// Creates the folder and those above it that are missing, and makes each new name durable.
    fn create_folders(&self, path: &str) -> io::Result<()>;
    fn remove_file(&self, path: &str) -> io::Result<()>;
    /// Removes an empty folder.
    fn remove_folder(&self, path: &str) -> io::Result<()>;
    /// Replaces `to` when it is a file that exists.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// What the folder holds, sorted by name.
    fn list(&self, path: &str) -> io::Result<Vec<DirectoryEntry>>;
    /// Makes the names of the folder durable.
    fn sync_folder(&self, path: &str) -> io::Result<()>;
    /// Makes everything durable that was written to the folder's file system, by whomever. False: nothing was done,
    /// since here that can't be had for sure.
    fn sync_everything(&self, path: &str) -> io::Result<bool>;
    /// The room on the folder's volume; None where there is none to speak of.
    fn space(&self, path: &str) -> io::Result<Option<Space>>;
    /// Takes the exclusive lock on this file, creating it when it is missing. Never waits.
    fn lock(&self, path: &str) -> Result<Box<dyn Lock>, LockFailure>;
    /// Who holds the lock on this file, if anybody. Takes nothing and writes nothing; a missing file is not held.
    fn lock_holder(&self, path: &str) -> io::Result<Option<LockFailure>>;
}

/// One open file. Positional, shared between threads; an open file outlives its name.
pub trait File: Send + Sync {
    /// Writes from the front of the parts, perhaps fewer bytes than asked; never zero without an error.
    fn write_at(&self, parts: &[IoSlice<'_>], at: u64) -> io::Result<usize>;
    /// Reads perhaps fewer bytes than asked; zero only at the end of the file.
    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize>;
    /// Where bytes that may be other than zeros stand next, from `at` on; `u64::MAX`: nowhere.
    fn data_from(&self, at: u64) -> io::Result<u64> {
        Ok(at)
    }
    /// Bytes and length on disk.
    fn sync_data(&self) -> io::Result<()>;
    /// Lets the system begin to write what is dirty, without waiting; a sync that follows has less to do.
    fn begin_writing(&self);
    fn set_len(&self, length: u64) -> io::Result<()>;
    /// The first `length` bytes for stores, more than the file need have. `Unsupported` where stores could fail.
    fn map(&self, length: u64) -> io::Result<Box<dyn Map>>;
    fn len(&self) -> io::Result<u64>;
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
    /// Whether reading the range would not wait for the disk. A guess from the system's cache: true when it was
    /// asked, perhaps not later.
    fn resident(&self, at: u64, length: u64) -> bool;
    /// Brings the range into the system's cache.
    fn warm(&self, at: u64, length: u64) -> io::Result<()>;
    /// When its bytes were last changed, in milliseconds since 1970; None where that is not kept.
    fn modified_ms(&self) -> io::Result<Option<i64>>;
    /// For `sendfile`; none for a file in memory.
    fn raw_fd(&self) -> Option<i32>;
}

/// A file's bytes as memory to store to. One owner; the file's length is the owner's care.
pub trait Map: Send {
    /// Makes a range of file positions, all of them written before, ready for stores; what was ready before and
    /// doesn't touch it no longer is.
    fn populate(&mut self, at: u64, length: u64) -> io::Result<()>;
    /// No store goes below this position any more.
    fn leave(&mut self, until: u64);
    /// The bytes of a range that is ready. Panics outside of it.
    fn bytes(&mut self, at: u64, length: usize) -> &mut [u8];
    /// These bytes were stored: whatever ends the process, they are in the file before those that a later call tells
    /// of. False: they aren't, and nothing that is stored here will be.
    fn stored(&mut self, at: u64, length: usize) -> bool;
}

/// Joins a folder and a name.
pub fn path(folder: &str, name: &str) -> String {
    if folder.is_empty() || folder.ends_with('/') { format!("{folder}{name}") } else { format!("{folder}/{name}") }
}

/// Descriptors, the last ones of the process, that readers leave to whoever writes: half of all, and not more than
/// twice the active files that are kept open.
const LEFT_TO_WRITERS: usize = 8192;

/// Whether so few descriptors are free that nobody should hold this file open for a reader. The system gives the lowest
/// one that is free, so a high one says that nearly all below it are taken.
pub fn is_scarce(file: &dyn File) -> bool {
    static FROM: OnceLock<usize> = OnceLock::new();
    let from = FROM.get_or_init(|| match descriptors() {
        0 => usize::MAX,
        all => all - (all / 2).min(LEFT_TO_WRITERS),
    });
    file.raw_fd().is_some_and(|descriptor| usize::try_from(descriptor).is_ok_and(|descriptor| descriptor >= *from))
}

/// Fills `into` from `at`, or fails with `UnexpectedEof`.
pub fn read_exact_at(file: &dyn File, mut into: &mut [u8], mut at: u64) -> io::Result<()> {
    while !into.is_empty() {
        match file.read_at(into, at)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            n => {
                into = &mut into[n..];
                at += n as u64;
            }
        }
    }
    Ok(())
}

/// Writes all of `bytes` at `at`.
pub fn write_all_at(file: &dyn File, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        let n = file.write_at(&[IoSlice::new(bytes)], at)?;
        bytes = &bytes[n..];
        at += n as u64;
    }
    Ok(())
}

/// Bytes read at once where zeros are passed over.
const SPARSE_WINDOW: usize = 1 << 20;

/// Where something else than zeros stands first in `at..end`, or `end`. What a sparse file has
/// no bytes for is not read.
pub fn skip_zeros(file: &dyn File, mut at: u64, end: u64) -> io::Result<u64> {
    let mut buffer = Vec::new();
    loop {
        at = file.data_from(at)?.min(end);
        let want = (end - at).min(SPARSE_WINDOW as u64) as usize;
        buffer.resize(want, 0);
        let filled = if want == 0 { 0 } else { file.read_at(&mut buffer, at)? };
        match buffer[..filled].iter().position(|byte| *byte != 0) {
            Some(inside) => return Ok(at + inside as u64),
            None if filled == 0 => return Ok(end),
            None => at += filled as u64,
        }
    }
}

/// Copies `from..end` to the beginning of another file that is empty, but for what a sparse one has no bytes for.
pub fn copy_range(file: &dyn File, from: u64, end: u64, target: &dyn File) -> io::Result<()> {
    let mut buffer = Vec::new();
    let mut at = from;
    loop {
        at = file.data_from(at)?.min(end);
        buffer.resize((end - at).min(SPARSE_WINDOW as u64) as usize, 0);
        let filled = if buffer.is_empty() { 0 } else { file.read_at(&mut buffer, at)? };
        if filled == 0 {
            return Ok(());
        }
        write_all_at(target, &buffer[..filled], at - from)?;
        at += filled as u64;
    }
}

/// No file that is read whole is longer: a longer one is none of ours.
const MAX_WHOLE_BYTES: u64 = 1 << 30;
/// What is read of it at first; then twice as much each time.
const FIRST_BYTES: usize = 64 * 1024;

/// The whole file, or None when there is no such file. Grows with what is read, not with the length claimed.
pub fn read_file(vfs: &dyn Vfs, path: &str) -> io::Result<Option<Vec<u8>>> {
    let file = match vfs.open(path, OpenMode::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let length = file.len()?;
    if length > MAX_WHOLE_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{length} bytes are too many for this file")));
    }
    let mut bytes = vec![0; FIRST_BYTES.min(length as usize)];
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], filled as u64)? {
            0 => break,
            n => filled += n,
        }
        if filled == bytes.len() {
            bytes.resize((filled * 2).min(length as usize), 0);
        }
    }
    bytes.truncate(filled);
    Ok(Some(bytes))
}

/// Replaces the file at once and durably: a temporary file beside it, its sync, the rename, the folder's sync. After a
/// crash the old content is there or the new, never a part.
pub fn write_file_atomically(vfs: &dyn Vfs, folder: &str, name: &str, content: &[u8]) -> io::Result<()> {
    let temporary = path(folder, &format!("{name}.tmp"));
    let file = vfs.open(&temporary, OpenMode::Truncate)?;
    write_all_at(&*file, content, 0)?;
    if !planted(Bug::RenameBeforeSync) {
        file.sync_data()?;
    }
    drop(file);
    vfs.rename(&temporary, &path(folder, name))?;
    vfs.sync_folder(folder)
}

/// Removes a file that may not be there.
pub fn remove_if_there(vfs: &dyn Vfs, path: &str) -> io::Result<bool> {
    match vfs.remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
