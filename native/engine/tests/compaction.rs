//! Compaction of a log: random scripts of keyed records, tombstones, transactions, rolls, passes and restarts against a
//! model; what a pass may not touch; and power cuts at every operation of it.

mod common;

use common::*;
use odradek_engine::batch::{BatchBuilder, Header, RecordMeta, Records, attributes, marker};
use odradek_engine::command::*;
use odradek_engine::config::{CompressionType, LogConfig};
use odradek_engine::error::Code;
use odradek_engine::vfs::{Keep, MemoryVfs, OpenMode, Operation, Vfs, VfsKind, write_all_at};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

const FOLDER: &str = "/data/t-0";
const EIO: i32 = 5;
const ENOSPC: i32 = 28;
const RETENTION_MS: i64 = 10_000;

fn config() -> LogConfig {
    LogConfig {
        compacted: true,
        deletes: false,
        delete_retention_ms: RETENTION_MS,
        file_delete_delay_ms: 1000,
        ..small_segments()
    }
}

/// A record as the model knows it, and as it is read.
#[derive(Clone, Debug, PartialEq)]
struct Record {
    offset: i64,
    key: u8,
    /// None: a tombstone.
    value: Option<u32>,
    timestamp: i64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Committed,
    Aborted,
    Open,
}

struct World {
    rig: Rig,
    vfs: MemoryVfs,
    directory: DirectoryId,
    config: LogConfig,
    slot: u32,
    now: i64,
    end: i64,
    next_value: u32,
    records: BTreeMap<i64, (Record, Fate)>,
    /// Of the transactional producer's open transaction.
    open: Option<i64>,
    transactional_sequence: i32,
    idempotent_sequence: i32,
    cleaned_to: i64,
    /// Segments below were gone over by some pass.
    passed: i64,
    /// Time of the first pass that has gone over a tombstone.
    seen: BTreeMap<i64, i64>,
    /// Tombstones whose horizon was over when a pass went over them.
    gone: BTreeSet<i64>,
}

const IDEMPOTENT: i64 = 100;
const TRANSACTIONAL: i64 = 200;

impl World {
    fn new(config: LogConfig) -> World {
        let vfs = MemoryVfs::tracked();
        let rig = Rig::manual();
        let directory = rig.directory("/data", VfsKind::Memory(vfs.clone())).id;
        rig.open(directory, 0, "t-0", config.clone(), false).unwrap();
        World {
            rig,
            vfs,
            directory,
            config,
            slot: 0,
            now: NOW,
            end: 0,
            next_value: 0,
            records: BTreeMap::new(),
            open: None,
            transactional_sequence: 0,
            idempotent_sequence: 0,
            cleaned_to: 0,
            passed: 0,
            seen: BTreeMap::new(),
            gone: BTreeSet::new(),
        }
    }

    fn send(&mut self, batch: Vec<u8>, origin: Origin, version: i16) -> AppendedInfo {
        let ticket = self.rig.ticket();
        self.rig.submit(Command::Append {
            log: log(self.slot),
            ticket,
            batch: batch.into(),
            leader_epoch: 0,
            origin,
            wake: Wake::Synced,
            transaction_version: version,
            now_ms: self.now,
            expected_base: -1,
        });
        let (code, info) = self.rig.appended(ticket);
        assert_eq!((code, info.base), (Code::Ok, self.end), "{}", info.text);
        self.end = info.end;
        self.rig.submit(Command::SetMarks { log: log(self.slot), high_watermark: self.end });
        info
    }

    /// A batch of these keys; a key above 127 stands for a tombstone of its lower bits.
    fn append(&mut self, keys: &[u8], codec: u8, who: Who) {
        let mut builder = BatchBuilder::new().compression(match codec % 5 {
            0 => CompressionType::Uncompressed,
            1 => CompressionType::Gzip { level: -1 },
            2 => CompressionType::Snappy,
            3 => CompressionType::Lz4 { level: 9 },
            _ => CompressionType::Zstd { level: 3 },
        });
        let fate = match who {
            Who::Anybody => Fate::Committed,
            Who::Idempotent => {
                builder = builder.producer(IDEMPOTENT, 0, self.idempotent_sequence);
                self.idempotent_sequence += keys.len() as i32;
                Fate::Committed
            }
            Who::Transactional => {
                builder = builder
                    .producer(TRANSACTIONAL, 0, self.transactional_sequence)
                    .attributes(attributes::TRANSACTIONAL);
                self.transactional_sequence += keys.len() as i32;
                self.open.get_or_insert(self.end);
                Fate::Open
            }
        };
        for (n, key) in keys.iter().enumerate() {
            let value = (*key < 128).then(|| {
                self.next_value += 1;
                self.next_value
            });
            let timestamp = self.now + n as i64;
            let bytes = value.map(|value| [&value.to_be_bytes()[..], &[b'.'; 40]].concat());
            builder = builder.record(timestamp, Some(&[key & 127]), bytes.as_deref());
            let offset = self.end + n as i64;
            self.records.insert(offset, (Record { offset, key: key & 127, value, timestamp }, fate));
        }
        self.send(builder.build(), Origin::Client, if who == Who::Transactional { 1 } else { -1 });
    }

