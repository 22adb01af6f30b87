//! Mends what `verify` found, step by step as the plan said.
//!
//! Invariants: nothing goes without a copy beside it; each step is durable before the next; points of the root are
//! lowered before the bytes that they speak of go; a step that a crash interrupted is found again by the next plan.

use super::target::{OFFSET_FILES, Target, split};
use super::{Finding, Fix, Halt, Severity, VerifyOptions, rebuild, small, verify};
use crate::checkpoint::{self, LEADER_EPOCHS, PARTITION_METADATA};
use crate::cut::SEGMENT_SUFFIXES;
use crate::leader_epochs::LeaderEpochs;
use crate::segment::{file_name, parse_name};
use crate::sums::SUMS;
use crate::vfs::{self, Lock, LockFailure, OpenMode, Vfs, path, remove_if_there, write_file_atomically};
use std::collections::{BTreeMap, BTreeSet};
use std::io;

/// One thing to do, or one that needs a permission that was not given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub fix: Fix,
    pub what: String,
    /// It takes acknowledged records away, and that was not accepted.
    pub refused: bool,
}

/// What repair would do, in order. `unmended`: findings that it can do nothing about.
pub fn plan(
    vfs: &dyn Vfs,
    targets: &[Target],
    accept_loss: bool,
    unmended: &mut dyn FnMut(Finding) -> bool,
) -> Result<Vec<Step>, Halt> {
    let mut fixes: BTreeSet<Fix> = BTreeSet::new();
    verify(vfs, targets, VerifyOptions { deep: true }, &mut |finding| match finding.fix {
        Some(fix) if finding.severity > Severity::Note => {
            fixes.insert(fix);
            true
        }
        Some(_) => true,
        None => unmended(finding),
    })?;
    // Fixes sort by kind, folder and place: the first cut of a folder is the one that counts.
    let mut cuts: BTreeMap<String, (i64, i64, bool)> = BTreeMap::new();
    let mut steps = Vec::new();
    for fix in fixes {
        let (wanted, refused) = match &fix {
            Fix::Cut { folder, base, next, loses, .. } => {
                let first = !cuts.contains_key(folder);
                cuts.entry(folder.clone()).or_insert((*base, *next, *loses && !accept_loss));
                (first, *loses && !accept_loss)
            }
            Fix::Indexes { folder, base } => (cuts.get(folder).is_none_or(|(at, _, _)| base < at), false),
            Fix::Snapshot { folder, offset } => (cuts.get(folder).is_none_or(|(_, next, _)| offset <= next), false),
            Fix::Epochs { folder } => (cuts.get(folder).is_none_or(|(_, _, refused)| !refused), false),
            _ => (true, false),
        };
        if wanted {
            let what = describe(vfs, &fix);
            steps.push(Step { fix, what, refused });
        }
    }
    Ok(steps)
}

fn describe(vfs: &dyn Vfs, fix: &Fix) -> String {
    match fix {
        Fix::Cut { folder, position: u64::MAX, next, .. } => {
            format!("{folder}: lower its recovery point to {next}, where the log ends; records above it are lost")
        }
        Fix::Cut { folder, base, position, next, loses } => {
            let log = path(folder, &file_name(*base, ".log"));
            let size = vfs.open(&log, OpenMode::Read).and_then(|file| file.len()).unwrap_or(0);
            let later = rebuild::bases(vfs, folder).map_or(0, |bases| bases.iter().filter(|at| *at > base).count());
            let mut what =
                format!("{log}: cut at byte {position}, offset {next}; {} bytes", size.saturating_sub(*position));
            if later > 0 {
                what += &format!(" and {later} later segments");
            }
            what += " are kept beside as *.odradek-cut";
            if *loses {
                what += &format!("; ACKNOWLEDGED RECORDS from offset {next} on are no longer served");
            }
            what
        }
        Fix::Indexes { folder, base } => {
            format!("{}: build its index files anew", path(folder, &file_name(*base, ".log")))
        }
        Fix::Snapshot { folder, offset } => {
            format!("{}: build it anew", path(folder, &file_name(*offset, ".snapshot")))
        }
        Fix::Epochs { folder } => format!("{}: build it anew", path(folder, LEADER_EPOCHS)),
        Fix::Offsets { root, name } => format!("{}: keep the lines that can be read", path(root, name)),
        Fix::Aside { file } => format!("{file}: set aside"),
        Fix::Metadata { folder, topic_id } => {
            format!("{}: write topic id {topic_id}", path(folder, PARTITION_METADATA))
        }
    }
}

