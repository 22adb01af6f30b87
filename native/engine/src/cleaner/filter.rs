//! What is left of one batch: nothing, all of it as it is, or some of its records under a new header.
//!
//! Invariant: a batch that loses nothing and gets no horizon is copied byte for byte.
//!
//! A tombstone, or the marker of a transaction that is gone, stays until its horizon: the first pass that meets it
//! writes the time of its end where the base timestamp stands, and sets the attribute that says so. A batch that would
//! grow out of proportion by that stays as it is, with all its records.

use super::batches::body;
use super::offset_map::OffsetMap;
use super::records::{Met, each_record};
use super::rewrite::{emptied, rewritten};
use super::transactions::{MarkerFate, Transactions};
use crate::batch::{Header, attributes};
use crate::producer_state::LastRecord;
use crate::txn_index::AbortedTransaction;
use std::collections::BTreeMap;

/// What a pass knows when it judges a batch.
pub struct Filter<'a> {
    pub map: &'a OffsetMap,
    pub transactions: &'a mut Transactions,
    pub last_records: &'a BTreeMap<i64, LastRecord>,
    /// Offset at which the cleanable part of the log ends.
    pub bound: i64,
    pub now_ms: i64,
    pub delete_retention_ms: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    Nothing,
    Whole,
    Rewritten(Vec<u8>),
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    pub left: Left,
    /// Records that were looked at, and those of them that stay.
    pub records: u64,
    pub kept: u64,
    /// Records without a key, which a compacted log can't keep.
    pub keyless: u64,
    /// The aborted transaction that this marker ends and that the index keeps.
    pub aborted: Option<AbortedTransaction>,
}

impl Filter<'_> {
    pub fn judge(&mut self, header: &Header, batch: &[u8]) -> Result<Judged, String> {
        let control = header.is_control();
        let fate = if control {
            self.transactions.on_control(header, body(batch))?
        } else {
            MarkerFate { may_go: self.transactions.on_batch(header), keeps: None }
        };
        let horizon = (header.attributes & attributes::DELETE_HORIZON != 0).then_some(header.base_timestamp);
        let discard = if control { fate.may_go && horizon.is_some_and(|end| end <= self.now_ms) } else { fate.may_go };
        // Its last sequence, or a marker's epoch, is all that is known of a producer after a restart; and the end of
        // the cleanable part has to be known by a batch.
        let lasting = self.is_last_of_producer(header) || header.next_offset() == self.bound;
        let mut judged = Judged { left: Left::Nothing, records: 0, kept: 0, keyless: 0, aborted: fate.keeps };
        let mut tombstones = false;
        let mut keep: Vec<bool> = Vec::new();
        if discard {
            judged.records = header.count.max(0) as u64;
        } else {
            each_record(header, batch, |record| {
                let kept = control || self.stays(header, horizon, &record, &mut judged.keyless);
                tombstones |= kept && !record.has_value;
                judged.records += 1;
                judged.kept += kept as u64;
                keep.push(kept);
            })?;
        }
        if judged.kept == 0 {
            if lasting {
                judged.left = Left::Rewritten(emptied(header));
            }
            return Ok(judged);
        }
        let new_horizon = (tombstones || (control && fate.may_go)) && horizon.is_none();
        if judged.kept == judged.records && !new_horizon {
            judged.left = Left::Whole;
            return Ok(judged);
        }
        let horizon = if new_horizon { Some(self.now_ms.saturating_add(self.delete_retention_ms)) } else { horizon };
        judged.left = match rewritten(header, batch, &keep, horizon)? {
            Some(bytes) => Left::Rewritten(bytes),
            None => {
                (judged.kept, judged.keyless) = (judged.records, 0);
                Left::Whole
            }
        };
        Ok(judged)
    }

    fn is_last_of_producer(&self, header: &Header) -> bool {
        let Some(last) = self.last_records.get(&header.producer_id).filter(|_| header.has_producer_id()) else {
            return false;
        };
        match last.offset {
            Some(offset) => header.last_offset() == offset,
            None => header.is_control() && header.producer_epoch == last.epoch,
        }
    }

    fn stays(&self, header: &Header, horizon: Option<i64>, record: &Met, keyless: &mut u64) -> bool {
        let offset = header.base_offset + record.offset_delta as i64;
        if offset > self.map.latest {
            return true;
        }
        let Some(key) = &record.key else {
            *keyless += 1;
            return false;
        };
        let in_force = record.has_value || horizon.is_none_or(|end| self.now_ms < end);
        offset >= self.map.get(key) && in_force
    }
}