    fn end_transaction(&mut self, commit: bool) {
        self.send(marker(TRANSACTIONAL, 0, commit, 0, self.now), Origin::Marker, 1);
        let fate = if commit { Fate::Committed } else { Fate::Aborted };
        for (_, state) in self.records.values_mut().filter(|(_, state)| *state == Fate::Open) {
            *state = fate;
        }
        self.open = None;
    }

    fn roll(&self) {
        let now_ms = self.now;
        self.rig.answer(|ticket| Command::Roll { log: log(self.slot), ticket, now_ms }).unwrap();
    }

    fn request(&self, ticket: u32, map_bytes: u64) -> CleanLog {
        CleanLog {
            log: log(self.slot),
            ticket,
            limit: i64::MAX,
            now_ms: self.now,
            map_bytes,
            load_factor: 0.9,
            buffer_bytes: 300,
            bytes_per_second: 0.0,
        }
    }

    fn try_clean(&self, map_bytes: u64) -> Result<CleanInfo, Failure> {
        let answer = self.rig.answer(|ticket| Command::Clean(Box::new(self.request(ticket, map_bytes))));
        answer.map(|answer| match answer {
            Answer::Cleaned(info) => info,
            other => panic!("{other:?}"),
        })
    }

    /// A second pass where the first one has only moved the recovery point.
    fn clean(&mut self, map_bytes: u64) -> CleanInfo {
        let first = self.clean_once(map_bytes);
        if first.read_bytes > 0 { first } else { self.clean_once(map_bytes) }
    }

    fn clean_once(&mut self, map_bytes: u64) -> CleanInfo {
        let bases = self.bases();
        let info = self.try_clean(map_bytes).unwrap();
        assert!(info.cleaned_to >= self.cleaned_to);
        if info.read_bytes > 0 {
            // All segments that begin below the end of the cleaned part were gone over.
            let passed = bases.iter().copied().find(|base| *base >= info.cleaned_to).unwrap_or(i64::MAX);
            self.passed = self.passed.max(passed.min(self.end));
            for (record, fate) in self.records.values().filter(|(record, _)| record.offset < passed) {
                if record.value.is_none() && *fate == Fate::Committed {
                    let first = *self.seen.entry(record.offset).or_insert(self.now);
                    if self.now >= first + RETENTION_MS && record.offset < info.cleaned_to {
                        self.gone.insert(record.offset);
                    }
                }
            }
        }
        self.cleaned_to = info.cleaned_to;
        self.check();
        info
    }

    fn bases(&self) -> Vec<i64> {
        let names = self.vfs.list(FOLDER).unwrap();
        names.iter().filter_map(|entry| entry.name.strip_suffix(".log")?.parse().ok()).collect()
    }

    fn restart(&mut self, clean: bool) {
        self.rig.close(self.slot, clean).unwrap();
        self.rig.engine.close_directory(self.directory, clean, 1).unwrap();
        self.reopen();
    }

    fn reopen(&mut self) {
        let opened = self.rig.directory("/data", VfsKind::Memory(self.vfs.clone()));
        self.directory = opened.id;
        self.slot += 1;
        let info = self.rig.open(opened.id, self.slot, "t-0", self.config.clone(), opened.clean).unwrap();
        assert_eq!(info.end, self.end);
        assert_eq!(info.oldest_open_transaction, self.open.unwrap_or(-1));
        self.rig.submit(Command::SetMarks { log: log(self.slot), high_watermark: self.end });
        self.check();
    }

    fn check(&self) {
        let found = read_log(&self.rig, self.slot, 0, self.end);
        self.check_records(&found, self.cleaned_to);
    }

