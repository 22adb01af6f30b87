//! Every command and its refusals: what it answers, what it leaves, whom it wakes.

mod common;

use bytes::Bytes;
use common::*;
use odradek_engine::batch::{BatchBuilder, Header};
use odradek_engine::command::*;
use odradek_engine::config::{Flush, LogConfig};
use odradek_engine::driver::Role;
use odradek_engine::error::Code;
use odradek_engine::vfs::{Keep, MemoryVfs, OpenMode, Vfs, VfsKind, write_all_at};
use std::io::IoSlice;

fn rig(config: LogConfig) -> (Rig, MemoryVfs, DirectoryId) {
    let vfs = MemoryVfs::tracked();
    let rig = Rig::manual();
    let directory = rig.directory("/data", VfsKind::Memory(vfs.clone())).id;
    rig.open(directory, 0, "t-0", config, false).unwrap();
    (rig, vfs, directory)
}

fn send(rig: &Rig, change: impl FnOnce(&mut Pending)) -> (Code, AppendedInfo) {
    let mut pending = Pending { batch: batch(1, 10, 0), epoch: 0, origin: Origin::Client, now: NOW, expected: -1 };
    change(&mut pending);
    let ticket = rig.ticket();
    rig.submit(Command::Append {
        log: log(0),
        ticket,
        batch: Bytes::from(pending.batch),
        leader_epoch: pending.epoch,
        origin: pending.origin,
        wake: Wake::Never,
        transaction_version: -1,
        now_ms: pending.now,
        expected_base: pending.expected,
    });
    rig.appended(ticket)
}

struct Pending {
    batch: Vec<u8>,
    epoch: i32,
    origin: Origin,
    now: i64,
    expected: i64,
}

/// A batch as a leader has stored it.
fn stored(base: i64, epoch: i32, count: usize) -> Vec<u8> {
    let mut builder = BatchBuilder::new();
    builder.header.base_offset = base;
    builder.header.leader_epoch = epoch;
    for _ in 0..count {
        builder = builder.record(NOW, None, Some(b"value"));
    }
    builder.build()
}

#[test]
fn an_append_is_refused_by_its_reason_and_leaves_the_log_as_it_was() {
    let (rig, _, _) = rig(small_segments());
    assert_eq!(send(&rig, |_| {}).0, Code::Ok);
    assert_eq!(send(&rig, |one| one.expected = 5).0, Code::OffsetMismatch);
    assert_eq!(send(&rig, |one| one.expected = 1).1.base, 1);
    assert_eq!(send(&rig, |one| one.batch = batch(1, 2000, 0)).0, Code::LargerThanSegment);
    let (code, info) = send(&rig, |one| one.batch[70] ^= 1);
    assert_eq!(code, Code::Corrupt);
    assert!(!info.text.is_empty());
    assert_eq!(send(&rig, |one| one.epoch = 4).1.base, 2);
    assert_eq!(send(&rig, |one| one.epoch = 3).0, Code::EpochFenced);
    assert_eq!(send(&rig, |one| one.epoch = 4).1.base, 3);
}

#[test]
fn a_follower_keeps_the_leaders_offsets_and_epochs() {
    let (rig, _, _) = rig(small_segments());
    let copy = |base, epoch, under| {
        send(&rig, |one| (one.batch, one.origin, one.epoch) = (stored(base, epoch, 2), Origin::Replication, under))
    };
    assert_eq!(copy(100, 1, 1).1.base, 100);
    assert_eq!(copy(102, 2, 3).1.end, 104);
    assert_eq!(copy(110, 3, 3).1.base, 110, "compaction leaves gaps");
    assert_eq!(copy(111, 3, 3).0, Code::OffsetMismatch);
    assert_eq!(copy(112, 4, 3).0, Code::EpochFenced, "fetched under an older epoch");
    assert_eq!(copy(112, 2, 3).0, Code::EpochFenced, "older than the last");
    assert_eq!(copy(i64::from(i32::MAX) + 200, 3, 3).0, Code::Ok, "too far for the segment: it rolls");
    let found = headers(&rig.read_all(0, 100, i64::from(i32::MAX) + 202));
    assert_eq!(found.iter().map(|header| header.leader_epoch).collect::<Vec<_>>(), [1, 2, 3, 3]);
    assert_eq!(rig.read(0, 0, 200, 100).unwrap().first_offset, 100, "it may have been compacted from its start on");
    assert_eq!(rig.read(0, 105, 112, 100).unwrap().first_offset, 110, "a gap leads to what follows it");
}

