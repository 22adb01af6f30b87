//! Group commit, one state machine for each log: one sync for all that wait, no timer, never a retry.
//!
//! Idle -> Queued (bytes, names or files wait) -> Running (a thread syncs) -> Queued again if more waits, else Idle.
//!
//! Invariants: `written` moves when the lane appends, `synced` only here; `synced <= written`. `Synced`, and every
//! answer that tells of `synced`, is computed and handed to the sink under the lock that a truncation takes: none ever
//! covers bytes that were cut, and none is overtaken by an older one. A run that begins while a truncation is at the
//! files counts no further than one that it found running. A name made since is synced before any byte behind it
//! counts. The recovery point moves only after everything that it promises (bytes, indexes, epochs, producer snapshot)
//! is on disk. After a failed sync nothing here does anything more.

use crate::command::{Answer, Completion, Failure, LogRef, Sink};
use crate::lock::lock;
use crate::planted::{Bug, planted};
use crate::retire::Retire;
use crate::segment::IndexFiles;
use crate::sync_job::{Advance, SyncJob};
use crate::vfs::File;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

mod cuts;
mod journaled;
mod overtaken;
mod retired;
#[cfg(test)]
mod tests;
mod watches;

pub use journaled::{Again, JournalJob, Span};

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
    /// While a truncation is at the files: where the log will end.
    cutting: Option<i64>,
    written: i64,
    synced: i64,
    /// Oldest first.
    dirty: Vec<Arc<dyn File>>,
    /// The last bytes written, as far as they lie together in one file and no run has them.
    span: Option<Span>,
    /// Files that a journal vouches for until they are synced.
    journaled: Vec<Arc<dyn File>>,
    /// The journal wants to be rid of this log: the next run syncs its files.
    drain: bool,
    /// Segments that were found at the start and may not be on disk. There are none of them without `names`.
    recovered: Vec<i64>,
    /// The folder has names that are not on disk.
    names: bool,
    /// The running job makes names durable.
    names_running: bool,
    /// Producer snapshots taken at rolls, to be written.
    snapshots: Vec<(i64, Vec<u8>)>,
    advance: Option<Box<Advance>>,
    /// The segment whose index files the running job writes as they were when it was still appended to.
    indexes_running: Option<i64>,
    /// What that segment's index files have to hold since it was sealed meanwhile.
    overtaken: Option<Box<IndexFiles>>,
    /// Segments that left the log: their files are renamed once the recovery point is past them.
    retire: Retire,
    /// The running job renames some.
    retire_running: bool,
    /// The last recovery point that was reached.
    recovery: i64,
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

