//! Compaction of a log: random scripts of keyed records, tombstones, transactions, rolls, passes and restarts against a
//! model; what a pass may not touch, and what readers see of it.

mod common;
#[path = "common/keyed.rs"]
mod keyed;

use common::*;
use keyed::*;
use odradek_engine::batch::BatchBuilder;
use odradek_engine::command::*;
use odradek_engine::error::Code;
use odradek_engine::vfs::{MemoryVfs, OpenMode, Vfs, VfsKind};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

#[derive(Clone, Debug)]
enum Step {
    Append {
        keys: Vec<u8>,
        codec: u8,
        idempotent: bool,
    },
    Transactional {
        keys: Vec<u8>,
        codec: u8,
    },
    End {
        commit: bool,
    },
    Roll,
    Clean {
        slots: u64,
    },
    Wait {
        ms: i64,
    },
    Restart {
        clean: bool,
    },
    /// All producer snapshots are lost.
    Forget,
}

fn step() -> impl Strategy<Value = Step> {
    let keys = || proptest::collection::vec(prop_oneof![4 => 0u8..6, 1 => 128u8..134], 1..4);
    prop_oneof![
        6 => (keys(), any::<u8>(), any::<bool>())
            .prop_map(|(keys, codec, idempotent)| Step::Append { keys, codec, idempotent }),
        4 => (keys(), any::<u8>()).prop_map(|(keys, codec)| Step::Transactional { keys, codec }),
        3 => any::<bool>().prop_map(|commit| Step::End { commit }),
        2 => Just(Step::Roll),
        4 => prop_oneof![1 => 2u64..8, 3 => Just(1000)].prop_map(|slots| Step::Clean { slots }),
        2 => (0i64..2 * RETENTION_MS).prop_map(|ms| Step::Wait { ms }),
        1 => any::<bool>().prop_map(|clean| Step::Restart { clean }),
        1 => Just(Step::Forget),
    ]
}

fn play(steps: &[Step]) {
    let mut world = World::new(config());
    for step in steps {
        match step {
            Step::Append { keys, codec, idempotent } => {
                world.append(keys, *codec, if *idempotent { Who::Idempotent } else { Who::Anybody });
            }
            Step::Transactional { keys, codec } => world.append(keys, *codec, Who::Transactional),
            Step::End { commit } => {
                if world.open.is_some() {
                    world.end_transaction(*commit);
                }
            }
            Step::Roll => world.roll(),
            Step::Clean { slots } => {
                world.clean(slots * 24);
            }
            Step::Wait { ms } => world.now += ms,
            Step::Restart { clean } => world.restart(*clean),
            Step::Forget => {
                world.rig.close(world.slot, true).unwrap();
                world.rig.engine.close_directory(world.directory, true, 1).unwrap();
                for entry in world.vfs.list(FOLDER).unwrap() {
                    if entry.name.ends_with(".snapshot") {
                        world.vfs.remove_file(&format!("{FOLDER}/{}", entry.name)).unwrap();
                    }
                }
                world.reopen();
            }
        }
    }
    world.clean(1 << 20);
    // Sequences go on where they were, whatever is left of the producers' batches.
    world.restart(true);
    world.append(&[0], 0, Who::Idempotent);
    world.append(&[1], 0, Who::Transactional);
    for from in [0, world.end / 3, world.end - 1] {
        let all = read_log(&world.rig, world.slot, 0, world.end);
        let tail = read_log(&world.rig, world.slot, from, world.end);
        assert_eq!(tail, all.iter().filter(|record| record.offset >= from).cloned().collect::<Vec<_>>());
    }
    world.check();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 4000, ..ProptestConfig::default() })]

    #[test]
    fn a_compacted_log_keeps_the_newest_record_of_each_key(steps in proptest::collection::vec(step(), 1..50)) {
        play(&steps);
    }
}

