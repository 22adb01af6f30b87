//! One partition's folder, or one segment of it.

use super::entries::i16_at;
use super::indexes::{Checker, OffsetCheck, TimeCheck, TxnCheck};
use super::target::{Kind, kind, split};
use super::walk::{Course, Walked};
use super::{Check, Finding, Fix, Halt, LOSE, REPAIR, RESTORE, Severity, epochs, small};
use crate::batch::control_record;
use crate::checkpoint::{LEADER_EPOCHS, PARTITION_METADATA};
use crate::scan::{Scan, Step};
use crate::segment::{file_name, parse_name};
use crate::sums::{SUMS, Sums};
use crate::told::told;
use crate::vfs::{self, File, OpenMode, path};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What the root's checkpoints say of a partition.
#[derive(Clone, Copy, Debug, Default)]
pub struct Points {
    pub recovery: Option<i64>,
    pub start: Option<i64>,
    pub high_watermark: Option<i64>,
    pub cleaned: i64,
    /// It lies in a broker's directory, which names every topic's id.
    pub broker: bool,
}

/// Largest small file that is read whole.
const SMALL_BYTES: u64 = 64 << 20;

/// A file that is read whole, unless its size is out of reason.
pub fn small_file(check: &mut Check<'_>, file: &str) -> Result<Option<Vec<u8>>, Halt> {
    let opened = check.vfs.open(file, OpenMode::Read).and_then(|opened| opened.len());
    let Some(length) = check.read(file, opened)? else { return Ok(None) };
    if length > SMALL_BYTES {
        check.say(Severity::Error, file, None, format!("{length} bytes are no file of this kind"), RESTORE, None)?;
        return Ok(None);
    }
    check.totals.files += 1;
    check.totals.bytes += length;
    let bytes = vfs::read_file(check.vfs, file);
    Ok(check.read(file, bytes)?.flatten())
}

/// Checks a folder; its topic id when it names one.
pub fn verify(check: &mut Check<'_>, folder: &str, points: Points) -> Result<Option<String>, Halt> {
    let listed = check.vfs.list(folder);
    let Some(entries) = check.read(folder, listed)? else { return Ok(None) };
    let names: BTreeSet<String> = entries.into_iter().filter(|entry| !entry.folder).map(|entry| entry.name).collect();
    let bases: Vec<i64> = names.iter().filter_map(|name| parse_name(name, ".log")).collect();
    let mut course = Course::new(folder);
    course.believe(points, on_disk(check, folder, &bases, points));
    let recovery = course.recovery;
    for (at, base) in bases.iter().enumerate() {
        segment(check, &mut course, *base, bases.get(at + 1).copied(), &names)?;
    }
    let end = course.next.unwrap_or(points.start.unwrap_or(0));
    let whole = !course.broken;
    if let Some(recovery) = points.recovery.filter(|recovery| whole && end < *recovery) {
        let what = format!(
            "the log ends at offset {end}, below its recovery point {recovery}: bytes that were on disk are missing"
        );
        let base = bases.last().copied().unwrap_or(0);
        let fix = Fix::Cut { folder: folder.to_string(), base, position: u64::MAX, next: end, loses: true };
        check.say(Severity::Error, folder, None, what, LOSE, Some(fix))?;
    }
    if let (Some(start), Some(first)) = (points.start, bases.first())
        && whole
        && (start > end || *first > start)
    {
        let what = format!("its start is offset {start} by the checkpoint, it holds {first} to {end}");
        check.note(folder, what, "a start mends it")?;
    }
    if let Some(high_watermark) = points.high_watermark.filter(|high_watermark| whole && *high_watermark > end) {
        let what = format!("its high watermark is {high_watermark} by the checkpoint, the log ends at offset {end}");
        check.note(folder, what, "a start mends it")?;
    }
    for name in &names {
        other(check, folder, name, &bases, end, whole)?;
    }
    left_over(check, folder, &names)?;
    let file = path(folder, LEADER_EPOCHS);
    if names.contains(LEADER_EPOCHS) {
        if let Some(bytes) = small_file(check, &file)?
            && let Some(known) = epochs::read(check, &file, folder, &bytes)?
        {
            course.epochs.compare(
                check,
                &file,
                folder,
                &known,
                (points.start.unwrap_or(0), if whole { end } else { i64::MAX }),
            )?;
        }
    } else if !course.epochs.seen.is_empty() {
        // A start reads them from the batches above the recovery point, Apache Kafka from no others.
        let severity = if recovery < end { Severity::Note } else { Severity::Warning };
        let fix = Some(Fix::Epochs { folder: folder.to_string() });
        check.say(severity, &file, None, "missing", REPAIR, fix)?;
    }
    let file = path(folder, PARTITION_METADATA);
    if names.contains(PARTITION_METADATA) {
        let Some(bytes) = small_file(check, &file)? else { return Ok(None) };
        return small::metadata(check, &file, &bytes);
    }
    if points.broker {
        let what = "missing: Apache Kafka takes the folder for a stray";
        check.say(Severity::Warning, &file, None, what, "a start of Odradek writes it", None)?;
    }
    Ok(None)
}

