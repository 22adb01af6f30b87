//! Batches that a client got wrong, by accident or on purpose: whatever the bytes, `validate` answers, takes little
//! memory, and accepts only what can be read back.

use bytes::Bytes;
use odradek_engine::batch::{BatchBuilder, HEADER_BYTES, Header, Records, attributes, marker, verify_crc};
use odradek_engine::codec::Deflater;
use odradek_engine::command::Origin;
use odradek_engine::config::{CompressionType, TimestampType};
use odradek_engine::error::Code;
use odradek_engine::producer_state::ProducerStates;
use odradek_engine::validate::{Accepted, Refused, Rules, validate};
use proptest::prelude::*;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Counts what the thread has allocated and the most it ever held.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(change: isize) {
    let held = HELD.get() + change;
    HELD.set(held);
    PEAK.set(PEAK.get().max(held));
}

// SAFETY: every call goes to the system's allocator unchanged; the counters are plain cells of the thread.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MAX_MESSAGE_BYTES: u32 = 256 * 1024;
const NOW: i64 = 1_700_000_000_000;

/// Runs `validate` and answers the most bytes that it held at once (zstd's own buffers, which C allocates, apart).
fn measured(batch: &Bytes, rules: &Rules) -> (Result<Accepted, Refused>, usize) {
    let before = HELD.get();
    PEAK.set(before);
    let outcome = validate(batch, rules, NOW);
    (outcome, (PEAK.get() - before) as usize)
}

fn rules() -> Rules {
    Rules {
        origin: Origin::Client,
        max_message_bytes: MAX_MESSAGE_BYTES,
        compression_type: CompressionType::Producer,
        timestamp_type: TimestampType::CreateTime,
        before_max_ms: i64::MAX,
        after_max_ms: 3_600_000,
        compacted: false,
    }
}

fn any_codec() -> impl Strategy<Value = CompressionType> {
    prop_oneof![
        Just(CompressionType::Uncompressed),
        Just(CompressionType::Gzip { level: -1 }),
        Just(CompressionType::Snappy),
        Just(CompressionType::Lz4 { level: 9 }),
        Just(CompressionType::Zstd { level: 3 }),
    ]
}

fn any_rules() -> impl Strategy<Value = Rules> {
    (
        prop_oneof![Just(CompressionType::Producer), any_codec()],
        any::<bool>(),
        any::<bool>(),
        prop_oneof![4 => Just(Origin::Client), 1 => Just(Origin::Replication), 1 => Just(Origin::Marker)],
    )
        .prop_map(|(compression_type, stamped, compacted, origin)| Rules {
            origin,
            compression_type,
            timestamp_type: if stamped { TimestampType::LogAppendTime } else { TimestampType::CreateTime },
            compacted,
            ..rules()
        })
}

type AnyRecord = (i64, Option<Vec<u8>>, Option<Vec<u8>>);

fn any_records() -> impl Strategy<Value = Vec<AnyRecord>> {
    let bytes = prop::option::of(prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        (1usize..4000).prop_map(|length| vec![b'x'; length]),
    ]);
    prop::collection::vec((-1000i64..1000, bytes.clone(), bytes), 1..30)
}

fn build(records: &[AnyRecord], compression: CompressionType) -> Vec<u8> {
    records
        .iter()
        .fold(BatchBuilder::new().compression(compression), |batch, (timestamp, key, value)| {
            batch.record(NOW + timestamp, key.as_deref(), value.as_deref())
        })
        .build()
}

/// Makes length and CRC fit the bytes again, so that a change is seen by what comes after those two checks.
fn reseal(batch: &mut [u8]) {
    if batch.len() >= HEADER_BYTES {
        let length = (batch.len() - 12) as u32;
        batch[8..12].copy_from_slice(&length.to_be_bytes());
        let crc = crc32c::crc32c(&batch[21..]);
        batch[17..21].copy_from_slice(&crc.to_be_bytes());
    }
}

