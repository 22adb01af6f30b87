//! Many logs, nearly all idle: what they hold open, and that nobody notices when they give it back.

mod common;

use common::*;
use odradek_engine::command::*;
use odradek_engine::config::{Flush, LogConfig};
use odradek_engine::driver::{EngineOptions, Role};
use odradek_engine::error::Code;
use odradek_engine::vfs::{MemoryVfs, VfsKind, read_file};

/// Longer than the sweep's interval.
const LATER_MS: i64 = 61_000;
/// Time for a recovery point, and for finding that nothing came after it.
const SWEEPS: i64 = 3;

struct Many {
    rig: Rig,
    vfs: MemoryVfs,
    directory: DirectoryId,
}

impl Many {
    /// Logs in slots 1 to `logs`; slot 0 is for the clock.
    fn start(logs: u32, open_files: usize, config: &LogConfig) -> Many {
        let vfs = MemoryVfs::new();
        let rig = Rig::with(EngineOptions { manual: true, open_files, ..EngineOptions::default() });
        let directory = rig.directory("/data", VfsKind::Memory(vfs.clone())).id;
        for slot in 0..=logs {
            rig.open(directory, slot, &format!("t-{slot}"), config.clone(), false).unwrap();
        }
        Many { rig, vfs, directory }
    }

    fn append(&self, slot: u32, now_ms: i64) -> i64 {
        let ticket = self.rig.ticket();
        self.rig.submit(append_at(slot, ticket, batch(2, 100, 0), 0, now_ms));
        let (code, info) = self.rig.appended(ticket);
        assert_eq!(code, Code::Ok, "{}", info.text);
        info.end
    }

    /// The clock goes on while the others rest.
    fn pass(&self, from: i64) -> i64 {
        for sweep in 1..=SWEEPS {
            self.append(0, from + sweep * LATER_MS);
            self.rig.settle();
        }
        from + SWEEPS * LATER_MS
    }
}

fn indexed() -> LogConfig {
    LogConfig { index_interval_bytes: 1, ..LogConfig::default() }
}

#[test]
fn logs_that_nobody_writes_to_hold_no_file_open() {
    let many = Many::start(40, 0, &LogConfig::default());
    assert_eq!(many.vfs.open_files(), 0, "new logs");
    for slot in 1..=40 {
        many.append(slot, NOW);
    }
    assert_eq!(many.vfs.open_files(), 40);
    many.pass(NOW);
    assert!(many.vfs.open_files() <= 1, "{} are open", many.vfs.open_files());
}

#[test]
fn an_idle_log_goes_on_where_it_was() {
    let many = Many::start(1, 0, &indexed());
    for _ in 0..30 {
        many.append(1, NOW);
    }
    let before = many.rig.read_all(1, 0, 60);
    let mut now = many.pass(NOW);
    assert_eq!(many.rig.read_all(1, 0, 60), before, "at rest");
    for round in 1..=3 {
        assert_eq!(many.append(1, now), 60 + round * 2);
        now = many.pass(now);
    }
    let all = many.rig.read_all(1, 0, 66);
    assert_eq!(&all[..before.len()], &before[..]);
    assert_eq!(headers(&all).len(), 33);
    for offset in 0..66 {
        let found = many.rig.read(1, offset, 66, 1).unwrap();
        assert_eq!(found.first_offset, offset - offset % 2);
    }
    many.rig.close(1, true).unwrap();
    let again = many.rig.open(many.directory, 1, "t-1", indexed(), true).unwrap();
    assert_eq!((again.end, again.recovered_segments), (66, 0));
}

