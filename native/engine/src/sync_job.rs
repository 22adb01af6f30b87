//! What one sync of a log writes and syncs: its dirty files, and with a recovery point the indexes, epochs and producer
//! snapshot that it promises.
//!
//! Invariants: holds no lock and blocks on the disk. Everything is on disk, names included, before `run` returns true.
//! A failed sync ends the job; no room is the one failure that it survives, by leaving the recovery point where it was.

use crate::checkpoint::LEADER_EPOCHS;
use crate::planted::{Bug, planted};
use crate::retire::Retire;
use crate::segment::{IndexFiles, file_name};
use crate::sums::SUMS;
use crate::vfs::{File, OpenMode, Vfs, is_no_space, path, remove_if_there, write_all_at};
use std::io;
use std::sync::Arc;

/// Files that wait for their sync, and their paths.
type Written = Vec<(Arc<dyn File>, String)>;

/// What has to be on disk, besides the bytes, before the recovery point is `offset`.
#[derive(Clone, Debug)]
pub struct Advance {
    pub offset: i64,
    /// Index files to write and sync.
    pub indexes: Vec<IndexFiles>,
    /// Sealed segments whose index files are written and not yet synced.
    pub sealed: Vec<i64>,
    pub epochs: Vec<u8>,
    /// The content of `odradek-sums`, which speaks of all of these.
    pub sums: Vec<u8>,
    /// The producer snapshot at `offset`; None when that one is there.
    pub snapshot: Option<Vec<u8>>,
    /// Producer snapshots that this one replaces.
    pub obsolete: Vec<i64>,
}

/// What one run of a sync thread has to do. Holds no lock.
pub struct SyncJob {
    pub upto: i64,
    /// A journal waits for these files.
    pub drains: bool,
    pub files: Vec<Arc<dyn File>>,
    /// Segments that were found at the start.
    pub recovered: Vec<i64>,
    pub names: bool,
    pub snapshots: Vec<(i64, Vec<u8>)>,
    pub advance: Option<Box<Advance>>,
    /// Segments whose files get their last names, after everything else.
    pub retire: Retire,
    /// They have them.
    pub retired: bool,
}

impl SyncJob {
    /// Blocks on the disk. True: all of it is done. False: the bytes are on disk, and there was no room for the rest,
    /// so the recovery point stays where it was.
    pub fn run(&self, vfs: &dyn Vfs, folder: &str) -> Result<bool, Failed> {
        // Everything is written before the first sync: a journal then commits it all at once.
        let mut beside = Beside { vfs, folder, files: Vec::new(), renames: Vec::new(), complete: true };
        // A recovery point at a roll brings the same one.
        let twice = |offset| self.advance.as_ref().is_some_and(|a| a.offset == offset && a.snapshot.is_some());
        for (offset, bytes) in self.snapshots.iter().filter(|(offset, _)| !twice(*offset)) {
            beside.replace(&file_name(*offset, ".snapshot"), bytes)?;
        }
        if let Some(advance) = &self.advance {
            advance.write(&mut beside)?;
        }
        for base in &self.recovered {
            let path = path(folder, &file_name(*base, ".log"));
            match vfs.open(&path, OpenMode::Write).and_then(|file| file.sync_data()) {
                Ok(()) => {}
                // A cut or retention took it meanwhile.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(Failed { what: format!("syncing {path}"), error }),
            }
        }
        for file in self.files.iter().filter(|_| !planted(Bug::AcknowledgeBeforeSync)) {
            let mut synced = file.sync_data();
            if planted(Bug::RetryFailedSync) {
                synced = synced.or_else(|_| file.sync_data());
            }
            synced.map_err(|error| Failed { what: "syncing a segment".to_string(), error })?;
        }
        let complete = beside.complete || planted(Bug::RecoveryPointPastError);
        let names = self.names || self.advance.is_some() || !self.snapshots.is_empty();
        beside.settle()?;
        if let Some(advance) = self.advance.as_ref().filter(|_| complete) {
            advance.remove_obsolete(vfs, folder)?;
        }
        if names && !planted(Bug::SkipFolderSync) {
            vfs.sync_folder(folder).map_err(|error| Failed { what: format!("syncing {folder}"), error })?;
        }
        Ok(complete)
    }

    /// A truncation to `offset` has overtaken this job: snapshots and sums that it wrote above must go again.
    pub fn take_back(&self, vfs: &dyn Vfs, folder: &str, offset: i64) -> Result<(), Failed> {
        let snapshots =
            self.snapshots.iter().map(|(at, _)| *at).chain(self.advance.iter().map(|advance| advance.offset));
        for above in snapshots.filter(|at| *at > offset && !planted(Bug::KeepSnapshotAboveCut)) {
            let path = path(folder, &file_name(above, ".snapshot"));
            remove_if_there(vfs, &path).map_err(|error| Failed { what: format!("removing {path}"), error })?;
        }
        if self.advance.as_ref().is_some_and(|advance| advance.offset > offset) {
            let path = path(folder, SUMS);
            remove_if_there(vfs, &path).map_err(|error| Failed { what: format!("removing {path}"), error })?;
        }
        vfs.sync_folder(folder).map_err(|error| Failed { what: format!("syncing {folder}"), error })
    }
}

