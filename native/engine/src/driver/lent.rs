//! What the owner of a lent log asks of the engine (`mapped/`).

use super::{Engine, Of, Role};
use crate::cleaner::Cleaning;
use crate::command::{Answer, Failure, LogRef};
use crate::hub::{Deletion, LaneItem};
use crate::lock::lock;
use crate::log::{Log, LogShared};
use crate::mapped::Piece;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

impl Engine {
    /// Takes a log out of its lane's hands: from now on the caller alone changes it. None: it isn't open.
    pub(crate) fn lend(&self, log: LogRef) -> Option<Box<Log>> {
        let (to, lent) = sync_channel(1);
        let hub = &self.inner.hub;
        hub.to_lane(hub.directory_of_log(log)?, LaneItem::Lend { log, to });
        if self.inner.manual {
            while self.step(Role::Lane) {}
            return lent.try_recv().ok().flatten();
        }
        // An end of the engine drops the item, and the sender with it.
        lent.recv().ok().flatten()
    }

    /// Fills the piece on another thread, which is started by the first one. Without threads nobody does: whoever needs
    /// it fills it.
    pub(crate) fn fill(&self, piece: Arc<Piece>) {
        if self.inner.manual {
            return;
        }
        if !self.inner.filling.swap(true, Ordering::Relaxed) {
            self.spawn("fill", Of::All, |inner| {
                while let Some(piece) = inner.wait(&inner.hub.pieces) {
                    // Who needs it meets the same outcome.
                    inner.guard(|| drop(piece.fill()));
                }
            });
        }
        self.inner.hub.pieces.push(piece);
    }

    pub(crate) fn take_back(&self, log: Box<Log>) {
        self.inner.hub.to_lane(log.shared().directory.id, LaneItem::TakeBack(log));
    }

    /// A pass of compaction over a lent log takes its next steps.
    pub(crate) fn begin_pass(&self, cleaning: Box<Cleaning>) {
        self.have_cleaner();
        self.inner.hub.cleanings.push(cleaning);
    }

    pub(crate) fn answer(&self, ticket: u32, outcome: Result<Answer, Failure>) {
        self.inner.hub.answer(ticket, outcome);
    }

    pub(crate) fn errand(&self, log: LogRef) -> Option<Box<Cleaning>> {
        self.inner.hub.errand(log)
    }

    pub(crate) fn queue_sync(&self, shared: &Arc<LogShared>) {
        self.inner.hub.queue_sync(shared);
    }

    pub(crate) fn delete(&self, deletion: Deletion) {
        self.inner.hub.deletions.push(deletion);
    }

    /// Brings a log to disk on the caller's thread, or waits for the thread that is at it.
    pub(crate) fn sync_here(&self, shared: &Arc<LogShared>) -> Result<(), Failure> {
        let hub = &self.inner.hub;
        loop {
            shared.directory.check()?;
            shared.sync.request(None);
            self.inner.guard(|| {
                if hub.sync(shared) {
                    hub.queue_sync(shared);
                }
            });
            if let Some(outcome) = shared.sync.outcome() {
                return outcome;
            }
            let waiting = lock(&hub.settling);
            if shared.sync.outcome().is_none() && !self.inner.manual {
                drop(hub.settled.wait_timeout(waiting, Duration::from_millis(100)));
            }
        }
    }
}
