//! Disks that fail: a sync that errors, a full disk, torn tails, damage. What each costs, and what must still work.

mod common;

use common::*;
use odradek_engine::batch::{BatchBuilder, Header};
use odradek_engine::command::*;
use odradek_engine::config::LogConfig;
use odradek_engine::driver::Role;
use odradek_engine::error::Code;
use odradek_engine::producer_state::ProducerStates;
use odradek_engine::vfs::{Keep, MemoryVfs, OpenMode, Operation, Vfs, VfsKind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

const EIO: i32 = 5;

fn rig_with_log(vfs: &MemoryVfs, config: LogConfig) -> (Rig, DirectoryId, OpenInfo) {
    let rig = Rig::manual();
    let opened = rig.directory("/data", VfsKind::Memory(vfs.clone()));
    let info = rig.open(opened.id, 0, "t-0", config, opened.clean).unwrap();
    (rig, opened.id, info)
}

fn failures(rig: &Rig) -> usize {
    rig.sink.all(|completion| matches!(completion, Completion::DirectoryFailed { .. }).then_some(())).len()
}

#[test]
fn a_failed_sync_takes_the_directory_offline_and_is_never_retried() {
    let vfs = MemoryVfs::tracked();
    let (rig, directory, _) = rig_with_log(&vfs, LogConfig::default());
    rig.append(0, batch(1, 10, 0));
    assert_eq!(rig.sink.synced(log(0)), 1);
    vfs.fail(Operation::SyncData, 1, EIO);
    assert_eq!(rig.append(0, batch(1, 10, 1)).0, Code::Ok);
    assert_eq!(rig.sink.synced(log(0)), 1, "what a failed sync covered is not reported");
    assert_eq!(failures(&rig), 1);
    let syncs = vfs.count(Operation::SyncData);
    let writes = vfs.count(Operation::Write);
    assert_eq!(rig.append(0, batch(1, 10, 2)).0, Code::DirectoryOffline);
    assert_eq!(rig.sync(0).unwrap_err().code, Code::DirectoryOffline);
    assert_eq!(rig.truncate(0, 0).unwrap_err().code, Code::DirectoryOffline);
    assert_eq!(rig.read(0, 0, 1, 100).unwrap_err().code, Code::DirectoryOffline);
    let write = |ticket| Command::WriteFile { directory, ticket, path: "f".to_string(), content: Default::default() };
    assert_eq!(rig.answer(write).unwrap_err().code, Code::DirectoryOffline);
    assert!(!rig.engine.flush_all(100));
    assert_eq!(
        (vfs.count(Operation::SyncData), vfs.count(Operation::Write)),
        (syncs, writes),
        "the disk is left alone"
    );
    assert_eq!(failures(&rig), 1, "said once");
    let urgent = rig.sink.completions.lock().unwrap().iter().any(|(completion, urgent)| {
        matches!(completion, Completion::DirectoryFailed { code: Code::DirectoryOffline, errno: EIO, .. }) && *urgent
    });
    assert!(urgent);
    assert_eq!(rig.close(0, true).unwrap_err().code, Code::DirectoryOffline);
    assert!(rig.engine.close_directory(directory, true, 1).is_err());
    // After a crash only what was reported is there.
    let (_, _, info) = rig_with_log(&vfs.crash(1, Keep::None), LogConfig::default());
    assert_eq!(info.end, 1);
}

/// The machine goes on, so the system's cache has what the disk never got.
#[test]
fn what_only_the_cache_kept_after_a_failed_sync_is_on_disk_when_it_is_told_of() {
    let vfs = MemoryVfs::tracked();
    let (rig, directory, _) = rig_with_log(&vfs, LogConfig::default());
    rig.append(0, batch(1, 10, 0));
    vfs.fail(Operation::SyncData, 1, EIO);
    rig.append(0, batch(1, 10, 1));
    assert!(rig.engine.close_directory(directory, false, 1).is_err());
    let (rig, directory, info) = rig_with_log(&vfs, LogConfig::default());
    assert_eq!((info.end, info.synced_end), (2, 2));
    rig.append(0, batch(1, 10, 2));
    assert_eq!(rig.sink.synced(log(0)), 3);
    let (_, _, info) = rig_with_log(&vfs.crash(1, Keep::None), LogConfig::default());
    assert_eq!(info.end, 3, "what was reported as synced is there after a power cut");
    rig.close(0, true).unwrap();
    rig.engine.close_directory(directory, true, 1).unwrap();
    let files = || vfs.list("/data").unwrap().into_iter().filter(|entry| !entry.folder).map(|entry| entry.name);
    assert!(!files().any(|name| name == ".odradek-failed"), "{:?}", files().collect::<Vec<_>>());
}

#[test]
fn a_folder_that_a_killed_process_left_unsynced_outlives_a_power_cut() {
    let vfs = MemoryVfs::tracked();
    let rig = Rig::manual();
    let opened = rig.directory("/data", VfsKind::Memory(vfs.clone()));
    let before = Arc::new(Mutex::new(vfs.fork()));
    let last = before.clone();
    vfs.observe(move |image| *last.lock().unwrap() = image.fork());
    rig.open(opened.id, 0, "t-0", LogConfig::default(), false).unwrap();
    vfs.stop_observing();
    // All was done but the last sync, that of the folder's name.
    let left = before.lock().unwrap().fork();
    let (rig, _, info) = rig_with_log(&left, LogConfig::default());
    assert!(!info.created);
    rig.append(0, batch(1, 10, 0));
    assert_eq!(rig.sink.synced(log(0)), 1);
    let (_, _, info) = rig_with_log(&left.crash(1, Keep::None), LogConfig::default());
    assert_eq!(info.end, 1);
}

#[test]
fn every_failed_sync_of_a_script_is_reported_and_acknowledges_nothing() {
    for operation in [Operation::SyncData, Operation::SyncFolder, Operation::Rename] {
        for nth in 1.. {
            let vfs = MemoryVfs::tracked();
            let rig = Rig::manual();
            let opened = rig.directory("/data", VfsKind::Memory(vfs.clone()));
            vfs.fail(operation, nth, EIO);
            let mut failed = rig.open(opened.id, 0, "t-0", small_segments(), false).is_err();
            for n in 0..12 {
                let ticket = rig.ticket();
                rig.submit(append_at(0, ticket, batch(2, 80, n), 0, NOW + n as i64 * 30_000));
                failed |= rig.appended(ticket).0 != Code::Ok;
            }
            failed |= rig.truncate(0, 10).is_err();
            failed |= rig.close(0, true).is_err();
            failed |= rig.engine.close_directory(opened.id, true, 1).is_err();
            let synced = rig.sink.synced(log(0));
            if !failed && failures(&rig) == 0 {
                assert!(nth > 5, "{operation:?} number {nth} was not reached");
                break;
            }
            let (_, _, info) = rig_with_log(&vfs.crash(nth, Keep::None), small_segments());
            let kept = if rig
                .sink
                .all(|completion| {
                    matches!(completion, Completion::Answered { outcome: Ok(Answer::Marks { .. }), .. }).then_some(())
                })
                .is_empty()
            {
                synced.min(10)
            } else {
                10
            };
            assert!(info.end >= kept, "{operation:?} {nth}: {} is there, {kept} was reported", info.end);
        }
    }
}

#[test]
fn a_full_disk_refuses_the_append_and_the_log_goes_on_when_there_is_room() {
    let vfs = MemoryVfs::tracked();
    let (rig, _, _) = rig_with_log(&vfs, LogConfig::default());
    rig.append(0, batch(1, 10, 0));
    vfs.set_capacity(vfs.used() + 500);
    let (code, info) = rig.append(0, batch(1, 1000, 1));
    assert_eq!(code, Code::NoSpace);
    assert!(info.text.contains("t-0"), "{}", info.text);
    assert_eq!(rig.append(0, batch(1, 10, 2)).1.base, 1, "what fits is taken");
    assert_eq!(failures(&rig), 0);
    vfs.set_capacity(u64::MAX);
    let (code, info) = rig.append(0, batch(1, 1000, 3));
    assert_eq!((code, info.base), (Code::Ok, 2));
    assert_eq!(rig.sink.synced(log(0)), 3);
    assert_eq!(headers(&rig.read_all(0, 0, 3)).len(), 3);
    let (_, _, info) = rig_with_log(&vfs.crash(1, Keep::None), LogConfig::default());
    assert_eq!(info.end, 3);
}

#[test]
fn a_full_disk_at_every_byte_leaves_a_log_that_goes_on() {
    for room in (0..900).step_by(13) {
        let vfs = MemoryVfs::tracked();
        let (rig, directory, _) = rig_with_log(&vfs, small_segments());
        vfs.set_capacity(vfs.used() + room);
        let mut end = 0;
        for n in 0..12 {
            let ticket = rig.ticket();
            rig.submit(append_at(0, ticket, batch(1, 100, n), 0, NOW + n as i64 * 30_000));
            match rig.appended(ticket) {
                (Code::Ok, info) => {
                    assert_eq!(info.base, end);
                    end = info.end;
                }
                (code, info) => assert_eq!(code, Code::NoSpace, "{}", info.text),
            }
        }
        assert_eq!(failures(&rig), 0, "with room for {room} bytes");
        let files = vfs.list("/data/t-0").unwrap().into_iter().filter(|entry| entry.name.ends_with(".log"));
        let length = |name: String| vfs.open(&format!("/data/t-0/{name}"), OpenMode::Read).unwrap().len().unwrap();
        let bytes: u64 = files.map(|entry| length(entry.name)).sum();
        assert_eq!(bytes, batch(1, 100, 0).len() as u64 * end as u64, "what did not fit is cut back");
        assert_eq!(rig.sink.synced(log(0)).max(0), end);
        vfs.set_capacity(u64::MAX);
        assert_eq!(rig.append(0, batch(1, 100, 50)).1.base, end);
        rig.close(0, true).unwrap();
        rig.engine.close_directory(directory, true, 1).unwrap();
        let (rig, _, info) = rig_with_log(&vfs.crash(1, Keep::None), small_segments());
        assert_eq!(info.end, end + 1);
        assert_eq!(headers(&rig.read_all(0, 0, end + 1)).len() as i64, end + 1);
    }
}

#[test]
fn a_write_that_fails_for_another_reason_takes_the_directory_offline() {
    let vfs = MemoryVfs::tracked();
    let (rig, _, _) = rig_with_log(&vfs, LogConfig::default());
    vfs.fail(Operation::Write, 1, EIO);
    assert_eq!(rig.append(0, batch(1, 10, 0)).0, Code::DirectoryOffline);
    assert_eq!(failures(&rig), 1);
}

/// A log of 6 batches, not closed; its file's length and where its last batch begins.
fn torn(vfs: &MemoryVfs) -> (u64, u64) {
    let (rig, _, _) = rig_with_log(vfs, LogConfig::default());
    let mut starts = Vec::new();
    for n in 0..6 {
        let file = vfs.open("/data/t-0/00000000000000000000.log", OpenMode::Read);
        starts.push(file.map_or(0, |file| file.len().unwrap()));
        rig.append(0, batch(2, 30, n));
    }
    let length = vfs.open("/data/t-0/00000000000000000000.log", OpenMode::Read).unwrap().len().unwrap();
    (length, *starts.last().unwrap())
}

#[test]
fn a_tail_torn_or_flipped_at_any_byte_of_the_last_batch_is_cut_there() {
    let vfs = MemoryVfs::tracked();
    let (length, last) = torn(&vfs);
    for at in last..length {
        for flip in [false, true] {
            let image = vfs.crash(0, Keep::All);
            let file = image.open("/data/t-0/00000000000000000000.log", OpenMode::Write).unwrap();
            if flip {
                let mut byte = [0];
                file.read_at(&mut byte, at).unwrap();
                // The leader epoch stands outside the checksum: any later one is as good.
                if (last + 12..last + 16).contains(&at) {
                    continue;
                }
                file.write_at(&[std::io::IoSlice::new(&[byte[0] ^ 0x10])], at).unwrap();
            } else {
                file.set_len(at).unwrap();
            }
            let (rig, _, info) = rig_with_log(&image, LogConfig::default());
            // An offset outside the checksum may come out later than it was, never earlier.
            if flip && at < last + 8 && info.end != 10 {
                continue;
            }
            assert_eq!((info.end, info.recovered_segments), (10, 1), "byte {at}, flip {flip}");
            assert_eq!(info.cut_bytes, if flip { length - last } else { at - last });
            assert_eq!(info.cut_records, 0);
            assert_eq!(rig.append(0, batch(1, 10, 9)).1.base, 10);
        }
    }
}

#[test]
fn zeros_behind_the_last_batch_are_cut() {
    for zeros in [1u64, 12, 61, 4096, 100_000] {
        let vfs = MemoryVfs::tracked();
        let (length, _) = torn(&vfs);
        let image = vfs.crash(0, Keep::All);
        let file = image.open("/data/t-0/00000000000000000000.log", OpenMode::Write).unwrap();
        file.set_len(length + zeros).unwrap();
        let (_, _, info) = rig_with_log(&image, LogConfig::default());
        assert_eq!((info.end, info.cut_bytes, info.cut_records), (12, zeros, 0));
    }
}

#[test]
fn whole_batches_behind_a_torn_one_are_kept_beside_the_segment() {
    let vfs = MemoryVfs::tracked();
    let (length, _) = torn(&vfs);
    let image = vfs.crash(0, Keep::All);
    let file = image.open("/data/t-0/00000000000000000000.log", OpenMode::Write).unwrap();
    let mut byte = [0];
    file.read_at(&mut byte, 70).unwrap();
    file.write_at(&[std::io::IoSlice::new(&[byte[0] ^ 1])], 70).unwrap();
    let (_, _, info) = rig_with_log(&image, LogConfig::default());
    assert_eq!((info.end, info.cut_bytes, info.cut_records), (0, length, 10));
    let kept = image.open("/data/t-0/00000000000000000000.log.0.odradek-cut", OpenMode::Read).unwrap();
    assert_eq!(kept.len().unwrap(), length);
}

#[test]
fn damage_below_the_recovery_point_cuts_nothing_and_names_file_and_byte() {
    let vfs = MemoryVfs::tracked();
    let (rig, directory, _) = rig_with_log(&vfs, LogConfig::default());
    for n in 0..6 {
        let ticket = rig.ticket();
        rig.submit(append_at(0, ticket, batch(2, 30, n), 0, NOW + if n == 5 { 61_000 } else { 0 }));
        rig.appended(ticket);
    }
    rig.answer(|ticket| Command::Checkpoint { directory, ticket }).unwrap();
    let image = vfs.crash(0, Keep::None);
    let path = "/data/t-0/00000000000000000000.log";
    let file = image.open(path, OpenMode::Write).unwrap();
    let length = file.len().unwrap();
    file.set_len(length - 1).unwrap();
    let rig = Rig::manual();
    let opened = rig.directory("/data", VfsKind::Memory(image.clone()));
    let failure = rig.open(opened.id, 0, "t-0", LogConfig::default(), false).unwrap_err();
    assert_eq!(failure.code, Code::Damaged);
    assert!(failure.text.contains(path) && failure.text.contains("at byte "), "{}", failure.text);
    assert_eq!(image.open(path, OpenMode::Read).unwrap().len().unwrap(), length - 1, "nothing is cut");
    assert_eq!(failures(&rig), 0, "the other logs of the directory are served");
    assert!(rig.open(opened.id, 1, "u-0", LogConfig::default(), false).unwrap().created);
    image.open(path, OpenMode::Write).unwrap().set_len(0).unwrap();
    let failure = rig.open(opened.id, 2, "t-0", LogConfig::default(), false).unwrap_err();
    assert_eq!(failure.code, Code::Damaged, "{}", failure.text);
}

#[test]
fn bytes_behind_a_recovery_point_are_walked_from_there_alone() {
    let vfs = MemoryVfs::tracked();
    let (rig, directory, _) = rig_with_log(&vfs, small_segments());
    for n in 0..20 {
        let ticket = rig.ticket();
        rig.submit(append_at(0, ticket, batch(2, 60, n), 0, NOW + if n == 15 { 61_000 } else { 0 }));
        rig.appended(ticket);
    }
    rig.answer(|ticket| Command::Checkpoint { directory, ticket }).unwrap();
    let (_, _, info) = rig_with_log(&vfs.crash(0, Keep::None), small_segments());
    assert_eq!(info.end, 40);
    assert!(info.recovered_segments <= 2, "{} segments were walked", info.recovered_segments);
}

#[test]
fn an_index_that_is_missing_or_wrong_is_built_anew() {
    let base = MemoryVfs::tracked();
    let (rig, directory, _) = rig_with_log(&base, small_segments());
    for n in 0..20 {
        rig.append(0, batch(2, 60, n));
    }
    let want = rig.read_all(0, 0, 40);
    rig.close(0, true).unwrap();
    rig.engine.close_directory(directory, true, 1).unwrap();
    let names: Vec<String> = base.list("/data/t-0").unwrap().into_iter().map(|entry| entry.name).collect();
    let mut tried = 0;
    for name in
        names.iter().filter(|name| name.contains("index") || name.contains("snapshot") || name.contains("epoch"))
    {
        for harm in 0..4 {
            let image = base.crash(0, Keep::None);
            let path = format!("/data/t-0/{name}");
            match harm {
                0 => image.remove_file(&path).unwrap(),
                1 => image.open(&path, OpenMode::Write).unwrap().set_len(0).unwrap(),
                2 => {
                    drop(image.open(&path, OpenMode::Write).unwrap().write_at(&[std::io::IoSlice::new(&[0xff; 5])], 2))
                }
                _ => image.open(&path, OpenMode::Write).unwrap().set_len(1 << 20).unwrap(),
            }
            let (rig, _, info) = rig_with_log(&image, small_segments());
            assert_eq!(info.end, 40, "{name} {harm}");
            assert!(rig.read_all(0, 0, 40) == want, "{name} {harm}");
            for n in 0..20 {
                let found = rig.answer(|ticket| Command::Lookup {
                    log: log(0),
                    ticket,
                    lookup: Lookup::Time { timestamp: NOW + n },
                    limit: 40,
                });
                assert!(
                    matches!(found, Ok(Answer::Found { offset, .. }) if offset == n * 2),
                    "{name} {harm}: {found:?}"
                );
            }
            assert_eq!(info.latest_epoch, 0, "{name} {harm}");
            tried += 1;
        }
    }
    assert!(tried > 20);
}

#[test]
fn a_truncation_overtakes_a_sync_that_runs() {
    let vfs = MemoryVfs::tracked();
    let (rig, _, _) = rig_with_log(&vfs, LogConfig::default());
    for n in 0..4 {
        rig.append(0, batch(1, 10, n));
    }
    let ticket = rig.append_only(0, batch(1, 10, 4));
    while rig.engine.step(Role::Lane) {}
    rig.submit(Command::Truncate { log: log(0), ticket: 900, offset: 2, now_ms: NOW });
    while rig.engine.step(Role::Lane) {}
    rig.submit(append(0, 901, batch(1, 10, 5)));
    while rig.engine.step(Role::Lane) {}
    assert_eq!(rig.sink.synced(log(0)), 4);
    rig.settle();
    assert_eq!(rig.appended(ticket).1.base, 4);
    assert_eq!(rig.appended(901).1.base, 2);
    assert_eq!(rig.sink.synced(log(0)), 3);
}

#[test]
fn syncs_of_all_that_wait_are_one() {
    let vfs = MemoryVfs::tracked();
    let (rig, _, _) = rig_with_log(&vfs, LogConfig::default());
    rig.append(0, batch(1, 10, 0));
    vfs.watch();
    let commands = (0..100).map(|n| append(0, 1000 + n, batch(1, 10, n as u64))).collect();
    rig.engine.submit(commands);
    rig.settle();
    assert_eq!(rig.sink.synced(log(0)), 101);
    assert_eq!((vfs.count(Operation::Write), vfs.count(Operation::SyncData)), (1, 1));
}

#[test]
fn batches_that_a_producer_pipelines_are_written_together_and_a_gap_is_refused() {
    let vfs = MemoryVfs::tracked();
    let (rig, _, _) = rig_with_log(&vfs, LogConfig::default());
    rig.append(0, batch(1, 10, 0));
    vfs.watch();
    let send = |n: u32, sequence| {
        let batch = BatchBuilder::new().producer(5, 0, sequence).record(NOW, None, Some(b"value"));
        append(0, 100 + n, batch.build())
    };
    // In order; one sent twice; a gap; on after the gap was refused.
    let sequences = [0, 1, 2, 2, 3, 7, 4];
    rig.engine.submit(sequences.iter().enumerate().map(|(n, sequence)| send(n as u32, *sequence)).collect());
    let found: Vec<_> =
        (0..7).map(|n| rig.appended(100 + n)).map(|(code, info)| (code, info.base, info.duplicate)).collect();
    let fine = |base| (Code::Ok, base, false);
    let gap = (Code::OutOfOrderSequence, 0, false);
    assert_eq!(found, [fine(1), fine(2), fine(3), (Code::Ok, 3, true), fine(4), gap, fine(5)]);
    assert_eq!(vfs.count(Operation::Write), 3, "the first three in one write");
}

#[test]
fn a_stalled_sync_holds_back_its_acknowledgements_and_no_others() {
    let (slow, fast) = (MemoryVfs::new(), MemoryVfs::new());
    let rig = Rig::start(false);
    let first = rig.directory("/slow", VfsKind::Memory(slow.clone()));
    let second = rig.directory("/fast", VfsKind::Memory(fast));
    rig.open(first.id, 0, "t-0", LogConfig::default(), false).unwrap();
    rig.open(second.id, 1, "t-0", LogConfig::default(), false).unwrap();
    slow.stall(Operation::SyncData);
    assert_eq!(rig.append(0, batch(1, 10, 0)).0, Code::Ok);
    for n in 0..10 {
        rig.append(1, batch(1, 10, n));
    }
    rig.sync(1).unwrap();
    assert_eq!(rig.sink.synced(log(0)), -1);
    assert_eq!(rig.sink.synced(log(1)), 10);
    slow.release(Operation::SyncData);
    rig.sync(0).unwrap();
    assert_eq!(rig.sink.synced(log(0)), 1);
    rig.engine.stop();
}

#[test]
fn a_producer_snapshot_above_the_recovery_point_is_not_believed() {
    let vfs = MemoryVfs::tracked();
    let (rig, _, _) = rig_with_log(&vfs, LogConfig::default());
    let send = |rig: &Rig, sequence| {
        let batch = BatchBuilder::new().producer(5, 0, sequence).record(NOW, None, Some(b"value"));
        rig.append(0, batch.build())
    };
    for sequence in 0..3 {
        assert_eq!(send(&rig, sequence).0, Code::Ok);
    }
    let image = vfs.crash(0, Keep::None);
    // As a log that was cut below 3 and went on otherwise might have left it.
    let mut other = ProducerStates::new();
    let header = Header::read(&BatchBuilder::new().producer(5, 0, 700).record(NOW, None, None).build()).unwrap();
    other.apply(&header, &[]);
    let stale = image.open("/data/t-0/00000000000000000003.snapshot", OpenMode::Create).unwrap();
    stale.write_at(&[std::io::IoSlice::new(&other.encode_snapshot())], 0).unwrap();
    let (rig, _, info) = rig_with_log(&image, LogConfig::default());
    assert_eq!(info.end, 3);
    assert_eq!(send(&rig, 3).0, Code::Ok);
}

#[test]
fn a_panic_takes_the_directories_offline_and_is_told() {
    let vfs = MemoryVfs::tracked();
    let (rig, _, _) = rig_with_log(&vfs, LogConfig::default());
    let panicked = AtomicBool::new(false);
    vfs.observe(move |_| assert!(panicked.swap(true, Ordering::Relaxed), "on purpose"));
    rig.submit(append(0, 700, batch(1, 10, 0)));
    rig.settle();
    vfs.stop_observing();
    assert_eq!(failures(&rig), 1);
    let fatal = rig.sink.find(|completion| match completion {
        Completion::Fatal { text } => Some(text.clone()),
        _ => None,
    });
    assert!(fatal.is_some_and(|text| text.contains("on purpose")));
    assert_eq!(rig.append(0, batch(1, 10, 1)).0, Code::DirectoryOffline);
}

/// Another thread takes the log's sync at each moment of a truncation, and is done with it only after the next append.
#[test]
fn a_sync_that_outlasts_a_cut_counts_nothing_that_came_after_it() {
    for moment in 1.. {
        let vfs = MemoryVfs::tracked();
        let (rig, _, _) = rig_with_log(&vfs, LogConfig::default());
        for n in 0..3 {
            rig.append_only(0, batch(1, 10, n));
        }
        rig.engine.step(Role::Lane);
        let cut = rig.ticket();
        rig.submit(Command::Truncate { log: log(0), ticket: cut, offset: 1, now_ms: NOW });
        let lane = std::thread::current().id();
        let (enter, entered) = std::sync::mpsc::channel();
        let (leave, left) = std::sync::mpsc::channel::<()>();
        let (left, operations) = (Mutex::new(left), AtomicU64::new(0));
        let (syncing, engine) = (Arc::new(Mutex::new(None)), rig.engine.clone());
        let thread = syncing.clone();
        let (enter, entered) = (Mutex::new(enter), Mutex::new(entered));
        vfs.observe(move |_| {
            if std::thread::current().id() != lane {
                let _ = enter.lock().unwrap().send(());
                let _ = left.lock().unwrap().recv();
            } else if operations.fetch_add(1, Ordering::Relaxed) + 1 == moment {
                let engine = engine.clone();
                *thread.lock().unwrap() = Some(std::thread::spawn(move || assert!(engine.step(Role::Sync))));
                entered.lock().unwrap().recv().unwrap();
            }
        });
        rig.engine.step(Role::Lane);
        vfs.stop_observing();
        let Some(syncing) = syncing.lock().unwrap().take() else {
            assert!(moment > 2, "a truncation has more moments than {moment}");
            break;
        };
        let told = rig.sink.find(|completion| match completion {
            Completion::Answered { ticket, outcome: Ok(Answer::Marks { end, synced_end, .. }) } if *ticket == cut => {
                Some((*end, *synced_end))
            }
            _ => None,
        });
        assert_eq!(told, Some((1, 0)), "moment {moment}");
        rig.append_only(0, batch(1, 10, 9));
        rig.engine.step(Role::Lane);
        drop(leave);
        syncing.join().unwrap();
        assert_eq!(rig.sink.synced(log(0)), 1, "moment {moment}");
        rig.settle();
        assert_eq!(rig.sink.synced(log(0)), 2, "moment {moment}");
    }
}

/// The second of two used to wait for itself, and whoever asked for the directory afterwards for it.
#[test]
fn two_syncs_that_fail_at_once_take_the_directory_offline_once() {
    let vfs = MemoryVfs::tracked();
    let (rig, directory, _) = rig_with_log(&vfs, LogConfig::default());
    rig.open(directory, 1, "t-1", LogConfig::default(), false).unwrap();
    for slot in 0..2 {
        rig.append_only(slot, batch(1, 10, 0));
        vfs.fail_at(Operation::SyncData, &format!("t-{slot}"), 1, EIO);
    }
    while rig.engine.step(Role::Lane) {}
    let (engine, begun) = (rig.engine.clone(), AtomicBool::new(false));
    vfs.observe(move |_| {
        // The other one begins and ends while this one runs.
        if !begun.swap(true, Ordering::Relaxed) {
            let engine = engine.clone();
            std::thread::spawn(move || assert!(engine.step(Role::Sync))).join().unwrap();
        }
    });
    let (done, outcome) = std::sync::mpsc::channel();
    let engine = rig.engine.clone();
    std::thread::spawn(move || done.send(engine.step(Role::Sync)));
    assert_eq!(outcome.recv_timeout(std::time::Duration::from_secs(10)), Ok(true), "it comes to an end");
    vfs.stop_observing();
    assert_eq!(failures(&rig), 1);
    for slot in 0..2 {
        assert_eq!(rig.sync(slot).unwrap_err().code, Code::DirectoryOffline);
    }
}
