//! What the lanes, the directories' threads, the readers and the submitter share: tables of logs and directories, and
//! the queues between them. Runs one task at a time for whoever calls; never waits for one.
//!
//! Invariants: a log is in its directory's sync queue at most once. File commands of one directory run one after
//! another. Syncs come before openings, and one thread always stays free of openings, so that a long recovery holds up
//! no acknowledgement. A condition variable is notified here and waited on in the driver alone.

mod tasks;

pub use tasks::{SYNC_THREADS, Site, Task, Tasks};

use crate::cleaner::{Cleaning, Progress};
use crate::command::{Answer, Command, Completion, DirectoryId, Failure, LogRef, Lookup, OpenInfo, OpenLog, Sink};
use crate::config::Flush;
use crate::create::create_folders;
use crate::directory::Directory;
use crate::error::Code;
use crate::files::{self, FileCommand};
use crate::lane::{Due, Judging};
use crate::lock::{lock, read};
use crate::log::{Log, LogShared};
use crate::mapped::Piece;
use crate::open;
use crate::view::{Patience, ReadRequest};
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, RwLock};

/// So many that need a sync of what they are found to hold get one for everything.
const CATCH_UP: usize = 16;

/// A queue and what wakes its threads.
pub struct Queue<T> {
    pub items: Mutex<Items<T>>,
    pub filled: Condvar,
}

pub struct Items<T> {
    pub queue: VecDeque<T>,
    /// Nothing comes any more: its threads end when it is empty.
    pub closed: bool,
    /// Threads that sleep for want of an item. While there are none nobody is notified: that is a system call, heard or
    /// not.
    pub sleeping: usize,
    /// A queue whose items go one after another: somebody carries one out, and takes the next by himself.
    pub busy: bool,
}

impl<T> Queue<T> {
    fn new() -> Queue<T> {
        Queue {
            items: Mutex::new(Items { queue: VecDeque::new(), closed: false, sleeping: 0, busy: false }),
            filled: Condvar::new(),
        }
    }

    pub fn push(&self, item: T) {
        self.add(|queue| queue.push_back(item));
    }

    pub fn pop(&self) -> Option<T> {
        lock(&self.items).queue.pop_front()
    }

    pub fn close(&self) {
        lock(&self.items).closed = true;
        self.filled.notify_all();
    }

    fn add(&self, add: impl FnOnce(&mut VecDeque<T>)) {
        let mut items = lock(&self.items);
        add(&mut items.queue);
        if items.sleeping > 0 && !items.busy {
            self.filled.notify_one();
        }
    }
}

impl Queue<LaneItem> {
    /// Commands that the lane has not begun yet go with these in one drain, so that it writes in larger groups the
    /// later it is.
    pub fn push_commands(&self, commands: Vec<Command>) {
        self.add(|queue| match queue.back_mut() {
            Some(LaneItem::Commands(waiting)) => waiting.extend(commands),
            _ => queue.push_back(LaneItem::Commands(commands)),
        });
    }
}

pub enum LaneItem {
    Commands(Vec<Command>),
    Opened {
        log: LogRef,
        ticket: u32,
        outcome: Result<(Box<Log>, Box<OpenInfo>), Failure>,
    },
    /// The next piece of a look at all logs of a directory.
    Due(Box<Due>),
    /// Too many files were open, and syncs have ended since.
    CloseFiles,
    /// A pass of compaction comes with an errand.
    Cleaning(Box<Cleaning>),
    /// A batch whose records took long to look at.
    Judged(Box<Judging>),
    /// Out of the lane's hands, to the thread that waits for it; None: it isn't open.
    Lend {
        log: LogRef,
        to: SyncSender<Option<Box<Log>>>,
    },
    /// Into the lane's hands again.
    TakeBack(Box<Log>),
    /// A reader opened the log's active file.
    Opens(LogRef),
    /// Queue every dirty log for a sync, then set the flag.
    Flush(Arc<AtomicBool>),
}

pub enum ReadTask {
    Read { shared: Arc<LogShared>, ticket: u32, request: ReadRequest },
    Lookup { shared: Arc<LogShared>, ticket: u32, lookup: Lookup, limit: i64 },
}

/// What was renamed and waits for its deletion.
pub enum Deletion {
    /// `ticket`: answered once the renaming is on disk.
    Folder {
        directory: Arc<Directory>,
        name: String,
        ticket: Option<u32>,
    },
    Segments {
        shared: Arc<LogShared>,
        bases: Vec<i64>,
    },
}

