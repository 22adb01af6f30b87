//! Walks the records of a batch in their (inflated) bytes and checks the shape of each: that its fields fill exactly
//! the bytes that its length announces. Nothing is collected; a record larger than the window passes through it.

use crate::codec::{InflateError, Source};

/// What a record's fixed part says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Position in the batch, from 0.
    pub index: u32,
    pub offset_delta: i32,
    pub timestamp_delta: i64,
    pub has_key: bool,
}

/// Why a walk stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WalkError {
    Inflate(InflateError),
    /// The bytes don't have the shape of the records that the header promises.
    Shape(String),
}

impl From<InflateError> for WalkError {
    fn from(error: InflateError) -> WalkError {
        WalkError::Inflate(error)
    }
}

/// Sees a record's bytes as the walk passes over them.
pub trait Tee {
    /// Called before the bytes from the key's length on, `rest` in number.
    fn head(&mut self, offset_delta: i32, timestamp_delta: i64, rest: usize) -> Result<(), String>;
    /// The next of these bytes.
    fn rest(&mut self, bytes: &[u8]) -> Result<(), String>;
}

/// Looks away.
impl Tee for () {
    #[inline]
    fn head(&mut self, _offset_delta: i32, _timestamp_delta: i64, _rest: usize) -> Result<(), String> {
        Ok(())
    }

    #[inline]
    fn rest(&mut self, _bytes: &[u8]) -> Result<(), String> {
        Ok(())
    }
}

/// The records of one batch, in order.
pub struct Walk<S> {
    source: S,
    count: u32,
    index: u32,
}

impl<S: Source> Walk<S> {
    /// `count`: how many records the header promises.
    pub fn new(source: S, count: u32) -> Walk<S> {
        Walk { source, count, index: 0 }
    }

    /// The next record, or None after the last one (when nothing may be left over).
    #[inline]
    pub fn next<T: Tee>(&mut self, tee: &mut T) -> Result<Option<Record>, WalkError> {
        if self.index == self.count {
            return if self.index > 0 && !self.source.window()?.is_empty() {
                Err(self.shape("bytes are left over after the last record"))
            } else {
                Ok(None)
            };
        }
        let record = self.record(tee)?;
        self.index += 1;
        Ok(Some(record))
    }

    fn record<T: Tee>(&mut self, tee: &mut T) -> Result<Record, WalkError> {
        let size = unzigzag(varint(&mut || self.byte())?.ok_or_else(|| self.shape("its length is not a varint"))?);
        let Ok(size) = usize::try_from(size) else {
            return Err(self.shape("its length is negative"));
        };
        let window = self.source.window()?;
        if window.len() >= size {
            let (head, has_key) = match parse(&mut Slice { bytes: &window[..size] }, tee) {
                Ok(parsed) => parsed,
                Err(Stop::Shape(text)) => return Err(self.shape(text)),
                Err(Stop::Walk(error)) => return Err(error),
            };
            self.source.consume(size);
            return Ok(Record { index: self.index, offset_delta: head.0, timestamp_delta: head.1, has_key });
        }
        let mut stream = Stream { source: &mut self.source, left: size };
        match parse(&mut stream, tee) {
            Ok((head, has_key)) => {
                Ok(Record { index: self.index, offset_delta: head.0, timestamp_delta: head.1, has_key })
            }
            Err(Stop::Shape(text)) => Err(self.shape(text)),
            Err(Stop::Walk(error)) => Err(error),
        }
    }

    #[inline]
    fn byte(&mut self) -> Result<u8, WalkError> {
        match self.source.window()?.first() {
            Some(&byte) => {
                self.source.consume(1);
                Ok(byte)
            }
            None => Err(self.shape("the bytes end before it")),
        }
    }

    #[cold]
    fn shape(&self, text: &str) -> WalkError {
        WalkError::Shape(format!("record {} of {}: {text}", self.index, self.count))
    }
}

enum Stop {
    Shape(&'static str),
    Walk(WalkError),
}

impl From<InflateError> for Stop {
    fn from(error: InflateError) -> Stop {
        Stop::Walk(WalkError::Inflate(error))
    }
}

/// The bytes of one record.
trait Cursor {
    fn byte(&mut self) -> Result<u8, Stop>;
    fn left(&self) -> usize;
    /// Steps over bytes, showing them to `tee`.
    fn pass<T: Tee>(&mut self, count: usize, tee: &mut T) -> Result<(), Stop>;
}

struct Slice<'a> {
    bytes: &'a [u8],
}

impl Cursor for Slice<'_> {
    #[inline]
    fn byte(&mut self) -> Result<u8, Stop> {
        let (&first, rest) = self.bytes.split_first().ok_or(Stop::Shape("its fields need more bytes than it has"))?;
        self.bytes = rest;
        Ok(first)
    }

    #[inline]
    fn left(&self) -> usize {
        self.bytes.len()
    }

    #[inline]
    fn pass<T: Tee>(&mut self, count: usize, tee: &mut T) -> Result<(), Stop> {
        let (passed, rest) =
            self.bytes.split_at_checked(count).ok_or(Stop::Shape("a field is longer than the record"))?;
        self.bytes = rest;
        tee.rest(passed).map_err(encode_stop)
    }
}

struct Stream<'a, S> {
    source: &'a mut S,
    left: usize,
}

