//! Encodes the records of a batch anew, into at most a given number of bytes.

use super::{lz4, snappy};
use crate::config::CompressionType;
use std::io::{self, Write};

/// Bytes that came out of the encoder. Past the limit they are counted and dropped: a batch that grows too large is
/// refused only after all its records have been looked at.
struct Bounded {
    bytes: Vec<u8>,
    limit: usize,
    overflown: bool,
}

impl Bounded {
    fn push(&mut self, bytes: &[u8]) {
        if self.overflown || self.bytes.len() + bytes.len() > self.limit {
            self.overflown = true;
        } else {
            self.bytes.extend_from_slice(bytes);
        }
    }
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.push(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

enum Encoder {
    Plain(Bounded),
    Gzip(Box<flate2::write::GzEncoder<Bounded>>),
    Snappy(Box<snappy::Writer>, Bounded),
    Lz4(Box<lz4::Writer>, Bounded),
    Zstd(Box<Zstd>),
}

/// Bytes that wait until it is known whether they are all.
const HELD_BYTES: usize = 4 << 20;

/// zstd sizes its tables by the bytes that come. Told nothing, the higher levels take and clear hundreds of megabytes
/// for a record of a hundred bytes: close to a second of the lane, which all logs share.
enum Zstd {
    Held {
        level: i32,
        bytes: Vec<u8>,
        sink: Bounded,
    },
    Streamed(zstd::stream::write::Encoder<'static, Bounded>),
    /// While the one becomes the other, and after a failure.
    Gone,
}

impl Zstd {
    fn write(&mut self, more: &[u8]) -> io::Result<()> {
        match self {
            Zstd::Held { bytes, .. } if bytes.len() + more.len() <= HELD_BYTES => bytes.extend_from_slice(more),
            Zstd::Held { .. } => {
                let mut encoder = std::mem::replace(self, Zstd::Gone).encoder(false)?;
                encoder.write_all(more)?;
                *self = Zstd::Streamed(encoder);
            }
            Zstd::Streamed(encoder) => encoder.write_all(more)?,
            Zstd::Gone => return Err(io::ErrorKind::BrokenPipe.into()),
        }
        Ok(())
    }

    /// `whole`: what is held is all that comes.
    fn encoder(self, whole: bool) -> io::Result<zstd::stream::write::Encoder<'static, Bounded>> {
        match self {
            Zstd::Held { level, bytes, sink } => {
                let mut encoder = zstd::stream::write::Encoder::new(sink, level)?;
                if whole {
                    encoder.set_pledged_src_size(Some(bytes.len() as u64))?;
                }
                encoder.write_all(&bytes)?;
                Ok(encoder)
            }
            Zstd::Streamed(encoder) => Ok(encoder),
            Zstd::Gone => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

/// Writes bytes through a codec.
pub struct Deflater {
    encoder: Encoder,
}

impl Deflater {
    /// `target`: a codec, not `Producer` (which is taken as no compression).
    pub fn new(target: CompressionType, limit: usize) -> Result<Deflater, String> {
        let mut sink = Bounded { bytes: Vec::new(), limit, overflown: false };
        let encoder = match target {
            CompressionType::Producer | CompressionType::Uncompressed => Encoder::Plain(sink),
            CompressionType::Gzip { level } => {
                let level = u32::try_from(level).map_or(flate2::Compression::default(), flate2::Compression::new);
                Encoder::Gzip(Box::new(flate2::write::GzEncoder::new(sink, level)))
            }
            CompressionType::Snappy => {
                let writer = snappy::Writer::new(&mut |bytes| sink.push(bytes));
                Encoder::Snappy(Box::new(writer), sink)
            }
            // lz4_flex has one speed; the level would change the size alone.
            CompressionType::Lz4 { level: _ } => {
                let writer = lz4::Writer::new(&mut |bytes| sink.push(bytes));
                Encoder::Lz4(Box::new(writer), sink)
            }
            CompressionType::Zstd { level } => Encoder::Zstd(Box::new(Zstd::Held { level, bytes: Vec::new(), sink })),
        };
        Ok(Deflater { encoder })
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        match &mut self.encoder {
            Encoder::Plain(sink) => {
                sink.push(bytes);
                Ok(())
            }
            Encoder::Gzip(encoder) => encoder.write_all(bytes).map_err(|error| format!("gzip: {error}")),
            Encoder::Snappy(writer, sink) => writer.write(bytes, &mut |out| sink.push(out)),
            Encoder::Lz4(writer, sink) => writer.write(bytes, &mut |out| sink.push(out)),
            Encoder::Zstd(zstd) => zstd.write(bytes).map_err(|error| format!("zstd: {error}")),
        }
    }

    /// What was written, or None if it is larger than the limit.
    pub fn finish(self) -> Result<Option<Vec<u8>>, String> {
        let sink = match self.encoder {
            Encoder::Plain(sink) => sink,
            Encoder::Gzip(encoder) => encoder.finish().map_err(|error| format!("gzip: {error}"))?,
            Encoder::Snappy(mut writer, mut sink) => {
                writer.flush(&mut |out| sink.push(out))?;
                sink
            }
            Encoder::Lz4(mut writer, mut sink) => {
                writer.finish(&mut |out| sink.push(out))?;
                sink
            }
            Encoder::Zstd(zstd) => zstd
                .encoder(true)
                .and_then(zstd::stream::write::Encoder::finish)
                .map_err(|error| format!("zstd: {error}"))?,
        };
        Ok(if sink.overflown { None } else { Some(sink.bytes) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(parts: &[&[u8]]) -> Vec<u8> {
        let mut deflater = Deflater::new(CompressionType::Zstd { level: 1 }, usize::MAX).unwrap();
        parts.iter().for_each(|part| deflater.write(part).unwrap());
        deflater.finish().unwrap().unwrap()
    }

    #[test]
    fn zstd_is_told_how_much_comes_unless_that_is_a_lot() {
        let large = vec![b'x'; HELD_BYTES];
        for (parts, told) in [
            (vec![], Some(0)),
            (vec![&b"ab"[..], b"c"], Some(3)),
            (vec![&large[..]], Some(HELD_BYTES as u64)),
            (vec![&large[..], b"y"], None),
        ] {
            let bytes = encoded(&parts);
            assert_eq!(zstd::zstd_safe::get_frame_content_size(&bytes).unwrap(), told);
            assert!(zstd::stream::decode_all(&bytes[..]).unwrap() == parts.concat());
        }
    }
}
