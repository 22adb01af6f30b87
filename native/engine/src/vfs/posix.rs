//! The operating system's files, through std and libc.

use super::{DirectoryEntry, File, Lock, LockFailure, OpenMode, Space, Vfs, path, platform};
use std::collections::BTreeSet;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, PoisonError};

pub struct PosixVfs;

struct PosixFile(std::fs::File);

/// Identities of the lock files that this process holds: one process opens a directory once, whatever the system's
/// locks would allow it.
static HELD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

struct PosixLock {
    identity: String,
    // Closing it gives the system's lock back.
    _file: std::fs::File,
}

impl Lock for PosixLock {}

impl Drop for PosixLock {
    fn drop(&mut self) {
        HELD.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.identity);
    }
}

impl Vfs for PosixVfs {
    fn open(&self, path: &str, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let mut options = std::fs::OpenOptions::new();
        options.read(true);
        match mode {
            OpenMode::Read => {}
            OpenMode::Write => {
                options.write(true);
            }
            OpenMode::Create => {
                options.write(true).create(true).truncate(false);
            }
            OpenMode::Truncate => {
                options.write(true).create(true).truncate(true);
            }
        }
        Ok(Arc::new(PosixFile(options.open(path)?)))
    }

    fn create_folder(&self, path: &str) -> io::Result<()> {
        std::fs::create_dir(path)
    }

    fn create_folders(&self, folder: &str) -> io::Result<()> {
        match std::fs::create_dir(folder) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return if std::fs::metadata(folder)?.is_dir() { Ok(()) } else { Err(error) };
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let above = parent(folder).filter(|above| *above != folder).ok_or(error)?;
                self.create_folders(above)?;
                std::fs::create_dir(folder)?;
            }
            Err(error) => return Err(error),
        }
        platform::sync_folder(parent(folder).unwrap_or("."))
    }

    fn remove_file(&self, path: &str) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn remove_folder(&self, path: &str) -> io::Result<()> {
        std::fs::remove_dir(path)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<DirectoryEntry>> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            // A name that is no UTF-8 is none of Kafka's and none of ours.
            let Ok(name) = entry.file_name().into_string() else { continue };
            let mut folder_type = entry.file_type()?.is_dir();
            if entry.file_type()?.is_symlink() {
                folder_type = std::fs::metadata(path(folder, &name)).is_ok_and(|metadata| metadata.is_dir());
            }
            entries.push(DirectoryEntry { name, folder: folder_type });
        }
        entries.sort();
        Ok(entries)
    }

    fn sync_folder(&self, path: &str) -> io::Result<()> {
        platform::sync_folder(path)
    }

    fn space(&self, path: &str) -> io::Result<Option<Space>> {
        platform::space(path)
    }

    fn lock(&self, path: &str) -> Result<Box<dyn Lock>, LockFailure> {
        let file = std::fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(LockFailure::Io)?;
        let identity = platform::identity(&file, path).map_err(LockFailure::Io)?;
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        if held.contains(&identity) {
            return Err(LockFailure::HeldHere);
        }
        match platform::lock(&file) {
            Ok(()) => {
                held.insert(identity.clone());
                Ok(Box::new(PosixLock { identity, _file: file }))
            }
            Err(platform::Refusal::Held { process }) => Err(LockFailure::HeldElsewhere { process }),
            Err(platform::Refusal::Io(error)) => Err(LockFailure::Io(error)),
        }
    }

    fn lock_holder(&self, path: &str) -> io::Result<Option<LockFailure>> {
        let file = match std::fs::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let identity = platform::identity(&file, path)?;
        if HELD.lock().unwrap_or_else(PoisonError::into_inner).contains(&identity) {
            return Ok(Some(LockFailure::HeldHere));
        }
        Ok(match platform::lock_holder(&file) {
            Ok(()) => None,
            Err(platform::Refusal::Held { process }) => Some(LockFailure::HeldElsewhere { process }),
            Err(platform::Refusal::Io(error)) => return Err(error),
        })
    }
}

fn parent(path: &str) -> Option<&str> {
    let trimmed = path.trim_end_matches('/');
    match trimmed.rfind('/') {
        Some(0) => Some("/"),
        Some(at) => Some(&trimmed[..at]),
        None => None,
    }
}

impl File for PosixFile {
    fn write_at(&self, parts: &[IoSlice<'_>], at: u64) -> io::Result<usize> {
        loop {
            match platform::write_at(&self.0, parts, at) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) if parts.iter().any(|part| !part.is_empty()) => return Err(io::ErrorKind::WriteZero.into()),
                outcome => return outcome,
            }
        }
    }

    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        loop {
            match platform::read_at(&self.0, into, at) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => return outcome,
            }
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn resident(&self, at: u64, length: u64) -> bool {
        platform::resident(&self.0, at, length)
    }

    fn warm(&self, at: u64, length: u64) -> io::Result<()> {
        platform::warm(&self.0, at, length)
    }

    fn modified_ms(&self) -> io::Result<Option<i64>> {
        let since = self.0.metadata()?.modified()?.duration_since(std::time::UNIX_EPOCH);
        Ok(Some(since.map_or(0, |since| since.as_millis().min(i64::MAX as u128) as i64)))
    }

    fn raw_fd(&self) -> Option<i32> {
        platform::raw_fd(&self.0)
    }
}