#[test]
fn a_pass_makes_one_segment_of_what_fits_and_says_how_far_it_came() {
    let mut world = filled();
    let before = world.bases();
    assert!(before.len() > 5);
    let info = world.clean(1 << 20);
    assert_eq!(info.cleaned_to, *before.last().unwrap());
    assert_eq!(world.bases(), before, "each was full before the pass");
    world.append(&[0, 1, 2, 3, 4, 5], 0, Who::Anybody);
    world.roll();
    world.append(&[0], 0, Who::Anybody);
    let info = world.clean(1 << 20);
    let after = world.bases();
    assert!(after.len() < before.len() && after[0] == 0, "{after:?} after {before:?}");
    let names: Vec<String> = world.vfs.list(FOLDER).unwrap().into_iter().map(|entry| entry.name).collect();
    assert!(!names.iter().any(|name| name.ends_with(".cleaned") || name.ends_with(".swap")), "{names:?}");
    let file = world.vfs.open("/data/cleaner-offset-checkpoint", OpenMode::Read).unwrap();
    let mut bytes = vec![0; file.len().unwrap() as usize];
    file.read_at(&mut bytes, 0).unwrap();
    let line = format!("0\n2\nt 0 {}\n#odradek-crc32c ", info.cleaned_to);
    assert!(bytes.starts_with(line.as_bytes()), "{:?}", String::from_utf8(bytes));
    assert_eq!(world.try_clean(1 << 20).unwrap().read_bytes, 0, "nothing is dirty");
    // The old files go after their delay, whoever touches the log next.
    let now_ms = world.now + 100_000;
    world.rig.answer(|ticket| Command::Retain { log: log(0), ticket, now_ms }).unwrap();
    world.rig.settle();
    assert!(!world.vfs.list(FOLDER).unwrap().iter().any(|entry| entry.name.ends_with(".deleted")));
}

#[test]
fn a_segment_that_a_pass_made_as_long_as_its_forerunner_is_not_taken_for_that() {
    let append = |key, codec| Step::Append { keys: vec![key], codec, idempotent: false };
    play(&[append(1, 78), Step::Roll, append(1, 237), Step::Roll, append(0, 0), Step::Clean { slots: 2 }]);
}

#[test]
fn the_dirt_is_counted_by_segments() {
    let mut world = filled();
    let dirt = |world: &World, limit: i64| {
        let now_ms = world.now;
        match world.rig.answer(|ticket| Command::Dirt { log: log(0), ticket, limit, now_ms }).unwrap() {
            Answer::Dirt { clean_bytes, dirty_bytes, overdue_ms } => (clean_bytes, dirty_bytes, overdue_ms),
            other => panic!("{other:?}"),
        }
    };
    let bases = world.bases();
    let (clean, dirty, overdue) = dirt(&world, i64::MAX);
    assert!(clean == 0 && dirty > 3000 && overdue == 0, "{clean} {dirty}");
    assert_eq!(dirt(&world, 0).1, 0, "nothing is stable");
    assert!(dirt(&world, bases[2] + 1).1 < dirty);
    assert_eq!(dirt(&world, bases[2] + 1), dirt(&world, bases[2]), "whole segments count");
    world.clean(1 << 20);
    let (clean, dirty, _) = dirt(&world, i64::MAX);
    assert!(clean > 0 && dirty == 0);
    world.roll();
    let (_, dirty, _) = dirt(&world, i64::MAX);
    assert!(dirty > 0);
    world.config.max_compaction_lag_ms = 500;
    world.config.min_compaction_lag_ms = 400;
    let (config, now_ms) = (Box::new(world.config.clone()), world.now);
    world.rig.answer(|ticket| Command::Configure { log: log(0), ticket, config, now_ms }).unwrap();
    world.now += 300;
    assert_eq!((dirt(&world, i64::MAX).1, dirt(&world, i64::MAX).2), (0, 0), "too young");
    world.now += 250;
    assert_eq!((dirt(&world, i64::MAX).1, dirt(&world, i64::MAX).2), (dirty, 50));
}

