//! A log that its caller owns: what it appends is there for readers, after the end of the process, and after a power
//! cut as far as it was synced; a full or failing disk is an error value.

mod common;

use common::*;
use odradek_engine::batch::{HEADER_BYTES, Header};
use odradek_engine::config::{Flush, LogConfig};
use odradek_engine::error::Code;
use odradek_engine::mapped::{MappedLog, Packed, Writer};
use odradek_engine::vfs::{Keep, MemoryVfs, Operation, VfsKind};
use std::sync::{Arc, Mutex};

const ENOSPC: i32 = 28;
const EIO: i32 = 5;

struct Bench {
    rig: Rig,
    vfs: MemoryVfs,
    directory: u32,
    log: Option<MappedLog>,
}

fn config() -> LogConfig {
    LogConfig { flush: Flush::Os, ..LogConfig::default() }
}

impl Bench {
    fn start(vfs: MemoryVfs, config: LogConfig) -> Bench {
        Bench::open(vfs, config).unwrap()
    }

    fn open(vfs: MemoryVfs, config: LogConfig) -> Result<Bench, String> {
        let rig = Rig::manual();
        let opened = rig.directory("/data", VfsKind::Memory(vfs.clone()));
        rig.open(opened.id, 0, "t-0", config, opened.clean).map_err(|failure| failure.text)?;
        let log = MappedLog::take(&rig.engine, log(0), Writer::Chosen);
        Ok(Bench { rig, vfs, directory: opened.id, log })
    }

    fn log(&mut self) -> &mut MappedLog {
        self.log.as_mut().unwrap()
    }

    fn put(&mut self, value: &[u8]) -> Result<i64, Code> {
        self.log().append(None, Some(value), NOW, NOW).map_err(|failure| failure.code)
    }

    fn values(&mut self) -> Vec<Vec<u8>> {
        let marks = self.log().marks();
        let (mut from, mut values) = (marks.start, Vec::new());
        while from < marks.end {
            let Some(bytes) = self.log().read(from, 1 << 20).unwrap() else { break };
            let mut at = 0;
            while at < bytes.len() {
                let header = Header::read(&bytes[at..]).unwrap();
                let batch = &bytes[at..at + header.total_bytes()];
                assert!(odradek_engine::batch::verify_crc(batch));
                let mut cursor = HEADER_BYTES;
                for _ in 0..header.count {
                    let end = varint(batch, &mut cursor) + cursor as i64;
                    cursor += 1;
                    let (_timestamp, _offset) = (varint(batch, &mut cursor), varint(batch, &mut cursor));
                    let key = varint(batch, &mut cursor).max(0) as usize;
                    cursor += key;
                    let length = varint(batch, &mut cursor).max(0) as usize;
                    values.push(batch[cursor..cursor + length].to_vec());
                    cursor = end as usize;
                }
                from = header.next_offset();
                at += header.total_bytes();
            }
        }
        values
    }

    fn close(mut self) -> MemoryVfs {
        self.log.take().unwrap().give_back();
        self.rig.settle();
        self.rig.answer(|ticket| odradek_engine::command::Command::Close { log: log(0), ticket, clean: true }).unwrap();
        self.rig.engine.close_directory(self.directory, true, -1).unwrap();
        self.vfs
    }
}

fn varint(bytes: &[u8], at: &mut usize) -> i64 {
    let (mut value, mut shift) = (0u64, 0);
    loop {
        let byte = bytes[*at];
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return (value >> 1) as i64 ^ -((value & 1) as i64);
        }
        shift += 7;
    }
}

fn value(index: usize) -> Vec<u8> {
    format!("{index}:").into_bytes().repeat(1 + index % 37)
}