/// What failed, and how.
#[derive(Debug)]
pub struct Failed {
    pub what: String,
    pub error: io::Error,
}

/// Files written beside the segments that wait for their sync, and then for their names.
struct Beside<'a> {
    vfs: &'a dyn Vfs,
    folder: &'a str,
    files: Written,
    renames: Vec<(String, String)>,
    /// There was room for all of them.
    complete: bool,
}

impl Beside<'_> {
    /// Writes a file anew under a temporary name.
    fn replace(&mut self, name: &str, bytes: &[u8]) -> Result<(), Failed> {
        let (temporary, target) = (path(self.folder, &format!("{name}.tmp")), path(self.folder, name));
        let failed = |error| Failed { what: format!("writing {target}"), error };
        let written = self.vfs.open(&temporary, OpenMode::Truncate).and_then(|file| {
            write_all_at(&*file, bytes, 0)?;
            Ok(file)
        });
        match written {
            Ok(file) => {
                self.files.push((file, temporary.clone()));
                self.renames.push((temporary, target));
            }
            Err(error) if is_no_space(&error) => {
                self.complete = false;
                remove_if_there(self.vfs, &temporary).map_err(failed)?;
            }
            Err(error) => return Err(failed(error)),
        }
        Ok(())
    }

    /// Syncs the files, then gives them their names. The folder's sync is the caller's.
    fn settle(self) -> Result<(), Failed> {
        for (file, path) in &self.files {
            file.sync_data().map_err(|error| Failed { what: format!("syncing {path}"), error })?;
        }
        for (from, to) in &self.renames {
            self.vfs.rename(from, to).map_err(|error| Failed { what: format!("renaming {from}"), error })?;
        }
        Ok(())
    }
}

impl Advance {
    fn write(&self, beside: &mut Beside<'_>) -> Result<(), Failed> {
        for base in &self.sealed {
            for suffix in [".index", ".timeindex", ".txnindex"] {
                let path = path(beside.folder, &file_name(*base, suffix));
                match beside.vfs.open(&path, OpenMode::Write) {
                    Ok(file) => beside.files.push((file, path)),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(Failed { what: format!("opening {path}"), error }),
                }
            }
        }
        for files in &self.indexes {
            match files.write(beside.vfs, beside.folder)? {
                Some(written) => beside.files.extend(written),
                None => beside.complete = false,
            }
        }
        let there = || beside.vfs.open(&path(beside.folder, LEADER_EPOCHS), OpenMode::Read).is_ok();
        if !(planted(Bug::LoseEpochs) && there()) {
            beside.replace(LEADER_EPOCHS, &self.epochs)?;
        }
        if let Some(bytes) = &self.snapshot {
            beside.replace(&file_name(self.offset, ".snapshot"), bytes)?;
        }
        // The last to get its name. Without the others it would call them decayed.
        if beside.complete {
            beside.replace(SUMS, &self.sums)?;
        }
        Ok(())
    }

    fn remove_obsolete(&self, vfs: &dyn Vfs, folder: &str) -> Result<(), Failed> {
        for offset in self.obsolete.iter().filter(|offset| **offset != self.offset) {
            let path = path(folder, &file_name(*offset, ".snapshot"));
            remove_if_there(vfs, &path).map_err(|error| Failed { what: format!("removing {path}"), error })?;
        }
        Ok(())
    }
}

impl IndexFiles {
    /// Writes them in place; the caller syncs those that are returned. None if there was no room: what was written then
    /// is short and gets rebuilt.
    pub fn write(&self, vfs: &dyn Vfs, folder: &str) -> Result<Option<Written>, Failed> {
        let mut files = Vec::new();
        for (suffix, bytes) in [(".index", &self.offsets), (".timeindex", &self.times), (".txnindex", &self.aborted)] {
            let path = path(folder, &file_name(self.base, suffix));
            if suffix == ".txnindex" && bytes.is_empty() {
                remove_if_there(vfs, &path).map_err(|error| Failed { what: format!("removing {path}"), error })?;
                continue;
            }
            let written = vfs.open(&path, OpenMode::Create).and_then(|file| {
                write_all_at(&*file, bytes, 0)?;
                let longer = file.len()? != bytes.len() as u64;
                if longer {
                    file.set_len(bytes.len() as u64)?;
                }
                Ok((file, longer || !bytes.is_empty()))
            });
            match written {
                Ok((file, true)) => files.push((file, path)),
                // Of one that was and is empty only the name counts.
                Ok((_, false)) => {}
                Err(error) if is_no_space(&error) => return Ok(None),
                Err(error) => return Err(Failed { what: format!("writing {path}"), error }),
            }
        }
        Ok(Some(files))
    }

    /// Writes and syncs them; false if there was no room.
    pub fn write_durably(&self, vfs: &dyn Vfs, folder: &str) -> Result<bool, Failed> {
        let Some(files) = self.write(vfs, folder)? else { return Ok(false) };
        for (file, path) in files {
            file.sync_data().map_err(|error| Failed { what: format!("syncing {path}"), error })?;
        }
        Ok(true)
    }
}
