//! What a power cut can leave beside the segments: points of logs that are gone, snapshots without a segment, index
//! files longer than their entries. Each was found by enumerating crash images.

mod common;

use common::*;
use odradek_engine::batch::BatchBuilder;
use odradek_engine::command::*;
use odradek_engine::config::LogConfig;
use odradek_engine::error::Code;
use odradek_engine::vfs::{Keep, MemoryVfs, OpenMode, Vfs, VfsKind, read_file, remove_if_there, write_all_at};
use std::sync::{Arc, Mutex};

const FOLDER: &str = "/data/t-0";

fn put(vfs: &MemoryVfs, path: &str, bytes: &[u8]) {
    let file = vfs.open(path, OpenMode::Truncate).unwrap();
    write_all_at(&*file, bytes, 0).unwrap();
    file.sync_data().unwrap();
    vfs.sync_folder(path.rsplit_once('/').unwrap().0).unwrap();
}

fn observed(vfs: &MemoryVfs) -> Arc<Mutex<Vec<MemoryVfs>>> {
    let images = Arc::new(Mutex::new(Vec::new()));
    let taken = images.clone();
    vfs.observe(move |fork| taken.lock().unwrap().push(fork.clone()));
    images
}

#[test]
fn a_topic_made_again_after_its_deletion_was_cut_short_opens_after_every_power_cut() {
    let vfs = MemoryVfs::tracked();
    vfs.create_folders("/data").unwrap();
    put(&vfs, "/data/recovery-point-offset-checkpoint", b"0\n1\nt 0 11\n");
    let rig = Rig::manual();
    let directory = rig.directory("/data", VfsKind::Memory(vfs.clone())).id;
    let images = observed(&vfs);
    rig.open(directory, 0, "t-0", small_segments(), false).unwrap();
    vfs.stop_observing();
    for (number, image) in images.lock().unwrap().iter().enumerate() {
        for keep in [Keep::None, Keep::All, Keep::Some, Keep::Pages] {
            let rig = Rig::manual();
            let opened = rig.directory("/data", VfsKind::Memory(image.crash(number as u64, keep)));
            let info = rig.open(opened.id, 0, "t-0", small_segments(), false);
            assert_eq!(info.map(|info| info.end), Ok(0), "image {number} {keep:?}");
        }
    }
}

#[test]
fn a_topic_made_again_has_no_high_watermark_of_the_one_before_it() {
    let vfs = MemoryVfs::tracked();
    vfs.create_folders("/data").unwrap();
    put(&vfs, "/data/replication-offset-checkpoint", b"0\n1\nt 0 11\n");
    let rig = Rig::manual();
    let directory = rig.directory("/data", VfsKind::Memory(vfs.clone())).id;
    assert_eq!(rig.open(directory, 0, "t-0", small_segments(), false).unwrap().high_watermark, -1);
    let rig = Rig::manual();
    let directory = rig.directory("/data", VfsKind::Memory(vfs.crash(1, Keep::None))).id;
    assert_eq!(rig.open(directory, 0, "t-0", small_segments(), false).unwrap().high_watermark, -1);
}

#[test]
fn no_recovery_point_is_on_disk_before_the_start_that_lets_go_of_what_it_passes() {
    let vfs = MemoryVfs::tracked();
    let rig = Rig::manual();
    let directory = rig.directory("/data", VfsKind::Memory(vfs.clone())).id;
    let config = LogConfig { retention_ms: -1, ..small_segments() };
    rig.open(directory, 0, "t-0", config, false).unwrap();
    for mark in 0..5 {
        assert_eq!(rig.append(0, batch(1, 400, mark)).0, Code::Ok);
    }
    rig.submit(Command::SetMarks { log: log(0), high_watermark: 5 });
    let images = observed(&vfs);
    rig.answer(|ticket| Command::AdvanceStart { log: log(0), ticket, offset: 4, now_ms: NOW }).unwrap();
    vfs.stop_observing();
    let text = |image: &MemoryVfs, name: &str| {
        String::from_utf8(read_file(image, &format!("/data/{name}")).unwrap().unwrap_or_default()).unwrap()
    };
    let mut passed = 0;
    for image in images.lock().unwrap().iter() {
        let there = image.open("/data/t-0/00000000000000000000.log", OpenMode::Read).is_ok();
        if there && text(image, "recovery-point-offset-checkpoint").contains("t 0 5") {
            passed += 1;
            assert!(text(image, "log-start-offset-checkpoint").contains("t 0 4"));
        }
    }
    assert!(passed > 0, "a recovery point was written");
}

