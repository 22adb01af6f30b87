//! Many logs that share one sync through the directory's journal: power cuts at every operation, failing syncs, and
//! random scripts against a model. What was reported as synced is there, what was cut or deleted stays away, and a
//! clean stop leaves no journal.

mod common;

use common::*;
use odradek_engine::batch::Header;
use odradek_engine::command::*;
use odradek_engine::config::LogConfig;
use odradek_engine::driver::{EngineOptions, JournalSize, Role};
use odradek_engine::error::Code;
use odradek_engine::vfs::{Keep, MemoryVfs, OpenMode, Operation, Vfs, VfsKind};
use proptest::prelude::*;
use std::sync::{Arc, Mutex};

const FOLDER: &str = "odradek-journal.recover-with-odradek";
const LOGS: u32 = 10;
/// The least that a half may have: some sixteen records.
const HALF_BYTES: u64 = 1;
const KEEPS: [Keep; 4] = [Keep::None, Keep::All, Keep::Some, Keep::Torn];

/// One log as the script knows it: end offset and mark of each batch.
#[derive(Clone, Default, Debug)]
struct Known {
    generation: u32,
    batches: Vec<(i64, u64)>,
    /// Before a change that is under way, and may not have come about.
    before: Option<Vec<(i64, u64)>>,
    synced: i64,
}

impl Known {
    fn end(&self) -> i64 {
        self.batches.last().map_or(0, |(end, _)| *end)
    }
}

type World = Vec<Known>;

struct Script {
    rig: Rig,
    vfs: MemoryVfs,
    directory: DirectoryId,
    known: Arc<Mutex<World>>,
    images: Arc<Mutex<Vec<(MemoryVfs, World)>>>,
    config: LogConfig,
    now: i64,
    epoch: i32,
    mark: u64,
}

fn rig() -> Rig {
    Rig::with(EngineOptions { manual: true, journal: JournalSize::Bytes(HALF_BYTES), ..EngineOptions::default() })
}

fn name(slot: u32) -> String {
    format!("t-{slot}")
}

fn reference(slot: u32, generation: u32) -> LogRef {
    LogRef { slot, generation }
}

fn has_journal(vfs: &MemoryVfs) -> bool {
    vfs.list("/data").unwrap().iter().any(|entry| entry.name == FOLDER)
}