fn assert_readable(accepted: &Accepted) {
    let written = [&accepted.head[..], &accepted.body[..]].concat();
    assert!(verify_crc(&written));
    assert_eq!(crc32c::crc32c(&written[21..]), accepted.header.crc);
    assert_eq!(Header::read(&written), Some(accepted.header));
    assert_eq!(accepted.header.total_bytes(), written.len());
    assert!(written.len() <= MAX_MESSAGE_BYTES as usize);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 250, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_batch_is_answered_in_little_memory(
        records in any_records(),
        codec in any_codec(),
        rules in any_rules(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in prop::option::weighted(0.3, any::<prop::sample::Index>()),
        more in prop::collection::vec(any::<u8>(), 0..20),
        sealed in prop::bool::weighted(0.9),
    ) {
        let mut batch = build(&records, codec);
        for (at, byte) in &changes {
            let at = at.index(batch.len());
            batch[at] = *byte;
        }
        if let Some(cut) = cut {
            batch.truncate(cut.index(batch.len()));
        }
        batch.extend_from_slice(&more);
        if sealed {
            reseal(&mut batch);
        }
        let batch = Bytes::from(batch);
        let (outcome, peak) = measured(&batch, &rules);
        prop_assert!(peak < 64 * batch.len() + 2 * MAX_MESSAGE_BYTES as usize, "{peak} bytes for {}", batch.len());
        if let Ok(accepted) = outcome {
            assert_readable(&accepted);
            if rules.origin == Origin::Client {
                let written = [&accepted.head[..], &accepted.body[..]].concat();
                let read: Result<Vec<_>, String> = Records::new(&written).expect("a header").collect();
                prop_assert_eq!(read.expect("accepted records can be read").len(), accepted.header.count as usize);
            }
            // Neither does the state of its producer fall over it.
            let mut states = ProducerStates::new();
            let _ = states.check(&accepted.header, &accepted.body, rules.origin, 2);
            let _ = states.apply(&accepted.header, &accepted.body);
        }
    }

    #[test]
    fn a_good_batch_is_accepted_and_keeps_its_records(
        records in any_records(),
        codec in any_codec(),
        target in prop_oneof![Just(CompressionType::Producer), any_codec()],
        stamped in any::<bool>(),
    ) {
        let batch = Bytes::from(build(&records, codec));
        let rules = Rules {
            compression_type: target,
            timestamp_type: if stamped { TimestampType::LogAppendTime } else { TimestampType::CreateTime },
            ..rules()
        };
        let (outcome, _) = measured(&batch, &rules);
        let accepted = outcome.expect("it is good");
        assert_readable(&accepted);
        // Take the encoding away and compare with what the same records are without one.
        let plain_rules = Rules { compression_type: CompressionType::Uncompressed, ..rules.clone() };
        let plain = validate(&Bytes::from(build(&records, CompressionType::Uncompressed)), &plain_rules, NOW)
            .expect("it is good");
        let written = Bytes::from([&accepted.head[..], &accepted.body[..]].concat());
        let copied = Rules { timestamp_type: TimestampType::CreateTime, ..plain_rules };
        let mut unstamped = written.to_vec();
        unstamped[22] &= !8;
        reseal(&mut unstamped);
        let inflated = validate(&Bytes::from(unstamped), &copied, NOW).expect("it is good");
        prop_assert_eq!(inflated.body, plain.body);
        prop_assert_eq!(accepted.log_append_time, if stamped { NOW } else { -1 });
        prop_assert_eq!(accepted.header.max_timestamp, plain.header.max_timestamp);
    }

    #[test]
    fn arbitrary_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), rules in any_rules()) {
        let refused = validate(&Bytes::from(bytes), &rules, NOW);
        prop_assert!(refused.is_err());
    }
}

/// A record that begins a value of `length` bytes, all of one kind, and the record's own length.
fn bomb_head(length: usize) -> Vec<u8> {
    let mut head = BatchBuilder::new().record(NOW, None, None).build();
    head.truncate(HEADER_BYTES);
    let mut fields = vec![0, 0, 0, 1];
    put_varint(&mut fields, length as i64);
    let mut record = Vec::new();
    put_varint(&mut record, (fields.len() + length + 1) as i64);
    record.extend_from_slice(&fields);
    record
}

fn put_varint(to: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        to.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    to.push(rest as u8);
}

/// A batch of one record with `length` zeros, compressed.
fn bomb(codec: CompressionType, length: usize) -> Bytes {
    let mut deflater = Deflater::new(codec, usize::MAX).expect("a codec");
    deflater.write(&bomb_head(length)).expect("memory");
    let zeros = vec![0; 1 << 20];
    let mut left = length;
    while left > 0 {
        let step = left.min(zeros.len());
        deflater.write(&zeros[..step]).expect("memory");
        left -= step;
    }
    deflater.write(&[0]).expect("memory");
    let body = deflater.finish().expect("memory").expect("no limit");
    let mut batch = BatchBuilder::new();
    batch.header.count = 1;
    batch.header.last_offset_delta = 0;
    batch.header.base_timestamp = NOW;
    batch.header.max_timestamp = NOW;
    batch.header.attributes = odradek_engine::batch::codec_bits(codec);
    Bytes::from(batch.raw(&body).build())
}

