//! Group commit, one state machine for each log: one sync for all that wait, no timer, never a retry.
//!
//! Idle -> Queued (bytes, names or files wait) -> Running (a thread syncs) -> Queued again if more waits, else Idle.
//!
//! Invariants: `written` moves when the lane appends, `synced` only here; `synced <= written`. `Synced` is computed and
//! handed to the sink under the lock that a truncation takes, so none ever covers bytes that were cut. A name made
//! since is synced before any byte behind it counts. The recovery point moves only after everything that it promises
//! (bytes, indexes, epochs, producer snapshot) is on disk. After a failed sync nothing here does anything more.

use crate::checkpoint::LEADER_EPOCHS;
use crate::command::{Answer, Completion, Failure, LogRef, Sink, WatchLimit};
use crate::lock::lock;
use crate::segment::{IndexFiles, file_name};
use crate::vfs::{File, OpenMode, Vfs, is_no_space, path, remove_if_there, write_all_at};
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};

/// What has to be on disk, besides the bytes, before the recovery point is `offset`.
#[derive(Clone, Debug)]
pub struct Advance {
    pub offset: i64,
    /// Index files to write and sync.
    pub indexes: Vec<IndexFiles>,
    /// Sealed segments whose index files are written and not yet synced.
    pub sealed: Vec<i64>,
    pub epochs: Vec<u8>,
    /// The producer snapshot at `offset`; None when that one is there.
    pub snapshot: Option<Vec<u8>>,
    /// Producer snapshots that this one replaces.
    pub obsolete: Vec<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Idle,
    Queued,
    Running,
}

struct State {
    phase: Phase,
    /// Somebody asked for a run since the last one began.
    wanted: bool,
    /// While running: what a truncation has left of what is being synced.
    cap: i64,
    written: i64,
    synced: i64,
    /// Oldest first.
    dirty: Vec<Arc<dyn File>>,
    /// The folder has names that are not on disk.
    names: bool,
    /// The running job makes names durable.
    names_running: bool,
    /// Producer snapshots taken at rolls, to be written.
    snapshots: Vec<(i64, Vec<u8>)>,
    advance: Option<Advance>,
    /// Tickets that wait until everything below an offset is on disk.
    waiting: Vec<(u32, i64)>,
    /// Ends of batches whose `Synced` somebody waits for, ascending.
    wakes: VecDeque<i64>,
    synced_watch: Option<i64>,
    end_watch: Option<i64>,
    /// The ticket to answer when all is done, and then to do nothing more.
    closing: Option<u32>,
    failed: Option<Failure>,
}

pub struct LogSync {
    log: LogRef,
    sink: Arc<dyn Sink>,
    state: Mutex<State>,
}

/// What one run of a sync thread has to do. Holds no lock.
pub struct SyncJob {
    upto: i64,
    files: Vec<Arc<dyn File>>,
    names: bool,
    snapshots: Vec<(i64, Vec<u8>)>,
    advance: Option<Advance>,
}

impl LogSync {
    /// `end`: of a log whose bytes are all on disk.
    pub fn new(log: LogRef, sink: Arc<dyn Sink>, end: i64) -> LogSync {
        let state = State {
            phase: Phase::Idle,
            wanted: false,
            cap: 0,
            written: end,
            synced: end,
            dirty: Vec::new(),
            names: false,
            names_running: false,
            snapshots: Vec::new(),
            advance: None,
            waiting: Vec::new(),
            wakes: VecDeque::new(),
            synced_watch: None,
            end_watch: None,
            closing: None,
            failed: None,
        };
        LogSync { log, sink, state: Mutex::new(state) }
    }

    pub fn synced_end(&self) -> i64 {
        lock(&self.state).synced
    }

    /// Everything is on disk and nobody is at it.
    pub fn is_clean(&self) -> bool {
        let state = lock(&self.state);
        state.phase == Phase::Idle && state.dirty.is_empty() && !state.names
    }

    /// Bytes up to `end` were written to this file. `wake`: somebody waits for the sync that covers them. `names`: the
    /// file's name is new. True if the log has to be queued, which happens only with `want`.
    pub fn written(&self, end: i64, file: &Arc<dyn File>, names: bool, wake: bool, want: bool) -> bool {
        let state = &mut *lock(&self.state);
        state.written = end;
        if !state.dirty.iter().any(|known| Arc::ptr_eq(known, file)) {
            state.dirty.push(file.clone());
        }
        state.names |= names;
        if wake {
            state.wakes.push_back(end);
        }
        want && state.queue()
    }

    /// Whether the end at `end` is awaited: then the completion that tells of it is urgent. The watch is over by it.
    pub fn passes_end_watch(&self, end: i64) -> bool {
        let state = &mut *lock(&self.state);
        let passed = state.end_watch.is_some_and(|offset| end > offset);
        if passed {
            state.end_watch = None;
        }
        passed
    }

