//! Dump, verify and repair over directories that the engine wrote, whole and with random damage.

mod common;

use common::*;
use odradek_engine::batch::{BatchBuilder, attributes, marker};
use odradek_engine::command::*;
use odradek_engine::config::{CompressionType, LogConfig};
use odradek_engine::error::Code;
use odradek_engine::inspect::{Finding, Fix, Mode, Request, Severity, Target, VerifyOptions, plan, run, verify};
use odradek_engine::vfs::{Keep, MemoryVfs, OpenMode, Operation, Vfs, VfsKind, path, read_file, write_all_at};
use proptest::prelude::*;
use std::sync::{Arc, Mutex, OnceLock};

const FOLDER: &str = "d/t-0";

/// A directory with a closed log: several segments, codecs, transactions that commit and abort, two epochs.
fn closed() -> MemoryVfs {
    static MADE: OnceLock<MemoryVfs> = OnceLock::new();
    MADE.get_or_init(|| {
        let vfs = MemoryVfs::tracked();
        let rig = Rig::manual();
        let directory = rig.directory("d", VfsKind::Memory(vfs.clone())).id;
        rig.open(directory, 0, "t-0", small_segments(), true).unwrap();
        let send = |batch: Vec<u8>, epoch: i32, origin: Origin| {
            let ticket = rig.ticket();
            let Command::Append { log, batch, .. } = append(0, ticket, batch) else { unreachable!() };
            rig.submit(Command::Append {
                log,
                ticket,
                batch,
                leader_epoch: epoch,
                origin,
                wake: Wake::Synced,
                transaction_version: 1,
                now_ms: NOW,
                expected_base: -1,
            });
            assert_eq!(rig.appended(ticket).0, Code::Ok);
        };
        for round in 0..12u64 {
            let epoch = (round / 6) as i32;
            send(batch(3, 60, round), epoch, Origin::Client);
            let codec =
                [CompressionType::Gzip { level: -1 }, CompressionType::Snappy, CompressionType::Lz4 { level: 9 }];
            let packed = (0..4).fold(BatchBuilder::new().compression(codec[round as usize % 3]), |batch, n| {
                batch.record(NOW + round as i64 * 10 + n, None, Some(&[n as u8; 50]))
            });
            send(packed.build(), epoch, Origin::Client);
            let open = BatchBuilder::new().producer(7, 0, round as i32).attributes(attributes::TRANSACTIONAL);
            send(open.record(NOW, Some(b"k"), Some(b"v")).build(), epoch, Origin::Client);
            send(marker(7, 0, round % 3 != 0, 0, NOW), epoch, Origin::Marker);
        }
        rig.close(0, true).unwrap();
        rig.engine.close_directory(directory, true, 3).unwrap();
        vfs
    })
    .fork()
}

fn request(mode: Mode, accept_loss: bool) -> Request {
    let paths = vec!["d".to_string()];
    Request { mode, paths, deep: true, records: true, from: 0, to: i64::MAX, accept_loss }
}

fn lines(vfs: &MemoryVfs, mode: Mode, accept_loss: bool) -> Vec<serde_json::Value> {
    let mut lines = Vec::new();
    run(vfs, &request(mode, accept_loss), &mut |line| {
        lines.push(serde_json::from_str(&line).expect("a line of JSON"));
        true
    })
    .expect("the directory can be read");
    lines
}

fn findings(vfs: &MemoryVfs) -> Vec<Finding> {
    let mut found = Vec::new();
    let target = Target::of(vfs, "d").unwrap();
    verify(vfs, &[target], VerifyOptions { deep: true }, &mut |finding| {
        found.push(finding);
        true
    })
    .unwrap();
    found
}

fn wrong(vfs: &MemoryVfs) -> Vec<Finding> {
    findings(vfs).into_iter().filter(|finding| finding.severity > Severity::Note).collect()
}

fn names(vfs: &MemoryVfs, suffix: &str) -> Vec<String> {
    let names = vfs.list(FOLDER).unwrap().into_iter().map(|entry| entry.name);
    names.filter(|name| name.ends_with(suffix)).map(|name| path(FOLDER, &name)).collect()
}

fn change(vfs: &MemoryVfs, file: &str, at: u64, bytes: &[u8]) {
    write_all_at(&*vfs.open(file, OpenMode::Write).unwrap(), bytes, at).unwrap();
}

fn cut(vfs: &MemoryVfs, file: &str, length: u64) {
    vfs.open(file, OpenMode::Write).unwrap().set_len(length).unwrap();
}

