//! The engine as a broker uses it: open, append, read, sync, roll, truncate, close and open again, on both file
//! systems, on threads and stepped.

mod common;

use common::*;
use odradek_engine::batch::BatchBuilder;
use odradek_engine::command::*;
use odradek_engine::config::LogConfig;
use odradek_engine::error::Code;
use odradek_engine::vfs::{MemoryVfs, VfsKind};

fn temporary_folder(name: &str) -> String {
    let path = std::env::temp_dir().join(format!("odradek-engine-{}-{name}", std::process::id()));
    let _ = std::fs::remove_dir_all(&path);
    path.to_string_lossy().into_owned()
}

fn round_trip(rig: &Rig, path: &str, vfs: VfsKind) {
    let directory = rig.directory(path, vfs.clone());
    assert!(!directory.clean);
    assert!(rig.open(directory.id, 0, "topic-0", small_segments(), false).unwrap().created);
    let mut written = Vec::new();
    for n in 0..40 {
        let (code, info) = rig.append(0, batch(3, 50, n));
        assert_eq!((code, info.base, info.end), (Code::Ok, n as i64 * 3, n as i64 * 3 + 3));
        written.push(n);
    }
    rig.sync(0).unwrap();
    assert_eq!(rig.sink.synced(log(0)), 120);
    let bytes = rig.read_all(0, 0, 120);
    let found = headers(&bytes);
    assert_eq!(found.len(), 40);
    assert_eq!(
        found.iter().map(|header| header.base_offset).collect::<Vec<_>>(),
        (0..40).map(|n| n * 3).collect::<Vec<_>>()
    );
    rig.close(0, true).unwrap();
    rig.engine.close_directory(directory.id, true, 7).unwrap();

    let directory = rig.directory(path, vfs);
    assert!(directory.clean);
    assert_eq!(directory.broker_epoch, 7);
    assert_eq!(directory.folders, ["topic-0"]);
    let info = rig.open(directory.id, 0, "topic-0", small_segments(), true).unwrap();
    assert_eq!((info.created, info.end, info.synced_end, info.latest_epoch), (false, 120, 120, 0));
    assert_eq!(rig.read_all(0, 0, 120), bytes);
    assert_eq!(rig.append(0, batch(1, 50, 99)).1.base, 120);
    rig.close(0, true).unwrap();
    rig.engine.close_directory(directory.id, true, 8).unwrap();
    rig.engine.stop();
}

#[test]
fn a_log_reads_back_when_stepped_in_memory() {
    round_trip(&Rig::manual(), "/data", VfsKind::Memory(MemoryVfs::tracked()));
}

#[test]
fn a_log_reads_back_when_threaded_in_memory() {
    round_trip(&Rig::start(false), "/data", VfsKind::Memory(MemoryVfs::new()));
}

#[test]
fn a_log_reads_back_when_threaded_on_disk() {
    let path = temporary_folder("round-trip");
    round_trip(&Rig::start(false), &path, VfsKind::Posix);
    std::fs::remove_dir_all(path).unwrap();
}

#[test]
fn a_directory_is_opened_once() {
    let path = temporary_folder("lock");
    let rig = Rig::start(false);
    let directory = rig.directory(&path, VfsKind::Posix);
    let refused = rig.engine.open_directory(&path, VfsKind::Posix).unwrap_err();
    assert_eq!(refused.code, Code::Locked);
    assert!(refused.text.contains("this process"), "{}", refused.text);
    rig.engine.close_directory(directory.id, false, -1).unwrap();
    let directory = rig.directory(&path, VfsKind::Posix);
    rig.engine.close_directory(directory.id, false, -1).unwrap();
    rig.engine.stop();
    std::fs::remove_dir_all(path).unwrap();
}