    /// The next move of the limit past `offset` is urgent; if it has passed already, that is said at once.
    pub fn watch(&self, offset: i64, limit: WatchLimit) {
        let state = &mut *lock(&self.state);
        let (passed, watch) = match limit {
            WatchLimit::End => (state.written > offset, &mut state.end_watch),
            WatchLimit::Synced => (state.synced > offset, &mut state.synced_watch),
        };
        if passed {
            self.sink.complete(Completion::Synced { log: self.log, synced_end: state.synced }, true);
        } else {
            *watch = Some(watch.map_or(offset, |known| known.min(offset)));
        }
    }

    /// A roll left this producer snapshot to write.
    pub fn add_snapshot(&self, offset: i64, bytes: Vec<u8>) {
        lock(&self.state).snapshots.push((offset, bytes));
    }

    /// Makes everything durable that `advance` names; replaces one that has not begun. True if the log has to be
    /// queued.
    pub fn advance(&self, advance: Advance) -> bool {
        let state = &mut *lock(&self.state);
        if let Some(old) = state.advance.take() {
            state.advance = Some(Advance {
                sealed: old.sealed.into_iter().chain(advance.sealed).collect(),
                obsolete: old.obsolete.into_iter().chain(advance.obsolete).collect(),
                ..advance
            });
        } else {
            state.advance = Some(advance);
        }
        state.queue()
    }

    /// Asks for a sync of all that is dirty; the ticket is answered after it, at once if there is nothing to do. True
    /// if the log has to be queued.
    pub fn request(&self, ticket: Option<u32>) -> bool {
        let state = &mut *lock(&self.state);
        if let Some(ticket) = ticket {
            match &state.failed {
                Some(failure) => return self.answer(ticket, Err(failure.clone())),
                None if state.synced >= state.written && !state.names => return self.answer(ticket, Ok(Answer::None)),
                None => state.waiting.push((ticket, state.written)),
            }
        }
        (state.written > state.synced || state.names || !state.dirty.is_empty()) && state.queue()
    }

    /// The ticket is answered when all is on disk. True if the log has to be queued.
    pub fn close(&self, ticket: u32) -> bool {
        let state = &mut *lock(&self.state);
        if let Some(failure) = &state.failed {
            return self.answer(ticket, Err(failure.clone()));
        }
        if state.phase == Phase::Idle && state.dirty.is_empty() && !state.names {
            return self.answer(ticket, Ok(Answer::None));
        }
        state.closing = Some(ticket);
        state.queue()
    }

    /// Every name made for the log is on disk.
    pub fn names_are_durable(&self) -> bool {
        let state = lock(&self.state);
        !state.names && !state.names_running
    }

    /// It failed or was given up: nothing it does counts any more.
    pub fn is_over(&self) -> bool {
        lock(&self.state).failed.is_some()
    }

    /// Nothing more is to be synced: the log is deleted or its close need not be clean.
    pub fn abandon(&self, failure: Failure) {
        let state = &mut *lock(&self.state);
        self.end(state, failure);
    }

    /// Bytes from `offset` on are about to be cut: from now on nothing above it counts as synced, and no recovery
    /// point above it is set.
    pub fn hold(&self, offset: i64) {
        let state = &mut *lock(&self.state);
        state.cap = state.cap.min(offset);
        state.snapshots.retain(|(at, _)| *at <= offset);
        state.advance = None;
    }

    /// Bytes from `offset` on are gone, after `hold`.
    pub fn truncated(&self, offset: i64) {
        let state = &mut *lock(&self.state);
        state.written = offset;
        state.synced = state.synced.min(offset);
        state.wakes.retain(|end| *end <= offset);
        for (_, end) in &mut state.waiting {
            *end = (*end).min(offset);
        }
    }

    /// A free thread takes the job; None if there is none any more.
    pub fn begin(&self) -> Option<SyncJob> {
        let state = &mut *lock(&self.state);
        if state.phase != Phase::Queued || state.failed.is_some() {
            return None;
        }
        state.phase = Phase::Running;
        state.wanted = false;
        state.names_running = state.names;
        state.cap = i64::MAX;
        Some(SyncJob {
            upto: state.written,
            files: std::mem::take(&mut state.dirty),
            names: std::mem::take(&mut state.names),
            snapshots: std::mem::take(&mut state.snapshots),
            advance: state.advance.take(),
        })
    }

    /// Where a truncation has overtaken the running job.
    pub fn cut(&self) -> Option<i64> {
        let cap = lock(&self.state).cap;
        (cap != i64::MAX).then_some(cap)
    }

