//! Random scripts of appends, truncations, rolls, deletions of records, restarts and crashes against a model that is
//! a list of batches.

mod common;

use common::*;
use odradek_engine::batch::{BatchBuilder, Header, attributes, marker};
use odradek_engine::command::*;
use odradek_engine::config::LogConfig;
use odradek_engine::error::Code;
use odradek_engine::vfs::{Keep, MemoryVfs, VfsKind};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Append {
        count: usize,
        size: usize,
    },
    /// Several appends in one drain.
    Many {
        count: usize,
    },
    Idempotent {
        count: usize,
    },
    /// Ends the open transaction if there is one, else begins one.
    Transaction {
        commit: bool,
    },
    Truncate {
        at: u8,
    },
    Roll,
    Epoch,
    DeleteRecords {
        at: u8,
    },
    Minute,
    Restart {
        clean: bool,
    },
    Crash {
        seed: u64,
        keep: u8,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1usize..4, 8usize..150).prop_map(|(count, size)| Step::Append { count, size }),
        2 => (1usize..20).prop_map(|count| Step::Many { count }),
        3 => (1usize..4).prop_map(|count| Step::Idempotent { count }),
        2 => any::<bool>().prop_map(|commit| Step::Transaction { commit }),
        2 => any::<u8>().prop_map(|at| Step::Truncate { at }),
        1 => Just(Step::Roll),
        1 => Just(Step::Epoch),
        1 => any::<u8>().prop_map(|at| Step::DeleteRecords { at }),
        1 => Just(Step::Minute),
        1 => any::<bool>().prop_map(|clean| Step::Restart { clean }),
        2 => (any::<u64>(), 0u8..4).prop_map(|(seed, keep)| Step::Crash { seed, keep }),
    ]
}

#[derive(Clone, Debug, PartialEq)]
struct Batch {
    base: i64,
    end: i64,
    epoch: i32,
    timestamp: i64,
    bytes: usize,
    producer: i64,
    /// The transaction that the marker in it aborts: producer and first offset.
    aborts: Option<(i64, i64)>,
}

struct World {
    rig: Rig,
    vfs: MemoryVfs,
    directory: DirectoryId,
    batches: Vec<Batch>,
    start: i64,
    epoch: i32,
    now: i64,
    producer: i64,
    sequence: i32,
    /// First offset of the open transaction.
    open: Option<i64>,
    transactional: i64,
    /// The highest transactional producer so far.
    fresh: i64,
    transaction_sequence: i32,
    /// The transactional producer is not used again after its transaction.
    stale: bool,
}

impl World {
    fn new() -> World {
        let vfs = MemoryVfs::tracked();
        let rig = Rig::manual();
        let directory = rig.directory("/data", VfsKind::Memory(vfs.clone())).id;
        rig.open(directory, 0, "t-0", World::config(), false).unwrap();
        World {
            rig,
            vfs,
            directory,
            batches: Vec::new(),
            start: 0,
            epoch: 0,
            now: NOW,
            producer: 77,
            sequence: 0,
            open: None,
            transactional: 88,
            fresh: 88,
            transaction_sequence: 0,
            stale: false,
        }
    }

    fn config() -> LogConfig {
        LogConfig { segment_index_bytes: 24 * 4, ..small_segments() }
    }

    fn end(&self) -> i64 {
        self.batches.last().map_or(self.start, |batch| batch.end)
    }

    fn append(&mut self, batch: Vec<u8>, origin: Origin) -> AppendedInfo {
        let (ticket, len) = (self.rig.ticket(), batch.len());
        let header = Header::read(&batch).unwrap();
        self.rig.submit(Command::Append {
            log: log(0),
            ticket,
            batch: batch.into(),
            leader_epoch: self.epoch,
            origin,
            wake: Wake::Synced,
            // Markers of the protocol that keeps a producer's epoch over its transactions.
            transaction_version: if origin == Origin::Marker { 1 } else { 2 },
            now_ms: self.now,
            expected_base: self.end(),
        });
        let (code, info) = self.rig.appended(ticket);
        assert_eq!(code, Code::Ok, "{}", info.text);
        let base = self.end();
        let end = base + header.count as i64;
        assert_eq!((info.base, info.end), (base, end));
        self.batches.push(Batch {
            base,
            end,
            epoch: self.epoch,
            timestamp: header.max_timestamp,
            bytes: len,
            producer: header.producer_id,
            aborts: None,
        });
        info
    }

