//! What the engine's tests share: a sink that keeps every completion, an engine stepped by hand, and short words for
//! the commands.

#![allow(dead_code, reason = "each test file uses a part of it")]

use bytes::Bytes;
use odradek_engine::batch::BatchBuilder;
use odradek_engine::command::*;
use odradek_engine::config::LogConfig;
use odradek_engine::driver::{Engine, EngineOptions, Role};
use odradek_engine::error::Code;
use odradek_engine::vfs::VfsKind;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// A moment; commands carry it as their time.
pub const NOW: i64 = 1_700_000_000_000;
pub const TOPIC_ID: &str = "AAAAAAAAAAAAAAAAAAAAAQ";

#[derive(Default)]
pub struct Recorder {
    pub completions: Mutex<Vec<(Completion, bool)>>,
    pub arrived: Condvar,
}

impl Sink for Recorder {
    fn complete(&self, completion: Completion, urgent: bool) {
        self.completions.lock().unwrap().push((completion, urgent));
        self.arrived.notify_all();
    }
}

impl Recorder {
    pub fn len(&self) -> usize {
        self.completions.lock().unwrap().len()
    }

    pub fn find<T>(&self, pick: impl Fn(&Completion) -> Option<T>) -> Option<T> {
        self.completions.lock().unwrap().iter().find_map(|(completion, _)| pick(completion))
    }

    pub fn all<T>(&self, pick: impl Fn(&Completion) -> Option<T>) -> Vec<T> {
        self.completions.lock().unwrap().iter().filter_map(|(completion, _)| pick(completion)).collect()
    }

    /// The last `Synced` of a log, or -1.
    pub fn synced(&self, log: LogRef) -> i64 {
        self.all(|completion| match completion {
            Completion::Synced { log: of, synced_end } if *of == log => Some(*synced_end),
            _ => None,
        })
        .last()
        .copied()
        .unwrap_or(-1)
    }
}

pub struct Rig {
    pub engine: Engine,
    pub sink: Arc<Recorder>,
    pub manual: bool,
    ticket: Mutex<u32>,
}

impl Rig {
    pub fn manual() -> Rig {
        Rig::start(true)
    }

    pub fn start(manual: bool) -> Rig {
        Rig::with(EngineOptions { manual, ..EngineOptions::default() })
    }

    pub fn with(options: EngineOptions) -> Rig {
        let sink = Arc::new(Recorder::default());
        let engine = Engine::start(options, sink.clone());
        Rig { engine, sink, manual: options.manual, ticket: Mutex::new(0) }
    }

    pub fn ticket(&self) -> u32 {
        let mut ticket = self.ticket.lock().unwrap();
        *ticket += 1;
        *ticket
    }

    /// Manual mode: everything that can run, runs.
    pub fn settle(&self) {
        while self.manual
            && [Role::Lane, Role::Background, Role::Sync, Role::Read].into_iter().any(|role| self.engine.step(role))
        {
        }
    }

    pub fn submit(&self, command: Command) {
        self.engine.submit(vec![command]);
    }

    /// Settles, or waits for the threads, until `pick` finds its completion.
    pub fn wait<T>(&self, pick: impl Fn(&Completion) -> Option<T>) -> T {
        self.settle();
        let mut completions = self.sink.completions.lock().unwrap();
        loop {
            if let Some(found) = completions.iter().find_map(|(completion, _)| pick(completion)) {
                return found;
            }
            assert!(!self.manual, "nothing is left to run and the completion is not there: {completions:#?}");
            let (next, waited) = self.sink.arrived.wait_timeout(completions, Duration::from_secs(20)).unwrap();
            completions = next;
            assert!(!waited.timed_out(), "no completion came: {completions:#?}");
        }
    }

    pub fn directory(&self, path: &str, vfs: VfsKind) -> odradek_engine::driver::OpenedDirectory {
        self.engine.open_directory(path, vfs).expect("the directory opens")
    }

    pub fn open(
        &self,
        directory: DirectoryId,
        slot: u32,
        name: &str,
        config: LogConfig,
        clean: bool,
    ) -> Result<OpenInfo, Failure> {
        let ticket = self.ticket();
        self.submit(Command::Open(Box::new(OpenLog {
            log: log(slot),
            ticket,
            directory,
            name: name.to_string(),
            config,
            topic_id: Some(TOPIC_ID.to_string()),
            clean,
            must_exist: false,
            now_ms: NOW,
        })));
        self.wait(|completion| match completion {
            Completion::Opened { ticket: of, outcome, .. } if *of == ticket => Some(outcome.clone().map(|info| *info)),
            _ => None,
        })
    }

    pub fn answer(&self, command: impl FnOnce(u32) -> Command) -> Result<Answer, Failure> {
        let ticket = self.ticket();
        self.submit(command(ticket));
        self.wait(|completion| match completion {
            Completion::Answered { ticket: of, outcome } if *of == ticket => Some(outcome.clone()),
            _ => None,
        })
    }

    pub fn append_only(&self, slot: u32, batch: Vec<u8>) -> u32 {
        let ticket = self.ticket();
        self.submit(append(slot, ticket, batch));
        ticket
    }