#[test]
fn what_is_open_or_not_below_the_high_watermark_is_not_touched() {
    let mut world = World::new(config());
    for _ in 0..4 {
        world.append(&[0, 1, 2], 0, Who::Anybody);
    }
    world.append(&[0], 0, Who::Transactional);
    for _ in 0..8 {
        world.append(&[0, 1, 2], 0, Who::Anybody);
    }
    world.roll();
    let open = world.open.unwrap();
    let info = world.clean(1 << 20);
    assert!(info.cleaned_to <= open, "{info:?}");
    world.end_transaction(true);
    world.rig.submit(Command::SetMarks { log: log(0), high_watermark: open });
    assert!(world.clean(1 << 20).cleaned_to <= open);
    world.rig.submit(Command::SetMarks { log: log(0), high_watermark: world.end });
    assert!(world.clean(1 << 20).cleaned_to > open);
}

#[test]
fn readers_that_began_before_a_pass_keep_their_files() {
    let mut world = filled();
    let flags = ReadFlags { at_least_one: true, ..ReadFlags::default() };
    let before = world.rig.read_with(0, 0, world.end, 700, flags, -1).unwrap();
    let expected = memory(&before);
    world.clean(1 << 20);
    let now_ms = world.now + 100_000;
    world.rig.answer(|ticket| Command::Retain { log: log(0), ticket, now_ms }).unwrap();
    world.rig.settle();
    assert_eq!(memory(&before), expected);
    headers(&expected);
}

#[test]
fn readers_see_whole_batches_while_passes_run() {
    let vfs = MemoryVfs::new();
    let rig = Arc::new(Rig::start(false));
    let directory = rig.directory("/data", VfsKind::Memory(vfs)).id;
    rig.open(directory, 0, "t-0", config(), false).unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let end = Arc::new(AtomicI64::new(0));
    let reader = std::thread::spawn({
        let (rig, done, end) = (rig.clone(), done.clone(), end.clone());
        move || {
            let mut reads = 0;
            while !done.load(Ordering::Acquire) {
                let limit = end.load(Ordering::Acquire);
                let records = read_log(&rig, 0, reads % limit.max(1), limit);
                assert!(records.is_sorted_by_key(|record| record.offset));
                reads += 1;
            }
            reads
        }
    });
    let mut cleaned = 0;
    for round in 0..30u32 {
        for n in 0..8u32 {
            let mut batch = BatchBuilder::new();
            for key in 0..3u8 {
                let value = [&(round * 8 + n).to_be_bytes()[..], &[b'.'; 40]].concat();
                batch = batch.record(NOW, Some(&[(n as u8 + key) % 7]), Some(&value));
            }
            let (code, info) = rig.append(0, batch.build());
            assert_eq!(code, Code::Ok);
            end.store(info.end, Ordering::Release);
            rig.submit(Command::SetMarks { log: log(0), high_watermark: info.end });
        }
        let answer = rig.answer(|ticket| {
            Command::Clean(Box::new(CleanLog {
                log: log(0),
                ticket,
                limit: i64::MAX,
                // Every pass may move the recovery point of the next.
                now_ms: NOW,
                map_bytes: 1 << 20,
                load_factor: 0.9,
                buffer_bytes: 300,
                bytes_per_second: 0.0,
            }))
        });
        match answer.unwrap() {
            Answer::Cleaned(info) => cleaned += info.written_bytes,
            other => panic!("{other:?}"),
        }
        // With it the recovery point is on disk that the next pass needs.
        rig.sync(0).unwrap();
    }
    done.store(true, Ordering::Release);
    assert!(reader.join().unwrap() > 0);
    assert!(cleaned > 0);
    let newest: BTreeSet<u8> =
        read_log(&rig, 0, 0, end.load(Ordering::Acquire)).into_iter().map(|record| record.key).collect();
    assert_eq!(newest.len(), 7);
    rig.engine.stop();
}