/// Why a repair did not happen, or not to its end.
#[derive(Debug)]
pub enum Refusal {
    Locked(String),
    Io(String, io::Error),
}

/// Does the steps that are not refused; `done` is told of each. The caller holds `lock_all` since before the plan.
pub fn repair(vfs: &dyn Vfs, steps: &[Step], done: &mut dyn FnMut(&Step)) -> Result<(), Refusal> {
    for step in steps.iter().filter(|step| !step.refused) {
        apply(vfs, &step.fix).map_err(|error| Refusal::Io(step.what.clone(), error))?;
        done(step);
    }
    Ok(())
}

/// The locks of the directories that the targets lie in, as a broker takes them.
pub fn lock_all(vfs: &dyn Vfs, targets: &[Target]) -> Result<Vec<Box<dyn Lock>>, Refusal> {
    let roots: BTreeSet<&str> = targets.iter().map(Target::root).collect();
    let mut locks = Vec::new();
    for root in roots {
        let file = path(root, ".lock");
        // A folder that was copied elsewhere has no broker.
        let used = [".lock", "meta.properties"].iter().any(|name| vfs.open(&path(root, name), OpenMode::Read).is_ok());
        if !used {
            continue;
        }
        locks.push(vfs.lock(&file).map_err(|failure| match failure {
            LockFailure::HeldHere => Refusal::Locked(format!("{root} is in use by this process")),
            LockFailure::HeldElsewhere { process: Some(process) } => {
                Refusal::Locked(format!("{root} is in use by process {process}; stop it first"))
            }
            LockFailure::HeldElsewhere { process: None } => {
                Refusal::Locked(format!("{root} is in use by a broker; stop it first"))
            }
            LockFailure::Io(error) => Refusal::Io(format!("locking {root}"), error),
        })?);
    }
    Ok(locks)
}

fn apply(vfs: &dyn Vfs, fix: &Fix) -> io::Result<()> {
    if let Fix::Cut { folder, .. } | Fix::Indexes { folder, .. } | Fix::Epochs { folder } = fix {
        // What it says of the files as they were counts no more. The next recovery point writes it anew.
        remove_if_there(vfs, &path(folder, SUMS))?;
    }
    match fix {
        Fix::Cut { folder, base, position, next, .. } => cut(vfs, folder, *base, *position, *next),
        Fix::Indexes { folder, base } => write_indexes(vfs, folder, *base),
        Fix::Snapshot { folder, offset } => {
            replace(vfs, folder, &file_name(*offset, ".snapshot"), &rebuild::snapshot(vfs, folder, *offset)?)
        }
        Fix::Epochs { folder } => replace(vfs, folder, LEADER_EPOCHS, &rebuild::epochs(vfs, folder)?),
        Fix::Offsets { root, name } => {
            let bytes = vfs::read_file(vfs, &path(root, name))?.unwrap_or_default();
            replace(vfs, root, name, &encode(&small::salvage(&bytes)))
        }
        Fix::Aside { file } => {
            let (folder, name) = split(file);
            set_aside(vfs, folder, name)
        }
        Fix::Metadata { folder, topic_id } => {
            replace(vfs, folder, PARTITION_METADATA, &checkpoint::encode_partition_metadata(topic_id))
        }
    }
}

fn encode(offsets: &BTreeMap<String, i64>) -> Vec<u8> {
    checkpoint::encode_offsets(offsets.iter().map(|(folder, offset)| (folder.as_str(), *offset)))
}

/// A name beside `name` that is free.
fn free_name(vfs: &dyn Vfs, folder: &str, name: &str, suffix: &str) -> io::Result<String> {
    let names: BTreeSet<String> = vfs.list(folder)?.into_iter().map(|entry| entry.name).collect();
    let plain = format!("{name}.{suffix}");
    let numbered = (2..).map(|n: u32| format!("{name}.{n}.{suffix}"));
    Ok(std::iter::once(plain).chain(numbered).find(|candidate| !names.contains(candidate)).unwrap_or_default())
}

