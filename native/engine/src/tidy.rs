//! Finishes or undoes what was under way in a partition's folder when the process ended, by Kafka's rules for the
//! suffixes that its cleaner and its deletions leave.

use crate::scan::{Scan, Step};
use crate::vfs::{DirectoryEntry, OpenMode, Vfs, path};
use std::io;

/// What this engine writes under a temporary name before it renames it.
const TEMPORARY: [&str; 3] = [".snapshot.tmp", "leader-epoch-checkpoint.tmp", "partition.metadata.tmp"];

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
                Some(least) if base >= least => gone.push(name),
                _ => swaps.push((base, name)),
            },
            _ => {}
        }
    }
    for name in &gone {
        vfs.remove_file(&path(folder, name))?;
    }
    // The cleaner had finished: its result replaces the segments that it was made from.
    for (base, name) in swaps.iter().filter(|(_, name)| name.ends_with(".log.swap")) {
        let end = end_offset(vfs, &path(folder, name), *base)?;
        for old in &names {
            let replaced = parse(old).is_some_and(|(at, rest)| {
                at >= *base && at < end && matches!(rest, ".log" | ".index" | ".timeindex" | ".txnindex")
            });
            if replaced {
                vfs.remove_file(&path(folder, old))?;
            }
        }
    }
    for (_, name) in &swaps {
        let target = name.trim_end_matches(".swap");
        vfs.rename(&path(folder, name), &path(folder, target))?;
    }
    let mut orphans = 0;
    if !gone.is_empty() || !swaps.is_empty() {
        entries = vfs.list(folder)?;
    }
    for entry in &entries {
        if let Some((_, rest @ (".index" | ".timeindex" | ".txnindex"))) = parse(&entry.name) {
            let log = format!("{}.log", &entry.name[..entry.name.len() - rest.len()]);
            if !entries.iter().any(|other| other.name == log) {
                vfs.remove_file(&path(folder, &entry.name))?;
                orphans += 1;
            }
        }
    }
    let changed = !gone.is_empty() || !swaps.is_empty() || orphans > 0;
    if changed {
        vfs.sync_folder(folder)?;
        entries = vfs.list(folder)?;
    }
    Ok(entries)
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