#[test]
fn a_read_never_passes_its_limit_and_holds_whole_batches() {
    let rig = Rig::manual();
    let directory = rig.directory("/data", VfsKind::Memory(MemoryVfs::new()));
    rig.open(directory.id, 0, "t-0", small_segments(), false).unwrap();
    for n in 0..30 {
        rig.append(0, batch(2, 40, n));
    }
    for limit in (0..=60).step_by(2) {
        for from in (0..limit).step_by(5) {
            for max_bytes in [1, 200, 500, 100_000] {
                let info = rig.read(0, from, limit, max_bytes).unwrap();
                let found = headers(&memory(&info));
                assert!(!found.is_empty(), "at least one batch at {from} below {limit}");
                assert!(found[0].base_offset <= from && found[0].next_offset() > from);
                assert!(found.last().unwrap().next_offset() <= limit);
                assert!(found.len() == 1 || info.total <= max_bytes as u64);
            }
        }
    }
    assert_eq!(rig.read(0, 60, 60, 100).unwrap().total, 0);
    assert_eq!(rig.read(0, 61, 60, 100).unwrap_err().code, Code::OutOfRange);
    assert_eq!(rig.read(0, 10, 10, 100).unwrap().total, 0);
    let none = rig.read_with(0, 0, 60, 10, ReadFlags { to_memory: true, ..ReadFlags::default() }, -1).unwrap();
    assert_eq!(none.total, 0);
}

#[test]
fn many_logs_are_created_beside_one_another() {
    let rig = Rig::manual();
    let directory = rig.directory("/data", VfsKind::Memory(MemoryVfs::new()));
    for slot in 0..50 {
        rig.open(directory.id, slot, &format!("t-{slot}"), LogConfig::default(), false).unwrap();
    }
    for slot in 0..50 {
        assert_eq!(rig.append(slot, batch(1, 10, 1)).0, Code::Ok);
    }
    assert_eq!(rig.open(directory.id, 99, "t-1", LogConfig::default(), false).unwrap_err().code, Code::Locked);
    assert_eq!(rig.open(directory.id, 99, "../t-1", LogConfig::default(), false).unwrap_err().code, Code::BadName);
}

#[test]
fn readers_beside_appends_and_rolls_see_whole_batches_in_order() {
    let rig = Rig::start(false);
    let directory = rig.directory("/data", VfsKind::Memory(MemoryVfs::new()));
    for slot in 0..3 {
        rig.open(directory.id, slot, &format!("t-{slot}"), small_segments(), false).unwrap();
    }
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..200u32 {
                let each = |n: u32| append(n % 3, 10_000 + round * 30 + n, batch(1 + n as usize % 3, 40, n as u64));
                rig.engine.submit((0..30).map(each).collect());
            }
        });
        for slot in 0..3 {
            let rig = &rig;
            scope.spawn(move || {
                let mut from = 0;
                while from < 200 * 10 * (1 + slot as i64) {
                    let limit = rig.sink.synced(log(slot)).max(0);
                    let bytes = rig.read_all(slot, from, limit);
                    for header in headers(&bytes) {
                        assert_eq!(header.base_offset, from);
                        from = header.next_offset();
                    }
                    assert_eq!(from, limit);
                    std::thread::yield_now();
                }
            });
        }
    });
    for slot in 0..3 {
        rig.close(slot, true).unwrap();
    }
    rig.engine.close_directory(directory.id, true, 1).unwrap();
    rig.engine.stop();
}

#[test]
fn a_stopped_engine_gives_its_directories_back() {
    let path = temporary_folder("stop");
    for manual in [true, false] {
        let rig = Rig::start(manual);
        let directory = rig.directory(&path, VfsKind::Posix);
        rig.open(directory.id, 0, "t-0", LogConfig::default(), false).unwrap();
        rig.append(0, batch(1, 10, 0));
        rig.engine.stop();
        rig.engine.stop();
    }
    let rig = Rig::manual();
    let directory = rig.directory(&path, VfsKind::Posix);
    assert_eq!(rig.open(directory.id, 0, "t-0", LogConfig::default(), false).unwrap().end, 2);
    rig.engine.stop();
    std::fs::remove_dir_all(path).unwrap();
}

