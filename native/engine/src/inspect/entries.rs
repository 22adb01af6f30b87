//! Entries of a fixed size, read from a file through a window, and what a file ends with.

use crate::vfs::{self, File};
use std::io;

const WINDOW: usize = 64 * 1024;

/// The entries of a file in order; a part of one at the end is left over.
pub struct Entries<'a> {
    file: &'a dyn File,
    size: usize,
    /// Of the next entry.
    position: u64,
    buffer: Vec<u8>,
    at: usize,
}

impl<'a> Entries<'a> {
    pub fn new(file: &'a dyn File, size: usize) -> Entries<'a> {
        Entries { file, size, position: 0, buffer: Vec::new(), at: 0 }
    }

    /// Where the next entry stands.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// None at the end, and before a part of an entry.
    pub fn next(&mut self) -> io::Result<Option<&[u8]>> {
        if self.at + self.size > self.buffer.len() {
            self.buffer.resize(WINDOW - WINDOW % self.size, 0);
            let filled = read_up_to(self.file, &mut self.buffer, self.position)?;
            self.buffer.truncate(filled);
            self.at = 0;
            if filled < self.size {
                self.buffer.clear();
                return Ok(None);
            }
        }
        let from = self.at;
        self.at += self.size;
        self.position += self.size as u64;
        Ok(Some(&self.buffer[from..self.at]))
    }
}

/// Fills `into` as far as the file goes.
pub fn read_up_to(file: &dyn File, into: &mut [u8], at: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < into.len() {
        match file.read_at(&mut into[filled..], at + filled as u64)? {
            0 => break,
            n => filled += n,
        }
    }
    Ok(filled)
}

/// Whether nothing but zeros stands from `at` up to `end`.
pub fn only_zeros(file: &dyn File, at: u64, end: u64) -> io::Result<bool> {
    Ok(vfs::skip_zeros(file, at, end)? == end)
}

pub fn i64_at(bytes: &[u8], at: usize) -> i64 {
    bytes.get(at..at + 8).map_or(-1, |raw| i64::from_be_bytes(raw.try_into().expect("eight bytes")))
}

pub fn i32_at(bytes: &[u8], at: usize) -> i32 {
    bytes.get(at..at + 4).map_or(-1, |raw| i32::from_be_bytes(raw.try_into().expect("four bytes")))
}

pub fn i16_at(bytes: &[u8], at: usize) -> i16 {
    bytes.get(at..at + 2).map_or(-1, |raw| i16::from_be_bytes([raw[0], raw[1]]))
}
