//! Segments that a log lets go of: by age, by size, by its start; what stays readable, what becomes of the files, and
//! power cuts at every operation of it.

mod common;

use common::*;
use odradek_engine::batch::BatchBuilder;
use odradek_engine::command::*;
use odradek_engine::config::{Flush, LogConfig};
use odradek_engine::error::Code;
use odradek_engine::vfs::{Keep, MemoryVfs, Operation, Vfs, VfsKind};
use std::sync::{Arc, Mutex};

const FOLDER: &str = "/data/t-0";
/// One batch of `append` in a log of `small_segments`: two of them fill a segment.
const PAYLOAD: usize = 400;

fn config() -> LogConfig {
    LogConfig { retention_ms: -1, file_delete_delay_ms: 1000, ..small_segments() }
}

struct Kept {
    rig: Rig,
    vfs: MemoryVfs,
    directory: DirectoryId,
    now: i64,
}

impl Kept {
    fn start(config: &LogConfig) -> Kept {
        let vfs = MemoryVfs::tracked();
        let rig = Rig::manual();
        let directory = rig.directory("/data", VfsKind::Memory(vfs.clone())).id;
        rig.open(directory, 0, "t-0", config.clone(), false).unwrap();
        Kept { rig, vfs, directory, now: NOW }
    }

    /// Appends one record at a time; their timestamps are `NOW` and the record's offset.
    fn append(&self, from: i64, to: i64) {
        for offset in from..to {
            let ticket = self.rig.ticket();
            self.rig.submit(append_at(0, ticket, batch(1, PAYLOAD, offset as u64), 0, NOW));
            let (code, info) = self.rig.appended(ticket);
            assert_eq!((code, info.base), (Code::Ok, offset), "{}", info.text);
        }
        self.mark(to);
    }

    fn mark(&self, high_watermark: i64) {
        self.rig.submit(Command::SetMarks { log: log(0), high_watermark });
    }

    fn marks(&self, command: impl FnOnce(u32) -> Command) -> (i64, i64) {
        match self.rig.answer(command).unwrap() {
            Answer::Marks { start, end, .. } => (start, end),
            other => panic!("{other:?}"),
        }
    }

    fn retain(&self) -> (i64, i64) {
        let now_ms = self.now;
        let marks = self.marks(|ticket| Command::Retain { log: log(0), ticket, now_ms });
        self.rig.settle();
        marks
    }

    fn configure(&self, config: LogConfig) {
        let now_ms = self.now;
        self.rig.answer(|ticket| Command::Configure { log: log(0), ticket, config: Box::new(config), now_ms }).unwrap();
    }

    fn advance_start(&self, offset: i64) -> (i64, i64) {
        let now_ms = self.now;
        let marks = self.marks(|ticket| Command::AdvanceStart { log: log(0), ticket, offset, now_ms });
        self.rig.settle();
        marks
    }

    fn files(&self, suffix: &str) -> Vec<i64> {
        let names = self.vfs.list(FOLDER).unwrap();
        names.iter().filter_map(|entry| entry.name.strip_suffix(suffix)?.parse().ok()).collect()
    }

    /// The file's entries.
    fn checkpoint(&self, name: &str) -> String {
        let file = self.vfs.open(&format!("/data/{name}"), odradek_engine::vfs::OpenMode::Read).unwrap();
        let mut bytes = vec![0; file.len().unwrap() as usize];
        file.read_at(&mut bytes, 0).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let entries = text.lines().skip(2).filter(|line| !line.starts_with("#odradek-crc32c"));
        entries.map(|line| format!("{line}\n")).collect()
    }
}

#[test]
fn a_segment_goes_when_its_largest_timestamp_is_too_old() {
    let mut kept = Kept::start(&LogConfig { retention_ms: 1000, ..config() });
    kept.append(0, 5);
    assert_eq!(kept.files(".log"), [0, 2, 4]);
    // The records at 1 and 3 are the newest of their segments.
    kept.now = NOW + 1001;
    assert_eq!(kept.retain(), (0, 5), "an age of exactly retention.ms is kept");
    kept.now = NOW + 1002;
    assert_eq!(kept.retain(), (2, 5));
    assert_eq!((kept.files(".log"), kept.files(".log.deleted")), (vec![2, 4], vec![0]));
    assert_eq!(kept.rig.read(0, 1, 5, 10_000).unwrap_err().code, Code::OutOfRange);
    assert_eq!(kept.rig.read_all(0, 2, 5).len(), 3 * (kept.rig.read_all(0, 4, 5).len()));
}

