//! Runs the engine: on threads, or stepped by hand. Nothing else of the crate spawns or sleeps.
//!
//! Threads: for each directory two that are its lane in turn and up to four more (syncs, its small files, openings;
//! more for openings where that is asked for), two for reads, one for deletions, one for batches that take long to
//! judge, and for compaction as many as passes were asked for at once. Each runs one task at a time and catches its
//! panic: the directories go offline, the host lives on.

mod directories;
mod lent;
mod threads;

use crate::command::{Command, Completion, DirectoryId, Sink};
use crate::hub::{Hub, LaneItem, ReadTask, Site, Task, Tasks};
use crate::lock::{lock, read, write};
use crate::vfs::{self, Space};
use crate::view::{Patience, ReadRequest};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// One is the lane; it syncs what it wrote itself if the other sleeps, which is the lane then.
const LANE_THREADS: usize = 2;
const READ_THREADS: usize = 2;
/// Passes of compaction at once, whoever asks for how many.
const CLEANER_THREADS: usize = 16;
/// Active files that are open at once, unless it is said how many.
const FEWEST_FILES: usize = 16;
const MOST_FILES: usize = 4096;
/// A fifth of a second, as fast as memory is read and checked; each recovery point costs some syncs, and so moves a log
/// by half a megabyte at least where a thousand are written to.
const RECOVERY_BYTES: u64 = 1 << 30;

#[derive(Clone, Copy, Debug, Default)]
pub struct EngineOptions {
    /// No threads: `Engine::step` runs one task of a role at a time.
    pub manual: bool,
    /// Active files of logs that may be open at once; 0: an eighth of the descriptors that the process may have.
    pub open_files: usize,
    /// What a start after a crash has to read of one directory's logs under `flush=group`, about; 0: `RECOVERY_BYTES`.
    pub recovery_bytes: u64,
    pub journal: JournalSize,
}

/// The bytes of each half of a directory's journal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JournalSize {
    #[default]
    Usual,
    Bytes(u64),
    /// Every log syncs its own files.
    None,
}

/// Who does what. In manual mode each is stepped by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Changes logs: append, truncate, roll, close.
    Lane,
    /// Makes them durable; reads and writes the small files beside them.
    Sync,
    /// Reads that may wait for the disk.
    Read,
    /// Opens logs, removes deleted ones, compacts, judges batches that take long.
    Background,
}

/// What opening a log directory found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedDirectory {
    pub id: DirectoryId,
    /// The clean-shutdown file was there.
    pub clean: bool,
    /// The broker epoch in that file, or -1.
    pub broker_epoch: i64,
    /// Folders that hold logs, sorted.
    pub folders: Vec<String>,
}

/// What a directory's open logs hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryUse {
    /// Folder name and bytes of the segments, for each open log.
    pub logs: Vec<(String, u64)>,
    /// None where the file system has no bounds.
    pub space: Option<Space>,
}

/// The engine. Cheap to clone; all clones are the same one.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    manual: bool,
    journal: JournalSize,
    hub: Hub,
    next_directory: AtomicU32,
    stopping: AtomicBool,
    cleaners: AtomicUsize,
    threads: Mutex<Vec<(Of, JoinHandle<()>)>>,
    /// The thread that fills mapped files ahead runs.
    filling: AtomicBool,
}

/// Whose thread it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    All,
    Directory(DirectoryId),
    /// The directory's lane, which ends after its others.
    Lane(DirectoryId),
}

impl Engine {
    pub fn start(options: EngineOptions, sink: Arc<dyn Sink>) -> Engine {
        let open_files = match options.open_files {
            0 => (vfs::descriptors() / 8).clamp(FEWEST_FILES, MOST_FILES),
            files => files,
        };
        let recovery_bytes = if options.recovery_bytes == 0 { RECOVERY_BYTES } else { options.recovery_bytes };
        let engine = Engine {
            inner: Arc::new(Inner {
                manual: options.manual,
                journal: options.journal,
                hub: Hub::new(sink, open_files, recovery_bytes),
                next_directory: AtomicU32::new(1),
                stopping: AtomicBool::new(false),
                cleaners: AtomicUsize::new(0),
                threads: Mutex::default(),
                filling: AtomicBool::new(false),
            }),
        };
        if !options.manual {
            for _ in 0..READ_THREADS {
                engine.spawn("read", Of::All, |inner| {
                    while let Some(task) = inner.wait(&inner.hub.reads) {
                        inner.guard(|| inner.hub.run_read(task));
                    }
                });
            }
            engine.spawn("background", Of::All, |inner| {
                while let Some(deletion) = inner.wait(&inner.hub.deletions) {
                    inner.guard(|| inner.hub.run_deletion(deletion));
                }
            });
            engine.spawn("judge", Of::All, |inner| {
                while let Some(judging) = inner.wait(&inner.hub.judgings) {
                    inner.guard(|| inner.hub.run_judging(judging));
                }
            });
        }
        engine
    }

