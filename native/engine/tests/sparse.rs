//! Log files of terabytes in which there is next to nothing: what was never written is not read.
#![cfg(target_os = "linux")]

mod common;

use common::*;
use odradek_engine::inspect::{Mode, Request, run};
use odradek_engine::vfs::{OpenMode, VfsKind, skip_zeros, write_all_at};
use std::fs;
use std::os::unix::fs::{FileExt, MetadataExt};

const HUGE: u64 = 4 << 40;

/// A closed log of ten batches whose file is made huge then; None where no file can be.
fn huge(name: &str) -> Option<(String, String)> {
    let path = std::env::temp_dir().join(format!("odradek-sparse-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    let data = path.to_string_lossy().into_owned();
    let rig = Rig::start(false);
    let directory = rig.directory(&data, VfsKind::Posix).id;
    rig.open(directory, 0, "topic-0", Default::default(), false).unwrap();
    for n in 0..10 {
        rig.append(0, batch(1, 50, n));
    }
    rig.close(0, true).unwrap();
    rig.engine.close_directory(directory, true, 1).unwrap();
    rig.engine.stop();
    let log = format!("{data}/topic-0/00000000000000000000.log");
    let file = fs::OpenOptions::new().write(true).open(&log).unwrap();
    if file.set_len(HUGE).is_err() {
        fs::remove_dir_all(&data).unwrap();
        return None;
    }
    Some((data, log))
}

/// Opens the log, after a clean stop or not: its end, and the bytes of its file.
fn opened(data: &str, clean: bool) -> (i64, u64) {
    let rig = Rig::start(false);
    let directory = rig.directory(data, VfsKind::Posix).id;
    let info = rig.open(directory, 0, "topic-0", Default::default(), clean).unwrap();
    rig.close(0, true).unwrap();
    rig.engine.close_directory(directory, true, 1).unwrap();
    rig.engine.stop();
    (info.end, fs::metadata(format!("{data}/topic-0/00000000000000000000.log")).unwrap().len())
}

fn inspected(data: &str, mode: Mode) -> String {
    let mut lines = String::new();
    let request = Request {
        mode,
        paths: vec![data.to_string()],
        deep: true,
        records: false,
        from: 0,
        to: i64::MAX,
        accept_loss: false,
    };
    let outcome = run(&*VfsKind::Posix.open(), &request, &mut |line| {
        lines += &line;
        true
    });
    outcome.unwrap();
    lines
}

#[test]
fn zeros_without_end_are_cut_off_when_a_log_is_opened() {
    for clean in [false, true] {
        let Some((data, _)) = huge(&format!("open-{clean}")) else { return };
        let (end, bytes) = opened(&data, clean);
        assert_eq!(end, 10);
        assert!(bytes < 10_000, "{bytes}");
        fs::remove_dir_all(data).unwrap();
    }
}

#[test]
fn a_batch_terabytes_behind_the_end_is_kept_without_filling_the_disk() {
    let Some((data, log)) = huge("behind") else { return };
    let mut far = batch(1, 50, 3);
    far[..8].copy_from_slice(&10i64.to_be_bytes());
    fs::OpenOptions::new().write(true).open(&log).unwrap().write_all_at(&far, HUGE - 5000).unwrap();
    assert!(inspected(&data, Mode::Verify).contains("whole batches with 1 records follow"), "it is looked for");
    let (end, bytes) = opened(&data, false);
    assert_eq!(end, 10);
    assert!(bytes < 10_000, "{bytes}");
    let kept = fs::read_dir(format!("{data}/topic-0"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .find(|entry| entry.file_name().to_string_lossy().ends_with(".odradek-cut"))
        .expect("the bytes are kept");
    assert!(kept.metadata().unwrap().blocks() * 512 < 10 << 20, "{} blocks", kept.metadata().unwrap().blocks());
    fs::remove_dir_all(data).unwrap();
}

#[test]
fn verify_and_repair_end() {
    let Some((data, log)) = huge("inspect") else { return };
    assert!(inspected(&data, Mode::Verify).contains("zeros stand behind the last batch"));
    let repaired = inspected(&data, Mode::Repair);
    assert!(fs::metadata(&log).unwrap().len() < 10_000, "{repaired}");
    fs::remove_dir_all(data).unwrap();
}

#[test]
fn what_is_written_over_a_sparse_file_in_memory_is_found() {
    let Some((data, log)) = huge("overlay") else { return };
    let vfs = VfsKind::ReadOnly(Box::new(VfsKind::Posix)).open();
    let file = vfs.open(&log, OpenMode::Write).unwrap();
    let end = skip_zeros(&*file, 100_000, HUGE).unwrap();
    assert_eq!(end, HUGE);
    write_all_at(&*file, b"x", 3 << 40).unwrap();
    assert_eq!(skip_zeros(&*file, 100_000, HUGE).unwrap(), 3 << 40);
    file.set_len(2 << 40).unwrap();
    file.set_len(HUGE).unwrap();
    assert_eq!(skip_zeros(&*file, 100_000, HUGE).unwrap(), HUGE);
    fs::remove_dir_all(data).unwrap();
}
