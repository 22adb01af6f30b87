//! Puts a cleaned segment in the place of those that it was made from.
//!
//! Readers see it first, by its open file and its indexes in memory, so that none of them has to look for a name while
//! the names move: `.cleaned` becomes `.swap`, the old files become `.deleted`, `.swap` loses its suffix. Each step is
//! on disk before the next, whatever order a file system keeps: while a `.cleaned` file is left all of it can be
//! undone, from the first moment without one all of it can be finished (`tidy.rs`, and Apache Kafka's loader).
//!
//! Invariant: the names move once, under a lock: on the cleaner's thread, or on the lane when it
//! needs them final before that.

use crate::command::Failure;
use crate::cut::SEGMENT_SUFFIXES;
use crate::error::Code;
use crate::lock::lock;
use crate::log::LogShared;
use crate::retire::LAST_SUFFIX;
use crate::segment::{Segment, file_name};
use crate::vfs::{Vfs, path};
use std::io;
use std::sync::{Arc, Mutex};

pub const CLEANED: &str = ".cleaned";
pub const SWAP: &str = ".swap";

/// Files of a segment that a pass writes, the batches last.
const WRITTEN: [&str; 4] = [".index", ".timeindex", ".txnindex", ".log"];

/// A cleaned segment and those that it replaces.
pub struct Replacement {
    pub old: Vec<Arc<Segment>>,
    pub new: Arc<Segment>,
    folder: Arc<str>,
    moved: Mutex<bool>,
}

impl Replacement {
    pub fn new(old: Vec<Arc<Segment>>, new: Segment, folder: Arc<str>) -> Replacement {
        Replacement { old, new: Arc::new(new), folder, moved: Mutex::new(false) }
    }

    /// Moves the names, unless that is done.
    pub fn move_names(&self, vfs: &dyn Vfs) -> io::Result<()> {
        let mut moved = lock(&self.moved);
        if *moved {
            return Ok(());
        }
        let base = self.new.base;
        for suffix in WRITTEN {
            self.rename(vfs, base, suffix, CLEANED, SWAP)?;
        }
        vfs.sync_folder(&self.folder)?;
        for old in &self.old {
            // The snapshot of the producers at the first base stays true.
            for suffix in SEGMENT_SUFFIXES.into_iter().filter(|suffix| *suffix != ".snapshot" || old.base != base) {
                self.rename(vfs, old.base, suffix, "", LAST_SUFFIX)?;
            }
        }
        vfs.sync_folder(&self.folder)?;
        // While there is a `.log.swap`, index files without a suffix count as old ones.
        self.rename(vfs, base, ".log", SWAP, "")?;
        vfs.sync_folder(&self.folder)?;
        for suffix in WRITTEN {
            self.rename(vfs, base, suffix, SWAP, "")?;
        }
        vfs.sync_folder(&self.folder)?;
        *moved = true;
        Ok(())
    }

    fn rename(&self, vfs: &dyn Vfs, base: i64, suffix: &str, from: &str, to: &str) -> io::Result<()> {
        let name = path(&self.folder, &file_name(base, suffix));
        match vfs.rename(&format!("{name}{from}"), &format!("{name}{to}")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            outcome => outcome,
        }
    }
}

/// Moves the names; a failure takes the directory offline.
pub fn move_names(replacement: &Replacement, shared: &LogShared) -> Result<(), Failure> {
    shared.directory.check()?;
    replacement.move_names(&*shared.directory.vfs).map_err(|error| {
        let what = format!("putting a compacted segment of {} in place", shared.name);
        if shared.sync.is_over() {
            // Deleted meanwhile, files and all.
            return Failure { code: Code::StaleLog, text: what };
        }
        shared.directory.fail(&what, &error)
    })
}
