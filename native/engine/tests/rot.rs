//! Files that decay, before a log is opened and while it is open: what is wrong is told with its place, what is right
//! is served. Damages by the thousand are in native/proof.

mod common;

use common::*;
use odradek_engine::batch::Header;
use odradek_engine::command::*;
use odradek_engine::config::LogConfig;
use odradek_engine::driver::Role;
use odradek_engine::error::Code;
use odradek_engine::vfs::{Keep, MemoryVfs, OpenMode, Vfs, VfsKind, read_file, write_all_at};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const FOLDER: &str = "/data/t-0";

/// Thirty batches of one record in some segments, closed clean.
fn closed() -> MemoryVfs {
    let vfs = MemoryVfs::tracked();
    let rig = Rig::manual();
    let directory = rig.directory("/data", VfsKind::Memory(vfs.clone())).id;
    rig.open(directory, 0, "t-0", small_segments(), false).unwrap();
    for mark in 0..30 {
        assert_eq!(rig.append(0, batch(1, 60, mark)).0, Code::Ok);
    }
    rig.close(0, true).unwrap();
    rig.engine.close_directory(directory, true, 1).unwrap();
    vfs.crash(0, Keep::None)
}

fn opened(vfs: &MemoryVfs) -> (Rig, Result<OpenInfo, Failure>) {
    let rig = Rig::manual();
    let directory = rig.directory("/data", VfsKind::Memory(vfs.clone()));
    let info = rig.open(directory.id, 0, "t-0", small_segments(), directory.clean);
    (rig, info)
}

/// Base offsets of the segments.
fn segments(vfs: &MemoryVfs) -> Vec<i64> {
    let names = vfs.list(FOLDER).unwrap();
    names.iter().filter_map(|entry| entry.name.strip_suffix(".log")?.parse().ok()).collect()
}

fn name(base: i64, suffix: &str) -> String {
    format!("{FOLDER}/{base:020}{suffix}")
}

fn flip(vfs: &MemoryVfs, file: &str, at: u64) {
    let file = vfs.open(file, OpenMode::Write).unwrap();
    let mut byte = [0];
    file.read_at(&mut byte, at).unwrap();
    write_all_at(&*file, &[byte[0] ^ 4], at).unwrap();
}

/// Position and header of each batch of a segment.
fn batches(vfs: &MemoryVfs, base: i64) -> Vec<(usize, Header)> {
    let bytes = read_file(vfs, &name(base, ".log")).unwrap().unwrap();
    let mut at = 0;
    std::iter::from_fn(|| {
        let header = Header::read(&bytes[at..])?;
        at += header.total_bytes();
        Some((at - header.total_bytes(), header))
    })
    .collect()
}

