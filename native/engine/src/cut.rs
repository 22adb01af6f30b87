//! Takes records off the end of a log: truncation by a follower, and the fresh start at another offset.
//!
//! Invariants: first a recovery point at or below the cut is on disk, or bytes written there later and torn by a power
//! cut would count as damage. Readers see the cut before the files do. Later segments go one by one, newest first, each
//! removal on disk before the next, so that no crash leaves a hole. The cut itself is on disk before anything new is
//! appended.

use crate::cleaner::Stop;
use crate::command::Failure;
use crate::error::Code;
use crate::log::{Advanced, Log};
use crate::planted::{Bug, planted};
use crate::recovery::measure;
use crate::recovery_producers::load_producers;
use crate::scan::{Scan, Step};
use crate::segment::{Largest, Segment, file_name, find_batch, parse_name};
use crate::sums::SUMS;
use crate::vfs::{Vfs, path, remove_if_there};
use std::io;
use std::sync::Arc;

/// Every file of one segment.
pub const SEGMENT_SUFFIXES: [&str; 5] = [".index", ".timeindex", ".txnindex", ".snapshot", ".log"];

impl Log {
    /// Cuts every record from `offset` on; a batch that holds it goes as a whole. Nothing to do at or above the end
    /// of a log that has records; one that never had any begins at `offset`, as does one that is cut below its first
    /// segment.
    pub fn truncate(&mut self, offset: i64, now_ms: i64) -> Result<(), Failure> {
        self.shared.directory.check()?;
        if offset < 0 {
            return Err(Failure { code: Code::OutOfRange, text: format!("offset {offset} is below zero") });
        }
        if offset > self.end && self.start == self.end {
            return self.restart_at(offset, now_ms);
        }
        if offset >= self.end {
            return Ok(());
        }
        self.stop_cleaning(Stop::Cut)?;
        let state = self.shared.view.state();
        let Some(at) = state.segments.partition_point(|segment| segment.base <= offset).checked_sub(1) else {
            return self.restart_at(offset, now_ms);
        };
        let segment = state.segments[at].clone();
        let failed = |error: io::Error| self.shared.directory.fail(&format!("truncating {}", self.shared.name), &error);
        let size = state.size_of(at);
        let cut = if size == 0 {
            None
        } else {
            let begin = segment.floor(offset, true).map_err(failed)?.unwrap_or(0);
            let file = segment.file().map_err(failed)?;
            find_batch(&*file, begin, size, offset).map_err(failed)?
        };
        let (position, end) =
            cut.map_or((size, offset), |entry| (entry.position, offset.min(entry.header.base_offset)));

        if end < offset.min(self.start) {
            // The batch reached below the start: nothing that counts is left.
            return self.restart_at(offset.min(self.start), now_ms);
        }
        self.unsynced_indexes.extend(self.shared.sync.hold(end));
        self.forget_journaled()?;
        if !planted(Bug::CutBeforeLowering) {
            self.shared.directory.lower_points(&self.shared.name, end)?;
        }
        let mut indexes = segment.load_indexes().map_err(failed)?;
        indexes.offsets.truncate(segment.relative(end));
        indexes.times.truncate(segment.relative(end));
        let largest = if position > 0 {
            let file = segment.file().map_err(failed)?;
            measure(&*file, &segment, &indexes, position).map_err(failed)?
        } else {
            Largest { timestamp: -1, offset: -1 }
        };
        segment.truncated(position, end, indexes, largest);
        self.end = end;
        self.bytes_end = segment.bytes_before + position;
        self.start = self.start.min(end);
        self.active = segment.clone();
        Arc::make_mut(&mut self.epochs).truncate_from_end(end);
        self.shared.view.update(|view| {
            view.segments = state.segments[..=at].into();
            view.truncations += 1;
            view.bytes_at_open = view.bytes_at_open.min(self.bytes_end);
        });
        self.publish(true);
        let removed: Vec<i64> = state.segments[at + 1..].iter().map(|segment| segment.base).collect();
        self.cut_files(&segment, position, &removed, end)
            .map_err(|error| self.shared.directory.fail(&format!("truncating {}", self.shared.name), &error))?;
        self.shared.sync.truncated(end);
        self.after_cut(now_ms)
    }

