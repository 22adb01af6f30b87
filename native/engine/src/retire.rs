//! What becomes of the files of segments that a log has let go of: first another name, then, after a delay for whoever
//! has opened them by name, nothing.
//!
//! Invariants: no file is renamed before a log start and a recovery point at or above the first segment that stays are
//! on disk, and that segment's name with them: after a crash the log begins there, whichever of the renames came
//! through. A file under its last name is removed when the log is opened again, at the latest.

use crate::cut::SEGMENT_SUFFIXES;
use crate::segment::file_name;
use crate::sync_job::Failed;
use crate::vfs::{Vfs, path, remove_if_there};
use std::io;

/// As Kafka names what it is about to delete.
pub const LAST_SUFFIX: &str = ".deleted";

/// Segments whose files have to be renamed, oldest first, and the base of the first that stays.
#[derive(Debug, Default)]
pub struct Retire {
    pub bases: Vec<i64>,
    pub boundary: i64,
}

/// Renames the segments' files, after a run of the sync that made the names of later ones durable. Before each segment
/// `go_on` is asked; false: not all of them were renamed.
pub fn rename(vfs: &dyn Vfs, folder: &str, retire: &Retire, go_on: impl Fn() -> bool) -> Result<bool, Failed> {
    for base in &retire.bases {
        if !go_on() {
            return Ok(false);
        }
        for suffix in SEGMENT_SUFFIXES {
            let from = path(folder, &file_name(*base, suffix));
            match vfs.rename(&from, &format!("{from}{LAST_SUFFIX}")) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(Failed { what: format!("renaming {from}"), error }),
            }
        }
    }
    vfs.sync_folder(folder).map_err(|error| Failed { what: format!("syncing {folder}"), error })?;
    Ok(true)
}

/// Removes the renamed files.
pub fn remove(vfs: &dyn Vfs, folder: &str, bases: &[i64]) -> io::Result<()> {
    for base in bases {
        for suffix in SEGMENT_SUFFIXES {
            remove_if_there(vfs, &path(folder, &format!("{}{LAST_SUFFIX}", file_name(*base, suffix))))?;
        }
    }
    Ok(())
}
