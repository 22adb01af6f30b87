//! What a log's producers are after a start: the newest snapshot that can be read, and the batches behind it.
//!
//! Invariants: a snapshot above the trusted offset is not looked at. Batches are taken once, in order: those that a
//! walk of recovery meets there, so that nothing is read twice; otherwise by a walk of their own.

use crate::batch::Header;
use crate::producer_state::{CompletedTransaction, ProducerStates};
use crate::recovery::CONTROL_BYTES;
use crate::scan::{Scan, Step};
use crate::segment::file_name;
use crate::txn_index::AbortedTransaction;
use crate::vfs::{self, Vfs, path, remove_if_there};
use crate::view::ViewState;
use std::io;

/// Bytes read at once.
const WINDOW: usize = 256 << 10;

/// Producers as of an offset.
pub struct LoadedProducers {
    pub producers: ProducerStates,
    /// Snapshots on disk that stand at no segment's base.
    pub loose: Vec<i64>,
}

/// Producers as of `from`, which a walk goes on with.
pub struct ProducersAt {
    producers: ProducerStates,
    from: i64,
    /// The walk has met a batch.
    begun: bool,
}

impl ProducersAt {
    /// By the newest of the snapshots; those that can't be read are removed from the disk and from the list.
    pub fn newest(
        vfs: &dyn Vfs,
        folder: &str,
        snapshots: &mut Vec<i64>,
        now_ms: i64,
        expiration_ms: i64,
    ) -> io::Result<ProducersAt> {
        let mut producers = ProducerStates::new();
        while let Some(offset) = snapshots.last().copied() {
            let file = path(folder, &file_name(offset, ".snapshot"));
            let bytes = vfs::read_file(vfs, &file)?.unwrap_or_default();
            if producers.decode_snapshot(&bytes, now_ms, expiration_ms).is_ok() {
                return Ok(ProducersAt { producers, from: offset, begun: false });
            }
            producers.clear();
            remove_if_there(vfs, &file)?;
            snapshots.pop();
        }
        Ok(ProducersAt { producers, from: 0, begun: false })
    }

    /// The walk begins with this batch, and there may be others between the snapshot and it.
    pub fn misses(&self, header: &Header) -> bool {
        !self.begun && header.base_offset > self.from
    }

    /// Whether the batch has to be applied.
    pub fn wants(&mut self, header: &Header) -> bool {
        self.begun = true;
        header.base_offset >= self.from && header.has_producer_id()
    }

    /// Takes a batch into account. What it says of an aborted transaction, unless that is in the file already, as
    /// everything below `trusted` is.
    pub fn apply(&mut self, header: &Header, body: &[u8], trusted: i64) -> Option<AbortedTransaction> {
        let done = self.producers.apply(header, body)?;
        (done.aborted && done.last_offset >= trusted).then(|| aborted(&done))
    }

    /// After a walk that began at `first_base` and went to the end. None: it may have met too little.
    pub fn loaded(
        mut self,
        state: &ViewState,
        first_base: i64,
        snapshots: Vec<i64>,
        now_ms: i64,
        expiration_ms: i64,
    ) -> Option<LoadedProducers> {
        if !self.begun && self.from < first_base {
            return None;
        }
        self.producers.expire(now_ms, expiration_ms);
        Some(LoadedProducers { producers: self.producers, loose: loose(state, snapshots) })
    }
}

/// By the newest of `snapshots`, all of which are at or below `trusted` and the end, and a walk of its own behind it.
pub fn load_producers(
    vfs: &dyn Vfs,
    folder: &str,
    state: &ViewState,
    mut snapshots: Vec<i64>,
    trusted: i64,
    now_ms: i64,
    expiration_ms: i64,
) -> io::Result<LoadedProducers> {
    let mut at_snapshot = ProducersAt::newest(vfs, folder, &mut snapshots, now_ms, expiration_ms)?;
    let from = at_snapshot.from;
    for (at, segment) in state.segments.iter().enumerate() {
        let next_base = state.segments.get(at + 1).map_or(state.end, |next| next.base);
        let size = state.size_of(at);
        if next_base <= from || size == 0 {
            continue;
        }
        let begin = segment.floor(from - 1, true)?.unwrap_or(0);
        let file = segment.file()?;
        let mut scan = Scan::new(&*file, begin, size, WINDOW);
        while let Step::Batch(entry) = scan.next()? {
            if at_snapshot.wants(&entry.header) {
                let body = if entry.header.is_control() { scan.body(&entry, CONTROL_BYTES)? } else { Vec::new() };
                if let Some(transaction) = at_snapshot.apply(&entry.header, &body, trusted) {
                    segment.add_aborted(transaction);
                }
            }
        }
    }
    at_snapshot.producers.expire(now_ms, expiration_ms);
    Ok(LoadedProducers { producers: at_snapshot.producers, loose: loose(state, snapshots) })
}

fn aborted(done: &CompletedTransaction) -> AbortedTransaction {
    AbortedTransaction {
        producer_id: done.producer_id,
        first_offset: done.first_offset,
        last_offset: done.last_offset,
        last_stable_offset: done.last_stable_offset,
    }
}

fn loose(state: &ViewState, snapshots: Vec<i64>) -> Vec<i64> {
    snapshots.into_iter().filter(|offset| state.segments.iter().all(|segment| segment.base != *offset)).collect()
}
