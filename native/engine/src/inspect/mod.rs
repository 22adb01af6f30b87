//! Looks into log directories, partition folders and single files from outside: prints what they hold (`dump`), says
//! what is wrong (`verify`), and mends it (`repair`). No log is opened; the lane and its rooms are not involved.
//!
//! Invariants: `dump` and `verify` open nothing for writing and take no lock; memory is a window and what one batch
//! holds, whatever a file claims; damage is a value, never an error or a panic. `repair` does what its plan said, only
//! under the directory's lock, removes nothing (what it replaces or cuts stays beside under another name), and a
//! second run has nothing to do.

mod directory;
mod dump;
mod entries;
mod epochs;
mod indexes;
mod json;
mod partition;
mod rebuild;
mod repair;
mod report;
mod small;
mod target;
mod walk;

pub use repair::{Step, plan};
pub use report::{Mode, Request, run};
pub use target::Target;

use crate::vfs::Vfs;
use std::io;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; nothing is wrong.
    Note,
    /// The next start mends it by itself, or nothing that was acknowledged is touched by it.
    Warning,
    /// Records are damaged or missing, or a start is refused.
    Error,
}

impl Severity {
    pub fn name(self) -> &'static str {
        match self {
            Severity::Note => "note",
            Severity::Warning => "warning",
            Severity::Error => "error",
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub severity: Severity,
    pub file: String,
    /// The byte in the file; None when it concerns the whole.
    pub at: Option<u64>,
    pub what: String,
    /// What to do about it.
    pub remedy: &'static str,
    pub fix: Option<Fix>,
}

/// What `repair` can do about a finding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fix {
    /// The log ends before this byte of the segment `base`; `next` is its end offset then. `loses`: records below the
    /// recovery point go, which were acknowledged.
    Cut { folder: String, base: i64, position: u64, next: i64, loses: bool },
    /// The index files of a segment, from its batches.
    Indexes { folder: String, base: i64 },
    /// The producer snapshot of this offset, from an older one and the batches.
    Snapshot { folder: String, offset: i64 },
    /// `leader-epoch-checkpoint`, from the batches.
    Epochs { folder: String },
    /// A checkpoint file of the root, from its lines that can be read; of two for one partition the lower.
    Offsets { root: String, name: String },
    /// Another name for a file that belongs to nothing.
    Aside { file: String },
    /// `partition.metadata`, by what the topic's other partitions say.
    Metadata { folder: String, topic_id: String },
}

/// Why an inspection ended early.
#[derive(Debug)]
pub enum Halt {
    /// Whoever takes the findings or lines wants no more.
    Stopped,
    /// This path can't be read at all.
    Unreadable(String, io::Error),
}

/// Where findings go; false ends the inspection.
pub type Findings<'a> = &'a mut dyn FnMut(Finding) -> bool;

#[derive(Clone, Copy, Debug, Default)]
pub struct VerifyOptions {
    /// Also inflate every batch and walk its records.
    pub deep: bool,
}

/// What was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub files: u64,
    pub batches: u64,
    pub bytes: u64,
}

/// Checks everything that the targets hold. `Err` for a target that can't be read; what is wrong inside is a finding.
pub fn verify(
    vfs: &dyn Vfs,
    targets: &[Target],
    options: VerifyOptions,
    findings: Findings<'_>,
) -> Result<Totals, Halt> {
    let mut check = Check { vfs, options, findings, totals: Totals::default() };
    directory::verify(&mut check, targets)?;
    Ok(check.totals)
}

/// What the rooms of `verify` share.
struct Check<'a> {
    vfs: &'a dyn Vfs,
    options: VerifyOptions,
    findings: Findings<'a>,
    totals: Totals,
}

impl Check<'_> {
    fn tell(&mut self, finding: Finding) -> Result<(), Halt> {
        if (self.findings)(finding) { Ok(()) } else { Err(Halt::Stopped) }
    }

    fn note(&mut self, file: &str, what: impl Into<String>, remedy: &'static str) -> Result<(), Halt> {
        self.say(Severity::Note, file, None, what, remedy, None)
    }

    fn say(
        &mut self,
        severity: Severity,
        file: &str,
        at: Option<u64>,
        what: impl Into<String>,
        remedy: &'static str,
        fix: Option<Fix>,
    ) -> Result<(), Halt> {
        self.tell(Finding { severity, file: file.to_string(), at, what: what.into(), remedy, fix })
    }

    /// The value, or a finding in its place.
    fn read<T>(&mut self, file: &str, outcome: io::Result<T>) -> Result<Option<T>, Halt> {
        match outcome {
            Ok(value) => Ok(Some(value)),
            Err(error) => {
                self.say(
                    Severity::Error,
                    file,
                    None,
                    format!("can't be read: {error}"),
                    "see the disk's health",
                    None,
                )?;
                Ok(None)
            }
        }
    }
}

const REPAIR: &str = "odradek log repair, or a start, which does the same";
const RESTORE: &str = "restore it from a replica or a backup";
const LOSE: &str = "restore it from a replica or a backup, or odradek log repair --accept-loss";