/// Nothing to do when an earlier step took the file along.
fn set_aside(vfs: &dyn Vfs, folder: &str, name: &str) -> io::Result<()> {
    let to = free_name(vfs, folder, name, "odradek-aside")?;
    match vfs.rename(&path(folder, name), &path(folder, &to)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(()) => vfs.sync_folder(folder),
    }
}

/// New content for a file, at once; what it held is copied beside first.
fn replace(vfs: &dyn Vfs, folder: &str, name: &str, content: &[u8]) -> io::Result<()> {
    match vfs.open(&path(folder, name), OpenMode::Read) {
        Ok(old) => {
            let size = old.len()?;
            if size == content.len() as u64 && vfs::read_file(vfs, &path(folder, name))?.as_deref() == Some(content) {
                return Ok(());
            }
            let to = free_name(vfs, folder, name, "odradek-aside")?;
            rebuild::keep(vfs, &*old, 0, size, &path(folder, &to))?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    write_file_atomically(vfs, folder, name, content)
}

fn write_indexes(vfs: &dyn Vfs, folder: &str, base: i64) -> io::Result<()> {
    let files = rebuild::indexes(vfs, folder, base)?;
    replace(vfs, folder, &file_name(base, ".index"), &files.offsets)?;
    replace(vfs, folder, &file_name(base, ".timeindex"), &files.times)?;
    let name = file_name(base, ".txnindex");
    let there = vfs.open(&path(folder, &name), OpenMode::Read).is_ok();
    if files.aborted.is_empty() && !there { Ok(()) } else { replace(vfs, folder, &name, &files.aborted) }
}

fn cut(vfs: &dyn Vfs, folder: &str, base: i64, position: u64, next: i64) -> io::Result<()> {
    lower_points(vfs, folder, next)?;
    for later in rebuild::bases(vfs, folder)?.into_iter().rev().filter(|at| *at > base) {
        take_segment(vfs, folder, later)?;
    }
    if position != u64::MAX {
        let log = file_name(base, ".log");
        if position == 0 && base != next {
            // It overlaps the one before: none of it belongs to the log.
            take_segment(vfs, folder, base)?;
        } else {
            let file = vfs.open(&path(folder, &log), OpenMode::Write)?;
            let size = file.len()?;
            let kept = free_name(vfs, folder, &format!("{log}.{position}"), "odradek-cut")?;
            rebuild::keep(vfs, &*file, position, size, &path(folder, &kept))?;
            vfs.sync_folder(folder)?;
            file.set_len(position)?;
            file.sync_data()?;
            write_indexes(vfs, folder, base)?;
        }
    }
    for entry in vfs.list(folder)? {
        if parse_name(&entry.name, ".snapshot").is_some_and(|offset| offset > next) {
            set_aside(vfs, folder, &entry.name)?;
        }
    }
    let known = vfs::read_file(vfs, &path(folder, LEADER_EPOCHS))?;
    if let Some(Ok(mut epochs)) = known.as_deref().map(LeaderEpochs::decode)
        && epochs.truncate_from_end(next)
    {
        replace(vfs, folder, LEADER_EPOCHS, &epochs.encode())?;
    }
    Ok(())
}

/// Another name for a segment's log and its index files; its snapshot goes with those above the cut.
fn take_segment(vfs: &dyn Vfs, folder: &str, base: i64) -> io::Result<()> {
    for suffix in SEGMENT_SUFFIXES.iter().filter(|suffix| **suffix != ".snapshot") {
        let name = file_name(base, suffix);
        let (stem, kind) =
            if *suffix == ".log" { (format!("{name}.0"), "odradek-cut") } else { (name.clone(), "odradek-aside") };
        let to = free_name(vfs, folder, &stem, kind)?;
        match vfs.rename(&path(folder, &name), &path(folder, &to)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    vfs.sync_folder(folder)
}

/// No checkpoint of the root speaks of offsets that go.
fn lower_points(vfs: &dyn Vfs, folder: &str, next: i64) -> io::Result<()> {
    let (root, partition) = split(folder);
    for name in OFFSET_FILES {
        let Some(bytes) = vfs::read_file(vfs, &path(root, name))? else { continue };
        let mut offsets = small::salvage(&bytes);
        if let Some(offset) = offsets.get_mut(partition).filter(|offset| **offset > next) {
            *offset = next;
            write_file_atomically(vfs, root, name, &encode(&offsets))?;
        }
    }
    Ok(())
}
