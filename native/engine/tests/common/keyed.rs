//! A compacted log of keyed records, tombstones and transactions, and what a pass may have left of them.

#![allow(dead_code, reason = "each test file uses a part of it")]

use crate::common::*;
use odradek_engine::batch::{BatchBuilder, Header, RecordMeta, Records, attributes, marker};
use odradek_engine::command::*;
use odradek_engine::config::{CompressionType, LogConfig};
use odradek_engine::error::Code;
use odradek_engine::vfs::{MemoryVfs, Vfs, VfsKind};
use std::collections::{BTreeMap, BTreeSet};

pub const FOLDER: &str = "/data/t-0";
pub const EIO: i32 = 5;
pub const ENOSPC: i32 = 28;
pub const RETENTION_MS: i64 = 10_000;

pub fn config() -> LogConfig {
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
pub struct Record {
    pub offset: i64,
    pub key: u8,
    /// None: a tombstone.
    pub value: Option<u32>,
    pub timestamp: i64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fate {
    Committed,
    Aborted,
    Open,
}

pub struct World {
    pub rig: Rig,
    pub vfs: MemoryVfs,
    pub directory: DirectoryId,
    pub config: LogConfig,
    pub slot: u32,
    pub now: i64,
    pub end: i64,
    pub next_value: u32,
    pub records: BTreeMap<i64, (Record, Fate)>,
    /// Of the transactional producer's open transaction.
    pub open: Option<i64>,
    pub transactional_sequence: i32,
    pub idempotent_sequence: i32,
    pub cleaned_to: i64,
    /// Segments below were gone over by some pass.
    pub passed: i64,
    /// Time of the first pass that has gone over a tombstone.
    pub seen: BTreeMap<i64, i64>,
    /// Tombstones whose horizon was over when a pass went over them.
    pub gone: BTreeSet<i64>,
}

pub const IDEMPOTENT: i64 = 100;
pub const TRANSACTIONAL: i64 = 200;

impl World {
    pub fn new(config: LogConfig) -> World {
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

    pub fn send(&mut self, batch: Vec<u8>, origin: Origin, version: i16) -> AppendedInfo {
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
    pub fn append(&mut self, keys: &[u8], codec: u8, who: Who) {
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

    pub fn end_transaction(&mut self, commit: bool) {
        self.send(marker(TRANSACTIONAL, 0, commit, 0, self.now), Origin::Marker, 1);
        let fate = if commit { Fate::Committed } else { Fate::Aborted };
        for (_, state) in self.records.values_mut().filter(|(_, state)| *state == Fate::Open) {
            *state = fate;
        }
        self.open = None;
    }

    pub fn roll(&self) {
        let now_ms = self.now;
        self.rig.answer(|ticket| Command::Roll { log: log(self.slot), ticket, now_ms }).unwrap();
    }

    pub fn request(&self, ticket: u32, map_bytes: u64) -> CleanLog {
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

    pub fn try_clean(&self, map_bytes: u64) -> Result<CleanInfo, Failure> {
        let answer = self.rig.answer(|ticket| Command::Clean(Box::new(self.request(ticket, map_bytes))));
        answer.map(|answer| match answer {
            Answer::Cleaned(info) => info,
            other => panic!("{other:?}"),
        })
    }

    /// A second pass where the first one has only moved the recovery point.
    pub fn clean(&mut self, map_bytes: u64) -> CleanInfo {
        let first = self.clean_once(map_bytes);
        if first.read_bytes > 0 { first } else { self.clean_once(map_bytes) }
    }

    pub fn clean_once(&mut self, map_bytes: u64) -> CleanInfo {
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

    pub fn bases(&self) -> Vec<i64> {
        let names = self.vfs.list(FOLDER).unwrap();
        names.iter().filter_map(|entry| entry.name.strip_suffix(".log")?.parse().ok()).collect()
    }

    pub fn restart(&mut self, clean: bool) {
        self.rig.close(self.slot, clean).unwrap();
        self.rig.engine.close_directory(self.directory, clean, 1).unwrap();
        self.reopen();
    }

    pub fn reopen(&mut self) {
        let opened = self.rig.directory("/data", VfsKind::Memory(self.vfs.clone()));
        self.directory = opened.id;
        self.slot += 1;
        let info = self.rig.open(opened.id, self.slot, "t-0", self.config.clone(), opened.clean).unwrap();
        assert_eq!(info.end, self.end);
        assert_eq!(info.oldest_open_transaction, self.open.unwrap_or(-1));
        self.rig.submit(Command::SetMarks { log: log(self.slot), high_watermark: self.end });
        self.check();
    }

    pub fn check(&self) {
        let found = read_log(&self.rig, self.slot, 0, self.end);
        self.check_records(&found, self.cleaned_to);
    }

    /// `cleaned_to`: below it, what had to go is gone.
    pub fn check_records(&self, found: &[Record], cleaned_to: i64) {
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
pub enum Who {
    Anybody,
    Idempotent,
    Transactional,
}

/// The data records from an offset on, as a reader sees them; every batch is checked.
pub fn read_log(rig: &Rig, slot: u32, from: i64, end: i64) -> Vec<Record> {
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

pub fn records_of(header: &Header, batch: &[u8]) -> Vec<Record> {
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

pub fn inflated(header: &Header, batch: &[u8]) -> Vec<u8> {
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

pub fn varint(bytes: &mut &[u8]) -> i64 {
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

pub fn filled() -> World {
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