impl Script {
    fn start(config: LogConfig) -> Script {
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
    fn observe(&self) {
        let (known, images, sink) = (self.known.clone(), self.images.clone(), self.rig.sink.clone());
        self.vfs.observe(move |fork| {
            let mut world = known.lock().unwrap().clone();
            take_synced(&mut world, &sink);
            images.lock().unwrap().push((fork.clone(), world));
        });
    }

    fn open(&mut self) {
        let opened = self.rig.directory("/data", VfsKind::Memory(self.vfs.clone()));
        self.directory = opened.id;
        for slot in 0..LOGS {
            self.open_log(slot, opened.clean).unwrap();
        }
    }

    fn open_log(&mut self, slot: u32, clean: bool) -> Result<OpenInfo, Failure> {
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

    fn reference(&self, slot: u32) -> LogRef {
        reference(slot, self.known.lock().unwrap()[slot as usize].generation)
    }

    /// Appends one batch to each of these logs in one drain; nothing is stepped yet.
    fn submit(&mut self, slots: impl IntoIterator<Item = u32>, count: usize, size: usize) -> Vec<u32> {
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

    fn append(&mut self, slots: impl IntoIterator<Item = u32>, count: usize, size: usize) {
        for ticket in self.submit(slots, count, size) {
            let (code, info) = self.rig.appended(ticket);
            assert_eq!(code, Code::Ok, "{}", info.text);
        }
        self.rig.settle();
        self.take_synced();
        self.rig.sink.completions.lock().unwrap().clear();
    }

    fn take_synced(&self) {
        take_synced(&mut self.known.lock().unwrap(), &self.rig.sink);
    }

    fn truncate(&mut self, slot: u32, offset: i64) {
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
    fn replace(&mut self, slot: u32) {
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

    fn crash_and_check(self) -> usize {
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

fn take_synced(world: &mut World, sink: &Recorder) {
    for (slot, known) in world.iter_mut().enumerate() {
        let synced = sink.synced(reference(slot as u32, known.generation));
        known.synced = known.synced.max(synced.min(known.end()));
    }
}

fn open_command(
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

fn opened(rig: &Rig, ticket: u32) -> Result<OpenInfo, Failure> {
    rig.wait(|completion| match completion {
        Completion::Opened { ticket: of, outcome, .. } if *of == ticket => Some(outcome.clone().map(|info| *info)),
        _ => None,
    })
}

/// Opens every log of an image; what each holds.
fn check(image: &MemoryVfs, world: &World, config: &LogConfig, epoch: i32, what: &str) -> World {
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

fn read_batches(rig: &Rig, slot: u32, end: i64, what: &str) -> Vec<(i64, u64)> {
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

#[test]
fn many_waiting_logs_share_one_sync() {
    let mut script = Script::start(LogConfig::default());
    for _ in 0..3 {
        script.append(0..LOGS, 1, 100);
    }
    let before = script.vfs.count(Operation::SyncData);
    script.append(0..LOGS, 2, 100);
    assert_eq!(script.vfs.count(Operation::SyncData) - before, 1);
    assert!(script.known.lock().unwrap().iter().all(|known| known.synced == 5));
    assert!(has_journal(&script.vfs));
}

#[test]
fn nothing_synced_is_lost_when_power_fails_while_the_journal_comes_into_use_and_goes_round() {
    let mut script = Script::start(small_segments());
    script.observe();
    for n in 0..26 {
        script.append((0..LOGS).filter(|slot| n < 2 || (slot + n) % 3 > 0), 1 + n as usize % 2, 30 + n as usize);
    }
    assert!(script.crash_and_check() > 1000);
}

#[test]
fn a_half_is_not_begun_anew_while_a_log_needs_it() {
    let mut script = Script::start(LogConfig::default());
    script.append(0..LOGS, 1, 40);
    script.append(0..LOGS, 1, 40);
    for n in 0..60 {
        script.submit(0..LOGS, 1, 40);
        // A run of the journal, and none of the syncs that it waits for.
        script.rig.engine.step(Role::Lane);
        script.rig.engine.step(Role::Sync);
        script.take_synced();
        let world = script.known.lock().unwrap().clone();
        check(&script.vfs.crash(n, Keep::None), &world, &script.config, script.epoch, &format!("round {n}"));
    }
    script.rig.settle();
    script.take_synced();
    assert!(script.known.lock().unwrap().iter().all(|known| known.synced == 62));
}

#[test]
fn what_was_cut_does_not_come_back_out_of_the_journal() {
    let mut script = Script::start(small_segments());
    for _ in 0..4 {
        script.append(0..LOGS, 1, 40);
    }
    script.observe();
    script.truncate(0, 2);
    script.truncate(1, 0);
    script.append(0..LOGS, 1, 50);
    script.truncate(1, 0);
    script.append(0..LOGS, 1, 60);
    script.truncate(2, 3);
    script.append([2], 1, 45);
    script.append(0..LOGS, 1, 70);
    assert!(script.crash_and_check() > 150);
}

#[test]
fn a_log_made_again_under_its_name_has_nothing_of_the_older_one() {
    let mut script = Script::start(LogConfig::default());
    for _ in 0..3 {
        script.append(0..LOGS, 1, 40);
    }
    script.observe();
    script.replace(3);
    script.append(0..LOGS, 1, 50);
    script.replace(4);
    script.append([4], 1, 60);
    assert!(script.crash_and_check() > 100);
}

#[test]
fn nothing_synced_is_lost_when_power_fails_while_a_clean_stop_removes_the_journal() {
    let mut script = Script::start(LogConfig::default());
    for _ in 0..5 {
        script.append(0..LOGS, 1, 40);
    }
    script.truncate(1, 2);
    script.observe();
    for slot in 0..LOGS {
        let log = script.reference(slot);
        script.rig.answer(|ticket| Command::Close { log, ticket, clean: true }).unwrap();
    }
    script.rig.engine.close_directory(script.directory, true, 5).unwrap();
    assert!(!has_journal(&script.vfs));
    assert!(script.crash_and_check() > 100);
}

#[test]
fn recovery_that_is_cut_short_begins_again() {
    let mut script = Script::start(LogConfig::default());
    for n in 0..24 {
        script.append(0..LOGS, 1, 40 + n);
    }
    script.truncate(1, 2);
    script.take_synced();
    let world = script.known.lock().unwrap().clone();
    let crashed = script.vfs.crash(1, Keep::None);
    let images = Arc::new(Mutex::new(Vec::new()));
    let kept = images.clone();
    crashed.observe(move |fork| kept.lock().unwrap().push(fork.clone()));
    rig().directory("/data", VfsKind::Memory(crashed.clone()));
    crashed.stop_observing();
    let images = images.lock().unwrap();
    assert!(images.len() > 20, "{}", images.len());
    for (number, image) in images.iter().enumerate() {
        for keep in KEEPS {
            let what = format!("image {number} of {}, {keep:?}", images.len());
            check(&image.crash(number as u64, keep), &world, &script.config, script.epoch, &what);
        }
    }
}

#[test]
fn a_log_with_much_to_sync_or_a_name_to_make_durable_goes_its_own_way() {
    let mut script = Script::start(LogConfig::default());
    script.append(0..LOGS, 1, 40);
    script.append(0..LOGS, 1, 40);
    let before = script.vfs.count(Operation::SyncData);
    script.submit(0..LOGS - 1, 1, 40);
    script.append([LOGS - 1], 1, 80_000);
    assert_eq!(script.vfs.count(Operation::SyncData) - before, 2);
    assert!(script.known.lock().unwrap().iter().all(|known| known.synced == 3));
}

#[test]
fn a_journal_without_room_is_done_without() {
    let mut script = Script::start(LogConfig::default());
    script.vfs.set_capacity(script.vfs.used() + 100_000);
    for _ in 0..5 {
        script.append(0..LOGS, 1, 40);
    }
    assert!(!has_journal(&script.vfs));
    assert!(script.known.lock().unwrap().iter().all(|known| known.synced == 5));
}

#[test]
fn a_journal_that_is_damaged_before_its_end_is_refused_and_kept() {
    let mut script = Script::start(LogConfig::default());
    for _ in 0..6 {
        script.append(0..LOGS, 1, 40);
    }
    let image = script.vfs.crash(0, Keep::None);
    let file = image.open(&format!("/data/{FOLDER}/0"), OpenMode::Write).unwrap();
    file.write_at(&[std::io::IoSlice::new(b"rot")], 4096 + 200).unwrap();
    let failure = rig().engine.open_directory("/data", VfsKind::Memory(image.clone())).unwrap_err();
    assert_eq!(failure.code, Code::Damaged, "{failure:?}");
    assert!(failure.text.contains(FOLDER), "{failure:?}");
    assert!(has_journal(&image));
}

#[test]
fn what_is_no_journal_in_its_place_is_named_at_the_start_and_not_when_the_journal_is_wanted() {
    type Put = fn(&MemoryVfs, &str);
    let odd: [(&str, Put); 3] = [
        ("is no folder", |vfs, journal| drop(vfs.open(journal, OpenMode::Create).unwrap())),
        ("\"notes\"", |vfs, journal| drop(vfs.open(&format!("{journal}/notes"), OpenMode::Create).unwrap())),
        ("\"notes\"", |vfs, journal| vfs.create_folders(&format!("{journal}/notes")).unwrap()),
    ];
    for (says, put) in odd {
        let vfs = MemoryVfs::new();
        let journal = format!("/data/{FOLDER}");
        vfs.create_folders("/data").unwrap();
        if says != "is no folder" {
            vfs.create_folders(&journal).unwrap();
        }
        put(&vfs, &journal);
        let failure = rig().engine.open_directory("/data", VfsKind::Memory(vfs.clone())).unwrap_err();
        assert!(failure.text.contains(&journal) && failure.text.contains(says), "{failure:?}");
        assert!(vfs.list("/data").unwrap().iter().any(|entry| entry.name == FOLDER), "it is left alone");
    }
}

#[test]
fn no_sync_that_fails_is_acknowledged_or_tried_again() {
    let mut nth = 1;
    loop {
        let mut script = Script::start(LogConfig::default());
        script.append(0..LOGS, 1, 40);
        script.vfs.fail(Operation::SyncData, nth, 5);
        for n in 0..30 {
            script.submit(0..LOGS, 1, 40 + n);
            script.rig.settle();
            script.take_synced();
        }
        let failed = script.rig.sink.find(|completion| match completion {
            Completion::DirectoryFailed { errno, .. } => Some(*errno),
            _ => None,
        });
        let syncs = script.vfs.count(Operation::SyncData);
        script.submit(0..LOGS, 1, 10);
        script.rig.settle();
        if failed.is_some() {
            assert_eq!(script.vfs.count(Operation::SyncData), syncs, "nothing is synced once it failed");
        }
        for keep in KEEPS {
            let world = script.known.lock().unwrap().clone();
            check(&script.vfs.crash(nth, keep), &world, &script.config, script.epoch, &format!("sync {nth}"));
        }
        if failed.is_none() {
            assert!(nth > 20, "{nth}");
            return;
        }
        nth += 1;
    }
}

#[derive(Clone, Debug)]
enum Step {
    Append {
        from: u32,
        logs: u32,
        count: usize,
        size: usize,
    },
    Truncate {
        slot: u32,
        at: u8,
    },
    Replace {
        slot: u32,
    },
    Roll {
        slot: u32,
    },
    Minute,
    Restart {
        clean: bool,
    },
    /// In the middle of appends, after so many steps of the engine.
    Crash {
        seed: u64,
        keep: usize,
        steps: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let slot = || 0..LOGS;
    prop_oneof![
        10 => (slot(), 1..=LOGS, 1usize..3, 8usize..300)
            .prop_map(|(from, logs, count, size)| Step::Append { from, logs, count, size }),
        2 => (slot(), any::<u8>()).prop_map(|(slot, at)| Step::Truncate { slot, at }),
        1 => slot().prop_map(|slot| Step::Replace { slot }),
        1 => slot().prop_map(|slot| Step::Roll { slot }),
        1 => Just(Step::Minute),
        1 => any::<bool>().prop_map(|clean| Step::Restart { clean }),
        3 => (any::<u64>(), 0..KEEPS.len(), 0usize..40)
            .prop_map(|(seed, keep, steps)| Step::Crash { seed, keep, steps }),
    ]
}

impl Script {
    fn step(&mut self, step: Step) {
        match step {
            Step::Append { from, logs, count, size } => {
                self.append((from..from + logs).map(|slot| slot % LOGS), count, size);
            }
            Step::Truncate { slot, at } => {
                let end = self.known.lock().unwrap()[slot as usize].end();
                self.truncate(slot, end * i64::from(at) / 256);
            }
            Step::Replace { slot } => self.replace(slot),
            Step::Roll { slot } => {
                let (log, now_ms) = (self.reference(slot), self.now);
                self.rig.answer(|ticket| Command::Roll { log, ticket, now_ms }).unwrap();
            }
            Step::Minute => self.now += 61_000,
            Step::Restart { clean } => {
                for slot in 0..LOGS {
                    let log = self.reference(slot);
                    self.rig.answer(|ticket| Command::Close { log, ticket, clean }).unwrap();
                }
                self.rig.engine.close_directory(self.directory, clean, 5).unwrap();
                assert!(!has_journal(&self.vfs));
                self.open();
            }
            Step::Crash { seed, keep, steps } => {
                self.submit(0..LOGS, 1, 50);
                let roles = [Role::Lane, Role::Sync, Role::Sync, Role::Background];
                for n in 0..steps {
                    self.rig.engine.step(roles[(seed as usize >> (n % 32)) % roles.len()]);
                }
                self.take_synced();
                let image = self.vfs.crash(seed, KEEPS[keep]);
                let world = self.known.lock().unwrap().clone();
                let found = check(&image.fork(), &world, &self.config, self.epoch, "after a crash");
                *self.known.lock().unwrap() = found;
                self.vfs = image;
                self.rig = rig();
                self.epoch += 1;
                self.open();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn logs_that_share_a_journal_are_as_their_model(steps in prop::collection::vec(step(), 1..50)) {
        let mut script = Script::start(small_segments());
        for step in steps {
            script.step(step);
        }
        script.rig.settle();
        script.take_synced();
        let world = script.known.lock().unwrap().clone();
        for (slot, known) in world.iter().enumerate() {
            assert_eq!(known.synced, known.end(), "log {slot}");
        }
        check(&script.vfs.crash(3, Keep::None), &world, &script.config, script.epoch, "at the end");
    }
}
