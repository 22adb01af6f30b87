//! The lane: the one owner of every open log of a directory. Carries out commands in the order in which they came.
//!
//! Invariants: commands of one log are never reordered; consecutive appends of a log within one drain go to the disk
//! together, whatever stands between them for other logs. Every command with a ticket is answered once. Commands for a
//! log that is still opening wait for it, and so do those behind an append whose records take long to look at.

mod judging;
mod life;
mod sweep;

pub use judging::Judging;
pub use sweep::Due;

use crate::append::{Appended, Outcome, Pending};
use crate::cleaner::{Cleaning, Errand};
use crate::command::{
    Answer, AppendedInfo, CleanLog, Command, Completion, DirectoryId, Failure, LogRef, Lookup, OpenLog,
};
use crate::files::FileCommand;
use crate::hub::{Deletion, Hub, LaneItem, ReadTask, stale};
use crate::lanes::log_of;
use crate::lock::lock;
use crate::log::{Log, LogShared};
use crate::open_files::OpenFiles;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The default one is of no directory and has no logs: it answers what has nowhere to go.
#[derive(Default)]
pub struct Lane {
    directory: DirectoryId,
    logs: BTreeMap<u32, Slot>,
    /// What waits for a batch that another thread looks at, by the slot of its log.
    held: BTreeMap<u32, judging::Held>,
    /// Open logs with something for the sweep to do or to find out: it looks at no others, however many there are.
    used: BTreeSet<u32>,
    /// The slot at which the next sweep begins to move recovery points.
    sweeps_from: u32,
    /// Logs whose active file may be open.
    open_files: OpenFiles,
    /// The commands' time of the last sweep.
    swept_ms: Option<i64>,
    /// The latest time that a command carried.
    now_ms: i64,
    /// Logs whose appends ask for a sync, which the driver sees to behind this item.
    asked: Vec<Arc<LogShared>>,
    /// Bytes appended since it was last looked how much lies above the recovery points.
    grown: u64,
}

enum Slot {
    Opening(Box<Opening>),
    Open(Box<Log>),
    /// Another thread has it; readers and syncs go on.
    Lent(Arc<LogShared>),
}

struct Opening {
    request: Box<OpenLog>,
    waiting: Vec<Command>,
}

impl Slot {
    fn log(&self) -> LogRef {
        match self {
            Slot::Opening(opening) => opening.request.log,
            Slot::Open(log) => log.shared().log,
            Slot::Lent(shared) => shared.log,
        }
    }
}

/// Appends of one drain, by log, in order of first appearance.
type Groups = Vec<(LogRef, Vec<Pending>)>;

impl Lane {
    pub fn new(directory: DirectoryId) -> Lane {
        Lane { directory, ..Lane::default() }
    }

    /// Logs whose sync is due since the last item.
    pub fn take_asked(&mut self) -> Vec<Arc<LogShared>> {
        std::mem::take(&mut self.asked)
    }

    pub fn run(&mut self, item: LaneItem, hub: &Hub) {
        match item {
            LaneItem::Commands(commands) => self.drain(commands, hub),
            LaneItem::Opened { log, ticket, outcome } => self.opened(log, ticket, outcome, hub),
            LaneItem::CloseFiles => self.close_files(hub),
            LaneItem::Due(due) => self.due(due, hub),
            LaneItem::Cleaning(cleaning) => self.cleaning(cleaning, hub),
            LaneItem::Judged(judging) => self.judged(*judging, hub),
            LaneItem::Lend { log, to } => {
                if let Some(to) = self.lend_later(log, to) {
                    // Who asked waits for it.
                    let _ = to.send(self.lend(log));
                }
            }
            LaneItem::TakeBack(log) => {
                let at = log.shared().log;
                if self.logs.get(&at.slot).is_some_and(|slot| slot.log() == at) {
                    self.logs.insert(at.slot, Slot::Open(log));
                    self.used.insert(at.slot);
                    while let Some(cleaning) = hub.errand(at) {
                        self.cleaning(cleaning, hub);
                    }
                }
            }
            LaneItem::Opens(log) => {
                if self.open_log(log).is_some() && self.open_files.used(log.slot, hub.files_each()) {
                    self.close_files(hub);
                }
            }
            LaneItem::Flush(done) => {
                for slot in self.logs.values() {
                    let shared = match slot {
                        Slot::Open(log) => log.shared(),
                        Slot::Lent(shared) => shared,
                        Slot::Opening { .. } => continue,
                    };
                    if shared.sync.request(None) {
                        hub.queue_sync(shared);
                    }
                }
                done.store(true, Ordering::Release);
            }
        }
        self.sweep(hub);
    }

