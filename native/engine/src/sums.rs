//! `odradek-sums`: what a log's files have to be, beside them, so that one that decayed is noticed. Kafka's index
//! files, epochs and lists of aborted transactions have no checksums; Apache Kafka ignores the file.
//!
//! Invariants: it is written at recovery points, from memory and never from what is being checked, behind the
//! files that it speaks of. It has a checksum itself; one that can't be read says nothing. It counts for a segment
//! only while that is as long as it was: what somebody else changed meanwhile is not decay. What contradicts it is
//! built anew from the batches.

use crate::leader_epochs::{EpochEntry, LeaderEpochs};
use crate::segment::Indexes;
use crate::txn_index::AbortedTransaction;
use std::collections::BTreeMap;
use std::fmt::Write;

pub const SUMS: &str = "odradek-sums";

const TITLE: &str = "odradek-sums 1";

/// Checksums of a segment's two indexes: of the files' content once it is sealed; before that of the entries
/// without the closing one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexSums {
    pub offsets: u32,
    pub times: u32,
}

impl IndexSums {
    pub fn of(indexes: &Indexes) -> IndexSums {
        IndexSums::of_files(&indexes.offsets.encode(), &indexes.times.encode())
    }

    pub fn of_files(offsets: &[u8], times: &[u8]) -> IndexSums {
        IndexSums { offsets: crc_fast::crc32_iscsi(offsets), times: crc_fast::crc32_iscsi(times) }
    }
}

/// What is known of how a segment's batches follow one another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Order {
    /// Each begins where the one before it ends, the first at the segment's base.
    pub dense: bool,
    /// Each has the leader epoch that the log's epochs give its offset.
    pub exact: bool,
}

/// One segment as it was when the sums were taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentSums {
    pub base: i64,
    pub bytes: u64,
    pub sealed: bool,
    pub order: Order,
    pub indexes: IndexSums,
    pub aborted: Vec<AbortedTransaction>,
}

impl SegmentSums {
    /// Whether these are the entries. `upto`: relative offset of the log's end when the sums were taken.
    pub fn vouch_for(&self, indexes: &Indexes, upto: u32) -> bool {
        if self.sealed {
            return IndexSums::of(indexes) == self.indexes;
        }
        let mut indexes = indexes.clone();
        indexes.offsets.truncate(upto);
        indexes.close_at_last();
        IndexSums::of(&indexes) == self.indexes
    }
}

/// What is known of a log as of a recovery point.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// The recovery point.
    pub upto: i64,
    pub epochs: LeaderEpochs,
    pub segments: BTreeMap<i64, SegmentSums>,
}

impl Sums {
    pub fn new(upto: i64, epochs: &LeaderEpochs, segments: impl Iterator<Item = SegmentSums>) -> Sums {
        let segments = segments.map(|segment| (segment.base, segment)).collect();
        Sums { upto, epochs: epochs.clone(), segments }
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut text = format!("{TITLE}\nupto {}\n", self.upto);
        // Writing to a string does not fail.
        for EpochEntry { epoch, start } in self.epochs.entries() {
            let _ = writeln!(text, "epoch {epoch} {start}");
        }
        for one in self.segments.values() {
            let (order, indexes) = (&one.order, &one.indexes);
            let flags = [one.sealed, order.dense, order.exact].map(u8::from);
            let _ = writeln!(
                text,
                "segment {} {} {} {} {} {} {}",
                one.base, one.bytes, flags[0], flags[1], flags[2], indexes.offsets, indexes.times
            );
            for gone in &one.aborted {
                let AbortedTransaction { producer_id, first_offset, last_offset, last_stable_offset } = gone;
                let _ = writeln!(text, "aborted {producer_id} {first_offset} {last_offset} {last_stable_offset}");
            }
        }
        let _ = writeln!(text, "crc32c {}", crc_fast::crc32_iscsi(text.as_bytes()));
        text.into_bytes()
    }

