//! The fixed head of a record batch. Offsets and leader epoch stand before the CRC's range and are free to patch;
//! everything from the attributes on is covered by it.

/// Bytes from the base offset up to the first record.
pub const HEADER_BYTES: usize = 61;
/// Bytes of the base offset and length fields, which the length field doesn't count.
pub const LOG_OVERHEAD: usize = 12;
/// Where the range of the CRC begins.
const CRC_FROM: usize = 21;

/// The bits of the attributes field.
pub mod attributes {
    pub const CODEC_MASK: i16 = 0x07;
    pub const LOG_APPEND_TIME: i16 = 0x08;
    pub const TRANSACTIONAL: i16 = 0x10;
    pub const CONTROL: i16 = 0x20;
    pub const DELETE_HORIZON: i16 = 0x40;
}

/// All fields of a v2 header, as they stand in the bytes. `magic` decides whether the rest means anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub base_offset: i64,
    /// Bytes after this field.
    pub length: i32,
    pub leader_epoch: i32,
    pub magic: i8,
    pub crc: u32,
    pub attributes: i16,
    pub last_offset_delta: i32,
    /// The delete horizon instead, when that attribute is set.
    pub base_timestamp: i64,
    pub max_timestamp: i64,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub count: i32,
}

impl Header {
    /// None when there are fewer than 61 bytes. No field is judged.
    pub fn read(bytes: &[u8]) -> Option<Header> {
        let b: &[u8; HEADER_BYTES] = bytes.get(..HEADER_BYTES)?.try_into().ok()?;
        let i64_at = |at: usize| i64::from_be_bytes(b[at..at + 8].try_into().expect("eight bytes"));
        let i32_at = |at: usize| i32::from_be_bytes(b[at..at + 4].try_into().expect("four bytes"));
        let i16_at = |at: usize| i16::from_be_bytes([b[at], b[at + 1]]);
        Some(Header {
            base_offset: i64_at(0),
            length: i32_at(8),
            leader_epoch: i32_at(12),
            magic: b[16] as i8,
            crc: i32_at(17) as u32,
            attributes: i16_at(21),
            last_offset_delta: i32_at(23),
            base_timestamp: i64_at(27),
            max_timestamp: i64_at(35),
            producer_id: i64_at(43),
            producer_epoch: i16_at(51),
            base_sequence: i32_at(53),
            count: i32_at(57),
        })
    }

    /// Writes the fields as they are; the CRC is not computed.
    pub fn write(&self, to: &mut [u8; HEADER_BYTES]) {
        to[0..8].copy_from_slice(&self.base_offset.to_be_bytes());
        to[8..12].copy_from_slice(&self.length.to_be_bytes());
        to[12..16].copy_from_slice(&self.leader_epoch.to_be_bytes());
        to[16] = self.magic as u8;
        to[17..21].copy_from_slice(&self.crc.to_be_bytes());
        to[21..23].copy_from_slice(&self.attributes.to_be_bytes());
        to[23..27].copy_from_slice(&self.last_offset_delta.to_be_bytes());
        to[27..35].copy_from_slice(&self.base_timestamp.to_be_bytes());
        to[35..43].copy_from_slice(&self.max_timestamp.to_be_bytes());
        to[43..51].copy_from_slice(&self.producer_id.to_be_bytes());
        to[51..53].copy_from_slice(&self.producer_epoch.to_be_bytes());
        to[53..57].copy_from_slice(&self.base_sequence.to_be_bytes());
        to[57..61].copy_from_slice(&self.count.to_be_bytes());
    }

    /// Bytes of the whole batch as the length field has it; negative lengths count as zero.
    pub fn total_bytes(&self) -> usize {
        LOG_OVERHEAD + self.length.max(0) as usize
    }

    /// Offset of the batch's last record (saturating, since the fields may be anything).
    pub fn last_offset(&self) -> i64 {
        self.base_offset.saturating_add(self.last_offset_delta as i64)
    }

    pub fn next_offset(&self) -> i64 {
        self.last_offset().saturating_add(1)
    }

    /// The codec's number, 0..=7; only 0..=4 exist.
    pub fn codec(&self) -> u8 {
        (self.attributes & attributes::CODEC_MASK) as u8
    }

    pub fn is_transactional(&self) -> bool {
        self.attributes & attributes::TRANSACTIONAL != 0
    }

    pub fn is_control(&self) -> bool {
        self.attributes & attributes::CONTROL != 0
    }

    pub fn is_log_append_time(&self) -> bool {
        self.attributes & attributes::LOG_APPEND_TIME != 0
    }

    /// A record's timestamp: the batch's under LogAppendTime, else base plus delta.
    pub fn timestamp_of(&self, delta: i64) -> i64 {
        if self.is_log_append_time() { self.max_timestamp } else { self.base_timestamp.wrapping_add(delta) }
    }

    /// A producer id stands in it: sequences and epochs mean something.
    pub fn has_producer_id(&self) -> bool {
        self.producer_id > -1
    }

    /// Sequence of the last record; sequences wrap from 2^31-1 to 0.
    pub fn last_sequence(&self) -> i32 {
        if self.base_sequence < 0 {
            return self.base_sequence;
        }
        add_sequence(self.base_sequence, self.last_offset_delta as i64)
    }
}

/// `sequence + delta`, wrapping from 2^31-1 to 0.
pub fn add_sequence(sequence: i32, delta: i64) -> i32 {
    (sequence as i64 + delta).rem_euclid(1 << 31) as i32
}

/// Puts offset and leader epoch into a header whose CRC is final; both stand outside the CRC.
pub fn patch(head: &mut [u8; HEADER_BYTES], base_offset: i64, leader_epoch: i32) {
    head[0..8].copy_from_slice(&base_offset.to_be_bytes());
    head[12..16].copy_from_slice(&leader_epoch.to_be_bytes());
}

/// CRC-32C from the attributes to the end of the batch. `batch` is exactly one batch.
pub fn verify_crc(batch: &[u8]) -> bool {
    match Header::read(batch) {
        Some(header) => header.crc == crc_fast::crc32_iscsi(&batch[CRC_FROM..]),
        None => false,
    }
}

/// The CRC of a batch whose header and body lie apart.
pub fn crc_of_parts(head: &[u8; HEADER_BYTES], body: &[u8]) -> u32 {
    let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
    digest.update(&head[CRC_FROM..]);
    digest.update(body);
    digest.finalize() as u32
}
