//! The operating system's files, through std and libc.

use super::{DirectoryEntry, File, Lock, LockFailure, Map, OpenMode, Space, Vfs, path, platform};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, PoisonError};

pub struct PosixVfs {
    spares: Spares,
    /// Folders whose sync runs or has failed, by path: as with a file, one after the other and none after a failed one.
    folders: Mutex<BTreeMap<String, Arc<Mutex<Option<i32>>>>>,
}

impl Default for PosixVfs {
    fn default() -> PosixVfs {
        PosixVfs { spares: Spares::new(), folders: Mutex::default() }
    }
}

/// Descriptors that are kept for the moment when the process has no other left: what is written must not fail over
/// files that others have open.
struct Spares {
    files: Mutex<Vec<std::fs::File>>,
}

impl Spares {
    const COUNT: usize = 8;

    fn new() -> Spares {
        let spares = Spares { files: Mutex::default() };
        spares.fill();
        spares
    }

    fn fill(&self) {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        while files.len() < Spares::COUNT {
            let Ok(file) = std::fs::File::open(NOWHERE) else { break };
            files.push(file);
        }
    }

    /// Opens; with one of the spares, if need be.
    fn open<T>(&self, open: impl Fn() -> io::Result<T>) -> io::Result<T> {
        let mut outcome = open();
        while outcome.as_ref().is_err_and(platform::is_no_descriptor) {
            let Some(spare) = self.files.lock().unwrap_or_else(PoisonError::into_inner).pop() else { return outcome };
            drop(spare);
            outcome = open();
        }
        self.fill();
        outcome
    }
}

/// Takes a descriptor and nothing else.
const NOWHERE: &str = if cfg!(windows) { "NUL" } else { "/dev/null" };

/// An error of a disk, where the system gave no number.
const EIO: i32 = 5;

/// Unless a sync failed before: then so does this one.
fn sync_once(failed: &Mutex<Option<i32>>, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    let mut failed = failed.lock().unwrap_or_else(PoisonError::into_inner);
    let outcome = match *failed {
        Some(errno) => Err(io::Error::from_raw_os_error(errno)),
        None => sync().inspect_err(|error| {
            // A folder that is gone was not synced, nor one that could not be opened; another may take its name.
            if error.kind() != io::ErrorKind::NotFound && !platform::is_no_descriptor(error) {
                *failed = Some(error.raw_os_error().unwrap_or(EIO));
            }
        }),
    };
    outcome.map_err(platform::failed_sync)
}

struct PosixFile {
    file: std::fs::File,
    /// Why a sync of it failed. The system tells each open file of an error once: to the one of two syncs that asks
    /// first, while the other succeeds. Here one runs after the other, and none succeeds after a failed one.
    failed: Mutex<Option<i32>>,
}

/// Identities of the lock files and folders that this process holds: one process opens a directory once, whatever the
/// system's locks would allow it.
static HELD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

struct PosixLock {
    identities: Vec<String>,
    // Closing them gives the system's locks back.
    _files: Vec<std::fs::File>,
}

impl Lock for PosixLock {}

impl Drop for PosixLock {
    fn drop(&mut self) {
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        for identity in &self.identities {
            held.remove(identity);
        }
    }
}

impl Vfs for PosixVfs {
    fn has_disk(&self) -> bool {
        true
    }