#[test]
fn a_bomb_below_the_bound_is_walked_in_little_memory() {
    for codec in [
        CompressionType::Gzip { level: 9 },
        CompressionType::Snappy,
        CompressionType::Lz4 { level: 9 },
        CompressionType::Zstd { level: 3 },
    ] {
        let batch = bomb(codec, 4 << 20);
        let (outcome, peak) = measured(&batch, &rules());
        outcome.unwrap_or_else(|refused| panic!("{codec:?}: {refused:?}"));
        assert!(peak < 300_000, "{codec:?} took {peak} bytes");
        // Encoding it anew stops at the limit, too.
        let small = Rules { compression_type: CompressionType::Uncompressed, ..rules() };
        let (outcome, peak) = measured(&batch, &small);
        assert_eq!(outcome.expect_err("it is too large").code, Code::TooLarge);
        assert!(peak < 1_000_000, "{codec:?} took {peak} bytes");
    }
}

#[test]
fn a_block_that_claims_more_than_it_can_hold_takes_no_memory() {
    // A raw snappy block whose length says 1 GiB.
    let mut batch = BatchBuilder::new().record(NOW, None, None);
    batch.header.attributes = 2;
    let mut batch = batch.build();
    batch.truncate(HEADER_BYTES);
    batch.extend_from_slice(&[0x80, 0x80, 0x80, 0x80, 4, 0, b'a', 0]);
    reseal(&mut batch);
    let (outcome, peak) = measured(&Bytes::from(batch), &rules());
    assert_eq!(outcome.expect_err("broken").code, Code::Internal);
    assert!(peak < 10_000, "{peak} bytes");
}

#[test]
fn a_bomb_above_the_bound_is_refused() {
    let codec = CompressionType::Zstd { level: 1 };
    let batch = bomb(codec, (1 << 30) + 1000);
    let (outcome, peak) = measured(&batch, &rules());
    assert_eq!(outcome.expect_err("too much").code, Code::TooLarge);
    assert!(peak < 300_000, "{peak} bytes");
}

#[test]
fn a_transactional_batch_without_a_producer_is_not_encoded_anew() {
    let batch = BatchBuilder::new().attributes(attributes::TRANSACTIONAL).record(NOW, None, None).build();
    let rules = Rules { compression_type: CompressionType::Zstd { level: 3 }, ..rules() };
    assert_eq!(validate(&Bytes::from(batch), &rules, NOW).expect_err("no producer").code, Code::Internal);
}

#[test]
fn a_marker_is_kept_as_it_is() {
    let batch = Bytes::from(marker(4, 7, false, 12, NOW));
    let accepted = validate(&batch, &Rules { origin: Origin::Marker, ..rules() }, NOW).expect("it is good");
    assert_eq!([&accepted.head[..], &accepted.body[..]].concat(), batch);
    assert!(accepted.header.is_control() && accepted.header.is_transactional());
    // A client may not send one.
    assert_eq!(validate(&batch, &rules(), NOW).expect_err("control").code, Code::BadRecord);
}

#[test]
fn a_batch_of_the_broker_itself_is_refused_when_damaged() {
    let good = build(&[(0, None, Some(b"v".to_vec()))], CompressionType::Uncompressed);
    for origin in [Origin::Coordinator, Origin::Raft, Origin::Replication, Origin::Marker] {
        let rules = Rules { origin, ..rules() };
        let mut offset = good.clone();
        offset[..8].copy_from_slice(&77i64.to_be_bytes());
        assert_eq!(validate(&Bytes::from(offset), &rules, NOW).expect("offsets are free").header.base_offset, 77);
        for at in [9, 17, 22, good.len() - 1] {
            let mut damaged = good.clone();
            damaged[at] ^= 1;
            let refused = validate(&Bytes::from(damaged), &rules, NOW).expect_err("damaged");
            assert_eq!(refused.code, Code::Corrupt, "byte {at}");
        }
        let mut old = good.clone();
        old[16] = 1;
        assert_eq!(validate(&Bytes::from(old), &rules, NOW).expect_err("old").code, Code::OldMagic);
        let longer = [&good[..], b"x"].concat();
        assert_eq!(validate(&Bytes::from(longer), &rules, NOW).expect_err("longer").code, Code::Corrupt);
    }
}