#[test]
fn an_idle_log_rolls_is_cut_and_looked_up_as_any_other() {
    let many = Many::start(1, 0, &indexed());
    for _ in 0..30 {
        many.append(1, NOW);
    }
    let now = many.pass(NOW);
    let lookup = Lookup::Time { timestamp: NOW };
    match many.rig.answer(|ticket| Command::Lookup { log: log(1), ticket, lookup, limit: 60 }).unwrap() {
        Answer::Found { offset, .. } => assert_eq!(offset, 0),
        other => panic!("{other:?}"),
    }
    many.rig.truncate(1, 40).unwrap();
    assert_eq!(many.append(1, now), 42);
    let now = many.pass(now);
    many.rig.answer(|ticket| Command::Roll { log: log(1), ticket, now_ms: now }).unwrap();
    assert_eq!(many.append(1, now), 44);
    assert_eq!(headers(&many.rig.read_all(1, 0, 44)).len(), 22);
    many.rig.close(1, true).unwrap();
    let again = many.rig.open(many.directory, 1, "t-1", indexed(), true).unwrap();
    assert_eq!((again.end, again.recovered_segments), (44, 0));
}

#[test]
fn the_file_that_a_reader_opened_is_closed_again() {
    let many = Many::start(8, 0, &LogConfig::default());
    for slot in 1..=8 {
        many.append(slot, NOW);
    }
    let now = many.pass(NOW);
    for slot in 1..=8 {
        assert_eq!(headers(&many.rig.read_all(slot, 0, 2)).len(), 1);
    }
    assert!(many.vfs.open_files() >= 8, "while it reads they stay open");
    many.pass(now);
    assert!(many.vfs.open_files() <= 1, "{} are open", many.vfs.open_files());
}

#[test]
fn logs_in_use_beyond_the_bound_close_those_not_used_for_the_longest_time() {
    for flush in [Flush::Group, Flush::Os] {
        let config = LogConfig { flush, ..LogConfig::default() };
        let many = Many::start(100, 16, &config);
        for round in 0..3 {
            for slot in 1..=100 {
                assert_eq!(many.append(slot, NOW), (round + 1) * 2);
                many.rig.settle();
                assert!(many.vfs.open_files() <= 20, "{flush:?}: {} are open", many.vfs.open_files());
            }
        }
        for slot in 1..=100 {
            assert_eq!(headers(&many.rig.read_all(slot, 0, 6)).len(), 3);
        }
        many.rig.settle();
        assert!(many.vfs.open_files() <= 20, "after reading: {} are open", many.vfs.open_files());
    }
}

#[test]
fn one_drain_over_more_logs_than_files_may_be_open_takes_them_all() {
    let many = Many::start(100, 16, &LogConfig::default());
    let tickets: Vec<u32> = (1..=100).map(|_| many.rig.ticket()).collect();
    let append_to = |(at, ticket): (usize, &u32)| append_at(at as u32 + 1, *ticket, batch(1, 10, 0), 0, NOW);
    many.rig.engine.submit(tickets.iter().enumerate().map(append_to).collect());
    assert!(many.rig.engine.step(Role::Lane));
    assert!(many.vfs.open_files() <= 36, "{} are open", many.vfs.open_files());
    many.rig.settle();
    assert!(many.vfs.open_files() <= 16, "{} are open", many.vfs.open_files());
    for (at, ticket) in tickets.iter().enumerate() {
        assert_eq!(many.rig.appended(*ticket).0, Code::Ok);
        assert_eq!(many.rig.sink.synced(log(at as u32 + 1)), 1);
    }
}

#[test]
fn a_log_is_open_once_and_its_name_is_free_after_it() {
    let many = Many::start(1, 0, &LogConfig::default());
    let twice = many.rig.open(many.directory, 9, "t-1", LogConfig::default(), false);
    assert_eq!(twice.unwrap_err().code, Code::Locked);
    many.rig.close(1, true).unwrap();
    assert!(many.rig.open(many.directory, 9, "t-1", LogConfig::default(), true).is_ok());
    many.rig.answer(|ticket| Command::Delete { log: log(9), ticket }).unwrap();
    assert!(many.rig.open(many.directory, 10, "t-1", LogConfig::default(), true).unwrap().created);
}