#[test]
fn segments_roll_by_size_time_and_full_index() {
    let segments = |vfs: &MemoryVfs| vfs.list("/data/t-0").unwrap().iter().filter(|e| e.name.ends_with(".log")).count();
    let (by_size, vfs, _) = rig(LogConfig { segment_bytes: 400, ..LogConfig::default() });
    for n in 0..8 {
        by_size.append(0, batch(1, 100, n));
    }
    assert_eq!(segments(&vfs), 4);
    let (by_time, vfs, _) = rig(LogConfig { segment_ms: 1000, segment_jitter_ms: 100, ..LogConfig::default() });
    for n in [0, 900, 901, 1801] {
        by_time.append(0, batch(1, 10, n));
    }
    assert_eq!(segments(&vfs), 2, "the batches' own time counts, from the first of the segment");
    let index = LogConfig { segment_index_bytes: 32, index_interval_bytes: 1, ..LogConfig::default() };
    let (by_index, vfs, _) = rig(index);
    for n in 0..9 {
        by_index.append(0, batch(1, 10, n));
    }
    assert!(segments(&vfs) >= 3, "{}", segments(&vfs));
    assert_eq!(headers(&by_index.read_all(0, 0, 9)).len(), 9);
}

#[test]
fn a_reader_learns_where_it_diverged() {
    let (rig, _, _) = rig(LogConfig::default());
    for epoch in [0, 0, 2, 2, 5] {
        send(&rig, |one| one.epoch = epoch);
    }
    let read =
        |from, epoch| rig.read_with(0, from, 5, 1000, ReadFlags { at_least_one: true, ..ReadFlags::default() }, epoch);
    assert_eq!(read(2, 0).unwrap().diverging, None);
    assert_eq!(read(3, 0).unwrap().diverging, Some((0, 2)));
    assert_eq!(read(3, 1).unwrap().diverging, Some((0, 2)));
    assert_eq!(read(5, 5).unwrap().diverging, None);
    assert_eq!(read(5, 7).unwrap_err().code, Code::OutOfRange);
    let lookup = |epoch| {
        rig.answer(|ticket| Command::Lookup { log: log(0), ticket, lookup: Lookup::EpochEnd { epoch }, limit: 5 })
    };
    assert!(matches!(lookup(2), Ok(Answer::Found { offset: 4, epoch: 2, .. })));
    assert!(matches!(lookup(5), Ok(Answer::Found { offset: 5, epoch: 5, .. })));
    assert!(matches!(lookup(9), Ok(Answer::Found { offset: -1, epoch: -1, .. })));
    rig.answer(|ticket| Command::StartEpoch { log: log(0), ticket, epoch: 9, offset: 5 }).unwrap();
    assert!(matches!(lookup(5), Ok(Answer::Found { offset: 5, epoch: 5, .. })));
    let stale = rig.answer(|ticket| Command::StartEpoch { log: log(0), ticket, epoch: 3, offset: 5 });
    assert_eq!(stale.unwrap_err().code, Code::EpochFenced);
}

