//! Builds batches: control batches, and whatever the tests need.

use super::header::{HEADER_BYTES, Header, LOG_OVERHEAD, attributes, crc_of_parts};
use super::walk::{put_varint, put_varlong};
use crate::codec::Deflater;
use crate::config::CompressionType;

/// Collects records and writes one batch with base offset 0 and leader epoch -1. The fields of `header` may be set at
/// will before `build`, which only fills in the length, the CRC and (unless it was set) the timestamps and counts.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    pub header: Header,
    /// `Producer` counts as no compression.
    pub compression: CompressionType,
    records: Vec<u8>,
}

impl Default for BatchBuilder {
    fn default() -> Self {
        BatchBuilder::new()
    }
}

impl BatchBuilder {
    pub fn new() -> BatchBuilder {
        BatchBuilder {
            header: Header {
                base_offset: 0,
                length: 0,
                leader_epoch: -1,
                magic: 2,
                crc: 0,
                attributes: 0,
                last_offset_delta: -1,
                base_timestamp: -1,
                max_timestamp: -1,
                producer_id: -1,
                producer_epoch: -1,
                base_sequence: -1,
                count: 0,
            },
            compression: CompressionType::Uncompressed,
            records: Vec::new(),
        }
    }

    /// Sets producer id, epoch and first sequence.
    pub fn producer(mut self, id: i64, epoch: i16, sequence: i32) -> BatchBuilder {
        self.header.producer_id = id;
        self.header.producer_epoch = epoch;
        self.header.base_sequence = sequence;
        self
    }

    /// Sets attribute bits.
    pub fn attributes(mut self, bits: i16) -> BatchBuilder {
        self.header.attributes |= bits;
        self
    }

    pub fn compression(mut self, compression: CompressionType) -> BatchBuilder {
        self.compression = compression;
        self
    }

    /// Adds a record with the next offset.
    pub fn record(self, timestamp: i64, key: Option<&[u8]>, value: Option<&[u8]>) -> BatchBuilder {
        self.record_with_headers(timestamp, key, value, &[])
    }

    pub fn record_with_headers(
        mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[(&[u8], Option<&[u8]>)],
    ) -> BatchBuilder {
        if self.header.count == 0 {
            self.header.base_timestamp = timestamp;
        }
        self.header.max_timestamp = self.header.max_timestamp.max(timestamp);
        self.header.last_offset_delta += 1;
        let mut record = vec![0];
        put_varlong(&mut record, timestamp.wrapping_sub(self.header.base_timestamp));
        put_varint(&mut record, self.header.count);
        put_bytes(&mut record, key);
        put_bytes(&mut record, value);
        put_varint(&mut record, headers.len() as i32);
        for (key, value) in headers {
            put_bytes(&mut record, Some(key));
            put_bytes(&mut record, *value);
        }
        self.header.count += 1;
        put_varint(&mut self.records, record.len() as i32);
        self.records.extend_from_slice(&record);
        self
    }

    /// Adds bytes where the next record would stand, counting nothing.
    pub fn raw(mut self, bytes: &[u8]) -> BatchBuilder {
        self.records.extend_from_slice(bytes);
        self
    }

    /// The whole batch.
    pub fn build(mut self) -> Vec<u8> {
        let body = Deflater::new(self.compression, usize::MAX)
            .and_then(|mut deflater| {
                deflater.write(&self.records)?;
                deflater.finish()
            })
            .expect("encoding into memory works")
            .expect("there is no limit");
        self.header.attributes |= codec_bits(self.compression);
        self.header.length = (HEADER_BYTES - LOG_OVERHEAD + body.len()) as i32;
        seal(&self.header, &body)
    }
}

/// The batch of this header and body, with its CRC.
fn seal(header: &Header, body: &[u8]) -> Vec<u8> {
    let mut head = [0; HEADER_BYTES];
    header.write(&mut head);
    let crc = crc_of_parts(&head, body);
    head[17..21].copy_from_slice(&crc.to_be_bytes());
    [&head[..], body].concat()
}

fn put_bytes(to: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => {
            put_varint(to, bytes.len() as i32);
            to.extend_from_slice(bytes);
        }
        None => put_varint(to, -1),
    }
}

/// Bits 0-2 of the attributes for a setting of `compression.type`.
pub fn codec_bits(compression: CompressionType) -> i16 {
    match compression {
        CompressionType::Producer | CompressionType::Uncompressed => 0,
        CompressionType::Gzip { .. } => 1,
        CompressionType::Snappy => 2,
        CompressionType::Lz4 { .. } => 3,
        CompressionType::Zstd { .. } => 4,
    }
}

/// One transaction marker batch (COMMIT or ABORT), base offset 0.
pub fn marker(producer_id: i64, producer_epoch: i16, commit: bool, coordinator_epoch: i32, timestamp: i64) -> Vec<u8> {
    let mut key = [0u8; 4];
    key[2..].copy_from_slice(&(commit as i16).to_be_bytes());
    let mut value = [0u8; 6];
    value[2..].copy_from_slice(&coordinator_epoch.to_be_bytes());
    BatchBuilder::new()
        .producer(producer_id, producer_epoch, -1)
        .attributes(attributes::TRANSACTIONAL | attributes::CONTROL)
        .record(timestamp, Some(&key), Some(&value))
        .build()
}
