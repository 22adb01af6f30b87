//! A copy of a log on its way from another directory: where it begins, and how it takes the partition's name.

mod common;

use common::*;
use odradek_engine::command::*;
use odradek_engine::error::Code;
use odradek_engine::vfs::{Keep, MemoryVfs, OpenMode, Vfs, VfsKind, read_file};
use std::sync::{Arc, Mutex};

const FUTURE: &str = "topic-0.0123456789abcdef0123456789abcdef-future";

fn rename(rig: &Rig, directory: DirectoryId, folder: &str, name: &str) -> Result<Answer, Failure> {
    let (folder, name) = (folder.to_string(), name.to_string());
    rig.answer(|ticket| Command::SetAside { directory, ticket, folder, name })
}

fn checkpoint(vfs: &MemoryVfs, name: &str) -> String {
    String::from_utf8(read_file(vfs, &format!("/data/{name}")).unwrap().unwrap_or_default()).unwrap()
}

#[test]
fn a_future_log_takes_the_partitions_name_whole_or_not_at_all_after_every_power_cut() {
    let vfs = MemoryVfs::tracked();
    let rig = Rig::manual();
    let directory = rig.directory("/data", VfsKind::Memory(vfs.clone())).id;
    rig.open(directory, 0, FUTURE, small_segments(), false).unwrap();
    for mark in 0..6 {
        assert_eq!(rig.append(0, batch(3, 50, mark)).0, Code::Ok);
    }
    rig.submit(Command::SetMarks { log: log(0), high_watermark: 18 });
    rig.answer(|ticket| Command::AdvanceStart { log: log(0), ticket, offset: 4, now_ms: NOW }).unwrap();
    rig.close(0, true).unwrap();
    let images = Arc::new(Mutex::new(Vec::new()));
    let taken = images.clone();
    vfs.observe(move |fork| taken.lock().unwrap().push(fork.clone()));
    rename(&rig, directory, FUTURE, "topic-0").unwrap();
    vfs.stop_observing();
    images.lock().unwrap().push(vfs.fork());
    assert!(checkpoint(&vfs, "recovery-point-offset-checkpoint").contains("topic 0 18"));
    assert!(checkpoint(&vfs, "log-start-offset-checkpoint").contains("topic 0 4"));
    let mut under = [0, 0];
    for (number, image) in images.lock().unwrap().iter().enumerate() {
        for keep in [Keep::None, Keep::All, Keep::Some, Keep::Pages] {
            let rig = Rig::manual();
            let opened = rig.directory("/data", VfsKind::Memory(image.crash(number as u64, keep)));
            let [folder] = &opened.folders[..] else { panic!("{:?} at {number} {keep:?}", opened.folders) };
            under[usize::from(folder == "topic-0")] += 1;
            let info = rig.open(opened.id, 0, folder, small_segments(), true).unwrap();
            assert_eq!(info.end, 18, "{folder} at {number} {keep:?}");
            if folder == "topic-0" {
                assert_eq!(info.start, 4, "at {number} {keep:?}");
            }
        }
    }
    assert!(under[0] > 0 && under[1] > 0, "{under:?}");
}

#[test]
fn a_future_log_takes_no_name_but_its_partitions_and_none_that_is_taken() {
    let vfs = MemoryVfs::tracked();
    let rig = Rig::manual();
    let directory = rig.directory("/data", VfsKind::Memory(vfs.clone())).id;
    for (slot, folder) in [(0, FUTURE), (1, "topic-0"), (2, "other-0")] {
        rig.open(directory, slot, folder, small_segments(), false).unwrap();
        rig.close(slot, true).unwrap();
    }
    let code = |folder: &str, name: &str| rename(&rig, directory, folder, name).unwrap_err().code;
    assert_eq!(code(FUTURE, "topic-1"), Code::BadName);
    assert_eq!(code("other-0", "topic-1"), Code::BadName);
    assert_eq!(code(FUTURE, "topic-0"), Code::Io);
    assert!(vfs.list("/data/topic-0").is_ok() && vfs.list(&format!("/data/{FUTURE}")).is_ok());
}

#[test]
fn a_log_without_records_can_begin_anywhere_above() {
    let vfs = MemoryVfs::tracked();
    let rig = Rig::manual();
    let directory = rig.directory("/data", VfsKind::Memory(vfs.clone())).id;
    rig.open(directory, 0, FUTURE, small_segments(), false).unwrap();
    rig.truncate(0, 100).unwrap();
    assert_eq!(rig.append(0, batch(1, 50, 1)).1.base, 100);
    rig.truncate(0, 500).unwrap();
    assert_eq!(rig.append(0, batch(1, 50, 2)).1.base, 101);
    rig.close(0, true).unwrap();
    assert!(vfs.open(&format!("/data/{FUTURE}/00000000000000000100.log"), OpenMode::Read).is_ok());
    assert!(vfs.open(&format!("/data/{FUTURE}/00000000000000000000.log"), OpenMode::Read).is_err());
    let info = rig.open(directory, 1, FUTURE, small_segments(), true).unwrap();
    assert_eq!((info.start, info.end), (100, 102));
}