#[test]
fn producer_snapshots_without_a_segment_are_removed() {
    let vfs = MemoryVfs::tracked();
    vfs.create_folders(FOLDER).unwrap();
    put(&vfs, "/data/t-0/00000000000000000005.snapshot", b"of records that are gone");
    let rig = Rig::manual();
    let directory = rig.directory("/data", VfsKind::Memory(vfs.clone())).id;
    assert_eq!(rig.open(directory, 0, "t-0", small_segments(), false).unwrap().end, 0);
    let names: Vec<String> = vfs.list(FOLDER).unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["partition.metadata"]);
}

#[test]
fn index_files_longer_than_their_entries_are_built_anew() {
    let vfs = MemoryVfs::tracked();
    let rig = Rig::manual();
    let directory = rig.directory("/data", VfsKind::Memory(vfs.clone())).id;
    rig.open(directory, 0, "t-0", small_segments(), false).unwrap();
    for mark in 0..20 {
        rig.append(0, batch(1, 100, mark));
    }
    rig.close(0, true).unwrap();
    for name in ["00000000000000000000.index", "00000000000000000000.timeindex"] {
        let path = format!("{FOLDER}/{name}");
        let whole = read_file(&vfs, &path).unwrap().unwrap();
        assert!(!whole.is_empty());
        put(&vfs, &path, &[&whole[..], &[0; 24]].concat());
        // As Apache Kafka leaves a folder: nothing else tells.
        remove_if_there(&vfs, &format!("{FOLDER}/odradek-sums")).unwrap();
        let info = rig.open(directory, 0, "t-0", small_segments(), false).unwrap();
        assert_eq!(info.end, 20);
        assert_eq!(read_file(&vfs, &path).unwrap().unwrap(), whole, "{name}");
        rig.close(0, true).unwrap();
    }
}

#[test]
fn the_largest_timestamp_is_found_when_the_log_starts_inside_a_batch() {
    let vfs = MemoryVfs::tracked();
    let rig = Rig::manual();
    let directory = rig.directory("/data", VfsKind::Memory(vfs)).id;
    rig.open(directory, 0, "t-0", small_segments(), false).unwrap();
    let builder =
        [9, 3, 5].iter().fold(BatchBuilder::new(), |builder, at| builder.record(NOW + at, Some(b"key"), None));
    assert_eq!(rig.append(0, builder.build()).0, Code::Ok);
    rig.append(0, BatchBuilder::new().record(NOW + 4, Some(b"key"), None).build());
    rig.submit(Command::SetMarks { log: log(0), high_watermark: 4 });
    for (start, due) in [(0, (0, NOW + 9)), (1, (2, NOW + 5)), (3, (3, NOW + 4))] {
        rig.answer(|ticket| Command::AdvanceStart { log: log(0), ticket, offset: start, now_ms: NOW }).unwrap();
        let lookup = Lookup::MaxTime;
        match rig.answer(|ticket| Command::Lookup { log: log(0), ticket, lookup, limit: 4 }).unwrap() {
            Answer::Found { offset, timestamp, .. } => assert_eq!((offset, timestamp), due, "start {start}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn index_files_and_epochs_below_a_recovery_point_are_on_disk_themselves() {
    let vfs = MemoryVfs::tracked();
    let rig = Rig::manual();
    let directory = rig.directory("/data", VfsKind::Memory(vfs.clone())).id;
    rig.open(directory, 0, "t-0", small_segments(), false).unwrap();
    // A recovery point at the first append of each ten but the first.
    for mark in 0..21 {
        let epoch = mark / 7;
        let start = |ticket| Command::StartEpoch { log: log(0), ticket, epoch: epoch as i32, offset: mark };
        if mark % 7 == 0 {
            rig.answer(start).unwrap();
        }
        let now_ms = NOW + mark / 10 * 61_000;
        rig.submit(append_at(0, rig.ticket(), batch(1, 60, mark as u64), epoch as i32, now_ms));
        rig.settle();
    }
    let image = vfs.crash(0, Keep::None);
    let bytes = |vfs: &MemoryVfs, name: &str| read_file(vfs, &format!("{FOLDER}/{name}")).unwrap();
    let names = vfs.list(FOLDER).unwrap().into_iter().map(|entry| entry.name);
    let indexes: Vec<String> = names.filter(|name| name.ends_with("index")).collect();
    assert!(indexes.len() >= 4, "{indexes:?}");
    for name in indexes.iter().map(String::as_str).chain(["leader-epoch-checkpoint"]) {
        assert!(bytes(&vfs, name).is_some_and(|bytes| !bytes.is_empty()), "{name}");
        assert_eq!(bytes(&image, name), bytes(&vfs, name), "{name}");
    }
    assert_eq!(bytes(&image, "leader-epoch-checkpoint").unwrap(), b"0\n3\n0 0\n1 7\n2 14\n");
}