#[test]
fn the_active_segment_expires_too_and_another_one_begins() {
    let mut kept = Kept::start(&LogConfig { retention_ms: 1000, ..config() });
    kept.append(0, 5);
    kept.now = NOW + 100_000;
    assert_eq!(kept.retain(), (5, 5));
    assert_eq!((kept.files(".log"), kept.files(".log.deleted")), (vec![5], vec![0, 2, 4]));
    assert_eq!(kept.retain(), (5, 5), "an empty active segment stays");
    kept.append(5, 6);
    assert_eq!(kept.rig.read_all(0, 5, 6).len(), kept.rig.read(0, 5, 6, 10_000).unwrap().total as usize);
}

#[test]
fn nothing_above_the_high_watermark_goes() {
    let mut kept = Kept::start(&LogConfig { retention_ms: 0, ..config() });
    kept.append(0, 5);
    kept.now = NOW + 100_000;
    kept.mark(3);
    assert_eq!(kept.retain(), (2, 5), "the segment of 2 and 3 is not below it as a whole");
    kept.mark(4);
    assert_eq!(kept.retain(), (4, 5));
}

#[test]
fn segments_go_until_the_rest_has_retention_bytes() {
    let mut kept = Kept::start(&config());
    kept.append(0, 9);
    let size = kept.rig.engine.directory_use(kept.directory).unwrap().logs[0].1 as i64;
    let record = size / 9;
    kept.now = NOW + 1;
    for (bytes, start) in [(-1, 0), (size, 0), (size - 2 * record + 1, 0), (size - 2 * record, 2), (4 * record, 4)] {
        kept.configure(LogConfig { retention_bytes: bytes, ..config() });
        assert_eq!(kept.retain(), (start, 9), "retention.bytes {bytes} of {size}");
    }
    assert_eq!(kept.rig.engine.directory_use(kept.directory).unwrap().logs[0].1 as i64, 5 * record);
    kept.configure(LogConfig { retention_bytes: 0, ..config() });
    assert_eq!(kept.retain(), (9, 9));
}

#[test]
fn without_delete_in_the_policy_only_the_start_counts() {
    let mut kept = Kept::start(&LogConfig { deletes: false, retention_ms: 0, retention_bytes: 0, ..config() });
    kept.append(0, 7);
    kept.now = NOW + 100_000;
    assert_eq!(kept.retain(), (0, 7));
    assert_eq!(kept.advance_start(3), (3, 7));
    assert_eq!((kept.files(".log"), kept.files(".log.deleted")), (vec![2, 4, 6], vec![0]));
    assert_eq!(kept.rig.read(0, 2, 7, 10_000).unwrap_err().code, Code::OutOfRange);
    assert_eq!(kept.advance_start(7), (7, 7));
    assert_eq!(kept.files(".log"), [6], "the active segment stays, though its records count as deleted");
}

#[test]
fn records_without_timestamps_are_as_old_as_their_file() {
    let mut kept = Kept::start(&LogConfig { retention_ms: 0, ..config() });
    for _ in 0..4 {
        let batch = BatchBuilder::new().record(-1, Some(b"key"), Some(&[b'v'; PAYLOAD])).build();
        let (code, info) = kept.rig.append(0, batch);
        assert_eq!(code, Code::Ok, "{}", info.text);
    }
    kept.mark(4);
    kept.now = NOW + 100_000;
    assert_eq!(kept.retain(), (0, 4), "this file system keeps no times");
}

#[test]
fn files_that_have_their_last_name_go_after_the_delay_or_at_the_next_open() {
    let mut kept = Kept::start(&LogConfig { retention_ms: 1000, ..config() });
    kept.append(0, 5);
    kept.now = NOW + 1003;
    kept.retain();
    assert_eq!((kept.files(".log.deleted"), kept.files(".index.deleted")), (vec![0], vec![0]));
    kept.now += 999;
    kept.retain();
    assert_eq!(kept.files(".log.deleted"), [0, 2, 4], "more of them; the first is not due");
    kept.now += 1;
    kept.retain();
    assert_eq!((kept.files(".log.deleted"), kept.files(".index.deleted")), (vec![2, 4], vec![2, 4]));
    kept.rig.close(0, true).unwrap();
    let info = kept.rig.open(kept.directory, 0, "t-0", config(), true).unwrap();
    assert_eq!((info.start, info.end), (5, 5));
    assert_eq!((kept.files(".log"), kept.files(".log.deleted")), (vec![5], vec![]));
}