fn of(vfs: &MemoryVfs, file: &str) -> Vec<u8> {
    read_file(vfs, file).unwrap().unwrap()
}

/// Opens it as a broker would; the end offset, or why not.
fn open(vfs: &MemoryVfs) -> Result<OpenInfo, Failure> {
    let rig = Rig::manual();
    let directory = rig.directory("d", VfsKind::Memory(vfs.clone())).id;
    rig.open(directory, 0, "t-0", LogConfig::default(), false)
}

#[test]
fn verify_finds_nothing_in_a_directory_that_was_closed_and_writes_nothing() {
    let vfs = closed();
    vfs.watch();
    assert_eq!(wrong(&vfs), []);
    lines(&vfs, Mode::Dump, false);
    assert_eq!(lines(&vfs, Mode::Plan, false), Vec::<serde_json::Value>::new());
    for operation in [Operation::Write, Operation::SetLen, Operation::Lock, Operation::Rename, Operation::RemoveFile] {
        assert_eq!(vfs.count(operation), 0, "{operation:?}");
    }
    let totals = lines(&vfs, Mode::Verify, false).pop().unwrap();
    assert_eq!(totals["batches"], 48);
    assert!(names(&vfs, ".log").len() > 3 && !names(&vfs, ".txnindex").is_empty());
}

#[test]
fn dump_prints_every_record_once_and_only_those_asked_for() {
    let vfs = closed();
    let records = |from: i64, to: i64| -> Vec<i64> {
        let mut offsets = Vec::new();
        run(&vfs, &Request { from, to, ..request(Mode::Dump, false) }, &mut |line| {
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            if line["type"] == "record" {
                offsets.push(line["offset"].as_i64().unwrap());
            }
            true
        })
        .unwrap();
        offsets
    };
    assert_eq!(records(0, i64::MAX), (0..12 * 9).collect::<Vec<i64>>());
    assert_eq!(records(5, 12), (5..=12).collect::<Vec<i64>>());
    let mut taken = 0;
    run(&vfs, &request(Mode::Dump, false), &mut |_| {
        taken += 1;
        taken < 5
    })
    .unwrap();
    assert_eq!(taken, 5);
}

#[test]
fn a_flipped_byte_below_the_recovery_point_is_an_error_that_only_accepted_loss_mends() {
    let vfs = closed();
    let log = &names(&vfs, ".log")[1];
    let byte = of(&vfs, log)[65];
    change(&vfs, log, 65, &[byte ^ 1]);
    let found = wrong(&vfs);
    assert!(found.iter().any(|f| f.severity == Severity::Error && f.file == *log && f.at == Some(0)), "{found:#?}");
    let told = lines(&vfs, Mode::Repair, false);
    assert!(told.iter().all(|line| line["type"] != "done"), "{told:#?}");
    assert!(told.iter().any(|line| line["refused"] == true));

    let before = of(&vfs, log);
    lines(&vfs, Mode::Repair, true);
    assert_eq!(wrong(&vfs), []);
    assert_eq!(of(&vfs, &format!("{log}.0.odradek-cut")), before);
    let opened = open(&vfs).unwrap();
    assert!(opened.end > 0 && opened.end < 108, "{opened:?}");
    assert_eq!(opened.cut_bytes, 0);
}

#[test]
fn a_torn_tail_is_a_warning_and_is_cut_with_a_copy_beside_when_it_is_repaired() {
    let vfs = closed();
    // As if the process had died: nothing says how far the log was on disk.
    vfs.remove_file("d/recovery-point-offset-checkpoint").unwrap();
    let log = names(&vfs, ".log").pop().unwrap();
    let whole = of(&vfs, &log);
    change(&vfs, &log, whole.len() as u64, &[1; 30]);
    let found = wrong(&vfs);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!((found[0].severity, found[0].at), (Severity::Warning, Some(whole.len() as u64)));
    lines(&vfs, Mode::Repair, false);
    assert_eq!(of(&vfs, &log), whole);
    assert_eq!(of(&vfs, &format!("{log}.{}.odradek-cut", whole.len())), [1; 30]);
    assert_eq!(wrong(&vfs), []);
    assert_eq!(lines(&vfs, Mode::Repair, false), Vec::<serde_json::Value>::new());
    assert_eq!(open(&vfs).unwrap().end, 108);
}

