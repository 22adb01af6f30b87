//! The operations of the file system in memory. Each one passes `Shared::enter` before it does anything.

use super::durability::{ByteChange, Folder, Inode, NameChange, Node, Random};
use super::memory::{MemoryVfs, Operation, Shared, lock, split};
use super::memory_map::MemoryMap;
use super::pages::gather;
use super::platform::failed_sync;
use super::{DirectoryEntry, File, Lock, LockFailure, Map, OpenMode, Space, Vfs};
use std::io::{self, IoSlice};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

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
    fn has_disk(&self) -> bool {
        self.shared.tracked
    }

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
        self.shared.open_files.fetch_add(1, Ordering::Relaxed);
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

    fn sync_everything(&self, _path: &str) -> io::Result<bool> {
        Ok(false)
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
        failed.map_or(Ok(()), |error| Err(failed_sync(error)))
    }

    fn space(&self, _path: &str) -> io::Result<Option<Space>> {
        Ok(None)
    }

    fn lock(&self, path: &str) -> Result<Box<dyn Lock>, LockFailure> {
        self.shared.enter(Operation::Lock, path).map_err(LockFailure::Io)?;
        self.open(path, OpenMode::Create).map_err(LockFailure::Io)?;
        if !self.lock_state().locks.insert(path.to_string()) {
            return Err(LockFailure::HeldHere);
        }
        Ok(Box::new(MemoryLock { shared: self.shared.clone(), path: path.to_string() }))
    }

    fn lock_holder(&self, path: &str) -> io::Result<Option<LockFailure>> {
        Ok(self.lock_state().locks.contains(path).then_some(LockFailure::HeldHere))
    }
}

struct MemoryFile {
    shared: Arc<Shared>,
    inode: Arc<Inode>,
}

impl Drop for MemoryFile {
    fn drop(&mut self) {
        self.shared.open_files.fetch_sub(1, Ordering::Relaxed);
    }
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
            let order = self.shared.order.load(Ordering::Acquire);
            content.change(ByteChange::Write { at, bytes, order }, true);
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
        failed.map_or(Ok(()), |error| Err(failed_sync(error)))
    }

    fn begin_writing(&self) {}

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

    fn map(&self, length: u64) -> io::Result<Box<dyn Map>> {
        Ok(Box::new(MemoryMap::new(self.shared.clone(), self.inode.clone(), length)))
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

    fn modified_ms(&self) -> io::Result<Option<i64>> {
        Ok(None)
    }

    fn raw_fd(&self) -> Option<i32> {
        None
    }
}
