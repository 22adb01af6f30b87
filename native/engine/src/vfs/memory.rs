//! A file system in memory: for brokers without a directory, and for tests that need faults.
//!
//! With `tracked()` it remembers, as a disk would, what has been made durable: bytes by `sync_data` of their file,
//! names by `sync_folder` of their folder. `crash` then gives an image of what a power cut could leave. `new()` keeps
//! no such record and costs no second copy. Failures: `fail` (once, at the nth operation), `stall`, `set_capacity`.
//! `observe` shows a fork before each operation that changes something, so that a test can enumerate crash points.
//!
//! A failed sync behaves as Linux does: the bytes count as clean afterwards, later syncs succeed and don't cover them.

use super::pages::{Pages, gather};
use super::{DirectoryEntry, File, Lock, LockFailure, OpenMode, Vfs};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IoSlice};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// What can be failed, stalled or counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    Open,
    CreateFolder,
    RemoveFile,
    RemoveFolder,
    Rename,
    List,
    SyncFolder,
    Lock,
    Write,
    Read,
    SyncData,
    SetLen,
}

/// How much of what was not yet durable a crash leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    None,
    All,
    /// Each pending change by the seed, in order; a lost write may leave zeros where it extended the file.
    Some,
    /// As `Some`, and the writes that are kept may be cut short.
    Torn,
}

/// A file system in memory. Clones share it.
#[derive(Clone)]
pub struct MemoryVfs {
    shared: Arc<Shared>,
}

type Observer = Arc<dyn Fn(&MemoryVfs) + Send + Sync>;

struct Shared {
    tracked: bool,
    state: Mutex<State>,
    changed: Condvar,
    /// Whether `state` has anything for `enter` to look at: the plain path then takes no lock.
    watched: AtomicBool,
    used: AtomicU64,
    capacity: AtomicU64,
}

type FolderId = u64;

#[derive(Clone)]
enum Node {
    File(Arc<Inode>),
    Folder(FolderId),
}

#[derive(Default)]
struct Folder {
    names: BTreeMap<String, Node>,
    durable: BTreeMap<String, Node>,
    pending: Vec<NameChange>,
}

#[derive(Clone)]
struct NameChange {
    removed: Option<String>,
    added: Option<(String, Node)>,
}

struct Inode {
    path: String,
    content: Mutex<Content>,
}

#[derive(Clone, Default)]
struct Content {
    bytes: Pages,
    durable: Pages,
    pending: Vec<ByteChange>,
}

#[derive(Clone)]
enum ByteChange {
    Write { at: u64, bytes: Arc<Vec<u8>> },
    SetLen(u64),
}

struct Fault {
    operation: Operation,
    /// Only paths that contain it.
    path_part: String,
    countdown: u64,
    errno: i32,
}

#[derive(Default)]
struct State {
    folders: BTreeMap<FolderId, Folder>,
    next_folder: FolderId,
    locks: BTreeSet<String>,
    faults: Vec<Fault>,
    stalled: BTreeSet<Operation>,
    counts: BTreeMap<Operation, u64>,
    observer: Option<Observer>,
    residency: Option<u64>,
}

impl Default for MemoryVfs {
    fn default() -> Self {
        MemoryVfs::new()
    }
}

impl MemoryVfs {
    /// Without a record of what is durable: a crash keeps everything.
    pub fn new() -> MemoryVfs {
        MemoryVfs::empty(false)
    }

    /// With it: for crash images.
    pub fn tracked() -> MemoryVfs {
        MemoryVfs::empty(true)
    }

    fn empty(tracked: bool) -> MemoryVfs {
        let state = State { folders: BTreeMap::from([(0, Folder::default())]), next_folder: 1, ..State::default() };
        MemoryVfs::of(tracked, state, u64::MAX, 0)
    }

    fn of(tracked: bool, state: State, capacity: u64, used: u64) -> MemoryVfs {
        MemoryVfs {
            shared: Arc::new(Shared {
                tracked,
                state: Mutex::new(state),
                changed: Condvar::new(),
                watched: AtomicBool::new(false),
                used: AtomicU64::new(used),
                capacity: AtomicU64::new(capacity),
            }),
        }
    }

    /// A copy that goes its own way; files share their pages until written. Faults, stalls, locks and the observer
    /// stay behind. What was durable stays so.
    pub fn fork(&self) -> MemoryVfs {
        self.copy(&mut |content| content.clone(), &mut |folder| Folder {
            names: folder.names.clone(),
            durable: folder.durable.clone(),
            pending: folder.pending.clone(),
        })
    }

