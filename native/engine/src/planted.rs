//! Bugs that a build with the feature `planted` can have switched on, one at a time, by the variable `ODRADEK_PLANTED`:
//! to see that the test which is there for each of them notices. In every other build they are constants that are
//! false, and nothing of them is left. What the addon ships is never built with the feature.

macro_rules! bugs {
    ($($(#[$text:meta])* $bug:ident = $name:literal,)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Bug {
            $($(#[$text])* $bug,)*
        }

        #[cfg(feature = "planted")]
        impl Bug {
            fn of(name: &str) -> Option<Bug> {
                match name {
                    $($name => Some(Bug::$bug),)*
                    _ => None,
                }
            }
        }
    };
}

bugs! {
    /// Bytes are reported as synced and were only written.
    AcknowledgeBeforeSync = "acknowledge before sync",
    /// A sync covers what was appended while it ran.
    SyncCoversLater = "a sync covers what came later",
    /// A sync that ends after a truncation counts what was cut.
    SyncCoversCut = "a sync covers what was cut",
    RetryFailedSync = "retry a failed sync",
    StayOnline = "stay online after a failed sync",
    SkipFolderSync = "skip a folder's sync",
    RollBeforeNames = "roll before the names are synced",
    TrustTheIndex = "trust the index above the recovery point",
    TrustTheSnapshot = "trust a snapshot above the recovery point",
    TrustZeros = "trust zeros in an index",
    UnsyncedIndexes = "move the recovery point past unsynced indexes",
    RecoveryPointPastError = "move the recovery point past an error",
    CutDamage = "cut below the recovery point",
    CutBeforeLowering = "cut before the recovery point is lowered",
    KeepSnapshotAboveCut = "keep a snapshot above a truncation",
    KeepSnapshotWithoutSegment = "keep a snapshot without a segment",
    SkipChecksum = "skip the checksum in recovery",
    TornTailByOne = "be off by one at a torn tail",
    LeaveTornWrite = "leave the part of a write that failed",
    RenameBeforeSync = "rename before the sync",
    RemoveBeforeStart = "remove segments before the start is on disk",
    RecoveryPointBeforeStart = "write the recovery point before the start",
    PointsOfTheDead = "keep the points of a deleted log",
    AnswerDeletionEarly = "answer a deletion before it is on disk",
    CleanForEver = "keep the clean-shutdown file",
    LoseEpochs = "lose the epoch file",
    OneOffsetTwice = "answer one offset twice",
    LargestOfDeleted = "find the timestamp of a deleted record",
    TrustTheSegment = "serve bytes of the disk unchecked",
    TrustTheEntry = "believe an index entry without a look at its batch",
    TrustTheFiles = "believe index files without their sums",
}

/// Whether this bug is switched on.
#[cfg(not(feature = "planted"))]
pub const fn planted(_: Bug) -> bool {
    false
}

/// Whether this bug is switched on.
#[cfg(feature = "planted")]
pub fn planted(bug: Bug) -> bool {
    static CHOSEN: std::sync::OnceLock<Option<Bug>> = std::sync::OnceLock::new();
    let chosen = CHOSEN.get_or_init(|| {
        let name = std::env::var("ODRADEK_PLANTED").ok()?;
        Some(Bug::of(&name).unwrap_or_else(|| panic!("there is no bug {name:?} to plant")))
    });
    *chosen == Some(bug)
}