    fn spawn(&self, name: &str, of: Of, body: impl FnOnce(&Inner) + Send + 'static) {
        let inner = self.inner.clone();
        let spawned = std::thread::Builder::new().name(format!("odradek-{name}")).spawn(move || body(&inner));
        match spawned {
            Ok(thread) => lock(&self.inner.threads).push((of, thread)),
            Err(error) => self.inner.hub.panicked(format!("no thread can be started: {error}")),
        }
    }

    /// Hands the commands over, in order. A `Read` whose range is hot and whose index is in memory is planned here, on
    /// the caller's thread: its completion is with the sink before this returns.
    pub fn submit(&self, mut commands: Vec<Command>) {
        let hub = &self.inner.hub;
        commands.retain(|command| match command {
            Command::Read { log, ticket, from, limit, max_bytes, last_fetched_epoch, flags } => {
                let (from, limit, max_bytes) = (*from, *limit, *max_bytes);
                let request =
                    ReadRequest { from, limit, max_bytes, last_fetched_epoch: *last_fetched_epoch, flags: *flags };
                let (log, ticket) = (*log, *ticket);
                let done = match hub.log(log) {
                    Err(failure) => Some(Err(failure)),
                    Ok(shared) => match shared.directory.check() {
                        Err(failure) => Some(Err(failure)),
                        Ok(()) => {
                            let done = shared.view.read(&request, Patience::None);
                            if done.is_none() {
                                hub.reads.push(ReadTask::Read { shared, ticket, request });
                            }
                            done
                        }
                    },
                };
                if let Some(outcome) = done {
                    let outcome = outcome.map(Box::new);
                    hub.sink.complete(Completion::ReadDone { log, ticket, outcome }, false);
                }
                false
            }
            Command::Watch { log, offset, limit } => {
                if let Ok(shared) = hub.log(*log) {
                    shared.sync.watch(*offset, *limit);
                }
                false
            }
            Command::SetMarks { log, high_watermark } => {
                if let Ok(shared) = hub.log(*log) {
                    shared.directory.set_high_watermark(&shared.name, *high_watermark);
                }
                false
            }
            _ => true,
        });
        if commands.iter().any(|command| matches!(command, Command::Clean(_))) {
            self.have_cleaner();
        }
        if !commands.is_empty() {
            hub.dispatch(commands);
        }
    }

