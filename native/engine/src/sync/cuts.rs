//! Truncations, which come while runs are under way: what is cut never counts as synced.
//!
//! Invariant: between `hold` and `truncated` (or `spared`) nothing above the cut is told as synced, whichever run ends.

use super::{LogSync, State};
use crate::command::Completion;
use crate::lock::lock;

impl LogSync {
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
        self.sink.complete(Completion::NeverSynced { log: self.log, above: offset }, false);
        state.wakes.retain(|end| *end <= offset);
        for (_, end) in &mut state.waiting {
            *end = (*end).min(offset);
        }
    }

    /// Where a truncation has overtaken the running job.
    pub fn cut(&self) -> Option<i64> {
        let cap = lock(&self.state).cap;
        (cap != i64::MAX).then_some(cap)
    }
}