impl LogSync {
    /// `end`: of a log whose bytes are all on disk, but for those above `recovery` in the segments `recovered`.
    pub fn new(log: LogRef, sink: Arc<dyn Sink>, end: i64, recovery: i64, recovered: Vec<i64>) -> LogSync {
        let state = State {
            phase: Phase::Idle,
            wanted: false,
            cap: 0,
            cutting: None,
            written: end,
            synced: if recovered.is_empty() { end } else { recovery },
            dirty: Vec::new(),
            span: None,
            journaled: Vec::new(),
            drain: false,
            names: !recovered.is_empty(),
            recovered,
            names_running: false,
            snapshots: Vec::new(),
            advance: None,
            indexes_running: None,
            overtaken: None,
            retire: Retire::default(),
            retire_running: false,
            recovery,
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

    /// Answers with the log's marks.
    pub fn answer_marks(&self, ticket: u32, start: i64, end: i64) {
        let state = lock(&self.state);
        self.answer(ticket, Ok(Answer::Marks { start, end, synced_end: state.synced }));
    }

    /// Files that are held open until they are on disk, as far as no run has taken them.
    pub fn waiting_files(&self) -> usize {
        lock(&self.state).dirty.len()
    }

    /// Everything is on disk and nobody is at it.
    pub fn is_clean(&self) -> bool {
        let state = lock(&self.state);
        state.phase == Phase::Idle && state.dirty.is_empty() && !state.names
    }

    /// Bytes up to `end` were written to this file, where `place` says (its segment's base, from, to). `wake`: somebody
    /// waits for the sync that covers them. `names`: the file's name is new. True if the log has to be queued, which
    /// happens only with `want`.
    pub fn written(
        &self,
        end: i64,
        file: &Arc<dyn File>,
        place: Option<(i64, u64, u64)>,
        names: bool,
        wake: bool,
        want: bool,
    ) -> bool {
        let state = &mut *lock(&self.state);
        if let Some(place) = place {
            state.extend_span(file, place, end);
        }
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

    /// A roll left this producer snapshot to write.
    pub fn add_snapshot(&self, offset: i64, bytes: Vec<u8>) {
        lock(&self.state).snapshots.push((offset, bytes));
    }

    /// Makes everything durable that `advance` names; replaces one that has not begun. True if the log has to be
    /// queued.
    pub fn advance(&self, advance: Advance) -> bool {
        let state = &mut *lock(&self.state);
        if let Some(old) = state.advance.take() {
            state.advance = Some(Box::new(Advance {
                sealed: old.sealed.into_iter().chain(advance.sealed).collect(),
                obsolete: old.obsolete.into_iter().chain(advance.obsolete).collect(),
                ..advance
            }));
        } else {
            state.advance = Some(Box::new(advance));
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

    /// Whether everything written before is on disk; None while it isn't.
    pub fn outcome(&self) -> Option<Result<(), Failure>> {
        let state = lock(&self.state);
        match &state.failed {
            Some(failure) => Some(Err(failure.clone())),
            None if state.synced >= state.written && !state.names => Some(Ok(())),
            None => None,
        }
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

    /// A free thread takes the job; None if there is none any more.
    pub fn begin(&self) -> Option<SyncJob> {
        let state = &mut *lock(&self.state);
        if state.phase != Phase::Queued || state.failed.is_some() {
            return None;
        }
        state.phase = Phase::Running;
        state.wanted = false;
        state.names_running = state.names;
        state.cap = state.cutting.unwrap_or(i64::MAX);
        let retire = if state.may_retire() { std::mem::take(&mut state.retire) } else { Retire::default() };
        state.retire_running = !retire.bases.is_empty();
        state.span = None;
        state.indexes_running = state.advance.as_ref().and_then(|advance| Some(advance.indexes.first()?.base));
        Some(SyncJob {
            upto: state.written,
            drains: !state.journaled.is_empty(),
            files: std::mem::take(&mut state.dirty),
            recovered: std::mem::take(&mut state.recovered),
            names: std::mem::take(&mut state.names),
            snapshots: std::mem::take(&mut state.snapshots),
            advance: state.advance.take(),
            retire,
            retired: false,
        })
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
        state.journaled.clear();
        state.drain = false;
        self.reached(state, job.upto);
        if let Some(advance) = job.advance.filter(|advance| complete && advance.offset <= state.cap) {
            recovery_point(advance.offset);
            state.recovery = advance.offset;
            state.wanted |= state.may_retire();
        }
        state.retire_running = false;
        state.indexes_running = None;
        state.overtaken = None;
        if !job.retired && state.cap >= job.retire.boundary {
            // There was no room for what has to be on disk before: tried again when the log is next asked.
            state.retire.boundary = state.retire.boundary.max(job.retire.boundary);
            state.retire.bases.splice(0..0, job.retire.bases);
        }
        state.phase = Phase::Idle;
        let again = state.wanted && state.queue();
        if !again && let Some(ticket) = state.closing.take() {
            self.answer(ticket, Ok(Answer::None));
        }
        again
    }

    /// A run is over that covers everything below `upto` and was not cut.
    fn reached(&self, state: &mut State, upto: i64) {
        let upto = if planted(Bug::SyncCoversLater) { state.written } else { upto };
        let synced = if planted(Bug::SyncCoversCut) { upto } else { upto.min(state.cap) };
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
            let told = Completion::Synced { log: self.log, synced_end: synced };
            if state.wanted {
                self.sink.complete_in_passing(told, urgent);
            } else {
                self.sink.complete(told, urgent);
            }
        }
        let waiting = std::mem::take(&mut state.waiting);
        for (ticket, end) in waiting {
            if end <= state.synced {
                self.answer(ticket, Ok(Answer::None));
            } else {
                state.waiting.push((ticket, end));
            }
        }
    }

    fn end(&self, state: &mut State, failure: Failure) {
        self.sink.complete(Completion::NeverSynced { log: self.log, above: state.synced }, false);
        for (ticket, _) in std::mem::take(&mut state.waiting) {
            self.answer(ticket, Err(failure.clone()));
        }
        if let Some(ticket) = state.closing.take() {
            self.answer(ticket, Err(failure.clone()));
        }
        state.dirty.clear();
        state.span = None;
        state.journaled.clear();
        state.snapshots.clear();
        state.advance = None;
        state.overtaken = None;
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
