//! Compaction of a lent log: its owner appends while a pass runs and does its errands; given back, the lane does.

mod common;

use common::*;
use odradek_engine::batch::{HEADER_BYTES, Header};
use odradek_engine::command::*;
use odradek_engine::config::{Flush, LogConfig};
use odradek_engine::mapped::{MappedLog, Writer};
use odradek_engine::vfs::{MemoryVfs, Vfs, VfsKind};

const KEYS: usize = 7;

fn config() -> LogConfig {
    LogConfig {
        flush: Flush::Os,
        compacted: true,
        deletes: false,
        segment_bytes: 4_000,
        file_delete_delay_ms: 0,
        ..LogConfig::default()
    }
}

fn open(vfs: &MemoryVfs) -> (Rig, u32, MappedLog) {
    let rig = Rig::manual();
    let opened = rig.directory("/data", VfsKind::Memory(vfs.clone()));
    rig.open(opened.id, 0, "t-0", config(), opened.clean).unwrap();
    let log = MappedLog::take(&rig.engine, log(0), Writer::Chosen).unwrap();
    (rig, opened.id, log)
}

fn put(log: &mut MappedLog, from: usize, count: usize) {
    for index in from..from + count {
        let value = format!("{index}").repeat(20);
        log.append(Some(format!("key {}", index % KEYS).as_bytes()), Some(value.as_bytes()), NOW, NOW).unwrap();
    }
}

/// Offsets of the records.
fn offsets(log: &mut MappedLog) -> Vec<i64> {
    let (marks, mut found) = (log.marks(), Vec::new());
    let mut from = marks.start;
    while from < marks.end {
        let Some(bytes) = log.read(from, 1 << 20).unwrap() else { break };
        let mut at = 0;
        while at < bytes.len() {
            let header = Header::read(&bytes[at..]).unwrap();
            assert!(odradek_engine::batch::verify_crc(&bytes[at..at + header.total_bytes()]));
            assert!(header.total_bytes() > HEADER_BYTES || header.count == 0);
            found.extend((0..i64::from(header.count)).map(|at| header.base_offset + at));
            from = header.next_offset();
            at += header.total_bytes();
        }
    }
    found
}

fn request(ticket: u32) -> CleanLog {
    CleanLog {
        log: log(0),
        ticket,
        limit: i64::MAX,
        now_ms: NOW,
        map_bytes: 1 << 20,
        load_factor: 0.9,
        buffer_bytes: 1 << 16,
        bytes_per_second: 0.0,
    }
}

fn answered(rig: &Rig, ticket: u32) -> Result<Answer, Failure> {
    rig.wait(|completion| match completion {
        Completion::Answered { ticket: of, outcome } if *of == ticket => Some(outcome.clone()),
        _ => None,
    })
}

fn dirty_bytes(log: &mut MappedLog) -> u64 {
    match log.dirt(NOW).unwrap() {
        Answer::Dirt { dirty_bytes, .. } => dirty_bytes,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_pass_runs_while_the_owner_appends_and_leaves_the_newest_of_each_key() {
    let vfs = MemoryVfs::new();
    let (rig, directory, mut log) = open(&vfs);
    put(&mut log, 0, 300);
    log.sync_now().unwrap();
    rig.settle();
    assert!(dirty_bytes(&mut log) > 10_000);
    let before = log.marks().bytes;
    let mut ticket = rig.ticket();
    log.clean(request(ticket));
    let (mut errands, mut written) = (0, 300);
    let info = loop {
        assert!(matches!(answered(&rig, ticket), Ok(Answer::None)));
        put(&mut log, written, 1);
        written += 1;
        errands += 1;
        if let Some(outcome) = log.errand() {
            break outcome.unwrap();
        }
        put(&mut log, written, 1);
        written += 1;
        ticket = rig.ticket();
        log.go_on(ticket);
    };
    assert!(errands >= 3 && info.written_bytes > 0, "{errands} {info:?}");
    let found = offsets(&mut log);
    assert!(log.marks().bytes < before / 2 && found.len() < 100, "{found:?}");
    // What was not cleaned yet is all there, and each key.
    assert!((info.cleaned_to..written as i64).all(|offset| found.contains(&offset)));
    assert_eq!(log.marks().end, written as i64);
    assert!(dirty_bytes(&mut log) < 5_000, "one segment may have been sealed meanwhile");
    log.give_back();
    rig.settle();
    rig.answer(|ticket| Command::Close { log: common::log(0), ticket, clean: true }).unwrap();
    rig.settle();
    rig.engine.close_directory(directory, true, -1).unwrap();
    let (_rig, _, mut again) = open(&vfs);
    assert_eq!(offsets(&mut again), found);
}

#[test]
fn a_second_pass_is_refused_while_one_runs() {
    let (rig, _, mut log) = open(&MemoryVfs::new());
    put(&mut log, 0, 100);
    let (first, second) = (rig.ticket(), rig.ticket());
    log.clean(request(first));
    log.clean(request(second));
    assert_eq!(answered(&rig, second).unwrap_err().code, odradek_engine::error::Code::Locked);
}

#[test]
fn a_log_that_is_given_back_in_a_pass_is_closed_and_has_no_leftovers() {
    for errands in 0..3 {
        let vfs = MemoryVfs::new();
        let (rig, directory, mut log) = open(&vfs);
        put(&mut log, 0, 300);
        log.sync_now().unwrap();
        rig.settle();
        let mut ticket = rig.ticket();
        log.clean(request(ticket));
        for _ in 0..errands {
            answered(&rig, ticket).unwrap();
            assert!(log.errand().is_none());
            ticket = rig.ticket();
            log.go_on(ticket);
        }
        // Before the pass has come again, and after.
        if errands % 2 == 1 {
            rig.settle();
        }
        let before = offsets(&mut log);
        log.give_back();
        rig.answer(|ticket| Command::Close { log: common::log(0), ticket, clean: true }).unwrap();
        rig.settle();
        rig.engine.close_directory(directory, true, -1).unwrap();
        let (_rig, _, mut again) = open(&vfs);
        let after = offsets(&mut again);
        assert!(after.iter().all(|offset| before.contains(offset)), "{errands}");
        assert!(after.len() >= KEYS && after.last() == Some(&299), "{errands}: {after:?}");
        let names = vfs.list("/data/t-0").unwrap();
        assert!(
            names.iter().all(|entry| !entry.name.contains(".cleaned") && !entry.name.contains(".swap")),
            "{names:?}"
        );
    }
}
