//! LZ4 frames with independent blocks, the part of the format that Kafka uses: what is read is what its Java reader
//! reads (content size and content checksum are passed over, linked blocks are refused), what is written is 64 KB
//! blocks without checksums.

use twox_hash::XxHash32;

const MAGIC: u32 = 0x184D_2204;
const FLAG_CONTENT_CHECKSUM: u8 = 1 << 2;
const FLAG_CONTENT_SIZE: u8 = 1 << 3;
const FLAG_BLOCK_CHECKSUM: u8 = 1 << 4;
const FLAG_INDEPENDENT: u8 = 1 << 5;
const VERSION: u8 = 1 << 6;
/// Bit of a block's size: the block is stored as it is.
const STORED: u32 = 1 << 31;
/// Descriptor of 64 KB blocks.
const BLOCK_64_KB: u8 = 4 << 4;
const BLOCK_BYTES: usize = 64 * 1024;
/// A block can't inflate to more than this many times its size (and a few bytes).
const MAX_RATIO: usize = 255;

pub struct Reader<'a> {
    rest: &'a [u8],
    flags: u8,
    max_block_bytes: usize,
    ended: bool,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Result<Reader<'a>, String> {
        if bytes.len() < 7 {
            return Err("lz4: the frame's header is cut short".to_owned());
        }
        if le_u32(bytes) != MAGIC {
            return Err("lz4: the frame doesn't begin with its magic number".to_owned());
        }
        let (flags, block) = (bytes[4], bytes[5]);
        if flags & 0xc0 != VERSION || flags & 0x03 != 0 {
            return Err(format!("lz4: frame flags {flags:#04x} are not of version 1"));
        }
        if flags & FLAG_INDEPENDENT == 0 {
            return Err("lz4: linked blocks are not supported".to_owned());
        }
        let size_class = (block >> 4) & 7;
        if block & 0x8f != 0 || size_class < 4 {
            return Err(format!("lz4: block descriptor {block:#04x} names no size"));
        }
        let descriptor_end = if flags & FLAG_CONTENT_SIZE != 0 { 14 } else { 6 };
        let checksum = *bytes.get(descriptor_end).ok_or("lz4: the frame's header is cut short")?;
        if checksum != descriptor_checksum(&bytes[4..descriptor_end]) {
            return Err("lz4: the checksum of the frame's header is wrong".to_owned());
        }
        Ok(Reader {
            rest: &bytes[descriptor_end + 1..],
            flags,
            max_block_bytes: 1 << (2 * size_class + 8),
            ended: false,
        })
    }

    /// The next block with anything in it, or nothing at the end mark. Bytes after the end mark are passed over.
    pub fn next_block(&mut self, to: &mut Vec<u8>) -> Result<(), String> {
        to.clear();
        while to.is_empty() && !self.ended {
            let head = le_u32(self.take(4)?);
            let size = (head & !STORED) as usize;
            if size == 0 {
                self.ended = true;
                if self.flags & FLAG_CONTENT_CHECKSUM != 0 {
                    self.take(4)?;
                }
                return Ok(());
            }
            if size > self.max_block_bytes {
                return Err(format!("lz4: a block of {size} bytes in a frame of {}-byte blocks", self.max_block_bytes));
            }
            let block = self.take(size)?;
            if head & STORED != 0 {
                to.extend_from_slice(block);
            } else {
                to.resize(self.max_block_bytes.min(size * MAX_RATIO + 64), 0);
                let count = lz4_flex::block::decompress_into(block, to).map_err(|error| format!("lz4: {error}"))?;
                to.truncate(count);
            }
            if self.flags & FLAG_BLOCK_CHECKSUM != 0 && le_u32(self.take(4)?) != XxHash32::oneshot(0, block) {
                return Err("lz4: the checksum of a block is wrong".to_owned());
            }
        }
        Ok(())
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or("lz4: the frame is cut short")?;
        self.rest = rest;
        Ok(taken)
    }
}

fn le_u32(bytes: &[u8]) -> u32 {
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

fn descriptor_checksum(descriptor: &[u8]) -> u8 {
    (XxHash32::oneshot(0, descriptor) >> 8) as u8
}

/// Collects bytes and writes them block by block.
pub struct Writer {
    pending: Vec<u8>,
    block: Vec<u8>,
}

impl Writer {
    pub fn new(out: &mut impl FnMut(&[u8])) -> Writer {
        let descriptor = [VERSION | FLAG_INDEPENDENT, BLOCK_64_KB];
        out(&MAGIC.to_le_bytes());
        out(&descriptor);
        out(&[descriptor_checksum(&descriptor)]);
        Writer { pending: Vec::with_capacity(BLOCK_BYTES), block: Vec::new() }
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

    /// Writes the last block and the end mark.
    pub fn finish(&mut self, out: &mut impl FnMut(&[u8])) -> Result<(), String> {
        self.flush(out)?;
        out(&[0; 4]);
        Ok(())
    }

    fn flush(&mut self, out: &mut impl FnMut(&[u8])) -> Result<(), String> {
        if self.pending.is_empty() {
            return Ok(());
        }
        self.block.resize(lz4_flex::block::get_maximum_output_size(self.pending.len()), 0);
        let count = lz4_flex::block::compress_into(&self.pending, &mut self.block).map_err(|e| format!("lz4: {e}"))?;
        if count >= self.pending.len() {
            out(&(self.pending.len() as u32 | STORED).to_le_bytes());
            out(&self.pending);
        } else {
            out(&(count as u32).to_le_bytes());
            out(&self.block[..count]);
        }
        self.pending.clear();
        Ok(())
    }
}
