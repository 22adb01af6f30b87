//! A file system in memory: for brokers without a directory, and for tests that need faults.
//!
//! With `tracked()` it remembers, as a disk would, what has been made durable: bytes by `sync_data` of their file,
//! names by `sync_folder` of their folder. `crash` then gives an image of what a power cut could leave. `new()` keeps
//! no such record and costs no second copy. Failures: `fail` (once, at the nth operation), `stall`, `set_capacity`.
//! `observe` shows a fork before each operation that changes something, so that a test can enumerate crash points.
//!
//! A failed sync behaves as Linux does: the bytes count as clean afterwards, later syncs succeed and don't cover them.

use super::durability::{Content, Folder, FolderId, Inode, Keep, NameChange, Node, Random};
use super::pages::Pages;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
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
    /// Of a map's range.
    Populate,
    /// Through a map; one that fails breaks it.
    Store,
}

/// A file system in memory. Clones share it.
#[derive(Clone)]
pub struct MemoryVfs {
    pub(super) shared: Arc<Shared>,
}

type Observer = Arc<dyn Fn(&MemoryVfs) + Send + Sync>;

pub(super) struct Shared {
    pub(super) tracked: bool,
    pub(super) state: Mutex<State>,
    pub(super) changed: Condvar,
    /// Whether `state` has anything for `enter` to look at: the plain path then takes no lock.
    pub(super) watched: AtomicBool,
    pub(super) used: AtomicU64,
    pub(super) capacity: AtomicU64,
    pub(super) open_files: AtomicUsize,
    /// Operations that change something, counted while watched: the last one's number.
    pub(super) order: AtomicU64,
}

