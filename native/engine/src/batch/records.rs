//! Walks the records of one stored batch for look-ups: offsets and timestamps, no keys or values.

use super::walk::{Walk, WalkError};
use super::{HEADER_BYTES, Header};
use crate::codec::{Codec, Inflater};

/// A batch that inflates to more than this is refused, and so never stands in a log of ours. It is as much as gzip,
/// snappy or lz4 can reach from the default `max.message.bytes`, and bounds what a crafted zstd batch (which can reach
/// 30,000 times its size) costs. Kafka has no such bound but its heap.
pub const INFLATED_MAX_BYTES: u64 = 1 << 30;

/// Where a record stands and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordMeta {
    pub offset: i64,
    pub timestamp: i64,
}

/// Iterates over the records of one whole batch, inflating as it goes with a bounded window. A record that can't be
/// read ends the walk with one `Err` that says what is wrong.
pub struct Records<'a> {
    header: Header,
    walk: Result<Walk<Inflater<'a>>, Option<String>>,
}

impl<'a> Records<'a> {
    /// `batch`: one whole batch, header included. None when it is shorter than a header.
    pub fn new(batch: &'a [u8]) -> Option<Records<'a>> {
        let header = Header::read(batch)?;
        let walk = Codec::from_id(header.codec())
            .ok_or_else(|| format!("codec {} is not known", header.codec()))
            .and_then(|codec| {
                Inflater::new(codec, &batch[HEADER_BYTES..], INFLATED_MAX_BYTES).map_err(|error| error.to_string())
            })
            .map(|inflater| Walk::new(inflater, u32::try_from(header.count).unwrap_or(0)))
            .map_err(Some);
        Some(Records { header, walk })
    }
}

impl Iterator for Records<'_> {
    type Item = Result<RecordMeta, String>;

    fn next(&mut self) -> Option<Self::Item> {
        let outcome = match &mut self.walk {
            Ok(walk) => walk.next(&mut ()),
            Err(error) => return error.take().map(Err),
        };
        match outcome {
            Ok(record) => record.map(|record| {
                Ok(RecordMeta {
                    offset: self.header.base_offset.wrapping_add(record.offset_delta as i64),
                    timestamp: self.header.timestamp_of(record.timestamp_delta),
                })
            }),
            Err(error) => {
                self.walk = Err(None);
                Some(Err(match error {
                    WalkError::Inflate(error) => error.to_string(),
                    WalkError::Shape(text) => text,
                }))
            }
        }
    }
}