#[test]
fn which_logs_have_something_to_let_go_of_is_told_of_many_at_once() {
    // More than one look takes.
    let many = Many::start(1300, 0, &LogConfig { retention_ms: 1000, ..LogConfig::default() });
    let due = |now_ms| match many.rig.answer(|ticket| Command::Due { directory: many.directory, ticket, now_ms }) {
        Ok(Answer::Names(names)) => names,
        other => panic!("{other:?}"),
    };
    let old = [1, 700, 1300];
    for slot in old {
        let end = many.append(slot, NOW);
        many.rig.submit(Command::SetMarks { log: log(slot), high_watermark: end });
    }
    assert!(due(NOW).is_empty(), "nothing is that old");
    assert_eq!(due(i64::MAX - 1), old.map(|slot| format!("t-{slot}")));
    let later = NOW + (1 << 50);
    for slot in old {
        many.rig.answer(|ticket| Command::Retain { log: log(slot), ticket, now_ms: later }).unwrap();
    }
    let emptied = later + LogConfig::default().file_delete_delay_ms + 1;
    assert_eq!(due(emptied).len(), old.len(), "their files wait to go");
    for slot in old {
        many.rig.answer(|ticket| Command::Retain { log: log(slot), ticket, now_ms: emptied }).unwrap();
    }
    assert!(due(emptied).is_empty());
    let none = many.rig.answer(|ticket| Command::Due { directory: 77, ticket, now_ms: NOW });
    assert_eq!(none.expect_err("there is no such directory").code, Code::NotFound);
}

#[test]
fn what_a_start_after_a_crash_has_to_read_is_bounded_over_all_logs() {
    const BYTES: u64 = 40_000;
    let rig = Rig::with(EngineOptions { manual: true, recovery_bytes: BYTES, ..EngineOptions::default() });
    let vfs = MemoryVfs::new();
    let directory = rig.directory("/data", VfsKind::Memory(vfs.clone())).id;
    for slot in 0..20 {
        rig.open(directory, slot, &format!("t-{slot}"), LogConfig::default(), false).unwrap();
    }
    let size = batch(1, 100, 0).len() as u64;
    let mut ends = [0u64; 20];
    for n in 0..2000 {
        // Some logs get more than others.
        let slot = (n * n) % 20;
        assert_eq!(rig.append(slot as u32, batch(1, 100, n as u64)).0, Code::Ok);
        ends[slot] += 1;
    }
    rig.answer(|ticket| Command::Checkpoint { directory, ticket }).unwrap();
    let file = read_file(&vfs, "/data/recovery-point-offset-checkpoint").unwrap().unwrap();
    let text = String::from_utf8(file).unwrap();
    let point = |slot: usize| -> u64 {
        let line = text.lines().find(|line| line.starts_with(&format!("t {slot} ")));
        line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
    };
    let above: u64 = ends.iter().enumerate().map(|(slot, end)| (end - point(slot)) * size).sum();
    assert!(above <= BYTES, "{above} bytes lie above the recovery points");
    assert!(above > BYTES / 4, "no more recovery points than are needed");
}

#[test]
fn logs_are_opened_by_as_many_threads_as_are_asked_for() {
    let vfs = MemoryVfs::new();
    let rig = Rig::start(false);
    let directory = rig.directory("/data", VfsKind::Memory(vfs.clone())).id;
    for (round, threads) in [2, 9, 1, 300].into_iter().enumerate() {
        rig.engine.set_recovery_threads(directory, threads).unwrap();
        let first = round as u32 * 200;
        let open = |slot: u32| {
            Command::Open(Box::new(OpenLog {
                log: log(slot),
                ticket: slot,
                directory,
                name: format!("t-{slot}"),
                config: LogConfig::default(),
                topic_id: None,
                clean: false,
                must_exist: false,
                now_ms: NOW,
            }))
        };
        rig.engine.submit((first..first + 200).map(open).collect());
        for slot in first..first + 200 {
            rig.wait(|completion| match completion {
                Completion::Opened { ticket, outcome, .. } if *ticket == slot => Some(outcome.is_ok()),
                _ => None,
            });
        }
    }
    assert_eq!(rig.engine.set_recovery_threads(77, 1).expect_err("there is no such directory").code, Code::NotFound);
    for slot in 0..800 {
        rig.close(slot, true).unwrap();
    }
    rig.engine.close_directory(directory, true, 1).unwrap();
}
