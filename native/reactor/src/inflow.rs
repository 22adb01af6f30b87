//! Frames out of a byte stream: an int32 length, then that many bytes.
//!
//! Invariants: memory grows with what has arrived, never from the length field; every byte held is charged; a length
//! that is zero, negative or over the limit ends the connection before anything is allocated for it.

use crate::budget::{Budget, Charge, charged};
use crate::event::Reason;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Instant;

/// From here on a frame is read straight into its own memory, which at most doubles.
const DIRECT_FROM: usize = 64 << 10;
const DIRECT_READ: usize = 256 << 10;

pub(crate) struct Inflow {
    max_frame_bytes: u32,
    prefix: [u8; 4],
    prefix_bytes: u8,
    /// Bytes that the frame under way still lacks; meaningful once the prefix is whole.
    lacking: usize,
    partial: Vec<u8>,
    charge: Charge,
    /// When the frame under way last grew.
    pub grew_at: Instant,
}

impl Inflow {
    pub fn new(max_frame_bytes: u32, budget: &Arc<Budget>, now: Instant) -> Inflow {
        Inflow {
            max_frame_bytes,
            prefix: [0; 4],
            prefix_bytes: 0,
            lacking: 0,
            partial: Vec::new(),
            charge: Charge::new(budget),
            grew_at: now,
        }
    }

    /// A frame has begun and is not whole.
    pub fn is_partial(&self) -> bool {
        self.prefix_bytes > 0
    }

    /// Bytes of the frame under way that have arrived.
    pub fn held(&self) -> usize {
        usize::from(self.prefix_bytes) + self.partial.len()
    }

    /// How many bytes finish the frame under way, or its length as long as that is not known.
    pub fn wanted(&self) -> usize {
        if self.prefix_bytes == 4 { self.lacking } else { 4 - usize::from(self.prefix_bytes) }
    }

    /// The memory to read the next bytes into directly, for a frame that is already large; at most `wanted` of it.
    pub fn direct(&mut self) -> Option<(&mut Vec<u8>, usize)> {
        if self.prefix_bytes < 4 || self.partial.len() < DIRECT_FROM {
            return None;
        }
        let limit = self.lacking.min(DIRECT_READ);
        if self.partial.capacity() - self.partial.len() < limit {
            self.partial.reserve_exact(self.lacking.min(self.partial.len().max(DIRECT_READ)));
        }
        Some((&mut self.partial, limit))
    }

    /// After `direct`: `bytes` were appended there. Some: the frame is whole.
    pub fn grew(&mut self, bytes: usize, now: Instant) -> Option<Bytes> {
        self.charge.add(bytes);
        self.grew_at = now;
        self.lacking -= bytes;
        (self.lacking == 0).then(|| self.finish())
    }

    /// Takes what was read; `whole` gets each frame that it completes.
    pub fn feed(&mut self, mut read: &[u8], now: Instant, mut whole: impl FnMut(Bytes)) -> Result<(), Reason> {
        while !read.is_empty() {
            self.grew_at = now;
            if self.prefix_bytes < 4 {
                let had = usize::from(self.prefix_bytes);
                let taken = read.len().min(4 - had);
                self.prefix[had..had + taken].copy_from_slice(&read[..taken]);
                self.prefix_bytes += taken as u8;
                self.charge.add(taken);
                read = &read[taken..];
                if self.prefix_bytes < 4 {
                    return Ok(());
                }
                self.lacking = self.checked_length()?;
            }
            let taken = read.len().min(self.lacking);
            self.charge.add(taken);
            self.lacking -= taken;
            if self.lacking == 0 && self.partial.is_empty() {
                self.partial.reserve_exact(taken);
            }
            self.partial.extend_from_slice(&read[..taken]);
            read = &read[taken..];
            if self.lacking == 0 {
                whole(self.finish());
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Bytes {
        self.prefix_bytes = 0;
        charged(std::mem::take(&mut self.partial), self.charge.take())
    }

    fn checked_length(&self) -> Result<usize, Reason> {
        let length = i32::from_be_bytes(self.prefix);
        if self.prefix[0] == 0x16 && self.prefix[1] == 3 {
            return Err("a TLS hello on a plain listener".into());
        }
        if length <= 0 {
            return Err(format!("a frame of {length} bytes").into());
        }
        if length as u32 > self.max_frame_bytes {
            return Err(format!("a frame of {length} bytes, over the limit of {}", self.max_frame_bytes).into());
        }
        Ok(length as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inflow() -> (Inflow, Arc<Budget>) {
        let budget = Budget::new(1 << 20, Box::new(|| {}));
        (Inflow::new(1 << 20, &budget, Instant::now()), budget)
    }

    fn framed(body: &[u8]) -> Vec<u8> {
        [&(body.len() as i32).to_be_bytes(), body].concat()
    }

    #[test]
    fn gives_the_same_frames_however_the_stream_is_cut() {
        let bodies: Vec<Vec<u8>> = [1usize, 3, 700, 2, 5000].iter().map(|&n| vec![n as u8; n]).collect();
        let stream: Vec<u8> = bodies.iter().flat_map(|body| framed(body)).collect();
        for step in [1, 2, 3, 5, 64, 701, stream.len()] {
            let (mut inflow, budget) = inflow();
            let mut frames = Vec::new();
            for piece in stream.chunks(step) {
                inflow.feed(piece, Instant::now(), |frame| frames.push(frame)).unwrap();
            }
            assert_eq!(frames, bodies, "in steps of {step}");
            assert!(!inflow.is_partial());
            assert_eq!(budget.held(), stream.len() as u64);
            drop(frames);
            assert_eq!(budget.held(), 0);
        }
    }

    #[test]
    fn holds_what_has_arrived_of_a_large_frame_and_no_more() {
        let (mut inflow, budget) = inflow();
        let mut stream = framed(&vec![1; 1 << 20]);
        stream.truncate(12);
        inflow.feed(&stream, Instant::now(), |_| panic!("not whole")).unwrap();
        assert_eq!(budget.held(), 12);
        assert!(inflow.partial.capacity() <= 64);
        assert_eq!(inflow.wanted(), (1 << 20) - 8);
        assert!(inflow.direct().is_none());
    }

    #[test]
    fn reads_directly_into_a_frame_that_is_already_large() {
        let (mut inflow, _budget) = inflow();
        let body = vec![9; 300 << 10];
        let stream = framed(&body);
        inflow.feed(&stream[..4 + (64 << 10)], Instant::now(), |_| panic!("not whole")).unwrap();
        let mut whole = None;
        while whole.is_none() {
            let (memory, limit) = inflow.direct().unwrap();
            assert!(memory.capacity() <= body.len().max(2 * memory.len() + DIRECT_READ));
            let at = memory.len();
            memory.extend_from_slice(&body[at..at + limit]);
            whole = inflow.grew(limit, Instant::now());
        }
        assert_eq!(whole.unwrap(), body);
    }

    #[test]
    fn refuses_lengths_of_zero_below_zero_over_the_limit_and_a_tls_hello() {
        for (prefix, word) in [
            ([0u8, 0, 0, 0], "0 bytes"),
            ([0xff, 0xff, 0xff, 0xff], "-1 bytes"),
            ([0, 0x10, 0, 1], "over the limit"),
            ([0x16, 3, 1, 2], "TLS"),
        ] {
            let (mut inflow, _budget) = inflow();
            let reason = inflow.feed(&prefix, Instant::now(), |_| ()).unwrap_err();
            assert!(reason.contains(word), "{reason}");
        }
    }
}
