//! Passes of compaction that something comes between: the log is cut, closed or deleted, a file is damaged, the disk
//! fails or has no room, or the power fails at any operation.

mod common;
#[path = "common/keyed.rs"]
mod keyed;

use common::*;
use keyed::*;
use odradek_engine::batch::Records;
use odradek_engine::command::*;
use odradek_engine::config::LogConfig;
use odradek_engine::error::Code;
use odradek_engine::vfs::{Keep, MemoryVfs, OpenMode, Operation, Vfs, VfsKind, write_all_at};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// Runs a pass up to its `steps`th step, and then whatever else is queued.
fn begin(world: &World, steps: usize) -> u32 {
    use odradek_engine::driver::Role;
    let ticket = world.rig.ticket();
    world.rig.submit(Command::Clean(Box::new(world.request(ticket, 1 << 20))));
    for _ in 0..steps {
        world.rig.engine.step(Role::Lane);
        world.rig.engine.step(Role::Background);
    }
    ticket
}

fn outcome(world: &World, ticket: u32) -> Result<CleanInfo, Failure> {
    world.rig.wait(|completion| match completion {
        Completion::Answered { ticket: of, outcome } if *of == ticket => {
            Some(outcome.clone().map(|answer| match answer {
                Answer::Cleaned(info) => info,
                other => panic!("{other:?}"),
            }))
        }
        _ => None,
    })
}

#[test]
fn whatever_happens_to_the_log_during_a_pass_leaves_it_whole() {
    for steps in (0..75).step_by(3) {
        let mut world = filled();
        world.try_clean(24).unwrap();
        let cut_to = world.end - 1;
        let ticket = begin(&world, steps);
        world.rig.truncate(0, cut_to).unwrap();
        world.records.retain(|offset, _| *offset < cut_to);
        world.end = cut_to;
        let cleaned = outcome(&world, ticket);
        assert!(cleaned.is_ok() || cleaned.clone().is_err_and(|failure| failure.code == Code::StaleLog), "{cleaned:?}");
        let left = world.vfs.list(FOLDER).unwrap();
        assert!(
            !left.iter().any(|entry| entry.name.ends_with(".cleaned") || entry.name.ends_with(".swap")),
            "{left:?}"
        );
        latest_are_there(&world, &read_log(&world.rig, 0, 0, world.end));
    }
}

#[test]
fn a_log_that_is_closed_or_deleted_during_a_pass_can_be_opened_again() {
    for steps in (0..75).step_by(3) {
        let mut world = filled();
        world.try_clean(24).unwrap();
        let ticket = begin(&world, steps);
        world.rig.close(0, steps % 2 == 0).unwrap();
        world.slot = 1;
        let info = world.rig.open(world.directory, 1, "t-0", config(), false).unwrap();
        assert_eq!(info.end, world.end);
        let _ = outcome(&world, ticket);
        latest_are_there(&world, &read_log(&world.rig, 1, 0, world.end));
        let ticket = begin(&world, steps);
        world.rig.answer(|ticket| Command::Delete { log: log(1), ticket }).unwrap();
        let _ = outcome(&world, ticket);
        assert!(world.rig.engine.directory_use(world.directory).is_ok(), "the directory is online");
    }
}

#[test]
fn a_pass_ends_when_its_log_is_not_compacted_any_more() {
    for steps in (0..75).step_by(3) {
        let world = filled();
        world.try_clean(24).unwrap();
        let ticket = begin(&world, steps);
        let deletes = Box::new(LogConfig { compacted: false, deletes: true, ..config() });
        world
            .rig
            .answer(|ticket| Command::Configure { log: log(0), ticket, config: deletes.clone(), now_ms: 0 })
            .unwrap();
        let bases = world.bases();
        let cleaned = outcome(&world, ticket);
        if let Err(failure) = &cleaned {
            assert_eq!(failure.code, Code::StaleLog, "{}", failure.text);
            assert_eq!(world.bases(), bases, "after {steps} steps nothing more is put in place");
        }
        assert!(cleaned.is_err() || steps > 12, "after {steps} steps the pass went on");
        let left = world.vfs.list(FOLDER).unwrap();
        assert!(
            !left.iter().any(|entry| entry.name.ends_with(".cleaned") || entry.name.ends_with(".swap")),
            "{left:?}"
        );
        latest_are_there(&world, &read_log(&world.rig, 0, 0, world.end));
        // And compacted again it goes on where it was.
        let compacts = Box::new(config());
        world
            .rig
            .answer(|ticket| Command::Configure { log: log(0), ticket, config: compacts.clone(), now_ms: 0 })
            .unwrap();
        assert!(world.try_clean(1 << 20).is_ok());
    }
}

