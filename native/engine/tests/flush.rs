//! `flush=os` with bounds: a sync at the n-th message, or when unsynced messages have an age; live.

mod common;

use common::*;
use odradek_engine::command::*;
use odradek_engine::config::{Flush, LogConfig};
use odradek_engine::vfs::{MemoryVfs, Operation, VfsKind};

struct Bench {
    rig: Rig,
    vfs: MemoryVfs,
    directory: DirectoryId,
}

fn config(flush_messages: i64, flush_ms: i64) -> LogConfig {
    LogConfig { flush: Flush::Os, flush_messages, flush_ms, ..LogConfig::default() }
}

fn start(config: LogConfig) -> Bench {
    let (rig, vfs) = (Rig::manual(), MemoryVfs::tracked());
    let directory = rig.directory("/data", VfsKind::Memory(vfs.clone())).id;
    rig.open(directory, 0, "t-0", config, false).unwrap();
    vfs.watch();
    Bench { rig, vfs, directory }
}

impl Bench {
    fn append(&self, count: usize, now_ms: i64) {
        let ticket = self.rig.ticket();
        self.rig.submit(append_at(0, ticket, batch(count, 20, 1), 0, now_ms));
        self.rig.appended(ticket);
        self.rig.settle();
    }

    fn look(&self, now_ms: i64, sweep: bool) {
        let directory = self.directory;
        self.rig.answer(|ticket| Command::Look { directory, ticket, now_ms, sweep }).unwrap();
        self.rig.settle();
    }

    fn configure(&self, config: LogConfig) {
        let config = Box::new(config);
        self.rig.answer(|ticket| Command::Configure { log: log(0), ticket, config, now_ms: NOW }).unwrap();
    }

    fn synced(&self) -> i64 {
        self.rig.sink.synced(log(0))
    }
}

#[test]
fn a_log_is_synced_at_the_nth_message() {
    let bench = start(config(5, i64::MAX));
    bench.append(4, NOW);
    assert_eq!(bench.synced(), -1);
    bench.append(1, NOW);
    assert_eq!(bench.synced(), 5);
    bench.append(4, NOW);
    assert_eq!(bench.synced(), 5);
    bench.append(9, NOW);
    assert_eq!(bench.synced(), 18);
    bench.configure(config(2, i64::MAX));
    bench.append(1, NOW);
    bench.append(1, NOW);
    assert_eq!(bench.synced(), 20, "the new bound counts at once");
    bench.configure(config(i64::MAX, i64::MAX));
    bench.append(100, NOW);
    assert_eq!(bench.synced(), 20);
}

#[test]
fn messages_of_an_age_are_synced_when_the_log_is_looked_at() {
    let bench = start(config(i64::MAX, 500));
    bench.append(1, NOW);
    bench.look(NOW + 499, false);
    assert_eq!(bench.synced(), -1);
    bench.look(NOW + 500, false);
    assert_eq!(bench.synced(), 1);
    let syncs = bench.vfs.count(Operation::SyncData);
    bench.look(NOW + 5000, false);
    assert_eq!(bench.vfs.count(Operation::SyncData), syncs, "nothing has come since");
    bench.append(1, NOW + 6000);
    bench.look(NOW + 6400, false);
    assert_eq!(bench.synced(), 1, "the age counts from the oldest that is not synced");
    bench.configure(config(i64::MAX, 300));
    bench.look(NOW + 6400, false);
    assert_eq!(bench.synced(), 2);
}

#[test]
fn without_bounds_a_look_syncs_nothing() {
    let bench = start(config(i64::MAX, i64::MAX));
    bench.append(3, NOW);
    bench.look(NOW + 50_000, false);
    assert_eq!(bench.vfs.count(Operation::SyncData), 0);
}

#[test]
fn a_look_that_sweeps_moves_recovery_points_before_their_time() {
    let bench = start(LogConfig::default());
    bench.append(3, NOW);
    bench.look(NOW + 100, true);
    let checkpoint = odradek_engine::vfs::read_file(&bench.vfs, "/data/recovery-point-offset-checkpoint").unwrap();
    assert!(checkpoint.is_some_and(|bytes| bytes.starts_with(b"0\n2\nt 0 3\n#odradek-crc32c ")));
}

#[test]
fn a_cut_below_the_last_sync_starts_the_count_anew() {
    let bench = start(config(3, i64::MAX));
    bench.append(1, NOW);
    bench.append(1, NOW);
    bench.append(1, NOW);
    assert_eq!(bench.synced(), 3);
    bench.rig.truncate(0, 1).unwrap();
    bench.rig.sink.completions.lock().unwrap().clear();
    bench.append(2, NOW);
    assert_eq!(bench.synced(), -1);
    bench.append(1, NOW);
    assert_eq!(bench.synced(), 4);
}

#[test]
fn many_logs_have_their_recovery_points_moved_in_turn() {
    const LOGS: u32 = 1200;
    let bench = start(LogConfig::default());
    for slot in 1..LOGS {
        bench.rig.open(bench.directory, slot, &format!("t-{slot}"), LogConfig::default(), false).unwrap();
    }
    let points = || {
        let file = odradek_engine::vfs::read_file(&bench.vfs, "/data/recovery-point-offset-checkpoint").unwrap();
        String::from_utf8(file.unwrap_or_default()).unwrap().lines().filter(|line| line.starts_with("t ")).count()
    };
    for slot in 0..LOGS {
        bench.rig.submit(append_at(slot, bench.rig.ticket(), batch(1, 10, 1), 0, NOW));
    }
    bench.rig.settle();
    let counts: Vec<usize> = (1..=4)
        .map(|n| {
            bench.look(NOW + n * 1000, true);
            points()
        })
        .collect();
    assert_eq!(counts, [512, 1024, 1200, 1200]);
}
