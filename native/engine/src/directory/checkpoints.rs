//! Where each log of a directory stands, in memory and in the checkpoint files.
//!
//! Invariant: a file is written whole, one writer at a time, from values read after the writer's turn began, so an
//! older state never replaces a newer one.

use super::{CHECKPOINTS, Directory};
use crate::checkpoint::CLEANED;
use crate::command::Failure;
use crate::error::Code;
use crate::lock::lock;
use crate::planted::{Bug, planted};
use crate::points::Kind;
use crate::vfs::{is_no_space, write_file_atomically};
use std::sync::Arc;

/// Where a log stands by the checkpoint files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogPoints {
    pub recovery: i64,
    /// The file has a recovery point of it, were it 0.
    pub listed: bool,
    pub start: Option<i64>,
    pub high_watermark: i64,
}

impl Directory {
    pub fn points(&self, folder: &str) -> LogPoints {
        let points = lock(&self.points);
        LogPoints {
            recovery: points.get(Kind::Recovery, folder).unwrap_or(0),
            listed: points.get(Kind::Recovery, folder).is_some(),
            start: points.get(Kind::Start, folder),
            high_watermark: points.get(Kind::HighWatermark, folder).unwrap_or(-1),
        }
    }

    /// The folder's name, shared by all who keep it.
    pub fn name(&self, folder: &str) -> Arc<str> {
        lock(&self.points).name(folder)
    }

    /// Its log is about to be opened. False: it is open already.
    pub fn claim_log(&self, folder: &str) -> bool {
        lock(&self.points).claim(folder)
    }

    /// Its log is open no more.
    pub fn release_log(&self, folder: &str) {
        lock(&self.points).release(folder);
    }

    pub fn set_recovery_point(&self, folder: &str, offset: i64) {
        lock(&self.points).set(Kind::Recovery, folder, Some(offset));
    }

    /// None: the start is the first segment's base, which needs no entry.
    pub fn set_start(&self, folder: &str, offset: Option<i64>) {
        lock(&self.points).set(Kind::Start, folder, offset);
    }

    /// The log's first file is that of `base` now: a start there needs no entry.
    pub fn settle_start(&self, folder: &str, base: i64) {
        let points = &mut *lock(&self.points);
        if points.get(Kind::Start, folder) == Some(base) {
            points.set(Kind::Start, folder, None);
        }
    }

    pub fn set_high_watermark(&self, folder: &str, offset: i64) {
        lock(&self.points).set(Kind::HighWatermark, folder, Some(offset));
    }

    /// Where recovery would begin after a crash now.
    pub fn recovery_on_disk(&self, folder: &str) -> i64 {
        lock(&self.points).recovery_on_disk(folder).unwrap_or(0)
    }

    /// First offset that was not cleaned yet; None: none was.
    pub fn cleaned(&self, folder: &str) -> Option<i64> {
        lock(&self.points).get(Kind::Cleaned, folder)
    }

    pub fn set_cleaned(&self, folder: &str, offset: i64) {
        lock(&self.points).set(Kind::Cleaned, folder, Some(offset));
    }

    /// The files on disk may say something of it.
    pub fn has_points(&self, folder: &str) -> bool {
        let points = lock(&self.points);
        points.is_listed(folder) || points.cleaned_changed
    }

    /// The log is gone; true if the files on disk still have a point of it.
    pub fn forget(&self, folder: &str) -> bool {
        let points = &mut *lock(&self.points);
        for (_, kind) in CHECKPOINTS {
            points.set(kind, folder, None);
        }
        points.set(Kind::Cleaned, folder, None) || points.is_listed(folder)
    }

    pub fn checkpoints_changed(&self) -> bool {
        lock(&self.points).changed
    }

    pub fn recovery_points_changed(&self) -> bool {
        lock(&self.points).recovery_changed
    }

    /// Lowers recovery point and log start on disk to `offset` before bytes above it are cut. A log without a
    /// recovery point gets one, so that what its folder tells of the bytes of before doesn't
    /// count for those that follow.
    pub fn lower_points(&self, folder: &str, offset: i64) -> Result<(), Failure> {
        let higher = {
            let points = &mut *lock(&self.points);
            let unlisted = points.recovery_on_disk(folder).is_none();
            let higher = unlisted || points.on_disk(folder, |known| known > offset);
            if points.get(Kind::Recovery, folder).is_none() {
                points.set(Kind::Recovery, folder, Some(0));
            }
            let cleaned_further = points.get(Kind::Cleaned, folder).is_some_and(|known| known > offset);
            for kind in [Kind::Recovery, Kind::Start, Kind::Cleaned] {
                if points.get(kind, folder).is_some_and(|known| known > offset) {
                    points.set(kind, folder, Some(offset));
                }
            }
            higher || cleaned_further
        };
        if higher { self.write_checkpoints() } else { Ok(()) }
    }

    /// Writes the three files; the starts first, because a recovery point may be past segments that only a start on
    /// disk has let go of. No room is an answer; any other failure takes the directory offline.
    pub fn write_checkpoints(&self) -> Result<(), Failure> {
        let _turn = lock(&self.writing);
        self.check()?;
        let mut files = {
            let points = &mut *lock(&self.points);
            points.changed = false;
            points.recovery_changed = false;
            CHECKPOINTS.map(|(name, kind)| (name, kind, points.encode(kind), points.pending(kind)))
        };
        if planted(Bug::RecoveryPointBeforeStart) {
            files.swap(0, 1);
        }
        for (name, kind, content, pending) in files {
            self.write_checkpoint(name, &content)?;
            lock(&self.points).written(kind, pending);
        }
        self.write_cleaned_now()
    }

    /// Writes how far each log is clean, if that has changed. Fails as `write_checkpoints` does.
    pub fn write_cleaned(&self) -> Result<(), Failure> {
        let _turn = lock(&self.writing);
        self.check()?;
        self.write_cleaned_now()
    }

    fn write_cleaned_now(&self) -> Result<(), Failure> {
        let content = {
            let points = &mut *lock(&self.points);
            if !std::mem::take(&mut points.cleaned_changed) {
                return Ok(());
            }
            points.encode(Kind::Cleaned)
        };
        self.write_checkpoint(CLEANED, &content).inspect_err(|_| lock(&self.points).cleaned_changed = true)
    }

    fn write_checkpoint(&self, name: &str, content: &[u8]) -> Result<(), Failure> {
        match write_file_atomically(&*self.vfs, &self.path, name, content) {
            Ok(()) => Ok(()),
            Err(error) if is_no_space(&error) => {
                lock(&self.points).changed = true;
                let text = format!("writing {name} in {}: {error}", self.path);
                Err(Failure { code: Code::NoSpace, text })
            }
            Err(error) => Err(self.fail(&format!("writing {name}"), &error)),
        }
    }
}