    /// The job is done; true if the log has to be queued again. On an error the log is finished, and the caller takes
    /// the directory offline. `recovery_point` is called under the lock, so that no truncation comes in between.
    pub fn finish(&self, job: SyncJob, outcome: Result<bool, Failure>, recovery_point: impl FnOnce(i64)) -> bool {
        let state = &mut *lock(&self.state);
        let complete = match outcome {
            Ok(complete) => complete,
            Err(failure) => {
                self.end(state, failure);
                return false;
            }
        };
        if state.failed.is_some() {
            return false;
        }
        state.names_running = false;
        let synced = job.upto.min(state.cap);
        if synced > state.synced {
            state.synced = synced;
            let mut urgent = state.synced_watch.is_some_and(|offset| synced > offset);
            if urgent {
                state.synced_watch = None;
            }
            while state.wakes.front().is_some_and(|end| *end <= synced) {
                state.wakes.pop_front();
                urgent = true;
            }
            self.sink.complete(Completion::Synced { log: self.log, synced_end: synced }, urgent);
        }
        let waiting = std::mem::take(&mut state.waiting);
        for (ticket, end) in waiting {
            if end <= state.synced {
                self.answer(ticket, Ok(Answer::None));
            } else {
                state.waiting.push((ticket, end));
            }
        }
        if let Some(advance) = job.advance.filter(|advance| complete && advance.offset <= state.cap) {
            recovery_point(advance.offset);
        }
        state.phase = Phase::Idle;
        // What a cut kept from counting is synced again, should the cut not have come about.
        let held_back = state.cap != i64::MAX && state.written > state.synced;
        let again = (state.wanted || held_back) && state.queue();
        if !again && let Some(ticket) = state.closing.take() {
            self.answer(ticket, Ok(Answer::None));
        }
        again
    }

    fn end(&self, state: &mut State, failure: Failure) {
        for (ticket, _) in std::mem::take(&mut state.waiting) {
            self.answer(ticket, Err(failure.clone()));
        }
        if let Some(ticket) = state.closing.take() {
            self.answer(ticket, Err(failure.clone()));
        }
        state.dirty.clear();
        state.snapshots.clear();
        state.advance = None;
        state.wakes.clear();
        state.phase = Phase::Idle;
        state.failed = Some(failure);
    }

    fn answer(&self, ticket: u32, outcome: Result<Answer, Failure>) -> bool {
        self.sink.complete(Completion::Answered { ticket, outcome }, true);
        false
    }
}

impl State {
    /// Asks for a run. True if the log has to be put into the queue; a running one comes back by itself.
    fn queue(&mut self) -> bool {
        self.wanted = true;
        let queued = self.phase == Phase::Idle && self.failed.is_none();
        if queued {
            self.phase = Phase::Queued;
        }
        queued
    }
}

impl SyncJob {
    /// Blocks on the disk. True: all of it is done. False: the bytes are on disk, and there was no room for the rest, so
    /// the recovery point stays where it was.
    pub fn run(&self, vfs: &dyn Vfs, folder: &str) -> Result<bool, Failed> {
        // Everything is written before the first sync: a journal then commits it all at once.
        let mut beside = Beside { vfs, folder, files: Vec::new(), renames: Vec::new(), complete: true };
        for (offset, bytes) in &self.snapshots {
            beside.replace(&file_name(*offset, ".snapshot"), bytes)?;
        }
        if let Some(advance) = &self.advance {
            advance.write(&mut beside)?;
        }
        for file in &self.files {
            file.sync_data().map_err(|error| Failed { what: "syncing a segment".to_string(), error })?;
        }
        let complete = beside.complete;
        let names = self.names || self.advance.is_some() || !self.snapshots.is_empty();
        beside.settle()?;
        if let Some(advance) = self.advance.as_ref().filter(|_| complete) {
            advance.remove_obsolete(vfs, folder)?;
        }
        if names {
            vfs.sync_folder(folder).map_err(|error| Failed { what: format!("syncing {folder}"), error })?;
        }
        Ok(complete)
    }

    /// A truncation to `offset` has overtaken this job: snapshots that it wrote above must go again.
    pub fn take_back(&self, vfs: &dyn Vfs, folder: &str, offset: i64) -> Result<(), Failed> {
        let snapshots =
            self.snapshots.iter().map(|(at, _)| *at).chain(self.advance.iter().map(|advance| advance.offset));
        for above in snapshots.filter(|at| *at > offset) {
            let path = path(folder, &file_name(above, ".snapshot"));
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
    files: Vec<(Arc<dyn File>, String)>,
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
        beside.replace(LEADER_EPOCHS, &self.epochs)?;
        if let Some(bytes) = &self.snapshot {
            beside.replace(&file_name(self.offset, ".snapshot"), bytes)?;
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
    pub fn write(&self, vfs: &dyn Vfs, folder: &str) -> Result<Option<Vec<(Arc<dyn File>, String)>>, Failed> {
        let mut files = Vec::new();
        for (suffix, bytes) in [(".index", &self.offsets), (".timeindex", &self.times), (".txnindex", &self.aborted)] {
            let path = path(folder, &file_name(self.base, suffix));
            if suffix == ".txnindex" && bytes.is_empty() {
                remove_if_there(vfs, &path).map_err(|error| Failed { what: format!("removing {path}"), error })?;
                continue;
            }
            let written = vfs.open(&path, OpenMode::Create).and_then(|file| {
                write_all_at(&*file, bytes, 0)?;
                if file.len()? != bytes.len() as u64 {
                    file.set_len(bytes.len() as u64)?;
                }
                Ok(file)
            });
            match written {
                Ok(file) => files.push((file, path)),
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
