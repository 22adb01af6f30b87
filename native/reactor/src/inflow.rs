//! Frames out of a byte stream: an int32 length, then that many bytes.
//!
//! Invariants: memory grows with what has arrived, never from the length field, except that unused memory of the pool
//! may be taken for a whole frame; every byte held is charged; a length that is zero, negative or over the limit ends
//! the connection before anything is allocated for it.

use crate::budget::{Budget, Charge, charged};
use crate::event::Reason;
use crate::memory::Memory;
use crate::pool::{Buffer, Pool};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Instant;

/// From here on a frame has memory of the pool's kind, which its bytes are read into straight.
const LARGE: usize = 64 << 10;
/// A large frame that found no unused memory gets its own when this much of it is there.
const OWN_FROM: usize = 16 << 10;
/// Own memory may be so much ahead of what is there.
const AHEAD: usize = 256 << 10;
const DIRECT_READ: usize = 1 << 20;

enum Partial {
    Small(Vec<u8>),
    Large(Buffer),
}

pub(crate) struct Inflow {
    max_frame_bytes: u32,
    prefix: [u8; 4],
    prefix_bytes: u8,
    /// Bytes of the frame under way; meaningful once the prefix is whole.
    length: usize,
    /// Bytes that the frame under way still lacks; meaningful once the prefix is whole.
    lacking: usize,
    partial: Partial,
    /// The frame before the one under way was large.
    after_large: bool,
    charge: Charge,
    pool: Arc<Pool>,
    /// When the frame under way last grew.
    pub grew_at: Instant,
}

impl Inflow {
    pub fn new(max_frame_bytes: u32, budget: &Arc<Budget>, pool: &Arc<Pool>, now: Instant) -> Inflow {
        Inflow {
            max_frame_bytes,
            prefix: [0; 4],
            prefix_bytes: 0,
            length: 0,
            lacking: 0,
            partial: Partial::Small(Vec::new()),
            after_large: false,
            charge: Charge::new(budget),
            pool: Arc::clone(pool),
            grew_at: now,
        }
    }

    /// A frame has begun and is not whole.
    pub fn is_partial(&self) -> bool {
        self.prefix_bytes > 0
    }

    /// Bytes that are there of the frame under way.
    pub fn held(&self) -> usize {
        let frame = match &self.partial {
            Partial::Small(bytes) => bytes.len(),
            Partial::Large(buffer) => buffer.as_ref().len(),
        };
        usize::from(self.prefix_bytes) + frame
    }

    /// How many bytes finish the frame under way, or its length as long as that is not known.
    pub fn wanted(&self) -> usize {
        if self.prefix_bytes == 4 { self.lacking } else { 4 - usize::from(self.prefix_bytes) }
    }

    /// Large frames follow one another: what is read beside them should be little, because it is copied.
    pub fn after_large(&self) -> bool {
        self.after_large
    }

    /// The memory to read the next bytes into directly, for a large frame; at most so many of them, and
    /// whether they would finish it.
    pub fn direct(&mut self) -> Option<(&mut Memory, usize, bool)> {
        let Partial::Large(buffer) = &mut self.partial else { return None };
        let memory = buffer.memory();
        if memory.capacity() - memory.filled() < self.lacking.min(AHEAD) {
            memory.grow(roomy(self.length).min(memory.filled() + memory.filled().max(AHEAD)));
        }
        let limit = self.lacking.min(memory.capacity() - memory.filled()).min(DIRECT_READ);
        Some((memory, limit, limit == self.lacking))
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
                self.length = self.checked_length()?;
                self.lacking = self.length;
                if self.length >= LARGE
                    && let Some(buffer) = self.pool.take(self.length)
                {
                    self.partial = Partial::Large(buffer);
                }
            }
            let taken = read.len().min(self.lacking);
            self.charge.add(taken);
            self.append(&read[..taken]);
            self.lacking -= taken;
            read = &read[taken..];
            if self.lacking == 0 {
                whole(self.finish());
            }
        }
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) {
        if let Partial::Small(had) = &mut self.partial {
            let filled = had.len() + bytes.len();
            if self.length < LARGE || filled < OWN_FROM {
                if filled == self.length {
                    had.reserve_exact(bytes.len());
                }
                had.extend_from_slice(bytes);
                return;
            }
            let mut buffer = self.pool.make(roomy(self.length).min(filled + filled.max(AHEAD)));
            buffer.memory().append(had);
            self.partial = Partial::Large(buffer);
        }
        if let Partial::Large(buffer) = &mut self.partial {
            let memory = buffer.memory();
            let filled = memory.filled() + bytes.len();
            if filled > memory.capacity() {
                memory.grow(roomy(self.length).min(filled + filled.max(AHEAD)));
            }
            memory.append(bytes);
        }
    }

    fn finish(&mut self) -> Bytes {
        self.prefix_bytes = 0;
        let partial = std::mem::replace(&mut self.partial, Partial::Small(Vec::new()));
        self.after_large = matches!(partial, Partial::Large(_));
        match partial {
            Partial::Small(bytes) => charged(bytes, self.charge.take()),
            Partial::Large(mut buffer) => {
                buffer.settle();
                charged(buffer, self.charge.take())
            }
        }
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

/// The room made for a large frame: a little more, so that it serves others of about its length. What isn't written to
/// costs nothing.
fn roomy(length: usize) -> usize {
    length.next_multiple_of(length.next_power_of_two() / 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inflow() -> (Inflow, Arc<Budget>) {
        let budget = Budget::new(1 << 20, Box::new(|| {}));
        (Inflow::new(1 << 20, &budget, &Arc::new(Pool::default()), Instant::now()), budget)
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
        let Partial::Small(bytes) = &inflow.partial else { panic!("memory for what isn't there") };
        assert!(bytes.capacity() <= 64);
        assert_eq!(inflow.wanted(), (1 << 20) - 8);
        assert!(inflow.direct().is_none());
    }

    #[test]
    fn reads_a_large_frame_into_memory_that_is_never_far_ahead_of_it() {
        let (mut inflow, _budget) = inflow();
        let body: Vec<u8> = (0..1_000_000u32).map(|index| (index % 251) as u8).collect();
        let stream = framed(&body);
        inflow.feed(&stream[..4 + OWN_FROM], Instant::now(), |_| panic!("not whole")).unwrap();
        let mut whole = None;
        while whole.is_none() {
            let (memory, limit, _) = inflow.direct().unwrap();
            assert!(limit > 0 && memory.capacity() <= 2 * memory.filled().max(AHEAD));
            let at = memory.filled();
            memory.append(&body[at..at + limit]);
            whole = inflow.grew(limit, Instant::now());
        }
        assert_eq!(whole.unwrap(), body);
    }

    #[test]
    fn gives_a_frame_the_whole_memory_of_one_that_is_gone_and_charges_what_arrives() {
        let (mut inflow, budget) = inflow();
        let body = vec![9; 300 << 10];
        let stream = framed(&body);
        let mut whole = Vec::new();
        for piece in stream.chunks(50_000) {
            inflow.feed(piece, Instant::now(), |frame| whole.push(frame)).unwrap();
        }
        assert_eq!(whole, [body]);
        let start = whole[0].as_ptr();
        drop(whole);
        inflow.feed(&stream[..5], Instant::now(), |_| panic!("not whole")).unwrap();
        assert_eq!(budget.held(), 5);
        let (memory, limit, finishes) = inflow.direct().unwrap();
        assert_eq!((memory.as_ref(), limit, finishes), (&[9][..], (300 << 10) - 1, true));
        assert_eq!(memory.as_ref().as_ptr(), start);
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
