//! An engine stepped by hand on the file system in memory, and what it has said.

use odradek_engine::command::*;
use odradek_engine::config::LogConfig;
use odradek_engine::driver::{Engine, EngineOptions, JournalSize, OpenedDirectory, Role};
use odradek_engine::error::Code;
use odradek_engine::vfs::{MemoryVfs, VfsKind};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A moment; commands carry it as their time.
pub const NOW: i64 = 1_700_000_000_000;
pub const TOPIC_ID: &str = "AAAAAAAAAAAAAAAAAAAAAQ";
pub const DIRECTORY: &str = "/data";
/// Of each half: as little as goes, so that a script fills them.
const JOURNAL_BYTES: u64 = 128 << 10;

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the engine has said.
#[derive(Default)]
pub struct Heard {
    by_ticket: HashMap<u32, Completion>,
    synced: BTreeMap<u32, i64>,
    /// Failures of directories and panics.
    pub broken: Option<String>,
    /// Counts all that was said.
    pub count: u64,
}

#[derive(Default)]
struct Ear(Mutex<Heard>);

impl Sink for Ear {
    fn complete(&self, completion: Completion, _urgent: bool) {
        let heard = &mut *lock(&self.0);
        heard.count += 1;
        let ticket = match &completion {
            Completion::Opened { ticket, .. }
            | Completion::Appended { ticket, .. }
            | Completion::ReadDone { ticket, .. }
            | Completion::Answered { ticket, .. } => *ticket,
            Completion::Synced { log, synced_end } => {
                heard.synced.insert(log.slot, *synced_end);
                return;
            }
            Completion::NeverSynced { .. } => return,
            Completion::DirectoryFailed { text, .. } | Completion::Fatal { text } => {
                heard.broken.get_or_insert(text.clone());
                return;
            }
        };
        if heard.by_ticket.insert(ticket, completion).is_some() {
            heard.broken.get_or_insert(format!("ticket {ticket} was answered twice"));
        }
    }
}

/// Cheap to clone; all clones are the same one.
#[derive(Clone)]
pub struct Rig {
    engine: Engine,
    ear: Arc<Ear>,
    tickets: Arc<AtomicU32>,
}

impl Default for Rig {
    fn default() -> Self {
        Rig::new()
    }
}

impl Rig {
    pub fn new() -> Rig {
        let ear = Arc::new(Ear::default());
        let engine = Engine::start(
            EngineOptions { manual: true, journal: JournalSize::Bytes(JOURNAL_BYTES), ..EngineOptions::default() },
            ear.clone(),
        );
        Rig { engine, ear, tickets: Arc::default() }
    }

    pub fn ticket(&self) -> u32 {
        self.tickets.fetch_add(1, Ordering::Relaxed)
    }

    pub fn heard(&self) -> MutexGuard<'_, Heard> {
        lock(&self.ear.0)
    }

    /// What the engine has reported as synced since the log was opened or cut; -1: nothing.
    pub fn synced(&self, slot: u32) -> i64 {
        self.heard().synced.get(&slot).copied().unwrap_or(-1)
    }

    /// From now on less counts as synced.
    pub fn lower_synced(&self, slot: u32, offset: i64) {
        if let Some(synced) = self.heard().synced.get_mut(&slot) {
            *synced = offset.min(*synced);
        }
    }

    pub fn set_synced(&self, slot: u32, offset: i64) {
        self.heard().synced.insert(slot, offset);
    }

    pub fn step(&self, role: Role) -> bool {
        self.engine.step(role)
    }

    /// Everything that can run, runs.
    pub fn settle(&self) {
        while [Role::Lane, Role::Background, Role::Sync, Role::Read].into_iter().any(|role| self.step(role)) {}
    }

    pub fn submit(&self, command: Command) {
        self.engine.submit(vec![command]);
    }

    pub fn submit_all(&self, commands: Vec<Command>) {
        self.engine.submit(commands);
    }

    fn take(&self, ticket: u32) -> Result<Completion, String> {
        let found = self.heard().by_ticket.remove(&ticket);
        found.ok_or_else(|| {
            let why = self.heard().broken.clone().unwrap_or_default();
            format!("nothing is left to run and a command is not answered; {why}")
        })
    }

    pub fn open_directory(&self, vfs: &MemoryVfs) -> Result<OpenedDirectory, Failure> {
        self.engine.open_directory(DIRECTORY, VfsKind::Memory(vfs.clone()))
    }

    pub fn close_directory(&self, id: DirectoryId, clean: bool) -> Result<(), Failure> {
        self.engine.close_directory(id, clean, 1)
    }

    /// Ends it as the end of the process would.
    pub fn stop(&self) {
        self.engine.stop();
    }

    pub fn open(&self, request: OpenLog) -> Result<Result<OpenInfo, Failure>, String> {
        let ticket = request.ticket;
        self.submit(Command::Open(Box::new(request)));
        self.settle();
        match self.take(ticket)? {
            Completion::Opened { outcome, .. } => Ok(outcome.map(|info| *info)),
            other => Err(format!("{other:?} answers an opening")),
        }
    }

    pub fn answer(&self, command: impl FnOnce(u32) -> Command) -> Result<Answer, String> {
        let ticket = self.ticket();
        self.submit(command(ticket));
        self.settle();
        self.answer_of(ticket)
    }

    pub fn answer_of(&self, ticket: u32) -> Result<Answer, String> {
        match self.take(ticket)? {
            Completion::Answered { outcome, .. } => outcome.map_err(|failure| format!("{failure:?}")),
            other => Err(format!("{other:?} is no answer")),
        }
    }

    pub fn appended(&self, ticket: u32) -> Result<(Code, AppendedInfo), String> {
        match self.take(ticket)? {
            Completion::Appended { code, info, .. } => Ok((code, info)),
            other => Err(format!("{other:?} answers an append")),
        }
    }

    pub fn read(&self, slot: u32, from: i64, limit: i64) -> Result<Result<ReadInfo, Failure>, String> {
        let ticket = self.ticket();
        let flags = ReadFlags { at_least_one: true, aborted_list: true, to_memory: true };
        let (log, max_bytes) = (log(slot), 1 << 20);
        self.submit(Command::Read { log, ticket, from, limit, max_bytes, last_fetched_epoch: -1, flags });
        self.settle();
        match self.take(ticket)? {
            Completion::ReadDone { outcome, .. } => Ok(outcome.map(|info| *info)),
            other => Err(format!("{other:?} answers a read")),
        }
    }
}

pub fn log(slot: u32) -> LogRef {
    LogRef { slot, generation: 1 }
}

/// How a broker asks for a log. `clean`: of its directory.
pub fn open_request(rig: &Rig, directory: DirectoryId, slot: u32, name: &str, config: &LogConfig) -> OpenLog {
    OpenLog {
        log: log(slot),
        ticket: rig.ticket(),
        directory,
        name: name.to_string(),
        config: config.clone(),
        topic_id: Some(TOPIC_ID.to_string()),
        clean: false,
        must_exist: false,
        now_ms: NOW,
    }
}

pub fn append(slot: u32, ticket: u32, batch: Vec<u8>, leader_epoch: i32, now_ms: i64, marker: bool) -> Command {
    Command::Append {
        log: log(slot),
        ticket,
        batch: batch.into(),
        leader_epoch,
        origin: if marker { Origin::Marker } else { Origin::Client },
        wake: Wake::Synced,
        // Markers of the protocol that keeps a producer's epoch over its transactions.
        transaction_version: if marker { 1 } else { 2 },
        now_ms,
        expected_base: -1,
    }
}