struct Fault {
    operation: Operation,
    /// Only paths that contain it.
    path_part: String,
    countdown: u64,
    errno: i32,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) folders: BTreeMap<FolderId, Folder>,
    pub(super) next_folder: FolderId,
    pub(super) locks: BTreeSet<String>,
    faults: Vec<Fault>,
    stalled: BTreeSet<Operation>,
    counts: BTreeMap<Operation, u64>,
    observer: Option<Observer>,
    pub(super) residency: Option<u64>,
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
        MemoryVfs::of(tracked, state, u64::MAX, 0, 0)
    }

    fn of(tracked: bool, state: State, capacity: u64, used: u64, order: u64) -> MemoryVfs {
        MemoryVfs {
            shared: Arc::new(Shared {
                tracked,
                state: Mutex::new(state),
                changed: Condvar::new(),
                watched: AtomicBool::new(false),
                used: AtomicU64::new(used),
                capacity: AtomicU64::new(capacity),
                open_files: AtomicUsize::new(0),
                order: AtomicU64::new(order),
            }),
        }
    }

    /// Files that are open now.
    pub fn open_files(&self) -> usize {
        self.shared.open_files.load(Ordering::Relaxed)
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
        let last = self.shared.order.load(Ordering::Acquire);
        self.copy(
            &mut |content| {
                let bytes = if tracked { content.after_crash(keep, last, &mut random) } else { content.bytes.clone() };
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

    pub(super) fn lock_state(&self) -> MutexGuard<'_, State> {
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
        let (capacity, order) = (&self.shared.capacity, &self.shared.order);
        MemoryVfs::of(self.shared.tracked, copy, capacity.load(Ordering::Acquire), used, order.load(Ordering::Acquire))
    }

    pub(super) fn find(state: &State, path: &str) -> io::Result<Node> {
        let mut node = Node::Folder(0);
        for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
            let Node::Folder(id) = node else { return Err(io::ErrorKind::NotADirectory.into()) };
            let folder = state.folders.get(&id).ok_or(io::ErrorKind::NotFound)?;
            node = folder.names.get(part).cloned().ok_or(io::ErrorKind::NotFound)?;
        }
        Ok(node)
    }

    pub(super) fn find_folder(state: &State, path: &str) -> io::Result<FolderId> {
        match MemoryVfs::find(state, path)? {
            Node::Folder(id) => Ok(id),
            Node::File(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    pub(super) fn change(&self, state: &mut State, folder: FolderId, change: NameChange) {
        let folder = state.folders.get_mut(&folder).expect("a folder that was found");
        change.apply(&mut folder.names);
        if self.shared.tracked {
            folder.pending.push(change);
        }
    }

    /// Gives the bytes of a file back to the capacity when no name and no handle is left.
    pub(super) fn forget(&self, node: Option<Node>) {
        if let Some(Node::File(inode)) = node {
            let length = lock(&inode.content).bytes.len();
            self.shared.used.fetch_sub(length.min(self.used()), Ordering::AcqRel);
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Folder and last name of a path.
pub(super) fn split(path: &str) -> (&str, &str) {
    let path = path.trim_end_matches('/');
    path.rsplit_once('/').unwrap_or(("", path))
}

impl Shared {
    pub(super) fn lock_state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Every operation passes here first: observer, stall, fault.
    pub(super) fn enter(self: &Arc<Shared>, operation: Operation, path: &str) -> io::Result<()> {
        if !self.watched.load(Ordering::Acquire) {
            return Ok(());
        }
        let changes = !matches!(operation, Operation::Read | Operation::List | Operation::Lock);
        let observer = if changes { self.lock_state().observer.clone() } else { None };
        if let Some(observer) = observer {
            observer(&MemoryVfs { shared: self.clone() }.fork());
        }
        if changes {
            self.order.fetch_add(1, Ordering::AcqRel);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vfs::{File, OpenMode, Vfs, read_file, write_all_at, write_file_atomically};

    fn write(vfs: &MemoryVfs, path: &str, bytes: &[u8], at: u64) -> Arc<dyn File> {
        let file = vfs.open(path, OpenMode::Create).unwrap();
        write_all_at(&*file, bytes, at).unwrap();
        file
    }

    fn content(vfs: &MemoryVfs, path: &str) -> Option<Vec<u8>> {
        read_file(vfs, path).unwrap()
    }

    #[test]
    fn a_crash_keeps_bytes_that_were_synced_under_names_that_were_synced() {
        let vfs = MemoryVfs::tracked();
        vfs.create_folders("/d").unwrap();
        let file = write(&vfs, "/d/a", b"one", 0);
        file.sync_data().unwrap();
        assert_eq!(content(&vfs.crash(0, Keep::None), "/d/a"), None, "the name was not synced");
        vfs.sync_folder("/d").unwrap();
        write(&vfs, "/d/a", b"two", 3);
        assert_eq!(content(&vfs.crash(0, Keep::None), "/d/a"), Some(b"one".to_vec()));
        assert_eq!(content(&vfs.crash(0, Keep::All), "/d/a"), Some(b"onetwo".to_vec()));
        vfs.rename("/d/a", "/d/b").unwrap();
        let image = vfs.crash(0, Keep::None);
        assert_eq!((content(&image, "/d/a").is_some(), content(&image, "/d/b")), (true, None));
        vfs.remove_file("/d/b").unwrap();
        vfs.sync_folder("/d").unwrap();
        assert!(vfs.crash(0, Keep::All).list("/d").unwrap().is_empty());
        assert_eq!(file.len().unwrap(), 6, "an open file outlives its name");
    }

    #[test]
    fn a_crash_in_part_leaves_each_change_or_not_by_its_seed() {
        let vfs = MemoryVfs::tracked();
        vfs.create_folders("/d").unwrap();
        write(&vfs, "/d/a", b"base", 0).sync_data().unwrap();
        vfs.sync_folder("/d").unwrap();
        write(&vfs, "/d/a", b"1111", 4);
        write(&vfs, "/d/a", b"2222", 8);
        let seen = |keep| {
            let images = (0..200).map(|seed| content(&vfs.crash(seed, keep), "/d/a").unwrap());
            images.collect::<BTreeSet<Vec<u8>>>()
        };
        let some = seen(Keep::Some);
        for image in [&b"base"[..], b"base1111", b"base11112222", b"base\x00\x00\x00\x002222", b"base\0\0\0\0"] {
            assert!(some.contains(image), "{image:?}");
        }
        assert!(some.iter().all(|image| image.starts_with(b"base")));
        assert!(seen(Keep::Torn).contains(&b"base11"[..]));
        let same = |seed| content(&vfs.crash(seed, Keep::Torn), "/d/a");
        assert_eq!(same(7), same(7));
    }

    #[test]
    fn a_file_that_is_replaced_is_the_old_one_or_the_new_one() {
        let vfs = MemoryVfs::tracked();
        vfs.create_folders("/d").unwrap();
        write_file_atomically(&vfs, "/d", "a", b"old").unwrap();
        let images = Arc::new(Mutex::new(Vec::new()));
        let kept = images.clone();
        vfs.observe(move |fork| lock(&kept).push(fork.clone()));
        write_file_atomically(&vfs, "/d", "a", b"new").unwrap();
        vfs.stop_observing();
        assert_eq!(lock(&images).len(), 5, "open, write, sync, rename, sync of the folder");
        for image in lock(&images).iter() {
            for seed in 0..20 {
                let found = content(&image.crash(seed, Keep::Torn), "/d/a").unwrap();
                assert!(found == b"old" || found == b"new", "{found:?}");
            }
        }
        assert_eq!(content(&vfs.crash(0, Keep::None), "/d/a"), Some(b"new".to_vec()));
    }

    #[test]
    fn after_a_failed_sync_the_next_one_succeeds_and_covers_nothing_of_it() {
        let vfs = MemoryVfs::tracked();
        let file = write(&vfs, "/a", b"lost", 0);
        vfs.sync_folder("/").unwrap();
        vfs.fail(Operation::SyncData, 1, 5);
        assert_eq!(file.sync_data().unwrap_err().raw_os_error(), Some(5));
        file.sync_data().unwrap();
        assert_eq!(content(&vfs, "/a"), Some(b"lost".to_vec()));
        assert_eq!(content(&vfs.crash(0, Keep::None), "/a"), Some(Vec::new()));
    }

    #[test]
    fn a_failure_hits_the_nth_operation_on_its_path_once() {
        let vfs = MemoryVfs::new();
        vfs.fail_at(Operation::Write, "b", 2, 28);
        let (a, b) = (write(&vfs, "/a", b"1", 0), write(&vfs, "/b", b"1", 0));
        write_all_at(&*a, b"2", 1).unwrap();
        assert_eq!(write_all_at(&*b, b"2", 1).unwrap_err().raw_os_error(), Some(28));
        write_all_at(&*b, b"3", 1).unwrap();
        assert_eq!(content(&vfs, "/b"), Some(b"13".to_vec()));
    }

    #[test]
    fn a_full_disk_takes_what_fits_and_room_comes_back() {
        let vfs = MemoryVfs::new();
        vfs.set_capacity(5);
        let file = vfs.open("/a", OpenMode::Create).unwrap();
        assert_eq!(file.write_at(&[io::IoSlice::new(b"1234"), io::IoSlice::new(b"5678")], 0).unwrap(), 5);
        assert!(crate::vfs::is_no_space(&file.write_at(&[io::IoSlice::new(b"6")], 5).unwrap_err()));
        assert_eq!(file.write_at(&[io::IoSlice::new(b"over")], 0).unwrap(), 4, "what is there can be written over");
        file.set_len(1).unwrap();
        assert_eq!(vfs.used(), 1);
        vfs.remove_file("/a").unwrap();
        assert_eq!(vfs.used(), 0);
    }

    #[test]
    fn a_fork_goes_its_own_way() {
        let vfs = MemoryVfs::new();
        write(&vfs, "/a", &[1; 100_000], 0);
        let fork = vfs.fork();
        write(&vfs, "/a", &[2; 10], 70_000);
        write(&fork, "/b", b"fork", 0);
        assert_eq!(content(&fork, "/a"), Some(vec![1; 100_000]));
        assert_eq!(content(&vfs, "/a").unwrap()[70_000], 2);
        assert_eq!(content(&vfs, "/b"), None);
    }
}