impl<S: Source> Cursor for Stream<'_, S> {
    fn byte(&mut self) -> Result<u8, Stop> {
        if self.left == 0 {
            return Err(Stop::Shape("its fields need more bytes than it has"));
        }
        let &byte = self.source.window()?.first().ok_or(Stop::Shape("the bytes end inside it"))?;
        self.source.consume(1);
        self.left -= 1;
        Ok(byte)
    }

    fn left(&self) -> usize {
        self.left
    }

    fn pass<T: Tee>(&mut self, mut count: usize, tee: &mut T) -> Result<(), Stop> {
        if count > self.left {
            return Err(Stop::Shape("a field is longer than the record"));
        }
        self.left -= count;
        while count > 0 {
            let window = self.source.window()?;
            if window.is_empty() {
                return Err(Stop::Shape("the bytes end inside it"));
            }
            let step = window.len().min(count);
            tee.rest(&window[..step]).map_err(encode_stop)?;
            self.source.consume(step);
            count -= step;
        }
        Ok(())
    }
}

#[cold]
fn encode_stop(text: String) -> Stop {
    Stop::Walk(WalkError::Inflate(InflateError::Broken(text)))
}

/// Reads one record's fields; all of its bytes must be used. Answers (offset delta, timestamp delta) and whether it
/// has a key.
#[inline]
fn parse<C: Cursor, T: Tee>(cursor: &mut C, tee: &mut T) -> Result<((i32, i64), bool), Stop> {
    const BAD_VARINT: Stop = Stop::Shape("a number in it is longer than a varint can be");
    // Attributes: none exist yet, whatever stands there is kept or dropped unseen.
    cursor.byte()?;
    let timestamp_delta = unzigzag_long(varlong(&mut || cursor.byte())?.ok_or(BAD_VARINT)?);
    let offset_delta = unzigzag(varint(&mut || cursor.byte())?.ok_or(BAD_VARINT)?);
    tee.head(offset_delta, timestamp_delta, cursor.left()).map_err(encode_stop)?;
    let key = length(cursor, tee)?;
    if key > 0 {
        cursor.pass(key as usize, tee)?;
    }
    let value = length(cursor, tee)?;
    if value > 0 {
        cursor.pass(value as usize, tee)?;
    }
    let headers = length(cursor, tee)?;
    if headers < 0 {
        return Err(Stop::Shape("its number of headers is negative"));
    }
    // However many are promised: each takes bytes, and the record ends.
    for _ in 0..headers {
        let key = length(cursor, tee)?;
        if key < 0 {
            return Err(Stop::Shape("a header has no key"));
        }
        cursor.pass(key as usize, tee)?;
        let value = length(cursor, tee)?;
        if value > 0 {
            cursor.pass(value as usize, tee)?;
        }
    }
    if cursor.left() != 0 {
        return Err(Stop::Shape("bytes are left over after its fields"));
    }
    Ok(((offset_delta, timestamp_delta), key >= 0))
}

/// A signed varint that is shown to `tee` as it is read.
#[inline]
fn length<C: Cursor, T: Tee>(cursor: &mut C, tee: &mut T) -> Result<i32, Stop> {
    let mut raw = [0u8; 5];
    let mut used = 0;
    let value = varint(&mut || {
        let byte = cursor.byte()?;
        raw[used] = byte;
        used += 1;
        Ok::<u8, Stop>(byte)
    })?
    .ok_or(Stop::Shape("a number in it is longer than a varint can be"))?;
    tee.rest(&raw[..used]).map_err(encode_stop)?;
    Ok(unzigzag(value))
}

/// An unsigned varint of at most five bytes; None when the fifth one still announces another.
#[inline]
fn varint<E>(byte: &mut impl FnMut() -> Result<u8, E>) -> Result<Option<u32>, E> {
    let mut value = 0u32;
    for shift in [0, 7, 14, 21, 28] {
        let next = byte()?;
        value |= ((next & 0x7f) as u32) << shift;
        if next & 0x80 == 0 {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

/// An unsigned varint of at most ten bytes.
#[inline]
fn varlong<E>(byte: &mut impl FnMut() -> Result<u8, E>) -> Result<Option<u64>, E> {
    let mut value = 0u64;
    for shift in (0..70).step_by(7) {
        let next = byte()?;
        value |= ((next & 0x7f) as u64) << shift;
        if next & 0x80 == 0 {
            return Ok(Some(value));
        }
    }
    Ok(None)
}

#[inline]
fn unzigzag(value: u32) -> i32 {
    (value >> 1) as i32 ^ -((value & 1) as i32)
}

#[inline]
fn unzigzag_long(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Takes a zig-zag varint off the front.
pub fn get_varint(bytes: &mut &[u8]) -> Option<i32> {
    let raw = varint(&mut || {
        let (&first, rest) = bytes.split_first().ok_or(())?;
        *bytes = rest;
        Ok::<u8, ()>(first)
    });
    raw.ok().flatten().map(unzigzag)
}

/// Appends a zig-zag varint.
pub fn put_varint(to: &mut Vec<u8>, value: i32) {
    put_varlong(to, value as i64);
}

/// Appends a zig-zag varint of 64 bits; a 32-bit value gets the same bytes either way.
pub fn put_varlong(to: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        to.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    to.push(rest as u8);
}
