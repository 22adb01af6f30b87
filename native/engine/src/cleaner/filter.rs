//! What is left of one batch: nothing, all of it as it is, or some of its records under a new header.
//!
//! Invariants: a record keeps its offset, a batch its base and last offset, its producer, epoch and sequence. A batch that
//! loses nothing and gets no horizon is copied byte for byte. Records pass through a window, inflated only there.
//!
//! A tombstone, or the marker of a transaction that is gone, stays until its horizon: the first pass that meets it writes
//! the time of its end where the base timestamp stands, and sets the attribute that says so. A batch that would grow out of
//! proportion by that stays as it is, with all its records.

use super::batches::body;
use super::md5::Md5;
use super::offset_map::{Digest, OffsetMap};
use super::transactions::{MarkerFate, Transactions};
use crate::batch::{
    HEADER_BYTES, Header, INFLATED_MAX_BYTES, LOG_OVERHEAD, Tee, Walk, WalkError, attributes, crc_of_parts, get_varint,
    put_varint, put_varlong,
};
use crate::codec::{Codec, Deflater, Inflater};
use crate::config::CompressionType;
use crate::producer_state::LastRecord;
use crate::txn_index::AbortedTransaction;
use std::collections::BTreeMap;

/// How much larger a batch may become by being written anew: a horizon makes each record's timestamp longer, and another
/// level of a codec its bytes.
const MOST_GROWTH: usize = 2;
const GROWTH_BYTES: usize = 64 << 10;

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
        // Its last sequence, or a marker's epoch, is all that is known of a producer after a restart; and the end of the
        // cleanable part has to be known by a batch.
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

/// A record as a pass sees it.
pub struct Met {
    pub offset_delta: i32,
    pub key: Option<Digest>,
    pub has_value: bool,
}

/// Shows the records of a batch with the digests of their keys.
pub fn each_record(header: &Header, batch: &[u8], mut each: impl FnMut(Met)) -> Result<(), String> {
    pass(header, batch, &mut KeyTee::default(), |tee, offset_delta| each(tee.met(offset_delta)))
}

/// Walks over the records of a batch.
fn pass<T: Tee>(header: &Header, batch: &[u8], tee: &mut T, mut each: impl FnMut(&mut T, i32)) -> Result<(), String> {
    if header.count <= 0 {
        return Ok(());
    }
    let codec = Codec::from_id(header.codec()).ok_or_else(|| format!("codec {} is not known", header.codec()))?;
    let source = Inflater::new(codec, body(batch), INFLATED_MAX_BYTES).map_err(|error| error.to_string())?;
    let mut walk = Walk::new(source, header.count as u32);
    loop {
        match walk.next(tee) {
            Ok(Some(record)) => each(tee, record.offset_delta),
            Ok(None) => return Ok(()),
            Err(WalkError::Inflate(error)) => return Err(error.to_string()),
            Err(WalkError::Shape(text)) => return Err(text),
        }
    }
}

/// Which part of a record's bytes comes next.
#[derive(Clone, Copy)]
enum Part {
    KeyLength,
    Key(usize),
    ValueLength,
    Rest,
}

/// Digests the key as it passes, and notes whether there is a value.
struct KeyTee {
    part: Part,
    md5: Md5,
    has_key: bool,
    has_value: bool,
}

impl Default for KeyTee {
    fn default() -> Self {
        KeyTee { part: Part::KeyLength, md5: Md5::new(), has_key: false, has_value: false }
    }
}

impl Tee for KeyTee {
    fn head(&mut self, _offset_delta: i32, _timestamp_delta: i64, _rest: usize) -> Result<(), String> {
        *self = KeyTee::default();
        Ok(())
    }

    // A length comes in one piece, and nothing else in the same one.
    fn rest(&mut self, bytes: &[u8]) -> Result<(), String> {
        let length = || get_varint(&mut &bytes[..]).ok_or("a length of a record is no varint".to_string());
        match self.part {
            Part::KeyLength => {
                let length = length()?;
                self.has_key = length >= 0;
                self.part = if length > 0 { Part::Key(length as usize) } else { Part::ValueLength };
            }
            Part::Key(left) => {
                self.md5.update(bytes);
                self.part = if left > bytes.len() { Part::Key(left - bytes.len()) } else { Part::ValueLength };
            }
            Part::ValueLength => {
                self.has_value = length()? >= 0;
                self.part = Part::Rest;
            }
            Part::Rest => {}
        }
        Ok(())
    }
}