    fn drain(&mut self, commands: Vec<Command>, hub: &Hub) {
        let mut groups: Groups = Vec::new();
        for command in commands {
            let Some(log) = log_of(&command) else {
                self.without_log(command, hub);
                continue;
            };
            if let Some(Slot::Opening(opening)) = self.logs.get_mut(&log.slot)
                && opening.request.log == log
                && !matches!(command, Command::Open(_))
            {
                opening.waiting.push(command);
                continue;
            }
            let Some(command) = self.unless_held(log, command) else { continue };
            match command {
                Command::Append {
                    log,
                    ticket,
                    batch,
                    leader_epoch,
                    origin,
                    wake,
                    transaction_version,
                    now_ms,
                    expected_base,
                } => {
                    self.now_ms = self.now_ms.max(now_ms);
                    let pending = Pending {
                        ticket,
                        batch,
                        leader_epoch,
                        origin,
                        wake,
                        transaction_version,
                        now_ms,
                        expected_base,
                        judged: None,
                    };
                    match groups.iter_mut().rev().find(|(other, _)| *other == log) {
                        Some((_, group)) => group.push(pending),
                        None => groups.push((log, vec![pending])),
                    }
                }
                command => {
                    if let Some(at) = groups.iter().position(|(other, _)| *other == log) {
                        let (log, group) = groups.remove(at);
                        self.append(log, group, hub);
                    }
                    if let Some(command) = self.unless_held(log, command) {
                        self.control(log, command, hub);
                    }
                }
            }
        }
        for (log, group) in groups {
            self.append(log, group, hub);
        }
    }

    fn append(&mut self, log: LogRef, mut group: Vec<Pending>, hub: &Hub) {
        let Some(owned) = self.open_log(log) else {
            for one in group {
                let failure = stale(log);
                let info = AppendedInfo { text: failure.text, ..AppendedInfo::default() };
                hub.sink.complete(Completion::Appended { log, ticket: one.ticket, code: failure.code, info }, true);
            }
            return;
        };
        let before = owned.bytes_end();
        let Appended { outcomes, queue, left } = owned.append(&group, true);
        let grown = owned.bytes_end().saturating_sub(before);
        let many = self.open_files.used(log.slot, hub.files_each());
        let Some(owned) = self.open_log(log) else { return };
        let urgent = outcomes.iter().any(|outcome| outcome.urgent);
        let appended = |outcome: Outcome| {
            let (ticket, code, info) = (outcome.ticket, outcome.code, outcome.info);
            Completion::Appended { log, ticket, code, info }
        };
        hub.sink.complete_all(outcomes.into_iter().map(appended).collect(), urgent);
        // Listed first, queued then: no `Synced` overtakes the `Appended` that it covers.
        if queue {
            let shared = owned.shared().clone();
            self.asked.push(shared);
        }
        if many {
            self.close_files(hub);
        }
        self.grown(grown, hub);
        if let Some(left) = left {
            self.hold(log, group.split_off(left), hub);
        }
    }

    /// Too many files are open: those that were not written to for the longest time are closed, if they are on disk,
    /// and brought there otherwise.
    fn close_files(&mut self, hub: &Hub) {
        let logs = &self.logs;
        let too_many = self.open_files.close(hub.files_each(), |slot, must| {
            let Some(Slot::Open(log)) = logs.get(&slot) else { return true };
            let shared = log.shared();
            if !shared.sync.is_clean() {
                if shared.sync.request(None) {
                    hub.queue_sync(shared);
                }
                if must && hub.sync(shared) {
                    hub.queue_sync(shared);
                }
            }
            let clean = shared.sync.is_clean();
            if clean {
                log.close_file();
            }
            clean
        });
        // The syncs are asked for: when they have ended it is tried again.
        if let Ok(site) = hub.site(self.directory) {
            site.too_many_files.store(too_many, Ordering::Release);
        }
    }