    pub fn appended(&self, ticket: u32) -> (Code, AppendedInfo) {
        self.wait(|completion| match completion {
            Completion::Appended { ticket: of, code, info, .. } if *of == ticket => Some((*code, info.clone())),
            _ => None,
        })
    }

    pub fn append(&self, slot: u32, batch: Vec<u8>) -> (Code, AppendedInfo) {
        let ticket = self.append_only(slot, batch);
        self.appended(ticket)
    }

    pub fn read(&self, slot: u32, from: i64, limit: i64, max_bytes: u32) -> Result<ReadInfo, Failure> {
        self.read_with(
            slot,
            from,
            limit,
            max_bytes,
            ReadFlags { at_least_one: true, to_memory: true, ..ReadFlags::default() },
            -1,
        )
    }

    pub fn read_with(
        &self,
        slot: u32,
        from: i64,
        limit: i64,
        max_bytes: u32,
        flags: ReadFlags,
        last_fetched_epoch: i32,
    ) -> Result<ReadInfo, Failure> {
        let ticket = self.ticket();
        self.submit(Command::Read { log: log(slot), ticket, from, limit, max_bytes, last_fetched_epoch, flags });
        self.wait(|completion| match completion {
            Completion::ReadDone { ticket: of, outcome, .. } if *of == ticket => {
                Some(outcome.clone().map(|info| *info))
            }
            _ => None,
        })
    }

    /// Every byte from `from` to `limit`, read after read.
    pub fn read_all(&self, slot: u32, from: i64, limit: i64) -> Vec<u8> {
        let (mut from, mut all) = (from, Vec::new());
        while from < limit {
            let info = self.read(slot, from, limit, 64 * 1024).expect("the read is in range");
            let bytes = memory(&info);
            if bytes.is_empty() {
                break;
            }
            from = last_header(&bytes).next_offset();
            all.extend_from_slice(&bytes);
        }
        all
    }

    pub fn sync(&self, slot: u32) -> Result<Answer, Failure> {
        self.answer(|ticket| Command::Sync { log: log(slot), ticket })
    }

    pub fn close(&self, slot: u32, clean: bool) -> Result<Answer, Failure> {
        self.answer(|ticket| Command::Close { log: log(slot), ticket, clean })
    }

    pub fn truncate(&self, slot: u32, offset: i64) -> Result<Answer, Failure> {
        self.answer(|ticket| Command::Truncate { log: log(slot), ticket, offset, now_ms: NOW })
    }
}

pub fn log(slot: u32) -> LogRef {
    LogRef { slot, generation: 1 }
}

pub fn append(slot: u32, ticket: u32, batch: Vec<u8>) -> Command {
    append_at(slot, ticket, batch, 0, NOW)
}

pub fn append_at(slot: u32, ticket: u32, batch: Vec<u8>, leader_epoch: i32, now_ms: i64) -> Command {
    Command::Append {
        log: log(slot),
        ticket,
        batch: Bytes::from(batch),
        leader_epoch,
        origin: Origin::Client,
        wake: Wake::Synced,
        transaction_version: -1,
        now_ms,
        expected_base: -1,
    }
}

pub fn memory(info: &ReadInfo) -> Bytes {
    match &info.bytes {
        ReadBytes::Memory(bytes) => bytes.clone(),
        ReadBytes::Files(slices) => {
            let mut all = Vec::new();
            for slice in slices {
                let mut bytes = vec![0; slice.length as usize];
                let mut done = 0;
                while done < bytes.len() {
                    let n = slice.file.read_at(&mut bytes[done..], slice.position + done as u64).unwrap();
                    assert!(n > 0, "the slice ends early");
                    done += n;
                }
                all.extend(bytes);
            }
            all.into()
        }
    }
}

pub fn headers(bytes: &[u8]) -> Vec<odradek_engine::batch::Header> {
    let (mut at, mut headers) = (0, Vec::new());
    while at < bytes.len() {
        let header = odradek_engine::batch::Header::read(&bytes[at..]).expect("a whole header");
        assert!(odradek_engine::batch::verify_crc(&bytes[at..at + header.total_bytes()]), "the checksum matches");
        at += header.total_bytes();
        headers.push(header);
    }
    headers
}

pub fn last_header(bytes: &[u8]) -> odradek_engine::batch::Header {
    *headers(bytes).last().expect("a batch")
}

/// `count` records of `size` bytes, told apart by `mark`.
pub fn batch(count: usize, size: usize, mark: u64) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    for n in 0..count {
        let mut value = vec![b'v'; size.max(8)];
        value[..8].copy_from_slice(&(mark * 1000 + n as u64).to_be_bytes());
        builder = builder.record(NOW + mark as i64, Some(b"key"), Some(&value));
    }
    builder.build()
}

/// The mark that `batch` put into the first record's value: the record's head before it has a fixed shape.
pub fn mark_of(bytes: &[u8]) -> u64 {
    let at = bytes.windows(3).position(|window| window == b"key").expect("the key stands in the batch") + 3;
    // A varint length of one or two bytes stands before the value.
    let skip = if bytes[at] & 0x80 != 0 { 2 } else { 1 };
    u64::from_be_bytes(bytes[at + skip..at + skip + 8].try_into().unwrap()) / 1000
}

pub fn small_segments() -> LogConfig {
    LogConfig { segment_bytes: 1000, index_interval_bytes: 100, ..LogConfig::default() }
}
