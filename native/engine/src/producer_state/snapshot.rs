//! The `.snapshot` files: version, CRC-32C of what follows, count, then 46 bytes a producer. The bytes are Kafka's.

use super::fields::Fields;
use super::{KeptBatch, Producer, ProducerStates, is_expired};
use std::collections::VecDeque;

const VERSION: i16 = 1;
/// Version and CRC.
const HEAD_BYTES: usize = 6;
const ENTRY_BYTES: usize = 46;

impl ProducerStates {
    /// The content of a `.snapshot` file.
    pub fn encode_snapshot(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD_BYTES + 4 + self.producers.len() * ENTRY_BYTES);
        bytes.extend_from_slice(&VERSION.to_be_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&(self.producers.len() as i32).to_be_bytes());
        for (id, producer) in &self.producers {
            let last = producer.batches.back();
            bytes.extend_from_slice(&id.to_be_bytes());
            bytes.extend_from_slice(&producer.epoch.to_be_bytes());
            bytes.extend_from_slice(&producer.last_sequence().to_be_bytes());
            bytes.extend_from_slice(&last.map_or(-1, |batch| batch.last_offset).to_be_bytes());
            bytes.extend_from_slice(&last.map_or(0, |batch| batch.offset_delta).to_be_bytes());
            bytes.extend_from_slice(&producer.last_timestamp.to_be_bytes());
            bytes.extend_from_slice(&producer.coordinator_epoch.to_be_bytes());
            bytes.extend_from_slice(&producer.open_transaction.unwrap_or(-1).to_be_bytes());
        }
        let crc = crc_fast::crc32_iscsi(&bytes[HEAD_BYTES..]);
        bytes[2..HEAD_BYTES].copy_from_slice(&crc.to_be_bytes());
        bytes
    }

    /// Loads the content of a `.snapshot` file in place of what is known; on an error nothing changes. Expired
    /// producers are left out.
    pub fn decode_snapshot(&mut self, bytes: &[u8], now_ms: i64, expiration_ms: i64) -> Result<(), String> {
        let mut head = Fields { bytes };
        let short = || format!("a producer snapshot of {} bytes is cut short", bytes.len());
        let version = head.i16().ok_or_else(short)?;
        if version != VERSION {
            return Err(format!("a producer snapshot of version {version}; {VERSION} is known"));
        }
        let crc = head.i32().ok_or_else(short)? as u32;
        if crc != crc_fast::crc32_iscsi(head.bytes) {
            return Err("the checksum of a producer snapshot is not that of its bytes".to_owned());
        }
        let count = head.i32().ok_or_else(short)?;
        let mut loaded = ProducerStates::new();
        for _ in 0..count {
            let (id, producer) = read_entry(&mut head).ok_or_else(short)?;
            if is_expired(&producer, now_ms, expiration_ms) {
                continue;
            }
            if let Some(first_offset) = producer.open_transaction {
                loaded.open_transactions.insert(first_offset, id);
            }
            loaded.producers.insert(id, producer);
        }
        *self = loaded;
        Ok(())
    }
}

/// One entry of a snapshot: the producer's id and state.
fn read_entry(fields: &mut Fields) -> Option<(i64, Producer)> {
    let id = fields.i64()?;
    let epoch = fields.i16()?;
    let last_sequence = fields.i32()?;
    let last_offset = fields.i64()?;
    let offset_delta = fields.i32()?;
    let last_timestamp = fields.i64()?;
    let coordinator_epoch = fields.i32()?;
    let open_transaction = Some(fields.i64()?).filter(|offset| *offset >= 0);
    let mut batches = VecDeque::new();
    if last_offset >= 0 {
        batches.push_back(KeptBatch { last_sequence, last_offset, offset_delta, timestamp: last_timestamp });
    }
    let is_abridged = !batches.is_empty();
    Some((id, Producer { epoch, coordinator_epoch, last_timestamp, open_transaction, batches, is_abridged }))
}
