//! Headers, checksums, codecs and look-ups by record, against plain models of them.

use odradek_engine::batch::{
    BatchBuilder, HEADER_BYTES, Header, Records, add_sequence, crc_of_parts, patch, verify_crc,
};
use odradek_engine::codec::{Codec, Deflater, InflateError, Inflater, Source};
use odradek_engine::config::CompressionType;
use proptest::prelude::*;

const CODECS: [(Codec, CompressionType); 5] = [
    (Codec::None, CompressionType::Uncompressed),
    (Codec::Gzip, CompressionType::Gzip { level: -1 }),
    (Codec::Snappy, CompressionType::Snappy),
    (Codec::Lz4, CompressionType::Lz4 { level: 9 }),
    (Codec::Zstd, CompressionType::Zstd { level: 3 }),
];

fn inflate(codec: Codec, bytes: &[u8], limit: u64) -> Result<Vec<u8>, InflateError> {
    let mut inflater = Inflater::new(codec, bytes, limit)?;
    let mut all = Vec::new();
    loop {
        let window = inflater.window()?;
        if window.is_empty() {
            return Ok(all);
        }
        // Not all of it at once, so that windows are left half read.
        let step = window.len().div_ceil(2);
        all.extend_from_slice(&window[..step]);
        inflater.consume(step);
    }
}

fn deflate(target: CompressionType, pieces: &[Vec<u8>], limit: usize) -> Option<Vec<u8>> {
    let mut deflater = Deflater::new(target, limit).expect("a codec");
    for piece in pieces {
        deflater.write(piece).expect("memory");
    }
    deflater.finish().expect("memory")
}

fn any_piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300),
        (any::<u8>(), 0usize..100_000).prop_map(|(byte, length)| vec![byte; length]),
        (any::<u8>(), 0usize..70_000)
            .prop_map(|(seed, length)| (0..length).map(|at| (at * at / 7) as u8 ^ seed).collect()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn what_is_deflated_inflates_to_the_same(pieces in prop::collection::vec(any_piece(), 0..5)) {
        let all = pieces.concat();
        for (codec, target) in CODECS {
            let packed = deflate(target, &pieces, usize::MAX).expect("no limit");
            prop_assert_eq!(inflate(codec, &packed, u64::MAX).expect("it inflates"), all.clone(), "{}", codec);
            // The limits: on what comes out of the encoder, and on what comes out of the decoder.
            prop_assert_eq!(deflate(target, &pieces, packed.len()), Some(packed.clone()));
            let refused = deflate(target, &pieces, packed.len().saturating_sub(1)).is_none();
            prop_assert_eq!(refused, !packed.is_empty());
            if codec != Codec::None && all.len() > 1 {
                let limit = all.len() as u64 - 1;
                prop_assert_eq!(inflate(codec, &packed, limit), Err(InflateError::TooMuch(limit)));
            }
        }
    }

    #[test]
    fn a_stream_that_was_changed_never_panics(
        pieces in prop::collection::vec(any_piece(), 1..3),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        for (codec, target) in CODECS {
            let mut packed = deflate(target, &pieces, usize::MAX).expect("no limit");
            if packed.is_empty() {
                continue;
            }
            let at = at.index(packed.len());
            packed[at] = byte;
            let _ = inflate(codec, &packed, 1 << 20);
            let _ = inflate(codec, &packed[..at], 1 << 20);
        }
    }

    #[test]
    fn a_header_is_written_as_it_is_read(bytes in prop::array::uniform32(any::<u8>()), more in prop::array::uniform29(any::<u8>())) {
        let head = [&bytes[..], &more[..]].concat();
        let header = Header::read(&head).expect("61 bytes");
        let mut written = [0; HEADER_BYTES];
        header.write(&mut written);
        prop_assert_eq!(&written[..], &head[..]);
        prop_assert_eq!(Header::read(&head[..60]), None);
        let mut patched = written;
        patch(&mut patched, 77, 5);
        prop_assert_eq!(Header::read(&patched), Some(Header { base_offset: 77, leader_epoch: 5, ..header }));
        prop_assert_eq!(crc_of_parts(&patched, b"body"), crc_of_parts(&written, b"body"));
        // Whatever stands there, asking is safe.
        let _ = (header.total_bytes(), header.last_offset(), header.next_offset(), header.last_sequence());
    }

    #[test]
    fn the_checksum_is_crc_32c(body in prop::collection::vec(any::<u8>(), 0..2000)) {
        let mut batch = BatchBuilder::new().raw(&body).build();
        let crc = crc32c::crc32c(&batch[21..]);
        prop_assert_eq!(&batch[17..21], &crc.to_be_bytes()[..]);
        prop_assert!(verify_crc(&batch));
        let last = batch.len() - 1;
        batch[last] ^= 1;
        prop_assert!(!verify_crc(&batch));
    }

    #[test]
    fn records_are_found_in_every_codec(
        deltas in prop::collection::vec((-5000i64..5000, 0usize..50_000), 1..20),
        base in 0i64..1 << 40,
    ) {
        for (_, target) in CODECS {
            let mut batch = deltas
                .iter()
                .fold(BatchBuilder::new().compression(target), |batch, (delta, size)| {
                    batch.record(1_700_000_000_000 + delta, None, Some(&vec![b'v'; *size]))
                })
                .build();
            batch[..8].copy_from_slice(&base.to_be_bytes());
            let found: Vec<(i64, i64)> = Records::new(&batch)
                .expect("a header")
                .map(|record| record.map(|record| (record.offset, record.timestamp)).expect("a record"))
                .collect();
            let expected: Vec<(i64, i64)> = deltas
                .iter()
                .enumerate()
                .map(|(index, (delta, _))| (base + index as i64, 1_700_000_000_000 + delta))
                .collect();
            prop_assert_eq!(found, expected);
        }
    }
}

#[test]
fn a_walk_ends_with_one_error_when_a_record_cannot_be_read() {
    let good = BatchBuilder::new().record(5, None, None).record(6, None, None);
    let mut batch = good.clone().build();
    batch.truncate(batch.len() - 1);
    let walked: Vec<_> = Records::new(&batch).expect("a header").collect();
    assert_eq!(walked.len(), 2);
    assert!(walked[0].is_ok() && walked[1].is_err());

    let mut unknown = good.build();
    unknown[22] |= 7;
    let walked: Vec<_> = Records::new(&unknown).expect("a header").collect();
    assert_eq!(walked, [Err("codec 7 is not known".to_owned())]);
    assert!(Records::new(&unknown[..HEADER_BYTES - 1]).is_none());
}

#[test]
fn sequences_wrap_to_zero() {
    assert_eq!(add_sequence(i32::MAX, 1), 0);
    assert_eq!(add_sequence(i32::MAX - 1, 4), 2);
    assert_eq!(add_sequence(2, -4), i32::MAX - 1);
    assert_eq!(add_sequence(-1, 1), 0);
    let header =
        Header::read(&BatchBuilder::new().producer(1, 0, i32::MAX).record(0, None, None).record(0, None, None).build())
            .expect("a header");
    assert_eq!(header.last_sequence(), 0);
}
