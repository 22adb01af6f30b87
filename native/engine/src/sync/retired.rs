//! Segments that left the log and wait for a recovery point past them, before a run renames their files.

use super::{LogSync, State};
use crate::lock::lock;

impl LogSync {
    /// The segments with these bases left the log, which begins at `boundary` now; older ones may wait still. True if
    /// the log has to be queued.
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
}

impl State {
    pub(super) fn may_retire(&self) -> bool {
        !self.retire.bases.is_empty() && self.recovery >= self.retire.boundary
    }
}