impl KeyTee {
    /// What was seen of the record that the walk has just passed.
    fn met(&mut self, offset_delta: i32) -> Met {
        let md5 = std::mem::replace(&mut self.md5, Md5::new());
        Met { offset_delta, key: self.has_key.then(|| md5.finish()), has_value: self.has_value }
    }
}

/// Encodes those records anew that stay.
struct KeepTee<'a> {
    header: &'a Header,
    keep: &'a [bool],
    at: usize,
    deflater: Deflater,
    base_timestamp: Option<i64>,
    max_timestamp: i64,
    count: i32,
    fields: Vec<u8>,
    keeping: bool,
}

impl Tee for KeepTee<'_> {
    fn head(&mut self, offset_delta: i32, timestamp_delta: i64, rest: usize) -> Result<(), String> {
        self.keeping = self.keep.get(self.at).copied().unwrap_or(false);
        self.at += 1;
        if !self.keeping {
            return Ok(());
        }
        let timestamp = self.header.timestamp_of(timestamp_delta);
        let base = *self.base_timestamp.get_or_insert(timestamp);
        self.max_timestamp = self.max_timestamp.max(timestamp);
        self.count += 1;
        self.fields.clear();
        self.fields.push(0);
        put_varlong(&mut self.fields, timestamp.wrapping_sub(base));
        put_varint(&mut self.fields, offset_delta);
        let mut length = Vec::with_capacity(5);
        put_varint(&mut length, (self.fields.len() + rest) as i32);
        self.deflater.write(&length)?;
        self.deflater.write(&self.fields)
    }

    fn rest(&mut self, bytes: &[u8]) -> Result<(), String> {
        if self.keeping { self.deflater.write(bytes) } else { Ok(()) }
    }
}

/// None: encoded anew it would be much larger. What a client's codec folded small can be hundreds of megabytes in ours; such
/// a batch stays as it came.
fn rewritten(header: &Header, batch: &[u8], keep: &[bool], horizon: Option<i64>) -> Result<Option<Vec<u8>>, String> {
    let mut tee = KeepTee {
        header,
        keep,
        at: 0,
        deflater: Deflater::new(same_codec(header), batch.len() * MOST_GROWTH + GROWTH_BYTES)?,
        base_timestamp: horizon,
        max_timestamp: -1,
        count: 0,
        fields: Vec::new(),
        keeping: false,
    };
    pass(header, batch, &mut tee, |_, _| {})?;
    let mut new = *header;
    new.base_timestamp = tee.base_timestamp.unwrap_or(-1);
    if !header.is_log_append_time() {
        new.max_timestamp = tee.max_timestamp;
    }
    new.count = tee.count;
    new.attributes &= !attributes::DELETE_HORIZON;
    if horizon.is_some() {
        new.attributes |= attributes::DELETE_HORIZON;
    }
    tee.deflater.finish()?.map(|body| sealed(new, &body)).transpose()
}

/// The batch without any record.
fn emptied(header: &Header) -> Vec<u8> {
    let kept = attributes::LOG_APPEND_TIME | attributes::TRANSACTIONAL | attributes::CONTROL;
    let new = Header { attributes: header.attributes & kept, base_timestamp: -1, count: 0, ..*header };
    sealed(new, &[]).expect("a header fits")
}

fn sealed(mut header: Header, body: &[u8]) -> Result<Vec<u8>, String> {
    header.length = i32::try_from(HEADER_BYTES - LOG_OVERHEAD + body.len()).map_err(|error| error.to_string())?;
    let mut head = [0; HEADER_BYTES];
    header.write(&mut head);
    header.crc = crc_of_parts(&head, body);
    header.write(&mut head);
    Ok([&head[..], body].concat())
}

