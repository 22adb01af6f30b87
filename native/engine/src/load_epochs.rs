//! What is known of a log before its batches are read: `odradek-sums`, and the leader epochs.

use crate::checkpoint::LEADER_EPOCHS;
use crate::command::Failure;
use crate::leader_epochs::{EpochEntry, LeaderEpochs};
use crate::open::Opening;
use crate::planted::{Bug, planted};
use crate::scan::{Scan, Step};
use crate::segment::Segment;
use crate::sums::{SUMS, Sums};
use crate::vfs::{self, path};
use std::io;
use std::sync::Arc;

/// Bytes read at once.
const WINDOW: usize = 256 << 10;

impl Opening<'_> {
    /// What `odradek-sums` says; nothing where it is missing or decayed.
    pub(crate) fn sums(&self) -> Result<Sums, Failure> {
        let bytes = vfs::read_file(&*self.vfs, &path(&self.folder, SUMS))
            .map_err(|error| self.failed("reading the sums of", error))?;
        Ok(Sums::decode(&bytes.unwrap_or_default()).unwrap_or_default())
    }

    /// Compaction may have taken batches of the segment with that base.
    pub(crate) fn is_compacted(&self, base: i64) -> bool {
        self.request.config.compacted
            || self.directory.cleaned(&self.request.name).is_some_and(|cleaned| cleaned > base)
    }

    /// The epochs below the recovery point, from the checkpoint file or, should it be missing or not go on from what it
    /// was, from the batches; true if it has to be written.
    pub(crate) fn load_epochs(
        &self,
        segments: &[Arc<Segment>],
        first_walked: usize,
        recovery_point: i64,
        sums: &Sums,
    ) -> Result<(LeaderEpochs, bool), Failure> {
        let bytes = vfs::read_file(&*self.vfs, &path(&self.folder, LEADER_EPOCHS))
            .map_err(|error| self.failed("reading leader epochs of", error))?;
        let start = self.points.start.unwrap_or(0).max(segments[0].base);
        let counting = |mut epochs: LeaderEpochs| {
            epochs.truncate_from_end(recovery_point);
            epochs.truncate_from_start(start);
            epochs
        };
        let known = counting(sums.epochs.clone());
        if let Some(Ok(mut epochs)) = bytes.as_deref().map(LeaderEpochs::decode) {
            // Epochs that began since, here or under Apache Kafka, begin where the log ended then.
            let found = counting(epochs.clone());
            let more = found.entries().strip_prefix(known.entries());
            let continues = |more: &[EpochEntry]| sums.upto == 0 || more.iter().all(|entry| entry.start >= sums.upto);
            // The start was moved, and a crash came before that was on disk: the records are there
            // again, their epochs not.
            let unclean = recovery_point != i64::MAX;
            let is_ahead = unclean && epochs.entries().first().is_some_and(|first| first.start > start);
            if more.is_some_and(continues) && !is_ahead || planted(Bug::TrustTheFiles) {
                epochs.truncate_from_end(recovery_point);
                return Ok((epochs, false));
            }
        }
        let mut epochs = LeaderEpochs::default();
        let mut walk = || -> io::Result<()> {
            // The first that is walked may be walked in part.
            for segment in &segments[..=first_walked] {
                let file = segment.file()?;
                let mut scan = Scan::new(&*file, 0, segment.size(), WINDOW);
                while let Step::Batch(entry) = scan.next()? {
                    if entry.header.leader_epoch > epochs.latest() {
                        epochs.assign(entry.header.leader_epoch, entry.header.base_offset);
                    }
                }
            }
            Ok(())
        };
        walk().map_err(|error| self.failed("reading leader epochs of", error))?;
        epochs.truncate_from_end(recovery_point);
        Ok((epochs, true))
    }
}