    fn open(&self, path: &str, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let mut options = std::fs::OpenOptions::new();
        options.read(true);
        platform::never_wait(&mut options);
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
        let file = match mode {
            OpenMode::Read => options.open(path),
            _ => self.spares.open(|| options.open(path)),
        };
        let file = plain(file?)?;
        Ok(Arc::new(PosixFile { file, failed: Mutex::new(None) }))
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
                match std::fs::create_dir(folder) {
                    // The path goes back on itself, or somebody else was faster.
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_folder(folder) => return Ok(()),
                    made => made?,
                }
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
        for entry in self.spares.open(|| std::fs::read_dir(folder))? {
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
        let folders = || self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = folders().entry(path.to_string()).or_default().clone();
        let outcome = sync_once(&turn, || self.spares.open(|| platform::sync_folder(path)));
        let remembered = turn.lock().is_ok_and(|failed| failed.is_some());
        let mut folders = folders();
        // Nobody else waits for its turn, and there is nothing to remember.
        if !remembered && Arc::strong_count(&turn) == 2 {
            folders.remove(path);
        }
        outcome
    }

    fn sync_everything(&self, path: &str) -> io::Result<bool> {
        Ok(platform::sync_everything(path)? && {
            // One that keeps no journal writes its own blocks last, and asks the device to keep them by this alone.
            self.sync_folder(path)?;
            true
        })
    }

    fn space(&self, path: &str) -> io::Result<Option<Space>> {
        platform::space(path)
    }

    /// The lock file is what other programs know. Somebody may remove it for a stale one, and the next would make
    /// another and have it locked: so the folder itself is locked too, where its file system can do that.
    fn lock(&self, path: &str) -> Result<Box<dyn Lock>, LockFailure> {
        let mut options = std::fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        platform::never_wait(&mut options);
        let file = options.open(path).and_then(plain).map_err(LockFailure::Io)?;
        let mut identities = vec![platform::identity(&file, path).map_err(LockFailure::Io)?];
        let above = parent(path).unwrap_or(".");
        let folder = std::fs::File::open(above).ok();
        if let Some(folder) = &folder {
            identities.push(platform::identity(folder, above).map_err(LockFailure::Io)?);
        }
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        if identities.iter().any(|identity| held.contains(identity)) {
            return Err(LockFailure::HeldHere);
        }
        match platform::lock(&file) {
            Ok(()) => {}
            Err(platform::Refusal::Held { process }) => return Err(LockFailure::HeldElsewhere { process }),
            Err(platform::Refusal::Io(error)) => return Err(LockFailure::Io(error)),
        }
        if folder.as_ref().is_some_and(|folder| !platform::lock_folder(folder)) {
            return Err(LockFailure::HeldElsewhere { process: None });
        }
        held.extend(identities.iter().cloned());
        Ok(Box::new(PosixLock { identities, _files: std::iter::once(file).chain(folder).collect() }))
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

/// A folder, a pipe or a device where a file belongs is refused before anything is read of it.
fn plain(file: std::fs::File) -> io::Result<std::fs::File> {
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "not a plain file"))
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
            match platform::write_at(&self.file, parts, at) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(0) if parts.iter().any(|part| !part.is_empty()) => return Err(io::ErrorKind::WriteZero.into()),
                outcome => return outcome,
            }
        }
    }

    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        loop {
            match platform::read_at(&self.file, into, at) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                outcome => return outcome,
            }
        }
    }

    fn data_from(&self, at: u64) -> io::Result<u64> {
        platform::data_from(&self.file, at)
    }

    fn sync_data(&self) -> io::Result<()> {
        sync_once(&self.failed, || self.file.sync_data())
    }

    fn begin_writing(&self) {
        platform::begin_writing(&self.file);
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)
    }

    fn map(&self, length: u64) -> io::Result<Box<dyn Map>> {
        platform::map(&self.file, length)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn resident(&self, at: u64, length: u64) -> bool {
        platform::resident(&self.file, at, length)
    }

    fn warm(&self, at: u64, length: u64) -> io::Result<()> {
        platform::warm(&self.file, at, length)
    }

    fn modified_ms(&self) -> io::Result<Option<i64>> {
        let since = self.file.metadata()?.modified()?.duration_since(std::time::UNIX_EPOCH);
        Ok(Some(since.map_or(0, |since| since.as_millis().min(i64::MAX as u128) as i64)))
    }

    fn raw_fd(&self) -> Option<i32> {
        platform::raw_fd(&self.file)
    }
}

fn is_folder(path: &str) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.is_dir())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_folder_stays_locked_when_its_lock_file_is_removed() {
        let folder = std::env::temp_dir().join(format!("odradek-lock-{}", std::process::id()));
        std::fs::create_dir(&folder).expect("a new folder");
        let path = folder.join(".lock");
        let lock = || PosixVfs::default().lock(path.to_str().expect("a plain name"));
        let held = lock().map_err(drop).expect("nobody has it");
        std::fs::remove_file(&path).expect("it is there");
        assert!(matches!(lock(), Err(LockFailure::HeldHere)));
        // As another process would find it.
        let mine = std::mem::take(&mut *HELD.lock().expect("no panic"));
        std::fs::remove_file(&path).expect("it is there");
        assert!(matches!(lock(), Err(LockFailure::HeldElsewhere { .. })));
        HELD.lock().expect("no panic").extend(mine);
        drop(held);
        assert!(lock().is_ok());
        std::fs::remove_dir_all(&folder).expect("it is there");
    }

    #[test]
    fn folders_are_made_along_a_path_that_goes_back_on_itself() {
        let root = std::env::temp_dir().join(format!("odradek-back-{}", std::process::id()));
        let path = root.to_str().expect("a plain name");
        PosixVfs::default().create_folders(&format!("{path}/a/../b/./c")).expect("nothing is in the way");
        assert!(root.join("b/c").is_dir());
        std::fs::remove_dir_all(&root).expect("it is there");
    }

    #[test]
    fn a_file_whose_sync_failed_is_never_said_to_be_synced() {
        // A device that takes no sync; and then a file that would take one.
        let mut file =
            PosixFile { file: std::fs::File::open("/dev/null").expect("it is there"), failed: Mutex::new(None) };
        let failed = file.sync_data().expect_err("it can't be synced");
        file.file = std::fs::File::open(std::env::current_exe().expect("it runs")).expect("it is there");
        let again = file.sync_data().expect_err("it failed once");
        assert_eq!(again.raw_os_error(), failed.raw_os_error());
    }

    #[test]
    fn a_folder_whose_sync_failed_is_not_synced_again_and_one_that_was_gone_is() {
        let folder = std::env::temp_dir().join(format!("odradek-folder-{}", std::process::id()));
        let path = folder.to_str().expect("a plain name");
        let vfs = PosixVfs::default();
        assert_eq!(vfs.sync_folder(path).expect_err("it is not there").kind(), io::ErrorKind::NotFound);
        std::fs::create_dir(&folder).expect("a new folder");
        vfs.sync_folder(path).expect("it is there now");
        assert!(vfs.folders.lock().expect("no panic").is_empty(), "nothing is left of it");
        let failed = Arc::new(Mutex::new(Some(EIO)));
        vfs.folders.lock().expect("no panic").insert(path.to_string(), failed);
        assert_eq!(vfs.sync_folder(path).expect_err("it failed once").raw_os_error(), Some(EIO));
        std::fs::remove_dir(&folder).expect("it is empty");
    }
}
