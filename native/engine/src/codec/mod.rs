//! The compression codecs of record batches: gzip, snappy (xerial framing), lz4 frames, zstd.
//!
//! Invariants: inflating streams through a window whose size doesn't come from the data, and stops at a bound on the
//! bytes it has produced; no length in the data leads to an allocation that the bytes behind it can't fill.
//! What is written here is what Kafka's Java client, librdkafka and kafkajs read; what they write is read here.

mod deflate;
mod inflate;
mod lz4;
mod snappy;

pub use deflate::Deflater;
pub use inflate::Inflater;

use std::fmt;

/// A codec as bits 0-2 of a batch's attributes name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Codec {
    None = 0,
    Gzip = 1,
    Snappy = 2,
    Lz4 = 3,
    Zstd = 4,
}

impl Codec {
    pub fn from_id(id: u8) -> Option<Codec> {
        match id {
            0 => Some(Codec::None),
            1 => Some(Codec::Gzip),
            2 => Some(Codec::Snappy),
            3 => Some(Codec::Lz4),
            4 => Some(Codec::Zstd),
            _ => None,
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Codec::None => "none",
            Codec::Gzip => "gzip",
            Codec::Snappy => "snappy",
            Codec::Lz4 => "lz4",
            Codec::Zstd => "zstd",
        })
    }
}

/// Why inflating stopped before the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InflateError {
    /// The compressed bytes are not what the codec writes.
    Broken(String),
    /// More came out than the bound allows.
    TooMuch(u64),
}

impl fmt::Display for InflateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InflateError::Broken(text) => f.write_str(text),
            InflateError::TooMuch(limit) => {
                write!(f, "the records inflate to more than {limit} bytes")
            }
        }
    }
}

/// Bytes that come a window at a time.
pub trait Source {
    /// The bytes at hand; empty only at the end.
    fn window(&mut self) -> Result<&[u8], InflateError>;
    /// Steps over `count` bytes of the window.
    fn consume(&mut self, count: usize);
}

impl Source for &[u8] {
    #[inline]
    fn window(&mut self) -> Result<&[u8], InflateError> {
        Ok(self)
    }

    #[inline]
    fn consume(&mut self, count: usize) {
        *self = &self[count..];
    }
}
