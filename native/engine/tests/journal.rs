//! Many logs that share one sync through the directory's journal: power cuts at every operation, and failing syncs.
//! What was reported as synced is there, what was cut or deleted stays away, and a clean stop leaves no journal.

mod common;
#[path = "common/journaled.rs"]
mod journaled;

use common::*;
use journaled::*;
use odradek_engine::command::*;
use odradek_engine::config::LogConfig;
use odradek_engine::driver::Role;
use odradek_engine::error::Code;
use odradek_engine::vfs::{Keep, MemoryVfs, OpenMode, Operation, Vfs, VfsKind};
use std::sync::{Arc, Mutex};

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
