//! Record batches as the mapped writer builds them: one record with or without a key, or many values that lie packed.
//!
//! Invariants: the first 12 bytes (offset and length) are left alone; everything behind them is final, the checksum
//! included, which is taken of the bytes as they lie in the file's memory, whatever becomes of those they came from.

use crate::batch::{HEADER_BYTES, LOG_OVERHEAD};

/// Where the range of the checksum begins.
const CRC_FROM: usize = 21;

/// What goes into one batch.
pub trait Records {
    fn count(&self) -> usize;
    /// Bytes of the records.
    fn bytes(&self) -> usize;
    /// Fills exactly that many.
    fn write(&self, into: &mut [u8]);
}

/// One record.
pub struct Single<'a> {
    pub key: Option<&'a [u8]>,
    pub value: Option<&'a [u8]>,
}

/// Values that lie behind one another: the end of each, ascending.
#[derive(Clone, Copy)]
pub struct Packed<'a> {
    pub bytes: &'a [u8],
    /// Where the first one begins.
    pub from: u32,
    pub ends: &'a [u32],
}

impl Records for Single<'_> {
    fn count(&self) -> usize {
        1
    }

    #[inline]
    fn bytes(&self) -> usize {
        let inside = self.inside();
        size_of_varint(inside as i64) + inside
    }

    #[inline]
    fn write(&self, into: &mut [u8]) {
        let mut at = put_varint(into, 0, self.inside() as i64);
        // Attributes, timestamp delta, offset delta.
        into[at..at + 3].fill(0);
        at = put_bytes(into, at + 3, self.key);
        at = put_bytes(into, at, self.value);
        into[at] = 0;
    }
}

impl Single<'_> {
    /// Bytes behind the record's length: attributes, two deltas, key, value, the count of headers.
    #[inline]
    fn inside(&self) -> usize {
        4 + size_of_bytes(self.key) + size_of_bytes(self.value)
    }
}

impl<'a> Packed<'a> {
    /// None: the ends don't ascend, or go beyond the bytes.
    pub fn new(bytes: &'a [u8], ends: &'a [u32]) -> Option<Packed<'a>> {
        let mut last = 0;
        for end in ends {
            if *end < last {
                return None;
            }
            last = *end;
        }
        (last as usize <= bytes.len()).then_some(Packed { bytes, from: 0, ends })
    }

    /// The first of them whose batch has at most `limit` bytes, at least one; and the rest.
    pub fn split(self, limit: usize) -> (Packed<'a>, Packed<'a>) {
        let mut bytes = HEADER_BYTES;
        let mut count = 0;
        let mut from = self.from;
        for end in self.ends {
            bytes += record_bytes(count, (end - from) as usize);
            if bytes > limit && count > 0 {
                break;
            }
            count += 1;
            from = *end;
        }
        let (first, rest) = self.ends.split_at(count);
        let rest_from = first.last().copied().unwrap_or(self.from);
        (Packed { ends: first, ..self }, Packed { from: rest_from, ends: rest, ..self })
    }

    fn values(&self) -> impl Iterator<Item = &'a [u8]> {
        let (bytes, mut from) = (self.bytes, self.from as usize);
        self.ends.iter().map(move |end| {
            let value = &bytes[from..*end as usize];
            from = *end as usize;
            value
        })
    }
}

impl Records for Packed<'_> {
    fn count(&self) -> usize {
        self.ends.len()
    }

    fn bytes(&self) -> usize {
        self.values().enumerate().map(|(index, value)| record_bytes(index, value.len())).sum()
    }

    fn write(&self, into: &mut [u8]) {
        let mut at = 0;
        for (index, value) in self.values().enumerate() {
            at = put_varint(into, at, inside_of(index, value.len()) as i64);
            into[at..at + 2].fill(0);
            at = put_varint(into, at + 2, index as i64);
            at = put_bytes(into, at, None);
            at = put_bytes(into, at, Some(value));
            into[at] = 0;
            at += 1;
        }
    }
}

/// Builds all of the batch but its first 12 bytes in `into`, which is exactly as long as the batch.
#[inline]
pub fn build(into: &mut [u8], records: &impl Records, timestamp: i64, leader_epoch: i32) {
    let count = records.count() as i32;
    let (head, body) = into.split_first_chunk_mut::<HEADER_BYTES>().expect("room for a header");
    records.write(body);
    head[12..16].copy_from_slice(&leader_epoch.to_be_bytes());
    head[16] = 2;
    head[21..23].fill(0);
    head[23..27].copy_from_slice(&(count - 1).to_be_bytes());
    head[27..35].copy_from_slice(&timestamp.to_be_bytes());
    head[35..43].copy_from_slice(&timestamp.to_be_bytes());
    // No producer: its id, epoch and sequence are all -1.
    head[43..57].fill(0xff);
    head[57..61].copy_from_slice(&count.to_be_bytes());
    let crc = crc_fast::crc32_iscsi(&into[CRC_FROM..]);
    into[17..21].copy_from_slice(&crc.to_be_bytes());
}