#[test]
fn damage_in_a_sealed_segment_ends_the_pass_and_nothing_else() {
    let world = filled();
    world.try_clean(24).unwrap();
    let second = world.bases()[1];
    let file = world.vfs.open(&format!("{FOLDER}/{second:020}.log"), OpenMode::Write).unwrap();
    write_all_at(&*file, &[0xaa; 3], 70).unwrap();
    let failure = world.try_clean(1 << 20).unwrap_err();
    assert_eq!(failure.code, Code::Damaged);
    assert!(failure.text.contains(&format!("{second:020}.log can't be compacted at byte 0")), "{}", failure.text);
    let (code, _) = world.rig.append(0, batch(1, 10, 1));
    assert_eq!(code, Code::Ok);
    assert!(!world.vfs.list(FOLDER).unwrap().iter().any(|entry| entry.name.ends_with(".cleaned")));
}

#[test]
fn without_room_a_pass_is_refused_and_a_later_one_succeeds() {
    let mut world = filled();
    world.try_clean(24).unwrap();
    world.vfs.set_capacity(world.vfs.used() + 100);
    let failure = world.try_clean(1 << 20).unwrap_err();
    assert_eq!(failure.code, Code::NoSpace, "{}", failure.text);
    world.vfs.set_capacity(u64::MAX);
    assert!(world.clean(1 << 20).written_bytes > 0);
}

#[test]
fn a_failed_write_or_sync_of_a_pass_takes_the_directory_offline() {
    // A sync that found no room has lost what it covered, as any other that failed.
    let faults = [
        (Operation::Write, EIO),
        (Operation::SyncData, EIO),
        (Operation::SyncData, ENOSPC),
        (Operation::SyncFolder, EIO),
        (Operation::SyncFolder, ENOSPC),
        (Operation::Rename, EIO),
    ];
    for (operation, errno) in faults {
        for nth in 0..8 {
            let world = filled();
            world.try_clean(24).unwrap();
            world.vfs.fail(operation, nth + 1, errno);
            let Err(failure) = world.try_clean(1 << 20) else { continue };
            assert_eq!(failure.code, Code::DirectoryOffline, "{operation:?} {nth}: {}", failure.text);
            let (code, _) = world.rig.append(0, batch(1, 10, 1));
            assert_eq!(code, Code::DirectoryOffline);
        }
    }
}

/// The newest value of each key is there, and all that is there was written.
fn latest_are_there(world: &World, found: &[Record]) {
    let mut latest: BTreeMap<u8, &Record> = BTreeMap::new();
    for (record, _) in world.records.values().filter(|(_, fate)| *fate == Fate::Committed) {
        latest.insert(record.key, record);
    }
    for record in found {
        assert_eq!(Some(record), world.records.get(&record.offset).map(|(record, _)| record));
    }
    for record in latest.into_values().filter(|record| record.value.is_some()) {
        assert!(found.contains(record), "{record:?} is gone");
    }
    let deleted = found.iter().filter(|record| record.value.is_none()).count();
    assert!(deleted > 0, "tombstones within their horizon are there");
}

