//! Partition folders that were copied out of their directory, without its recovery points: what the folder itself tells
//! of having been on disk is not cut when it decayed, and what it can't tell of is recovered as after a power cut.

mod common;

use common::*;
use odradek_engine::command::*;
use odradek_engine::config::{Flush, LogConfig};
use odradek_engine::error::Code;
use odradek_engine::inspect::{Severity, Target, VerifyOptions, plan, verify};
use odradek_engine::vfs::{Keep, MemoryVfs, OpenMode, Vfs, VfsKind, read_file, remove_if_there, write_all_at};
use std::sync::{Arc, Mutex};

const FOLDER: &str = "/data/t-0";
const SUMS: &str = "/data/t-0/odradek-sums";

fn config() -> LogConfig {
    LogConfig { flush: Flush::Os, ..small_segments() }
}

fn rig_on(vfs: &MemoryVfs) -> Rig {
    let rig = Rig::manual();
    let directory = rig.directory("/data", VfsKind::Memory(vfs.clone())).id;
    rig.open(directory, 0, "t-0", config(), false).unwrap();
    rig
}

fn put(rig: &Rig, marks: std::ops::Range<u64>) {
    for mark in marks {
        assert_eq!(rig.append(0, batch(1, 60, mark)).0, Code::Ok);
    }
}

/// The folder as it is, in another directory.
fn moved(from: &MemoryVfs) -> MemoryVfs {
    let vfs = MemoryVfs::tracked();
    vfs.create_folders(FOLDER).unwrap();
    for entry in from.list(FOLDER).unwrap() {
        let file = format!("{FOLDER}/{}", entry.name);
        let bytes = read_file(from, &file).unwrap().unwrap();
        write_all_at(&*vfs.open(&file, OpenMode::Truncate).unwrap(), &bytes, 0).unwrap();
    }
    vfs.crash(0, Keep::All)
}

/// Twenty records in some segments, with all that a recovery point brings, and five more behind them.
fn made() -> MemoryVfs {
    let vfs = MemoryVfs::tracked();
    let rig = rig_on(&vfs);
    put(&rig, 0..20);
    rig.close(0, true).unwrap();
    let vfs = moved(&vfs);
    put(&rig_on(&vfs), 20..25);
    vfs
}

fn opened(vfs: &MemoryVfs) -> Result<OpenInfo, Failure> {
    let rig = Rig::manual();
    let directory = rig.directory("/data", VfsKind::Memory(vfs.clone()));
    rig.open(directory.id, 0, "t-0", config(), directory.clean)
}

fn logs(vfs: &MemoryVfs) -> Vec<String> {
    let names = vfs.list(FOLDER).unwrap().into_iter().map(|entry| entry.name);
    names.filter(|name| name.ends_with(".log")).map(|name| format!("{FOLDER}/{name}")).collect()
}

fn size(vfs: &MemoryVfs, file: &str) -> u64 {
    vfs.open(file, OpenMode::Read).unwrap().len().unwrap()
}

fn spoil(vfs: &MemoryVfs, file: &str, at: u64) {
    write_all_at(&*vfs.open(file, OpenMode::Write).unwrap(), b"decayed", at).unwrap();
}

