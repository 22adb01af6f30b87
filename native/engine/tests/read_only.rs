//! A log that is opened to be read alone: it shows what opening it for writing would show, and nothing below it
//! changes, whoever writes there meanwhile.

mod common;

use common::*;
use odradek_engine::config::{Flush, LogConfig};
use odradek_engine::error::Code;
use odradek_engine::mapped::{MappedLog, Writer};
use odradek_engine::vfs::{MemoryVfs, OpenMode, Vfs, VfsKind, read_file, remove_if_there, write_all_at};

fn config() -> LogConfig {
    LogConfig { flush: Flush::Os, segment_bytes: 4_000, ..LogConfig::default() }
}

fn read_only(vfs: &MemoryVfs) -> VfsKind {
    VfsKind::ReadOnly(Box::new(VfsKind::Memory(vfs.clone())))
}

/// Every file with its bytes.
fn tree(vfs: &MemoryVfs, folder: &str) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in vfs.list(folder).unwrap() {
        let path = format!("{folder}/{}", entry.name);
        if entry.folder {
            files.push((path.clone(), Vec::new()));
            files.extend(tree(vfs, &path));
        } else {
            files.push((path.clone(), read_file(vfs, &path).unwrap().unwrap()));
        }
    }
    files
}

/// A writer with 100 records in many segments.
fn writer(vfs: &MemoryVfs) -> (Rig, MappedLog) {
    let rig = Rig::manual();
    let opened = rig.directory("/data", VfsKind::Memory(vfs.clone()));
    rig.open(opened.id, 0, "t-0", config(), opened.clean).unwrap();
    let mut log = MappedLog::take(&rig.engine, log(0), Writer::Chosen).unwrap();
    for index in 0..100 {
        log.append(None, Some(format!("value {index}").repeat(20).as_bytes()), NOW + index, NOW).unwrap();
    }
    (rig, log)
}

/// Start and end of the log as a reader finds it, and all its bytes.
fn found(vfs: &MemoryVfs) -> Result<(i64, i64, Vec<u8>), String> {
    let rig = Rig::manual();
    let opened = rig.engine.open_directory("/data", read_only(vfs)).map_err(|failure| failure.text)?;
    let info = rig.open(opened.id, 0, "t-0", config(), opened.clean).map_err(|failure| failure.text)?;
    let mut log = MappedLog::take(&rig.engine, log(0), Writer::Chosen).unwrap();
    let bytes = all(&mut log);
    log.give_back();
    rig.settle();
    Ok((info.start, info.end, bytes))
}

fn all(log: &mut MappedLog) -> Vec<u8> {
    let (marks, mut bytes) = (log.marks(), Vec::new());
    let mut from = marks.start;
    while from < marks.end {
        let Some(more) = log.read(from, 1 << 20).unwrap() else { break };
        let mut at = 0;
        while at < more.len() {
            let header = odradek_engine::batch::Header::read(&more[at..]).unwrap();
            assert!(odradek_engine::batch::verify_crc(&more[at..at + header.total_bytes()]));
            from = header.next_offset();
            at += header.total_bytes();
        }
        bytes.extend_from_slice(&more);
    }
    bytes
}

#[test]
fn a_log_that_was_not_closed_lacks_indexes_and_ends_torn_is_read_and_left_as_it_is() {
    let vfs = MemoryVfs::new();
    let (rig, log) = writer(&vfs);
    std::mem::forget((rig, log));
    let image = vfs.fork();
    let names = image.list("/data/t-0").unwrap();
    let last = names.iter().rfind(|entry| entry.name.ends_with(".log")).unwrap();
    let file = image.open(&format!("/data/t-0/{}", last.name), OpenMode::Write).unwrap();
    write_all_at(&*file, b"a part of a batch that never became whole", file.len().unwrap()).unwrap();
    for entry in names.iter().filter(|entry| entry.name.ends_with("index")) {
        remove_if_there(&image, &format!("/data/t-0/{}", entry.name)).unwrap();
    }
    let file = image.open("/data/.odradek-failed", OpenMode::Create).unwrap();
    drop(file);
    let before = tree(&image, "/data");
    let (start, end, bytes) = found(&image).unwrap();
    assert_eq!((start, end), (0, 100));
    assert!(bytes.len() > 20_000);
    assert!(tree(&image, "/data") == before);
}

#[test]
fn who_writes_goes_on_and_a_reader_keeps_what_it_found() {
    let vfs = MemoryVfs::new();
    let (_rig, mut log) = writer(&vfs);
    let reader = Rig::manual();
    let opened = reader.directory("/data", read_only(&vfs));
    reader.open(opened.id, 0, "t-0", config(), opened.clean).unwrap();
    let mut read = MappedLog::take(&reader.engine, common::log(0), Writer::Chosen).unwrap();
    let first = all(&mut read);
    assert_eq!(read.marks().end, 100);
    // More is written, and what was there goes.
    for index in 0..100 {
        log.append(None, Some(b"later"), NOW + index, NOW).unwrap();
    }
    log.trim(150, NOW).unwrap();
    for entry in vfs.list("/data/t-0").unwrap().iter().filter(|entry| entry.name.as_str() < "00000000000000000090") {
        remove_if_there(&vfs, &format!("/data/t-0/{}", entry.name)).unwrap();
    }
    assert!(all(&mut read) == first);
    assert_eq!(read.marks().end, 100);
    assert_eq!(log.marks().end, 200);
}

#[test]
fn a_log_that_is_not_there_is_not_made() {
    let vfs = MemoryVfs::new();
    let missing = Rig::manual().engine.open_directory("/data", read_only(&vfs)).map(|_| ()).unwrap_err();
    assert_eq!((missing.code, missing.text.as_str()), (Code::NotFound, "there is no directory /data"));
    vfs.create_folders("/data").unwrap();
    let rig = Rig::manual();
    let opened = rig.directory("/data", read_only(&vfs));
    let created = rig.open(opened.id, 0, "t-0", config(), false).unwrap().created;
    assert!(created, "for itself it may");
    assert!(tree(&vfs, "/data").is_empty());
}