#[cfg(test)]
mod tests {
    use super::super::md5::Md5;
    use super::super::offset_map::Digest;
    use super::super::rewrite::tests::{at, folded, records, three};
    use super::*;
    use crate::batch::{BatchBuilder, HEADER_BYTES, marker, verify_crc};
    use crate::config::CompressionType;

    const DAY: i64 = 86_400_000;

    fn digest(key: &[u8]) -> Digest {
        let mut md5 = Md5::new();
        md5.update(key);
        md5.finish()
    }

    fn map(entries: &[(&[u8], i64)], latest: i64) -> OffsetMap {
        let mut map = OffsetMap::new(1 << 16, 0.9, 1000);
        for (key, offset) in entries {
            assert!(map.put(&digest(key), *offset));
        }
        map.latest = latest;
        map
    }

    struct Pass {
        map: OffsetMap,
        transactions: Transactions,
        last: BTreeMap<i64, LastRecord>,
        bound: i64,
        now_ms: i64,
    }

    impl Pass {
        fn new(map: OffsetMap) -> Pass {
            Pass { map, transactions: Transactions::default(), last: BTreeMap::new(), bound: -1, now_ms: 1000 }
        }

        fn judge(&mut self, batch: &[u8]) -> Judged {
            let header = Header::read(batch).unwrap();
            Filter {
                map: &self.map,
                transactions: &mut self.transactions,
                last_records: &self.last,
                bound: self.bound,
                now_ms: self.now_ms,
                delete_retention_ms: DAY,
            }
            .judge(&header, batch)
            .unwrap()
        }

