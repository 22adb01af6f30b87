//! What can be made anew from the batches of a log: index files, producer snapshots, leader epochs.

use super::entries::only_zeros;
use crate::leader_epochs::LeaderEpochs;
use crate::offset_index::OffsetIndex;
use crate::producer_state::ProducerStates;
use crate::scan::{Entry, Scan, Step};
use crate::segment::{file_name, parse_name};
use crate::time_index::TimeIndex;
use crate::txn_index::{self, AbortedTransaction};
use crate::vfs::{self, File, OpenMode, Vfs, path};
use std::io;
use std::sync::Arc;

const WINDOW: usize = 1 << 20;
const CONTROL_BYTES: usize = 64 * 1024;
/// index.interval.bytes, when nobody says otherwise.
const INTERVAL_BYTES: u64 = 4096;

/// Base offsets of the segments in a folder.
pub fn bases(vfs: &dyn Vfs, folder: &str) -> io::Result<Vec<i64>> {
    Ok(vfs.list(folder)?.iter().filter_map(|entry| parse_name(&entry.name, ".log")).collect())
}

fn segment(vfs: &dyn Vfs, folder: &str, base: i64) -> io::Result<(Arc<dyn File>, u64)> {
    let file = vfs.open(&path(folder, &file_name(base, ".log")), OpenMode::Read)?;
    let size = file.len()?;
    Ok((file, size))
}

/// Shows every batch from the segment `from` on, until `each` answers false.
fn walk(
    vfs: &dyn Vfs,
    folder: &str,
    from: i64,
    mut each: impl FnMut(&mut Scan<'_>, &Entry) -> io::Result<bool>,
) -> io::Result<()> {
    for base in bases(vfs, folder)?.into_iter().filter(|base| *base >= from) {
        let (file, size) = segment(vfs, folder, base)?;
        let mut scan = Scan::new(&*file, 0, size, WINDOW);
        while let Step::Batch(entry) = scan.next()? {
            if !each(&mut scan, &entry)? {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The producers as of an offset: the newest snapshot below it that can be read, and the batches behind that.
fn producers_at(vfs: &dyn Vfs, folder: &str, offset: i64) -> io::Result<ProducerStates> {
    let mut producers = ProducerStates::new();
    let mut from = -1;
    let snapshots = vfs.list(folder)?.into_iter().filter_map(|entry| parse_name(&entry.name, ".snapshot"));
    let mut snapshots: Vec<i64> = snapshots.filter(|at| *at <= offset).collect();
    while let Some(at) = snapshots.pop() {
        let bytes = vfs::read_file(vfs, &path(folder, &file_name(at, ".snapshot")))?.unwrap_or_default();
        if producers.decode_snapshot(&bytes, 0, i64::MAX).is_ok() {
            from = at;
            break;
        }
    }
    let begin = bases(vfs, folder)?.into_iter().rfind(|base| *base <= from).unwrap_or(0);
    walk(vfs, folder, begin, |scan, entry| {
        let header = &entry.header;
        if header.base_offset >= offset {
            return Ok(false);
        }
        if header.base_offset >= from && header.has_producer_id() {
            let body = if header.is_control() { scan.body(entry, CONTROL_BYTES)? } else { Vec::new() };
            producers.apply(header, &body);
        }
        Ok(true)
    })?;
    Ok(producers)
}

pub fn snapshot(vfs: &dyn Vfs, folder: &str, offset: i64) -> io::Result<Vec<u8>> {
    Ok(producers_at(vfs, folder, offset)?.encode_snapshot())
}

/// What the three index files of a segment have to hold.
pub struct IndexFiles {
    pub offsets: Vec<u8>,
    pub times: Vec<u8>,
    pub aborted: Vec<u8>,
}

pub fn indexes(vfs: &dyn Vfs, folder: &str, base: i64) -> io::Result<IndexFiles> {
    let mut producers = producers_at(vfs, folder, base)?;
    let (file, size) = segment(vfs, folder, base)?;
    let relative = |offset: i64| offset.saturating_sub(base).clamp(0, u32::MAX as i64) as u32;
    let (mut offsets, mut times, mut aborted) = (OffsetIndex::default(), TimeIndex::default(), Vec::new());
    let (mut largest, mut unindexed) = ((-1, base), 0);
    let mut scan = Scan::new(&*file, 0, size, WINDOW);
    while let Step::Batch(entry) = scan.next()? {
        let header = &entry.header;
        if header.max_timestamp > largest.0 {
            largest = (header.max_timestamp, header.last_offset());
        }
        if unindexed > INTERVAL_BYTES {
            offsets.append(relative(header.last_offset()), entry.position as u32);
            times.append(largest.0, relative(largest.1));
            unindexed = 0;
        }
        unindexed += entry.bytes;
        if header.has_producer_id() {
            let body = if header.is_control() { scan.body(&entry, CONTROL_BYTES)? } else { Vec::new() };
            if let Some(done) = producers.apply(header, &body).filter(|done| done.aborted) {
                aborted.push(AbortedTransaction {
                    producer_id: done.producer_id,
                    first_offset: done.first_offset,
                    last_offset: done.last_offset,
                    last_stable_offset: done.last_stable_offset,
                });
            }
        }
    }
    if largest.0 >= 0 {
        times.append(largest.0, relative(largest.1));
    }
    Ok(IndexFiles { offsets: offsets.encode(), times: times.encode(), aborted: txn_index::encode(&aborted) })
}

pub fn epochs(vfs: &dyn Vfs, folder: &str) -> io::Result<Vec<u8>> {
    let mut epochs = LeaderEpochs::default();
    walk(vfs, folder, 0, |_, entry| {
        if entry.header.leader_epoch > epochs.latest() {
            epochs.assign(entry.header.leader_epoch, entry.header.base_offset);
        }
        Ok(true)
    })?;
    Ok(epochs.encode())
}

/// Copies `from..end` of a file into a new one, durably; nothing when these are zeros.
pub fn keep(vfs: &dyn Vfs, file: &dyn File, from: u64, end: u64, to: &str) -> io::Result<()> {
    if only_zeros(file, from, end)? {
        return Ok(());
    }
    let target = vfs.open(to, OpenMode::Truncate)?;
    vfs::copy_range(file, from, end, &*target)?;
    target.sync_data()
}