#[test]
fn a_hot_read_is_answered_before_submit_returns_and_a_cold_one_by_a_reader() {
    let (rig, vfs, directory) = rig(small_segments());
    for n in 0..20 {
        rig.append(0, batch(1, 100, n));
    }
    let read = |from| {
        let ticket = rig.ticket();
        let flags = ReadFlags { at_least_one: true, ..ReadFlags::default() };
        rig.submit(Command::Read {
            log: log(0),
            ticket,
            from,
            limit: 20,
            max_bytes: 100,
            last_fetched_epoch: -1,
            flags,
        });
        rig.sink.find(|completion| match completion {
            Completion::ReadDone { ticket: of, outcome, .. } if *of == ticket => Some(outcome.clone().unwrap().total),
            _ => None,
        })
    };
    assert!(read(19).is_some(), "the newest bytes, the index in memory");
    assert!(read(0).is_none(), "a sealed segment");
    assert!(rig.engine.step(Role::Read));
    rig.close(0, true).unwrap();
    rig.engine.close_directory(directory, true, 1).unwrap();
    let directory = rig.directory("/data", VfsKind::Memory(vfs.clone()));
    rig.open(directory.id, 0, "t-0", small_segments(), true).unwrap();
    vfs.set_residency(3);
    let inline = (0..40).filter(|_| (read(19).is_some(), rig.settle()).0).count();
    assert!((5..35).contains(&inline), "after a start the cache is asked: {inline} of 40");
}

#[test]
fn a_slice_outlives_the_deletion_of_its_log() {
    let (rig, vfs, _) = rig(LogConfig::default());
    rig.append(0, batch(3, 100, 0));
    let info = rig.read_with(0, 0, 3, 1000, ReadFlags { at_least_one: true, ..ReadFlags::default() }, -1).unwrap();
    let before = memory(&info);
    rig.answer(|ticket| Command::Delete { log: log(0), ticket }).unwrap();
    assert_eq!(rig.append(0, batch(1, 10, 0)).0, Code::StaleLog);
    assert_eq!(rig.read(0, 0, 3, 100).unwrap_err().code, Code::StaleLog);
    assert!(vfs.list("/data").unwrap().iter().all(|entry| !entry.folder), "nothing is left");
    assert_eq!(memory(&info), before);
}

#[test]
fn a_deletion_renames_at_once_and_is_finished_by_the_next_start() {
    let (rig, vfs, _) = rig(LogConfig::default());
    rig.append(0, batch(1, 10, 0));
    rig.submit(Command::Delete { log: log(0), ticket: 500 });
    rig.engine.step(Role::Lane);
    let names: Vec<String> = vfs.list("/data").unwrap().into_iter().filter(|e| e.folder).map(|e| e.name).collect();
    assert!(names.len() == 1 && names[0].starts_with("t-0.") && names[0].ends_with("-delete"), "{names:?}");
    let image = vfs.crash(0, Keep::All);
    let rig = Rig::manual();
    let opened = rig.directory("/data", VfsKind::Memory(image.clone()));
    assert_eq!(opened.folders, [] as [&str; 0]);
    rig.open(opened.id, 0, "u-0", LogConfig::default(), false).unwrap();
    rig.settle();
    rig.submit(Command::Delete { log: log(0), ticket: 501 });
    rig.settle();
    assert!(image.list("/data").unwrap().iter().all(|entry| !entry.folder));
}

#[test]
fn commands_for_a_log_that_opens_wait_for_it() {
    let vfs = MemoryVfs::tracked();
    let rig = Rig::manual();
    let directory = rig.directory("/data", VfsKind::Memory(vfs)).id;
    let open = Command::Open(Box::new(OpenLog {
        log: log(0),
        ticket: 1,
        directory,
        name: "t-0".to_string(),
        config: LogConfig::default(),
        topic_id: None,
        clean: false,
        must_exist: false,
        now_ms: NOW,
    }));
    rig.engine.submit(vec![open, append(0, 2, batch(1, 10, 0)), Command::Sync { log: log(0), ticket: 3 }]);
    rig.engine.submit(vec![Command::Close { log: log(0), ticket: 4, clean: true }]);
    rig.settle();
    assert_eq!(rig.appended(2).0, Code::Ok);
    let answers = rig.sink.all(|completion| match completion {
        Completion::Answered { ticket, outcome } => Some((*ticket, outcome.is_ok())),
        _ => None,
    });
    assert_eq!(answers, [(3, true), (4, true)]);
    assert_eq!(rig.append(0, batch(1, 10, 0)).0, Code::StaleLog);
}

