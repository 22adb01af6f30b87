//! Leader epochs as the batches tell them, against `leader-epoch-checkpoint`.

use super::{Check, Fix, Halt, REPAIR, Severity};
use crate::batch::Header;
use crate::checkpoint;
use crate::leader_epochs::EpochEntry;

/// Collects where epochs begin in the batches.
#[derive(Default)]
pub struct EpochCheck {
    /// First offset of each epoch, ascending.
    pub seen: Vec<EpochEntry>,
    /// A batch of an older epoch was met; those behind it are of it, too.
    behind: bool,
}

impl EpochCheck {
    /// What is wrong with the batch's epoch.
    pub fn batch(&mut self, header: &Header) -> Option<String> {
        let latest = self.seen.last().map_or(-1, |entry| entry.epoch);
        if header.leader_epoch < -1 {
            return Some(format!("leader epoch {} can't be", header.leader_epoch));
        }
        let behind = header.leader_epoch >= 0 && header.leader_epoch < latest;
        if behind && !std::mem::replace(&mut self.behind, true) {
            return Some(format!("leader epoch {} comes behind a batch of epoch {latest}", header.leader_epoch));
        }
        if header.leader_epoch > latest {
            self.behind = false;
            self.seen.push(EpochEntry { epoch: header.leader_epoch, start: header.base_offset });
        }
        None
    }

    /// Compares with the file's entries. What lies below `start` was deleted, and the file speaks of it no more.
    pub fn compare(
        &self,
        check: &mut Check<'_>,
        file: &str,
        folder: &str,
        entries: &[EpochEntry],
        (start, end): (i64, i64),
    ) -> Result<(), Halt> {
        let fix = || Some(Fix::Epochs { folder: folder.to_string() });
        if let Some(beyond) = entries.iter().find(|entry| entry.start > end) {
            let what = format!("epoch {} begins at offset {}, the log ends at {end}", beyond.epoch, beyond.start);
            check.say(Severity::Warning, file, None, what, REPAIR, fix())?;
        }
        for (at, seen) in self.seen.iter().enumerate() {
            if self.seen.get(at + 1).is_some_and(|next| next.start <= start) {
                continue;
            }
            let offset = seen.start.max(start);
            let floor = entries.partition_point(|entry| entry.start <= offset);
            let known = floor.checked_sub(1).map(|at| entries[at].epoch);
            if known != Some(seen.epoch) && offset < end {
                let known = known.map_or("none".to_string(), |epoch| epoch.to_string());
                let what = format!("offset {offset} has epoch {known} here, its batch says {}", seen.epoch);
                return check.say(Severity::Warning, file, None, what, "odradek log repair", fix());
            }
        }
        Ok(())
    }
}

/// The file's entries; findings for what is wrong with them, and None when they can't be used.
pub fn read(check: &mut Check<'_>, file: &str, folder: &str, bytes: &[u8]) -> Result<Option<Vec<EpochEntry>>, Halt> {
    let fix = || Some(Fix::Epochs { folder: folder.to_string() });
    let lines = match checkpoint::decode(bytes) {
        Ok(lines) => lines,
        Err(why) => {
            check.say(Severity::Error, file, None, why, "odradek log repair", fix())?;
            return Ok(None);
        }
    };
    let mut entries: Vec<EpochEntry> = Vec::new();
    for line in lines {
        let parsed = line.split_once(' ').and_then(|(epoch, start)| Some((epoch.parse().ok()?, start.parse().ok()?)));
        let Some((epoch, start)) = parsed else {
            check.say(
                Severity::Error,
                file,
                None,
                format!("no epoch and offset in line {line:?}"),
                "odradek log repair",
                fix(),
            )?;
            return Ok(None);
        };
        if entries.last().is_some_and(|last| epoch <= last.epoch || start <= last.start) || epoch < 0 || start < 0 {
            let what = format!("epoch {epoch} from offset {start} on doesn't come behind the line before it");
            check.say(Severity::Error, file, None, what, "odradek log repair", fix())?;
            return Ok(None);
        }
        entries.push(EpochEntry { epoch, start });
    }
    if bytes.is_empty() {
        check.say(Severity::Warning, file, None, "empty", "odradek log repair", fix())?;
    }
    Ok(Some(entries))
}
