//! A file system under which nothing changes: reads go through to another one, and whatever is written, renamed or removed
//! stays in memory. For logs that are opened to be read alone, whoever writes to them meanwhile.
//!
//! Invariants: the one below is only listed, opened for reading and read. A file has the length that it had when it was
//! first opened here. Segments and their indexes are opened when their folder is first listed and stay open: what another
//! process renames, replaces or removes later is still read as it was, as far as the descriptors go that all readers of this
//! process may hold. The lock is not taken.

use super::platform::descriptors;
use super::{DirectoryEntry, File, Lock, LockFailure, Map, OpenMode, Space, Vfs, path};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IoSlice};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};

/// A file's own bytes are kept in pieces of this size.
const BLOCK: u64 = 64 << 10;

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

/// A file below, and what was written here over it.
#[derive(Default)]
struct OverlayFile {
    below: Option<Arc<dyn File>>,
    content: RwLock<Content>,
}

/// Invariant: no block of its own begins at or above `length`; what such a block has above it is zeros.
#[derive(Default)]
struct Content {
    length: u64,
    /// What is not in a block comes from below up to here, and is zeros above.
    through: u64,
    blocks: BTreeMap<u64, Vec<u8>>,
}

impl OverlayFile {
    fn over(below: Arc<dyn File>) -> io::Result<Arc<OverlayFile>> {
        let length = below.len()?;
        let content = RwLock::new(Content { length, through: length, blocks: BTreeMap::new() });
        Ok(Arc::new(OverlayFile { below: Some(below), content }))
    }

    fn content(&self) -> std::sync::RwLockReadGuard<'_, Content> {
        self.content.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self) -> std::sync::RwLockWriteGuard<'_, Content> {
        self.content.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what no block has; some of it.
    fn read_through(&self, into: &mut [u8], at: u64, through: u64) -> io::Result<usize> {
        match &self.below {
            Some(below) if at < through => {
                let limit = (through - at).min(into.len() as u64) as usize;
                match below.read_at(&mut into[..limit], at)? {
                    // Its writer has cut off what was reserved.
                    0 => {
                        into[..limit].fill(0);
                        Ok(limit)
                    }
                    n => Ok(n),
                }
            }
            _ => {
                into.fill(0);
                Ok(into.len())
            }
        }
    }

    /// As it is before it is written to.
    fn block(&self, number: u64, through: u64) -> io::Result<Vec<u8>> {
        let mut block = vec![0; BLOCK as usize];
        let mut filled = 0;
        while filled < block.len() {
            filled += self.read_through(&mut block[filled..], number * BLOCK + filled as u64, through)?;
        }
        Ok(block)
    }
}

impl File for OverlayFile {
    fn write_at(&self, parts: &[IoSlice<'_>], at: u64) -> io::Result<usize> {
        let mut content = self.change();
        let mut end = at;
        for mut part in parts.iter().map(|part| &**part) {
            while !part.is_empty() {
                let (number, inside) = (end / BLOCK, (end % BLOCK) as usize);
                let n = part.len().min(BLOCK as usize - inside);
                if !content.blocks.contains_key(&number) {
                    let block = self.block(number, content.through)?;
                    content.blocks.insert(number, block);
                }
                if let Some(block) = content.blocks.get_mut(&number) {
                    block[inside..inside + n].copy_from_slice(&part[..n]);
                }
                part = &part[n..];
                end += n as u64;
                content.length = content.length.max(end);
            }
        }
        Ok((end - at) as usize)
    }

    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        let content = self.content();
        let wanted = (into.len() as u64).min(content.length.saturating_sub(at)) as usize;
        if wanted == 0 {
            return Ok(0);
        }
        let into = &mut into[..wanted];
        if let Some(block) = content.blocks.get(&(at / BLOCK)) {
            let rest = &block[(at % BLOCK) as usize..];
            let n = rest.len().min(wanted);
            into[..n].copy_from_slice(&rest[..n]);
            return Ok(n);
        }
        let next = content.blocks.range(at / BLOCK..).next().map_or(u64::MAX, |(number, _)| number * BLOCK);
        let limit = (next - at).min(wanted as u64) as usize;
        self.read_through(&mut into[..limit], at, content.through)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn begin_writing(&self) {}

    fn set_len(&self, length: u64) -> io::Result<()> {
        let content = &mut *self.change();
        if length < content.length {
            content.through = content.through.min(length);
            content.blocks.split_off(&length.div_ceil(BLOCK));
            if let Some(block) = content.blocks.get_mut(&(length / BLOCK)) {
                block[(length % BLOCK) as usize..].fill(0);
            }
        }
        content.length = length;
        Ok(())
    }

    fn map(&self, _length: u64) -> io::Result<Box<dyn Map>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.content().length)
    }

    fn resident(&self, at: u64, length: u64) -> bool {
        self.below.as_ref().is_none_or(|below| below.resident(at, length))
    }

    fn warm(&self, at: u64, length: u64) -> io::Result<()> {
        self.below.as_ref().map_or(Ok(()), |below| below.warm(at, length))
    }

    fn modified_ms(&self) -> io::Result<Option<i64>> {
        self.below.as_ref().map_or(Ok(None), |below| below.modified_ms())
    }

    fn raw_fd(&self) -> Option<i32> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::{MemoryVfs, read_file, write_all_at, write_file_atomically};
    use super::*;
    use proptest::prelude::*;

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

    #[derive(Clone, Debug)]
    enum Step {
        Write(u64, Vec<u8>),
        SetLen(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0u64..200_000, 1usize..140_000, any::<u8>()).prop_map(|(at, n, byte)| Step::Write(at, vec![byte; n])),
            (0u64..200_000).prop_map(Step::SetLen),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_file_behaves_as_a_copy_of_the_one_below(
            length in 0usize..180_000,
            steps in proptest::collection::vec(step(), 1..8),
        ) {
            let mut model: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let vfs = below(&[("f", &model)]);
            let over = OverlayVfs::over(Arc::new(vfs.clone()));
            let file = over.open("/d/f", OpenMode::Write).expect("it is there");
            for step in steps {
                match step {
                    Step::Write(at, bytes) => {
                        let end = at as usize + bytes.len();
                        model.resize(model.len().max(end), 0);
                        model[at as usize..end].copy_from_slice(&bytes);
                        let (front, back) = bytes.split_at(bytes.len() / 2);
                        let written = file.write_at(&[IoSlice::new(front), IoSlice::new(back)], at).expect("memory");
                        prop_assert_eq!(written, bytes.len());
                    }
                    Step::SetLen(length) => {
                        model.resize(length as usize, 0);
                        file.set_len(length).expect("memory");
                    }
                }
                let read = read_file(&over, "/d/f").expect("memory").unwrap_or_default();
                prop_assert!(read == model);
            }
            let kept = read_file(&vfs, "/d/f").expect("memory").unwrap_or_default();
            prop_assert!(kept.iter().enumerate().all(|(at, byte)| *byte == at as u8) && kept.len() == length);
        }
    }
}