#[test]
fn what_is_appended_can_be_read_and_is_there_after_a_clean_close() {
    let mut bench = Bench::start(MemoryVfs::new(), config());
    for index in 0..3000 {
        assert_eq!(bench.put(&value(index)), Ok(index as i64));
    }
    let expected: Vec<Vec<u8>> = (0..3000).map(value).collect();
    assert!(bench.values() == expected);
    let vfs = bench.close();
    let mut again = Bench::start(vfs, config());
    assert!(again.values() == expected);
    assert_eq!(again.put(b"more"), Ok(3000));
    again.close();
}

#[test]
fn rolls_leave_no_room_reserved_behind_a_segment() {
    let small = LogConfig { segment_bytes: 100_000, ..config() };
    let mut bench = Bench::start(MemoryVfs::new(), small.clone());
    for index in 0..3000 {
        bench.put(&value(index)).unwrap();
    }
    let bytes = bench.log().marks().bytes;
    let vfs = bench.close();
    let names = odradek_engine::vfs::Vfs::list(&vfs, "/data/t-0").unwrap();
    let logs: Vec<_> = names.iter().filter(|entry| entry.name.ends_with(".log")).collect();
    assert!(logs.len() > 3);
    let sizes = logs.iter().map(|entry| {
        odradek_engine::vfs::read_file(&vfs, &format!("/data/t-0/{}", entry.name)).unwrap().unwrap().len() as u64
    });
    assert_eq!(sizes.sum::<u64>(), bytes);
    let mut again = Bench::start(vfs, small);
    assert_eq!(again.values().len(), 3000);
}

#[test]
fn who_fills_segments_faster_than_they_get_to_the_disk_waits_for_it() {
    let vfs = MemoryVfs::tracked();
    let mut bench = Bench::start(vfs.clone(), LogConfig { segment_bytes: 1_000, ..config() });
    for index in 0..1500 {
        // Nothing but appends runs.
        bench.put(&[b'x'; 900]).unwrap();
        assert!(vfs.open_files() < 600, "{} at {index}", vfs.open_files());
    }
    assert!(bench.log().marks().synced > 1000);
}

#[test]
fn the_end_of_the_process_between_any_two_stores_loses_nothing_that_had_its_offset() {
    let vfs = MemoryVfs::tracked();
    let mut bench = Bench::start(vfs.clone(), LogConfig { segment_bytes: 9_000, ..config() });
    let images = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::new(Mutex::new(0));
    let (kept, known) = (images.clone(), told.clone());
    vfs.observe(move |fork| kept.lock().unwrap().push((fork.fork(), *known.lock().unwrap())));
    for index in 0..150 {
        if index % 10 == 9 {
            let packed = [value(index), value(index)].concat();
            let ends = [value(index).len() as u32, packed.len() as u32];
            bench.log().append_packed(Packed::new(&packed, &ends).unwrap(), NOW).unwrap();
        } else {
            bench.put(&value(index)).unwrap();
        }
        *told.lock().unwrap() = bench.log().marks().end;
    }
    vfs.stop_observing();
    let all = bench.values();
    let images = std::mem::take(&mut *images.lock().unwrap());
    assert!(images.len() > 450, "{}", images.len());
    for (image, told) in images {
        // The end of a process keeps what was stored; names and lengths too.
        let mut again = Bench::start(image.crash(0, Keep::All), config());
        let found = again.values();
        assert!(found.len() as i64 >= told, "{} of {told}", found.len());
        assert!(found == all[..found.len()]);
        assert_eq!(again.put(b"on"), Ok(found.len() as i64));
    }
}