#[test]
fn files_wait_for_no_others_when_the_delay_was_shortened_between_them() {
    for (long, short) in [(2, 8), (8, 2), (4, 6)] {
        let mut kept = Kept::start(&LogConfig { file_delete_delay_ms: 3_600_000, ..config() });
        kept.append(0, 21);
        kept.advance_start(long);
        let stay: Vec<i64> = (0..long).step_by(2).collect();
        assert_eq!(kept.files(".log.deleted"), stay);
        kept.configure(LogConfig { file_delete_delay_ms: 0, ..config() });
        kept.advance_start(long + short);
        kept.now += 1;
        kept.retain();
        kept.rig.settle();
        assert_eq!(kept.files(".log.deleted"), stay, "{short} records more");
        kept.now += 3_600_000;
        kept.retain();
        assert_eq!(kept.files(".log.deleted"), []);
    }
}

#[test]
fn a_start_that_is_a_segments_base_needs_no_entry_once_the_files_are_gone() {
    let kept = Kept::start(&config());
    kept.append(0, 5);
    kept.advance_start(2);
    kept.rig.answer(|ticket| Command::Checkpoint { directory: kept.directory, ticket }).unwrap();
    assert_eq!(kept.checkpoint("log-start-offset-checkpoint"), "");
    kept.advance_start(3);
    kept.rig.answer(|ticket| Command::Checkpoint { directory: kept.directory, ticket }).unwrap();
    assert_eq!(kept.checkpoint("log-start-offset-checkpoint"), "t 0 3\n");
}

#[test]
fn a_reader_keeps_the_file_that_it_has_and_the_next_read_is_out_of_range() {
    let mut kept = Kept::start(&LogConfig { retention_ms: 1000, file_delete_delay_ms: 0, ..config() });
    kept.append(0, 5);
    let flags = ReadFlags { at_least_one: true, ..ReadFlags::default() };
    let held = kept.rig.read_with(0, 0, 5, 10_000, flags, -1).unwrap();
    kept.now = NOW + 100_000;
    kept.retain();
    kept.retain();
    assert_eq!(kept.files(".log.deleted"), []);
    assert_eq!(headers(&memory(&held)).len(), 2);
    assert_eq!(kept.rig.read(0, 0, 5, 10_000).unwrap_err().code, Code::OutOfRange);
}

#[test]
fn files_stay_until_a_producer_snapshot_stands_above_them() {
    let vfs = MemoryVfs::tracked();
    let rig = Rig::manual();
    let directory = rig.directory("/data", VfsKind::Memory(vfs.clone())).id;
    rig.open(directory, 0, "t-0", config(), false).unwrap();
    let sequenced = |sequence: i32| {
        BatchBuilder::new().producer(7, 0, sequence).record(NOW, Some(b"key"), Some(&[b'v'; PAYLOAD])).build()
    };
    for sequence in 0..4 {
        assert_eq!(rig.append(0, sequenced(sequence)).0, Code::Ok);
    }
    assert_eq!(rig.append(0, batch(1, PAYLOAD, 1)).0, Code::Ok);
    rig.submit(Command::SetMarks { log: log(0), high_watermark: 5 });
    rig.answer(|ticket| Command::AdvanceStart { log: log(0), ticket, offset: 4, now_ms: NOW }).unwrap();
    rig.settle();
    let again = Rig::manual();
    let opened = again.directory("/data", VfsKind::Memory(vfs.crash(0, Keep::None)));
    let info = again.open(opened.id, 0, "t-0", config(), opened.clean).unwrap();
    assert_eq!((info.start, info.end), (4, 5));
    let (code, appended) = again.append(0, sequenced(3));
    assert_eq!((code, appended.duplicate, appended.base), (Code::Ok, true, 3), "{}", appended.text);
}

#[test]
fn a_full_disk_keeps_the_files_and_loses_nothing() {
    let mut kept = Kept::start(&LogConfig { retention_ms: 1000, ..config() });
    kept.append(0, 5);
    kept.now = NOW + 1002;
    kept.vfs.fail(Operation::Write, 1, libc::ENOSPC);
    kept.retain();
    kept.now += 61_000;
    kept.append(5, 6);
    kept.retain();
    assert!(kept.files(".log").iter().all(|base| *base >= 4), "{:?}", kept.files(".log"));
    kept.rig.read_all(0, kept.retain().0, 6);
}