    /// What a power cut now could leave, as a file system of its own in which everything is durable.
    pub fn crash(&self, seed: u64, keep: Keep) -> MemoryVfs {
        let mut random = Random(seed);
        let mut random_names = Random(seed ^ 0x9e37_79b9_7f4a_7c15);
        let tracked = self.shared.tracked;
        self.copy(
            &mut |content| {
                let bytes = if tracked { content.after_crash(keep, &mut random) } else { content.bytes.clone() };
                Content { durable: if tracked { bytes.clone() } else { Pages::default() }, bytes, pending: Vec::new() }
            },
            &mut |folder| {
                let names = if tracked { folder.after_crash(keep, &mut random_names) } else { folder.names.clone() };
                Folder { durable: if tracked { names.clone() } else { BTreeMap::new() }, names, pending: Vec::new() }
            },
        )
    }

    /// The nth such operation from now (1 is the next) fails with this errno, once. A failed write writes nothing.
    pub fn fail(&self, operation: Operation, nth: u64, errno: i32) {
        self.fail_at(operation, "", nth, errno);
    }

    /// The same, counting only operations on paths that contain `path_part`.
    pub fn fail_at(&self, operation: Operation, path_part: &str, nth: u64, errno: i32) {
        let fault = Fault { operation, path_part: path_part.to_string(), countdown: nth.max(1), errno };
        self.lock_state().faults.push(fault);
        self.shared.watched.store(true, Ordering::Release);
    }

    /// Such operations wait until `release`. For threads; in manual mode leave the role unstepped instead.
    pub fn stall(&self, operation: Operation) {
        self.lock_state().stalled.insert(operation);
        self.shared.watched.store(true, Ordering::Release);
    }

    pub fn release(&self, operation: Operation) {
        self.lock_state().stalled.remove(&operation);
        self.shared.changed.notify_all();
    }

    /// Bytes that all files together may have; a write beyond is short, then refused with ENOSPC.
    pub fn set_capacity(&self, bytes: u64) {
        self.shared.capacity.store(bytes, Ordering::Release);
    }

    pub fn used(&self) -> u64 {
        self.shared.used.load(Ordering::Acquire)
    }

    /// Calls `observer` with a fork before each operation that changes something, also a sync.
    pub fn observe(&self, observer: impl Fn(&MemoryVfs) + Send + Sync + 'static) {
        self.lock_state().observer = Some(Arc::new(observer));
        self.shared.watched.store(true, Ordering::Release);
    }

    pub fn stop_observing(&self) {
        self.lock_state().observer = None;
    }

    /// From now on counts operations (for `count`).
    pub fn watch(&self) {
        self.shared.watched.store(true, Ordering::Release);
    }

    /// How often the operation was tried since the first fault, stall, observer or `watch`.
    pub fn count(&self, operation: Operation) -> u64 {
        self.lock_state().counts.get(&operation).copied().unwrap_or(0)
    }

    /// From now on `resident` answers by this seed instead of always yes.
    pub fn set_residency(&self, seed: u64) {
        self.lock_state().residency = Some(seed);
        self.shared.watched.store(true, Ordering::Release);
    }

