//! A roll that overtakes a recovery point: the index files which that one writes are those of a segment that was still
//! appended to, and the sealed segment's are complete.
//!
//! Invariant: what is written last to a sealed segment's index files is all that they have to hold.

use super::LogSync;
use crate::lock::lock;
use crate::segment::IndexFiles;

impl LogSync {
    /// A segment is about to be sealed, before its index files are written: a recovery point that waits writes these
    /// instead of what they were, and one that is being written leaves them to be written once more.
    pub fn seals(&self, files: &IndexFiles) {
        let state = &mut *lock(&self.state);
        let waiting = state.advance.iter_mut().flat_map(|advance| &mut advance.indexes);
        waiting.filter(|older| older.base == files.base).for_each(|older| older.clone_from(files));
        if state.indexes_running == Some(files.base) {
            state.overtaken = Some(Box::new(files.clone()));
        }
    }

    /// What the running job's index files were overtaken by: written by whoever runs it, after it.
    pub fn overtaken(&self) -> Option<Box<IndexFiles>> {
        lock(&self.state).overtaken.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{Completion, LogRef, Sink};
    use crate::sync_job::{Advance, SyncJob};
    use crate::vfs::{MemoryVfs, Vfs, read_file};
    use std::sync::Arc;

    struct Deaf;

    impl Sink for Deaf {
        fn complete(&self, _: Completion, _: bool) {}
    }

    fn files(base: i64, entries: u8) -> IndexFiles {
        IndexFiles { base, offsets: vec![entries; entries as usize * 8], times: Vec::new(), aborted: Vec::new() }
    }

    fn waiting(indexes: Vec<IndexFiles>) -> LogSync {
        let sync = LogSync::new(LogRef { slot: 0, generation: 0 }, Arc::new(Deaf), 0, 0, Vec::new());
        let rest = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (sealed, epochs, sums, obsolete) = rest;
        sync.advance(Advance { offset: 5, indexes, sealed, epochs, sums, snapshot: None, obsolete });
        sync
    }

    fn written(job: &SyncJob) -> Vec<usize> {
        let indexes = job.advance.iter().flat_map(|advance| &advance.indexes);
        indexes.map(|files| files.offsets.len() / 8).collect()
    }

    #[test]
    fn a_recovery_point_that_waits_writes_a_segment_as_it_was_sealed() {
        let sync = waiting(vec![files(0, 2)]);
        sync.seals(&files(0, 3));
        assert_eq!(written(&sync.begin().unwrap()), [3]);
        assert!(sync.overtaken().is_none());
        let sync = waiting(vec![files(0, 2)]);
        sync.seals(&files(9, 3));
        assert_eq!(written(&sync.begin().unwrap()), [2]);
    }

    #[test]
    fn a_recovery_point_that_is_being_written_is_followed_by_what_was_sealed_meanwhile() {
        let vfs = MemoryVfs::new();
        vfs.create_folders("f").unwrap();
        let sync = waiting(vec![files(0, 2)]);
        let job = sync.begin().unwrap();
        sync.seals(&files(0, 3));
        files(0, 3).write(&vfs, "f").ok().flatten().unwrap();
        sync.seals(&files(9, 1));
        assert!(job.run(&vfs, "f").unwrap());
        assert_eq!(read_file(&vfs, "f/00000000000000000000.index").unwrap().unwrap().len(), 16);
        sync.overtaken().unwrap().write(&vfs, "f").ok().flatten().unwrap();
        assert_eq!(read_file(&vfs, "f/00000000000000000000.index").unwrap().unwrap().len(), 24);
        sync.finish(job, Ok(true), |_| {});
        assert!(sync.overtaken().is_none());
        sync.seals(&files(0, 4));
        assert!(sync.overtaken().is_none());
    }
}