    /// The log, of which the next sweep then hears.
    fn open_log(&mut self, log: LogRef) -> Option<&mut Box<Log>> {
        match self.logs.get_mut(&log.slot) {
            Some(Slot::Open(owned)) if owned.shared().log == log => {
                self.used.insert(log.slot);
                Some(owned)
            }
            _ => None,
        }
    }

    fn without_log(&mut self, command: Command, hub: &Hub) {
        let (directory, ticket, command) = match command {
            Command::Look { directory, ticket, now_ms, sweep } => {
                self.now_ms = self.now_ms.max(now_ms);
                return self.look(directory, ticket, sweep, hub);
            }
            Command::Due { directory, ticket, now_ms } => {
                self.now_ms = self.now_ms.max(now_ms);
                return self.due(Box::new(Due::new(directory, ticket, now_ms)), hub);
            }
            Command::WriteFile { directory, ticket, path, content } => {
                (directory, ticket, FileCommand::Write { path, content })
            }
            Command::ReadFile { directory, ticket, path } => (directory, ticket, FileCommand::Read { path }),
            Command::ListFiles { directory, ticket, path } => (directory, ticket, FileCommand::List { path }),
            Command::RemoveFile { directory, ticket, path } => (directory, ticket, FileCommand::Remove { path }),
            Command::SetAside { directory, ticket, folder, name } => {
                (directory, ticket, FileCommand::SetAside { folder, name })
            }
            Command::Checkpoint { directory, ticket } => (directory, ticket, FileCommand::Checkpoint),
            _ => return,
        };
        match hub.site(directory) {
            Ok(site) => hub.queue_files(&site, ticket, command),
            Err(failure) => hub.answer(ticket, Err(failure)),
        }
    }

    fn control(&mut self, log: LogRef, command: Command, hub: &Hub) {
        match command {
            Command::Open(request) => self.open(request, hub),
            Command::Close { ticket, clean, .. } => self.close(log, ticket, clean, hub),
            Command::Delete { ticket, .. } => {
                if let Some(outcome) = self.delete(log, ticket, hub) {
                    hub.answer(ticket, outcome);
                }
            }
            Command::Truncate { ticket, offset, now_ms, .. } => {
                self.change(log, ticket, hub, |owned| {
                    owned.truncate(offset, now_ms)?;
                    Ok((marks(owned), false))
                });
                if let Some(owned) = self.open_log(log)
                    && owned.shared().sync.spared()
                {
                    hub.queue_sync(owned.shared());
                }
            }
            Command::StartEpoch { ticket, epoch, offset, .. } => self.change(log, ticket, hub, |owned| {
                owned.start_epoch(epoch, offset)?;
                Ok((Answer::None, false))
            }),
            Command::Configure { ticket, config, now_ms, .. } => {
                self.now_ms = self.now_ms.max(now_ms);
                self.change(log, ticket, hub, |owned| Ok((Answer::None, owned.configure(*config)?)));
            }
            Command::AdvanceStart { ticket, offset, now_ms, .. } => self.change(log, ticket, hub, |owned| {
                let queue = owned.advance_start(offset, now_ms)?;
                Ok((marks(owned), queue))
            }),
            Command::Retain { ticket, now_ms, .. } => {
                self.now_ms = self.now_ms.max(now_ms);
                self.change(log, ticket, hub, |owned| {
                    let queue = owned.retain(now_ms)?;
                    Ok((marks(owned), queue))
                });
                self.remove_expired(log, now_ms, hub);
            }
            Command::Dirt { ticket, limit, now_ms, .. } => self.change(log, ticket, hub, |owned| {
                let range = owned.clean_range(limit, now_ms);
                Ok((owned.dirt(&range, now_ms)?, false))
            }),
            Command::Clean(request) => self.clean(*request, hub),
            Command::Roll { ticket, now_ms, .. } => self.change(log, ticket, hub, |owned| {
                owned.roll(-1, now_ms)?;
                let queue = owned.rolled_by_hand(now_ms);
                Ok((marks(owned), queue))
            }),
            Command::Sync { ticket, .. } => match hub.log(log) {
                Ok(shared) if shared.sync.request(Some(ticket)) => hub.queue_sync(&shared),
                Ok(_) => {}
                Err(failure) => hub.answer(ticket, Err(failure)),
            },
            Command::Lookup { ticket, lookup, limit, .. } => match hub.log(log) {
                Ok(shared) => {
                    let task = ReadTask::Lookup { shared, ticket, lookup, limit };
                    // The epochs are in memory.
                    if matches!(lookup, Lookup::EpochEnd { .. }) { hub.run_read(task) } else { hub.reads.push(task) }
                }
                Err(failure) => hub.answer(ticket, Err(failure)),
            },
            _ => {}
        }
    }