#[test]
fn index_files_and_snapshots_are_built_as_the_engine_wrote_them_when_they_were_damaged() {
    let vfs = closed();
    let mut all = [".txnindex", ".snapshot", "leader-epoch-checkpoint"].map(|suffix| names(&vfs, suffix)).concat();
    all.retain(|name| !of(&vfs, name).is_empty());
    let before: Vec<Vec<u8>> = all.iter().map(|name| of(&vfs, name)).collect();
    for name in &all {
        cut(&vfs, name, of(&vfs, name).len() as u64 - 3);
    }
    for name in names(&vfs, ".index").iter().chain(&names(&vfs, ".timeindex")) {
        change(&vfs, name, 1, &[9]);
    }
    assert!(wrong(&vfs).len() > all.len());
    lines(&vfs, Mode::Repair, false);
    assert_eq!(wrong(&vfs), []);
    let after: Vec<Vec<u8>> = all.iter().map(|name| of(&vfs, name)).collect();
    assert_eq!(after, before);
    assert_eq!(open(&vfs).unwrap().end, 108);
}

#[test]
fn a_checkpoint_keeps_its_good_lines_when_others_are_bad() {
    let vfs = closed();
    let file = "d/recovery-point-offset-checkpoint";
    let text = "0\n9\nt 0 108\nt 0 90\nt x 5\n\u{1}\u{2}\n";
    cut(&vfs, file, 0);
    change(&vfs, file, 0, text.as_bytes());
    assert!(wrong(&vfs).iter().any(|finding| matches!(finding.fix, Some(Fix::Offsets { .. }))));
    lines(&vfs, Mode::Repair, false);
    assert!(of(&vfs, file).starts_with(b"0\n2\nt 0 90\n#odradek-crc32c "));
    assert_eq!(of(&vfs, &format!("{file}.odradek-aside")), text.as_bytes());
}

#[test]
fn repair_is_refused_when_somebody_holds_the_directory() {
    let vfs = closed();
    change(&vfs, &names(&vfs, ".index")[0], 1, &[9]);
    let held = vfs.lock("d/.lock").unwrap_or_else(|_| panic!("the lock is free"));
    let refused = run(&vfs, &request(Mode::Repair, false), &mut |_| true).unwrap_err();
    assert!(refused.contains("in use"), "{refused}");
    assert_eq!(lines(&vfs, Mode::Verify, false)[0]["type"], "locked");
    drop(held);
    assert_eq!(lines(&vfs, Mode::Repair, false).last().unwrap()["type"], "done");
}

#[test]
fn a_repair_that_a_power_cut_ends_is_finished_by_the_next_one() {
    let vfs = closed();
    let logs = names(&vfs, ".log");
    let byte = of(&vfs, &logs[2])[30];
    change(&vfs, &logs[2], 30, &[byte ^ 1]);
    change(&vfs, &names(&vfs, ".index")[0], 1, &[9]);
    cut(&vfs, &names(&vfs, ".snapshot")[0], 20);
    cut(&vfs, "d/recovery-point-offset-checkpoint", 5);
    // The damage is on the disk.
    let vfs = vfs.crash(0, Keep::All);
    let records = |vfs: &MemoryVfs| -> usize {
        let kept = names(vfs, ".log").into_iter().chain(names(vfs, ".odradek-cut"));
        kept.map(|name| of(vfs, &name)).map(|bytes| bytes.windows(3).filter(|part| part == b"key").count()).sum()
    };
    let before = records(&vfs);
    let images = Arc::new(Mutex::new(Vec::new()));
    let taken = images.clone();
    vfs.observe(move |fork| taken.lock().unwrap().push(fork.fork()));
    lines(&vfs, Mode::Repair, true);
    vfs.stop_observing();
    assert_eq!(wrong(&vfs), []);
    let images = std::mem::take(&mut *images.lock().unwrap());
    assert!(images.len() > 30, "{} operations", images.len());
    let end = open(&vfs.fork()).unwrap().end;
    for (at, image) in images.iter().enumerate() {
        for keep in [Keep::None, Keep::All, Keep::Some, Keep::Torn] {
            let crashed = image.crash(at as u64, keep);
            lines(&crashed, Mode::Repair, true);
            assert_eq!(wrong(&crashed), [], "cut before operation {at}, {keep:?}");
            assert!(records(&crashed) >= before, "cut before operation {at}, {keep:?}: a record is gone");
            assert_eq!(open(&crashed).unwrap().end, end, "cut before operation {at}, {keep:?}");
        }
    }
}

