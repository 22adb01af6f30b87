//! Many logs that share one sync through the directory's journal: a script that knows what each holds, and what an
//! image of it may have lost.

#![allow(dead_code, reason = "each test file uses a part of it")]

use crate::common::*;
use odradek_engine::batch::Header;
use odradek_engine::command::*;
use odradek_engine::config::LogConfig;
use odradek_engine::driver::{EngineOptions, JournalSize};
use odradek_engine::error::Code;
use odradek_engine::vfs::{Keep, MemoryVfs, Vfs, VfsKind};
use std::sync::{Arc, Mutex};

pub const FOLDER: &str = "odradek-journal.recover-with-odradek";
pub const LOGS: u32 = 10;
/// The least that a half may have: some sixteen records.
pub const HALF_BYTES: u64 = 1;
pub const KEEPS: [Keep; 4] = [Keep::None, Keep::All, Keep::Some, Keep::Torn];

/// One log as the script knows it: end offset and mark of each batch.
#[derive(Clone, Default, Debug)]
pub struct Known {
    pub generation: u32,
    pub batches: Vec<(i64, u64)>,
    /// Before a change that is under way, and may not have come about.
    pub before: Option<Vec<(i64, u64)>>,
    pub synced: i64,
}

impl Known {
    pub fn end(&self) -> i64 {
        self.batches.last().map_or(0, |(end, _)| *end)
    }
}

pub type World = Vec<Known>;

pub struct Script {
    pub rig: Rig,
    pub vfs: MemoryVfs,
    pub directory: DirectoryId,
    pub known: Arc<Mutex<World>>,
    pub images: Arc<Mutex<Vec<(MemoryVfs, World)>>>,
    pub config: LogConfig,
    pub now: i64,
    pub epoch: i32,
    pub mark: u64,
}

pub fn rig() -> Rig {
    Rig::with(EngineOptions { manual: true, journal: JournalSize::Bytes(HALF_BYTES), ..EngineOptions::default() })
}

pub fn name(slot: u32) -> String {
    format!("t-{slot}")
}

pub fn reference(slot: u32, generation: u32) -> LogRef {
    LogRef { slot, generation }
}

pub fn has_journal(vfs: &MemoryVfs) -> bool {
    vfs.list("/data").unwrap().iter().any(|entry| entry.name == FOLDER)
}

impl Script {
    pub fn start(config: LogConfig) -> Script {
        let vfs = MemoryVfs::tracked();
        vfs.watch();
        let known = Arc::new(Mutex::new(vec![Known::default(); LOGS as usize]));
        let mut script = Script {
            rig: rig(),
            vfs,
            directory: 0,
            known,
            images: Arc::default(),
            config,
            now: NOW,
            epoch: 0,
            mark: 0,
        };
        script.open();
        script
    }

    /// From now on every operation leaves an image, with what the script knew.
    pub fn observe(&self) {
        let (known, images, sink) = (self.known.clone(), self.images.clone(), self.rig.sink.clone());
        self.vfs.observe(move |fork| {
            let mut world = known.lock().unwrap().clone();
            take_synced(&mut world, &sink);
            images.lock().unwrap().push((fork.clone(), world));
        });
    }

    pub fn open(&mut self) {
        let opened = self.rig.directory("/data", VfsKind::Memory(self.vfs.clone()));
        self.directory = opened.id;
        for slot in 0..LOGS {
            self.open_log(slot, opened.clean).unwrap();
        }
    }

    pub fn open_log(&mut self, slot: u32, clean: bool) -> Result<OpenInfo, Failure> {
        self.rig.sink.completions.lock().unwrap().clear();
        let generation = {
            let known = &mut self.known.lock().unwrap()[slot as usize];
            known.generation += 1;
            known.generation
        };
        let ticket = self.rig.ticket();
        self.rig.submit(open_command(self.directory, slot, generation, ticket, &self.config, clean));
        opened(&self.rig, ticket)
    }

    pub fn reference(&self, slot: u32) -> LogRef {
        reference(slot, self.known.lock().unwrap()[slot as usize].generation)
    }

    /// Appends one batch to each of these logs in one drain; nothing is stepped yet.
    pub fn submit(&mut self, slots: impl IntoIterator<Item = u32>, count: usize, size: usize) -> Vec<u32> {
        let mut commands = Vec::new();
        let mut tickets = Vec::new();
        for slot in slots {
            self.mark += 1;
            let ticket = self.rig.ticket();
            let log = self.reference(slot);
            let known = &mut self.known.lock().unwrap()[slot as usize];
            let end = known.end() + count as i64;
            known.batches.push((end, self.mark));
            commands.push(Command::Append {
                log,
                ticket,
                batch: batch(count, size, self.mark).into(),
                leader_epoch: self.epoch,
                origin: Origin::Client,
                wake: Wake::Synced,
                transaction_version: 0,
                now_ms: self.now,
                expected_base: -1,
            });
            tickets.push(ticket);
        }
        self.rig.engine.submit(commands);
        tickets
    }

    pub fn append(&mut self, slots: impl IntoIterator<Item = u32>, count: usize, size: usize) {
        for ticket in self.submit(slots, count, size) {
            let (code, info) = self.rig.appended(ticket);
            assert_eq!(code, Code::Ok, "{}", info.text);
        }
        self.rig.settle();
        self.take_synced();
        self.rig.sink.completions.lock().unwrap().clear();
    }

    pub fn take_synced(&self) {
        take_synced(&mut self.known.lock().unwrap(), &self.rig.sink);
    }

