//! Skim programs: how a frame is copied to JavaScript without its record bytes. Data, not knowledge: whoever knows the
//! schemas (`src/protocol/skim.ts`) compiles one byte program for each (direction, API key, version); this file checks
//! it once, when it is registered, and interprets it.
//!
//! A program describes the **whole frame from its first byte after the length prefix**, request or response header
//! included, one opcode (a byte) a field, in the order of the wire. Arguments are unsigned varints (LEB128).
//!
//! | opcode | name            | argument | on the wire                                                            |
//! |--------|-----------------|----------|------------------------------------------------------------------------|
//! | 0      | END             |          | the program's last byte; what follows in the frame is copied           |
//! | 1      | FIXED           | n >= 1   | n bytes (bool 1, int16 2, int32 4, int64 8, uuid 16; runs may be added up) |
//! | 2      | STRING          |          | int16 length (negative: null), bytes                                   |
//! | 3      | COMPACT_STRING  |          | uvarint length + 1 (0: null), bytes                                    |
//! | 4      | BYTES           |          | int32 length (negative: null), bytes                                   |
//! | 5      | COMPACT_BYTES   |          | uvarint length + 1 (0: null), bytes                                    |
//! | 6      | ARRAY           |          | int32 count (negative: null), then count times what stands before its ARRAY_END |
//! | 7      | COMPACT_ARRAY   |          | uvarint count + 1 (0: null), the same                                  |
//! | 8      | ARRAY_END       |          | nothing: closes the innermost array                                    |
//! | 9      | TAGS            |          | uvarint count, then count times: uvarint tag, uvarint size, bytes      |
//! | 10     | RECORDS         |          | as BYTES, and elided                                                   |
//! | 11     | COMPACT_RECORDS |          | as COMPACT_BYTES, and elided                                           |
//! | 12     | NULLABLE        |          | int8: negative: null; otherwise what stands before its NULLABLE_END    |
//! | 13     | NULLABLE_END    |          | nothing: closes the innermost nullable struct                          |
//!
//! Elided: the first min(61, length) bytes of the field (a batch's header) stay in the copy, the rest is left out, and
//! an `Elision` says where it lies. Every records field that is not null is listed, in order, short ones too.
//!
//! Invariants: arrays and nullable structs nest at most 8 deep and their bodies are not empty, so a count is bounded by
//! the bytes that remain and the work by the frame's length; nothing is allocated from a length on the wire. A frame
//! that doesn't fit its program gives None, and is then copied as if there were no program.

use std::ops::Range;

/// Bytes of a records field that stay in the copy: a version 2 batch header.
pub const KEPT_OF_RECORDS: usize = 61;
const MAX_DEPTH: usize = 8;

/// One records field of a skimmed frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elision {
    /// Where in the copy its content begins.
    pub at: u32,
    /// Where in the frame it begins.
    pub position: u32,
    /// Its whole length in the frame.
    pub length: u32,
}

/// What of a frame is copied, and what was left out of the copy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skimmed {
    /// Ranges of the frame whose bytes, one after the other, are the copy.
    pub kept: Vec<Range<u32>>,
    pub elisions: Vec<Elision>,
    /// Bytes of the copy.
    pub copied: u32,
}

#[derive(Clone, Copy, Debug)]
enum Op {
    End,
    Fixed(usize),
    String {
        compact: bool,
    },
    Bytes {
        compact: bool,
    },
    /// The index behind the matching end.
    Array {
        compact: bool,
        behind: usize,
    },
    ArrayEnd,
    Tags,
    Records {
        compact: bool,
    },
    Nullable {
        behind: usize,
    },
    NullableEnd,
}

/// A checked program.
#[derive(Clone, Debug)]
pub struct Program {
    ops: Vec<Op>,
}

/// Why a program was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadProgram {
    UnknownOpcode(u8),
    BadArgument,
    TooDeep,
    Unbalanced,
    EmptyBody,
    NoEnd,
}