/// What was true when an image was taken: nothing below `start` may come back once `start` was answered and
/// checkpointed, and nothing from `asked` on may be missing.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// The lowest start that the image may have.
    start: i64,
    /// The highest.
    asked: i64,
    synced: i64,
}

#[test]
fn power_cuts_while_segments_go_lose_no_live_record_and_bring_no_deleted_one_back() {
    for flush in [Flush::Group, Flush::Os] {
        let config = LogConfig { flush, retention_ms: 1000, ..config() };
        let mut kept = Kept::start(&config);
        let bounds = Arc::new(Mutex::new(Bounds { start: 0, asked: 0, synced: 0 }));
        let images = Arc::new(Mutex::new(Vec::new()));
        let (now, taken, sink) = (bounds.clone(), images.clone(), kept.rig.sink.clone());
        kept.vfs.observe(move |fork| {
            let bounds = Bounds { synced: sink.synced(log(0)).max(0), ..*now.lock().unwrap() };
            taken.lock().unwrap().push((fork.clone(), bounds));
        });
        let asked = |offset| bounds.lock().unwrap().asked = offset;
        let durable = |kept: &Kept, start| {
            kept.rig.answer(|ticket| Command::Checkpoint { directory: kept.directory, ticket }).unwrap();
            bounds.lock().unwrap().start = start;
        };
        kept.append(0, 9);
        asked(3);
        kept.advance_start(3);
        durable(&kept, 3);
        kept.append(9, 11);
        // The newest record that may go is that at 5.
        kept.now = NOW + 1006;
        asked(6);
        assert_eq!(kept.retain().0, 6);
        durable(&kept, 6);
        kept.now += 61_000;
        asked(11);
        assert_eq!(kept.retain(), (11, 11));
        durable(&kept, 11);
        kept.append(11, 14);
        kept.rig.sync(0).unwrap();
        kept.rig.close(0, true).unwrap();
        kept.vfs.stop_observing();
        let images = std::mem::take(&mut *images.lock().unwrap());
        assert!(images.len() > 60, "{}", images.len());
        for (number, (image, bounds)) in images.iter().enumerate() {
            let seed = number as u64 * 7919;
            let kinds = [
                (Keep::None, 0),
                (Keep::All, 0),
                (Keep::Some, seed),
                (Keep::Some, seed + 1),
                (Keep::Some, seed + 2),
                (Keep::Torn, seed + 3),
            ];
            for (keep, seed) in kinds {
                let what = format!("{flush:?}, image {number} of {}, {keep:?} {seed}, {bounds:?}", images.len());
                check(image.crash(seed, keep), *bounds, &config, &what);
            }
        }
    }
}

fn check(image: MemoryVfs, bounds: Bounds, config: &LogConfig, what: &str) {
    let rig = Rig::manual();
    let opened = rig.directory("/data", VfsKind::Memory(image));
    let info = rig
        .open(opened.id, 0, "t-0", LogConfig { retention_ms: -1, ..config.clone() }, opened.clean)
        .unwrap_or_else(|failure| panic!("{what}: {failure:?}"));
    assert!(info.end >= bounds.synced, "{what}: ends at {}", info.end);
    assert!((bounds.start..=bounds.asked.max(bounds.start)).contains(&info.start), "{what}: starts at {}", info.start);
    if info.start > 0 {
        assert_eq!(rig.read(0, info.start - 1, info.end, 10_000).unwrap_err().code, Code::OutOfRange, "{what}");
    }
    let found = headers(&rig.read_all(0, info.start, info.end));
    let mut next = info.start;
    for header in found.iter().filter(|header| header.base_offset >= info.start) {
        assert_eq!(header.base_offset, next, "{what}");
        next = header.next_offset();
    }
    assert_eq!(next, info.end, "{what}");
    // It goes on, and what is left of the old files goes.
    let (code, appended) = rig.append(0, batch(1, 20, 77));
    assert_eq!((code, appended.base), (Code::Ok, info.end), "{what}");
    rig.submit(Command::SetMarks { log: log(0), high_watermark: info.end + 1 });
    rig.answer(|ticket| Command::Retain { log: log(0), ticket, now_ms: NOW }).unwrap();
    rig.settle();
    assert!(!rig.read_all(0, info.start, info.end + 1).is_empty(), "{what}");
}
