//! The work of one directory's threads: what waits, what runs, what comes next.

use super::{LaneItem, Queue};
use crate::command::OpenLog;
use crate::directory::Directory;
use crate::files::FileCommand;
use crate::gather::{Gather, Sync};
use crate::lane::Lane;
use crate::lock::lock;
use std::collections::VecDeque;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex};

/// Sync threads of one directory.
pub const SYNC_THREADS: usize = 4;
/// Syncs after which a checkpoint that waits comes first.
const CHECKPOINT_AFTER: u32 = 64;

/// Threads that open logs at once in one directory, unless it is said how many.
const RECOVERY_THREADS: usize = 2;
const MOST_RECOVERY_THREADS: usize = 128;

/// Logs that are opened by one task: new ones share their syncs.
const OPENS_TOGETHER: usize = 64;
/// One directory and the work that its threads do.
pub struct Site {
    pub directory: Arc<Directory>,
    pub lane: Queue<LaneItem>,
    /// Locked while it runs an item, by the one thread that does.
    pub owner: Mutex<Lane>,
    /// More active files are open than may be, and wait for their syncs.
    pub too_many_files: AtomicBool,
    pub tasks: Mutex<Tasks>,
    pub filled: Condvar,
    /// For the threads that do nothing but open logs.
    pub opens_filled: Condvar,
}

impl Site {
    pub fn new(directory: Arc<Directory>, tasks: Tasks) -> Site {
        Site {
            lane: Queue::new(),
            owner: Mutex::new(Lane::new(directory.id)),
            too_many_files: AtomicBool::new(false),
            directory,
            tasks: Mutex::new(tasks),
            filled: Condvar::new(),
            opens_filled: Condvar::new(),
        }
    }

    pub fn want_checkpoint(&self) {
        lock(&self.tasks).checkpoint_wanted = true;
        self.filled.notify_one();
    }
}

pub struct Tasks {
    pub syncs: Gather,
    pub(super) syncing: usize,
    pub(super) files: VecDeque<(u32, FileCommand)>,
    pub(super) files_running: bool,
    pub(super) opens: VecDeque<OpenLog>,
    pub(super) opening: usize,
    /// Tasks that open logs may be so many at once.
    most_opening: usize,
    /// Threads that do nothing else.
    pub openers: usize,
    checkpoint_wanted: bool,
    pub(super) checkpoint_running: bool,
    syncs_since: u32,
    /// No task comes any more: the threads end when the queues are empty.
    pub closing: bool,
}

pub enum Task {
    Sync(Sync),
    Files(u32, FileCommand),
    Checkpoint,
    Open(Vec<OpenLog>),
}

impl Tasks {
    pub fn new(journal: bool) -> Tasks {
        Tasks {
            syncs: Gather::new(journal),
            syncing: 0,
            files: VecDeque::new(),
            files_running: false,
            opens: VecDeque::new(),
            opening: 0,
            most_opening: RECOVERY_THREADS,
            openers: 0,
            checkpoint_wanted: false,
            checkpoint_running: false,
            syncs_since: 0,
            closing: false,
        }
    }

    /// What a thread of the directory does next.
    pub fn next(&mut self) -> Option<Task> {
        if let Some(task) = self.next_sync() {
            return Some(task);
        }
        // One thread stays free of openings.
        if self.opening + 1 < SYNC_THREADS { self.next_open() } else { None }
    }

    /// Logs are recovered by so many threads. How many more are needed than there are: those that sync help.
    pub fn set_recovery_threads(&mut self, threads: usize) -> usize {
        self.most_opening = threads.clamp(1, MOST_RECOVERY_THREADS);
        let more = (self.most_opening + 1).saturating_sub(SYNC_THREADS + self.openers);
        self.openers += more;
        more
    }

    pub fn next_sync(&mut self) -> Option<Task> {
        if !self.files_running
            && let Some((ticket, command)) = self.files.pop_front()
        {
            self.files_running = true;
            return Some(Task::Files(ticket, command));
        }
        let due = self.syncs.is_empty() || self.syncs_since >= CHECKPOINT_AFTER;
        if self.checkpoint_wanted && !self.checkpoint_running && due {
            self.checkpoint_wanted = false;
            self.checkpoint_running = true;
            self.syncs_since = 0;
            return Some(Task::Checkpoint);
        }
        let sync = self.syncs.next()?;
        self.syncs_since += 1;
        self.syncing += 1;
        Some(Task::Sync(sync))
    }

    pub fn next_open(&mut self) -> Option<Task> {
        if self.opens.is_empty() || self.opening >= self.most_opening {
            return None;
        }
        let together = self.opens.len().div_ceil(self.most_opening * 2).min(OPENS_TOGETHER);
        self.opening += 1;
        Some(Task::Open(self.opens.drain(..together).collect()))
    }

    /// True: the caller runs the sync of a log that asked for one just now; nobody else waits for any.
    pub fn begin_here(&mut self) -> bool {
        let here = self.goes_on_here();
        self.syncing += usize::from(here);
        here
    }

    pub fn goes_on_here(&self) -> bool {
        !self.closing && self.syncs.is_idle()
    }

    pub fn is_settled(&self) -> bool {
        self.syncs.is_empty() && self.syncing == 0
    }
}