#[test]
fn a_log_opens_under_its_own_topic_id_alone() {
    let (rig, vfs, directory) = rig(LogConfig::default());
    let metadata = vfs.open("/data/t-0/partition.metadata", OpenMode::Read).unwrap();
    let mut bytes = vec![0; metadata.len().unwrap() as usize];
    metadata.read_at(&mut bytes, 0).unwrap();
    assert_eq!(bytes, format!("version: 0\ntopic_id: {TOPIC_ID}").as_bytes());
    rig.close(0, true).unwrap();
    let open = |ticket, topic_id: Option<&str>, must_exist, name: &str| {
        rig.submit(Command::Open(Box::new(OpenLog {
            log: log(ticket),
            ticket,
            directory,
            name: name.to_string(),
            config: LogConfig::default(),
            topic_id: topic_id.map(str::to_string),
            clean: false,
            must_exist,
            now_ms: NOW,
        })));
        rig.wait(|completion| match completion {
            Completion::Opened { ticket: of, outcome, .. } if *of == ticket => {
                Some(outcome.as_ref().err().map(|f| f.code))
            }
            _ => None,
        })
    };
    assert_eq!(open(900, Some("BBBBBBBBBBBBBBBBBBBBBA"), false, "t-0"), Some(Code::InconsistentTopicId));
    assert_eq!(open(901, None, true, "u-0"), Some(Code::NotFound));
    assert_eq!(open(902, None, true, "t-0"), None);
}

#[test]
fn small_files_are_written_whole_listed_and_removed() {
    let (rig, vfs, directory) = rig(LogConfig::default());
    let write = |path: &str, content: &'static [u8]| {
        let (path, content) = (path.to_string(), Bytes::from_static(content));
        rig.answer(|ticket| Command::WriteFile { directory, ticket, path, content })
    };
    let read = |path: &str| rig.answer(|ticket| Command::ReadFile { directory, ticket, path: path.to_string() });
    write("meta.properties", b"version=1\n").unwrap();
    write("meta.properties", b"version=2\n").unwrap();
    write("t-0/quorum-state", b"{}").unwrap();
    assert!(matches!(read("meta.properties"), Ok(Answer::File(bytes)) if bytes == "version=2\n"));
    assert_eq!(read("none").unwrap_err().code, Code::NotFound);
    for path in ["../x", "/x", "t-0/../../x", ""] {
        assert_eq!(write(path, b"").unwrap_err().code, Code::BadName, "{path}");
        assert_eq!(read(path).unwrap_err().code, Code::BadName, "{path}");
    }
    let names = rig.answer(|ticket| Command::ListFiles { directory, ticket, path: "t-0".to_string() }).unwrap();
    assert!(matches!(&names, Answer::Names(names) if names.contains(&"quorum-state".to_string())), "{names:?}");
    let image = vfs.crash(0, Keep::None);
    assert!(image.open("/data/t-0/quorum-state", OpenMode::Read).is_ok(), "durable when answered");
    rig.answer(|ticket| Command::RemoveFile { directory, ticket, path: "meta.properties".to_string() }).unwrap();
    assert_eq!(read("meta.properties").unwrap_err().code, Code::NotFound);
    assert!(vfs.crash(0, Keep::None).open("/data/meta.properties", OpenMode::Read).is_err());
}

#[test]
fn the_high_watermark_comes_back_from_its_checkpoint() {
    let (rig, vfs, directory) = rig(LogConfig::default());
    for n in 0..5 {
        rig.append(0, batch(1, 10, n));
    }
    rig.submit(Command::SetMarks { log: log(0), high_watermark: 4 });
    rig.answer(|ticket| Command::Checkpoint { directory, ticket }).unwrap();
    rig.submit(Command::SetMarks { log: log(0), high_watermark: 5 });
    let rig = Rig::manual();
    let opened = rig.directory("/data", VfsKind::Memory(vfs.crash(0, Keep::None)));
    assert_eq!(rig.open(opened.id, 0, "t-0", LogConfig::default(), false).unwrap().high_watermark, 4);
}

