//! Which of a log's oldest segments nobody needs any more, and how the log lets go of them.
//!
//! Invariants: segments go from the oldest on, whole, and none that reaches above the high watermark. The start moves
//! past them and readers lose sight of them at once; their files go later (`retire.rs`), when nothing but the start on
//! disk can bring them back. The active segment may expire like any other: another one begins first.

use crate::command::Failure;
use crate::error::Code;
use crate::log::Log;
use crate::segment::Segment;
use crate::view::ViewState;
use std::io;
use std::sync::Arc;

impl Log {
    /// Lets go of what the start has passed, and, where `cleanup.policy` has `delete`, of what is too much or too old.
    /// True if the log has to be queued.
    pub fn retain(&mut self, now_ms: i64) -> Result<bool, Failure> {
        self.shared.directory.check()?;
        let state = self.shared.view.state();
        let mut count = self.beyond(&state, now_ms).map_err(|error| Failure {
            code: Code::Io,
            text: format!("asking for the age of a segment of {}: {error}", self.shared.name),
        })?;
        if count == 0 {
            return Ok(self.shared.sync.retire(&[], 0));
        }
        let mut queue = false;
        if count == state.segments.len() {
            match self.roll(-1, now_ms) {
                Ok(()) => queue |= self.rolled_by_hand(now_ms),
                // Without room for a new one the active segment stays; letting go of the others makes room.
                Err(failure) if failure.code == Code::NoSpace => count -= 1,
                Err(failure) => return Err(failure),
            }
        }
        Ok(self.let_go(count, now_ms) || queue)
    }

    /// Whether `retain` would do anything, or fail.
    pub fn may_let_go(&self, now_ms: i64) -> bool {
        !self.expiring.is_empty()
            || self.shared.sync.is_retiring()
            || !matches!(self.beyond(&self.shared.view.state(), now_ms), Ok(0))
    }

    /// How many segments the start has passed, or are too much or too old.
    fn beyond(&self, state: &ViewState, now_ms: i64) -> io::Result<usize> {
        let bound = self.retention_bound();
        let count = self.passed(state, bound);
        if !self.config.deletes {
            return Ok(count);
        }
        let count = self.beyond_bytes(state, bound, count);
        self.beyond_age(state, bound, count, now_ms)
    }

    /// Lets go of the segments that lie below the start.
    pub(crate) fn let_go_of_passed(&mut self, now_ms: i64) -> bool {
        let count = self.passed(&self.shared.view.state(), self.retention_bound());
        self.let_go(count, now_ms)
    }

    /// Bases of segments whose files were kept for `file.delete.delay.ms` after their last use and now may go.
    pub fn take_expired(&mut self, now_ms: i64) -> Vec<i64> {
        if self.expiring.is_empty() || self.shared.sync.is_retiring() {
            return Vec::new();
        }
        // The delay may have been shortened: then the last ones are due first.
        let mut due = Vec::new();
        self.expiring.retain(|(due_ms, base)| {
            let waits = *due_ms > now_ms;
            if !waits {
                due.push(*base);
            }
            waits
        });
        due
    }

    fn retention_bound(&self) -> i64 {
        self.shared.directory.points(&self.shared.name).high_watermark.min(self.end)
    }

    /// How many segments end at or below the start.
    fn passed(&self, state: &ViewState, bound: i64) -> usize {
        let limit = self.start.min(bound);
        state.segments[1..].iter().take_while(|next| next.base <= limit).count()
    }

    /// With `count` of them gone already: how many more the rest of the log can lose and still have `retention.bytes`.
    fn beyond_bytes(&self, state: &ViewState, bound: i64, mut count: usize) -> usize {
        let Ok(keep) = u64::try_from(self.config.retention_bytes) else { return count };
        let size: u64 = (count..state.segments.len()).map(|at| state.size_of(at)).sum();
        let Some(mut excess) = size.checked_sub(keep) else { return count };
        while self.may_go(state, bound, count) && state.size_of(count) <= excess {
            excess -= state.size_of(count);
            count += 1;
        }
        count
    }

    /// As many more as are older than `retention.ms`, by their largest timestamp.
    fn beyond_age(&self, state: &ViewState, bound: i64, mut count: usize, now_ms: i64) -> io::Result<usize> {
        let keep_ms = self.config.retention_ms;
        while keep_ms >= 0 && self.may_go(state, bound, count) {
            match newest(&state.segments[count])? {
                Some(newest_ms) if now_ms.saturating_sub(newest_ms) > keep_ms => count += 1,
                _ => break,
            }
        }
        Ok(count)
    }

    /// Whether the segment lies below the high watermark; an empty active one has nothing to lose.
    fn may_go(&self, state: &ViewState, bound: i64, at: usize) -> bool {
        match state.segments.get(at + 1) {
            Some(next) => next.base <= bound,
            None => at < state.segments.len() && self.end <= bound && state.size_of(at) > 0,
        }
    }

    /// The oldest `count` segments leave the log; at least one stays. True if the log has to be queued.
    fn let_go(&mut self, count: usize, now_ms: i64) -> bool {
        if count == 0 || self.settle_names().is_err() {
            return false;
        }
        let state = self.shared.view.state();
        let (gone, kept) = state.segments.split_at(count);
        let boundary = kept[0].base;
        let kept: Arc<[_]> = kept.into();
        let bases: Vec<i64> = gone.iter().map(|segment| segment.base).collect();
        self.start = self.start.max(boundary);
        let epochs_changed = Arc::make_mut(&mut self.epochs).truncate_from_start(self.start);
        self.unsynced_indexes.retain(|base| *base >= boundary);
        self.shared.view.update(|view| {
            view.segments = kept;
            // Readers that have not opened a file yet look again, and find their offset out of range.
            view.truncations += 1;
        });
        self.publish(epochs_changed);
        let due_ms = now_ms.saturating_add(self.config.file_delete_delay_ms);
        self.expiring.extend(bases.iter().map(|base| (due_ms, *base)));
        // Before the sync knows of them: the first checkpoint that it writes must have it.
        self.shared.directory.set_start(&self.shared.name, Some(self.start));
        let queue = self.shared.sync.retire(&bases, boundary);
        // What recovery would read them for has to be in a snapshot above them.
        queue || (self.shared.sync.waits_for_recovery_point() && self.advance(now_ms))
    }
}

/// The largest timestamp of its records; without any, when its file was last written, where the file system knows.
fn newest(segment: &Segment) -> io::Result<Option<i64>> {
    if segment.size() == 0 && !segment.is_active() {
        // Compaction has taken all that was in it.
        return Ok(Some(i64::MIN));
    }
    match segment.largest().timestamp {
        timestamp if timestamp >= 0 => Ok(Some(timestamp)),
        _ => segment.file()?.modified_ms(),
    }
}