impl std::fmt::Display for BadProgram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            BadProgram::UnknownOpcode(code) => write!(f, "unknown opcode {code}"),
            BadProgram::BadArgument => write!(f, "an argument is missing, zero or too large"),
            BadProgram::TooDeep => write!(f, "nests deeper than {MAX_DEPTH}"),
            BadProgram::Unbalanced => write!(f, "an array or nullable struct is not closed, or closed twice"),
            BadProgram::EmptyBody => write!(f, "an array or nullable struct has no fields"),
            BadProgram::NoEnd => write!(f, "END is missing or not the last byte"),
        }
    }
}

impl Program {
    pub fn parse(bytes: &[u8]) -> Result<Program, BadProgram> {
        let mut ops = Vec::with_capacity(bytes.len());
        let mut open: Vec<usize> = Vec::new();
        let mut at = 0;
        loop {
            let Some(&code) = bytes.get(at) else {
                return Err(BadProgram::NoEnd);
            };
            at += 1;
            let op = match code {
                0 => Op::End,
                1 => {
                    let length = uvarint(bytes, &mut at).ok_or(BadProgram::BadArgument)? as usize;
                    if length == 0 {
                        return Err(BadProgram::BadArgument);
                    }
                    Op::Fixed(length)
                }
                2 | 3 => Op::String { compact: code == 3 },
                4 | 5 => Op::Bytes { compact: code == 5 },
                6 | 7 => Op::Array { compact: code == 7, behind: 0 },
                8 => Op::ArrayEnd,
                9 => Op::Tags,
                10 | 11 => Op::Records { compact: code == 11 },
                12 => Op::Nullable { behind: 0 },
                13 => Op::NullableEnd,
                other => return Err(BadProgram::UnknownOpcode(other)),
            };
            let here = ops.len();
            match op {
                Op::End => {
                    if !open.is_empty() {
                        return Err(BadProgram::Unbalanced);
                    }
                    if at != bytes.len() {
                        return Err(BadProgram::NoEnd);
                    }
                    ops.push(op);
                    return Ok(Program { ops });
                }
                Op::Array { .. } | Op::Nullable { .. } => {
                    if open.len() == MAX_DEPTH {
                        return Err(BadProgram::TooDeep);
                    }
                    open.push(here);
                }
                Op::ArrayEnd | Op::NullableEnd => {
                    let begin = open.pop().ok_or(BadProgram::Unbalanced)?;
                    if begin + 1 == here {
                        return Err(BadProgram::EmptyBody);
                    }
                    match (&mut ops[begin], op) {
                        (Op::Array { behind, .. }, Op::ArrayEnd) => *behind = here + 1,
                        (Op::Nullable { behind }, Op::NullableEnd) => *behind = here + 1,
                        _ => return Err(BadProgram::Unbalanced),
                    }
                }
                _ => {}
            }
            ops.push(op);
        }
    }

