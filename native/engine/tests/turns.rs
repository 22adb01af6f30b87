//! The lane's threads take turns: one syncs what it wrote, another is the lane meanwhile; order and answers stay as
//! they are.

mod common;

use common::*;
use odradek_engine::command::*;
use odradek_engine::config::{Flush, LogConfig};
use odradek_engine::vfs::{MemoryVfs, Operation, VfsKind};

fn start(vfs: &MemoryVfs, logs: u32) -> (Rig, DirectoryId) {
    let rig = Rig::start(false);
    let directory = rig.directory("/data", VfsKind::Memory(vfs.clone())).id;
    let config = LogConfig { flush: Flush::Group, ..LogConfig::default() };
    for slot in 0..logs {
        rig.open(directory, slot, &format!("t-{slot}"), config.clone(), false).unwrap();
    }
    (rig, directory)
}

fn synced(rig: &Rig, slot: u32, end: i64) {
    rig.wait(|completion| match completion {
        Completion::Synced { log: of, synced_end } if *of == log(slot) && *synced_end >= end => Some(()),
        _ => None,
    });
}

#[test]
fn while_every_sync_waits_for_the_disk_appends_and_answers_go_on() {
    let vfs = MemoryVfs::new();
    let (rig, _) = start(&vfs, 8);
    for slot in 0..8 {
        let ticket = rig.ticket();
        rig.submit(append(slot, ticket, batch(1, 20, 1)));
        synced(&rig, slot, 1);
    }
    vfs.stall(Operation::SyncData);
    for round in 0..20 {
        for slot in 0..8 {
            let ticket = rig.ticket();
            rig.submit(append(slot, ticket, batch(1, 20, 2)));
            assert_eq!(rig.appended(ticket).1.end, 2 + round);
        }
        rig.answer(|ticket| Command::Lookup { log: log(0), ticket, lookup: Lookup::EpochEnd { epoch: 0 }, limit: 100 })
            .unwrap();
    }
    assert_eq!(rig.sink.synced(log(0)), 1);
    vfs.release(Operation::SyncData);
    for slot in 0..8 {
        synced(&rig, slot, 21);
    }
    rig.engine.stop();
}

#[test]
fn appends_of_one_log_keep_their_order_whichever_thread_is_the_lane() {
    let vfs = MemoryVfs::new();
    let (rig, _) = start(&vfs, 2);
    let tickets: Vec<u32> = (0..3000).map(|_| rig.ticket()).collect();
    for (at, ticket) in tickets.iter().enumerate() {
        rig.submit(append((at % 2) as u32, *ticket, batch(1, 20, at as u64)));
        if at % 7 == 0 {
            synced(&rig, (at % 2) as u32, at as i64 / 2 + 1);
        }
    }
    for (at, ticket) in tickets.iter().enumerate().rev() {
        assert_eq!(rig.appended(*ticket).1.end, at as i64 / 2 + 1);
    }
    for slot in 0..2 {
        synced(&rig, slot, 1500);
        let ends = rig.sink.all(|completion| match completion {
            Completion::Synced { log: of, synced_end } if *of == log(slot) => Some(*synced_end),
            _ => None,
        });
        assert!(ends.is_sorted(), "{ends:?}");
    }
    rig.engine.stop();
}

#[test]
fn a_directory_is_closed_only_when_the_lanes_own_sync_has_ended() {
    let vfs = MemoryVfs::new();
    let (rig, directory) = start(&vfs, 1);
    let ticket = rig.ticket();
    rig.submit(append(0, ticket, batch(1, 20, 1)));
    synced(&rig, 0, 1);
    vfs.stall(Operation::SyncData);
    let ticket = rig.ticket();
    rig.submit(append(0, ticket, batch(1, 20, 2)));
    rig.appended(ticket);
    let ticket = rig.ticket();
    rig.submit(Command::Close { log: log(0), ticket, clean: false });
    rig.wait(|completion| matches!(completion, Completion::Answered { ticket: of, .. } if *of == ticket).then_some(()));
    let engine = rig.engine.clone();
    let closing = std::thread::spawn(move || engine.close_directory(directory, false, -1));
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert!(!closing.is_finished());
    vfs.release(Operation::SyncData);
    closing.join().unwrap().unwrap();
    rig.engine.stop();
}
