//! Looks at the files of a log's folder with eyes of its own: segments, their indexes, what else may lie there.

use crate::model::Known;
use crate::rig::DIRECTORY;
use crate::script::Outcome;
use odradek_engine::batch::{Header, verify_crc};
use odradek_engine::vfs::{MemoryVfs, Vfs, path, read_file};

/// Bytes of an entry: relative offset and position; timestamp and relative offset.
const OFFSET_ENTRY: usize = 8;
const TIME_ENTRY: usize = 12;

struct Files<'a> {
    vfs: &'a MemoryVfs,
    folder: String,
    names: Vec<String>,
}

impl Files<'_> {
    fn of<'a>(vfs: &'a MemoryVfs, name: &str) -> Result<Files<'a>, String> {
        let folder = path(DIRECTORY, name);
        let names = vfs.list(&folder).map_err(|error| format!("{folder}: {error}"))?;
        Ok(Files { vfs, folder, names: names.into_iter().map(|entry| entry.name).collect() })
    }

    fn bytes(&self, name: &str) -> Option<Vec<u8>> {
        read_file(self.vfs, &path(&self.folder, name)).ok().flatten()
    }

    fn no_snapshot_above(&self, end: i64) -> Outcome {
        match self.numbered(".snapshot").into_iter().find(|offset| *offset > end) {
            Some(above) => Err(format!("a producer snapshot of {above} stands above the end, {end}")),
            None => Ok(()),
        }
    }

    fn numbered(&self, suffix: &str) -> Vec<i64> {
        self.names.iter().filter_map(|name| name.strip_suffix(suffix)?.parse().ok()).collect()
    }
}

/// No producer snapshot knows of records above the end.
pub fn no_snapshot_above(vfs: &MemoryVfs, name: &str, end: i64) -> Outcome {
    Files::of(vfs, name)?.no_snapshot_above(end)
}

/// `open`: the active segment's index files are not yet what they will be.
pub fn check(vfs: &MemoryVfs, known: &Known, (start, end): (i64, i64), open: bool) -> Outcome {
    let files = Files::of(vfs, &known.name)?;
    for name in &files.names {
        if [".tmp", ".cleaned", ".swap"].iter().any(|suffix| name.ends_with(suffix)) {
            return Err(format!("{name} was left"));
        }
    }
    files.no_snapshot_above(end)?;
    let bases = files.numbered(".log");
    let sealed = bases.len().saturating_sub(open as usize);
    // Nobody looks into the indexes of segments below the start, and their files go.
    let used = bases.partition_point(|base| *base <= start).saturating_sub(1);
    for base in bases[..sealed].iter().skip(used) {
        let name = |suffix: &str| format!("{base:020}{suffix}");
        let bytes = files.bytes(&name(".log")).unwrap_or_default();
        let batches = batches(&bytes).map_err(|why| format!("{}: {why}", name(".log")))?;
        let offsets = files.bytes(&name(".index")).unwrap_or_default();
        check_offsets(&offsets, *base, &batches, known).map_err(|why| format!("{}: {why}", name(".index")))?;
        let times = files.bytes(&name(".timeindex")).unwrap_or_default();
        check_times(&times, *base, &batches).map_err(|why| format!("{}: {why}", name(".timeindex")))?;
    }
    Ok(())
}

/// Position and header of each batch.
fn batches(bytes: &[u8]) -> Result<Vec<(usize, Header)>, String> {
    let (mut at, mut batches) = (0, Vec::new());
    while at < bytes.len() {
        let header = Header::read(&bytes[at..]).ok_or_else(|| format!("no batch at byte {at}"))?;
        let whole = bytes.get(at..at + header.total_bytes()).filter(|whole| verify_crc(whole));
        batches.push((at, header));
        at += whole.ok_or_else(|| format!("no whole batch at byte {at}"))?.len();
    }
    Ok(batches)
}

/// Each entry names a batch, none is missing for long.
fn check_offsets(bytes: &[u8], base: i64, batches: &[(usize, Header)], known: &Known) -> Outcome {
    if !bytes.len().is_multiple_of(OFFSET_ENTRY) {
        return Err(format!("{} bytes are no whole entries", bytes.len()));
    }
    let mut before = 0;
    for entry in bytes.chunks(OFFSET_ENTRY) {
        let relative = u32::from_be_bytes(entry[..4].try_into().expect("four bytes")) as i64;
        let position = u32::from_be_bytes(entry[4..].try_into().expect("four bytes")) as usize;
        let fits = batches.iter().any(|(at, header)| *at == position && header.last_offset() == base + relative);
        if !fits || position <= before {
            return Err(format!("no batch at byte {position} ends with offset {}", base + relative));
        }
        before = position;
    }
    // An entry is due at the first batch behind so many bytes; a recovery or a restart begins to count anew.
    let largest = batches.iter().map(|(_, header)| header.total_bytes()).max().unwrap_or(0);
    let span = known.config.index_interval_bytes as usize + 2 * largest;
    let positions: Vec<usize> = bytes
        .chunks(OFFSET_ENTRY)
        .map(|e| u32::from_be_bytes(e[4..].try_into().expect("four bytes")) as usize)
        .collect();
    let ends = batches.last().map_or(0, |(at, _)| *at);
    let all = std::iter::once(0).chain(positions.iter().copied()).chain([ends]);
    let all: Vec<usize> = all.collect();
    match all.windows(2).find(|pair| pair[1].saturating_sub(pair[0]) > 2 * span) {
        Some(pair) => Err(format!("no entry between the bytes {} and {}", pair[0], pair[1])),
        None => Ok(()),
    }
}

/// Each entry is the largest timestamp so far and whose it is; the last one is the segment's.
fn check_times(bytes: &[u8], base: i64, batches: &[(usize, Header)]) -> Outcome {
    if !bytes.len().is_multiple_of(TIME_ENTRY) {
        return Err(format!("{} bytes are no whole entries", bytes.len()));
    }
    let mut before = -1;
    for entry in bytes.chunks(TIME_ENTRY) {
        let timestamp = i64::from_be_bytes(entry[..8].try_into().expect("eight bytes"));
        let offset = base + u32::from_be_bytes(entry[8..].try_into().expect("four bytes")) as i64;
        let up_to = batches.iter().filter(|(_, header)| header.last_offset() <= offset);
        let largest = up_to.clone().map(|(_, header)| header.max_timestamp).max();
        let holder = up_to.into_iter().next_back().is_some_and(|(_, header)| header.last_offset() == offset);
        if largest != Some(timestamp) || !holder || timestamp <= before {
            return Err(format!("timestamp {timestamp} of offset {offset} is not the largest so far"));
        }
        before = timestamp;
    }
    let largest = batches.iter().map(|(_, header)| header.max_timestamp).max().unwrap_or(-1);
    if before != largest { Err(format!("it ends with {before}, the largest timestamp is {largest}")) } else { Ok(()) }
}