/// The batch's codec at its usual level.
fn same_codec(header: &Header) -> CompressionType {
    match Codec::from_id(header.codec()) {
        Some(Codec::Gzip) => CompressionType::Gzip { level: -1 },
        Some(Codec::Snappy) => CompressionType::Snappy,
        Some(Codec::Lz4) => CompressionType::Lz4 { level: 9 },
        Some(Codec::Zstd) => CompressionType::Zstd { level: 3 },
        Some(Codec::None) | None => CompressionType::Uncompressed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{BatchBuilder, marker, verify_crc};

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

    fn at(offset: i64, bytes: Vec<u8>) -> Vec<u8> {
        let mut bytes = bytes;
        bytes[..8].copy_from_slice(&offset.to_be_bytes());
        bytes
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

    /// Offset, timestamp, key and whether there is a value.
    fn records(batch: &[u8]) -> Vec<(i64, i64, bool)> {
        let header = Header::read(batch).unwrap();
        let mut values = Vec::new();
        each_record(&header, batch, |record| values.push(record.has_value)).unwrap();
        let metas = crate::batch::Records::new(batch).unwrap().map(Result::unwrap);
        metas.zip(values).map(|(meta, value)| (meta.offset, meta.timestamp, value)).collect()
    }

    fn three(compression: CompressionType) -> Vec<u8> {
        let batch = BatchBuilder::new()
            .compression(compression)
            .producer(9, 3, 50)
            .record(100, Some(b"a"), Some(&[b'x'; 3000]))
            .record(140, Some(b"b"), Some(b"2"))
            .record_with_headers(120, Some(b"c"), Some(b"3"), &[(b"h", Some(b"1")), (b"i", None)])
            .build();
        let mut batch = at(10, batch);
        batch[12..16].copy_from_slice(&4i32.to_be_bytes());
        batch
    }

    #[test]
    fn superseded_records_go_and_the_others_keep_offset_time_and_place() {
        let codecs = [
            CompressionType::Uncompressed,
            CompressionType::Gzip { level: -1 },
            CompressionType::Snappy,
            CompressionType::Lz4 { level: 9 },
            CompressionType::Zstd { level: 3 },
        ];
        for codec in codecs {
            let batch = three(codec);
            let old = Header::read(&batch).unwrap();
            let mut pass = Pass::new(map(&[(b"a", 30), (b"b", 11), (b"c", 12)], 40));
            let judged = pass.judge(&batch);
            assert_eq!((judged.records, judged.kept), (3, 2));
            let new = pass.rewrite(&batch);
            assert_eq!(records(&new), [(11, 140, true), (12, 120, true)], "{codec:?}");
            let header = Header::read(&new).unwrap();
            let expected = Header {
                length: header.length,
                crc: header.crc,
                base_timestamp: 140,
                max_timestamp: 140,
                count: 2,
                ..old
            };
            assert_eq!(header, expected, "{codec:?}");
        }
    }

    #[test]
    fn a_batch_that_would_grow_out_of_proportion_stays_as_it_came() {
        // The same noise again and again, further apart than our encoder looks back.
        let mut seed = 1u64;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 56) as u8
        })
        .take(100_000)
        .collect();
        let value = [&noise[..], &vec![0; 2_400_000]].concat().repeat(6);
        let plain =
            BatchBuilder::new().record(100, Some(b"a"), Some(&value)).record(100, Some(b"b"), Some(b"2")).build();
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
        encoder.window_log(24).unwrap();
        encoder.long_distance_matching(true).unwrap();
        std::io::Write::write_all(&mut encoder, body(&plain)).unwrap();
        let packed = encoder.finish().unwrap();
        let mut folded = BatchBuilder::new();
        folded.header = Header { attributes: 4, ..Header::read(&plain).unwrap() };
        let folded = at(10, folded.raw(&packed).build());
        assert!(folded.len() < 150_000, "{}", folded.len());
        let judged = Pass::new(map(&[(b"a", 10), (b"b", 30)], 40)).judge(&folded);
        assert_eq!((judged.left, judged.records, judged.kept), (Left::Whole, 2, 2));
        // Without the noise it is like any other.
        let judged = Pass::new(map(&[(b"a", 30), (b"b", 11)], 40)).judge(&folded);
        assert_eq!((judged.records, judged.kept), (2, 1));
        assert!(matches!(judged.left, Left::Rewritten(bytes) if bytes.len() < 200));
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
    fn under_log_append_time_every_record_keeps_the_batchs_time() {
        let batch = BatchBuilder::new()
            .attributes(attributes::LOG_APPEND_TIME)
            .record(100, Some(b"a"), Some(b"1"))
            .record(150, Some(b"b"), None)
            .build();
        let mut pass = Pass::new(map(&[(b"a", 30)], 40));
        let new = pass.rewrite(&at(10, batch));
        assert_eq!(records(&new), [(11, 150, false)]);
        assert_eq!(Header::read(&new).unwrap().max_timestamp, 150);
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