    pub fn decode(bytes: &[u8]) -> Result<Sums, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "not UTF-8".to_string())?;
        let last = text.trim_end_matches('\n').rfind('\n').ok_or("it is cut short")?;
        let (content, told) = text.split_at(last + 1);
        if told != format!("crc32c {}\n", crc_fast::crc32_iscsi(content.as_bytes())) {
            return Err("its checksum does not match".to_string());
        }
        let mut lines = content.lines();
        if lines.next() != Some(TITLE) {
            return Err(format!("it does not begin with {TITLE:?}"));
        }
        let mut sums = Sums::default();
        let mut segment: Option<SegmentSums> = None;
        for line in lines {
            let strange = || format!("line {line:?} means nothing");
            let mut words = line.split(' ');
            let word = words.next();
            let numbers: Vec<i64> = words.map(str::parse).collect::<Result<_, _>>().map_err(|_| strange())?;
            match (word, numbers[..].as_ref(), &mut segment) {
                (Some("upto"), [upto], None) => sums.upto = *upto,
                (Some("epoch"), [epoch, start], None) => {
                    let epoch = i32::try_from(*epoch).map_err(|_| strange())?;
                    sums.epochs.assign(epoch, *start);
                }
                (Some("segment"), [base, bytes, sealed, dense, exact, offsets, times], before) => {
                    if let Some(before) = before.take() {
                        sums.segments.insert(before.base, before);
                    }
                    let sum = |number: i64| u32::try_from(number).map_err(|_| strange());
                    *before = Some(SegmentSums {
                        base: *base,
                        bytes: u64::try_from(*bytes).map_err(|_| strange())?,
                        sealed: *sealed == 1,
                        order: Order { dense: *dense == 1, exact: *exact == 1 },
                        indexes: IndexSums { offsets: sum(*offsets)?, times: sum(*times)? },
                        aborted: Vec::new(),
                    });
                }
                (Some("aborted"), &[producer_id, first_offset, last_offset, last_stable_offset], Some(segment)) => {
                    let gone = AbortedTransaction { producer_id, first_offset, last_offset, last_stable_offset };
                    segment.aborted.push(gone);
                }
                _ => return Err(strange()),
            }
        }
        if let Some(before) = segment {
            sums.segments.insert(before.base, before);
        }
        Ok(sums)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Sums {
        let gone = AbortedTransaction { producer_id: 7, first_offset: 3, last_offset: 9, last_stable_offset: 10 };
        let segment = |base, sealed, aborted| SegmentSums {
            base,
            bytes: 700,
            sealed,
            order: Order { dense: sealed, exact: true },
            indexes: IndexSums { offsets: u32::MAX, times: 0 },
            aborted,
        };
        let epochs =
            LeaderEpochs::from_entries([EpochEntry { epoch: 0, start: 0 }, EpochEntry { epoch: 4, start: 12 }]);
        Sums::new(20, &epochs, [segment(0, true, vec![gone, gone]), segment(15, false, Vec::new())].into_iter())
    }

    #[test]
    fn sums_read_back() {
        assert_eq!(Sums::decode(&some().encode()), Ok(some()));
        assert_eq!(Sums::decode(&Sums::default().encode()), Ok(Sums::default()));
    }

    #[test]
    fn sums_that_decayed_say_nothing() {
        let bytes = some().encode();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut bad = bytes.clone();
                bad[at] ^= 1 << bit;
                assert!(Sums::decode(&bad).is_err(), "byte {at}, bit {bit}");
            }
            assert!(Sums::decode(&bytes[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn entries_that_came_after_the_sums_change_nothing() {
        let mut indexes = Indexes::default();
        indexes.offsets.append(9, 100);
        indexes.times.append(50, 7);
        let mut one = some().segments.remove(&15).unwrap();
        one.indexes = IndexSums::of(&indexes);
        // The closing entry, and then others.
        indexes.times.append(60, 10);
        assert!(one.vouch_for(&indexes, 12));
        indexes.offsets.append(19, 900);
        indexes.times.append(70, 18);
        assert!(one.vouch_for(&indexes, 12));
        indexes.offsets.truncate(9);
        assert!(!one.vouch_for(&indexes, 12));
    }
}