    fn lock_state(&self) -> MutexGuard<'_, State> {
        self.shared.lock_state()
    }

    fn copy(
        &self,
        content: &mut dyn FnMut(&Content) -> Content,
        folder: &mut dyn FnMut(&Folder) -> Folder,
    ) -> MemoryVfs {
        let state = self.lock_state();
        let mut copies: BTreeMap<*const Inode, Arc<Inode>> = BTreeMap::new();
        let mut copied = |node: &Node| match node {
            Node::Folder(id) => Node::Folder(*id),
            Node::File(inode) => Node::File(
                copies
                    .entry(Arc::as_ptr(inode))
                    .or_insert_with(|| {
                        let new = content(&lock(&inode.content));
                        Arc::new(Inode { path: inode.path.clone(), content: Mutex::new(new) })
                    })
                    .clone(),
            ),
        };
        let mut folders = BTreeMap::new();
        for (id, old) in &state.folders {
            let mut new = folder(old);
            for node in new.names.values_mut().chain(new.durable.values_mut()) {
                *node = copied(node);
            }
            for change in &mut new.pending {
                if let Some((_, node)) = &mut change.added {
                    *node = copied(node);
                }
            }
            folders.insert(*id, new);
        }
        let used = copies.values().map(|inode| lock(&inode.content).bytes.len()).sum();
        let copy = State { folders, next_folder: state.next_folder, ..State::default() };
        MemoryVfs::of(self.shared.tracked, copy, self.shared.capacity.load(Ordering::Acquire), used)
    }

    fn find(state: &State, path: &str) -> io::Result<Node> {
        let mut node = Node::Folder(0);
        for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
            let Node::Folder(id) = node else { return Err(io::ErrorKind::NotADirectory.into()) };
            let folder = state.folders.get(&id).ok_or(io::ErrorKind::NotFound)?;
            node = folder.names.get(part).cloned().ok_or(io::ErrorKind::NotFound)?;
        }
        Ok(node)
    }

    fn find_folder(state: &State, path: &str) -> io::Result<FolderId> {
        match MemoryVfs::find(state, path)? {
            Node::Folder(id) => Ok(id),
            Node::File(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn change(&self, state: &mut State, folder: FolderId, change: NameChange) {
        let folder = state.folders.get_mut(&folder).expect("a folder that was found");
        change.apply(&mut folder.names);
        if self.shared.tracked {
            folder.pending.push(change);
        }
    }

    /// Gives the bytes of a file back to the capacity when no name and no handle is left.
    fn forget(&self, node: Option<Node>) {
        if let Some(Node::File(inode)) = node {
            let length = lock(&inode.content).bytes.len();
            self.shared.used.fetch_sub(length.min(self.used()), Ordering::AcqRel);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Folder and last name of a path.
fn split(path: &str) -> (&str, &str) {
    let path = path.trim_end_matches('/');
    path.rsplit_once('/').unwrap_or(("", path))
}

impl Shared {
    fn lock_state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Every operation passes here first: observer, stall, fault.
    fn enter(self: &Arc<Shared>, operation: Operation, path: &str) -> io::Result<()> {
        if !self.watched.load(Ordering::Acquire) {
            return Ok(());
        }
        let changes = !matches!(operation, Operation::Read | Operation::List | Operation::Lock);
        let observer = if changes { self.lock_state().observer.clone() } else { None };
        if let Some(observer) = observer {
            observer(&MemoryVfs { shared: self.clone() }.fork());
        }
        let mut state = self.lock_state();
        while state.stalled.contains(&operation) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        *state.counts.entry(operation).or_default() += 1;
        let mut hit = None;
        for (at, fault) in state.faults.iter_mut().enumerate() {
            if fault.operation == operation && path.contains(&fault.path_part) {
                fault.countdown -= 1;
                if fault.countdown == 0 {
                    hit = Some(at);
                    break;
                }
            }
        }
        match hit {
            Some(at) => Err(io::Error::from_raw_os_error(state.faults.remove(at).errno)),
            None => Ok(()),
        }
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<String, Node>) {
        if let Some(name) = &self.removed {
            names.remove(name);
        }
        if let Some((name, node)) = &self.added {
            names.insert(name.clone(), node.clone());
        }
    }
}

impl Folder {
    fn after_crash(&self, keep: Keep, random: &mut Random) -> BTreeMap<String, Node> {
        let mut names = self.durable.clone();
        match keep {
            Keep::None => {}
            Keep::All => names = self.names.clone(),
            Keep::Some | Keep::Torn => {
                // A journal keeps a prefix, a file system without one anything.
                let prefix = random.coin();
                for change in &self.pending {
                    if random.coin() {
                        change.apply(&mut names);
                    } else if prefix {
                        break;
                    }
                }
            }
        }
        names
    }
}

impl Content {
    fn change(&mut self, change: ByteChange, tracked: bool) {
        change.apply(&mut self.bytes);
        if tracked {
            self.pending.push(change);
        }
    }

    fn after_crash(&self, keep: Keep, random: &mut Random) -> Pages {
        let mut pages = self.durable.clone();
        match keep {
            Keep::None => {}
            Keep::All => pages = self.bytes.clone(),
            Keep::Some | Keep::Torn => {
                for change in &self.pending {
                    match change {
                        ByteChange::Write { at, bytes } if random.coin() => {
                            let kept = match keep {
                                Keep::Torn if random.coin() => random.below(bytes.len() as u64 + 1) as usize,
                                _ => bytes.len(),
                            };
                            pages.write(&bytes[..kept], *at);
                        }
                        ByteChange::Write { at, bytes } => {
                            let end = at + bytes.len() as u64;
                            if random.coin() && pages.len() < end {
                                pages.set_len(end);
                            }
                        }
                        ByteChange::SetLen(length) if random.coin() => pages.set_len(*length),
                        ByteChange::SetLen(_) => {}
                    }
                }
            }
        }
        pages
    }
}

impl ByteChange {
    fn apply(&self, pages: &mut Pages) {
        match self {
            ByteChange::Write { at, bytes } => pages.write(bytes, *at),
            ByteChange::SetLen(length) => pages.set_len(*length),
        }
    }
}

/// SplitMix64: all that a crash image needs.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn coin(&mut self) -> bool {
        self.next() & 1 == 1
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

struct MemoryLock {
    shared: Arc<Shared>,
    path: String,
}

impl Lock for MemoryLock {}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        self.shared.lock_state().locks.remove(&self.path);
    }
}

impl Vfs for MemoryVfs {
    fn open(&self, path: &str, mode: OpenMode) -> io::Result<Arc<dyn File>> {
        let (folder, name) = split(path);
        let exists = matches!(MemoryVfs::find(&self.lock_state(), path), Ok(Node::File(_)));
        if mode == OpenMode::Truncate || (mode == OpenMode::Create && !exists) {
            self.shared.enter(Operation::Open, path)?;
        }
        let mut state = self.lock_state();
        let inode = match MemoryVfs::find(&state, path) {
            Ok(Node::File(inode)) => inode,
            Ok(Node::Folder(_)) => return Err(io::ErrorKind::IsADirectory.into()),
            Err(error) if matches!(mode, OpenMode::Read | OpenMode::Write) => return Err(error),
            Err(_) => {
                let folder = MemoryVfs::find_folder(&state, folder)?;
                let inode = Arc::new(Inode { path: path.to_string(), content: Mutex::default() });
                let added = Some((name.to_string(), Node::File(inode.clone())));
                self.change(&mut state, folder, NameChange { removed: None, added });
                inode
            }
        };
        drop(state);
        let file = MemoryFile { shared: self.shared.clone(), inode };
        if mode == OpenMode::Truncate && file.len()? > 0 {
            file.set_len(0)?;
        }
        Ok(Arc::new(file))
    }

    fn create_folder(&self, path: &str) -> io::Result<()> {
        self.shared.enter(Operation::CreateFolder, path)?;
        let (above, name) = split(path);
        let mut state = self.lock_state();
        if MemoryVfs::find(&state, path).is_ok() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let above = MemoryVfs::find_folder(&state, above)?;
        let id = state.next_folder;
        state.next_folder += 1;
        state.folders.insert(id, Folder::default());
        let added = Some((name.to_string(), Node::Folder(id)));
        self.change(&mut state, above, NameChange { removed: None, added });
        Ok(())
    }

    fn create_folders(&self, path: &str) -> io::Result<()> {
        let mut so_far = String::new();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            let above = so_far.clone();
            so_far = format!("{so_far}/{part}");
            match self.create_folder(&so_far) {
                Ok(()) => self.sync_folder(&above)?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn remove_file(&self, path: &str) -> io::Result<()> {
        if !matches!(MemoryVfs::find(&self.lock_state(), path)?, Node::File(_)) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        self.shared.enter(Operation::RemoveFile, path)?;
        let (folder, name) = split(path);
        let mut state = self.lock_state();
        let node = MemoryVfs::find(&state, path)?;
        let folder = MemoryVfs::find_folder(&state, folder)?;
        self.change(&mut state, folder, NameChange { removed: Some(name.to_string()), added: None });
        self.forget(Some(node));
        Ok(())
    }

    fn remove_folder(&self, path: &str) -> io::Result<()> {
        self.shared.enter(Operation::RemoveFolder, path)?;
        let (above, name) = split(path);
        let mut state = self.lock_state();
        let id = MemoryVfs::find_folder(&state, path)?;
        if state.folders.get(&id).is_some_and(|folder| !folder.names.is_empty()) {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        let above = MemoryVfs::find_folder(&state, above)?;
        self.change(&mut state, above, NameChange { removed: Some(name.to_string()), added: None });
        Ok(())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.shared.enter(Operation::Rename, from)?;
        let ((folder, old), (folder_to, new)) = (split(from), split(to));
        let mut state = self.lock_state();
        if folder != folder_to {
            return Err(io::ErrorKind::CrossesDevices.into());
        }
        let node = MemoryVfs::find(&state, from)?;
        let replaced = match (MemoryVfs::find(&state, to), &node) {
            (Err(_), _) => None,
            (Ok(file @ Node::File(_)), Node::File(_)) => Some(file),
            (Ok(_), _) => return Err(io::ErrorKind::AlreadyExists.into()),
        };
        let folder = MemoryVfs::find_folder(&state, folder)?;
        let change = NameChange { removed: Some(old.to_string()), added: Some((new.to_string(), node)) };
        self.change(&mut state, folder, change);
        self.forget(replaced);
        Ok(())
    }

    fn list(&self, path: &str) -> io::Result<Vec<DirectoryEntry>> {
        self.shared.enter(Operation::List, path)?;
        let state = self.lock_state();
        let id = MemoryVfs::find_folder(&state, path)?;
        let names = &state.folders[&id].names;
        Ok(names
            .iter()
            .map(|(name, node)| DirectoryEntry { name: name.clone(), folder: matches!(node, Node::Folder(_)) })
            .collect())
    }

    fn sync_folder(&self, path: &str) -> io::Result<()> {
        let failed = self.shared.enter(Operation::SyncFolder, path).err();
        let mut state = self.lock_state();
        let id = MemoryVfs::find_folder(&state, path)?;
        if self.shared.tracked {
            let folder = state.folders.get_mut(&id).expect("a folder that was found");
            let pending = std::mem::take(&mut folder.pending);
            if failed.is_none() {
                pending.iter().for_each(|change| change.apply(&mut folder.durable));
            }
        }
        failed.map_or(Ok(()), Err)
    }

    fn lock(&self, path: &str) -> Result<Box<dyn Lock>, LockFailure> {
        self.shared.enter(Operation::Lock, path).map_err(LockFailure::Io)?;
        self.open(path, OpenMode::Create).map_err(LockFailure::Io)?;
        if !self.lock_state().locks.insert(path.to_string()) {
            return Err(LockFailure::HeldHere);
        }
        Ok(Box::new(MemoryLock { shared: self.shared.clone(), path: path.to_string() }))
    }
}

struct MemoryFile {
    shared: Arc<Shared>,
    inode: Arc<Inode>,
}

impl File for MemoryFile {
    fn write_at(&self, parts: &[IoSlice<'_>], at: u64) -> io::Result<usize> {
        self.shared.enter(Operation::Write, &self.inode.path)?;
        let wanted: u64 = parts.iter().map(|part| part.len() as u64).sum();
        let mut content = lock(&self.inode.content);
        let length = content.bytes.len();
        let free =
            self.shared.capacity.load(Ordering::Acquire).saturating_sub(self.shared.used.load(Ordering::Acquire));
        let taken = wanted.min((length + free).saturating_sub(at));
        if taken == 0 && wanted > 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if self.shared.tracked {
            let bytes = Arc::new(gather(parts, taken));
            content.change(ByteChange::Write { at, bytes }, true);
        } else {
            let mut left = taken as usize;
            let mut position = at;
            for part in parts {
                let n = part.len().min(left);
                content.bytes.write(&part[..n], position);
                position += n as u64;
                left -= n;
            }
        }
        self.shared.used.fetch_add(content.bytes.len() - length, Ordering::AcqRel);
        Ok(taken as usize)
    }

    fn read_at(&self, into: &mut [u8], at: u64) -> io::Result<usize> {
        self.shared.enter(Operation::Read, &self.inode.path)?;
        Ok(lock(&self.inode.content).bytes.read(into, at))
    }

    fn sync_data(&self) -> io::Result<()> {
        let failed = self.shared.enter(Operation::SyncData, &self.inode.path).err();
        if self.shared.tracked {
            let content = &mut *lock(&self.inode.content);
            let pending = std::mem::take(&mut content.pending);
            if failed.is_none() {
                pending.iter().for_each(|change| change.apply(&mut content.durable));
            }
        }
        failed.map_or(Ok(()), Err)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.shared.enter(Operation::SetLen, &self.inode.path)?;
        let mut content = lock(&self.inode.content);
        let before = content.bytes.len();
        content.change(ByteChange::SetLen(length), self.shared.tracked);
        if length > before {
            self.shared.used.fetch_add(length - before, Ordering::AcqRel);
        } else {
            self.shared.used.fetch_sub(before - length, Ordering::AcqRel);
        }
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(lock(&self.inode.content).bytes.len())
    }

    fn resident(&self, _at: u64, _length: u64) -> bool {
        if !self.shared.watched.load(Ordering::Acquire) {
            return true;
        }
        let mut state = self.shared.lock_state();
        match &mut state.residency {
            None => true,
            Some(seed) => {
                let mut random = Random(*seed);
                let answer = random.coin();
                *seed = random.0;
                answer
            }
        }
    }

    fn warm(&self, _at: u64, _length: u64) -> io::Result<()> {
        Ok(())
    }

    fn raw_fd(&self) -> Option<i32> {
        None
    }
}