#[test]
fn what_decayed_in_a_folder_without_a_recovery_point_is_damage_as_far_as_the_folder_tells() {
    let whole = made();
    assert_eq!(opened(&moved(&whole)).unwrap().end, 25);
    for (at, file) in logs(&whole).iter().enumerate().take(logs(&whole).len() - 1) {
        let vfs = moved(&whole);
        spoil(&vfs, file, 100);
        let before = vfs.crash(0, Keep::All);
        let failure = opened(&vfs).unwrap_err();
        assert_eq!(failure.code, Code::Damaged, "segment {at}: {failure:?}");
        for part in [file, "below offset 2", "odradek-sums"] {
            assert!(failure.text.contains(part), "{failure:?}");
        }
        assert_eq!(read_file(&vfs, file).unwrap(), read_file(&before, file).unwrap());
        assert_eq!(logs(&vfs), logs(&whole));
        let mut found = Vec::new();
        let targets = [Target::of(&vfs, FOLDER).unwrap()];
        let keep = &mut |finding| {
            found.push(finding);
            true
        };
        verify(&vfs, &targets, VerifyOptions { deep: true }, keep).unwrap();
        let worst = found.iter().find(|finding| finding.severity == Severity::Error && finding.file == *file).unwrap();
        assert!(worst.what.contains("it was on disk"), "{worst:?}");
        let steps = plan(&vfs, &targets, false, &mut |_| true).unwrap();
        assert!(steps.iter().any(|step| step.refused), "{steps:?}");
        // As the message says.
        remove_if_there(&vfs, SUMS).unwrap();
        let info = opened(&vfs).unwrap();
        assert!(info.end < 20 && info.cut_bytes > 0, "{info:?}");
    }
}

#[test]
fn a_torn_tail_behind_what_the_folder_tells_of_is_cut() {
    let vfs = made();
    let last = logs(&vfs).pop().unwrap();
    let file = vfs.open(&last, OpenMode::Write).unwrap();
    file.set_len(file.len().unwrap() - 3).unwrap();
    assert_eq!(opened(&moved(&vfs)).unwrap().end, 24);
}

#[test]
fn a_folder_that_was_not_copied_whole_ends_where_its_bytes_do() {
    let whole = made();
    let vfs = moved(&whole);
    let files = logs(&vfs);
    vfs.open(&files[1], OpenMode::Write).unwrap().set_len(size(&whole, &files[1]) - 3).unwrap();
    let info = opened(&vfs).unwrap();
    assert!(info.end < 20 && info.cut_records > 0, "{info:?}");
    // And what it tells is of no meaning for what comes now.
    assert!(read_file(&vfs, SUMS).unwrap().is_none());
}

#[test]
fn what_another_program_wrote_into_the_folder_meanwhile_is_not_what_it_tells_of() {
    let whole = made();
    let vfs = moved(&whole);
    let file = &logs(&vfs)[0];
    let index = file.replace(".log", ".index");
    let bytes = read_file(&vfs, &index).unwrap().unwrap();
    vfs.open(&index, OpenMode::Write).unwrap().set_len(bytes.len() as u64 - 8).unwrap();
    spoil(&vfs, file, 100);
    assert!(opened(&vfs).unwrap().cut_bytes > 0);
}

#[test]
fn what_was_cut_since_the_folder_told_of_it_does_not_count_however_the_power_fails() {
    let vfs = moved(&made());
    let rig = rig_on(&vfs);
    rig.sync(0).unwrap();
    rig.close(0, true).unwrap();
    // Without a recovery point, and with it.
    for listed in [false, true] {
        let vfs = if listed { vfs.crash(0, Keep::All) } else { moved(&vfs) };
        let rig = rig_on(&vfs);
        assert!(read_file(&vfs, SUMS).unwrap().is_some());
        let images: Arc<Mutex<Vec<MemoryVfs>>> = Arc::default();
        let taken = images.clone();
        vfs.observe(move |fork| taken.lock().unwrap().push(fork.clone()));
        rig.truncate(0, 12).unwrap();
        put(&rig, 112..128);
        rig.truncate(0, 3).unwrap();
        put(&rig, 203..230);
        vfs.stop_observing();
        for (number, image) in images.lock().unwrap().iter().enumerate() {
            for seed in 0..6 {
                let keep = [Keep::None, Keep::All, Keep::Torn, Keep::Pages, Keep::Some][seed as usize % 5];
                let image = image.crash(seed, keep);
                for image in [moved(&image), image] {
                    let info = opened(&image).unwrap_or_else(|why| panic!("image {number}, {keep:?} {seed}: {why:?}"));
                    assert!(info.end >= 3, "image {number}, {keep:?} {seed}: {info:?}");
                }
            }
        }
    }
}