#[test]
fn nothing_is_repaired_while_a_journal_holds_records_of_the_logs() {
    let vfs = closed();
    change(&vfs, &names(&vfs, ".index")[0], 1, &[9]);
    vfs.create_folder("d/odradek-journal.recover-with-odradek").unwrap();
    assert!(
        lines(&vfs, Mode::Verify, false)
            .iter()
            .any(|line| line["what"].as_str().is_some_and(|w| w.contains("journal")))
    );
    for mode in [Mode::Plan, Mode::Repair] {
        let refused = run(&vfs, &request(mode, true), &mut |_| true).unwrap_err();
        assert!(refused.contains("start Odradek there once"), "{refused}");
    }
}

#[derive(Clone, Debug)]
enum Damage {
    Flip(usize, usize, u8),
    Cut(usize, usize),
    Zeros(usize, usize),
    Junk(usize, Vec<u8>),
    Missing(usize),
    Swapped(usize, usize),
}

fn damages() -> impl Strategy<Value = Vec<Damage>> {
    let any = any::<usize>;
    let one = prop_oneof![
        4 => (any(), any(), 1u8..).prop_map(|(file, at, bits)| Damage::Flip(file, at, bits)),
        2 => (any(), any()).prop_map(|(file, at)| Damage::Cut(file, at)),
        1 => (any(), 1usize..300).prop_map(|(file, count)| Damage::Zeros(file, count)),
        1 => (any(), prop::collection::vec(0u8.., 1..200)).prop_map(|(file, bytes)| Damage::Junk(file, bytes)),
        1 => any().prop_map(Damage::Missing),
        1 => (any(), any()).prop_map(|(one, other)| Damage::Swapped(one, other)),
    ];
    prop::collection::vec(one, 1..4)
}

fn all_files(vfs: &MemoryVfs) -> Vec<String> {
    let plain = |folder: &str| {
        let entries = vfs.list(folder).unwrap().into_iter().filter(|entry| !entry.folder);
        entries.map(|entry| path(folder, &entry.name)).collect::<Vec<String>>()
    };
    [plain("d"), plain(FOLDER)].concat()
}

fn apply(vfs: &MemoryVfs, damage: &Damage) {
    let files = all_files(vfs);
    let pick = |n: usize| &files[n % files.len()];
    match damage {
        Damage::Flip(file, at, bits) => {
            let bytes = of(vfs, pick(*file));
            if !bytes.is_empty() {
                let at = at % bytes.len();
                change(vfs, pick(*file), at as u64, &[bytes[at] ^ bits]);
            }
        }
        Damage::Cut(file, at) => cut(vfs, pick(*file), (at % (of(vfs, pick(*file)).len() + 1)) as u64),
        Damage::Zeros(file, count) => change(vfs, pick(*file), of(vfs, pick(*file)).len() as u64, &vec![0; *count]),
        Damage::Junk(file, bytes) => change(vfs, pick(*file), of(vfs, pick(*file)).len() as u64, bytes),
        Damage::Missing(file) => vfs.remove_file(pick(*file)).unwrap(),
        Damage::Swapped(one, other) => {
            let (first, second) = (of(vfs, pick(*one)), of(vfs, pick(*other)));
            for (file, content) in [(pick(*one), second), (pick(*other), first)] {
                cut(vfs, file, 0);
                change(vfs, file, 0, &content);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, ..ProptestConfig::default() })]

    /// Whatever is damaged: reading ends, repair leaves nothing that it could mend, a second one does nothing, and no
    /// byte of a log is gone.
    #[test]
    fn random_damage_is_told_and_mended_and_never_ends_an_inspection(damages in damages()) {
        let vfs = closed();
        for damage in &damages {
            apply(&vfs, damage);
        }
        let bytes_of = |vfs: &MemoryVfs| -> usize {
            let logs = names(vfs, ".log").into_iter().chain(names(vfs, ".odradek-cut"));
            logs.map(|name| of(vfs, &name).iter().filter(|byte| **byte != 0).count()).sum()
        };
        lines(&vfs, Mode::Dump, false);
        lines(&vfs, Mode::Verify, false);
        let before = bytes_of(&vfs);
        lines(&vfs, Mode::Repair, true);
        prop_assert_eq!(bytes_of(&vfs), before);
        let target = Target::of(&vfs, "d").unwrap();
        let steps = plan(&vfs, &[target], true, &mut |_| true).unwrap();
        prop_assert_eq!(steps, vec![]);
        vfs.watch();
        lines(&vfs, Mode::Repair, true);
        prop_assert_eq!(vfs.count(Operation::Write), 0);
    }
}
