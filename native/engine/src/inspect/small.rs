//! The small files: checkpoints, producer snapshots, properties and JSON.

use super::json::is_json;
use super::{Check, Fix, Halt, RESTORE, Severity};
use crate::checkpoint;
use crate::directory::check_folder_name;
use crate::producer_state::ProducerStates;
use crate::sums::Sums;
use std::collections::BTreeMap;

/// Offsets by partition folder; findings for lines that are none.
pub fn offsets(check: &mut Check<'_>, root: &str, name: &str, bytes: &[u8]) -> Result<BTreeMap<String, i64>, Halt> {
    let file = crate::vfs::path(root, name);
    let fix = || Some(Fix::Offsets { root: root.to_string(), name: name.to_string() });
    let remedy =
        "odradek log repair keeps the lines that can be read; a log without a line is read from its first byte";
    let lines = match checkpoint::decode_lines(bytes) {
        Ok(lines) => lines,
        Err(why) => {
            check.say(Severity::Error, &file, None, why, remedy, fix())?;
            return Ok(salvage(bytes));
        }
    };
    let mut offsets = BTreeMap::new();
    for line in lines {
        let Some((folder, offset)) = entry(line) else {
            check.say(
                Severity::Error,
                &file,
                None,
                format!("no topic, partition and offset in line {line:?}"),
                remedy,
                fix(),
            )?;
            continue;
        };
        if let Some(other) = offsets.insert(folder.clone(), offset) {
            let what = format!("{folder} stands there twice, with offsets {other} and {offset}");
            offsets.insert(folder, offset.min(other));
            check.say(Severity::Error, &file, None, what, remedy, fix())?;
        }
    }
    Ok(offsets)
}

fn entry(line: &str) -> Option<(String, i64)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [topic, partition, offset] = fields[..] else { return None };
    let folder = format!("{topic}-{partition}");
    check_folder_name(&folder).ok()?;
    Some((folder, offset.parse().ok().filter(|offset| *offset >= 0)?))
}

/// Every line that names a partition and an offset, whatever the rest says; the lower of two.
pub fn salvage(bytes: &[u8]) -> BTreeMap<String, i64> {
    let text = String::from_utf8_lossy(bytes);
    let mut offsets = BTreeMap::new();
    for (folder, offset) in text.lines().filter_map(entry) {
        offsets.entry(folder).and_modify(|known: &mut i64| *known = offset.min(*known)).or_insert(offset);
    }
    offsets
}

pub fn snapshot(check: &mut Check<'_>, folder: &str, offset: i64, file: &str, bytes: &[u8]) -> Result<(), Halt> {
    if let Err(why) = ProducerStates::new().decode_snapshot(bytes, 0, i64::MAX) {
        let fix = Some(Fix::Snapshot { folder: folder.to_string(), offset });
        let remedy = "odradek log repair, or a start, which falls back on an older one";
        check.say(Severity::Warning, file, None, why, remedy, fix)?;
    }
    Ok(())
}

/// What Odradek knows of a log's files.
pub fn sums(check: &mut Check<'_>, file: &str, bytes: &[u8]) -> Result<(), Halt> {
    if let Err(why) = Sums::decode(bytes) {
        let remedy = "the next recovery point writes it anew; until then decay of index files may go unnoticed";
        check.say(Severity::Warning, file, None, why, remedy, Some(Fix::Aside { file: file.to_string() }))?;
    }
    Ok(())
}

/// The topic id in `partition.metadata`.
pub fn metadata(check: &mut Check<'_>, file: &str, bytes: &[u8]) -> Result<Option<String>, Halt> {
    match checkpoint::decode_partition_metadata(bytes) {
        Ok(id) if is_uuid(&id) => Ok(Some(id)),
        Ok(id) => {
            check.say(Severity::Error, file, None, format!("{id:?} is no topic id"), RESTORE, None)?;
            Ok(None)
        }
        Err(why) => {
            check.say(Severity::Error, file, None, why, RESTORE, None)?;
            Ok(None)
        }
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 22 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// The `directory.id` in `meta.properties`, if it has one.
pub fn properties(check: &mut Check<'_>, file: &str, bytes: &[u8]) -> Result<Option<String>, Halt> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        check.say(Severity::Error, file, None, "not UTF-8", RESTORE, None)?;
        return Ok(None);
    };
    let field = |name: &str| {
        let lines = text.lines().map(str::trim).filter(|line| !line.starts_with(['#', '!']));
        lines.filter_map(|line| line.split_once('=')).find(|(key, _)| key.trim() == name).map(|(_, value)| value.trim())
    };
    let mut wrong: Vec<String> = Vec::new();
    match field("version") {
        Some("0" | "1") => {}
        Some(version) => wrong.push(format!("version {version} where 0 and 1 are known")),
        None => wrong.push("no version".to_string()),
    }
    let node = field("node.id").or(field("broker.id"));
    if node.is_none_or(|node| node.parse::<i32>().is_err()) {
        wrong.push("no node.id".to_string());
    }
    if field("cluster.id").is_none_or(str::is_empty) {
        wrong.push("no cluster.id".to_string());
    }
    let id = field("directory.id");
    if let Some(id) = id.filter(|id| !is_uuid(id)) {
        wrong.push(format!("directory.id {id:?} is no id"));
    }
    for what in wrong {
        check.say(Severity::Error, file, None, what, RESTORE, None)?;
    }
    Ok(id.map(str::to_string))
}

/// `quorum-state` and the clean-shutdown file.
pub fn json(check: &mut Check<'_>, file: &str, bytes: &[u8]) -> Result<(), Halt> {
    // An older Kafka leaves the clean-shutdown file empty.
    let empty = bytes.is_empty() && file.ends_with(checkpoint::CLEAN_SHUTDOWN);
    let sound = empty || std::str::from_utf8(bytes).is_ok_and(is_json);
    if !sound {
        check.say(Severity::Error, file, None, "not JSON", RESTORE, None)?;
    }
    Ok(())
}
