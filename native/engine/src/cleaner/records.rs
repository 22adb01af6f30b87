//! The records of one batch on their way past: what a pass asks of each is the digest of its key
//! and whether it has a value.
//!
//! Invariant: records pass through a window, inflated only there; none is ever whole in memory.

use super::batches::body;
use super::md5::Md5;
use super::offset_map::Digest;
use crate::batch::{Header, INFLATED_MAX_BYTES, Tee, Walk, WalkError, get_varint};
use crate::codec::{Codec, Inflater};

/// A record as a pass sees it.
pub struct Met {
    pub offset_delta: i32,
    pub key: Option<Digest>,
    pub has_value: bool,
}

/// Shows the records of a batch with the digests of their keys.
pub fn each_record(header: &Header, batch: &[u8], mut each: impl FnMut(Met)) -> Result<(), String> {
    pass(header, batch, &mut KeyTee::default(), |tee, offset_delta| each(tee.met(offset_delta)))
}

/// Walks over the records of a batch; `each` gets the offset delta of the one that the tee has just seen.
pub fn pass<T: Tee>(
    header: &Header,
    batch: &[u8],
    tee: &mut T,
    mut each: impl FnMut(&mut T, i32),
) -> Result<(), String> {
    if header.count <= 0 {
        return Ok(());
    }
    let codec = Codec::from_id(header.codec()).ok_or_else(|| format!("codec {} is not known", header.codec()))?;
    let source = Inflater::new(codec, body(batch), INFLATED_MAX_BYTES).map_err(|error| error.to_string())?;
    let mut walk = Walk::new(source, header.count as u32);
    loop {
        match walk.next(tee) {
            Ok(Some(record)) => each(tee, record.offset_delta),
            Ok(None) => return Ok(()),
            Err(WalkError::Inflate(error)) => return Err(error.to_string()),
            Err(WalkError::Shape(text)) => return Err(text),
        }
    }
}

/// Which part of a record's bytes comes next.
#[derive(Clone, Copy)]
enum Part {
    KeyLength,
    Key(usize),
    ValueLength,
    Rest,
}

/// Digests the key as it passes, and notes whether there is a value.
struct KeyTee {
    part: Part,
    md5: Md5,
    has_key: bool,
    has_value: bool,
}

impl Default for KeyTee {
    fn default() -> Self {
        KeyTee { part: Part::KeyLength, md5: Md5::new(), has_key: false, has_value: false }
    }
}

impl Tee for KeyTee {
    fn head(&mut self, _offset_delta: i32, _timestamp_delta: i64, _rest: usize) -> Result<(), String> {
        *self = KeyTee::default();
        Ok(())
    }

    // A length comes in one piece, and nothing else in the same one.
    fn rest(&mut self, bytes: &[u8]) -> Result<(), String> {
        let length = || get_varint(&mut &bytes[..]).ok_or("a length of a record is no varint".to_string());
        match self.part {
            Part::KeyLength => {
                let length = length()?;
                self.has_key = length >= 0;
                self.part = if length > 0 { Part::Key(length as usize) } else { Part::ValueLength };
            }
            Part::Key(left) => {
                self.md5.update(bytes);
                self.part = if left > bytes.len() { Part::Key(left - bytes.len()) } else { Part::ValueLength };
            }
            Part::ValueLength => {
                self.has_value = length()? >= 0;
                self.part = Part::Rest;
            }
            Part::Rest => {}
        }
        Ok(())
    }
}

impl KeyTee {
    /// What was seen of the record that the walk has just passed.
    fn met(&mut self, offset_delta: i32) -> Met {
        let md5 = std::mem::replace(&mut self.md5, Md5::new());
        Met { offset_delta, key: self.has_key.then(|| md5.finish()), has_value: self.has_value }
    }
}
