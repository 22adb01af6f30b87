//! A file system under which nothing changes: reads go through to another one, and whatever is written, renamed or
//! removed stays in memory. For logs that are opened to be read alone, whoever writes to them meanwhile.
//!
//! Invariants: the one below is only listed, opened for reading and read (`overlay_file`). Segments and their
//! indexes are opened when their folder is first listed and stay open: what another process renames, replaces or
//! removes later is still read as it was, as far as the descriptors go that all readers of this process may
//! hold. The lock is not taken.

use super::overlay_file::OverlayFile;
use super::platform::descriptors;
use super::{DirectoryEntry, File, Lock, LockFailure, OpenMode, Space, Vfs, path};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Files that are held open for all of them.
static HELD: AtomicUsize = AtomicUsize::new(0);

/// A listing whose files are gone before they are opened is made again this often.
const LISTINGS: usize = 8;

pub struct OverlayVfs {
    below: Arc<dyn Vfs>,
    names: Mutex<Names>,
    /// Files that all may hold open, and what this one adds to `HELD`.
    most: usize,
    holds: AtomicUsize,
}

/// What differs from below, and what is open.
#[derive(Default)]
struct Names {
    nodes: BTreeMap<String, Node>,
    /// Folders whose segments are held open.
    held: BTreeSet<String>,
}

enum Node {
    /// There by itself, or held open.
    File(Arc<OverlayFile>),
    /// As below, for as long as somebody has it open.
    Open(Weak<OverlayFile>),
    Folder,
    Gone,
}

impl OverlayVfs {
    pub fn over(below: Arc<dyn Vfs>) -> OverlayVfs {
        OverlayVfs::holding(below, descriptors() / 4)
    }

    fn holding(below: Arc<dyn Vfs>, most: usize) -> OverlayVfs {
        OverlayVfs { below, names: Mutex::default(), most, holds: AtomicUsize::new(0) }
    }

    fn names(&self) -> std::sync::MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_folder(&self, names: &Names, path: &str) -> bool {
        match names.nodes.get(path) {
            Some(Node::Folder) => true,
            Some(_) => false,
            None => self.below.list(path).is_ok(),
        }
    }

    /// The file that is there, whoever has it open.
    fn find(&self, names: &Names, path: &str) -> io::Result<Arc<OverlayFile>> {
        match names.nodes.get(path) {
            Some(Node::File(file)) => return Ok(file.clone()),
            Some(Node::Open(file)) => {
                if let Some(file) = file.upgrade() {
                    return Ok(file);
                }
            }
            Some(Node::Gone) => return Err(io::ErrorKind::NotFound.into()),
            Some(Node::Folder) => return Err(io::ErrorKind::IsADirectory.into()),
            None => {}
        }
        OverlayFile::over(self.below.open(path, OpenMode::Read)?)
    }

