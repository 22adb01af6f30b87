//! Reads the record of a control batch: the one place where keys and values are looked at.

use super::Header;
use super::walk::{Tee, Walk, WalkError, get_varint};
use crate::codec::{Codec, Inflater};

/// Control records of every kind are a few bytes; more than this is none.
const MAX_BYTES: usize = 64 * 1024;

/// Keeps a record's bytes from the key's length on.
struct Keep(Vec<u8>);

impl Tee for Keep {
    fn head(&mut self, _offset_delta: i32, _timestamp_delta: i64, _rest: usize) -> Result<(), String> {
        Ok(())
    }

    fn rest(&mut self, bytes: &[u8]) -> Result<(), String> {
        if self.0.len() + bytes.len() > MAX_BYTES {
            return Err(format!("a control record of more than {MAX_BYTES} bytes"));
        }
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

/// Timestamp delta, key and value of a batch's first record. `body`: the batch without its header.
pub fn control_record(header: &Header, body: &[u8]) -> Result<(i64, Vec<u8>, Vec<u8>), String> {
    let codec = Codec::from_id(header.codec()).ok_or_else(|| format!("codec {} is not known", header.codec()))?;
    let source = Inflater::new(codec, body, MAX_BYTES as u64).map_err(|error| error.to_string())?;
    let mut kept = Keep(Vec::new());
    // More records than one are promised, so that the walk doesn't ask for the end after the first.
    let record = match Walk::new(source, u32::MAX).next(&mut kept) {
        Ok(Some(record)) => record,
        Ok(None) => return Err("a control batch without a record".to_owned()),
        Err(WalkError::Inflate(error)) => return Err(error.to_string()),
        Err(WalkError::Shape(text)) => return Err(text),
    };
    let mut rest = &kept.0[..];
    let key = take(&mut rest).unwrap_or_default();
    let value = take(&mut rest).unwrap_or_default();
    Ok((record.timestamp_delta, key.to_vec(), value.to_vec()))
}

fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(get_varint(rest)?).ok()?;
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}
