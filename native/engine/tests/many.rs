//! Many logs that are opened at once after a power cut: threads find what one hand would find.

mod common;

use common::*;
use odradek_engine::batch::BatchBuilder;
use odradek_engine::command::*;
use odradek_engine::config::{Flush, LogConfig};
use odradek_engine::error::Code;
use odradek_engine::vfs::{Keep, MemoryVfs, Operation, Vfs, VfsKind};
use proptest::prelude::*;

const LOGS: u32 = 12;

/// What opening a log says, its records, and what the next batch of its producer is told.
type Found = (i64, i64, i64, u64, u32, Vec<u8>, (Code, bool));

fn config() -> LogConfig {
    LogConfig { flush: Flush::Os, segment_bytes: 4000, index_interval_bytes: 200, ..LogConfig::default() }
}

fn numbered(sequence: i32) -> Vec<u8> {
    BatchBuilder::new().producer(7, 0, sequence).record(NOW, None, Some(&[b'p'; 90])).build()
}

/// Steps: which log, how many batches, and whether a sweep's recovery points come behind them.
fn written(steps: &[(u32, u8, bool)]) -> MemoryVfs {
    let vfs = MemoryVfs::tracked();
    let rig = Rig::manual();
    let directory = rig.directory("/data", VfsKind::Memory(vfs.clone())).id;
    for slot in 0..LOGS {
        rig.open(directory, slot, &format!("t-{slot}"), config(), false).unwrap();
    }
    let mut now = NOW;
    let mut sequences = [0; LOGS as usize];
    for (slot, batches, sweep) in steps {
        for n in 0..*batches {
            let sequence = &mut sequences[*slot as usize];
            let bytes = if n % 2 == 0 { numbered(*sequence) } else { batch(2, 150, n as u64) };
            *sequence += (n % 2 == 0) as i32;
            let ticket = rig.ticket();
            rig.submit(append_at(*slot, ticket, bytes, 0, now));
            assert_eq!(rig.appended(ticket).0, Code::Ok);
        }
        if *sweep {
            now += 61_000;
        }
    }
    vfs
}

fn found(vfs: &MemoryVfs, manual: bool) -> Vec<Found> {
    let rig = Rig::start(manual);
    let directory = rig.directory("/data", VfsKind::Memory(vfs.clone())).id;
    let open = |slot| {
        Command::Open(Box::new(OpenLog {
            log: log(slot),
            ticket: 1000 + slot,
            directory,
            name: format!("t-{slot}"),
            config: config(),
            topic_id: Some(TOPIC_ID.to_string()),
            clean: false,
            must_exist: false,
            now_ms: NOW,
        }))
    };
    if manual {
        for slot in 0..LOGS {
            rig.submit(open(slot));
            rig.settle();
        }
    } else {
        rig.engine.submit((0..LOGS).map(open).collect());
    }
    let found = (0..LOGS)
        .map(|slot| {
            let info = rig.wait(|completion| match completion {
                Completion::Opened { ticket, outcome, .. } if *ticket == 1000 + slot => Some(outcome.clone().unwrap()),
                _ => None,
            });
            let records = rig.read_all(slot, info.start, info.end);
            let last = headers(&records).iter().rev().find(|h| h.has_producer_id()).map(|h| h.base_sequence);
            let (code, again) = rig.append(slot, numbered(last.unwrap_or(0)));
            let cut = (info.cut_bytes, info.recovered_segments);
            (info.start, info.end, info.bytes_end as i64, cut.0, cut.1, records, (code, again.duplicate))
        })
        .collect();
    rig.engine.stop();
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn logs_recovered_side_by_side_are_what_they_are_one_by_one(
        steps in prop::collection::vec((0..LOGS, 1..24u8, prop::bool::weighted(0.2)), 1..40),
        seed in any::<u64>(),
    ) {
        let image = written(&steps).crash(seed, Keep::Torn);
        let one_by_one = found(&image.fork(), true);
        let side_by_side = found(&image.fork(), false);
        for (one, other) in one_by_one.iter().zip(&side_by_side) {
            prop_assert_eq!(one, other);
            let has_producer = headers(&one.5).iter().any(|header| header.has_producer_id());
            prop_assert_eq!(&one.6, &(Code::Ok, has_producer), "its last batch is known again");
        }
    }
}

#[test]
fn logs_that_are_deleted_together_share_the_sync_of_their_names() {
    let vfs = MemoryVfs::new();
    let rig = Rig::manual();
    let directory = rig.directory("/data", VfsKind::Memory(vfs.clone())).id;
    for slot in 0..LOGS {
        rig.open(directory, slot, &format!("t-{slot}"), config(), false).unwrap();
    }
    vfs.watch();
    rig.engine.submit((0..LOGS).map(|slot| Command::Delete { log: log(slot), ticket: 1000 + slot }).collect());
    rig.settle();
    for slot in 0..LOGS {
        let outcome = rig.wait(|completion| match completion {
            Completion::Answered { ticket, outcome } if *ticket == 1000 + slot => Some(outcome.clone()),
            _ => None,
        });
        assert!(outcome.is_ok());
    }
    assert_eq!(vfs.count(Operation::SyncFolder), 1);
    let left = vfs.list("/data").unwrap().into_iter().filter(|entry| entry.folder).count();
    assert_eq!(left, 0);
}