    /// Opens the segments of a folder that is listed for the first time. False: they are others by now.
    fn hold(&self, names: &mut Names, folder: &str, entries: &[DirectoryEntry]) -> io::Result<bool> {
        let of_segment =
            |entry: &&DirectoryEntry| !entry.folder && (entry.name.contains(".log") || entry.name.contains("index"));
        for entry in entries.iter().filter(of_segment) {
            let path = path(folder, &entry.name);
            if names.nodes.contains_key(&path) {
                continue;
            }
            match self.find(names, &path) {
                Ok(file) => {
                    if HELD.fetch_add(1, Ordering::Relaxed) >= self.most {
                        HELD.fetch_sub(1, Ordering::Relaxed);
                        break;
                    }
                    self.holds.fetch_add(1, Ordering::Relaxed);
                    names.nodes.insert(path, Node::File(file));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

impl Drop for OverlayVfs {
    fn drop(&mut self) {
        HELD.fetch_sub(*self.holds.get_mut(), Ordering::Relaxed);
    }
}

impl Vfs for OverlayVfs {
    fn has_disk(&self) -> bool {
        false
    }

    fn open(&self, path: &str, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let mut names = self.names();
        let found = match self.find(&names, path) {
            Err(error)
                if error.kind() == io::ErrorKind::NotFound && !matches!(mode, OpenMode::Read | OpenMode::Write) =>
            {
                Arc::new(OverlayFile::default())
            }
            found => found?,
        };
        if mode == OpenMode::Truncate {
            found.set_len(0)?;
        }
        if mode != OpenMode::Read {
            names.nodes.insert(path.to_string(), Node::File(found.clone()));
        } else if !matches!(names.nodes.get(path), Some(Node::File(_))) {
            names.nodes.insert(path.to_string(), Node::Open(Arc::downgrade(&found)));
        }
        Ok(found)
    }

    fn create_folder(&self, path: &str) -> io::Result<()> {
        let mut names = self.names();
        if self.is_folder(&names, path) || self.find(&names, path).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        names.nodes.insert(path.to_string(), Node::Folder);
        Ok(())
    }

    /// Whoever wants to read a directory has one. That there is none is no error of the system's.
    fn create_folders(&self, path: &str) -> io::Result<()> {
        match self.below.list(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(io::ErrorKind::NotFound.into()),
            listed => listed.map(drop),
        }
    }

    fn remove_file(&self, path: &str) -> io::Result<()> {
        let mut names = self.names();
        if self.is_folder(&names, path) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        names.nodes.insert(path.to_string(), Node::Gone);
        Ok(())
    }

    fn remove_folder(&self, path: &str) -> io::Result<()> {
        self.names().nodes.insert(path.to_string(), Node::Gone);
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut names = self.names();
        if self.is_folder(&names, from) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let file = self.find(&names, from)?;
        names.nodes.insert(from.to_string(), Node::Gone);
        names.nodes.insert(to.to_string(), Node::File(file));
        Ok(())
    }

    fn list(&self, folder: &str) -> io::Result<Vec<DirectoryEntry>> {
        let mut names = self.names();
        let mut entries =
            if matches!(names.nodes.get(folder), Some(Node::Folder)) { Vec::new() } else { self.below.list(folder)? };
        if !names.held.contains(folder) {
            for attempt in 0.. {
                if self.hold(&mut names, folder, &entries)? {
                    break;
                }
                if attempt == LISTINGS {
                    return Err(io::Error::other("its files are replaced faster than they can be opened"));
                }
                entries = self.below.list(folder)?;
            }
            names.held.insert(folder.to_string());
        }
        let prefix = path(folder, "");
        let mut found: BTreeMap<String, bool> = entries.into_iter().map(|entry| (entry.name, entry.folder)).collect();
        for (path, node) in names.nodes.range(prefix.clone()..) {
            let Some(name) = path.strip_prefix(&prefix) else { break };
            if name.contains('/') {
                continue;
            }
            match node {
                Node::File(_) => found.insert(name.to_string(), false),
                Node::Folder => found.insert(name.to_string(), true),
                Node::Gone => found.remove(name),
                Node::Open(_) => None,
            };
        }
        Ok(found.into_iter().map(|(name, folder)| DirectoryEntry { name, folder }).collect())
    }

    fn sync_everything(&self, _path: &str) -> io::Result<bool> {
        Ok(false)
    }

    fn sync_folder(&self, _path: &str) -> io::Result<()> {
        Ok(())
    }

    fn space(&self, path: &str) -> io::Result<Option<Space>> {
        self.below.space(path)
    }

    fn lock(&self, path: &str) -> Result<Box<dyn Lock>, LockFailure> {
        // One that can't be asked about is held by nobody that could be told of.
        let held = self.below.lock_holder(path).is_ok_and(|holder| holder.is_some());
        Ok(Box::new(NoLock { held }))
    }

    fn lock_holder(&self, path: &str) -> io::Result<Option<LockFailure>> {
        self.below.lock_holder(path)
    }
}

struct NoLock {
    held: bool,
}

impl Lock for NoLock {
    fn is_anothers(&self) -> bool {
        self.held
    }
}

#[cfg(test)]
mod tests {
    use super::super::{MemoryVfs, read_file, write_all_at, write_file_atomically};
    use super::*;

    fn below(files: &[(&str, &[u8])]) -> MemoryVfs {
        let vfs = MemoryVfs::new();
        vfs.create_folders("/d").expect("memory");
        for (name, content) in files {
            let file = vfs.open(&path("/d", name), OpenMode::Create).expect("memory");
            write_all_at(&*file, content, 0).expect("memory");
        }
        vfs
    }

    fn listed(vfs: &dyn Vfs) -> Vec<String> {
        vfs.list("/d").expect("it is there").into_iter().map(|entry| entry.name).collect()
    }

    #[test]
    fn changes_are_seen_here_and_not_below() {
        let vfs = below(&[("a", b"one"), ("b", b"two"), ("c", b"three")]);
        let over = OverlayVfs::over(Arc::new(vfs.clone()));
        write_file_atomically(&over, "/d", "a", b"other").expect("memory");
        over.remove_file("/d/b").expect("it is there");
        over.rename("/d/c", "/d/e").expect("it is there");
        over.create_folder("/d/f").expect("it is not there");
        assert_eq!(listed(&over), ["a", "e", "f"]);
        assert_eq!(read_file(&over, "/d/a").expect("memory").as_deref(), Some(&b"other"[..]));
        assert_eq!(read_file(&over, "/d/b").expect("memory"), None);
        assert_eq!(read_file(&over, "/d/e").expect("memory").as_deref(), Some(&b"three"[..]));
        assert!(over.create_folder("/d/f").is_err() && over.create_folders("/x").is_err());
        assert_eq!(listed(&vfs), ["a", "b", "c"]);
        assert_eq!(read_file(&vfs, "/d/a").expect("memory").as_deref(), Some(&b"one"[..]));
    }

    #[test]
    fn segments_are_read_as_they_were_when_their_folder_was_listed() {
        let vfs = below(&[("0.log", b"first"), ("1.log", b"second")]);
        let over = OverlayVfs::over(Arc::new(vfs.clone()));
        assert_eq!(listed(&over), ["0.log", "1.log"]);
        vfs.remove_file("/d/0.log").expect("it is there");
        write_all_at(&*vfs.open("/d/1.log", OpenMode::Write).expect("it is there"), b" and more", 6).expect("memory");
        write_file_atomically(&vfs, "/d", "2.log", b"third").expect("memory");
        assert_eq!(read_file(&over, "/d/0.log").expect("memory").as_deref(), Some(&b"first"[..]));
        assert_eq!(read_file(&over, "/d/1.log").expect("memory").as_deref(), Some(&b"second"[..]));
    }

    #[test]
    fn what_its_writer_cuts_off_reads_as_zeros() {
        let vfs = below(&[("0.log", b"records and room")]);
        let over = OverlayVfs::over(Arc::new(vfs.clone()));
        listed(&over);
        vfs.open("/d/0.log", OpenMode::Write).expect("it is there").set_len(7).expect("memory");
        assert_eq!(read_file(&over, "/d/0.log").expect("memory").as_deref(), Some(&b"records\0\0\0\0\0\0\0\0\0"[..]));
        let file = over.open("/d/0.log", OpenMode::Write).expect("it is there");
        write_all_at(&*file, b"R", 0).expect("memory");
        assert_eq!(read_file(&over, "/d/0.log").expect("memory").as_deref(), Some(&b"Records\0\0\0\0\0\0\0\0\0"[..]));
    }

    #[test]
    fn no_more_files_are_held_than_there_may_be() {
        let files: Vec<(String, Vec<u8>)> = (0..50).map(|at| (format!("{at:02}.log"), vec![at; 9])).collect();
        let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
        let vfs = below(&files);
        let before = HELD.load(Ordering::Relaxed);
        let over = OverlayVfs::holding(Arc::new(vfs.clone()), before + 20);
        assert_eq!(listed(&over).len(), 50);
        // Other readers may let go of theirs meanwhile.
        assert!((1..40).contains(&over.holds.load(Ordering::Relaxed)));
        assert_eq!(read_file(&over, "/d/49.log").expect("memory"), Some(vec![49; 9]));
    }

    #[test]
    fn a_lock_is_neither_taken_nor_in_the_way() {
        let vfs = below(&[]);
        let over = OverlayVfs::over(Arc::new(vfs.clone()));
        assert!(!over.lock("/d/.lock").expect("nobody minds").is_anothers());
        let held = vfs.lock("/d/.lock").expect("nobody has it");
        assert!(over.lock("/d/.lock").expect("nobody minds").is_anothers());
        drop(held);
    }
}
