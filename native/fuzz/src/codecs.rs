//! The codecs of record batches: input as something to inflate, and as something to deflate and inflate again.

use odradek_engine::codec::{Codec, Deflater, InflateError, Inflater, Source};
use odradek_engine::config::CompressionType;

const LIMIT: u64 = 1 << 20;

pub fn gzip(input: &[u8]) {
    both_ways(Codec::Gzip, CompressionType::Gzip { level: level(input, 10) - 1 }, input);
}

pub fn snappy(input: &[u8]) {
    both_ways(Codec::Snappy, CompressionType::Snappy, input);
}

pub fn lz4(input: &[u8]) {
    both_ways(Codec::Lz4, CompressionType::Lz4 { level: 9 }, input);
}

pub fn zstd(input: &[u8]) {
    both_ways(Codec::Zstd, CompressionType::Zstd { level: level(input, 6) - 2 }, input);
}

fn level(input: &[u8], levels: u8) -> i32 {
    i32::from(input.first().unwrap_or(&0) % levels)
}

fn both_ways(codec: Codec, compression: CompressionType, input: &[u8]) {
    if let Ok(content) = inflate(codec, input, LIMIT) {
        assert!(content.len() as u64 <= LIMIT);
        // What was found is found again after another encoder.
        assert_eq!(inflate(codec, &deflate(compression, &content), LIMIT), Ok(content));
    }
    let deflated = deflate(compression, input);
    assert_eq!(inflate(codec, &deflated, input.len() as u64).as_deref(), Ok(input));
    if let Some(below) = (input.len() as u64).checked_sub(1) {
        assert_eq!(inflate(codec, &deflated, below), Err(InflateError::TooMuch(below)));
    }
    let tight = encode(compression, input, deflated.len());
    assert_eq!(tight.as_ref(), Some(&deflated));
    if let Some(below) = deflated.len().checked_sub(1) {
        assert_eq!(encode(compression, input, below), None);
    }
}

fn deflate(compression: CompressionType, content: &[u8]) -> Vec<u8> {
    encode(compression, content, usize::MAX).expect("there is no limit")
}

fn encode(compression: CompressionType, content: &[u8], limit: usize) -> Option<Vec<u8>> {
    let mut deflater = Deflater::new(compression, limit).expect("a codec");
    // In two parts, since records come one by one.
    let (front, back) = content.split_at(content.len() / 3);
    deflater.write(front).expect("memory");
    deflater.write(back).expect("memory");
    deflater.finish().expect("memory")
}

fn inflate(codec: Codec, bytes: &[u8], limit: u64) -> Result<Vec<u8>, InflateError> {
    let mut inflater = Inflater::new(codec, bytes, limit)?;
    let mut content = Vec::new();
    loop {
        let window = inflater.window()?;
        if window.is_empty() {
            assert!(inflater.window()?.is_empty(), "bytes after the end");
            return Ok(content);
        }
        content.extend_from_slice(window);
        assert!(content.len() as u64 <= limit, "more than the limit");
        let length = window.len();
        inflater.consume(length);
    }
}

fn contents() -> Vec<Vec<u8>> {
    let mixed = (0..3000u32).map(|n| ((n * n) >> 5) as u8).collect();
    vec![Vec::new(), b"a".to_vec(), b"the same again, the same again".to_vec(), vec![0; 70_000], mixed]
}

fn seeds(compression: CompressionType) -> Vec<Vec<u8>> {
    let packed: Vec<_> = contents().iter().map(|content| deflate(compression, content)).collect();
    let twice = [&packed[1][..], &packed[2]].concat();
    [contents(), packed, vec![twice]].concat()
}

pub fn gzip_seeds() -> Vec<Vec<u8>> {
    seeds(CompressionType::Gzip { level: 6 })
}

pub fn snappy_seeds() -> Vec<Vec<u8>> {
    let mut seeds = seeds(CompressionType::Snappy);
    // A raw block: its length, a literal of two bytes, a copy of them.
    seeds.push(vec![6, 4, b'a', b'b', 1, 2]);
    seeds
}

pub fn lz4_seeds() -> Vec<Vec<u8>> {
    seeds(CompressionType::Lz4 { level: 9 })
}

pub fn zstd_seeds() -> Vec<Vec<u8>> {
    seeds(CompressionType::Zstd { level: 3 })
}