pub struct Hub {
    pub sink: Arc<dyn Sink>,
    pub sites: RwLock<BTreeMap<DirectoryId, Arc<Site>>>,
    /// Open logs by slot.
    pub logs: RwLock<BTreeMap<u32, Arc<LogShared>>>,
    /// Logs that are being opened.
    pub opening: Mutex<BTreeMap<LogRef, DirectoryId>>,
    pub reads: Queue<ReadTask>,
    pub deletions: Queue<Deletion>,
    pub cleanings: Queue<Box<Cleaning>>,
    pub judgings: Queue<Box<Judging>>,
    /// Passes over lent logs, whose owners come for their errands.
    pub errands: Mutex<Vec<Cleaning>>,
    /// Parts of mapped files that are filled ahead.
    pub pieces: Queue<Arc<Piece>>,
    /// Notified when a sync has ended.
    pub settled: Condvar,
    pub settling: Mutex<()>,
    /// Active files that may be open at once.
    open_files: usize,
    /// Bytes above the recovery points of one directory's logs, under `flush=group`; half as many again while syncs are
    /// slow.
    pub recovery_bytes: u64,
}

impl Hub {
    pub fn new(sink: Arc<dyn Sink>, open_files: usize, recovery_bytes: u64) -> Hub {
        Hub {
            sink,
            open_files,
            recovery_bytes,
            sites: RwLock::default(),
            logs: RwLock::default(),
            opening: Mutex::default(),
            reads: Queue::new(),
            deletions: Queue::new(),
            cleanings: Queue::new(),
            judgings: Queue::new(),
            errands: Mutex::default(),
            pieces: Queue::new(),
            settled: Condvar::new(),
            settling: Mutex::new(()),
        }
    }

    pub fn site(&self, id: DirectoryId) -> Result<Arc<Site>, Failure> {
        let site = read(&self.sites).get(&id).cloned();
        site.ok_or_else(|| Failure { code: Code::NotFound, text: format!("there is no open log directory {id}") })
    }

    pub fn log(&self, log: LogRef) -> Result<Arc<LogShared>, Failure> {
        match read(&self.logs).get(&log.slot) {
            Some(shared) if shared.log == log => Ok(shared.clone()),
            _ => Err(stale(log)),
        }
    }

    /// Active files that one directory's logs may have open.
    pub fn files_each(&self) -> usize {
        self.open_files / read(&self.sites).len().max(1)
    }

    pub fn answer(&self, ticket: u32, outcome: Result<Answer, Failure>) {
        self.sink.complete(Completion::Answered { ticket, outcome }, true);
    }

    pub fn queue_sync(&self, shared: &Arc<LogShared>) {
        if let Ok(site) = self.site(shared.directory.id) {
            lock(&site.tasks).syncs.add(shared.clone());
            site.filled.notify_one();
        }
    }

    pub fn queue_open(&self, site: &Site, request: OpenLog) {
        lock(&site.tasks).opens.push_back(request);
        site.filled.notify_one();
        site.opens_filled.notify_one();
    }

    pub fn queue_files(&self, site: &Site, ticket: u32, command: FileCommand) {
        lock(&site.tasks).files.push_back((ticket, command));
        site.filled.notify_one();
    }

    pub fn is_settled(&self) -> bool {
        read(&self.sites).values().all(|site| lock(&site.tasks).is_settled())
    }

    pub fn any_offline(&self) -> bool {
        read(&self.sites).values().any(|site| site.directory.is_offline())
    }

    pub fn run(&self, site: &Site, task: Task) {
        let directory = &site.directory;
        match task {
            Task::Sync(sync) => {
                let _under_way = UnderWay { hub: self, site };
                self.run_sync(site, sync);
            }
            Task::Files(ticket, command) => {
                let claimed = if command.only_reads() { directory.check() } else { self.claim(directory) };
                self.answer(ticket, claimed.and_then(|()| files::run(directory, command)));
                lock(&site.tasks).files_running = false;
                site.filled.notify_one();
            }
            Task::Checkpoint => {
                // No room: the next sweep tries again. Any other failure has taken the directory offline.
                let _ = directory.write_checkpoints();
                lock(&site.tasks).checkpoint_running = false;
                site.filled.notify_one();
            }
            Task::Open(requests) => {
                let created = match self.claim(directory) {
                    Ok(()) => create_folders(directory, &requests),
                    Err(failure) => requests.iter().map(|_| Err(failure.clone())).collect(),
                };
                let unclean = |(request, created): &(&OpenLog, &Result<bool, Failure>)| {
                    !request.clean && request.config.flush == Flush::Group && matches!(created, Ok(false))
                };
                if requests.iter().zip(&created).filter(unclean).count() >= CATCH_UP {
                    // Its failure is the directory's, and each opening meets it.
                    let _ = directory.catch_up();
                }
                for (request, created) in requests.iter().zip(created) {
                    let outcome =
                        created.and_then(|created| open::open(directory, request, created, self.sink.clone()));
                    site.lane.push(LaneItem::Opened { log: request.log, ticket: request.ticket, outcome });
                }
                lock(&site.tasks).opening -= 1;
                site.filled.notify_one();
                site.opens_filled.notify_one();
            }
        }
    }

