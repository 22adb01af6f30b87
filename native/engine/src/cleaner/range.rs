//! Which part of a log is clean, which may be cleaned, and how its segments go together into new ones. By what is known
//! of the segments: nothing is scanned.
//!
//! Invariants: the cleanable part ends with a whole segment, below the high watermark, the first open transaction, the
//! active segment and the first segment that is younger than `min.compaction.lag.ms`.

use crate::config::LogConfig;
use crate::log::Log;
use crate::scan::{Scan, Step};
use crate::segment::Segment;
use crate::view::ViewState;
use std::io;
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleanRange {
    /// Everything below was cleaned.
    pub first_dirty: i64,
    /// Base of the first segment that may not be cleaned.
    pub bound: i64,
    pub clean_bytes: u64,
    pub dirty_bytes: u64,
}

impl Log {
    /// `limit`: the last stable offset as the caller knows it.
    pub fn clean_range(&self, limit: i64, now_ms: i64) -> CleanRange {
        let state = self.shared.view.state();
        let first_dirty = self.first_dirty();
        let high_watermark = self.shared.directory.points(&self.shared.name).high_watermark;
        let unstable = self.producers.oldest_open_transaction().unwrap_or(i64::MAX);
        let mut uncleanable = limit.min(high_watermark).min(unstable).min(self.end).min(self.active.base);
        let lag_ms = self.config.min_compaction_lag_ms;
        if lag_ms > 0 {
            let young = |segment: &&Arc<Segment>| segment.largest().timestamp > now_ms.saturating_sub(lag_ms);
            uncleanable =
                dirty_sealed(&state, first_dirty).find(young).map_or(uncleanable, |at| uncleanable.min(at.base));
        }
        let bound = base_of(&state, uncleanable.max(first_dirty));
        let clean = state.segments.iter().take_while(|segment| segment.base < first_dirty);
        let from = base_of(&state, first_dirty.min(bound));
        let dirty = state.segments.iter().filter(|segment| segment.base >= from && segment.base < bound);
        CleanRange {
            first_dirty,
            bound,
            clean_bytes: clean.map(|segment| segment.size()).sum(),
            dirty_bytes: dirty.map(|segment| segment.size()).sum(),
        }
    }

    /// How long records wait for the cleaner beyond `max.compaction.lag.ms`; 0 if none does.
    pub fn overdue_ms(&self, first_dirty: i64, now_ms: i64) -> io::Result<i64> {
        let most_ms = self.config.max_compaction_lag_ms;
        if most_ms == i64::MAX {
            return Ok(0);
        }
        let mut oldest = i64::MAX;
        for segment in dirty_sealed(&self.shared.view.state(), first_dirty) {
            if let Some(timestamp) = first_timestamp(segment)?.filter(|timestamp| *timestamp > 0) {
                oldest = oldest.min(timestamp);
            }
        }
        Ok(now_ms.saturating_sub(most_ms.max(0)).saturating_sub(oldest).max(0))
    }

    /// Where the checkpoint says that the dirty part begins, if that can be.
    fn first_dirty(&self) -> i64 {
        let known = self.shared.directory.cleaned(&self.shared.name).unwrap_or(self.start);
        if known < self.start || known > self.end { self.start } else { known }
    }
}

/// Base of the segment that holds the offset, or would.
pub fn base_of(state: &ViewState, offset: i64) -> i64 {
    let at = state.segments.partition_point(|segment| segment.base <= offset).saturating_sub(1);
    state.segments[at].base
}

/// From the segment that holds `first_dirty` on, without the active one.
fn dirty_sealed(state: &ViewState, first_dirty: i64) -> impl Iterator<Item = &Arc<Segment>> {
    let from = base_of(state, first_dirty);
    let sealed = &state.segments[..state.segments.len() - 1];
    sealed.iter().skip_while(move |segment| segment.base < from)
}

fn first_timestamp(segment: &Segment) -> io::Result<Option<i64>> {
    if segment.size() == 0 {
        return Ok(None);
    }
    let file = segment.file()?;
    Ok(match Scan::new(&*file, 0, segment.size(), 0).next()? {
        Step::Batch(entry) => Some(entry.header.max_timestamp),
        _ => None,
    })
}

/// A segment that may go together with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    pub base: i64,
    pub bytes: u64,
    pub index_bytes: u64,
    pub time_index_bytes: u64,
}

/// How many of the pieces, from the first one on, make up one new segment: as many as fit its size, its indexes and the
/// range of their offsets.
pub fn first_group(pieces: &[Piece], config: &LogConfig, bound: i64) -> usize {
    let Some(first) = pieces.first() else { return 0 };
    let mut sum = *first;
    for (at, next) in pieces.iter().enumerate().skip(1) {
        let last_offset = pieces.get(at + 1).map_or(bound, |after| after.base) - 1;
        sum.bytes += next.bytes;
        sum.index_bytes += next.index_bytes;
        sum.time_index_bytes += next.time_index_bytes;
        let fits = sum.bytes <= config.segment_bytes as u64
            && sum.index_bytes <= config.segment_index_bytes as u64
            && sum.time_index_bytes <= config.segment_index_bytes as u64
            && (next.bytes == 0 || last_offset - first.base <= i32::MAX as i64);
        if !fits {
            return at;
        }
    }
    pieces.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(base: i64, bytes: u64, index_bytes: u64) -> Piece {
        Piece { base, bytes, index_bytes, time_index_bytes: 0 }
    }

    fn group(pieces: &[Piece], config: &LogConfig, bound: i64) -> Vec<usize> {
        let (mut groups, mut rest) = (Vec::new(), pieces);
        while !rest.is_empty() {
            groups.push(first_group(rest, config, bound));
            rest = &rest[groups[groups.len() - 1]..];
        }
        groups
    }

    fn config() -> LogConfig {
        LogConfig { segment_bytes: 1000, segment_index_bytes: 100, ..LogConfig::default() }
    }

    #[test]
    fn pieces_go_together_up_to_the_size_of_a_segment() {
        let pieces = [piece(0, 400, 0), piece(10, 600, 0), piece(20, 1, 0), piece(30, 999, 0), piece(40, 1000, 0)];
        assert_eq!(group(&pieces, &config(), 50), [2, 2, 1]);
    }

    #[test]
    fn pieces_go_together_up_to_the_size_of_an_index() {
        let pieces = [piece(0, 1, 60), piece(10, 1, 40), piece(20, 1, 1)];
        assert_eq!(group(&pieces, &config(), 50), [2, 1]);
        let by_time = pieces.map(|piece| Piece { time_index_bytes: piece.index_bytes, index_bytes: 0, ..piece });
        assert_eq!(group(&by_time, &config(), 50), [2, 1]);
    }

    #[test]
    fn offsets_of_a_group_stay_within_31_bits_and_empty_pieces_join_it() {
        let far = 1i64 << 31;
        let pieces = [piece(0, 1, 0), piece(10, 1, 0), piece(20, 1, 0)];
        assert_eq!(group(&pieces, &config(), far + 1), [2, 1], "the last one reaches up to the bound");
        assert_eq!(group(&pieces, &config(), far), [3]);
        let pieces = [piece(0, 1, 0), piece(far + 5, 0, 0), piece(far + 9, 1, 0)];
        assert_eq!(group(&pieces, &config(), far + 20), [2, 1]);
    }
}