#[test]
fn power_cuts_at_every_operation_of_a_pass_leave_the_old_segments_or_the_new_one() {
    let world = filled();
    world.try_clean(24).unwrap();
    let images = Arc::new(Mutex::new(Vec::new()));
    let kept = images.clone();
    world.vfs.observe(move |fork| kept.lock().unwrap().push(fork.clone()));
    world.try_clean(1 << 20).unwrap();
    world.vfs.stop_observing();
    let images = images.lock().unwrap();
    assert!(images.len() > 30, "{}", images.len());
    let aborted: BTreeSet<(i64, i64)> = BTreeSet::from_iter(aborted_of(&world.rig, 0, world.end));
    let mut checked = 0;
    for (number, image) in images.iter().enumerate() {
        let seeds = (0..6).map(|n| (if n % 2 == 0 { Keep::Some } else { Keep::Torn }, number as u64 * 31 + n));
        for (keep, seed) in [(Keep::None, 0), (Keep::All, 0)].into_iter().chain(seeds) {
            let what = format!("image {number} of {}, {keep:?} {seed}", images.len());
            let crashed = image.crash(seed, keep);
            // Once more while that is put in order.
            let again = Arc::new(Mutex::new(Vec::new()));
            let kept = again.clone();
            if keep == Keep::All {
                crashed.observe(move |fork| kept.lock().unwrap().push(fork.clone()));
            }
            check_image(&world, crashed, &aborted, &what);
            checked += 1;
            for (second, image) in again.lock().unwrap().iter().enumerate() {
                check_image(
                    &world,
                    image.crash(second as u64, Keep::Some),
                    &aborted,
                    &format!("{what}, again {second}"),
                );
                checked += 1;
            }
        }
    }
    assert!(checked > 700, "{checked}");
}

fn aborted_of(rig: &Rig, slot: u32, end: i64) -> Vec<(i64, i64)> {
    let flags = ReadFlags { at_least_one: true, aborted_list: true, to_memory: true };
    let (mut from, mut all) = (0, Vec::new());
    while from < end {
        let info = rig.read_with(slot, from, end, 1 << 20, flags, -1).unwrap();
        all.extend(info.aborted.iter().copied());
        let bytes = memory(&info);
        if bytes.is_empty() {
            break;
        }
        from = last_header(&bytes).next_offset();
    }
    all
}

fn check_image(world: &World, image: MemoryVfs, aborted: &BTreeSet<(i64, i64)>, what: &str) {
    let rig = Rig::manual();
    let opened = rig.directory("/data", VfsKind::Memory(image.clone()));
    let info = match rig.open(opened.id, 0, "t-0", config(), opened.clean) {
        Ok(info) => info,
        Err(failure) => panic!("{what}: {failure:?}"),
    };
    image.stop_observing();
    assert_eq!((info.end, info.cut_bytes), (world.end, 0), "{what}");
    latest_are_there(world, &read_log(&rig, 0, 0, info.end));
    // An aborted transaction whose marker is there is told to readers, and no other.
    let mut expected = BTreeSet::new();
    let bytes = rig.read_all(0, 0, info.end);
    let mut at = 0;
    for header in headers(&bytes) {
        let batch = &bytes[at..at + header.total_bytes()];
        at += header.total_bytes();
        if header.is_transactional() && !header.is_control() && batch.len() > 61 {
            let first = Records::new(batch).unwrap().next().unwrap().unwrap().offset;
            if world.records[&first].1 == Fate::Aborted {
                expected.insert(header.producer_id);
            }
        }
    }
    let told: BTreeSet<(i64, i64)> = aborted_of(&rig, 0, info.end).into_iter().collect();
    assert!(told.iter().all(|one| aborted.contains(one) || world.records[&one.1].1 == Fate::Aborted), "{what}");
    if !expected.is_empty() {
        assert!(!told.is_empty(), "{what}: aborted records are there and nobody is told");
    }
    let names = image.list(FOLDER).unwrap();
    assert!(names.iter().all(|entry| !entry.name.ends_with(".cleaned") && !entry.name.ends_with(".swap")), "{what}");
    let (code, appended) = rig.append(0, batch(1, 20, 77));
    assert_eq!((code, appended.base), (Code::Ok, info.end), "{what}");
    for offset in (0..info.end).step_by(5) {
        let info = rig.read(0, offset, info.end, 10_000).unwrap();
        assert!(last_header(&memory(&info)).last_offset() >= offset, "{what}: offset {offset}");
    }
}
