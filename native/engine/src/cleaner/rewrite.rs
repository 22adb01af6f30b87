//! A batch under a new header, with some of its records or none.
//!
//! Invariants: a record keeps its offset, a batch its base and last offset, its producer, epoch and sequence. A batch
//! that would grow out of proportion is not written anew.

use super::records::pass;
use crate::batch::{HEADER_BYTES, Header, LOG_OVERHEAD, Tee, attributes, crc_of_parts, put_varint, put_varlong};
use crate::codec::{Codec, Deflater};
use crate::config::CompressionType;

/// How much larger a batch may become by being written anew: a horizon makes each record's timestamp longer, and
/// another level of a codec its bytes.
const MOST_GROWTH: usize = 2;
const GROWTH_BYTES: usize = 64 << 10;

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

/// The batch with those of its records that `keep` names; with a horizon, its records' times are counted from there.
/// None: encoded anew it would be much larger. What a client's codec folded small can be hundreds of megabytes in ours;
/// such a batch stays as it came.
pub fn rewritten(
    header: &Header,
    batch: &[u8],
    keep: &[bool],
    horizon: Option<i64>,
) -> Result<Option<Vec<u8>>, String> {
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
pub fn emptied(header: &Header) -> Vec<u8> {
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
pub mod tests {
    use super::super::batches::body;
    use super::super::records::each_record;
    use super::*;
    use crate::batch::{BatchBuilder, verify_crc};

    pub fn at(offset: i64, bytes: Vec<u8>) -> Vec<u8> {
        let mut bytes = bytes;
        bytes[..8].copy_from_slice(&offset.to_be_bytes());
        bytes
    }

    /// Offset, timestamp, key and whether there is a value.
    pub fn records(batch: &[u8]) -> Vec<(i64, i64, bool)> {
        let header = Header::read(batch).unwrap();
        let mut values = Vec::new();
        each_record(&header, batch, |record| values.push(record.has_value)).unwrap();
        let metas = crate::batch::Records::new(batch).unwrap().map(Result::unwrap);
        metas.zip(values).map(|(meta, value)| (meta.offset, meta.timestamp, value)).collect()
    }

    pub fn three(compression: CompressionType) -> Vec<u8> {
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

    /// Two records under another's codec, the first of them folded smaller than ours can: the same noise again and
    /// again, further apart than our encoder looks back.
    pub fn folded() -> Vec<u8> {
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
        folded
    }

    fn anew(batch: &[u8], keep: &[bool]) -> Option<Vec<u8>> {
        rewritten(&Header::read(batch).unwrap(), batch, keep, None).unwrap()
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
            let new = anew(&batch, &[false, true, true]).expect("it gets no larger");
            assert!(verify_crc(&new));
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
        let folded = folded();
        assert_eq!(anew(&folded, &[true, false]), None);
        // Without the noise it is like any other.
        assert!(anew(&folded, &[false, true]).is_some_and(|bytes| bytes.len() < 200));
    }

    #[test]
    fn under_log_append_time_every_record_keeps_the_batchs_time() {
        let batch = BatchBuilder::new()
            .attributes(attributes::LOG_APPEND_TIME)
            .record(100, Some(b"a"), Some(b"1"))
            .record(150, Some(b"b"), None)
            .build();
        let new = anew(&at(10, batch), &[false, true]).expect("it gets no larger");
        assert_eq!(records(&new), [(11, 150, false)]);
        assert_eq!(Header::read(&new).unwrap().max_timestamp, 150);
    }
}