    /// `cleaned_to`: below it, what had to go is gone.
    fn check_records(&self, found: &[Record], cleaned_to: i64) {
        let mut latest: BTreeMap<u8, i64> = BTreeMap::new();
        let mut latest_clean: BTreeMap<u8, i64> = BTreeMap::new();
        for (record, _) in self.records.values().filter(|(_, fate)| *fate == Fate::Committed) {
            latest.insert(record.key, record.offset);
            if record.offset < cleaned_to {
                latest_clean.insert(record.key, record.offset);
            }
        }
        let there: BTreeSet<i64> = found.iter().map(|record| record.offset).collect();
        assert_eq!(there.len(), found.len(), "no offset twice");
        assert!(found.is_sorted_by_key(|record| record.offset), "in order");
        for record in found {
            let (known, _) = self.records.get(&record.offset).expect("the record was appended");
            assert_eq!(record, known);
        }
        for (record, fate) in self.records.values() {
            let (offset, is_there) = (record.offset, there.contains(&record.offset));
            if *fate == Fate::Open || offset >= cleaned_to {
                // The rest of the segment that the table did not reach the end of.
                let may_go = *fate == Fate::Aborted && offset < self.passed;
                assert!(is_there || may_go, "nothing above {cleaned_to} goes: {record:?}, {fate:?}");
            } else if *fate == Fate::Aborted {
                assert!(!is_there, "aborted below {cleaned_to}: {record:?}");
            } else if latest_clean[&record.key] != offset {
                assert!(!is_there, "superseded below {cleaned_to}: {record:?}");
            } else if self.gone.contains(&offset) {
                assert!(!is_there, "a tombstone past its horizon: {record:?}");
            } else if latest[&record.key] == offset || record.value.is_none() {
                let horizon = self.seen.get(&offset).map_or(i64::MAX, |first| first + RETENTION_MS);
                assert!(
                    is_there || (record.value.is_none() && self.now >= horizon),
                    "the newest of its key: {record:?}"
                );
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Who {
    Anybody,
    Idempotent,
    Transactional,
}

/// The data records from an offset on, as a reader sees them; every batch is checked.
fn read_log(rig: &Rig, slot: u32, from: i64, end: i64) -> Vec<Record> {
    let bytes = rig.read_all(slot, from, end);
    let (mut at, mut records, mut next) = (0, Vec::new(), 0);
    for header in headers(&bytes) {
        let batch = &bytes[at..at + header.total_bytes()];
        at += header.total_bytes();
        assert!(header.base_offset >= next, "batches ascend");
        next = header.next_offset();
        if header.is_control() {
            continue;
        }
        records.extend(records_of(&header, batch).into_iter().filter(|record| record.offset >= from));
    }
    records
}

fn records_of(header: &Header, batch: &[u8]) -> Vec<Record> {
    let metas: Vec<RecordMeta> = Records::new(batch).unwrap().map(Result::unwrap).collect();
    let body = inflated(header, batch);
    let mut rest = &body[..];
    let mut records = Vec::new();
    for meta in metas {
        let length = varint(&mut rest) as usize;
        let (mut record, after) = rest.split_at(length);
        rest = after;
        record = &record[1..];
        varint(&mut record);
        varint(&mut record);
        assert_eq!(varint(&mut record), 1, "keys have one byte");
        let key = record[0];
        record = &record[1..];
        let value = varint(&mut record);
        let value = (value >= 4).then(|| u32::from_be_bytes(record[..4].try_into().unwrap()));
        records.push(Record { offset: meta.offset, key, value, timestamp: meta.timestamp });
    }
    assert!(rest.is_empty());
    records
}

fn inflated(header: &Header, batch: &[u8]) -> Vec<u8> {
    use odradek_engine::codec::{Codec, Inflater, Source};
    let mut inflater = Inflater::new(Codec::from_id(header.codec()).unwrap(), &batch[61..], 1 << 20).unwrap();
    let mut bytes = Vec::new();
    loop {
        let window = inflater.window().unwrap();
        if window.is_empty() {
            return bytes;
        }
        bytes.extend_from_slice(window);
        let length = window.len();
        inflater.consume(length);
    }
}

fn varint(bytes: &mut &[u8]) -> i64 {
    let (mut value, mut shift) = (0u64, 0);
    loop {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        value |= ((byte & 127) as u64) << shift;
        shift += 7;
        if byte < 128 {
            return (value >> 1) as i64 ^ -((value & 1) as i64);
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Append {
        keys: Vec<u8>,
        codec: u8,
        idempotent: bool,
    },
    Transactional {
        keys: Vec<u8>,
        codec: u8,
    },
    End {
        commit: bool,
    },
    Roll,
    Clean {
        slots: u64,
    },
    Wait {
        ms: i64,
    },
    Restart {
        clean: bool,
    },
    /// All producer snapshots are lost.
    Forget,
}

fn step() -> impl Strategy<Value = Step> {
    let keys = || proptest::collection::vec(prop_oneof![4 => 0u8..6, 1 => 128u8..134], 1..4);
    prop_oneof![
        6 => (keys(), any::<u8>(), any::<bool>())
            .prop_map(|(keys, codec, idempotent)| Step::Append { keys, codec, idempotent }),
        4 => (keys(), any::<u8>()).prop_map(|(keys, codec)| Step::Transactional { keys, codec }),
        3 => any::<bool>().prop_map(|commit| Step::End { commit }),
        2 => Just(Step::Roll),
        4 => prop_oneof![1 => 2u64..8, 3 => Just(1000)].prop_map(|slots| Step::Clean { slots }),
        2 => (0i64..2 * RETENTION_MS).prop_map(|ms| Step::Wait { ms }),
        1 => any::<bool>().prop_map(|clean| Step::Restart { clean }),
        1 => Just(Step::Forget),
    ]
}

fn play(steps: &[Step]) {
    let mut world = World::new(config());
    for step in steps {
        match step {
            Step::Append { keys, codec, idempotent } => {
                world.append(keys, *codec, if *idempotent { Who::Idempotent } else { Who::Anybody });
            }
            Step::Transactional { keys, codec } => world.append(keys, *codec, Who::Transactional),
            Step::End { commit } => {
                if world.open.is_some() {
                    world.end_transaction(*commit);
                }
            }
            Step::Roll => world.roll(),
            Step::Clean { slots } => {
                world.clean(slots * 24);
            }
            Step::Wait { ms } => world.now += ms,
            Step::Restart { clean } => world.restart(*clean),
            Step::Forget => {
                world.rig.close(world.slot, true).unwrap();
                world.rig.engine.close_directory(world.directory, true, 1).unwrap();
                for entry in world.vfs.list(FOLDER).unwrap() {
                    if entry.name.ends_with(".snapshot") {
                        world.vfs.remove_file(&format!("{FOLDER}/{}", entry.name)).unwrap();
                    }
                }
                world.reopen();
            }
        }
    }
    world.clean(1 << 20);
    // Sequences go on where they were, whatever is left of the producers' batches.
    world.restart(true);
    world.append(&[0], 0, Who::Idempotent);
    world.append(&[1], 0, Who::Transactional);
    for from in [0, world.end / 3, world.end - 1] {
        let all = read_log(&world.rig, world.slot, 0, world.end);
        let tail = read_log(&world.rig, world.slot, from, world.end);
        assert_eq!(tail, all.iter().filter(|record| record.offset >= from).cloned().collect::<Vec<_>>());
    }
    world.check();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 4000, ..ProptestConfig::default() })]

    #[test]
    fn a_compacted_log_keeps_the_newest_record_of_each_key(steps in proptest::collection::vec(step(), 1..50)) {
        play(&steps);
    }
}

fn filled() -> World {
    let mut world = World::new(config());
    for round in 0..9u8 {
        world.append(&[0, 1, 2, round % 3], round, Who::Anybody);
        world.append(&[3, 4, 128 + round % 5], round + 1, Who::Idempotent);
        if round % 2 == 0 {
            world.append(&[5, 1], 0, Who::Transactional);
            world.end_transaction(round % 4 == 0);
        }
    }
    world.roll();
    world.append(&[6], 0, Who::Anybody);
    world
}

#[test]
fn a_pass_makes_one_segment_of_what_fits_and_says_how_far_it_came() {
    let mut world = filled();
    let before = world.bases();
    assert!(before.len() > 5);
    let info = world.clean(1 << 20);
    assert_eq!(info.cleaned_to, *before.last().unwrap());
    assert_eq!(world.bases(), before, "each was full before the pass");
    world.append(&[0, 1, 2, 3, 4, 5], 0, Who::Anybody);
    world.roll();
    world.append(&[0], 0, Who::Anybody);
    let info = world.clean(1 << 20);
    let after = world.bases();
    assert!(after.len() < before.len() && after[0] == 0, "{after:?} after {before:?}");
    let names: Vec<String> = world.vfs.list(FOLDER).unwrap().into_iter().map(|entry| entry.name).collect();
    assert!(!names.iter().any(|name| name.ends_with(".cleaned") || name.ends_with(".swap")), "{names:?}");
    let file = world.vfs.open("/data/cleaner-offset-checkpoint", OpenMode::Read).unwrap();
    let mut bytes = vec![0; file.len().unwrap() as usize];
    file.read_at(&mut bytes, 0).unwrap();
    let line = format!("0\n2\nt 0 {}\n#odradek-crc32c ", info.cleaned_to);
    assert!(bytes.starts_with(line.as_bytes()), "{:?}", String::from_utf8(bytes));
    assert_eq!(world.try_clean(1 << 20).unwrap().read_bytes, 0, "nothing is dirty");
    // The old files go after their delay, whoever touches the log next.
    let now_ms = world.now + 100_000;
    world.rig.answer(|ticket| Command::Retain { log: log(0), ticket, now_ms }).unwrap();
    world.rig.settle();
    assert!(!world.vfs.list(FOLDER).unwrap().iter().any(|entry| entry.name.ends_with(".deleted")));
}

#[test]
fn the_dirt_is_counted_by_segments() {
    let mut world = filled();
    let dirt = |world: &World, limit: i64| {
        let now_ms = world.now;
        match world.rig.answer(|ticket| Command::Dirt { log: log(0), ticket, limit, now_ms }).unwrap() {
            Answer::Dirt { clean_bytes, dirty_bytes, overdue_ms } => (clean_bytes, dirty_bytes, overdue_ms),
            other => panic!("{other:?}"),
        }
    };
    let bases = world.bases();
    let (clean, dirty, overdue) = dirt(&world, i64::MAX);
    assert!(clean == 0 && dirty > 3000 && overdue == 0, "{clean} {dirty}");
    assert_eq!(dirt(&world, 0).1, 0, "nothing is stable");
    assert!(dirt(&world, bases[2] + 1).1 < dirty);
    assert_eq!(dirt(&world, bases[2] + 1), dirt(&world, bases[2]), "whole segments count");
    world.clean(1 << 20);
    let (clean, dirty, _) = dirt(&world, i64::MAX);
    assert!(clean > 0 && dirty == 0);
    world.roll();
    let (_, dirty, _) = dirt(&world, i64::MAX);
    assert!(dirty > 0);
    world.config.max_compaction_lag_ms = 500;
    world.config.min_compaction_lag_ms = 400;
    let (config, now_ms) = (Box::new(world.config.clone()), world.now);
    world.rig.answer(|ticket| Command::Configure { log: log(0), ticket, config, now_ms }).unwrap();
    world.now += 300;
    assert_eq!((dirt(&world, i64::MAX).1, dirt(&world, i64::MAX).2), (0, 0), "too young");
    world.now += 250;
    assert_eq!((dirt(&world, i64::MAX).1, dirt(&world, i64::MAX).2), (dirty, 50));
}

#[test]
fn what_is_open_or_not_below_the_high_watermark_is_not_touched() {
    let mut world = World::new(config());
    for _ in 0..4 {
        world.append(&[0, 1, 2], 0, Who::Anybody);
    }
    world.append(&[0], 0, Who::Transactional);
    for _ in 0..8 {
        world.append(&[0, 1, 2], 0, Who::Anybody);
    }
    world.roll();
    let open = world.open.unwrap();
    let info = world.clean(1 << 20);
    assert!(info.cleaned_to <= open, "{info:?}");
    world.end_transaction(true);
    world.rig.submit(Command::SetMarks { log: log(0), high_watermark: open });
    assert!(world.clean(1 << 20).cleaned_to <= open);
    world.rig.submit(Command::SetMarks { log: log(0), high_watermark: world.end });
    assert!(world.clean(1 << 20).cleaned_to > open);
}

#[test]
fn readers_that_began_before_a_pass_keep_their_files() {
    let mut world = filled();
    let flags = ReadFlags { at_least_one: true, ..ReadFlags::default() };
    let before = world.rig.read_with(0, 0, world.end, 700, flags, -1).unwrap();
    let expected = memory(&before);
    world.clean(1 << 20);
    let now_ms = world.now + 100_000;
    world.rig.answer(|ticket| Command::Retain { log: log(0), ticket, now_ms }).unwrap();
    world.rig.settle();
    assert_eq!(memory(&before), expected);
    headers(&expected);
}

#[test]
fn readers_see_whole_batches_while_passes_run() {
    let vfs = MemoryVfs::new();
    let rig = Arc::new(Rig::start(false));
    let directory = rig.directory("/data", VfsKind::Memory(vfs)).id;
    rig.open(directory, 0, "t-0", config(), false).unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let end = Arc::new(AtomicI64::new(0));
    let reader = std::thread::spawn({
        let (rig, done, end) = (rig.clone(), done.clone(), end.clone());
        move || {
            let mut reads = 0;
            while !done.load(Ordering::Acquire) {
                let limit = end.load(Ordering::Acquire);
                let records = read_log(&rig, 0, reads % limit.max(1), limit);
                assert!(records.is_sorted_by_key(|record| record.offset));
                reads += 1;
            }
            reads
        }
    });
    let mut cleaned = 0;
    for round in 0..30u32 {
        for n in 0..8u32 {
            let mut batch = BatchBuilder::new();
            for key in 0..3u8 {
                let value = [&(round * 8 + n).to_be_bytes()[..], &[b'.'; 40]].concat();
                batch = batch.record(NOW, Some(&[(n as u8 + key) % 7]), Some(&value));
            }
            let (code, info) = rig.append(0, batch.build());
            assert_eq!(code, Code::Ok);
            end.store(info.end, Ordering::Release);
            rig.submit(Command::SetMarks { log: log(0), high_watermark: info.end });
        }
        let answer = rig.answer(|ticket| {
            Command::Clean(Box::new(CleanLog {
                log: log(0),
                ticket,
                limit: i64::MAX,
                // Every pass may move the recovery point of the next.
                now_ms: NOW,
                map_bytes: 1 << 20,
                load_factor: 0.9,
                buffer_bytes: 300,
                bytes_per_second: 0.0,
            }))
        });
        match answer.unwrap() {
            Answer::Cleaned(info) => cleaned += info.written_bytes,
            other => panic!("{other:?}"),
        }
        // With it the recovery point is on disk that the next pass needs.
        rig.sync(0).unwrap();
    }
    done.store(true, Ordering::Release);
    assert!(reader.join().unwrap() > 0);
    assert!(cleaned > 0);
    let newest: BTreeSet<u8> =
        read_log(&rig, 0, 0, end.load(Ordering::Acquire)).into_iter().map(|record| record.key).collect();
    assert_eq!(newest.len(), 7);
    rig.engine.stop();
}

/// Runs a pass up to its `steps`th step, and then whatever else is queued.
fn begin(world: &World, steps: usize) -> u32 {
    use odradek_engine::driver::Role;
    let ticket = world.rig.ticket();
    world.rig.submit(Command::Clean(Box::new(world.request(ticket, 1 << 20))));
    for _ in 0..steps {
        world.rig.engine.step(Role::Lane);
        world.rig.engine.step(Role::Background);
    }
    ticket
}

fn outcome(world: &World, ticket: u32) -> Result<CleanInfo, Failure> {
    world.rig.wait(|completion| match completion {
        Completion::Answered { ticket: of, outcome } if *of == ticket => {
            Some(outcome.clone().map(|answer| match answer {
                Answer::Cleaned(info) => info,
                other => panic!("{other:?}"),
            }))
        }
        _ => None,
    })
}

#[test]
fn whatever_happens_to_the_log_during_a_pass_leaves_it_whole() {
    for steps in (0..75).step_by(3) {
        let mut world = filled();
        world.try_clean(24).unwrap();
        let cut_to = world.end - 1;
        let ticket = begin(&world, steps);
        world.rig.truncate(0, cut_to).unwrap();
        world.records.retain(|offset, _| *offset < cut_to);
        world.end = cut_to;
        let cleaned = outcome(&world, ticket);
        assert!(cleaned.is_ok() || cleaned.clone().is_err_and(|failure| failure.code == Code::StaleLog), "{cleaned:?}");
        let left = world.vfs.list(FOLDER).unwrap();
        assert!(
            !left.iter().any(|entry| entry.name.ends_with(".cleaned") || entry.name.ends_with(".swap")),
            "{left:?}"
        );
        latest_are_there(&world, &read_log(&world.rig, 0, 0, world.end));
    }
}

#[test]
fn a_log_that_is_closed_or_deleted_during_a_pass_can_be_opened_again() {
    for steps in (0..75).step_by(3) {
        let mut world = filled();
        world.try_clean(24).unwrap();
        let ticket = begin(&world, steps);
        world.rig.close(0, steps % 2 == 0).unwrap();
        world.slot = 1;
        let info = world.rig.open(world.directory, 1, "t-0", config(), false).unwrap();
        assert_eq!(info.end, world.end);
        let _ = outcome(&world, ticket);
        latest_are_there(&world, &read_log(&world.rig, 1, 0, world.end));
        let ticket = begin(&world, steps);
        world.rig.answer(|ticket| Command::Delete { log: log(1), ticket }).unwrap();
        let _ = outcome(&world, ticket);
        assert!(world.rig.engine.directory_use(world.directory).is_ok(), "the directory is online");
    }
}

#[test]
fn a_pass_ends_when_its_log_is_not_compacted_any_more() {
    for steps in (0..75).step_by(3) {
        let world = filled();
        world.try_clean(24).unwrap();
        let ticket = begin(&world, steps);
        let deletes = Box::new(LogConfig { compacted: false, deletes: true, ..config() });
        world
            .rig
            .answer(|ticket| Command::Configure { log: log(0), ticket, config: deletes.clone(), now_ms: 0 })
            .unwrap();
        let bases = world.bases();
        let cleaned = outcome(&world, ticket);
        if let Err(failure) = &cleaned {
            assert_eq!(failure.code, Code::StaleLog, "{}", failure.text);
            assert_eq!(world.bases(), bases, "after {steps} steps nothing more is put in place");
        }
        assert!(cleaned.is_err() || steps > 12, "after {steps} steps the pass went on");
        let left = world.vfs.list(FOLDER).unwrap();
        assert!(
            !left.iter().any(|entry| entry.name.ends_with(".cleaned") || entry.name.ends_with(".swap")),
            "{left:?}"
        );
        latest_are_there(&world, &read_log(&world.rig, 0, 0, world.end));
        // And compacted again it goes on where it was.
        let compacts = Box::new(config());
        world
            .rig
            .answer(|ticket| Command::Configure { log: log(0), ticket, config: compacts.clone(), now_ms: 0 })
            .unwrap();
        assert!(world.try_clean(1 << 20).is_ok());
    }
}

#[test]
fn damage_in_a_sealed_segment_ends_the_pass_and_nothing_else() {
    let world = filled();
    world.try_clean(24).unwrap();
    let second = world.bases()[1];
    let file = world.vfs.open(&format!("{FOLDER}/{second:020}.log"), OpenMode::Write).unwrap();
    write_all_at(&*file, &[0xaa; 3], 70).unwrap();
    let failure = world.try_clean(1 << 20).unwrap_err();
    assert_eq!(failure.code, Code::Damaged);
    assert!(failure.text.contains(&format!("{second:020}.log can't be compacted at byte 0")), "{}", failure.text);
    let (code, _) = world.rig.append(0, batch(1, 10, 1));
    assert_eq!(code, Code::Ok);
    assert!(!world.vfs.list(FOLDER).unwrap().iter().any(|entry| entry.name.ends_with(".cleaned")));
}

#[test]
fn without_room_a_pass_is_refused_and_a_later_one_succeeds() {
    let mut world = filled();
    world.try_clean(24).unwrap();
    world.vfs.set_capacity(world.vfs.used() + 100);
    let failure = world.try_clean(1 << 20).unwrap_err();
    assert_eq!(failure.code, Code::NoSpace, "{}", failure.text);
    world.vfs.set_capacity(u64::MAX);
    assert!(world.clean(1 << 20).written_bytes > 0);
}

#[test]
fn a_failed_write_or_sync_of_a_pass_takes_the_directory_offline() {
    // A sync that found no room has lost what it covered, as any other that failed.
    let faults = [
        (Operation::Write, EIO),
        (Operation::SyncData, EIO),
        (Operation::SyncData, ENOSPC),
        (Operation::SyncFolder, EIO),
        (Operation::SyncFolder, ENOSPC),
        (Operation::Rename, EIO),
    ];
    for (operation, errno) in faults {
        for nth in 0..8 {
            let world = filled();
            world.try_clean(24).unwrap();
            world.vfs.fail(operation, nth + 1, errno);
            let Err(failure) = world.try_clean(1 << 20) else { continue };
            assert_eq!(failure.code, Code::DirectoryOffline, "{operation:?} {nth}: {}", failure.text);
            let (code, _) = world.rig.append(0, batch(1, 10, 1));
            assert_eq!(code, Code::DirectoryOffline);
        }
    }
}

/// The newest value of each key is there, and all that is there was written.
fn latest_are_there(world: &World, found: &[Record]) {
    let mut latest: BTreeMap<u8, &Record> = BTreeMap::new();
    for (record, _) in world.records.values().filter(|(_, fate)| *fate == Fate::Committed) {
        latest.insert(record.key, record);
    }
    for record in found {
        assert_eq!(Some(record), world.records.get(&record.offset).map(|(record, _)| record));
    }
    for record in latest.into_values().filter(|record| record.value.is_some()) {
        assert!(found.contains(record), "{record:?} is gone");
    }
    let deleted = found.iter().filter(|record| record.value.is_none()).count();
    assert!(deleted > 0, "tombstones within their horizon are there");
}

#[test]
fn power_cuts_at_every_operation_of_a_pass_leave_the_old_segments_or_the_new_one() {
    let world = filled();
    world.try_clean(24).unwrap();
    let images = Arc::new(Mutex::new(Vec::new()));
    let kept = images.clone();
    world.vfs.observe(move |fork| kept.lock().unwrap().push(fork.clone()));
    world.try_clean(1 << 20).unwrap();
    world.vfs.stop_observing();
    let images = images.lock().unwrap();
    assert!(images.len() > 30, "{}", images.len());
    let aborted: BTreeSet<(i64, i64)> = BTreeSet::from_iter(aborted_of(&world.rig, 0, world.end));
    let mut checked = 0;
    for (number, image) in images.iter().enumerate() {
        let seeds = (0..6).map(|n| (if n % 2 == 0 { Keep::Some } else { Keep::Torn }, number as u64 * 31 + n));
        for (keep, seed) in [(Keep::None, 0), (Keep::All, 0)].into_iter().chain(seeds) {
            let what = format!("image {number} of {}, {keep:?} {seed}", images.len());
            let crashed = image.crash(seed, keep);
            // Once more while that is put in order.
            let again = Arc::new(Mutex::new(Vec::new()));
            let kept = again.clone();
            if keep == Keep::All {
                crashed.observe(move |fork| kept.lock().unwrap().push(fork.clone()));
            }
            check_image(&world, crashed, &aborted, &what);
            checked += 1;
            for (second, image) in again.lock().unwrap().iter().enumerate() {
                check_image(
                    &world,
                    image.crash(second as u64, Keep::Some),
                    &aborted,
                    &format!("{what}, again {second}"),
                );
                checked += 1;
            }
        }
    }
    assert!(checked > 700, "{checked}");
}

fn aborted_of(rig: &Rig, slot: u32, end: i64) -> Vec<(i64, i64)> {
    let flags = ReadFlags { at_least_one: true, aborted_list: true, to_memory: true };
    let (mut from, mut all) = (0, Vec::new());
    while from < end {
        let info = rig.read_with(slot, from, end, 1 << 20, flags, -1).unwrap();
        all.extend(info.aborted.iter().copied());
        let bytes = memory(&info);
        if bytes.is_empty() {
            break;
        }
        from = last_header(&bytes).next_offset();
    }
    all
}

fn check_image(world: &World, image: MemoryVfs, aborted: &BTreeSet<(i64, i64)>, what: &str) {
    let rig = Rig::manual();
    let opened = rig.directory("/data", VfsKind::Memory(image.clone()));
    let info = match rig.open(opened.id, 0, "t-0", config(), opened.clean) {
        Ok(info) => info,
        Err(failure) => panic!("{what}: {failure:?}"),
    };
    image.stop_observing();
    assert_eq!((info.end, info.cut_bytes), (world.end, 0), "{what}");
    latest_are_there(world, &read_log(&rig, 0, 0, info.end));
    // An aborted transaction whose marker is there is told to readers, and no other.
    let mut expected = BTreeSet::new();
    let bytes = rig.read_all(0, 0, info.end);
    let mut at = 0;
    for header in headers(&bytes) {
        let batch = &bytes[at..at + header.total_bytes()];
        at += header.total_bytes();
        if header.is_transactional() && !header.is_control() && batch.len() > 61 {
            let first = Records::new(batch).unwrap().next().unwrap().unwrap().offset;
            if world.records[&first].1 == Fate::Aborted {
                expected.insert(header.producer_id);
            }
        }
    }
    let told: BTreeSet<(i64, i64)> = aborted_of(&rig, 0, info.end).into_iter().collect();
    assert!(told.iter().all(|one| aborted.contains(one) || world.records[&one.1].1 == Fate::Aborted), "{what}");
    if !expected.is_empty() {
        assert!(!told.is_empty(), "{what}: aborted records are there and nobody is told");
    }
    let names = image.list(FOLDER).unwrap();
    assert!(names.iter().all(|entry| !entry.name.ends_with(".cleaned") && !entry.name.ends_with(".swap")), "{what}");
    let (code, appended) = rig.append(0, batch(1, 20, 77));
    assert_eq!((code, appended.base), (Code::Ok, info.end), "{what}");
    for offset in (0..info.end).step_by(5) {
        let info = rig.read(0, offset, info.end, 10_000).unwrap();
        assert!(last_header(&memory(&info)).last_offset() >= offset, "{what}: offset {offset}");
    }
}
