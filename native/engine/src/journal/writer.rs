//! Writes the journal: prepares it, takes what waits into a record, forgets logs, and is removed.

use super::record::{BLOCK, Place, Writer};
use super::{FOLDER, HALVES, RUN_LOGS};
use crate::command::{Failure, LogRef};
use crate::directory::Directory;
use crate::lock::lock;
use crate::log::LogShared;
use crate::sync::JournalJob;
use crate::vfs::{File, OpenMode, Vfs, is_no_space, path, read_exact_at, remove_if_there, write_all_at};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex};

/// Bytes of one record at most.
const RECORD_BYTES: usize = 4 << 20;
/// Kept free in each half for records that forget.
const RESERVE: u64 = 16 * BLOCK as u64;

pub struct Journal {
    half_bytes: u64,
    /// Held over I/O.
    writer: Mutex<Option<Ready>>,
    /// Never held over I/O; taken after the writer's.
    held: Mutex<[Held; 2]>,
}

/// What one half holds.
#[derive(Default)]
struct Held {
    /// Logs with bytes here that their own files may not have.
    logs: BTreeMap<LogRef, Arc<LogShared>>,
    /// Folders of all logs with entries here.
    names: BTreeSet<Arc<str>>,
}

/// Prepared files.
struct Ready {
    files: [Arc<dyn File>; 2],
    current: usize,
    at: u64,
    sequence: u64,
}

/// What became of the logs of one run.
#[derive(Default)]
pub struct Run {
    /// In the journal now, and to be told so.
    pub done: Vec<(Arc<LogShared>, JournalJob)>,
    /// They have to sync their own files.
    pub direct: Vec<Arc<LogShared>>,
    /// There was no room for them in this record.
    pub later: Vec<Arc<LogShared>>,
    /// A half is full: these should sync their files, so that it can be begun anew.
    pub drain: Vec<Arc<LogShared>>,
    /// Both halves are full.
    pub full: bool,
}

impl Journal {
    pub fn new(half_bytes: u64) -> Journal {
        Journal { half_bytes: half_bytes.max(2 * RESERVE), writer: Mutex::new(None), held: Mutex::default() }
    }

    /// Makes the files, durably. False: there is no room for them.
    pub fn prepare(&self, directory: &Directory) -> Result<bool, Failure> {
        let writer = &mut *lock(&self.writer);
        if writer.is_some() {
            return Ok(true);
        }
        match make(&*directory.vfs, &directory.path, self.half_bytes) {
            Ok(files) => {
                *writer = Some(Ready { files, current: 0, at: 0, sequence: 0 });
                Ok(true)
            }
            Err(error) if is_no_space(&error) => {
                remove(&*directory.vfs, &directory.path, &HALVES)
                    .map_err(|error| directory.fail("removing the journal", &error))?;
                Ok(false)
            }
            Err(error) => Err(directory.fail("making the journal", &error)),
        }
    }

    /// One record with what waits in these logs, and its sync. An error: the directory is offline; `done` is to fail.
    pub fn run(&self, directory: &Directory, logs: Vec<Arc<LogShared>>) -> (Run, Result<(), Failure>) {
        let mut run = Run::default();
        let writer = &mut *lock(&self.writer);
        let Some(ready) = writer else {
            run.direct = logs;
            return (run, Ok(()));
        };
        if self.half_bytes - RESERVE < ready.at + BLOCK as u64 && !self.turn(ready, &mut run.drain) {
            (run.full, run.direct) = (true, logs);
            return (run, Ok(()));
        }
        let room = (self.half_bytes - RESERVE - ready.at).min(RECORD_BYTES as u64);
        let mut record = Writer::new();
        let mut logs = logs.into_iter();
        for shared in logs.by_ref() {
            let Some(job) = shared.sync.begin_journal() else {
                run.direct.push(shared);
                continue;
            };
            let place = Place {
                name: &shared.name,
                topic_id: shared.topic_id.as_deref().unwrap_or(""),
                base: job.base,
                position: job.from,
                end: job.upto,
            };
            let length = (job.to - job.from) as usize;
            if record.padded(Writer::entry_bytes(&place, length)) > room {
                shared.sync.give_back(job);
                // Too large even for a record of its own.
                if record.is_empty() {
                    run.direct.push(shared)
                } else {
                    run.later.push(shared)
                }
                break;
            }
            match record.add(&place, length, |into| read_exact_at(&*job.file, into, job.from)) {
                Ok(()) => run.done.push((shared, job)),
                // A cut is under way.
                Err(_) => {
                    shared.sync.give_back(job);
                    run.direct.push(shared);
                }
            }
        }
        run.later.extend(logs);
        if record.is_empty() {
            return (run, Ok(()));
        }
        let outcome = self.write(ready, directory, record);
        let held = &mut lock(&self.held)[ready.current];
        for (shared, _) in &run.done {
            if held.logs.insert(shared.log, shared.clone()).is_none() {
                held.names.insert(shared.name.clone());
            }
        }
        (run, outcome)
    }