    /// None: the frame doesn't fit the program.
    pub fn run(&self, frame: &[u8]) -> Option<Skimmed> {
        let mut cursor = Cursor { frame, at: 0 };
        let mut skimmed = Skimmed::default();
        let mut kept_from = 0;
        // Index of the body's first operation and how often it is still to be run.
        let mut loops = [(0usize, 0u64); MAX_DEPTH];
        let mut depth = 0;
        let mut next = 0;
        loop {
            let op = self.ops[next];
            next += 1;
            match op {
                Op::End => break,
                Op::Fixed(length) => cursor.skip(length as u64)?,
                Op::String { compact } => {
                    let length = if compact { cursor.compact_length()? } else { cursor.short_length()? };
                    cursor.skip(length.unwrap_or(0))?;
                }
                Op::Bytes { compact } => {
                    let length = cursor.length(compact)?;
                    cursor.skip(length.unwrap_or(0))?;
                }
                Op::Array { compact, behind } => match cursor.length(compact)? {
                    None | Some(0) => next = behind,
                    Some(count) => {
                        if count > cursor.remaining() {
                            return None;
                        }
                        loops[depth] = (next, count);
                        depth += 1;
                    }
                },
                Op::ArrayEnd => {
                    let (body, count) = &mut loops[depth - 1];
                    *count -= 1;
                    if *count > 0 {
                        next = *body;
                    } else {
                        depth -= 1;
                    }
                }
                Op::Tags => {
                    let count = cursor.uvarint()?;
                    for _ in 0..count {
                        cursor.uvarint()?;
                        let size = cursor.uvarint()?;
                        cursor.skip(u64::from(size))?;
                    }
                }
                Op::Records { compact } => {
                    let Some(length) = cursor.length(compact)? else {
                        continue;
                    };
                    let begin = cursor.at;
                    cursor.skip(length)?;
                    let kept_to = begin + (length as usize).min(KEPT_OF_RECORDS);
                    skimmed.elisions.push(Elision {
                        at: skimmed.copied + (begin - kept_from) as u32,
                        position: begin as u32,
                        length: length as u32,
                    });
                    if kept_to < cursor.at {
                        skimmed.copied += (kept_to - kept_from) as u32;
                        skimmed.kept.push(kept_from as u32..kept_to as u32);
                        kept_from = cursor.at;
                    }
                }
                Op::Nullable { behind } => {
                    if (*cursor.take(1)?.first()? as i8) < 0 {
                        next = behind;
                    }
                }
                Op::NullableEnd => {}
            }
        }
        if kept_from < frame.len() {
            skimmed.copied += (frame.len() - kept_from) as u32;
            skimmed.kept.push(kept_from as u32..frame.len() as u32);
        }
        Some(skimmed)
    }
}

struct Cursor<'a> {
    frame: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn remaining(&self) -> u64 {
        (self.frame.len() - self.at) as u64
    }

    fn skip(&mut self, length: u64) -> Option<()> {
        if length > self.remaining() {
            return None;
        }
        self.at += length as usize;
        Some(())
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let taken = self.frame.get(self.at..self.at + length)?;
        self.at += length;
        Some(taken)
    }

    fn uvarint(&mut self) -> Option<u32> {
        uvarint(self.frame, &mut self.at)
    }

    /// A length or count of four bytes, or compact; None inside: null.
    fn length(&mut self, compact: bool) -> Option<Option<u64>> {
        if compact {
            return self.compact_length();
        }
        let length = i32::from_be_bytes(self.take(4)?.try_into().ok()?);
        Some(u64::try_from(length).ok())
    }

    fn short_length(&mut self) -> Option<Option<u64>> {
        let length = i16::from_be_bytes(self.take(2)?.try_into().ok()?);
        Some(u64::try_from(length).ok())
    }

    fn compact_length(&mut self) -> Option<Option<u64>> {
        Some(u64::from(self.uvarint()?).checked_sub(1))
    }
}