/// Up to where the partition was on disk: as the root says, or else the folder itself.
fn on_disk(check: &Check<'_>, folder: &str, bases: &[i64], points: Points) -> i64 {
    let size = |base: i64| check.vfs.open(&path(folder, &file_name(base, ".log")), OpenMode::Read)?.len();
    points.recovery.unwrap_or_else(|| {
        let sums = vfs::read_file(check.vfs, &path(folder, SUMS)).ok().flatten();
        let sums = Sums::decode(&sums.unwrap_or_default()).unwrap_or_default();
        let segments: Vec<(i64, u64)> = bases.iter().filter_map(|base| Some((*base, size(*base).ok()?))).collect();
        told(check.vfs, folder, &sums, &segments).unwrap_or(0)
    })
}

/// Files that no segment's walk has met.
fn other(check: &mut Check<'_>, folder: &str, name: &str, bases: &[i64], end: i64, whole: bool) -> Result<(), Halt> {
    let file = path(folder, name);
    match kind(name) {
        Some(Kind::Index(base) | Kind::TimeIndex(base) | Kind::TxnIndex(base)) if !bases.contains(&base) => {
            let fix = Some(Fix::Aside { file: file.clone() });
            check.say(Severity::Warning, &file, None, "there is no segment that it belongs to", REPAIR, fix)
        }
        Some(Kind::Snapshot(offset)) if whole && offset > end => {
            let fix = Some(Fix::Aside { file: file.clone() });
            check.say(Severity::Warning, &file, None, format!("the log ends at offset {end}, before it"), REPAIR, fix)
        }
        Some(Kind::Snapshot(offset)) => match small_file(check, &file)? {
            Some(bytes) => small::snapshot(check, folder, offset, &file, &bytes),
            None => Ok(()),
        },
        Some(Kind::Records) => records(check, &file),
        Some(Kind::Sums) => match small_file(check, &file)? {
            Some(bytes) => small::sums(check, &file, &bytes),
            None => Ok(()),
        },
        Some(Kind::Json) => match small_file(check, &file)? {
            Some(bytes) => small::json(check, &file, &bytes),
            None => Ok(()),
        },
        Some(_) => Ok(()),
        None => Ok(()),
    }
}

/// Files that are no part of the log, told in one note a kind.
fn left_over(check: &mut Check<'_>, folder: &str, names: &BTreeSet<String>) -> Result<(), Halt> {
    let kinds: [(&[&str], &str, &str); 2] = [
        (
            &[".cleaned", ".swap", ".deleted", ".tmp"],
            "were under way when the process ended",
            "a start finishes or undoes it",
        ),
        (&[".odradek-cut", ".odradek-aside"], "were set aside", "delete them once you are sure"),
    ];
    for (suffixes, what, remedy) in kinds {
        let mut of_kind = names.iter().filter(|name| suffixes.iter().any(|suffix| name.ends_with(suffix)));
        if let Some(first) = of_kind.next() {
            check.note(folder, format!("{} files {what}, {first} first", of_kind.count() + 1), remedy)?;
        }
    }
    Ok(())
}

/// One segment with its index files.
fn segment(
    check: &mut Check<'_>,
    course: &mut Course,
    base: i64,
    next_base: Option<i64>,
    names: &BTreeSet<String>,
) -> Result<(), Halt> {
    let folder = course.folder.clone();
    let file_of = |suffix: &str| path(&folder, &file_name(base, suffix));
    let log_name = file_of(".log");
    let Some((log, size)) = open(check, &log_name)? else {
        course.broken = true;
        return Ok(());
    };
    let (index_name, time_name, txn_name) = (file_of(".index"), file_of(".timeindex"), file_of(".txnindex"));
    let mut files: [Option<Arc<dyn File>>; 3] = [None, None, None];
    for (place, name) in files.iter_mut().zip([&index_name, &time_name, &txn_name]) {
        if names.contains(split(name).1) {
            *place = open(check, name)?.map(|(file, _)| file);
        } else if next_base.is_some() && *name != txn_name && size > 0 {
            let fix = Some(Fix::Indexes { folder: folder.clone(), base });
            check.say(Severity::Warning, name, None, "missing", REPAIR, fix)?;
        }
    }
    let mut offsets = files[0].as_deref().map(|file| OffsetCheck::new(&index_name, file, base, &folder));
    let mut times = files[1].as_deref().map(|file| TimeCheck::new(&time_name, file, base, &folder));
    let mut aborted = TxnCheck::new(&txn_name, files[2].as_deref(), base, &folder);
    let mut checkers: Vec<&mut dyn Checker> = Vec::new();
    checkers.extend(offsets.as_mut().map(|checker| checker as &mut dyn Checker));
    checkers.extend(times.as_mut().map(|checker| checker as &mut dyn Checker));
    course.walk(
        check,
        &Walked { name: &log_name, base, next_base, size, file: &*log },
        &mut checkers,
        Some(&mut aborted),
    )?;
    if course.broken {
        return Ok(());
    }
    if let Some(offsets) = &mut offsets {
        offsets.finish(check, size)?;
    }
    if let Some(times) = &mut times {
        times.finish(check, course.next.unwrap_or(base), next_base.is_some())?;
    }
    aborted.finish(check)
}