    fn cut_files(&self, segment: &Segment, position: u64, removed: &[i64], end: i64) -> io::Result<()> {
        let (vfs, folder) = (&*self.shared.directory.vfs, &*self.shared.folder);
        forget_sums(vfs, folder)?;
        for base in removed.iter().rev() {
            remove_segment(vfs, folder, *base)?;
            vfs.sync_folder(folder)?;
        }
        for entry in vfs.list(folder)? {
            let above = parse_name(&entry.name, ".snapshot").is_some_and(|offset| offset > end);
            if above && !planted(Bug::KeepSnapshotAboveCut) {
                vfs.remove_file(&path(folder, &entry.name))?;
            }
        }
        match segment.file() {
            Ok(file) => {
                file.set_len(position)?;
                file.sync_data()?;
            }
            // Nothing was ever appended to it.
            Err(error) if position == 0 && error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        vfs.sync_folder(folder)
    }

    /// Drops everything and goes on at `offset`, empty.
    pub fn restart_at(&mut self, offset: i64, now_ms: i64) -> Result<(), Failure> {
        self.stop_cleaning(Stop::Cut)?;
        let retired = self.shared.sync.take_retired();
        let lowest = offset.min(self.start);
        self.unsynced_indexes.extend(self.shared.sync.hold(lowest));
        self.forget_journaled()?;
        self.shared.directory.lower_points(&self.shared.name, lowest)?;
        let state = self.shared.view.state();
        let (vfs, folder) = (self.shared.directory.vfs.clone(), self.shared.folder.clone());
        let segment = Arc::new(Segment::new(vfs, folder, offset, self.bytes_end));
        self.active = segment.clone();
        self.shared.view.update(|view| {
            view.segments = [segment.clone()].into();
            view.truncations += 1;
        });
        Arc::make_mut(&mut self.epochs).truncate_from_end(0);
        self.start = offset;
        self.end = offset;
        self.publish(true);
        let cut = || -> io::Result<()> {
            let (vfs, folder) = (&*self.shared.directory.vfs, &*self.shared.folder);
            forget_sums(vfs, folder)?;
            for old in state.segments.iter().rev() {
                remove_segment(vfs, folder, old.base)?;
                vfs.sync_folder(folder)?;
            }
            for base in retired.iter().rev() {
                remove_segment(vfs, folder, *base)?;
            }
            for entry in vfs.list(folder)? {
                if parse_name(&entry.name, ".snapshot").is_some() {
                    vfs.remove_file(&path(folder, &entry.name))?;
                }
            }
            // The name says where the log begins.
            segment.create_file()?;
            vfs.sync_folder(folder)
        };
        cut().map_err(|error| self.shared.directory.fail(&format!("restarting {}", self.shared.name), &error))?;
        self.shared.sync.restarted(offset);
        self.after_cut(now_ms)
    }

    /// After `hold`: what is cut does not come back out of the journal, and what stays does not need it. Before the
    /// recovery point is lowered: below it the journal's bytes may be of segments that were cleaned since.
    fn forget_journaled(&self) -> Result<(), Failure> {
        let shared = &self.shared;
        if shared.directory.journal.is_used() {
            if let Some(file) = self.active.open_file() {
                let failed = |error| shared.directory.fail(&format!("syncing a segment of {}", shared.name), &error);
                file.sync_data().map_err(failed)?;
            }
            shared.sync_journaled()?;
            shared.directory.journal.drained(shared.log);
            shared.directory.journal.forget(&shared.directory, &[&shared.name])?;
        }
        Ok(())
    }

    /// The active segment is empty: it begins at `base` instead. A log without any record begins there too, as its
    /// first segment can't reach that far.
    pub(crate) fn rebase(&mut self, base: i64, now_ms: i64) -> Result<(), Failure> {
        let old = self.active.clone();
        let state = self.shared.view.state();
        let empty = state.segments.len() == 1;
        let next = Segment::new(self.shared.directory.vfs.clone(), self.shared.folder.clone(), base, self.bytes_end);
        let file = next.create_file().map_err(|error| self.write_failed(&error))?;
        let (vfs, folder) = (&*self.shared.directory.vfs, &*self.shared.folder);
        remove_if_there(vfs, &path(folder, &file_name(old.base, ".log")))
            .map_err(|error| self.shared.directory.fail(&format!("rolling {}", self.shared.name), &error))?;
        self.active = Arc::new(next);
        self.shared.view.update(|view| {
            let mut segments = view.segments.to_vec();
            *segments.last_mut().expect("a log has a segment") = self.active.clone();
            view.segments = segments.into();
            view.truncations += 1;
        });
        self.end = base;
        if empty {
            self.start = base;
        }
        self.created_ms = now_ms;
        self.publish(false);
        self.shared.sync.written(base, &file, None, true, false, false);
        Ok(())
    }

    /// Producers, the active segment's age and the checkpoints follow the new end.
    fn after_cut(&mut self, now_ms: i64) -> Result<(), Failure> {
        let failed = |error: io::Error| Failure {
            code: self.shared.directory.fail(&format!("reloading producers of {}", self.shared.name), &error).code,
            text: error.to_string(),
        };
        let state = self.shared.view.state();
        let expiration_ms = self.config.producer_id_expiration_ms;
        let (vfs, folder) = (&*self.shared.directory.vfs, &*self.shared.folder);
        let entries = vfs.list(folder).map_err(failed)?;
        let snapshots = entries.iter().filter_map(|entry| parse_name(&entry.name, ".snapshot"));
        let snapshots = snapshots.filter(|offset| *offset <= self.end).collect();
        let loaded = load_producers(vfs, folder, &state, snapshots, self.end, now_ms, expiration_ms).map_err(failed)?;
        self.producers = loaded.producers;
        self.loose_snapshots = loaded.loose;
        self.unindexed = 0;
        self.first_timestamp = None;
        self.created_ms = now_ms;
        if self.active_size() > 0 {
            let file = self.active.file().map_err(failed)?;
            if let Step::Batch(entry) = Scan::new(&*file, 0, self.active_size(), 0).next().map_err(failed)? {
                self.first_timestamp = Some(entry.header.max_timestamp);
            }
        }
        self.unsynced_indexes.retain(|base| *base < self.active.base);
        self.advanced = Advanced { end: -1, bytes: self.bytes_end };
        self.flushed = (self.end, None);
        self.note_start();
        Ok(())
    }
}

/// What a folder tells of bytes that go does not outlive them: whoever copies it later would believe it.
fn forget_sums(vfs: &dyn Vfs, folder: &str) -> io::Result<()> {
    if remove_if_there(vfs, &path(folder, SUMS))? { vfs.sync_folder(folder) } else { Ok(()) }
}

/// Removes a segment's files, the log itself last; its folder's sync is the caller's.
pub fn remove_segment(vfs: &dyn Vfs, folder: &str, base: i64) -> io::Result<()> {
    for suffix in SEGMENT_SUFFIXES {
        remove_if_there(vfs, &path(folder, &file_name(base, suffix)))?;
    }
    Ok(())
}