    fn lend(&mut self, log: LogRef) -> Option<Box<Log>> {
        let owned = self.open_log(log)?;
        // It is about to be written to.
        owned.wake().ok()?;
        let shared = owned.shared().clone();
        match self.logs.insert(log.slot, Slot::Lent(shared)) {
            Some(Slot::Open(owned)) => Some(owned),
            _ => None,
        }
    }

    /// A command that changes the log and is answered at once.
    fn change(
        &mut self,
        log: LogRef,
        ticket: u32,
        hub: &Hub,
        change: impl FnOnce(&mut Log) -> Result<(Answer, bool), Failure>,
    ) {
        let Some(owned) = self.open_log(log) else { return hub.answer(ticket, Err(stale(log))) };
        let outcome = change(owned).map(|(answer, queue)| {
            if queue {
                hub.queue_sync(owned.shared());
            }
            answer
        });
        match outcome {
            // A sync may have ended since they were asked for.
            Ok(Answer::Marks { start, end, .. }) => owned.shared().sync.answer_marks(ticket, start, end),
            outcome => hub.answer(ticket, outcome),
        }
    }

    /// Files of retired segments whose delay is over go.
    fn remove_expired(&mut self, log: LogRef, now_ms: i64, hub: &Hub) {
        let Some(owned) = self.open_log(log) else { return };
        let bases = owned.take_expired(now_ms);
        if !bases.is_empty() {
            hub.deletions.push(Deletion::Segments { shared: owned.shared().clone(), bases });
        }
    }

    /// Begins a pass of compaction. It answers when it is over.
    fn clean(&mut self, request: CleanLog, hub: &Hub) {
        let (log, ticket) = (request.log, request.ticket);
        self.now_ms = self.now_ms.max(request.now_ms);
        let Some(owned) = self.open_log(log) else { return hub.answer(ticket, Err(stale(log))) };
        match owned.begin_cleaning(&request) {
            Ok((found, queue)) => {
                if queue {
                    hub.queue_sync(owned.shared());
                }
                hub.cleanings.push(Box::new(Cleaning::new(log, request, found)));
            }
            Err(failure) => hub.answer(ticket, Err(failure)),
        }
    }

    /// A pass comes with an errand. Of a lent log its owner hears by the ticket, and comes for it.
    fn cleaning(&mut self, mut cleaning: Box<Cleaning>, hub: &Hub) {
        let (log, ticket) = (cleaning.log, std::mem::take(&mut cleaning.request.ticket));
        if matches!(self.logs.get(&log.slot), Some(Slot::Lent(shared)) if shared.log == log) {
            lock(&hub.errands).push(*cleaning);
            return if ticket != 0 {
                hub.answer(ticket, Ok(Answer::None))
            };
        }
        let outcome = match (self.open_log(log), &cleaning.errand) {
            (Some(owned), _) => owned.run_errand(&mut cleaning),
            (None, Some(Errand::End(outcome))) => Some(outcome.clone()),
            (None, _) => Some(Err(stale(log))),
        };
        match outcome {
            None => {
                cleaning.request.ticket = ticket;
                hub.cleanings.push(cleaning);
            }
            // The owner of a log that was lent has had its answer.
            Some(_) if ticket == 0 => {}
            Some(outcome) => hub.answer(ticket, outcome.map(Answer::Cleaned)),
        }
    }
}

fn marks(log: &mut Log) -> Answer {
    let (start, end, synced_end) = log.marks();
    Answer::Marks { start, end, synced_end }
}
