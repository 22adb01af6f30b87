//! Snappy as Java's SnappyOutputStream frames it: a 16-byte stream header, then blocks, each after its compressed
//! length in four big-endian bytes. A body without that header is one raw snappy block, as some clients write it.

const MAGIC: [u8; 8] = [0x82, b'S', b'N', b'A', b'P', b'P', b'Y', 0];
const HEADER_BYTES: usize = 16;
/// The stream version that is written, as its own and as the oldest compatible one. Readers don't look at it.
const VERSION: u32 = 1;
/// Inflated bytes in a block that is written.
const BLOCK_BYTES: usize = 32 * 1024;
/// No snappy element gives more than 64 bytes for 3.
const MAX_RATIO: usize = 22;

enum Form {
    Raw,
    Blocks,
    Ended,
}

pub struct Reader<'a> {
    rest: &'a [u8],
    form: Form,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Result<Reader<'a>, String> {
        if bytes.is_empty() {
            return Err("snappy: the stream is empty".to_owned());
        }
        if bytes.len() < HEADER_BYTES || bytes[..8] != MAGIC {
            return Ok(Reader { rest: bytes, form: Form::Raw });
        }
        Ok(Reader { rest: &bytes[HEADER_BYTES..], form: Form::Blocks })
    }

    /// The next block with anything in it, or nothing at the end.
    pub fn next_block(&mut self, to: &mut Vec<u8>) -> Result<(), String> {
        to.clear();
        while to.is_empty() {
            let block = match self.form {
                Form::Ended => return Ok(()),
                Form::Raw => {
                    self.form = Form::Ended;
                    self.rest
                }
                Form::Blocks => match self.next_compressed()? {
                    Some(block) => block,
                    None => {
                        self.form = Form::Ended;
                        return Ok(());
                    }
                },
            };
            inflate_block(block, to)?;
        }
        Ok(())
    }

    fn next_compressed(&mut self) -> Result<Option<&'a [u8]>, String> {
        loop {
            if self.rest.len() < 4 {
                return Ok(None);
            }
            let size = be_u32(self.rest);
            if size == be_u32(&MAGIC) {
                // Streams one after another.
                if self.rest.len() < HEADER_BYTES || self.rest[..8] != MAGIC {
                    return Err("snappy: a further stream header is cut short".to_owned());
                }
                self.rest = &self.rest[HEADER_BYTES..];
                continue;
            }
            let size = size as usize;
            let block = self.rest.get(4..4usize.saturating_add(size)).ok_or_else(|| {
                format!("snappy: a block of {size} bytes, of which {} are there", self.rest.len() - 4)
            })?;
            self.rest = &self.rest[4 + size..];
            return Ok(Some(block));
        }
    }
}

fn inflate_block(block: &[u8], to: &mut Vec<u8>) -> Result<(), String> {
    let length = snap::raw::decompress_len(block).map_err(|error| format!("snappy: {error}"))?;
    if length > block.len().saturating_mul(MAX_RATIO) {
        return Err(format!("snappy: a block of {} bytes claims to hold {length}", block.len()));
    }
    to.resize(length, 0);
    snap::raw::Decoder::new().decompress(block, to).map_err(|error| format!("snappy: {error}"))?;
    Ok(())
}

fn be_u32(bytes: &[u8]) -> u32 {
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

/// Collects bytes and writes them block by block.
pub struct Writer {
    encoder: snap::raw::Encoder,
    pending: Vec<u8>,
    block: Vec<u8>,
}

impl Writer {
    pub fn new(out: &mut impl FnMut(&[u8])) -> Writer {
        out(&MAGIC);
        out(&VERSION.to_be_bytes());
        out(&VERSION.to_be_bytes());
        Writer { encoder: snap::raw::Encoder::new(), pending: Vec::with_capacity(BLOCK_BYTES), block: Vec::new() }
    }

    pub fn write(&mut self, mut bytes: &[u8], out: &mut impl FnMut(&[u8])) -> Result<(), String> {
        while !bytes.is_empty() {
            let count = bytes.len().min(BLOCK_BYTES - self.pending.len());
            self.pending.extend_from_slice(&bytes[..count]);
            bytes = &bytes[count..];
            if self.pending.len() == BLOCK_BYTES {
                self.flush(out)?;
            }
        }
        Ok(())
    }

    pub fn flush(&mut self, out: &mut impl FnMut(&[u8])) -> Result<(), String> {
        if self.pending.is_empty() {
            return Ok(());
        }
        self.block.resize(snap::raw::max_compress_len(self.pending.len()), 0);
        let count = self.encoder.compress(&self.pending, &mut self.block).map_err(|e| format!("snappy: {e}"))?;
        out(&(count as u32).to_be_bytes());
        out(&self.block[..count]);
        self.pending.clear();
        Ok(())
    }
}
