//! Many plain connections driven by one thread. Each answer comes back with the tag of its request.
//!
//! Invariant: answers come in request order (Kafka's rule), so a queue of tags per connection is all that is kept.

use crate::poll::Poll;
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

const LARGEST_ANSWER: usize = 16 << 20;

struct Link {
    stream: TcpStream,
    tags: VecDeque<usize>,
    unsent: Vec<u8>,
    received: Vec<u8>,
}

pub struct Crowd {
    poll: Poll,
    links: Vec<Link>,
    began: Instant,
    /// Where a read lands first.
    piece: Vec<u8>,
    /// Requests without their answer, over all connections.
    in_flight: usize,
}

/// One answer, its header passed over.
pub struct Received {
    pub tag: usize,
    pub body: Vec<u8>,
}

impl Crowd {
    pub fn connect(address: SocketAddr, connections: usize) -> Result<Crowd, String> {
        let poll = Poll::new()?;
        let mut links = Vec::with_capacity(connections);
        for token in 0..connections {
            let stream = TcpStream::connect(address).map_err(|error| format!("connect: {error}"))?;
            stream.set_nodelay(true).and_then(|()| stream.set_nonblocking(true)).map_err(|error| error.to_string())?;
            poll.add(stream.as_raw_fd(), token as u64)?;
            links.push(Link { stream, tags: VecDeque::new(), unsent: Vec::new(), received: Vec::new() });
        }
        Ok(Crowd { poll, links, began: Instant::now(), piece: vec![0; 64 * 1024], in_flight: 0 })
    }

    pub fn now_ns(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }

    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Sends a frame whose answer carries `tag`.
    pub fn send(&mut self, connection: usize, tag: usize, frame: &[u8]) -> Result<(), String> {
        let link = &mut self.links[connection];
        link.tags.push_back(tag);
        self.in_flight += 1;
        link.unsent.extend_from_slice(frame);
        link.flush()
    }

    /// Waits for answers, at most `timeout`; none: there was none in that time.
    pub fn receive(&mut self, timeout: Duration) -> Result<Vec<Received>, String> {
        let deadline = Instant::now() + timeout;
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 256];
        let mut answers = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            // A socket that only became writable is no reason to return.
            for event in self.poll.wait(&mut events, left)? {
                let link = &mut self.links[event.u64 as usize];
                link.flush()?;
                link.read(&mut self.piece, &mut answers)?;
            }
            if !answers.is_empty() || left.is_zero() {
                self.in_flight -= answers.len();
                return Ok(answers);
            }
        }
    }
}

impl Link {
    fn flush(&mut self) -> Result<(), String> {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(written) => drop(self.unsent.drain(..written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(format!("write: {error}")),
            }
        }
        Ok(())
    }

    fn read(&mut self, piece: &mut [u8], answers: &mut Vec<Received>) -> Result<(), String> {
        loop {
            match self.stream.read(piece) {
                Ok(0) => return Err("the broker closed the connection".into()),
                Ok(read) => {
                    self.received.extend_from_slice(&piece[..read]);
                    // What comes after a short read is announced anew.
                    if read < piece.len() {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(format!("read: {error}")),
            }
        }
        let mut at = 0;
        while self.received.len() - at >= 4 {
            let length = u32::from_be_bytes(self.received[at..at + 4].try_into().expect("four bytes")) as usize;
            if !(5..=LARGEST_ANSWER).contains(&length) {
                return Err(format!("an answer of {length} bytes"));
            }
            if self.received.len() - at < length + 4 {
                break;
            }
            let tag = self.tags.pop_front().ok_or("an answer without a request")?;
            // Behind the length: correlation id and an empty list of tags.
            answers.push(Received { tag, body: self.received[at + 9..at + 4 + length].to_vec() });
            at += length + 4;
        }
        self.received.drain(..at);
        Ok(())
    }
}