fn found(rig: &Rig, lookup: Lookup) -> (i64, i64) {
    match rig.answer(|ticket| Command::Lookup { log: log(0), ticket, lookup, limit: 30 }) {
        Ok(Answer::Found { offset, timestamp, .. }) => (offset, timestamp),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_batch_that_decayed_is_refused_by_file_and_byte_and_all_others_are_served() {
    let site = closed();
    let second = segments(&site)[1];
    let (at, bad) = batches(&site, second)[3];
    // Offset, length, leader epoch, magic, checksum, a field of the header, the record.
    for byte in [0, 7, 9, 13, 15, 16, 18, 26, 70] {
        let vfs = site.crash(0, Keep::All);
        flip(&vfs, &name(second, ".log"), at as u64 + byte);
        let (rig, info) = opened(&vfs);
        assert_eq!(info.unwrap().end, 30, "byte {byte}");
        let failure = rig.read(0, bad.base_offset, 30, 10_000).unwrap_err();
        assert_eq!(failure.code, Code::Corrupt, "byte {byte}: {}", failure.text);
        let place = format!("{} is damaged at byte {at}: ", name(second, ".log"));
        assert!(failure.text.starts_with(&place), "byte {byte}: {}", failure.text);
        let before = rig.read_all(0, 0, bad.base_offset);
        assert_eq!(headers(&before).len() as i64, bad.base_offset, "byte {byte}");
        let third = segments(&site)[2];
        assert_eq!(headers(&rig.read_all(0, third, 30)).len() as i64, 30 - third, "byte {byte}");
        // It takes appends all the same.
        assert_eq!(rig.append(0, batch(1, 60, 30)).1.base, 30);
    }
}

#[test]
fn an_index_that_decays_while_the_log_is_open_leads_nobody_astray() {
    let site = closed();
    let second = segments(&site)[1];
    for suffix in [".index", ".timeindex"] {
        let length = read_file(&site, &name(second, suffix)).unwrap().unwrap().len() as u64;
        assert!(length > 0, "{suffix} has no entries");
        for at in 0..length {
            let vfs = site.crash(0, Keep::All);
            let (rig, info) = opened(&vfs);
            info.unwrap();
            flip(&vfs, &name(second, suffix), at);
            for (_, header) in batches(&site, second) {
                let bytes = memory(&rig.read(0, header.base_offset, 30, 1).unwrap());
                assert_eq!(last_header(&bytes).base_offset, header.base_offset, "{suffix} byte {at}");
                let lookup = Lookup::Time { timestamp: header.max_timestamp };
                let due = (header.base_offset, header.max_timestamp);
                assert_eq!(found(&rig, lookup), due, "{suffix} byte {at}");
            }
        }
    }
}

#[test]
fn an_index_that_decayed_before_the_log_is_opened_is_built_anew() {
    let site = closed();
    let second = segments(&site)[1];
    for suffix in [".index", ".timeindex"] {
        let sound = read_file(&site, &name(second, suffix)).unwrap().unwrap();
        for at in 0..sound.len() as u64 {
            let vfs = site.crash(0, Keep::All);
            flip(&vfs, &name(second, suffix), at);
            let (rig, info) = opened(&vfs);
            assert_eq!(info.unwrap().end, 30);
            assert_eq!(found(&rig, Lookup::MaxTime), (29, NOW + 29), "{suffix} byte {at}");
            assert_eq!(read_file(&vfs, &name(second, suffix)).unwrap().unwrap(), sound, "{suffix} byte {at}");
        }
    }
}

#[test]
fn a_sealed_segment_that_lost_its_last_batches_takes_the_log_offline() {
    let site = closed();
    let second = segments(&site)[1];
    for (at, _) in batches(&site, second) {
        let vfs = site.crash(0, Keep::All);
        vfs.open(&name(second, ".log"), OpenMode::Write).unwrap().set_len(at as u64).unwrap();
        let failure = opened(&vfs).1.unwrap_err();
        assert_eq!(failure.code, Code::Damaged, "{}", failure.text);
        assert!(failure.text.contains(&name(second, ".log")), "{}", failure.text);
    }
}

#[test]
fn a_segment_that_was_sealed_after_its_sums_and_lost_its_last_batches_takes_the_log_offline() {
    let bases = segments(&closed());
    let vfs = MemoryVfs::tracked();
    let rig = Rig::manual();
    let directory = rig.directory("/data", VfsKind::Memory(vfs.clone())).id;
    rig.open(directory, 0, "t-0", small_segments(), false).unwrap();
    for mark in 0..=bases[2] as u64 {
        if mark == bases[2] as u64 {
            // The recovery point is where the next segment will begin.
            let look = |ticket| Command::Look { directory, ticket, now_ms: NOW, sweep: true };
            rig.answer(look).unwrap();
            rig.settle();
        }
        assert_eq!(rig.append(0, batch(1, 60, mark)).0, Code::Ok);
    }
    let site = vfs.crash(0, Keep::None);
    assert_eq!(segments(&site)[..3], bases[..3]);
    assert_eq!(opened(&site).1.unwrap().end, bases[2] + 1);
    let site = vfs.crash(0, Keep::None);
    let (at, _) = *batches(&site, bases[1]).last().unwrap();
    site.open(&name(bases[1], ".log"), OpenMode::Write).unwrap().set_len(at as u64).unwrap();
    assert_eq!(opened(&site).1.unwrap_err().code, Code::Damaged);
}

#[test]
fn a_length_that_decayed_right_below_the_recovery_point_cuts_nothing_behind_it() {
    let vfs = MemoryVfs::tracked();
    let rig = Rig::manual();
    let directory = rig.directory("/data", VfsKind::Memory(vfs.clone())).id;
    rig.open(directory, 0, "t-0", LogConfig::default(), false).unwrap();
    for mark in 0..6 {
        if mark == 3 {
            rig.answer(|ticket| Command::Look { directory, ticket, now_ms: NOW, sweep: true }).unwrap();
            rig.settle();
        }
        assert_eq!(rig.append(0, batch(1, 60, mark)).0, Code::Ok);
    }
    let site = vfs.crash(0, Keep::None);
    let (at, _) = batches(&site, 0)[2];
    // The last byte of its length.
    flip(&site, &name(0, ".log"), at as u64 + 11);
    let before = read_file(&site, &name(0, ".log")).unwrap();
    let failure = opened(&site).1.unwrap_err();
    assert_eq!(failure.code, Code::Damaged, "{}", failure.text);
    assert_eq!(read_file(&site, &name(0, ".log")).unwrap(), before);
}

#[test]
fn without_its_sums_a_log_opens_as_one_that_apache_kafka_wrote() {
    for decayed in [false, true] {
        let vfs = closed();
        let sums = format!("{FOLDER}/odradek-sums");
        if decayed {
            flip(&vfs, &sums, 40);
        } else {
            vfs.remove_file(&sums).unwrap();
        }
        let (rig, info) = opened(&vfs);
        assert_eq!(info.unwrap().end, 30);
        assert_eq!(headers(&rig.read_all(0, 0, 30)).len(), 30);
        assert_eq!(found(&rig, Lookup::MaxTime), (29, NOW + 29));
    }
}

#[test]
fn what_another_program_appended_meanwhile_is_no_decay() {
    let vfs = closed();
    let last = *segments(&vfs).last().unwrap();
    let sums = format!("{FOLDER}/odradek-sums");
    let kept = read_file(&vfs, &sums).unwrap().unwrap();
    // Another one appends, seals, and closes clean; it knows nothing of the sums.
    let (rig, _) = opened(&vfs);
    for mark in 30..50 {
        rig.append(0, batch(1, 60, mark));
    }
    rig.close(0, true).unwrap();
    rig.engine.close_directory(1, true, 1).unwrap();
    assert!(*segments(&vfs).last().unwrap() > last);
    write_all_at(&*vfs.open(&sums, OpenMode::Truncate).unwrap(), &kept, 0).unwrap();
    let (rig, info) = opened(&vfs);
    assert_eq!(info.unwrap().end, 50);
    assert_eq!(headers(&rig.read_all(0, 0, 50)).len(), 50);
    assert_eq!(found(&rig, Lookup::Time { timestamp: NOW + 7 }), (7, NOW + 7));
}

#[test]
fn what_comes_from_the_disk_again_is_checked_again() {
    let vfs = closed();
    let (rig, info) = opened(&vfs);
    info.unwrap();
    assert_eq!(headers(&rig.read_all(0, 0, 30)).len(), 30);
    let second = segments(&vfs)[1];
    let (at, bad) = batches(&vfs, second)[2];
    flip(&vfs, &name(second, ".log"), at as u64 + 70);
    // As long as the system's cache has it, what was checked is served as it was; the seed says that it has not.
    let refused = (0..64).any(|seed| {
        vfs.set_residency(seed);
        rig.read(0, bad.base_offset, 30, 1).is_err_and(|failure| failure.code == Code::Corrupt)
    });
    assert!(refused);
}

/// A Kafka that was killed before its first checkpoints leaves such files.
#[test]
fn empty_files_of_offsets_are_taken_from_kafka_and_not_from_us() {
    let vfs = MemoryVfs::new();
    let (starts, points) = ("/data/log-start-offset-checkpoint", "/data/recovery-point-offset-checkpoint");
    vfs.create_folders("/data").unwrap();
    for name in [starts, points, "/data/replication-offset-checkpoint"] {
        vfs.open(name, OpenMode::Create).unwrap();
    }
    let rig = Rig::manual();
    let directory = rig.directory("/data", VfsKind::Memory(vfs.clone())).id;
    rig.open(directory, 0, "t-0", small_segments(), false).unwrap();
    rig.close(0, true).unwrap();
    rig.engine.close_directory(directory, true, 1).unwrap();
    for name in [starts, points] {
        let emptied = vfs.fork();
        emptied.open(name, OpenMode::Truncate).unwrap();
        let failure = Rig::manual().engine.open_directory("/data", VfsKind::Memory(emptied)).unwrap_err();
        assert!(failure.code == Code::Damaged && failure.text.contains(name), "{failure:?}");
    }
}

/// The index files of the first segment, behind which there is a second one. `pauses`: the fifth append moves the
/// recovery point, and what comes behind it, a roll too, waits until the sync of that has done so many operations.
fn first_indexes(pauses: Option<usize>) -> Vec<Vec<u8>> {
    let vfs = MemoryVfs::tracked();
    let rig = Arc::new(Rig::manual());
    let directory = rig.directory("/data", VfsKind::Memory(vfs.clone())).id;
    rig.open(directory, 0, "t-0", small_segments(), false).unwrap();
    let append = |mark| {
        let now_ms = NOW + if mark == 4 && pauses.is_some() { 61_000 } else { 0 };
        rig.submit(append_at(0, rig.ticket(), batch(1, 60, mark), 0, now_ms));
    };
    (0..5).for_each(append);
    while rig.engine.step(Role::Lane) {}
    (5..9).for_each(append);
    let (left, paused) = (AtomicUsize::new(pauses.unwrap_or(0)), rig.clone());
    vfs.observe(move |_| {
        let before = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if before == Ok(1) {
            while paused.engine.step(Role::Lane) {}
        }
    });
    if pauses.is_none_or(|operations| operations == 0) {
        while rig.engine.step(Role::Lane) {}
    }
    while rig.engine.step(Role::Sync) {}
    vfs.stop_observing();
    rig.settle();
    assert_eq!(segments(&vfs).len(), 2);
    [".index", ".timeindex"].map(|suffix| read_file(&vfs, &name(0, suffix)).unwrap().unwrap()).to_vec()
}

#[test]
fn a_recovery_point_that_a_roll_overtakes_leaves_the_sealed_index_files_whole() {
    let due = first_indexes(None);
    for operations in 0..30 {
        assert_eq!(first_indexes(Some(operations)), due, "the roll comes after {operations} operations");
    }
}

#[test]
fn an_offset_that_decayed_to_one_behind_the_logs_end_is_refused_and_not_waited_for() {
    let vfs = closed();
    let last = segments(&vfs).pop().unwrap();
    let found = batches(&vfs, last);
    let (position, header) = found[found.len() - 2];
    flip(&vfs, &name(last, ".log"), position as u64 + 6);
    let (rig, info) = opened(&vfs);
    assert_eq!(info.unwrap().end, 30);
    let failure = rig.read(0, header.base_offset, 30, 1 << 20).unwrap_err();
    assert_eq!(failure.code, Code::Corrupt, "{failure:?}");
    assert!(failure.text.contains(&format!("{last:020}.log is damaged at byte {position}")), "{failure:?}");
    assert_eq!(headers(&memory(&rig.read(0, 29, 30, 1 << 20).unwrap()))[0].base_offset, 29);
}