#[test]
fn a_directory_on_disk_knows_its_room_and_the_age_of_files_without_timestamps() {
    let path = temporary_folder("room");
    let rig = Rig::start(false);
    let directory = rig.directory(&path, VfsKind::Posix);
    let config = LogConfig { retention_ms: 3_600_000, ..small_segments() };
    rig.open(directory.id, 0, "topic-0", config, false).unwrap();
    let untimed = BatchBuilder::new().record(-1, Some(b"key"), Some(&[b'v'; 600])).build();
    let bytes = untimed.len() as u64;
    for _ in 0..2 {
        assert_eq!(rig.append(0, untimed.clone()).0, Code::Ok);
    }
    let used = rig.engine.directory_use(directory.id).unwrap();
    assert_eq!(used.logs, [("topic-0".to_string(), 2 * bytes)]);
    let space = used.space.unwrap();
    assert!(space.usable > 0 && space.usable <= space.total, "{space:?}");
    rig.submit(Command::SetMarks { log: log(0), high_watermark: 2 });
    let retain = |now_ms| rig.answer(|ticket| Command::Retain { log: log(0), ticket, now_ms }).unwrap();
    assert!(matches!(retain(NOW), Answer::Marks { start: 0, .. }), "written after that moment");
    assert!(matches!(retain(1 << 50), Answer::Marks { start: 2, end: 2, .. }));
    rig.engine.stop();
    std::fs::remove_dir_all(&path).unwrap();
}

#[test]
fn a_directory_that_is_only_read_stays_as_it_was() {
    let folder = temporary_folder("untouched");
    let leftovers =
        [".kafka_cleanshutdown", "recovery-point-offset-checkpoint.tmp", "t-0.0123-delete/x", "t-0/x", ".lock"];
    for name in leftovers {
        let file = std::path::Path::new(&folder).join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, "{\"version\":0,\"brokerEpoch\":7}").unwrap();
    }
    let tree = || {
        let mut seen: Vec<String> = Vec::new();
        let mut folders = vec![std::path::PathBuf::from(&folder)];
        while let Some(next) = folders.pop() {
            let meta = std::fs::metadata(&next).unwrap();
            seen.push(format!("{next:?} {} {:?}", meta.len(), meta.modified().unwrap()));
            if meta.is_dir() {
                folders.extend(std::fs::read_dir(&next).unwrap().map(|entry| entry.unwrap().path()));
            }
        }
        seen.sort();
        seen
    };
    let before = tree();
    let rig = Rig::start(false);
    for clean in [true, false] {
        let opened = rig.directory(&folder, VfsKind::Posix);
        assert!(opened.clean);
        let (directory, path) = (opened.id, "t-0/x".to_string());
        rig.answer(|ticket| Command::ReadFile { directory, ticket, path }).unwrap();
        rig.answer(|ticket| Command::ListFiles { directory, ticket, path: "t-0".to_string() }).unwrap();
        rig.engine.close_directory(directory, clean, 8).unwrap();
        assert_eq!(tree(), before);
    }
    let directory = rig.directory(&folder, VfsKind::Posix).id;
    let (path, content) = ("y".to_string(), Default::default());
    rig.answer(|ticket| Command::WriteFile { directory, ticket, path, content }).unwrap();
    for name in &leftovers[..2] {
        assert!(!std::path::Path::new(&folder).join(name).exists(), "{name}");
    }
    rig.engine.close_directory(directory, true, 8).unwrap();
    let opened = rig.directory(&folder, VfsKind::Posix);
    assert_eq!((opened.clean, opened.broker_epoch), (true, 8));
    rig.engine.stop();
    std::fs::remove_dir_all(folder).unwrap();
}