#[test]
fn a_power_cut_leaves_what_was_synced() {
    let vfs = MemoryVfs::tracked();
    let mut bench = Bench::start(vfs.clone(), LogConfig { segment_bytes: 9_000, ..config() });
    let mut synced = 0;
    for index in 0..120 {
        bench.put(&value(index)).unwrap();
        if index % 25 == 24 {
            bench.log().sync_now().unwrap();
            synced = index as i64 + 1;
            assert_eq!(bench.log().marks().synced, synced);
        }
        for seed in 0..3 {
            for keep in [Keep::None, Keep::Some, Keep::Torn] {
                let image = vfs.crash(seed, keep);
                match Bench::open(image, config()) {
                    Ok(mut again) => {
                        let found = again.values();
                        assert!(
                            found.len() as i64 >= synced,
                            "{} of {synced} at {index}, {keep:?} {seed}",
                            found.len()
                        );
                        assert!((0..found.len()).all(|at| found[at] == value(at)));
                    }
                    // Nothing was promised yet, not even the folder.
                    Err(text) => assert_eq!(synced, 0, "{text}"),
                }
            }
        }
    }
}

#[test]
fn a_full_disk_refuses_and_the_log_goes_on_when_there_is_room() {
    let vfs = MemoryVfs::new();
    let mut bench = Bench::start(vfs.clone(), config());
    bench.put(b"first").unwrap();
    let room = vfs.used();
    vfs.set_capacity(room + 20_000);
    let mut count = 1;
    let refused = loop {
        match bench.put(&[7; 900]) {
            Ok(_) => count += 1,
            Err(code) => break code,
        }
        assert!(count < 10_000);
    };
    assert_eq!(refused, Code::NoSpace);
    assert!(vfs.used() <= room + 20_000);
    assert_eq!(bench.values().len(), count);
    vfs.set_capacity(u64::MAX);
    assert_eq!(bench.put(b"again"), Ok(count as i64));
    bench.close();
}

#[test]
fn a_full_disk_at_any_moment_costs_at_most_the_append_that_met_it() {
    for operation in [Operation::Write, Operation::Populate, Operation::Open] {
        for nth in 1..6 {
            let vfs = MemoryVfs::new();
            let mut bench = Bench::start(vfs.clone(), LogConfig { segment_bytes: 200_000, ..config() });
            vfs.fail_at(operation, ".log", nth, ENOSPC);
            let mut kept = Vec::new();
            for index in 0..4000 {
                match bench.put(&value(index)) {
                    Ok(offset) => {
                        assert_eq!(offset, kept.len() as i64);
                        kept.push(value(index));
                    }
                    Err(code) => assert_eq!(code, Code::NoSpace),
                }
            }
            assert!(kept.len() >= 3998);
            assert!(bench.values() == kept);
            let mut again = Bench::start(bench.close(), config());
            assert!(again.values() == kept);
        }
    }
}

#[test]
fn a_lost_page_or_a_failed_sync_takes_the_directory_offline() {
    for operation in [Operation::Store, Operation::SyncData] {
        let vfs = MemoryVfs::new();
        let mut bench = Bench::start(vfs.clone(), config());
        bench.put(b"a").unwrap();
        vfs.fail(operation, 1, EIO);
        let failed = bench.put(b"b").err().or(bench.log().sync_now().err().map(|failure| failure.code));
        assert_eq!(failed, Some(Code::DirectoryOffline), "{operation:?}");
        assert_eq!(bench.put(b"c"), Err(Code::DirectoryOffline));
        assert!(bench.log().sync_now().is_err());
    }
}

#[test]
fn settings_that_need_a_look_at_each_record_get_it() {
    let compacted = LogConfig { compacted: true, ..config() };
    let mut bench = Bench::start(MemoryVfs::new(), compacted);
    assert_eq!(bench.put(b"no key"), Err(Code::BadRecord));
    assert_eq!(bench.log().append(Some(b"k"), Some(b"v"), NOW, NOW).map_err(|failure| failure.code), Ok(0));
    let mut bench = Bench::start(MemoryVfs::new(), LogConfig { max_message_bytes: 200, ..config() });
    assert_eq!(bench.put(&[1; 300]), Err(Code::TooLarge));
    assert_eq!(bench.log().append(None, Some(b"v"), NOW + 3_600_001, NOW).map_err(|f| f.code), Err(Code::BadTimestamp));
    assert_eq!(bench.put(b"fits"), Ok(0));
    let packed = Packed::new(&[1; 400], &[10, 400]).unwrap();
    assert_eq!(bench.log().append_packed(packed, NOW).map_err(|failure| failure.code), Err(Code::TooLarge));
    assert_eq!(bench.log().marks().end, 1, "none of them is appended");
}

