//! What the lane looks for by itself: recovery points that are due, logs that rest, segments
//! that nobody needs any more.
//!
//! Invariants: a sweep looks at the logs that were used since the last one, and no others. What looks at every log does
//! so piece by piece, and whatever else waits for the lane comes in between.

use super::{Lane, Slot};
use crate::command::{Answer, DirectoryId};
use crate::hub::{Deletion, Hub, LaneItem};
use crate::log::ADVANCE_MS;
use std::collections::BTreeSet;

/// Logs whose recovery points one sweep moves: each costs several syncs, and who appends to it waits for them. What a
/// log with few bytes above its recovery point costs at a restart is little.
const SWEEP_LOGS: usize = 512;

/// Logs that one piece of a look at all of them takes.
const PIECE: usize = 512;

/// Who asked which logs of a directory have something to let go of, and what was found so far.
pub struct Due {
    pub directory: DirectoryId,
    pub ticket: u32,
    pub now_ms: i64,
    /// The slot to go on with.
    from: u32,
    names: Vec<String>,
}

impl Due {
    pub fn new(directory: DirectoryId, ticket: u32, now_ms: i64) -> Due {
        Due { directory, ticket, now_ms, from: 0, names: Vec::new() }
    }
}

impl Lane {
    pub(super) fn look(&mut self, directory: DirectoryId, ticket: u32, sweep: bool, hub: &Hub) {
        for slot in &self.used {
            if let Some(Slot::Open(log)) = self.logs.get_mut(slot)
                && log.flush_if_due(self.now_ms)
            {
                hub.queue_sync(log.shared());
            }
        }
        if sweep {
            self.swept_ms = Some(self.now_ms.saturating_sub(ADVANCE_MS));
        }
        let outcome = hub.site(directory).and_then(|site| site.directory.check());
        hub.answer(ticket, outcome.map(|()| Answer::None));
    }

    /// Once per `ADVANCE_MS` of the commands' time: recovery points for what was written, and the checkpoint files.
    pub(super) fn sweep(&mut self, hub: &Hub) {
        let last = *self.swept_ms.get_or_insert(self.now_ms);
        if self.now_ms - last < ADVANCE_MS {
            return;
        }
        self.swept_ms = Some(self.now_ms);
        let turn = self.behind();
        let (logs, open_files, now_ms) = (&mut self.logs, &mut self.open_files, self.now_ms);
        self.used.retain(|slot| {
            let Some(Slot::Open(log)) = logs.get_mut(slot) else { return false };
            let has_turn = !log.is_behind() || turn.contains(slot);
            if has_turn && log.sweep(now_ms) {
                hub.queue_sync(log.shared());
            }
            let bases = log.take_expired(now_ms);
            if !bases.is_empty() {
                hub.deletions.push(Deletion::Segments { shared: log.shared().clone(), bases });
            }
            let settled = log.is_settled();
            if settled {
                open_files.forget(*slot);
            }
            !settled
        });
        if let Ok(site) = hub.site(self.directory)
            && site.directory.checkpoints_changed()
        {
            site.want_checkpoint();
        }
    }

    /// The logs whose recovery points this sweep moves, in turn.
    fn behind(&mut self) -> BTreeSet<u32> {
        let (logs, from) = (&self.logs, self.sweeps_from);
        let is_behind = |slot: &&u32| matches!(logs.get(slot), Some(Slot::Open(log)) if log.is_behind());
        let in_turn = self.used.range(from..).chain(self.used.range(..from));
        let turn: Vec<u32> = in_turn.filter(is_behind).take(SWEEP_LOGS).copied().collect();
        self.sweeps_from = turn.last().map_or(0, |slot| slot.wrapping_add(1));
        turn.into_iter().collect()
    }

    /// Looks at some of the logs, and comes again for the others.
    pub(super) fn due(&mut self, mut due: Box<Due>, hub: &Hub) {
        if let Err(failure) = hub.site(due.directory).and_then(|site| site.directory.check()) {
            return hub.answer(due.ticket, Err(failure));
        }
        let mut last = None;
        for (slot, entry) in self.logs.range(due.from..).take(PIECE) {
            last = Some(*slot);
            if let Slot::Open(log) = entry
                && log.may_let_go(due.now_ms)
            {
                due.names.push(log.shared().name.to_string());
            }
        }
        match last.and_then(|slot| slot.checked_add(1)) {
            Some(next) if self.logs.range(next..).next().is_some() => {
                due.from = next;
                hub.to_lane(due.directory, LaneItem::Due(due));
            }
            _ => hub.answer(due.ticket, Ok(Answer::Names(due.names))),
        }
    }

    /// Bytes came to a log under `flush=group`. When those above the recovery points of the directory's logs get many,
    /// the logs that have most of them get new ones: a start after a crash reads what is above.
    pub(super) fn grown(&mut self, bytes: u64, hub: &Hub) {
        self.grown += bytes;
        if self.grown < hub.recovery_bytes / 2 {
            return;
        }
        self.grown = 0;
        let behind = |slot: &u32| match self.logs.get(slot) {
            Some(Slot::Open(log)) => Some((log.bytes_behind(), *slot)),
            _ => None,
        };
        let mut behind: Vec<(u64, u32)> = self.used.iter().filter_map(behind).collect();
        behind.sort_unstable_by(|a, b| b.cmp(a));
        let mut above: u64 = behind.iter().map(|(bytes, _)| bytes).sum();
        for (bytes, slot) in behind {
            if above <= hub.recovery_bytes / 2 {
                break;
            }
            above -= bytes;
            let now_ms = self.now_ms;
            if let Some(Slot::Open(log)) = self.logs.get_mut(&slot)
                && log.advance(now_ms)
            {
                hub.queue_sync(log.shared());
            }
        }
    }
}