        fn rewrite(&mut self, batch: &[u8]) -> Vec<u8> {
            match self.judge(batch).left {
                Left::Rewritten(bytes) => {
                    assert!(verify_crc(&bytes));
                    bytes
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_batch_keeps_the_newest_record_of_each_key_and_what_can_not_be_written_smaller() {
        let mut pass = Pass::new(map(&[(b"a", 30), (b"b", 11), (b"c", 12)], 40));
        let batch = three(CompressionType::Uncompressed);
        let judged = pass.judge(&batch);
        assert_eq!((judged.records, judged.kept), (3, 2));
        assert_eq!(records(&pass.rewrite(&batch)), [(11, 140, true), (12, 120, true)]);
        // The records that stay, and those that don't, when nothing is written anew.
        let judged = Pass::new(map(&[(b"a", 10), (b"b", 30)], 40)).judge(&folded());
        assert_eq!((judged.left, judged.records, judged.kept), (Left::Whole, 2, 2));
    }

    #[test]
    fn a_batch_that_loses_nothing_is_kept_as_it_is() {
        let batch = three(CompressionType::Zstd { level: 3 });
        let mut newest = Pass::new(map(&[(b"a", 10), (b"b", 11), (b"c", 12)], 40));
        assert_eq!(newest.judge(&batch).left, Left::Whole);
        let mut above = Pass::new(map(&[(b"a", 5)], 9));
        assert_eq!(above.judge(&batch).left, Left::Whole, "the table does not speak for it");
        let mut unknown = Pass::new(map(&[], 40));
        assert_eq!(unknown.judge(&batch).left, Left::Whole, "keys of the clean part that nothing has replaced");
    }

    #[test]
    fn a_batch_that_loses_all_goes_unless_it_is_its_producers_last_or_the_last_of_all() {
        let batch = three(CompressionType::Uncompressed);
        let keys: [(&[u8], i64); 3] = [(b"a", 30), (b"b", 31), (b"c", 32)];
        let mut pass = Pass::new(map(&keys, 40));
        assert_eq!(pass.judge(&batch).left, Left::Nothing);
        pass.last.insert(9, LastRecord { epoch: 3, offset: Some(12) });
        let empty = pass.rewrite(&batch);
        let (old, new) = (Header::read(&batch).unwrap(), Header::read(&empty).unwrap());
        assert_eq!(empty.len(), HEADER_BYTES);
        let expected = Header { length: 49, crc: new.crc, base_timestamp: -1, count: 0, ..old };
        assert_eq!(new, expected);
        assert_eq!(pass.rewrite(&empty), empty, "it stays like that");
        pass.last.insert(9, LastRecord { epoch: 3, offset: Some(99) });
        assert_eq!(pass.judge(&empty).left, Left::Nothing, "the producer has sent more since");
        pass.bound = 13;
        assert_eq!(pass.rewrite(&batch), empty);
    }

    #[test]
    fn a_tombstone_stays_until_its_horizon_and_the_horizon_is_set_once() {
        let batch = BatchBuilder::new().record(100, Some(b"a"), None).record(150, Some(b"b"), Some(b"2")).build();
        let batch = at(10, batch);
        let mut pass = Pass::new(map(&[(b"a", 10), (b"b", 11)], 40));
        let first = pass.rewrite(&batch);
        let header = Header::read(&first).unwrap();
        assert_eq!(header.attributes, attributes::DELETE_HORIZON);
        assert_eq!((header.base_timestamp, header.max_timestamp), (1000 + DAY, 150));
        assert_eq!(records(&first), [(10, 100, false), (11, 150, true)]);
        pass.now_ms = 999 + DAY;
        assert_eq!(pass.judge(&first).left, Left::Whole);
        pass.now_ms = 1000 + DAY;
        let second = pass.rewrite(&first);
        assert_eq!(records(&second), [(11, 150, true)]);
        assert_eq!(Header::read(&second).unwrap().base_timestamp, 1000 + DAY, "the horizon stays where it is");
        let mut replaced = Pass::new(map(&[(b"a", 30), (b"b", 11)], 40));
        assert_eq!(records(&replaced.rewrite(&batch)), [(11, 150, true)], "replaced: it goes at once");
    }

    #[test]
    fn a_record_without_a_key_goes_and_is_counted() {
        let batch = at(10, BatchBuilder::new().record(1, None, Some(b"1")).record(1, Some(b""), Some(b"2")).build());
        let mut pass = Pass::new(map(&[], 40));
        let judged = pass.judge(&batch);
        assert_eq!((judged.keyless, judged.kept), (1, 1), "an empty key is a key");
    }

    #[test]
    fn a_marker_goes_one_retention_after_the_last_of_its_records() {
        let commit = at(20, marker(7, 2, true, 5, 100));
        let mut pass = Pass::new(map(&[], 40));
        pass.transactions.on_batch(&Header {
            attributes: attributes::TRANSACTIONAL,
            producer_id: 7,
            ..Header::read(&commit).unwrap()
        });
        assert_eq!(pass.judge(&commit).left, Left::Whole, "its records are there");
        let waits = pass.rewrite(&commit);
        let header = Header::read(&waits).unwrap();
        assert_eq!((header.base_timestamp, header.count), (1000 + DAY, 1));
        assert!(header.attributes & attributes::DELETE_HORIZON != 0);
        assert_eq!(pass.judge(&waits).left, Left::Whole);
        pass.now_ms = 1000 + DAY;
        assert_eq!(pass.judge(&waits).left, Left::Nothing);
        pass.last.insert(7, LastRecord { epoch: 2, offset: None });
        let empty = pass.rewrite(&waits);
        assert_eq!(Header::read(&empty).unwrap().count, 0, "its epoch is all that is known of the producer");
    }

    #[test]
    fn records_of_an_aborted_transaction_go_whatever_their_keys() {
        let data = BatchBuilder::new()
            .producer(7, 0, 0)
            .attributes(attributes::TRANSACTIONAL)
            .record(1, Some(b"only"), Some(b"1"))
            .build();
        let mut pass = Pass::new(map(&[(b"only", 10)], 40));
        let known = AbortedTransaction { producer_id: 7, first_offset: 10, last_offset: 12, last_stable_offset: 13 };
        pass.transactions = Transactions::new(vec![known]);
        assert_eq!(pass.judge(&at(10, data)).left, Left::Nothing);
        let judged = pass.judge(&at(12, marker(7, 0, false, 0, 1)));
        assert_eq!((judged.left, judged.aborted), (Left::Whole, Some(known)));
    }

    #[test]
    fn a_batch_whose_records_make_no_sense_is_refused() {
        let bad = at(10, BatchBuilder::new().record(1, Some(b"k"), Some(b"v")).raw(&[1, 2, 3]).build());
        let mut pass = Pass::new(map(&[], 40));
        let header = Header::read(&bad).unwrap();
        let mut filter = Filter {
            map: &pass.map,
            transactions: &mut pass.transactions,
            last_records: &pass.last,
            bound: -1,
            now_ms: 0,
            delete_retention_ms: 0,
        };
        assert!(filter.judge(&header, &bad).is_err());
    }
}
