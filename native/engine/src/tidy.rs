//! Finishes or undoes what was under way in a partition's folder when the process ended, by Kafka's rules for the
//! suffixes that its cleaner and its deletions leave.
//!
//! Invariant: each step is on disk before the next, so that a crash in here leaves what the next opening judges alike.

use crate::scan::{Scan, Step};
use crate::vfs::{DirectoryEntry, OpenMode, Vfs, path};
use std::io;

/// What this engine writes under a temporary name before it renames it.
const TEMPORARY: [&str; 4] =
    [".snapshot.tmp", "leader-epoch-checkpoint.tmp", "partition.metadata.tmp", "odradek-sums.tmp"];

/// Base offset and the rest of a segment file's name.
fn parse(name: &str) -> Option<(i64, &str)> {
    let (digits, rest) = name.split_at_checked(20)?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && rest.starts_with('.');
    if plain { digits.parse().ok().map(|base| (base, rest)) } else { None }
}

/// Leaves plain segment files only. What the folder holds then.
pub fn tidy(vfs: &dyn Vfs, folder: &str) -> io::Result<Vec<DirectoryEntry>> {
    let mut entries = vfs.list(folder)?;
    let names: Vec<String> = entries.iter().filter(|e| !e.folder).map(|e| e.name.clone()).collect();
    let mut gone: Vec<&str> = Vec::new();
    let mut undone: Vec<&str> = Vec::new();
    let mut swaps: Vec<(i64, &str)> = Vec::new();
    let cleaned =
        names.iter().filter(|name| name.ends_with(".cleaned")).filter_map(|name| parse(name)).map(|(b, _)| b).min();
    for name in &names {
        let temporary = TEMPORARY.iter().any(|suffix| name.ends_with(suffix));
        // A snapshot of the metadata log that waits for its deletion is not ours to remove.
        let deleted = name.ends_with(".deleted") && !name.ends_with(".checkpoint.deleted");
        match parse(name) {
            _ if temporary || deleted || name.ends_with(".cleaned") => gone.push(name),
            Some((base, rest)) if rest.ends_with(".swap") => match cleaned {
                // The cleaner had not finished: its result is undone.
                Some(least) if base >= least => undone.push(name),
                _ => swaps.push((base, name)),
            },
            _ => {}
        }
    }
    let mut changed = remove(vfs, folder, &undone)?;
    changed |= remove(vfs, folder, &gone)?;
    // The cleaner had finished: its result replaces the segments that it was made from.
    let mut replaced: Vec<&str> = Vec::new();
    for (base, name) in swaps.iter().filter(|(_, name)| name.ends_with(".log.swap")) {
        let end = end_offset(vfs, &path(folder, name), *base)?;
        replaced.extend(names.iter().map(String::as_str).filter(|old| {
            parse(old).is_some_and(|(at, rest)| {
                at >= *base && at < end && matches!(rest, ".log" | ".index" | ".timeindex" | ".txnindex")
            })
        }));
    }
    changed |= remove(vfs, folder, &replaced)?;
    // While there is a `.log.swap`, index files without a suffix count as old ones.
    for batches in [true, false] {
        let mut renamed = false;
        for (_, name) in swaps.iter().filter(|(_, name)| name.ends_with(".log.swap") == batches) {
            let target = name.trim_end_matches(".swap");
            vfs.rename(&path(folder, name), &path(folder, target))?;
            renamed = true;
        }
        if renamed {
            vfs.sync_folder(folder)?;
            changed = true;
        }
    }
    if changed {
        entries = vfs.list(folder)?;
    }
    let orphans: Vec<&str> = entries
        .iter()
        .filter(|entry| match parse(&entry.name) {
            Some((_, rest @ (".index" | ".timeindex" | ".txnindex"))) => {
                let log = format!("{}.log", &entry.name[..entry.name.len() - rest.len()]);
                !entries.iter().any(|other| other.name == log)
            }
            _ => false,
        })
        .map(|entry| entry.name.as_str())
        .collect();
    if remove(vfs, folder, &orphans)? {
        entries = vfs.list(folder)?;
    }
    Ok(entries)
}

/// Removes the files durably; true if there were any.
fn remove(vfs: &dyn Vfs, folder: &str, names: &[&str]) -> io::Result<bool> {
    for name in names {
        vfs.remove_file(&path(folder, name))?;
    }
    if !names.is_empty() {
        vfs.sync_folder(folder)?;
    }
    Ok(!names.is_empty())
}

fn end_offset(vfs: &dyn Vfs, log: &str, base: i64) -> io::Result<i64> {
    let file = vfs.open(log, OpenMode::Read)?;
    let mut scan = Scan::new(&*file, 0, file.len()?, 64 * 1024);
    let mut end = base + 1;
    while let Step::Batch(entry) = scan.next()? {
        end = entry.header.next_offset();
    }
    Ok(end)
}