    /// Runs the log's sync on this thread, and again as long as more was written meanwhile and nobody else waits for
    /// one. `Tasks::begin_here` said that it may.
    pub fn sync_on_lane(&self, site: &Site, shared: &Arc<LogShared>) {
        let under_way = UnderWay { hub: self, site };
        while self.sync(shared) {
            under_way.tell();
            if !lock(&site.tasks).goes_on_here() {
                return self.queue_sync(shared);
            }
        }
    }

    /// Takes possession of the directory before the first change of it.
    fn claim(&self, directory: &Arc<Directory>) -> Result<(), Failure> {
        directory.check()?;
        for name in directory.claim()? {
            self.deletions.push(Deletion::Folder { directory: directory.clone(), name, ticket: None });
        }
        Ok(())
    }

    pub fn run_read(&self, task: ReadTask) {
        match task {
            ReadTask::Read { shared, ticket, request } => {
                let held = shared.view.holds_file();
                let outcome = shared.directory.check().and_then(|()| {
                    let internal = || Failure { code: Code::Internal, text: "a read gave up".to_string() };
                    shared.view.read(&request, Patience::Disk).unwrap_or_else(|| Err(internal()))
                });
                let outcome = outcome.map(Box::new);
                self.sink.complete(Completion::ReadDone { log: shared.log, ticket, outcome }, true);
                self.note_file(&shared, held);
            }
            ReadTask::Lookup { shared, ticket, lookup, limit } => {
                let held = shared.view.holds_file();
                let outcome = shared.directory.check().and_then(|()| match lookup {
                    Lookup::Time { timestamp } => shared.view.lookup_time(timestamp, limit),
                    Lookup::MaxTime => shared.view.lookup_max_time(limit),
                    Lookup::EpochEnd { epoch } => {
                        let state = shared.view.state();
                        let (epoch, offset) = state.epochs.end_offset_for(epoch, state.end);
                        Ok(Answer::Found { offset, timestamp: -1, epoch })
                    }
                });
                self.answer(ticket, outcome);
                self.note_file(&shared, held);
            }
        }
    }

    /// A reader has opened the active file, which stays open: the lane counts it.
    fn note_file(&self, shared: &LogShared, held: bool) {
        if !held && shared.view.holds_file() {
            self.to_lane(shared.directory.id, LaneItem::Opens(shared.log));
        }
    }

    /// The next step of a pass: bytes that it moved, and the pass itself unless it is the lane's turn.
    pub fn run_cleaning(&self, mut cleaning: Box<Cleaning>) -> Option<(Box<Cleaning>, u64)> {
        match cleaning.step() {
            Progress::More { bytes } => Some((cleaning, bytes)),
            Progress::Lane => {
                self.to_lane(cleaning.directory(), LaneItem::Cleaning(cleaning));
                None
            }
        }
    }

    pub fn run_judging(&self, mut judging: Box<Judging>) {
        judging.judge();
        self.to_lane(judging.directory, LaneItem::Judged(judging));
    }

    /// A pass over this lent log that waits for its owner.
    pub fn errand(&self, log: LogRef) -> Option<Box<Cleaning>> {
        let mut errands = lock(&self.errands);
        let at = errands.iter().position(|cleaning| cleaning.log == log)?;
        Some(Box::new(errands.swap_remove(at)))
    }

    /// A thread of the engine panicked: nothing it was at can be trusted any more.
    pub fn panicked(&self, text: String) {
        for site in read(&self.sites).values() {
            site.directory.fail_with(0, format!("log directory {} is offline: {text}", site.directory.path));
        }
        self.sink.complete(Completion::Fatal { text }, true);
    }
}

/// A task that syncs; it ends with this, also by a panic.
struct UnderWay<'a> {
    hub: &'a Hub,
    site: &'a Site,
}

impl UnderWay<'_> {
    /// A sync is over: who waits for one looks again.
    fn tell(&self) {
        let directory = &self.site.directory;
        if !directory.is_offline() && directory.recovery_points_changed() {
            self.site.want_checkpoint();
        }
        drop(lock(&self.hub.settling));
        self.hub.settled.notify_all();
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let ended = {
            let mut tasks = lock(&self.site.tasks);
            tasks.syncing -= 1;
            tasks.is_settled()
        };
        if ended && self.site.too_many_files.swap(false, Ordering::AcqRel) {
            self.site.lane.push(LaneItem::CloseFiles);
        }
        self.tell();
    }
}

pub fn stale(log: LogRef) -> Failure {
    Failure { code: Code::StaleLog, text: format!("log {}.{} is not open", log.slot, log.generation) }
}