#[test]
fn packed_values_large_and_small_records_and_syncs_mix() {
    let mut bench = Bench::start(MemoryVfs::new(), LogConfig { segment_bytes: 3 << 20, ..config() });
    let mut expected = Vec::new();
    for round in 0..40 {
        for size in [10, 5_000, 70_000, 300_000] {
            let one = vec![round as u8; size + round];
            assert_eq!(bench.put(&one), Ok(expected.len() as i64));
            expected.push(one);
        }
        let values: Vec<Vec<u8>> = (0..500).map(value).collect();
        let mut ends = Vec::new();
        for one in &values {
            ends.push(ends.last().copied().unwrap_or(0) + one.len() as u32);
        }
        let bytes = values.concat();
        let first = bench.log().append_packed(Packed::new(&bytes, &ends).unwrap(), NOW).unwrap();
        assert_eq!(first, expected.len() as i64);
        expected.extend(values);
        if round % 7 == 3 {
            bench.log().sync_now().unwrap();
        }
    }
    assert!(bench.values() == expected);
    let mut again = Bench::start(bench.close(), config());
    assert!(again.values() == expected);
}

#[test]
fn a_trim_and_retention_let_segments_go() {
    let limited = LogConfig { segment_bytes: 10_000, retention_bytes: 30_000, file_delete_delay_ms: 0, ..config() };
    let mut bench = Bench::start(MemoryVfs::new(), limited);
    for index in 0..1000 {
        bench.put(&value(index)).unwrap();
    }
    let marks = bench.log().tend(NOW).unwrap();
    assert!(marks.start > 0 && marks.bytes <= 50_000, "{marks:?}");
    let trimmed = bench.log().trim(990, NOW).unwrap();
    assert_eq!(trimmed.start, 990);
    assert_eq!(bench.values().len(), 10);
    assert_eq!(bench.log().find(NOW).unwrap(), Some(990));
    assert_eq!(bench.log().find(NOW + 1).unwrap(), None);
    bench.close();
}

#[test]
fn a_log_that_rested_goes_on_with_its_index() {
    let mut bench = Bench::start(MemoryVfs::new(), LogConfig { index_interval_bytes: 100, ..config() });
    for index in 0..500 {
        bench.put(&value(index)).unwrap();
    }
    for minute in 1..4 {
        bench.log().sync_now().unwrap();
        bench.log().tend(NOW + minute * 61_000).unwrap();
        bench.rig.settle();
    }
    for index in 500..600 {
        let late = NOW + 300_000;
        bench.log().append(None, Some(&value(index)), late, late).unwrap();
    }
    let expected: Vec<Vec<u8>> = (0..600).map(value).collect();
    assert!(bench.values() == expected);
    let vfs = bench.close();
    let index = odradek_engine::vfs::read_file(&vfs, "/data/t-0/00000000000000000000.index").unwrap().unwrap();
    assert!(index.len() > 8 * 500, "{}", index.len());
    let last = u32::from_be_bytes(index[index.len() - 8..index.len() - 4].try_into().unwrap());
    assert!(last >= 598, "{last}");
}

#[test]
fn syncs_between_appends_make_no_more_room_than_is_used() {
    for writer in [Writer::Chosen, Writer::Map] {
        let vfs = MemoryVfs::new();
        let mut bench = Bench::start(vfs.clone(), config());
        let at = bench.log.take().unwrap().log();
        bench.rig.engine.stop();
        drop(bench);
        let rig = Rig::manual();
        let opened = rig.directory("/data", VfsKind::Memory(vfs.clone()));
        rig.open(opened.id, at.slot, "t-0", config(), false).unwrap();
        let mut log = MappedLog::take(&rig.engine, at, writer).unwrap();
        for _ in 0..40 {
            for _ in 0..30 {
                log.append(None, Some(&[7; 10_000]), NOW, NOW).unwrap();
            }
            log.sync_now().unwrap();
            let bytes = log.marks().bytes;
            assert!(vfs.used() < bytes + (4 << 20), "{writer:?}: {} for {bytes}", vfs.used());
        }
    }
}

