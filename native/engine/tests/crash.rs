//! Power cuts at every operation of scripts that append, roll, truncate, checkpoint, close and open again. Each image
//! is opened as a broker would open it: nothing that was reported as synced may be missing, nothing may appear that was
//! never appended, and the log goes on.

mod common;

use common::*;
use odradek_engine::batch::Header;
use odradek_engine::command::*;
use odradek_engine::config::{Flush, LogConfig};
use odradek_engine::error::Code;
use odradek_engine::vfs::{Keep, MemoryVfs, VfsKind};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// What the script knows at one moment.
#[derive(Clone, Default)]
struct Known {
    /// Everything below is on disk, by what the engine has reported since the last truncation.
    synced: i64,
    end: i64,
    /// All that ever stood at a base offset, the newest last: end offset and mark.
    ever: BTreeMap<i64, Vec<(i64, u64)>>,
}

struct Script {
    rig: Rig,
    vfs: MemoryVfs,
    known: Arc<Mutex<Known>>,
    images: Arc<Mutex<Vec<(MemoryVfs, Known)>>>,
    directory: DirectoryId,
    now: i64,
    epoch: i32,
    mark: u64,
    config: LogConfig,
}

impl Script {
    fn start(config: LogConfig) -> Script {
        let vfs = MemoryVfs::tracked();
        let known = Arc::new(Mutex::new(Known::default()));
        let images = Arc::new(Mutex::new(Vec::new()));
        let mut script =
            Script { rig: Rig::manual(), vfs, known, images, directory: 0, now: NOW, epoch: 0, mark: 0, config };
        script.observe();
        script.open();
        script
    }

    fn observe(&self) {
        let (known, images, sink) = (self.known.clone(), self.images.clone(), self.rig.sink.clone());
        self.vfs.observe(move |fork| {
            let mut known = known.lock().unwrap().clone();
            known.synced = sink.synced(log(0)).max(0);
            images.lock().unwrap().push((fork.clone(), known));
        });
    }

    fn open(&mut self) {
        let opened = self.rig.directory("/data", VfsKind::Memory(self.vfs.clone()));
        self.directory = opened.id;
        self.rig.open(opened.id, 0, "t-0", self.config.clone(), opened.clean).unwrap();
    }

    fn append(&mut self, count: usize, size: usize) {
        self.mark += 1;
        let mark = self.mark;
        let base = self.known.lock().unwrap().end;
        let end = base + count as i64;
        // Known before it is done: a crash in the middle may leave it.
        self.known.lock().unwrap().ever.entry(base).or_default().push((end, mark));
        let ticket = self.rig.ticket();
        self.rig.submit(append_at(0, ticket, batch(count, size, mark), self.epoch, self.now));
        let (code, info) = self.rig.appended(ticket);
        assert_eq!((code, info.base, info.end), (Code::Ok, base, end), "{}", info.text);
        self.known.lock().unwrap().end = end;
    }

    fn truncate(&mut self, offset: i64) {
        self.known.lock().unwrap().synced = 0;
        self.rig.sink.completions.lock().unwrap().clear();
        match self.rig.truncate(0, offset).unwrap() {
            Answer::Marks { end, .. } => {
                let mut known = self.known.lock().unwrap();
                known.end = end;
                // What was cut stays away once the cut is answered.
                known.ever.retain(|base, _| *base < end);
            }
            other => panic!("{other:?}"),
        }
        self.epoch += 1;
    }

    fn crash_and_check(self) -> usize {
        self.vfs.stop_observing();
        let images = std::mem::take(&mut *self.images.lock().unwrap());
        let mut checked = 0;
        for (number, (image, known)) in images.iter().enumerate() {
            let seed = number as u64 * 7919;
            let kinds = [
                (Keep::None, 0),
                (Keep::All, 0),
                (Keep::Some, seed),
                (Keep::Some, seed + 1),
                (Keep::Torn, seed + 2),
                (Keep::Torn, seed + 3),
            ];
            for (keep, seed) in kinds {
                let what = format!("image {number} of {}, {keep:?} {seed}", images.len());
                check(image.crash(seed, keep), known, &self.config, self.epoch, &what);
                checked += 1;
            }
        }
        checked
    }
}

fn check(image: MemoryVfs, known: &Known, config: &LogConfig, epoch: i32, what: &str) {
    let rig = Rig::manual();
    let opened = rig.directory("/data", VfsKind::Memory(image));
    let info = match rig.open(opened.id, 0, "t-0", config.clone(), opened.clean) {
        Ok(info) => info,
        Err(failure) => panic!("{what}: {failure:?}"),
    };
    assert!(info.end >= known.synced, "{what}: ends at {}, {} was synced", info.end, known.synced);
    match config.flush {
        Flush::Group => assert_eq!(info.synced_end, info.end, "{what}"),
        Flush::Os => assert!(info.synced_end <= info.end, "{what}"),
    }
    let bytes = rig.read_all(0, 0, info.end);
    let mut at = 0;
    let mut next = 0;
    while at < bytes.len() {
        let header = Header::read(&bytes[at..]).unwrap();
        let end = at + header.total_bytes();
        assert!(odradek_engine::batch::verify_crc(&bytes[at..end]), "{what}: offset {}", header.base_offset);
        assert_eq!(header.base_offset, next, "{what}");
        let found = (header.next_offset(), mark_of(&bytes[at..end]));
        if header.next_offset() <= known.synced {
            let newest = known.ever.get(&next).and_then(|ever| ever.last());
            assert_eq!(newest, Some(&found), "{what}: offset {next} was synced");
        } else {
            assert!(
                known.ever.get(&next).is_some_and(|ever| ever.contains(&found)),
                "{what}: {found:?} at {next} never was"
            );
        }
        next = header.next_offset();
        at = end;
    }
    assert_eq!(next, info.end, "{what}");
    let ticket = rig.ticket();
    rig.submit(append_at(0, ticket, batch(1, 20, 77), epoch + 1, NOW));
    let (code, appended) = rig.appended(ticket);
    assert_eq!((code, appended.base), (Code::Ok, info.end), "{what}");
    if config.flush == Flush::Group {
        assert_eq!(rig.sink.synced(log(0)), info.end + 1, "{what}");
    }
    let last = rig.read(0, info.end, info.end + 1, 1000).unwrap();
    assert_eq!(mark_of(&memory(&last)), 77, "{what}");
}