    /// A thread for one more pass of compaction, unless one is free. There are none before the first pass.
    fn have_cleaner(&self) {
        if self.inner.manual || lock(&self.inner.hub.cleanings.items).sleeping > 0 {
            return;
        }
        if self.inner.cleaners.fetch_add(1, Ordering::Relaxed) >= CLEANER_THREADS {
            self.inner.cleaners.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        self.spawn("cleaner", Of::All, |inner| {
            while let Some(cleaning) = inner.wait(&inner.hub.cleanings) {
                let mut next = Some(cleaning);
                while let Some(cleaning) = next.take() {
                    inner.guard(|| next = inner.clean(cleaning));
                }
            }
        });
    }

    /// For the end of the process: syncs every dirty log, within the time given. False if it ran out or something
    /// failed. Writes no clean-shutdown file.
    pub fn flush_all(&self, timeout_ms: u64) -> bool {
        let hub = &self.inner.hub;
        let ask = |site: Arc<Site>| {
            let asked = Arc::new(AtomicBool::new(false));
            site.lane.push(LaneItem::Flush(asked.clone()));
            asked
        };
        let asked: Vec<Arc<AtomicBool>> = hub.each_site().into_iter().map(ask).collect();
        let settled = || asked.iter().all(|asked| asked.load(Ordering::Acquire)) && hub.is_settled();
        if self.inner.manual {
            while self.step(Role::Lane) || self.step(Role::Sync) {}
            return settled() && !hub.any_offline();
        }
        let waiting = lock(&hub.settling);
        // The lane notifies nobody when it has asked: look again every few milliseconds until the time is over.
        let (mut waiting, mut left) = (waiting, timeout_ms);
        while !settled() && left > 0 && !self.inner.stopping.load(Ordering::Acquire) {
            let slice = left.min(2);
            left -= slice;
            let wait = hub.settled.wait_timeout(waiting, Duration::from_millis(slice));
            waiting = wait.unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(waiting);
        settled() && !hub.any_offline()
    }

    /// Manual mode: runs one task of the role; false if it had none.
    pub fn step(&self, role: Role) -> bool {
        let (inner, hub) = (&self.inner, &self.inner.hub);
        let of_a_site = |take: fn(&mut Tasks) -> Option<Task>| {
            let found = hub.each_site().into_iter().find_map(|site| next_of(&site, take).map(|task| (site, task)));
            found.map(|(site, task)| inner.guard(|| hub.run(&site, task))).is_some()
        };
        match role {
            Role::Lane => hub.each_site().iter().any(|site| inner.step_lane(site)),
            Role::Sync => of_a_site(Tasks::next_sync),
            Role::Read => hub.reads.pop().map(|task| inner.guard(|| hub.run_read(task))).is_some(),
            Role::Background => {
                let cleaning = hub.cleanings.pop();
                let cleaned = cleaning.is_some();
                if let Some(cleaning) = cleaning {
                    inner.guard(|| {
                        if let Some((cleaning, _)) = hub.run_cleaning(cleaning) {
                            hub.cleanings.push(cleaning);
                        }
                    });
                }
                cleaned
                    || hub.judgings.pop().map(|judging| inner.guard(|| hub.run_judging(judging))).is_some()
                    || of_a_site(Tasks::next_open)
                    || hub.deletions.pop().map(|deletion| inner.guard(|| hub.run_deletion(deletion))).is_some()
            }
        }
    }

    /// Ends and joins the threads; what is queued and not begun is dropped. Idempotent.
    pub fn stop(&self) {
        let hub = &self.inner.hub;
        self.inner.stopping.store(true, Ordering::Release);
        // Each lock is taken once, so that nobody is between looking at the flag and going to sleep.
        drop(lock(&hub.reads.items));
        hub.reads.filled.notify_all();
        drop(lock(&hub.deletions.items));
        hub.deletions.filled.notify_all();
        drop(lock(&hub.cleanings.items));
        hub.cleanings.filled.notify_all();
        drop(lock(&hub.judgings.items));
        hub.judgings.filled.notify_all();
        drop(lock(&hub.pieces.items));
        hub.pieces.filled.notify_all();
        for site in read(&hub.sites).values() {
            drop(lock(&site.lane.items));
            site.lane.filled.notify_all();
            drop(lock(&site.tasks));
            site.filled.notify_all();
            site.opens_filled.notify_all();
        }
        self.join(|_| true);
        // Directories that nobody closed give their locks back.
        for site in std::mem::take(&mut *write(&hub.sites)).values() {
            site.directory.retire();
        }
        write(&hub.logs).clear();
    }

    fn join(&self, which: impl Fn(Of) -> bool) {
        let (ending, staying) =
            std::mem::take(&mut *lock(&self.inner.threads)).into_iter().partition(|(of, _)| which(*of));
        lock(&self.inner.threads).extend::<Vec<_>>(staying);
        let ending: Vec<(Of, JoinHandle<()>)> = ending;
        for (_, thread) in ending.into_iter().filter(|(_, thread)| thread.thread().id() != std::thread::current().id())
        {
            // Its panics were caught and told of.
            let _ = thread.join();
        }
    }
}

fn next_of(site: &Site, take: fn(&mut Tasks) -> Option<Task>) -> Option<Task> {
    take(&mut lock(&site.tasks))
}
