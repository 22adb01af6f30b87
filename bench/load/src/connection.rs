//! One connection: bytes still to be sent, and the answers as they arrive.
//!
//! Invariant: answers come in request order (Kafka's rule), so a queue of start times is all that a latency needs.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

pub struct Connection {
    pub stream: TcpStream,
    /// Start of each unanswered request, nanoseconds.
    started: VecDeque<u64>,
    /// Bytes of the frame that are queued and not yet taken by the socket.
    unsent: usize,
    buffer: Vec<u8>,
    filled: usize,
}

impl Connection {
    pub fn new(stream: TcpStream) -> Connection {
        Connection { stream, started: VecDeque::new(), unsent: 0, buffer: vec![0; 64 * 1024], filled: 0 }
    }

    pub fn in_flight(&self) -> usize {
        self.started.len()
    }

    /// Queues one request that began at `start_ns` and sends what the socket takes.
    pub fn request(&mut self, frame: &[u8], start_ns: u64) -> Result<(), String> {
        self.started.push_back(start_ns);
        self.unsent += frame.len();
        self.send(frame)
    }

    pub fn wants_write(&self) -> bool {
        self.unsent > 0
    }

    pub fn send(&mut self, frame: &[u8]) -> Result<(), String> {
        while self.unsent > 0 {
            let rest = self.unsent % frame.len();
            let from = if rest == 0 { 0 } else { frame.len() - rest };
            match self.stream.write(&frame[from..]) {
                Ok(written) => self.unsent -= written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(format!("write: {error}")),
            }
        }
        Ok(())
    }

    /// Reads what is there; calls `answered(start_ns)` for each whole answer.
    pub fn receive(&mut self, error_at: Option<usize>, mut answered: impl FnMut(u64)) -> Result<(), String> {
        loop {
            match self.stream.read(&mut self.buffer[self.filled..]) {
                Ok(0) => return Err("the broker closed the connection".into()),
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(format!("read: {error}")),
            }
            let mut at = 0;
            while self.filled - at >= 4 {
                let length = u32::from_be_bytes(self.buffer[at..at + 4].try_into().expect("four bytes")) as usize;
                if length + 4 > self.buffer.len() {
                    return Err(format!("an answer of {length} bytes, more than this program takes"));
                }
                if self.filled - at < length + 4 {
                    break;
                }
                let answer = &self.buffer[at + 4..at + 4 + length];
                if let Some(code) = error_at.and_then(|offset| answer.get(offset..offset + 2)) {
                    let code = i16::from_be_bytes([code[0], code[1]]);
                    if code != 0 {
                        return Err(format!("the broker answered error {code}"));
                    }
                }
                answered(self.started.pop_front().ok_or("an answer without a request")?);
                at += length + 4;
            }
            self.buffer.copy_within(at..self.filled, 0);
            self.filled -= at;
        }
    }
}
