//! How far a log was on disk by what lies in its folder alone: for one without a recovery point, as when the folder was
//! copied out of its directory. Bytes that decayed there are damage then, and not a torn tail that may be cut.
//!
//! Invariants: `odradek-sums` gets its name when all that it speaks of is synced, and loses it before anything of that
//! is cut. Segments that are missing, shorter, or have other index files than it says were changed by somebody else, or
//! not copied as a whole: from there on it tells nothing.

use crate::offset_index::OffsetIndex;
use crate::segment::{Indexes, file_name};
use crate::sums::Sums;
use crate::time_index::TimeIndex;
use crate::vfs::{self, Vfs, path};
use std::io;

/// Everything below was on disk. `segments`: bases and sizes of those that are there, ascending.
pub fn told(vfs: &dyn Vfs, folder: &str, sums: &Sums, segments: &[(i64, u64)]) -> io::Result<i64> {
    let first = segments.first().map_or(i64::MAX, |(base, _)| *base);
    // Sums don't list segments that hold nothing.
    let strange = |(base, size): &&(i64, u64)| *size > 0 && *base < sums.upto && !sums.segments.contains_key(base);
    let end = segments.iter().find(strange).map_or(sums.upto, |(base, _)| *base);
    for (base, kept) in sums.segments.range(first..).take_while(|(base, _)| **base < end) {
        let Ok(at) = segments.binary_search_by_key(base, |(base, _)| *base) else { return Ok(*base) };
        let size = segments[at].1;
        let read = |suffix| vfs::read_file(vfs, &path(folder, &file_name(*base, suffix)));
        let indexes = Indexes {
            offsets: OffsetIndex::decode(&read(".index")?.unwrap_or_default(), size).0,
            times: TimeIndex::decode(&read(".timeindex")?.unwrap_or_default()).0,
        };
        let upto = sums.upto.saturating_sub(*base).clamp(0, u32::MAX as i64) as u32;
        let long_enough = if kept.sealed { size == kept.bytes } else { size >= kept.bytes };
        if !long_enough || !kept.vouch_for(&indexes, upto) {
            return Ok(*base);
        }
    }
    Ok(end)
}
