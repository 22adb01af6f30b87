//! Which waiting logs a directory's threads sync next, and how: each by itself, or many through the journal.
//!
//! The journal is used while more logs wait than syncs can run at once, and until they are few again: one run at a
//! time, and who comes meanwhile goes with the next. Logs that need a run of their own have a queue of their own, and
//! so have those that a full half of the journal waits for: one thread at least works for them.

use crate::hub::SYNC_THREADS;
use crate::journal::RUN_LOGS;
use crate::log::LogShared;
use std::collections::VecDeque;
use std::sync::Arc;

/// Logs that wait when the journal comes into use.
pub const GATHER: usize = 2 * SYNC_THREADS;
/// Runs with one log at most, after which it is left again.
const QUIET_RUNS: u32 = 32;
/// Logs whose files are synced by one task for the journal's sake.
const DRAIN_LOGS: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Each log by itself.
    Each,
    /// The journal's files are being made.
    Preparing,
    Journal {
        quiet: u32,
    },
    /// There is no room for a journal, or no disk under the directory.
    Never,
}

pub struct Gather {
    way: Way,
    waiting: VecDeque<Arc<LogShared>>,
    alone: VecDeque<Arc<LogShared>>,
    drains: VecDeque<Arc<LogShared>>,
    /// A run of the journal is under way.
    gathering: bool,
    draining: usize,
}

pub enum Sync {
    One(Arc<LogShared>),
    Prepare,
    Gathered(Vec<Arc<LogShared>>),
    Drain(Vec<Arc<LogShared>>),
}

impl Gather {
    pub fn new(journal: bool) -> Gather {
        Gather {
            way: if journal { Way::Each } else { Way::Never },
            waiting: VecDeque::new(),
            alone: VecDeque::new(),
            drains: VecDeque::new(),
            gathering: false,
            draining: 0,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.alone.is_empty()
    }

    /// Nobody waits, and who comes is synced by itself.
    pub fn is_idle(&self) -> bool {
        self.is_empty() && self.drains.is_empty() && matches!(self.way, Way::Each | Way::Never)
    }

    pub fn add(&mut self, shared: Arc<LogShared>) {
        self.waiting.push_back(shared);
    }

    /// It needs a run of its own.
    pub fn add_alone(&mut self, shared: Arc<LogShared>) {
        self.alone.push_back(shared);
    }

    pub fn next(&mut self) -> Option<Sync> {
        if self.way == Way::Each && self.waiting.len() >= GATHER {
            self.way = Way::Preparing;
            return Some(Sync::Prepare);
        }
        if matches!(self.way, Way::Journal { .. }) {
            if !self.gathering && !self.waiting.is_empty() {
                self.gathering = true;
                let many = self.waiting.len().min(RUN_LOGS);
                return Some(Sync::Gathered(self.waiting.drain(..many).collect()));
            }
        } else if (self.draining > 0 || self.drains.is_empty())
            && let Some(shared) = self.alone.pop_front().or_else(|| self.waiting.pop_front())
        {
            return Some(Sync::One(shared));
        }
        if self.draining == 0 && !self.drains.is_empty() {
            self.draining += 1;
            let many = self.drains.len().min(DRAIN_LOGS);
            return Some(Sync::Drain(self.drains.drain(..many).collect()));
        }
        self.alone.pop_front().map(Sync::One)
    }

    pub fn prepared(&mut self, ready: bool) {
        self.way = if ready { Way::Journal { quiet: 0 } } else { Way::Never };
    }

    /// A run is over that took `logs` of them; `full`: the journal has no room for a while.
    pub fn gathered(&mut self, logs: usize, full: bool, later: Vec<Arc<LogShared>>, drain: Vec<Arc<LogShared>>) {
        self.gathering = false;
        later.into_iter().rev().for_each(|shared| self.waiting.push_front(shared));
        if self.drains.is_empty() {
            self.drains.extend(drain);
        }
        if let Way::Journal { quiet } = &mut self.way {
            *quiet = if logs > 1 { 0 } else { *quiet + 1 };
            if full || *quiet >= QUIET_RUNS {
                self.way = Way::Each;
            }
        }
    }

    pub fn drained(&mut self) {
        self.draining -= 1;
    }
}
