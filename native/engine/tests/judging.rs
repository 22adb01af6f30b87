//! Batches whose records take long to look at: other logs go on meanwhile, and what comes for theirs keeps its order.

mod common;

use common::*;
use odradek_engine::batch::{BatchBuilder, HEADER_BYTES, codec_bits};
use odradek_engine::codec::Deflater;
use odradek_engine::command::*;
use odradek_engine::config::{CompressionType, LogConfig};
use odradek_engine::driver::Role;
use odradek_engine::error::Code;
use odradek_engine::vfs::{MemoryVfs, VfsKind};

const BOMB: usize = 8 << 20;

/// One record of so many zeros, as few bytes.
fn packed(length: usize) -> Vec<u8> {
    packed_as(1, length)
}

/// The same, with a header that promises `count` records.
fn packed_as(count: i32, length: usize) -> Vec<u8> {
    let plain = BatchBuilder::new().record(NOW, Some(b"key"), Some(&vec![0; length])).build();
    let codec = CompressionType::Zstd { level: 1 };
    let mut deflater = Deflater::new(codec, usize::MAX).expect("a codec");
    deflater.write(&plain[HEADER_BYTES..]).expect("memory");
    let body = deflater.finish().expect("memory").expect("no limit");
    let mut batch = BatchBuilder::new();
    (batch.header.count, batch.header.last_offset_delta) = (count, count - 1);
    batch.header.base_timestamp = NOW;
    batch.header.max_timestamp = NOW;
    batch.header.attributes = codec_bits(codec);
    batch.raw(&body).build()
}

fn rig(logs: u32, config: &LogConfig) -> (Rig, MemoryVfs) {
    let vfs = MemoryVfs::tracked();
    let rig = Rig::manual();
    let directory = rig.directory("/data", VfsKind::Memory(vfs.clone())).id;
    for slot in 0..logs {
        rig.open(directory, slot, &format!("t-{slot}"), config.clone(), false).unwrap();
    }
    (rig, vfs)
}

/// Tickets of the appends that have an outcome, in the order in which they had it.
fn answered(rig: &Rig) -> Vec<u32> {
    rig.sink.all(|completion| match completion {
        Completion::Appended { ticket, .. } => Some(*ticket),
        _ => None,
    })
}

fn lane(rig: &Rig) {
    while rig.engine.step(Role::Lane) {}
}

#[test]
fn a_bomb_holds_up_its_own_log_and_no_other() {
    let (rig, _) = rig(2, &LogConfig::default());
    let first = rig.append_only(0, batch(1, 10, 0));
    let bomb = rig.append_only(0, packed(BOMB));
    let behind = rig.append_only(0, batch(1, 10, 1));
    let other = rig.append_only(1, batch(1, 10, 2));
    lane(&rig);
    assert_eq!(answered(&rig), [first, other], "the lane doesn't look at the bomb's records");
    let later = rig.append_only(0, batch(1, 10, 3));
    let other_again = rig.append_only(1, batch(1, 10, 4));
    lane(&rig);
    assert_eq!(answered(&rig), [first, other, other_again]);
    rig.settle();
    assert_eq!(answered(&rig), [first, other, other_again, bomb, behind, later]);
    for (ticket, base) in [(first, 0), (bomb, 1), (behind, 2), (later, 3)] {
        let (code, info) = rig.appended(ticket);
        assert_eq!((code, info.base), (Code::Ok, base));
    }
    assert_eq!(headers(&rig.read_all(0, 0, 4)).len(), 4);
}

#[test]
fn commands_behind_a_bomb_wait_for_it() {
    let (rig, _) = rig(1, &LogConfig::default());
    let ticket = |command: &dyn Fn(u32) -> Command| {
        let ticket = rig.ticket();
        rig.submit(command(ticket));
        ticket
    };
    let bomb = rig.append_only(0, packed(BOMB));
    let small = LogConfig { max_message_bytes: 100, ..LogConfig::default() };
    let configure =
        ticket(&|ticket| Command::Configure { log: log(0), ticket, config: Box::new(small.clone()), now_ms: NOW });
    let refused = rig.append_only(0, packed(BOMB));
    let second = rig.append_only(0, batch(1, 10, 0));
    let close = ticket(&|ticket| Command::Close { log: log(0), ticket, clean: true });
    let closed = rig.append_only(0, batch(1, 10, 0));
    lane(&rig);
    assert_eq!(answered(&rig), []);
    rig.settle();
    assert_eq!(rig.appended(bomb).0, Code::Ok, "by the rules that there were when it came");
    assert_eq!(rig.appended(refused).0, Code::TooLarge);
    assert_eq!(rig.appended(second).0, Code::Ok);
    assert_eq!(rig.appended(closed).0, Code::StaleLog);
    for asked in [configure, close] {
        let outcome = rig.sink.find(|completion| match completion {
            Completion::Answered { ticket, outcome } if *ticket == asked => Some(outcome.clone()),
            _ => None,
        });
        assert!(matches!(outcome, Some(Ok(_))), "{outcome:?}");
    }
}

