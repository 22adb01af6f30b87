//! Inflates the records of a batch, a window at a time.

use super::{Codec, InflateError, Source, lz4, snappy};
use std::io::{self, Read};

/// Bytes inflated at once where the codec's format doesn't set the size of a block.
const WINDOW_BYTES: usize = 32 * 1024;

enum Decoder<'a> {
    Plain(&'a [u8]),
    Gzip(Box<Gzip<'a>>),
    Snappy(snappy::Reader<'a>),
    Lz4(lz4::Reader<'a>),
    Zstd(Box<zstd::stream::read::Decoder<'static, &'a [u8]>>),
}

/// A stream of inflated bytes, at most `limit` of them (without a codec: the bytes themselves, as one window).
pub struct Inflater<'a> {
    decoder: Decoder<'a>,
    window: Vec<u8>,
    at: usize,
    produced: u64,
    limit: u64,
}

impl<'a> Inflater<'a> {
    pub fn new(codec: Codec, bytes: &'a [u8], limit: u64) -> Result<Inflater<'a>, InflateError> {
        let decoder = match codec {
            Codec::None => Decoder::Plain(bytes),
            // No frame at all is an empty stream, here as in Kafka's reader.
            Codec::Zstd if bytes.is_empty() => Decoder::Plain(bytes),
            Codec::Gzip => Decoder::Gzip(Box::new(Gzip::new(bytes))),
            Codec::Snappy => Decoder::Snappy(snappy::Reader::new(bytes).map_err(InflateError::Broken)?),
            Codec::Lz4 => Decoder::Lz4(lz4::Reader::new(bytes).map_err(InflateError::Broken)?),
            Codec::Zstd => Decoder::Zstd(Box::new(
                zstd::stream::read::Decoder::with_buffer(bytes)
                    .map_err(|error| InflateError::Broken(format!("zstd: {error}")))?,
            )),
        };
        Ok(Inflater { decoder, window: Vec::new(), at: 0, produced: 0, limit })
    }

    /// Fills the window; leaves it empty at the end.
    #[cold]
    fn refill(&mut self) -> Result<(), InflateError> {
        self.at = 0;
        let broken = |error: String| InflateError::Broken(error);
        match &mut self.decoder {
            Decoder::Plain(_) => return Ok(()),
            Decoder::Gzip(reader) => {
                read_window(reader.as_mut(), &mut self.window).map_err(|e| broken(format!("gzip: {e}")))?
            }
            Decoder::Zstd(reader) => {
                read_window(reader.as_mut(), &mut self.window).map_err(|e| broken(format!("zstd: {e}")))?;
            }
            Decoder::Snappy(reader) => reader.next_block(&mut self.window).map_err(broken)?,
            Decoder::Lz4(reader) => reader.next_block(&mut self.window).map_err(broken)?,
        }
        self.produced += self.window.len() as u64;
        if self.produced > self.limit {
            return Err(InflateError::TooMuch(self.limit));
        }
        Ok(())
    }
}

impl Source for Inflater<'_> {
    #[inline]
    fn window(&mut self) -> Result<&[u8], InflateError> {
        if let Decoder::Plain(bytes) = self.decoder {
            return Ok(bytes);
        }
        if self.at == self.window.len() {
            self.refill()?;
        }
        Ok(&self.window[self.at..])
    }

    #[inline]
    fn consume(&mut self, count: usize) {
        match &mut self.decoder {
            Decoder::Plain(bytes) => *bytes = &bytes[count..],
            _ => self.at += count,
        }
    }
}

/// Fills the window as far as the stream goes, so that a stream that ends in an error says so before its records are
/// looked at.
fn read_window(reader: &mut dyn Read, window: &mut Vec<u8>) -> io::Result<()> {
    window.resize(WINDOW_BYTES, 0);
    let mut filled = 0;
    while filled < WINDOW_BYTES {
        match reader.read(&mut window[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                window.clear();
                return Err(error);
            }
        }
    }
    window.truncate(filled);
    Ok(())
}

/// Gzip members one after another. Bytes after a member that are no further member are passed over, as Java's
/// GZIPInputStream does.
struct Gzip<'a> {
    member: Option<flate2::bufread::GzDecoder<&'a [u8]>>,
    first: bool,
}

impl<'a> Gzip<'a> {
    fn new(bytes: &'a [u8]) -> Gzip<'a> {
        Gzip { member: Some(flate2::bufread::GzDecoder::new(bytes)), first: true }
    }
}

impl Read for Gzip<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while let Some(mut member) = self.member.take() {
            match member.read(to) {
                Ok(0) => {
                    let rest = member.into_inner();
                    if !rest.is_empty() {
                        self.first = false;
                        self.member = Some(flate2::bufread::GzDecoder::new(rest));
                    }
                }
                Ok(count) => {
                    self.member = Some(member);
                    return Ok(count);
                }
                Err(_) if !self.first && member.header().is_none() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(0)
    }
}
