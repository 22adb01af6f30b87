//! What a power cut can leave of records that were cut before it, where the cut was at the end of a segment and the
//! next one had begun: index files of longer ago. Found by enumerating crash images.

mod common;

use common::*;
use odradek_engine::batch::{BatchBuilder, attributes, marker};
use odradek_engine::command::*;
use odradek_engine::config::{Flush, LogConfig};
use odradek_engine::error::Code;
use odradek_engine::vfs::{Keep, MemoryVfs, VfsKind};
use std::sync::{Arc, Mutex};

const PRODUCER: i64 = 7;

fn config() -> LogConfig {
    LogConfig { flush: Flush::Os, index_interval_bytes: 100, ..LogConfig::default() }
}

fn plain(at: i64) -> Vec<u8> {
    BatchBuilder::new().record(NOW + at, Some(b"key"), Some(&[b'v'; 60])).build()
}

fn send(rig: &Rig, batch: Vec<u8>, origin: Origin, now_ms: i64) {
    let ticket = rig.ticket();
    rig.submit(Command::Append {
        log: log(0),
        ticket,
        batch: batch.into(),
        leader_epoch: 0,
        origin,
        wake: Wake::Appended,
        transaction_version: if origin == Origin::Marker { 1 } else { 2 },
        now_ms,
        expected_base: -1,
    });
    let (code, info) = rig.appended(ticket);
    assert_eq!(code, Code::Ok, "{}", info.text);
}

/// Six records, then an aborted transaction of the records 6 to 8 with the largest timestamps, all of it synced with a
/// recovery point behind; cut at 8, and another segment begun there. Every image since the cut.
fn images() -> Vec<MemoryVfs> {
    let vfs = MemoryVfs::tracked();
    let rig = Rig::manual();
    let directory = rig.directory("/data", VfsKind::Memory(vfs.clone())).id;
    rig.open(directory, 0, "t-0", config(), false).unwrap();
    for at in 0..6 {
        send(&rig, plain(at), Origin::Client, NOW);
    }
    for sequence in 0..2 {
        let record = BatchBuilder::new().producer(PRODUCER, 0, sequence).attributes(attributes::TRANSACTIONAL);
        send(&rig, record.record(NOW + 10, Some(b"key"), None).build(), Origin::Client, NOW);
    }
    send(&rig, marker(PRODUCER, 0, false, 0, NOW + 61_000), Origin::Marker, NOW + 61_000);
    send(&rig, plain(62_000), Origin::Client, NOW + 123_000);
    rig.truncate(0, 8).unwrap();
    let images: Arc<Mutex<Vec<MemoryVfs>>> = Arc::default();
    let taken = images.clone();
    vfs.observe(move |fork| taken.lock().unwrap().push(fork.clone()));
    rig.answer(|ticket| Command::Roll { log: log(0), ticket, now_ms: NOW }).unwrap();
    send(&rig, plain(5), Origin::Client, NOW);
    rig.sync(0).unwrap();
    vfs.stop_observing();
    std::mem::take(&mut *images.lock().unwrap())
}

/// Opens what each power cut can leave.
fn each(check: impl Fn(&Rig, &OpenInfo, &str)) {
    for (number, image) in images().iter().enumerate() {
        let drawn = (0..40).flat_map(|seed| [Keep::Pages, Keep::Torn, Keep::Some].map(|keep| (keep, seed)));
        for (keep, seed) in [(Keep::None, 0), (Keep::All, 0)].into_iter().chain(drawn) {
            let rig = Rig::manual();
            let opened = rig.directory("/data", VfsKind::Memory(image.crash(seed, keep)));
            let info = rig.open(opened.id, 0, "t-0", config(), opened.clean).unwrap();
            assert!((8..=9).contains(&info.end), "{info:?}");
            check(&rig, &info, &format!("image {number}, {keep:?} {seed}: {info:?}"));
        }
    }
}

#[test]
fn the_largest_timestamp_is_found_when_power_fails_after_a_cut_at_the_end_of_a_segment() {
    each(|rig, info, what| {
        let lookup = Lookup::MaxTime;
        match rig.answer(|ticket| Command::Lookup { log: log(0), ticket, lookup, limit: info.end }).unwrap() {
            Answer::Found { offset, timestamp, .. } => assert_eq!((offset, timestamp), (6, NOW + 10), "{what}"),
            other => panic!("{what}: {other:?}"),
        }
    });
}

#[test]
fn a_transaction_whose_abort_was_cut_is_open_and_not_aborted_when_power_fails_afterwards() {
    each(|rig, info, what| {
        assert_eq!(info.oldest_open_transaction, 6, "{what}");
        let flags = ReadFlags { at_least_one: true, aborted_list: true, to_memory: true };
        let read = rig.read_with(0, 0, info.end, 1 << 20, flags, -1).unwrap();
        assert_eq!(read.aborted, [], "{what}");
    });
}
