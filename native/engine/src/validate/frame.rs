//! The frame around a client's records: that there is one batch, whole, with the right checksum, and that its header
//! doesn't contradict itself.

use super::{Refused, Rules};
use crate::batch::{HEADER_BYTES, Header, LOG_OVERHEAD, verify_crc};
use crate::error::Code;

/// The smallest length that any format of a batch can have.
const MIN_LENGTH: i32 = 14;
/// Where the magic stands.
const MAGIC_AT: usize = 16;

/// The bytes of the one batch that a client sent.
pub fn single_batch(bytes: &[u8]) -> Result<usize, Refused> {
    let Some(total) = next_batch(bytes)? else {
        return Err(Refused::new(
            Code::BadRecord,
            format!("no whole record batch in the {} bytes of this partition", bytes.len()),
        ));
    };
    if bytes[MAGIC_AT] != 2 {
        return Err(Refused::new(
            Code::BadRecord,
            format!("a batch of format {}; only format 2 is accepted", bytes[MAGIC_AT]),
        ));
    }
    if next_batch(&bytes[total..])?.is_some() {
        return Err(Refused::new(Code::BadRecord, "more than one record batch for this partition; send one"));
    }
    Ok(total)
}

/// Bytes of the batch that begins here; None when it isn't there as a whole.
fn next_batch(bytes: &[u8]) -> Result<Option<usize>, Refused> {
    let Some(length) = bytes.get(8..LOG_OVERHEAD) else {
        return Ok(None);
    };
    let length = i32::from_be_bytes([length[0], length[1], length[2], length[3]]);
    if length < MIN_LENGTH {
        return Err(Refused::new(Code::Corrupt, format!("a batch's length field says {length}")));
    }
    match bytes.get(MAGIC_AT) {
        None => return Ok(None),
        Some(0..=2) => {}
        Some(&magic) => {
            return Err(Refused::new(Code::Corrupt, format!("format {} of a batch doesn't exist", magic as i8)));
        }
    }
    let total = LOG_OVERHEAD + length as usize;
    Ok(if bytes.len() < total { None } else { Some(total) })
}

/// Base offset, size, CRC.
pub fn check_envelope(batch: &[u8], rules: &Rules) -> Result<Header, Refused> {
    let base_offset = i64::from_be_bytes(batch[..8].try_into().expect("eight bytes"));
    if base_offset != 0 {
        return Err(Refused::new(
            Code::BadRecord,
            format!("a produced batch has base offset 0, this one {base_offset}: the broker gives offsets"),
        ));
    }
    if batch.len() > rules.max_message_bytes as usize {
        return Err(too_large(batch.len(), rules));
    }
    let header = Header::read(batch).ok_or_else(|| {
        Refused::new(Code::Corrupt, format!("a batch has at least {HEADER_BYTES} bytes, this one {}", batch.len()))
    })?;
    if !verify_crc(batch) {
        return Err(bad_crc(&header));
    }
    Ok(header)
}

/// Count, flags and sequence.
pub fn check_header(header: &Header) -> Result<(), Refused> {
    if header.last_offset_delta < 0 {
        return Err(Refused::new(
            Code::BadRecord,
            format!("the last offset delta is {}, so the batch has no offsets", header.last_offset_delta),
        ));
    }
    if header.last_offset_delta as i64 + 1 != header.count as i64 {
        return Err(Refused::new(
            Code::BadRecord,
            format!("{} records, but a last offset delta of {}", header.count, header.last_offset_delta),
        ));
    }
    if header.is_control() {
        return Err(Refused::new(Code::BadRecord, "control records are the broker's to write"));
    }
    if header.has_producer_id() && header.base_sequence < 0 {
        return Err(Refused::new(
            Code::BadRecord,
            format!("producer {} sent the negative sequence {}", header.producer_id, header.base_sequence),
        ));
    }
    Ok(())
}

pub fn too_large(bytes: usize, rules: &Rules) -> Refused {
    Refused::new(
        Code::TooLarge,
        format!("the batch has {bytes} bytes, more than max.message.bytes={}", rules.max_message_bytes),
    )
}

pub fn bad_crc(header: &Header) -> Refused {
    Refused::new(Code::Corrupt, format!("the batch's checksum {:#010x} is not that of its bytes", header.crc))
}