#[test]
fn completions_are_urgent_where_somebody_waits() {
    let (rig, _, _) = rig(LogConfig::default());
    let run = |wake, n: u32| {
        let mut command = append(0, n, batch(1, 10, 0));
        if let Command::Append { wake: of, .. } = &mut command {
            *of = wake;
        }
        let from = rig.sink.len();
        rig.submit(command);
        rig.settle();
        let completions = rig.sink.completions.lock().unwrap();
        completions[from..].iter().map(|(_, urgent)| *urgent).collect::<Vec<_>>()
    };
    assert_eq!(run(Wake::Never, 1), [false, false]);
    assert_eq!(run(Wake::Appended, 2), [true, false]);
    assert_eq!(run(Wake::Synced, 3), [false, true]);
    rig.submit(Command::Watch { log: log(0), offset: 3, limit: WatchLimit::Synced });
    rig.submit(Command::Watch { log: log(0), offset: 4, limit: WatchLimit::End });
    assert_eq!(run(Wake::Never, 4), [false, true]);
    assert_eq!(run(Wake::Never, 5), [true, false]);
    assert_eq!(run(Wake::Never, 6), [false, false]);
    let from = rig.sink.len();
    rig.submit(Command::Watch { log: log(0), offset: 2, limit: WatchLimit::End });
    assert!(rig.sink.completions.lock().unwrap()[from].1, "it has passed already");
}

#[test]
fn a_flush_before_the_end_of_the_process_covers_the_page_cache_too() {
    for manual in [true, false] {
        let vfs = MemoryVfs::tracked();
        let rig = Rig::start(manual);
        let directory = rig.directory("/data", VfsKind::Memory(vfs.clone())).id;
        let config = LogConfig { flush: Flush::Os, ..LogConfig::default() };
        for slot in 0..20 {
            rig.open(directory, slot, &format!("t-{slot}"), config.clone(), false).unwrap();
        }
        rig.engine.submit((0..20).map(|slot| append(slot, 100 + slot, batch(2, 10, 0))).collect());
        assert!(rig.engine.flush_all(10_000));
        rig.engine.stop();
        let image = vfs.crash(0, Keep::None);
        let rig = Rig::manual();
        let directory = rig.directory("/data", VfsKind::Memory(image));
        assert!(!directory.clean);
        for slot in 0..20 {
            assert_eq!(rig.open(directory.id, slot, &format!("t-{slot}"), config.clone(), false).unwrap().end, 2);
        }
    }
}

#[test]
fn turning_group_commit_on_makes_what_was_written_durable() {
    let (rig, _, _) = rig(LogConfig { flush: Flush::Os, ..LogConfig::default() });
    rig.append(0, batch(3, 10, 0));
    assert_eq!(rig.sink.synced(log(0)), -1);
    let config = Box::new(LogConfig::default());
    rig.answer(|ticket| Command::Configure { log: log(0), ticket, config, now_ms: NOW }).unwrap();
    assert_eq!(rig.sink.synced(log(0)), 3);
}