    fn run(&mut self, step: &Step) {
        self.now += 10;
        match *step {
            Step::Append { count, size } => {
                let mark = self.batches.len() as u64;
                self.append(batch(count, size, mark), Origin::Client);
            }
            Step::Many { count } => {
                let commands = (0..count).map(|n| append_at(0, 5000 + n as u32, batch(1, 20, 7), self.epoch, self.now));
                self.rig.engine.submit(commands.collect());
                self.rig.settle();
                for _ in 0..count {
                    let (base, bytes) = (self.end(), batch(1, 20, 7).len());
                    let (end, timestamp) = (base + 1, NOW + 7);
                    self.batches.push(Batch {
                        base,
                        end,
                        epoch: self.epoch,
                        timestamp,
                        bytes,
                        producer: -1,
                        aborts: None,
                    });
                }
            }
            Step::Idempotent { count } => {
                let build = |sequence| {
                    let mut builder = BatchBuilder::new().producer(self.producer, 0, sequence);
                    for _ in 0..count {
                        builder = builder.record(self.now, None, Some(b"value"));
                    }
                    builder.build()
                };
                let (first, wrong) = (build(self.sequence), build(self.sequence + 100));
                let before = self.append(first.clone(), Origin::Client);
                self.sequence += count as i32;
                // Sent again: the first answer, nothing written. A gap: refused.
                let ticket = self.rig.ticket();
                self.rig.submit(append_at(0, ticket, first, self.epoch, self.now));
                let (code, again) = self.rig.appended(ticket);
                assert_eq!((code, again.duplicate, again.base, again.end), (Code::Ok, true, before.base, before.end));
                let ticket = self.rig.ticket();
                self.rig.submit(append_at(0, ticket, wrong, self.epoch, self.now));
                assert_eq!(self.rig.appended(ticket).0, Code::OutOfOrderSequence);
            }
            Step::Transaction { commit } => match self.open {
                None => {
                    let batch = BatchBuilder::new()
                        .producer(self.transactional, 0, self.transaction_sequence)
                        .attributes(attributes::TRANSACTIONAL)
                        .record(self.now, None, Some(b"in a transaction"));
                    let info = self.append(batch.build(), Origin::Client);
                    self.transaction_sequence += 1;
                    self.open = Some(info.base);
                    assert_eq!(info.oldest_open_transaction, info.base);
                }
                Some(first) => {
                    let info = self.append(marker(self.transactional, 0, commit, 0, self.now), Origin::Marker);
                    assert_eq!((info.closed_transaction_first, info.oldest_open_transaction), (first, -1));
                    self.batches.last_mut().unwrap().aborts = (!commit).then_some((self.transactional, first));
                    self.open = None;
                    if self.stale {
                        self.renew_transactional();
                    }
                }
            },
            Step::Truncate { at } => {
                let span = (self.end() - self.start).max(1);
                let offset = self.start + at as i64 * span / 200;
                let outcome = self.rig.truncate(0, offset).unwrap();
                while self.batches.last().is_some_and(|batch| batch.end > offset) {
                    self.batches.pop();
                }
                let Answer::Marks { start, end, synced_end } = outcome else { panic!("{outcome:?}") };
                self.start = start;
                // A cut into a batch that reaches below the start leaves nothing.
                if start == end && self.batches.last().is_some_and(|batch| batch.end != end) {
                    self.batches.clear();
                }
                assert_eq!(end, self.end());
                assert!(synced_end <= end && start <= end);
                self.forget_producers();
            }
            Step::Roll => {
                self.rig.answer(|ticket| Command::Roll { log: log(0), ticket, now_ms: self.now }).unwrap();
            }
            Step::Epoch => {
                self.epoch += 1;
                let (epoch, offset) = (self.epoch, self.end());
                self.rig.answer(|ticket| Command::StartEpoch { log: log(0), ticket, epoch, offset }).unwrap();
            }
            Step::DeleteRecords { at } => {
                let offset = self.start + (self.end() - self.start) * at as i64 / 400;
                // Never below an open transaction: a broker keeps it below the last stable offset.
                let offset = self.open.map_or(offset, |first| offset.min(first)).max(self.start);
                // What was readable can be deleted; whole segments go with it.
                self.rig.submit(Command::SetMarks { log: log(0), high_watermark: self.end() });
                let command = |ticket| Command::AdvanceStart { log: log(0), ticket, offset, now_ms: self.now };
                self.rig.answer(command).unwrap();
                self.rig.answer(|ticket| Command::Checkpoint { directory: self.directory, ticket }).unwrap();
                self.start = offset;
            }
            Step::Minute => self.now += 60_000,
            Step::Restart { clean } => {
                self.rig.close(0, clean).unwrap();
                self.rig.engine.close_directory(self.directory, clean, 3).unwrap();
                self.reopen(self.vfs.clone());
            }
            Step::Crash { seed, keep } => {
                let keep = [Keep::None, Keep::All, Keep::Some, Keep::Torn][keep as usize];
                let image = self.vfs.crash(seed, keep);
                self.reopen(image);
            }
        }
    }