#[test]
fn several_bombs_in_a_row_are_judged_one_after_another() {
    let (rig, _) = rig(1, &LogConfig::default());
    let tickets: Vec<u32> =
        (0..6u64).map(|n| rig.append_only(0, if n % 2 == 0 { packed(BOMB) } else { batch(1, 10, n) })).collect();
    rig.settle();
    assert_eq!(answered(&rig), tickets);
    for (base, ticket) in (0..).zip(&tickets) {
        assert_eq!(rig.appended(*ticket).1.base, base);
    }
}

#[test]
fn a_bomb_that_is_refused_lets_go_what_waited() {
    let (rig, _) = rig(1, &LogConfig::default());
    let refused = rig.append_only(0, packed_as(2, BOMB));
    let behind = rig.append_only(0, batch(1, 10, 0));
    rig.settle();
    assert_eq!(rig.appended(refused).0, Code::BadRecord);
    assert_eq!(rig.appended(behind).1.base, 0);
}

#[test]
fn what_takes_long_to_encode_anew_holds_up_nobody_else() {
    let level = CompressionType::Zstd { level: 19 };
    let (rig, _) = rig(2, &LogConfig { compression_type: level, ..LogConfig::default() });
    let large = rig.append_only(0, batch(1, 500_000, 0));
    let small = rig.append_only(1, batch(1, 1000, 1));
    lane(&rig);
    assert_eq!(answered(&rig), [small]);
    rig.settle();
    assert_eq!(rig.appended(large).0, Code::Ok);
}

#[test]
fn usual_batches_are_judged_at_once() {
    let (rig, _) = rig(1, &LogConfig::default());
    let tickets = [rig.append_only(0, packed(200_000)), rig.append_only(0, batch(10, 90_000, 0))];
    lane(&rig);
    assert_eq!(answered(&rig), tickets);
}

#[test]
fn threads_judge_bombs_beside_the_lane() {
    let rig = Rig::start(false);
    let directory = rig.directory("/data", VfsKind::Memory(MemoryVfs::tracked())).id;
    for slot in 0..2 {
        rig.open(directory, slot, &format!("t-{slot}"), LogConfig::default(), false).unwrap();
    }
    let bombs: Vec<u32> = (0..3).map(|_| rig.append_only(0, packed(BOMB * 4))).collect();
    let other = rig.append_only(1, batch(1, 10, 0));
    assert_eq!(rig.appended(other).0, Code::Ok);
    for (base, bomb) in (0..).zip(bombs) {
        assert_eq!(rig.appended(bomb).1.base, base);
    }
    rig.close(0, true).unwrap();
    rig.close(1, true).unwrap();
    rig.engine.close_directory(directory, true, -1).unwrap();
    rig.engine.stop();
}

#[test]
fn a_directory_that_closes_answers_what_waits_for_a_bomb() {
    let vfs = MemoryVfs::tracked();
    let rig = Rig::manual();
    let directory = rig.directory("/data", VfsKind::Memory(vfs)).id;
    rig.open(directory, 0, "t-0", LogConfig::default(), false).unwrap();
    let tickets = [rig.append_only(0, packed(BOMB)), rig.append_only(0, batch(1, 10, 0))];
    lane(&rig);
    let later = rig.append_only(0, batch(1, 10, 1));
    lane(&rig);
    assert_eq!(answered(&rig), []);
    rig.engine.close_directory(directory, false, -1).unwrap();
    rig.settle();
    for ticket in [tickets[1], later, tickets[0]] {
        assert_eq!(rig.appended(ticket).0, Code::StaleLog);
    }
}