/// What a cleaner of Kafka's left when its broker died: results that count, results that don't, and files to remove.
#[test]
fn a_cleaning_that_was_under_way_is_finished_or_undone() {
    for finished in [true, false] {
        let (rig, vfs, directory) = rig(small_segments());
        for n in 0..20 {
            rig.append(0, batch(1, 100, n));
        }
        rig.close(0, true).unwrap();
        rig.engine.close_directory(directory, true, 1).unwrap();
        let names: Vec<String> = vfs.list("/data/t-0").unwrap().into_iter().map(|entry| entry.name).collect();
        let bases: Vec<&String> = names.iter().filter(|name| name.ends_with(".log")).collect();
        let bytes = |name: &str| {
            let file = vfs.open(&format!("/data/t-0/{name}"), OpenMode::Read).unwrap();
            let mut bytes = vec![0; file.len().unwrap() as usize];
            file.read_at(&mut bytes, 0).unwrap();
            bytes
        };
        let put = |name: &str, bytes: &[u8]| {
            let file = vfs.open(&format!("/data/t-0/{name}"), OpenMode::Truncate).unwrap();
            write_all_at(&*file, bytes, 0).unwrap();
        };
        // The first two segments became one: the first batch of the first and the last of the second.
        let (first, second) = (bytes(bases[0]), bytes(bases[1]));
        let one = Header::read(&first).unwrap().total_bytes();
        let last = second.len() - second.len() / headers(&second).len();
        let cleaned = [&first[..one], &second[last..]].concat();
        put(&format!("{}.swap", bases[0]), &cleaned);
        put("00000000000000000000.index.swap", &[]);
        if !finished {
            put("00000000000000000000.timeindex.cleaned", &[]);
        }
        put("00000000000000000003.log.deleted", b"gone");
        put("00000000000000000007-0000000001.checkpoint.deleted", b"kept");
        let rig = Rig::manual();
        let opened = rig.directory("/data", VfsKind::Memory(vfs.clone()));
        assert_eq!(rig.open(opened.id, 0, "t-0", small_segments(), true).unwrap().end, 20);
        let found = headers(&rig.read_all(0, 0, 20)).len();
        let both = headers(&first).len() + headers(&second).len();
        assert_eq!(found, if finished { 20 - both + 2 } else { 20 });
        let left: Vec<String> = vfs.list("/data/t-0").unwrap().into_iter().map(|entry| entry.name).collect();
        assert!(left.iter().all(|name| !name.ends_with(".swap") && !name.ends_with(".cleaned")), "{left:?}");
        assert!(!left.contains(&"00000000000000000003.log.deleted".to_string()));
        assert!(left.contains(&"00000000000000000007-0000000001.checkpoint.deleted".to_string()));
    }
}

/// A message of format v1: what a log written before 2017 holds.
fn message_v1(offset: i64, timestamp: i64) -> Vec<u8> {
    let mut tail = vec![1, 0];
    tail.extend(timestamp.to_be_bytes());
    tail.extend((-1i32).to_be_bytes());
    tail.extend(5i32.to_be_bytes());
    tail.extend(b"value");
    let crc = crc32_iso(&tail);
    let mut bytes = offset.to_be_bytes().to_vec();
    bytes.extend(((tail.len() + 4) as i32).to_be_bytes());
    bytes.extend(crc.to_be_bytes());
    bytes.extend(tail);
    bytes
}

fn crc32_iso(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ *byte as u32, |crc, _| (crc >> 1) ^ (0xedb8_8320 & (0u32.wrapping_sub(crc & 1))))
    })
}

#[test]
fn messages_of_old_formats_are_carried_along() {
    let vfs = MemoryVfs::new();
    vfs.create_folders("/data/t-0").unwrap();
    let file = vfs.open("/data/t-0/00000000000000000000.log", OpenMode::Create).unwrap();
    let mut bytes: Vec<u8> = (0..4).flat_map(|n| message_v1(n, NOW + n)).collect();
    let whole = bytes.len();
    bytes.extend(&message_v1(4, NOW)[..20]);
    file.write_at(&[IoSlice::new(&bytes)], 0).unwrap();
    let rig = Rig::manual();
    let opened = rig.directory("/data", VfsKind::Memory(vfs));
    let info = rig.open(opened.id, 0, "t-0", LogConfig::default(), false).unwrap();
    assert_eq!((info.end, info.cut_bytes), (4, 20));
    assert_eq!(rig.read(0, 2, 4, 1 << 20).unwrap().total as usize, whole / 2);
    let found = rig.answer(|ticket| Command::Lookup {
        log: log(0),
        ticket,
        lookup: Lookup::Time { timestamp: NOW + 3 },
        limit: 4,
    });
    assert!(matches!(found, Ok(Answer::Found { offset: 3, .. })), "{found:?}");
    assert_eq!(rig.append(0, batch(1, 10, 0)).1.base, 4);
}
