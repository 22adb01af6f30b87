//! How bytes get from and to a socket. One form so far; TLS becomes the second behind the same three calls, and answers
//! `send_file` with None, which makes the caller copy.

use crate::memory::Memory;
use crate::os;
use mio::net::TcpStream;
use std::io::{self, IoSlice, Read};
use std::os::fd::{AsRawFd, RawFd};

pub(crate) enum Transport {
    Plain(TcpStream),
}

impl Transport {
    pub fn read_into(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Transport::Plain(stream) => stream.read(into),
        }
    }

    /// Appends at most `limit` bytes, for which there is room; what comes beyond them goes to
    /// `beyond`. Returns the sum.
    pub fn read_append(&mut self, into: &mut Memory, limit: usize, beyond: &mut [u8]) -> io::Result<usize> {
        match self {
            Transport::Plain(stream) => {
                let read = os::receive(stream.as_raw_fd(), &mut into.spare()[..limit], beyond)?;
                // SAFETY: the call has initialised the first `read` bytes of both together.
                unsafe { into.advance(read.min(limit)) };
                Ok(read)
            }
        }
    }

    pub fn write(&mut self, slices: &[IoSlice<'_>], more: bool) -> io::Result<usize> {
        match self {
            Transport::Plain(stream) => os::send(stream.as_raw_fd(), slices, more),
        }
    }

    pub fn send_file(&mut self, file: RawFd, position: u64, length: usize) -> io::Result<Option<usize>> {
        match self {
            Transport::Plain(stream) => os::send_file(stream.as_raw_fd(), file, position, length),
        }
    }

    pub fn stream(&mut self) -> &mut TcpStream {
        match self {
            Transport::Plain(stream) => stream,
        }
    }
}