    pub fn truncate(&mut self, slot: u32, offset: i64) {
        self.rig.settle();
        self.take_synced();
        self.rig.sink.completions.lock().unwrap().clear();
        {
            let known = &mut self.known.lock().unwrap()[slot as usize];
            known.before = Some(known.batches.clone());
            known.synced =
                known.synced.min(known.batches.iter().map(|(end, _)| *end).rfind(|end| *end <= offset).unwrap_or(0));
        }
        let log = self.reference(slot);
        let now_ms = self.now;
        let marks = self.rig.answer(|ticket| Command::Truncate { log, ticket, offset, now_ms }).unwrap();
        let Answer::Marks { end, .. } = marks else { panic!("{marks:?}") };
        let known = &mut self.known.lock().unwrap()[slot as usize];
        known.batches.retain(|(of, _)| *of <= end);
        known.before = None;
        assert_eq!(known.end(), end);
        self.epoch += 1;
    }

    /// Deletes the log and makes it again under its name and with its id.
    pub fn replace(&mut self, slot: u32) {
        self.rig.settle();
        self.take_synced();
        let log = self.reference(slot);
        {
            let known = &mut self.known.lock().unwrap()[slot as usize];
            known.before = Some(std::mem::take(&mut known.batches));
            known.synced = 0;
        }
        self.rig.answer(|ticket| Command::Delete { log, ticket }).unwrap();
        self.rig.settle();
        self.known.lock().unwrap()[slot as usize].before = None;
        self.open_log(slot, false).unwrap();
    }

    pub fn crash_and_check(self) -> usize {
        self.vfs.stop_observing();
        let images = std::mem::take(&mut *self.images.lock().unwrap());
        for (number, (image, world)) in images.iter().enumerate() {
            for (nth, keep) in KEEPS.into_iter().enumerate() {
                let seed = number as u64 * 7919 + nth as u64;
                let what = format!("image {number} of {}, {keep:?}", images.len());
                check(&image.crash(seed, keep), world, &self.config, self.epoch, &what);
            }
        }
        images.len() * KEEPS.len()
    }
}

pub fn take_synced(world: &mut World, sink: &Recorder) {
    for (slot, known) in world.iter_mut().enumerate() {
        let synced = sink.synced(reference(slot as u32, known.generation));
        known.synced = known.synced.max(synced.min(known.end()));
    }
}

pub fn open_command(
    directory: DirectoryId,
    slot: u32,
    generation: u32,
    ticket: u32,
    config: &LogConfig,
    clean: bool,
) -> Command {
    Command::Open(Box::new(OpenLog {
        log: reference(slot, generation),
        ticket,
        directory,
        name: name(slot),
        config: config.clone(),
        topic_id: Some(TOPIC_ID.to_string()),
        clean,
        must_exist: false,
        now_ms: NOW,
    }))
}

pub fn opened(rig: &Rig, ticket: u32) -> Result<OpenInfo, Failure> {
    rig.wait(|completion| match completion {
        Completion::Opened { ticket: of, outcome, .. } if *of == ticket => Some(outcome.clone().map(|info| *info)),
        _ => None,
    })
}

/// Opens every log of an image; what each holds.
pub fn check(image: &MemoryVfs, world: &World, config: &LogConfig, epoch: i32, what: &str) -> World {
    let rig = rig();
    let directory = rig.directory("/data", VfsKind::Memory(image.clone()));
    assert!(!has_journal(image), "{what}: the journal has done its work");
    let mut found = world.clone();
    for (slot, known) in world.iter().enumerate() {
        let (slot, what) = (slot as u32, format!("{what}, log {slot}"));
        let ticket = rig.ticket();
        rig.submit(open_command(directory.id, slot, 1, ticket, config, directory.clean));
        let info = opened(&rig, ticket).unwrap_or_else(|failure| panic!("{what}: {failure:?}"));
        assert_eq!(info.synced_end, info.end, "{what}");
        assert!(info.end >= known.synced, "{what}: ends at {}, {} was synced", info.end, known.synced);
        assert_eq!(info.cut_records, 0, "{what}: whole batches stood behind the end");
        let batches = read_batches(&rig, slot, info.end, &what);
        let fits = |of: &Vec<(i64, u64)>| of.starts_with(&batches);
        assert!(
            fits(&known.batches) || known.before.as_ref().is_some_and(fits),
            "{what}: {batches:?} is no beginning of {known:?}"
        );
        found[slot as usize] = Known { generation: 1, synced: info.end, before: None, batches };
        let ticket = rig.ticket();
        rig.submit(append_at(slot, ticket, batch(1, 20, 77), epoch + 1, NOW));
        let (code, appended) = rig.appended(ticket);
        assert_eq!((code, appended.base), (Code::Ok, info.end), "{what}: {}", appended.text);
        rig.settle();
        assert_eq!(rig.sink.synced(log(slot)), info.end + 1, "{what}");
    }
    found
}

pub fn read_batches(rig: &Rig, slot: u32, end: i64, what: &str) -> Vec<(i64, u64)> {
    let bytes = rig.read_all(slot, 0, end);
    let (mut at, mut found) = (0, Vec::new());
    while at < bytes.len() {
        let header = Header::read(&bytes[at..]).unwrap();
        let whole = &bytes[at..at + header.total_bytes()];
        assert!(odradek_engine::batch::verify_crc(whole), "{what}: offset {}", header.base_offset);
        found.push((header.next_offset(), mark_of(whole)));
        at += header.total_bytes();
    }
    found
}