    /// The log's own files have all of its bytes, or nobody needs them any more. Called while no run can take the log.
    pub fn drained(&self, log: LogRef) {
        for held in lock(&self.held).iter_mut() {
            held.logs.remove(&log);
        }
    }

    /// Whether it was prepared: a run may have begun.
    pub fn is_used(&self) -> bool {
        lock(&self.writer).is_some()
    }

    /// Whether it has entries of a log in this folder.
    pub fn holds(&self, name: &str) -> bool {
        lock(&self.held).iter().any(|held| held.names.contains(name))
    }

    /// What the journal holds of the logs in these folders is never put back: they are not open, or are being cut and
    /// have in their own files what they keep.
    pub fn forget(&self, directory: &Directory, names: &[&str]) -> Result<(), Failure> {
        // A run that has begun with one of them comes first.
        let writer = &mut *lock(&self.writer);
        let Some(ready) = writer else { return Ok(()) };
        let held: Vec<&str> = names.iter().copied().filter(|name| self.holds(name)).collect();
        for some in held.chunks(RUN_LOGS) {
            let mut record = Writer::new();
            some.iter().for_each(|name| record.forget(name));
            if ready.at + record.padded(0) > self.half_bytes {
                self.make_room(ready, directory)?;
            }
            self.write(ready, directory, record)?;
            for held in lock(&self.held).iter_mut() {
                held.names.retain(|name| !some.contains(&&**name));
            }
        }
        Ok(())
    }

    /// Removes it, if every log has its bytes in its own files; otherwise it stays for the next start.
    pub fn close(&self, directory: &Directory) -> Result<(), Failure> {
        let writer = &mut *lock(&self.writer);
        let needed = lock(&self.held).iter().any(|held| !held.logs.is_empty());
        let Some(ready) = writer.take_if(|_| !needed) else { return Ok(()) };
        // The older first: what was forgotten in the newer one must not come back.
        let order = [HALVES[1 - ready.current], HALVES[ready.current]];
        remove(&*directory.vfs, &directory.path, &order).map_err(|error| directory.fail("removing the journal", &error))
    }

    /// Goes on in the other half, if no log needs it any more. The logs of this one are to sync their files.
    fn turn(&self, ready: &mut Ready, drain: &mut Vec<Arc<LogShared>>) -> bool {
        let held = &*lock(&self.held);
        let other = &held[1 - ready.current];
        if !other.logs.is_empty() {
            drain.extend(other.logs.values().cloned());
            return false;
        }
        drain.extend(held[ready.current].logs.values().cloned());
        ready.current = 1 - ready.current;
        ready.at = 0;
        true
    }

    /// Makes the other half free now, whatever that takes.
    fn make_room(&self, ready: &mut Ready, directory: &Directory) -> Result<(), Failure> {
        let logs = std::mem::take(&mut lock(&self.held)[1 - ready.current].logs);
        logs.values().try_for_each(|shared| shared.sync_journaled())?;
        directory.check()?;
        self.turn(ready, &mut Vec::new());
        Ok(())
    }

    fn write(&self, ready: &mut Ready, directory: &Directory, record: Writer) -> Result<(), Failure> {
        directory.check()?;
        let bytes = record.finish(ready.sequence);
        let file = &ready.files[ready.current];
        write_all_at(&**file, &bytes, ready.at)
            .and_then(|()| file.sync_data())
            .map_err(|error| directory.fail("writing the journal", &error))?;
        if ready.at == 0 {
            // Only now can nobody read what stood here in the turn before.
            lock(&self.held)[ready.current].names.clear();
        }
        ready.at += bytes.len() as u64;
        ready.sequence += 1;
        Ok(())
    }
}

fn make(vfs: &dyn Vfs, root: &str, half_bytes: u64) -> io::Result<[Arc<dyn File>; 2]> {
    let folder = path(root, FOLDER);
    match vfs.create_folder(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let make = |name: &str| -> io::Result<Arc<dyn File>> {
        let file = vfs.open(&path(&folder, name), OpenMode::Truncate)?;
        let zeros = vec![0; half_bytes.min(1 << 20) as usize];
        for at in (0..half_bytes).step_by(zeros.len()) {
            write_all_at(&*file, &zeros[..(half_bytes - at).min(zeros.len() as u64) as usize], at)?;
        }
        file.sync_data()?;
        Ok(file)
    };
    let files = [make(HALVES[0])?, make(HALVES[1])?];
    vfs.sync_folder(&folder)?;
    vfs.sync_folder(root)?;
    Ok(files)
}

/// Removes the halves in this order, each durably before the next, and the folder.
pub fn remove(vfs: &dyn Vfs, root: &str, order: &[&str]) -> io::Result<()> {
    let folder = path(root, FOLDER);
    for name in order {
        if remove_if_there(vfs, &path(&folder, name))? {
            vfs.sync_folder(&folder)?;
        }
    }
    match vfs.remove_folder(&folder) {
        Ok(()) => vfs.sync_folder(root),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