/// The two fields that `build` leaves out: base offset and length.
pub fn overhead(base: i64, bytes: usize) -> [u8; LOG_OVERHEAD] {
    let mut fields = [0; LOG_OVERHEAD];
    fields[..8].copy_from_slice(&base.to_be_bytes());
    fields[8..].copy_from_slice(&((bytes - LOG_OVERHEAD) as i32).to_be_bytes());
    fields
}

fn inside_of(index: usize, value: usize) -> usize {
    // Attributes, timestamp delta, offset delta, no key, the value, no headers.
    2 + size_of_varint(index as i64) + 1 + size_of_varint(value as i64) + value + 1
}

fn record_bytes(index: usize, value: usize) -> usize {
    let inside = inside_of(index, value);
    size_of_varint(inside as i64) + inside
}

#[inline]
fn size_of_bytes(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| size_of_varint(bytes.len() as i64) + bytes.len())
}

#[inline]
fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

#[inline]
fn size_of_varint(value: i64) -> usize {
    ((64 - (zigzag(value) | 1).leading_zeros()) as usize).div_ceil(7)
}

/// Where the next byte goes.
#[inline]
fn put_varint(into: &mut [u8], mut at: usize, value: i64) -> usize {
    let mut rest = zigzag(value);
    while rest >= 0x80 {
        into[at] = rest as u8 | 0x80;
        rest >>= 7;
        at += 1;
    }
    into[at] = rest as u8;
    at + 1
}

#[inline]
fn put_bytes(into: &mut [u8], at: usize, bytes: Option<&[u8]>) -> usize {
    let Some(bytes) = bytes else { return put_varint(into, at, -1) };
    let at = put_varint(into, at, bytes.len() as i64);
    into[at..at + bytes.len()].copy_from_slice(bytes);
    at + bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::BatchBuilder;
    use proptest::prelude::*;

    fn whole(records: &impl Records, base: i64, timestamp: i64) -> Vec<u8> {
        let mut bytes = vec![0xaa; HEADER_BYTES + records.bytes()];
        build(&mut bytes, records, timestamp, 0);
        let fields = overhead(base, bytes.len());
        bytes[..LOG_OVERHEAD].copy_from_slice(&fields);
        bytes
    }

    fn built(builder: BatchBuilder, base: i64) -> Vec<u8> {
        let mut bytes = builder.build();
        bytes[..8].copy_from_slice(&base.to_be_bytes());
        bytes[12..16].fill(0);
        bytes
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn batches_are_those_of_the_builder(
            key in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..300)),
            values in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..9000), 1..80),
            timestamp in 0i64..1 << 45,
            base in 0i64..1 << 50,
            limit in 0usize..60_000,
        ) {
            let value = values.first().map(Vec::as_slice);
            for value in [value, None] {
                let ours = whole(&Single { key: key.as_deref(), value }, base, timestamp);
                prop_assert_eq!(ours, built(BatchBuilder::new().record(timestamp, key.as_deref(), value), base));
            }
            let bytes = values.concat();
            let mut ends = Vec::new();
            for value in &values {
                ends.push(ends.last().copied().unwrap_or(0) + value.len() as u32);
            }
            let mut rest = Packed::new(&bytes, &ends).unwrap();
            let mut from = 0;
            while rest.count() > 0 {
                let (first, more) = rest.split(limit);
                let mut builder = BatchBuilder::new();
                for value in &values[from..from + first.count()] {
                    builder = builder.record(timestamp, None, Some(value));
                }
                let ours = whole(&first, base, timestamp);
                prop_assert!(ours.len() <= limit || first.count() == 1);
                prop_assert_eq!(ours, built(builder, base));
                from += first.count();
                rest = more;
            }
            prop_assert_eq!(from, values.len());
        }
    }

    #[test]
    fn ends_that_go_back_or_beyond_the_bytes_are_refused() {
        assert!(Packed::new(b"abc", &[1, 3]).is_some());
        assert!(Packed::new(b"abc", &[2, 1]).is_none());
        assert!(Packed::new(b"abc", &[1, 4]).is_none());
        assert_eq!(Packed::new(b"", &[]).unwrap().count(), 0);
    }
}