fn uvarint(bytes: &[u8], at: &mut usize) -> Option<u32> {
    let mut value = 0u32;
    for shift in [0, 7, 14, 21, 28] {
        let byte = *bytes.get(*at)?;
        *at += 1;
        if shift == 28 && byte > 0x0f {
            return None;
        }
        value |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copy(frame: &[u8], skimmed: &Skimmed) -> Vec<u8> {
        skimmed.kept.iter().flat_map(|range| &frame[range.start as usize..range.end as usize]).copied().collect()
    }

    /// Header of eight bytes and a string, then topics of a name and partitions of an index and records.
    const PRODUCE: &[u8] = &[1, 8, 2, 6, 2, 6, 1, 4, 10, 8, 8, 0];

    fn produce(records: &[usize]) -> Vec<u8> {
        let mut frame = vec![7; 8];
        frame.extend([0, 2, b'i', b'd']);
        frame.extend(1i32.to_be_bytes());
        frame.extend([0, 1, b't']);
        frame.extend((records.len() as i32).to_be_bytes());
        for (index, &length) in records.iter().enumerate() {
            frame.extend((index as i32).to_be_bytes());
            frame.extend((length as i32).to_be_bytes());
            frame.extend((0..length).map(|byte| byte as u8));
        }
        frame
    }

    #[test]
    fn keeps_the_first_61_bytes_of_each_records_field_and_says_where_the_rest_lies() {
        let frame = produce(&[100, 0, 61, 62]);
        let skimmed = Program::parse(PRODUCE).unwrap().run(&frame).unwrap();
        let copied = copy(&frame, &skimmed);
        assert_eq!(copied.len(), skimmed.copied as usize);
        assert_eq!(copied.len(), frame.len() - 39 - 1);
        assert_eq!(skimmed.elisions.iter().map(|e| e.length).collect::<Vec<_>>(), [100, 0, 61, 62]);
        for elision in &skimmed.elisions {
            let kept = (elision.length as usize).min(KEPT_OF_RECORDS);
            let (at, position) = (elision.at as usize, elision.position as usize);
            assert_eq!(copied[at..at + kept], frame[position..position + kept]);
            assert_eq!(copied[at - 4..at], elision.length.to_be_bytes());
        }
    }

    #[test]
    fn refuses_every_truncation_of_a_frame() {
        let frame = produce(&[100, 3]);
        let program = Program::parse(PRODUCE).unwrap();
        for length in 0..frame.len() {
            assert_eq!(program.run(&frame[..length]), None, "cut at {length}");
        }
        assert!(program.run(&frame).is_some());
    }

    #[test]
    fn refuses_a_count_beyond_the_remaining_bytes_before_it_loops() {
        let mut frame = produce(&[1]);
        frame[12..16].copy_from_slice(&i32::MAX.to_be_bytes());
        assert_eq!(Program::parse(PRODUCE).unwrap().run(&frame), None);
    }

    #[test]
    fn takes_null_for_every_nullable_form() {
        let program = Program::parse(&[2, 3, 4, 5, 6, 1, 1, 8, 7, 1, 1, 8, 10, 11, 12, 1, 1, 13, 9, 0]).unwrap();
        let mut frame = vec![0xff, 0xff, 0, 0xff, 0xff, 0xff, 0xff, 0, 0xff, 0xff, 0xff, 0xff, 0];
        frame.extend([0xff, 0xff, 0xff, 0xff, 0, 0xff, 0]);
        let skimmed = program.run(&frame).unwrap();
        assert_eq!(copy(&frame, &skimmed), frame);
        assert!(skimmed.elisions.is_empty());
    }

    #[test]
    fn refuses_programs_that_could_loop_without_reading_or_overflow_its_stack() {
        let refused = |bytes: &[u8]| Program::parse(bytes).unwrap_err();
        assert_eq!(refused(&[]), BadProgram::NoEnd);
        assert_eq!(refused(&[0, 0]), BadProgram::NoEnd);
        assert_eq!(refused(&[1]), BadProgram::BadArgument);
        assert_eq!(refused(&[1, 0, 0]), BadProgram::BadArgument);
        assert_eq!(refused(&[6, 8, 0]), BadProgram::EmptyBody);
        assert_eq!(refused(&[6, 1, 1, 0]), BadProgram::Unbalanced);
        assert_eq!(refused(&[8, 0]), BadProgram::Unbalanced);
        assert_eq!(refused(&[6, 1, 1, 13, 0]), BadProgram::Unbalanced);
        assert_eq!(refused(&[77, 0]), BadProgram::UnknownOpcode(77));
        let mut deep = vec![6; 9];
        deep.extend([1, 1]);
        deep.extend([8; 9]);
        deep.push(0);
        assert_eq!(refused(&deep), BadProgram::TooDeep);
    }
}