/// One that stores nothing through a map.
fn writing(vfs: MemoryVfs, config: LogConfig) -> Bench {
    let mut bench = Bench::start(vfs, config);
    bench.log.take().unwrap().give_back();
    bench.rig.settle();
    bench.log = MappedLog::take(&bench.rig.engine, log(0), Writer::Write);
    bench
}

fn file_bytes(vfs: &MemoryVfs) -> u64 {
    let file = odradek_engine::vfs::read_file(vfs, "/data/t-0/00000000000000000000.log").unwrap();
    file.unwrap().len() as u64
}

#[test]
fn appends_that_each_wait_for_the_disk_are_written_over_zeros_which_a_close_cuts_off() {
    let mut bench = writing(MemoryVfs::new(), config());
    let mut lengths = std::collections::BTreeSet::new();
    for index in 0..200 {
        bench.put(&value(index)).unwrap();
        bench.log().sync_now().unwrap();
        let bytes = bench.log().marks().bytes;
        let length = file_bytes(&bench.vfs);
        assert!(length >= bytes && length <= bytes + (128 << 10), "{length} for {bytes}");
        lengths.insert(length);
    }
    assert!(lengths.len() < 5, "a file that gets longer with each append has its length to sync: {lengths:?}");
    let bytes = bench.log().marks().bytes;
    let vfs = bench.close();
    assert_eq!(file_bytes(&vfs), bytes);
    let mut again = Bench::start(vfs, config());
    assert!((0..200).all(|index| again.values()[index] == value(index)));
}

#[test]
fn one_sync_now_and_then_makes_no_zeros() {
    let mut bench = writing(MemoryVfs::new(), config());
    bench.put(&[7; 100]).unwrap();
    bench.log().sync_now().unwrap();
    bench.put(&[7; 100]).unwrap();
    assert_eq!(file_bytes(&bench.vfs), bench.log().marks().bytes);
}

#[test]
fn no_room_for_zeros_refuses_nothing() {
    let vfs = MemoryVfs::new();
    let mut bench = writing(vfs.clone(), config());
    for index in 0..2 {
        bench.put(&value(index)).unwrap();
        bench.log().sync_now().unwrap();
    }
    vfs.set_capacity(vfs.used() + 10_000);
    for index in 2..20 {
        assert_eq!(bench.put(&value(index)), Ok(index as i64));
        bench.log().sync_now().unwrap();
    }
    let values = bench.values();
    assert!((0..20).all(|index| values[index] == value(index)));
}

#[test]
fn zeros_behind_durable_appends_are_nothing_to_a_start_after_a_power_cut_or_the_end_of_the_process() {
    let vfs = MemoryVfs::tracked();
    let mut bench = writing(vfs.clone(), LogConfig { segment_bytes: 9_000, ..config() });
    for index in 0..60 {
        bench.put(&value(index)).unwrap();
        bench.log().sync_now().unwrap();
        bench.put(&value(index)).unwrap();
        for (seed, keep) in [(0, Keep::All), (1, Keep::None), (2, Keep::Some), (3, Keep::Torn)] {
            let mut again = Bench::start(vfs.crash(seed, keep), config());
            let found = again.values();
            assert!(found.len() > 2 * index, "{} at {index}, {keep:?}", found.len());
            assert!(found.iter().enumerate().all(|(at, found)| *found == value(at / 2)));
            assert_eq!(again.put(b"on"), Ok(found.len() as i64));
        }
    }
}
