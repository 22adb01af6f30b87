//! Puts back what only the journal holds, before any log of the directory is opened.
//!
//! Invariants: bytes go only where they were: the folder with that topic id, the segment with that base, no further
//! than its end, so that no hole comes about; nothing below the log's recovery point, nothing of a log that was
//! forgotten since. Everything put back is on disk before the journal goes. A record that is not whole ends the
//! journal; if whole ones of a later sequence follow, the journal is damaged, and nothing is changed.

use super::record::{BLOCK, Entry, Found, Place, read};
use super::{FOLDER, HALVES, writer};
use crate::checkpoint::{PARTITION_METADATA, decode_partition_metadata};
use crate::directory::check_folder_name;
use crate::segment::file_name;
use crate::vfs::{self, File, OpenMode, Vfs, path, write_all_at};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

/// Files that are held open at once.
const OPEN_FILES: usize = 256;

/// So many files get one sync of everything instead of one each.
const MANY_FILES: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replayed {
    /// There is no journal.
    Nothing,
    Journal,
    /// And by the way everything else in the directory was brought to the disk.
    WithEverything,
}

/// `recovery_point`: of the log in a folder, as it is on disk. `doubted`: what can be read may not be on disk, although
/// a sync finds nothing to do.
pub fn replay(vfs: &dyn Vfs, root: &str, doubted: bool, recovery_point: impl Fn(&str) -> i64) -> io::Result<Replayed> {
    let folder = path(root, FOLDER);
    match vfs.list(root)?.iter().find(|entry| entry.name == FOLDER) {
        None => return Ok(Replayed::Nothing),
        Some(entry) if entry.folder => {}
        // Found now, and not when the journal is wanted for the first time.
        Some(_) => return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{folder} is no folder; remove it"))),
    }
    for entry in vfs.list(&folder)? {
        if !HALVES.contains(&entry.name.as_str()) {
            let text = format!("{folder} holds {:?}, which is nothing of a journal; move it elsewhere", entry.name);
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
    }
    let mut halves = Vec::new();
    for name in HALVES {
        let file = path(&folder, name);
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{file}: {error}"));
        halves.push((name, vfs::read_file(vfs, &file).map_err(named)?.unwrap_or_default()));
    }
    let mut chains: Vec<(&str, Chain<'_>)> = halves.iter().map(|(name, bytes)| (*name, Chain::of(bytes))).collect();
    // The older first.
    chains.sort_by_key(|(_, chain)| chain.records.first().map_or(0, |record| record.sequence));
    let order: Vec<&str> = chains.iter().map(|(name, _)| *name).collect();
    check(&folder, &chains)?;
    let records: Vec<&Found<'_>> = chains.iter().flat_map(|(_, chain)| &chain.records).collect();
    let mut forgotten: BTreeMap<&str, u64> = BTreeMap::new();
    for record in &records {
        for entry in &record.entries {
            if let Entry::Forget(name) = entry {
                forgotten.insert(name, record.sequence);
            }
        }
    }
    let mut targets = Targets {
        vfs,
        root,
        doubted,
        recovery_point,
        logs: BTreeMap::new(),
        open: BTreeMap::new(),
        touched: BTreeSet::new(),
    };
    for record in &records {
        for entry in &record.entries {
            if let Entry::Bytes(place, bytes) = entry
                && forgotten.get(place.name).is_none_or(|sequence| *sequence < record.sequence)
            {
                targets.put(place, bytes)?;
            }
        }
    }
    let replayed = targets.sync()?;
    writer::remove(vfs, root, &order)?;
    Ok(replayed)
}

/// Whether the file has these bytes at this position.
fn holds(file: &dyn File, position: u64, bytes: &[u8]) -> io::Result<bool> {
    let mut found = vec![0; bytes.len()];
    vfs::read_exact_at(file, &mut found, position)?;
    Ok(found == bytes)
}

/// The whole records from the beginning of a file on.
struct Chain<'a> {
    records: Vec<Found<'a>>,
    /// The highest sequence of a whole record behind them.
    beyond: Option<u64>,
}

impl<'a> Chain<'a> {
    fn of(bytes: &'a [u8]) -> Chain<'a> {
        let mut records: Vec<Found<'a>> = Vec::new();
        let mut at = 0;
        while let Some(found) = bytes.get(at..).and_then(read)
            && records.last().is_none_or(|last| found.sequence == last.sequence + 1)
        {
            at += found.padded;
            records.push(found);
        }
        let beyond =
            (at..bytes.len()).step_by(BLOCK).filter_map(|at| read(&bytes[at..])).map(|found| found.sequence).max();
        Chain { records, beyond }
    }
}

/// A record behind the last of its chain is left from an earlier turn, or the chain is broken.
fn check(folder: &str, chains: &[(&str, Chain<'_>)]) -> io::Result<()> {
    let last = chains.iter().filter_map(|(_, chain)| chain.records.last()).map(|record| record.sequence).max();
    let torn_apart = match chains {
        [(_, older), (_, newer)] => match (older.records.last(), newer.records.first()) {
            (Some(end), Some(begin)) => end.sequence + 1 != begin.sequence,
            _ => false,
        },
        _ => false,
    };
    for (name, chain) in chains {
        let end = chain.records.last().map(|record| record.sequence);
        let broken = chain.beyond.is_some_and(|beyond| end.or(last).is_none_or(|end| beyond > end));
        if broken || torn_apart {
            let text = format!(
                "{folder}/{name} is damaged: a record that is not whole stands before whole ones. It holds records that \
                 were acknowledged and may be in no segment; restore it, or remove {folder} to go on without them"
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
    }
    Ok(())
}

/// A segment's file, and its length.
type Target = (Arc<dyn File>, u64);

/// The segments that are written to.
struct Targets<'a, P> {
    vfs: &'a dyn Vfs,
    root: &'a str,
    doubted: bool,
    recovery_point: P,
    /// Topic id of the log in a folder, and its recovery point; None: there is no such folder.
    logs: BTreeMap<String, Option<(Option<String>, i64)>>,
    open: BTreeMap<String, Option<Target>>,
    touched: BTreeSet<String>,
}

impl<P: Fn(&str) -> i64> Targets<'_, P> {
    fn put(&mut self, place: &Place<'_>, bytes: &[u8]) -> io::Result<()> {
        let Some((topic_id, recovery_point)) = self.log(place.name)? else { return Ok(()) };
        let other = !place.topic_id.is_empty() && topic_id.as_deref() != Some(place.topic_id);
        if other || place.end <= recovery_point {
            return Ok(());
        }
        let file = path(&path(self.root, place.name), &file_name(place.base, ".log"));
        if self.open.len() >= OPEN_FILES && !self.open.contains_key(&file) {
            self.open.clear();
        }
        let vfs = self.vfs;
        if !self.open.contains_key(&file) {
            let opened = match vfs.open(&file, OpenMode::Write) {
                Ok(opened) => Some((opened.clone(), opened.len()?)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(error),
            };
            self.open.insert(file.clone(), opened);
        }
        let Some(Some((opened, length))) = self.open.get_mut(&file) else { return Ok(()) };
        if place.position > *length {
            return Ok(());
        }
        self.touched.insert(file);
        // After a kill nearly all of it can be read there, and was written out long ago. In a doubted directory it may
        // be in the system's cache alone, and clean by mistake.
        let behind = place.position + bytes.len() as u64;
        let same = !self.doubted && behind <= *length && holds(&**opened, place.position, bytes)?;
        if !same {
            write_all_at(&**opened, bytes, place.position)?;
        }
        *length = (*length).max(behind);
        Ok(())
    }

    /// None: no log is in such a folder. The journal may be anybody's: a name that is a path leads nowhere.
    fn log(&mut self, name: &str) -> io::Result<Option<(Option<String>, i64)>> {
        if check_folder_name(name).is_err() {
            return Ok(None);
        }
        if let Some(known) = self.logs.get(name) {
            return Ok(known.clone());
        }
        let folder = path(self.root, name);
        let found = match self.vfs.list(&folder) {
            Ok(_) => {
                let metadata = vfs::read_file(self.vfs, &path(&folder, PARTITION_METADATA))?;
                let topic_id = metadata.and_then(|bytes| decode_partition_metadata(&bytes).ok());
                Some((topic_id, (self.recovery_point)(name)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        self.logs.insert(name.to_string(), found.clone());
        Ok(found)
    }

    fn sync(&mut self) -> io::Result<Replayed> {
        self.open.clear();
        if self.touched.len() >= MANY_FILES && self.vfs.sync_everything(self.root)? {
            return Ok(Replayed::WithEverything);
        }
        for file in &self.touched {
            self.vfs.open(file, OpenMode::Write)?.begin_writing();
        }
        for file in &self.touched {
            self.vfs.open(file, OpenMode::Write)?.sync_data()?;
        }
        Ok(Replayed::Journal)
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::Writer;
    use super::*;
    use crate::vfs::MemoryVfs;

    #[test]
    fn a_name_that_is_a_path_leads_nowhere() {
        let vfs = MemoryVfs::new();
        let file = |name: &str| vfs.open(name, OpenMode::Create).unwrap();
        for folder in ["/data/t-0", "/secret-0", &format!("/data/{FOLDER}")] {
            vfs.create_folders(folder).unwrap();
        }
        let segment = file_name(0, ".log");
        let inside = file(&format!("/data/t-0/{segment}"));
        let outside = file(&format!("/secret-0/{segment}"));
        let mut record = Writer::new();
        for name in ["../secret-0", "/secret-0", "t-0/../../secret-0", "t-0"] {
            let place = Place { name, topic_id: "", base: 0, position: 0, end: 9 };
            let filled = record.add(&place, 3, |into| {
                into.copy_from_slice(b"new");
                Ok::<(), ()>(())
            });
            filled.unwrap();
        }
        write_all_at(&*file(&format!("/data/{FOLDER}/0")), &record.finish(0), 0).unwrap();
        assert_eq!(replay(&vfs, "/data", false, |_| 0).unwrap(), Replayed::Journal);
        assert_eq!((inside.len().unwrap(), outside.len().unwrap()), (3, 0));
    }
}
