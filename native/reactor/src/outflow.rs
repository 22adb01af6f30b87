//! What a connection still has to send: memory and file ranges, in order.
//!
//! Invariants: parts leave in the order in which they were pushed; a file range that a disk would have to be waited for
//! is not touched; at most `AHEAD` bytes of small file ranges are copied before the socket takes them. A file that ends
//! under its range fails the connection: the promised length can't be kept.

use crate::event::{Part, Reason, Source};
use crate::transport::Transport;
use bytes::{Buf, Bytes};
use std::collections::VecDeque;
use std::io::{ErrorKind, IoSlice};
use std::sync::Arc;

/// From here on a file range is sent by sendfile; below it is copied.
const SENDFILE_FROM: u64 = 64 << 10;
/// Bytes of file ranges that are copied before the socket takes them.
const AHEAD: u64 = 256 << 10;
/// What one sendfile call is asked for, and what is probed at once.
const CHUNK: u64 = 1 << 20;
/// What one connection sends before the others have their turn.
const TURN: usize = 4 << 20;
const MAX_SLICES: usize = 32;
/// What a queued file range counts for: its bytes are in nobody's memory.
const FILE_COST: u64 = 64 << 10;

pub(crate) enum Flushed {
    Drained,
    /// The socket takes no more.
    Blocked,
    /// The others first.
    Turn,
    /// This range must be made resident first.
    Cold(Arc<dyn Source>, u64, u64),
    Failed(Reason),
}

#[derive(Default)]
pub(crate) struct Sent {
    pub bytes: u64,
    pub by_sendfile: u64,
}

#[derive(Default)]
pub(crate) struct Outflow {
    queue: VecDeque<Part>,
    cost: u64,
    /// The socket was full since the front was known to be resident.
    stale: bool,
    /// Files that have a descriptor, but can't be sent by it.
    copying: bool,
}

fn cost(part: &Part) -> u64 {
    match part {
        Part::Memory(bytes) => bytes.len() as u64,
        Part::File { .. } => FILE_COST,
    }
}

impl Outflow {
    pub fn push(&mut self, part: Part) {
        if part.length() > 0 {
            self.cost += cost(&part);
            self.queue.push_back(part);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Memory that the queue pins, file ranges by a flat rate.
    pub fn cost(&self) -> u64 {
        self.cost
    }

    /// The range reported as cold is resident now, or can't be made so.
    pub fn warmed(&mut self) {
        self.stale = false;
    }

    pub fn flush(&mut self, transport: &mut Transport, sent: &mut Sent) -> Flushed {
        let mut turn = TURN;
        while turn > 0 {
            let outcome = match self.queue.front() {
                None => return Flushed::Drained,
                Some(part) if self.by_sendfile(part) => self.send_file(transport, sent),
                Some(_) => self.send_memory(transport, sent),
            };
            match outcome {
                Ok(bytes) => turn = turn.saturating_sub(bytes),
                Err(flushed) => return flushed,
            }
        }
        if self.queue.is_empty() { Flushed::Drained } else { Flushed::Turn }
    }

    fn by_sendfile(&self, part: &Part) -> bool {
        match part {
            Part::Memory(_) => false,
            Part::File { source, length, .. } => *length >= SENDFILE_FROM && !self.copying && source.raw_fd().is_some(),
        }
    }

    fn send_file(&mut self, transport: &mut Transport, sent: &mut Sent) -> Result<usize, Flushed> {
        let Some(Part::File { source, position, length }) = self.queue.front_mut() else { return Ok(0) };
        let Some(file) = source.raw_fd() else { return Ok(0) };
        let chunk = (*length).min(CHUNK);
        if self.stale && !source.resident(*position, chunk) {
            return Err(Flushed::Cold(Arc::clone(source), *position, chunk));
        }
        match transport.send_file(file, *position, chunk as usize) {
            Ok(None) => {
                self.copying = true;
                Ok(0)
            }
            Ok(Some(0)) => Err(Flushed::Failed("a file ended under an answer".into())),
            Ok(Some(bytes)) => {
                sent.bytes += bytes as u64;
                sent.by_sendfile += bytes as u64;
                *position += bytes as u64;
                *length -= bytes as u64;
                if *length == 0 {
                    self.cost -= FILE_COST;
                    self.queue.pop_front();
                }
                Ok(bytes)
            }
            Err(error) => self.refused(error),
        }
    }

    fn send_memory(&mut self, transport: &mut Transport, sent: &mut Sent) -> Result<usize, Flushed> {
        self.copy_ahead()?;
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let mut count = 0;
        for part in self.queue.iter().take(MAX_SLICES) {
            let Part::Memory(bytes) = part else { break };
            slices[count] = IoSlice::new(bytes);
            count += 1;
        }
        let more = self.queue.len() > count;
        match transport.write(&slices[..count], more) {
            Ok(bytes) => {
                sent.bytes += bytes as u64;
                self.cost -= bytes as u64;
                let mut left = bytes;
                while left > 0 {
                    let Some(Part::Memory(front)) = self.queue.front_mut() else { break };
                    if left < front.len() {
                        front.advance(left);
                        break;
                    }
                    left -= front.len();
                    self.queue.pop_front();
                }
                Ok(bytes)
            }
            Err(error) => self.refused(error),
        }
    }

    /// Copies the file ranges that are not sent by sendfile, as far as the next write can take them.
    fn copy_ahead(&mut self) -> Result<(), Flushed> {
        let mut ahead = 0;
        let mut index = 0;
        while index < self.queue.len().min(MAX_SLICES) && ahead < AHEAD {
            let part = &self.queue[index];
            if self.by_sendfile(part) {
                break;
            }
            let Part::File { source, position, length } = part else {
                ahead += part.length();
                index += 1;
                continue;
            };
            let (source, position, length) = (Arc::clone(source), *position, *length);
            let piece = length.min(AHEAD - ahead).min(SENDFILE_FROM);
            if self.stale && !source.resident(position, piece) {
                return if index == 0 { Err(Flushed::Cold(source, position, piece)) } else { Ok(()) };
            }
            let mut copy = vec![0; piece as usize];
            let mut filled = 0;
            while filled < copy.len() {
                match source.read_at(&mut copy[filled..], position + filled as u64) {
                    Ok(0) => return Err(Flushed::Failed("a file ended under an answer".into())),
                    Ok(read) => filled += read,
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(Flushed::Failed(format!("reading an answer's file: {error}").into())),
                }
            }
            self.cost += piece;
            if piece == length {
                self.cost -= FILE_COST;
                self.queue[index] = Part::Memory(Bytes::from(copy));
            } else {
                self.queue[index] = Part::File { source, position: position + piece, length: length - piece };
                self.queue.insert(index, Part::Memory(Bytes::from(copy)));
            }
            ahead += piece;
            index += 1;
        }
        Ok(())
    }

    fn refused(&mut self, error: std::io::Error) -> Result<usize, Flushed> {
        match error.kind() {
            ErrorKind::WouldBlock => {
                self.stale = true;
                Err(Flushed::Blocked)
            }
            ErrorKind::Interrupted => Ok(0),
            _ => Err(Flushed::Failed(format!("writing: {error}").into())),
        }
    }
}
