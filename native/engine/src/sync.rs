//! Group commit, one state machine for each log: one sync for all that wait, no timer, never a retry.
//!
//! Idle -> Queued (bytes, names or files wait) -> Running (a thread syncs) -> Queued again if more waits, else Idle.
//!
//! Invariants: `written` moves when the lane appends, `synced` only here; `synced <= written`. `Synced`, and every answer
//! that tells of `synced`, is computed and handed to the sink under the lock that a truncation takes: none ever covers
//! bytes that were cut, and none is overtaken by an older one. A run that begins while a truncation is at the files counts
//! no further than one that it found running. A name made since is synced before any byte behind it counts. The recovery point moves only after everything that it promises
//! (bytes, indexes, epochs, producer snapshot) is on disk. After a failed sync nothing here does anything more.

use crate::command::{Answer, Completion, Failure, LogRef, Sink, WatchLimit};
use crate::lock::lock;
use crate::planted::{Bug, planted};
use crate::retire::Retire;
use crate::segment::IndexFiles;
use crate::sync_job::{Advance, SyncJob};
use crate::vfs::File;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

mod journaled;
mod overtaken;

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

    /// The segments with these bases left the log, which begins at `boundary` now; older ones may wait still. True if the
    /// log has to be queued.
    pub fn retire(&self, bases: &[i64], boundary: i64) -> bool {
        let state = &mut *lock(&self.state);
        state.retire.bases.extend(bases);
        state.retire.boundary = state.retire.boundary.max(boundary);
        // Nobody will ask for the producers as they were below it.
        state.snapshots.retain(|(at, _)| *at >= boundary);
        state.may_retire() && state.queue()
    }

    /// Files of segments that left the log still have their names.
    pub fn is_retiring(&self) -> bool {
        let state = lock(&self.state);
        state.retire_running || !state.retire.bases.is_empty()
    }

    /// They have until the recovery point is past them.
    pub fn waits_for_recovery_point(&self) -> bool {
        let state = lock(&self.state);
        !state.retire.bases.is_empty() && !state.may_retire()
    }

    /// Nothing is renamed any more: the caller removes what waited for it.
    pub fn take_retired(&self) -> Vec<i64> {
        std::mem::take(&mut lock(&self.state).retire).bases
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

    /// Bytes from `offset` on are about to be cut: nothing above it counts as synced any more, and no recovery point
    /// above it is set, until `truncated` or `spared`. Sealed segments whose index files the next recovery point has to
    /// sync, since the one that would have is dropped.
    pub fn hold(&self, offset: i64) -> Vec<i64> {
        let state = &mut *lock(&self.state);
        state.cap = state.cap.min(offset);
        state.cutting = Some(offset);
        state.snapshots.retain(|(at, _)| *at <= offset);
        state.recovery = state.recovery.min(offset);
        // Of one that goes.
        state.overtaken.take_if(|files| files.base > offset);
        state.advance.take().map_or(Vec::new(), |advance| advance.sealed)
    }

    /// A cut that `hold` announced and `truncated` did not follow has not come about: what it kept from counting is
    /// synced again. True if the log has to be queued.
    pub fn spared(&self) -> bool {
        let state = &mut *lock(&self.state);
        state.cutting.take().is_some() && state.written > state.synced && state.queue()
    }

    /// Bytes from `offset` on are gone, after `hold`.
    pub fn truncated(&self, offset: i64) {
        self.shortened(&mut lock(&self.state), offset);
    }

    /// The log goes on at `offset`, empty, and that is on disk; after `hold`.
    pub fn restarted(&self, offset: i64) {
        let state = &mut *lock(&self.state);
        self.shortened(state, offset);
        state.synced = offset;
    }

    fn shortened(&self, state: &mut State, offset: i64) {
        state.cutting = None;
        state.span = None;
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
    }

    fn end(&self, state: &mut State, failure: Failure) {
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
    fn may_retire(&self) -> bool {
        !self.retire.bases.is_empty() && self.recovery >= self.retire.boundary
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use crate::vfs::{MemoryVfs, OpenMode, Vfs};

    #[derive(Default)]
    struct Heard(Mutex<Vec<(Completion, bool)>>);

    impl Sink for Heard {
        fn complete(&self, completion: Completion, urgent: bool) {
            lock(&self.0).push((completion, urgent));
        }
    }

    impl Heard {
        fn synced(&self) -> Vec<(i64, bool)> {
            let heard = lock(&self.0);
            heard
                .iter()
                .filter_map(|(completion, urgent)| match completion {
                    Completion::Synced { synced_end, .. } => Some((*synced_end, *urgent)),
                    _ => None,
                })
                .collect()
        }

        fn answers(&self) -> Vec<Option<Code>> {
            let heard = lock(&self.0);
            heard
                .iter()
                .filter_map(|(completion, _)| match completion {
                    Completion::Answered { outcome, .. } => Some(outcome.as_ref().err().map(|failure| failure.code)),
                    _ => None,
                })
                .collect()
        }
    }

    fn log_sync() -> (LogSync, Arc<Heard>, Arc<dyn File>) {
        let heard = Arc::new(Heard::default());
        let file = MemoryVfs::new().open("f", OpenMode::Create).unwrap();
        (LogSync::new(LogRef { slot: 0, generation: 0 }, heard.clone(), 0, 0, Vec::new()), heard, file)
    }

    fn advance(offset: i64) -> Advance {
        Advance {
            sums: Vec::new(),
            offset,
            indexes: Vec::new(),
            sealed: Vec::new(),
            epochs: Vec::new(),
            snapshot: None,
            obsolete: vec![],
        }
    }

    #[test]
    fn appends_that_come_while_a_sync_runs_are_the_next_one() {
        let (sync, heard, file) = log_sync();
        assert!(sync.written(3, &file, None, true, false, true), "the first append queues the log");
        assert!(!sync.written(5, &file, None, false, true, true), "it is queued once");
        let job = sync.begin().unwrap();
        assert_eq!((job.upto, job.files.len(), job.names), (5, 1, true));
        assert!(!sync.written(9, &file, None, false, false, true), "a running one comes back by itself");
        assert!(!sync.names_are_durable());
        assert!(sync.finish(job, Ok(true), |_| panic!("there is no recovery point")));
        assert!(sync.names_are_durable());
        let job = sync.begin().unwrap();
        assert_eq!((job.upto, job.names), (9, false));
        assert!(!sync.finish(job, Ok(true), |_| {}));
        assert!(sync.begin().is_none());
        assert_eq!(heard.synced(), [(5, true), (9, false)]);
    }

    #[test]
    fn a_cut_bounds_the_sync_that_runs_and_its_recovery_point() {
        let (sync, heard, file) = log_sync();
        sync.written(9, &file, None, false, false, true);
        sync.advance(advance(9));
        let job = sync.begin().unwrap();
        sync.hold(4);
        assert_eq!(sync.cut(), Some(4));
        sync.truncated(4);
        sync.written(6, &file, None, false, false, true);
        assert!(sync.finish(job, Ok(true), |offset| panic!("the recovery point became {offset}")));
        let job = sync.begin().unwrap();
        sync.finish(job, Ok(true), |_| {});
        assert_eq!(heard.synced(), [(4, false), (6, false)]);
    }

    #[test]
    fn a_cut_that_did_not_come_about_holds_nothing_back_for_good() {
        let (sync, heard, file) = log_sync();
        sync.written(9, &file, None, false, false, true);
        let job = sync.begin().unwrap();
        sync.hold(4);
        assert!(!sync.finish(job, Ok(true), |_| {}), "while the cut is under way there is nothing to do again");
        assert_eq!(heard.synced().last(), Some(&(4, false)));
        assert!(sync.spared(), "what was held back is synced again");
        let job = sync.begin().unwrap();
        sync.finish(job, Ok(true), |_| {});
        assert_eq!(heard.synced().last(), Some(&(9, false)));
    }

    #[test]
    fn a_sync_that_begins_during_a_cut_counts_nothing_that_is_cut() {
        let (sync, heard, file) = log_sync();
        sync.written(9, &file, None, false, false, true);
        sync.hold(4);
        let job = sync.begin().unwrap();
        assert_eq!(sync.cut(), Some(4));
        sync.truncated(4);
        sync.written(6, &file, None, false, false, true);
        assert!(sync.finish(job, Ok(true), |_| {}));
        assert_eq!((sync.synced_end(), heard.synced()), (4, vec![(4, false)]));
        let job = sync.begin().unwrap();
        sync.finish(job, Ok(true), |_| {});
        assert_eq!(heard.synced(), [(4, false), (6, false)]);
    }

    #[test]
    fn index_files_that_a_dropped_recovery_point_was_to_sync_wait_for_the_next() {
        let (sync, _, file) = log_sync();
        sync.written(9, &file, None, false, false, false);
        sync.advance(Advance { sealed: vec![0, 5], ..advance(9) });
        assert_eq!(sync.hold(7), [0, 5]);
        assert_eq!(sync.hold(6), [0; 0]);
    }

    #[test]
    fn a_log_that_starts_anew_higher_up_has_nothing_left_to_sync() {
        let (sync, heard, file) = log_sync();
        sync.written(9, &file, None, false, false, false);
        sync.hold(9);
        sync.restarted(20);
        assert!(!sync.spared());
        assert_eq!(sync.synced_end(), 20);
        sync.request(Some(1));
        assert_eq!(heard.answers(), [None]);
    }

    #[test]
    fn the_recovery_point_moves_only_when_all_of_it_was_written() {
        let (sync, _, file) = log_sync();
        for complete in [false, true] {
            sync.written(9, &file, None, false, false, true);
            sync.advance(advance(9));
            let job = sync.begin().unwrap();
            let mut moved = None;
            sync.finish(job, Ok(complete), |offset| moved = Some(offset));
            assert_eq!(moved, complete.then_some(9));
        }
    }

    #[test]
    fn a_failed_sync_answers_who_waits_and_ends_the_log() {
        let (sync, heard, file) = log_sync();
        sync.written(9, &file, None, false, true, true);
        sync.request(Some(1));
        let job = sync.begin().unwrap();
        sync.request(Some(2));
        let failure = Failure { code: Code::DirectoryOffline, text: String::new() };
        assert!(!sync.finish(job, Err(failure), |_| {}));
        assert!(sync.is_over());
        assert!(!sync.written(12, &file, None, false, true, true), "nothing is queued any more");
        sync.request(Some(3));
        assert_eq!(heard.answers(), [Some(Code::DirectoryOffline); 3]);
        assert_eq!(heard.synced(), []);
    }

    #[test]
    fn a_close_is_answered_after_the_run_that_it_asked_for() {
        let (sync, heard, file) = log_sync();
        sync.written(9, &file, None, false, false, true);
        let job = sync.begin().unwrap();
        assert!(!sync.close(1));
        assert!(sync.finish(job, Ok(true), |_| {}));
        assert_eq!(heard.answers(), []);
        let job = sync.begin().unwrap();
        assert!(!sync.finish(job, Ok(true), |_| {}));
        assert_eq!(heard.answers(), [None]);
        assert!(!sync.close(2));
        assert_eq!(heard.answers(), [None, None], "nothing is left to do: at once");
    }

    #[test]
    fn a_watch_makes_the_move_past_it_urgent_or_tells_at_once() {
        let (sync, heard, file) = log_sync();
        sync.watch(4, WatchLimit::Synced);
        for end in [4, 5, 6] {
            sync.written(end, &file, None, false, false, true);
            let job = sync.begin().unwrap();
            sync.finish(job, Ok(true), |_| {});
        }
        assert_eq!(heard.synced(), [(4, false), (5, true), (6, false)]);
        sync.watch(5, WatchLimit::Synced);
        assert_eq!(heard.synced().last(), Some(&(6, true)));
        sync.watch(6, WatchLimit::End);
        assert!(!sync.passes_end_watch(6));
        assert!(sync.passes_end_watch(7));
        assert!(!sync.passes_end_watch(8), "it is over");
    }
}