    /// A truncation takes some of the producers' batches and leaves others: ask what is open, and go on with new ones.
    fn forget_producers(&mut self) {
        let info = self.append(batch(1, 8, 9), Origin::Client);
        self.open = (info.oldest_open_transaction >= 0).then_some(info.oldest_open_transaction);
        self.producer += 1000;
        self.sequence = 0;
        match self.open.and_then(|first| self.batches.iter().find(|batch| batch.base == first)) {
            None => self.renew_transactional(),
            Some(batch) => {
                self.fresh = self.fresh.max(self.transactional);
                self.transactional = batch.producer;
                self.stale = true;
            }
        }
    }

    fn renew_transactional(&mut self) {
        self.fresh = self.fresh.max(self.transactional) + 1000;
        self.transactional = self.fresh;
        self.transaction_sequence = 0;
        self.stale = false;
    }

    fn reopen(&mut self, vfs: MemoryVfs) {
        self.rig = Rig::manual();
        self.vfs = vfs;
        let opened = self.rig.directory("/data", VfsKind::Memory(self.vfs.clone()));
        self.directory = opened.id;
        let info = self.rig.open(opened.id, 0, "t-0", World::config(), opened.clean).unwrap();
        // Every step settles, so every append was synced.
        assert_eq!(info.end, self.end());
        assert_eq!(info.synced_end, info.end);
        assert_eq!(info.oldest_open_transaction, self.open.unwrap_or(-1));
        assert_eq!(info.latest_epoch, self.batches.last().map_or(info.latest_epoch, |batch| batch.epoch));
        // A start that was not checkpointed is told again by the controller of the partition.
        assert!(info.start <= self.start);
        self.start = info.start;
    }

    fn check(&self) {
        let (start, end) = (self.start, self.end());
        let visible: Vec<&Batch> = self.batches.iter().filter(|batch| batch.end > start).collect();
        let found = headers(&self.rig.read_all(0, start, end));
        let seen: Vec<_> =
            found.iter().map(|h| (h.base_offset, h.next_offset(), h.leader_epoch, h.total_bytes())).collect();
        let want: Vec<_> = visible.iter().map(|b| (b.base, b.end, b.epoch, b.bytes)).collect();
        assert_eq!(seen, want);
        for batch in &visible {
            let info = self.rig.read(0, batch.base.max(start), end, 1).unwrap();
            assert_eq!(info.first_offset, batch.base);
            assert_eq!(info.total as usize, batch.bytes);
        }
        if let Some(most) = visible.iter().map(|batch| batch.timestamp).max() {
            let found =
                self.rig.answer(|ticket| Command::Lookup { log: log(0), ticket, lookup: Lookup::MaxTime, limit: end });
            let Ok(Answer::Found { timestamp, .. }) = found else { panic!("{found:?}") };
            assert_eq!(timestamp, most);
        }
        for wanted in [NOW, NOW + 7, self.now - 20, self.now] {
            let expected =
                visible.iter().find(|batch| batch.timestamp >= wanted).map_or(-1, |batch| batch.base.max(start));
            let lookup = Lookup::Time { timestamp: wanted };
            let found = self.rig.answer(|ticket| Command::Lookup { log: log(0), ticket, lookup, limit: end });
            let Ok(Answer::Found { offset, .. }) = found else { panic!("{found:?}") };
            assert_eq!(offset, expected, "the first record at {wanted}");
        }
        let aborted: Vec<(i64, i64)> = visible.iter().filter_map(|batch| batch.aborts).collect();
        let flags = ReadFlags { at_least_one: true, aborted_list: true, to_memory: true };
        if start < end {
            let mut listed = Vec::new();
            let mut from = start;
            while from < end {
                let info = self.rig.read_with(0, from, end, 1 << 20, flags, -1).unwrap();
                for one in info.aborted {
                    if !listed.contains(&one) {
                        listed.push(one);
                    }
                }
                from = last_header(&memory(&info_of(&self.rig, from, end))).next_offset();
            }
            assert_eq!(listed, aborted);
        }
    }
}

fn info_of(rig: &Rig, from: i64, end: i64) -> ReadInfo {
    rig.read(0, from, end, 1 << 20).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, max_shrink_iters: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_log_behaves_as_a_list_of_batches(steps in proptest::collection::vec(step(), 1..30)) {
        let mut world = World::new();
        for step in &steps {
            world.run(step);
            world.check();
        }
    }
}

/// An index entry made while opening must not hide a timestamp behind the closing one that the last close wrote.
#[test]
fn the_largest_timestamp_is_found_after_a_restart_and_a_truncation() {
    let mut world = World::new();
    for step in [
        Step::Append { count: 1, size: 30 },
        Step::Idempotent { count: 1 },
        Step::Idempotent { count: 1 },
        Step::Idempotent { count: 2 },
        Step::Truncate { at: 120 },
        Step::Idempotent { count: 1 },
        Step::Restart { clean: true },
        Step::Idempotent { count: 1 },
        Step::Truncate { at: 134 },
    ] {
        world.run(&step);
        world.check();
    }
}
