//! Record batches: read as they stand in a log, and judged as a producer sends them.

use crate::Choices;
use bytes::Bytes;
use odradek_engine::batch::{
    BatchBuilder, HEADER_BYTES, Header, Records, attributes, control_record, get_varint, marker, put_varint, verify_crc,
};
use odradek_engine::command::Origin;
use odradek_engine::config::{CompressionType, TimestampType};
use odradek_engine::producer_state::ProducerStates;
use odradek_engine::validate::{Rules, validate as judge};

const NOW: i64 = 1_700_000_000_000;
const MAX_MESSAGE_BYTES: u32 = 64 * 1024;
const ORIGINS: [Origin; 5] = [Origin::Client, Origin::Coordinator, Origin::Raft, Origin::Replication, Origin::Marker];
const TYPES: [CompressionType; 6] = [
    CompressionType::Producer,
    CompressionType::Uncompressed,
    CompressionType::Gzip { level: 1 },
    CompressionType::Snappy,
    CompressionType::Lz4 { level: 9 },
    CompressionType::Zstd { level: 1 },
];

/// Makes length and checksum those of the bytes, so that a change is seen by what comes after those two checks.
pub fn reseal(batch: &mut [u8]) {
    if batch.len() >= HEADER_BYTES {
        let length = (batch.len() - 12) as u32;
        batch[8..12].copy_from_slice(&length.to_be_bytes());
        let crc = crc_fast::crc32_iscsi(&batch[21..]);
        batch[17..21].copy_from_slice(&crc.to_be_bytes());
    }
}

pub fn walk(input: &[u8]) {
    let mut varint = input;
    if let Some(value) = get_varint(&mut varint) {
        let mut written = Vec::new();
        put_varint(&mut written, value);
        assert_eq!(get_varint(&mut &written[..]), Some(value));
        assert!(written.len() <= 5);
    }
    let Some(header) = Header::read(input) else {
        assert!(input.len() < HEADER_BYTES && !verify_crc(input) && Records::new(input).is_none());
        return;
    };
    let mut head = [0; HEADER_BYTES];
    header.write(&mut head);
    assert_eq!(head, input[..HEADER_BYTES]);
    assert!(header.next_offset() >= header.last_offset());
    header.last_sequence();
    verify_crc(input);

    let mut records = Records::new(input).expect("a header is there");
    let mut count = 0u32;
    let mut failed = false;
    for record in records.by_ref() {
        assert!(!failed, "a record after a failure");
        match record {
            Ok(_) => count += 1,
            Err(_) => failed = true,
        }
    }
    assert!(i64::from(count) <= i64::from(header.count.max(0)), "more records than promised");
    assert!(failed || i64::from(count) == i64::from(header.count.max(0)), "fewer records than promised");
    assert!(records.next().is_none());

    if let Ok((_, key, value)) = control_record(&header, &input[HEADER_BYTES..]) {
        assert!(key.len() + value.len() <= 64 * 1024);
    }
}

/// Two bytes say under which rules, the rest is the batch.
pub fn validate(input: &[u8]) {
    let mut choices = Choices(input);
    let (first, second) = (choices.byte(), choices.byte());
    let rules = Rules {
        origin: ORIGINS[(first & 7) as usize % ORIGINS.len()],
        max_message_bytes: MAX_MESSAGE_BYTES,
        compression_type: TYPES[(second & 7) as usize % TYPES.len()],
        timestamp_type: if first & 8 == 0 { TimestampType::CreateTime } else { TimestampType::LogAppendTime },
        before_max_ms: if first & 16 == 0 { i64::MAX } else { 0 },
        after_max_ms: if first & 32 == 0 { 3_600_000 } else { i64::MAX },
        compacted: first & 64 != 0,
    };
    let mut batch = choices.0.to_vec();
    if first & 128 == 0 {
        reseal(&mut batch);
    }
    let batch = Bytes::from(batch);
    let Ok(accepted) = judge(&batch, &rules, NOW) else { return };
    let written = [&accepted.head[..], &accepted.body[..]].concat();
    assert!(verify_crc(&written));
    assert_eq!(Header::read(&written), Some(accepted.header));
    assert_eq!(accepted.header.total_bytes(), written.len());
    if rules.origin == Origin::Client {
        assert!(written.len() <= MAX_MESSAGE_BYTES as usize);
        let read: Result<Vec<_>, String> = Records::new(&written).expect("a header").collect();
        assert_eq!(read.expect("accepted records can be read").len(), accepted.header.count as usize);
    }
    let mut states = ProducerStates::new();
    for version in [-1, 1, 2] {
        let _ = states.check(&accepted.header, &accepted.body, rules.origin, version);
        let _ = states.apply(&accepted.header, &accepted.body);
    }
}

pub fn seeds() -> Vec<Vec<u8>> {
    let records = |compression| {
        (0..3u8)
            .fold(BatchBuilder::new().compression(compression), |batch, n| {
                batch.record(NOW + i64::from(n), Some(&[b'k', n]), Some(&[n; 40]))
            })
            .build()
    };
    let mut seeds: Vec<Vec<u8>> = TYPES[1..].iter().map(|compression| records(*compression)).collect();
    seeds.push(marker(7, 0, true, 3, NOW));
    seeds.push(marker(7, 1, false, 3, NOW));
    let open = BatchBuilder::new().producer(7, 0, 12).attributes(attributes::TRANSACTIONAL);
    seeds.push(open.record(NOW, None, None).build());
    seeds
}

pub fn validate_seeds() -> Vec<Vec<u8>> {
    let rules = [[0, 0], [0, 1], [8, 2], [0, 3], [64, 4], [2, 0], [3, 5], [4, 0]];
    let with = |rules: [u8; 2], batch: Vec<u8>| [&rules[..], &batch].concat();
    seeds().into_iter().flat_map(|batch| rules.map(|rules| with(rules, batch.clone()))).collect()
}
