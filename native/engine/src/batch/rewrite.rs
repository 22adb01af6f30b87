//! Encodes the records of a batch anew while a walk passes over them: consecutive offset deltas, timestamps from the
//! first record's on, all else byte for byte.

use super::Header;
use super::walk::{Tee, put_varint, put_varlong};
use crate::codec::Deflater;
use crate::config::CompressionType;

/// Takes part in a walk as its `Tee`.
pub struct Rewriter {
    source: Header,
    deflater: Deflater,
    base_timestamp: Option<i64>,
    count: i32,
    head: Vec<u8>,
}

/// The records as they were encoded anew.
pub struct Rewritten {
    /// None when they are larger than the limit.
    pub body: Option<Vec<u8>>,
    /// The first record's timestamp, from which the deltas count.
    pub base_timestamp: i64,
    pub count: i32,
}

impl Rewriter {
    /// `limit`: bytes that the body may have.
    pub fn new(source: &Header, target: CompressionType, limit: usize) -> Result<Rewriter, String> {
        Ok(Rewriter {
            source: *source,
            deflater: Deflater::new(target, limit)?,
            base_timestamp: None,
            count: 0,
            head: Vec::new(),
        })
    }

    pub fn finish(self) -> Result<Rewritten, String> {
        Ok(Rewritten {
            body: self.deflater.finish()?,
            base_timestamp: self.base_timestamp.unwrap_or(-1),
            count: self.count,
        })
    }
}

impl Tee for Rewriter {
    fn head(&mut self, _offset_delta: i32, timestamp_delta: i64, rest: usize) -> Result<(), String> {
        let timestamp = self.source.timestamp_of(timestamp_delta);
        let base = *self.base_timestamp.get_or_insert(timestamp);
        let mut fields = std::mem::take(&mut self.head);
        fields.clear();
        fields.push(0);
        put_varlong(&mut fields, timestamp.wrapping_sub(base));
        put_varint(&mut fields, self.count);
        let mut length = Vec::with_capacity(5);
        put_varint(&mut length, (fields.len() + rest) as i32);
        self.count += 1;
        self.deflater.write(&length)?;
        self.deflater.write(&fields)?;
        self.head = fields;
        Ok(())
    }

    fn rest(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.deflater.write(bytes)
    }
}