/// A file and its size.
type Opened = (Arc<dyn File>, u64);

fn open(check: &mut Check<'_>, name: &str) -> Result<Option<Opened>, Halt> {
    let opened = check.vfs.open(name, OpenMode::Read).and_then(|file| Ok((file.clone(), file.len()?)));
    let opened = check.read(name, opened)?;
    if let Some((_, size)) = &opened {
        check.totals.files += 1;
        check.totals.bytes += size;
    }
    Ok(opened)
}

/// A single file of a partition's folder; an index file is held against its segment.
pub fn file(check: &mut Check<'_>, file: &str, points: Points) -> Result<(), Halt> {
    let (folder, name) = split(file);
    match kind(name) {
        Some(Kind::Log(base)) => {
            let mut course = Course::new(folder);
            course.believe(points, on_disk(check, folder, &[base], points));
            let Some((log, size)) = open(check, file)? else { return Ok(()) };
            course.walk(check, &Walked { name: file, base, next_base: None, size, file: &*log }, &mut [], None)
        }
        Some(Kind::Index(base) | Kind::TimeIndex(base) | Kind::TxnIndex(base)) => {
            let log = path(folder, &file_name(base, ".log"));
            if check.vfs.open(&log, OpenMode::Read).is_err() {
                return check.say(
                    Severity::Warning,
                    file,
                    None,
                    "there is no segment that it belongs to",
                    REPAIR,
                    None,
                );
            }
            let names = BTreeSet::from([name.to_string()]);
            let mut course = Course::new(folder);
            course.cleaned = points.cleaned;
            // What is wrong with the segment itself was not asked.
            let findings = &mut check.findings;
            let mut of_file = |finding: Finding| finding.file != file || findings(finding);
            let mut narrow =
                Check { vfs: check.vfs, options: check.options, findings: &mut of_file, totals: check.totals };
            narrow.options.deep = false;
            segment(&mut narrow, &mut course, base, None, &names)?;
            check.totals = narrow.totals;
            Ok(())
        }
        Some(Kind::Records) => records(check, file),
        Some(Kind::Sums) => match small_file(check, file)? {
            Some(bytes) => small::sums(check, file, &bytes),
            None => Ok(()),
        },
        Some(Kind::Epochs) => match small_file(check, file)? {
            Some(bytes) => epochs::read(check, file, folder, &bytes).map(|_| ()),
            None => Ok(()),
        },
        Some(Kind::Snapshot(offset)) => match small_file(check, file)? {
            Some(bytes) => small::snapshot(check, folder, offset, file, &bytes),
            None => Ok(()),
        },
        Some(Kind::Metadata) => match small_file(check, file)? {
            Some(bytes) => small::metadata(check, file, &bytes).map(|_| ()),
            None => Ok(()),
        },
        Some(Kind::Json) => match small_file(check, file)? {
            Some(bytes) => small::json(check, file, &bytes),
            None => Ok(()),
        },
        Some(Kind::Offsets | Kind::Properties) | None => Ok(()),
    }
}

const SNAPSHOT_HEADER: i16 = 3;
const SNAPSHOT_FOOTER: i16 = 4;

/// A snapshot of the metadata log: batches from offset 0 on, between a header and a footer.
fn records(check: &mut Check<'_>, name: &str) -> Result<(), Halt> {
    let Some((file, size)) = open(check, name)? else { return Ok(()) };
    let mut course = Course::new(split(name).0);
    course.alone = true;
    course.walk(check, &Walked { name, base: 0, next_base: None, size, file: &*file }, &mut [], None)?;
    if course.broken || split(name).1 == "bootstrap.checkpoint" {
        return Ok(());
    }
    let mut scan = Scan::new(&*file, 0, size, 64 * 1024);
    let (mut first, mut last) = (None, None);
    while let Ok(Step::Batch(entry)) = scan.next() {
        let kind = match scan.body(&entry, 64 * 1024) {
            Ok(body) if entry.header.is_control() => {
                control_record(&entry.header, &body).ok().map(|(_, key, _)| i16_at(&key, 2))
            }
            _ => None,
        };
        first = first.or(Some(kind));
        last = Some(kind);
    }
    if first.flatten() != Some(SNAPSHOT_HEADER) {
        check.say(Severity::Error, name, Some(0), "it doesn't begin with a snapshot's header", RESTORE, None)?;
    }
    if last.flatten() != Some(SNAPSHOT_FOOTER) {
        check.say(
            Severity::Error,
            name,
            Some(size),
            "it doesn't end with a snapshot's footer: it was cut short",
            RESTORE,
            None,
        )?;
    }
    Ok(())
}