#[test]
fn nothing_synced_is_lost_when_power_fails_while_appending_and_rolling() {
    let mut script = Script::start(small_segments());
    for n in 0..14 {
        script.append(1 + n % 3, 40 + n * 10);
    }
    script.rig.answer(|ticket| Command::Roll { log: log(0), ticket, now_ms: NOW }).unwrap();
    script.append(2, 30);
    assert!(script.crash_and_check() > 400);
}

#[test]
fn nothing_synced_is_lost_when_power_fails_while_truncating() {
    let mut script = Script::start(small_segments());
    for n in 0..10 {
        script.append(2, 60 + n);
    }
    // Recovery points, so that a truncation has to lower them.
    script.now += 61_000;
    script.append(1, 10);
    script.truncate(18);
    script.append(2, 200);
    script.append(1, 10);
    script.truncate(4);
    for _ in 0..6 {
        script.append(2, 90);
    }
    script.truncate(0);
    script.append(1, 10);
    assert!(script.crash_and_check() > 400);
}

#[test]
fn nothing_synced_is_lost_when_power_fails_around_checkpoints_and_closing() {
    let mut script = Script::start(small_segments());
    for round in 0..3 {
        for n in 0..4 {
            script.append(2, 50 + n);
        }
        script.now += 61_000;
        script.append(1, 25);
        script.rig.answer(|ticket| Command::Checkpoint { directory: script.directory, ticket }).unwrap();
        script.append(1, 25);
        script.rig.close(0, true).unwrap();
        script.rig.engine.close_directory(script.directory, round != 1, 5).unwrap();
        script.open();
    }
    script.append(1, 10);
    assert!(script.crash_and_check() > 400);
}

#[test]
fn a_log_of_the_page_cache_keeps_what_a_sync_has_covered() {
    let mut script = Script::start(LogConfig { flush: Flush::Os, ..small_segments() });
    for n in 0..8 {
        script.append(1 + n % 2, 70);
    }
    script.rig.sync(0).unwrap();
    for _ in 0..3 {
        script.append(1, 70);
    }
    assert!(script.crash_and_check() > 200);
}

#[test]
fn what_a_killed_process_left_in_the_cache_is_on_disk_when_it_counts_as_synced() {
    for flush in [Flush::Os, Flush::Group] {
        let mut script = Script::start(LogConfig { flush, ..small_segments() });
        script.rig.sync(0).unwrap();
        for n in 0..12 {
            script.append(1 + n % 2, 70);
        }
        script.vfs.stop_observing();
        // The process ends, and the system's cache stays.
        let vfs = script.vfs.fork();
        let config = LogConfig { flush, ..small_segments() };
        let open = |vfs: &MemoryVfs| {
            let rig = Rig::manual();
            let directory = rig.directory("/data", VfsKind::Memory(vfs.clone())).id;
            let info = rig.open(directory, 0, "t-0", config.clone(), false).unwrap();
            (rig, info)
        };
        let (rig, info) = open(&vfs);
        assert_eq!(info.end, script.known.lock().unwrap().end);
        let (_, cut) = open(&vfs.crash(0, Keep::None));
        assert!(cut.end >= info.synced_end, "{} was said to be synced, {} is there", info.synced_end, cut.end);
        rig.sync(0).unwrap();
        assert_eq!(rig.sink.synced(log(0)).max(info.synced_end), info.end);
        let (_, cut) = open(&vfs.crash(0, Keep::None));
        assert_eq!(cut.end, info.end, "{flush:?}: all of it was synced");
    }
}

#[test]
fn a_deleted_log_does_not_come_back_under_its_name() {
    let vfs = MemoryVfs::tracked();
    let rig = Rig::manual();
    let directory = rig.directory("/data", VfsKind::Memory(vfs.clone()));
    rig.open(directory.id, 0, "t-0", small_segments(), false).unwrap();
    for n in 0..10 {
        rig.append(0, batch(2, 60, n));
    }
    let ticket = rig.ticket();
    rig.submit(append_at(0, ticket, batch(1, 10, 50), 0, NOW + 61_000));
    rig.appended(ticket);
    rig.answer(|ticket| Command::Checkpoint { directory: directory.id, ticket }).unwrap();
    rig.answer(|ticket| Command::Delete { log: log(0), ticket }).unwrap();
    let images = Arc::new(Mutex::new(Vec::new()));
    let kept = images.clone();
    vfs.observe(move |fork| kept.lock().unwrap().push(fork.clone()));
    rig.open(directory.id, 1, "t-0", small_segments(), false).unwrap();
    rig.append(1, batch(1, 10, 51));
    vfs.stop_observing();
    for (number, image) in images.lock().unwrap().iter().enumerate() {
        for keep in [Keep::None, Keep::All, Keep::Some, Keep::Torn] {
            let rig = Rig::manual();
            let opened = rig.directory("/data", VfsKind::Memory(image.crash(number as u64, keep)));
            let info = rig.open(opened.id, 0, "t-0", small_segments(), opened.clean).unwrap();
            assert!(info.end <= 1, "image {number} {keep:?}: ends at {}", info.end);
        }
    }
}
