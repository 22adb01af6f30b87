//! Fills a log with keys that come again: one Produce frame over and over, each time with other keys in its batch.
//!
//! Invariants: keys are drawn evenly, by a seeded generator, from `--keys` of them; a key is a number in sixteen
//! hexadecimal digits. The frame has room for `--count` keys, the first at byte `--key-at`, each `--key-step` behind
//! the one before, and a batch whose checksum lies at `--crc-at` and covers the bytes from there up to `--crc-to`.

use crate::connection::Connection;
use crate::options::Options;
use crate::poll::Poll;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

const KNOWN: [&str; 12] = [
    "address", "frame", "error-at", "requests", "depth", "keys", "count", "key-at", "key-step", "crc-at", "crc-to",
    "seed",
];
const KEY_BYTES: usize = 16;
const CRC_BYTES: usize = 4;
const PATIENCE: Duration = Duration::from_secs(30);

/// The JSON line that is printed.
pub fn run(words: impl Iterator<Item = String>) -> Result<String, String> {
    let options = Options::parse(words, &KNOWN)?;
    let path: String = options.required("frame")?;
    let mut frame = Frame {
        bytes: std::fs::read(&path).map_err(|error| format!("{path}: {error}"))?,
        keys: options.required("keys")?,
        count: options.required("count")?,
        key_at: options.required("key-at")?,
        key_step: options.required("key-step")?,
        crc_at: options.required("crc-at")?,
        crc_to: options.required("crc-to")?,
        state: options.number("seed", 1)?,
    };
    let last = frame.key_at + frame.key_step * frame.count.saturating_sub(1) + KEY_BYTES;
    if frame.keys == 0 || frame.crc_at + CRC_BYTES > frame.crc_to || last.max(frame.crc_to) > frame.bytes.len() {
        return Err("the keys or the checksum don't lie in the frame".into());
    }
    let error_at = options.required("error-at")?;
    let (requests, depth): (u64, usize) = (options.required("requests")?, options.number("depth", 8)? as usize);

    let stream = TcpStream::connect(options.address()?).map_err(|error| format!("connect: {error}"))?;
    stream.set_nodelay(true).and_then(|()| stream.set_nonblocking(true)).map_err(|error| error.to_string())?;
    let poll = Poll::new()?;
    poll.add(stream.as_raw_fd(), 0)?;
    let mut connection = Connection::new(stream);
    let mut events = [libc::epoll_event { events: 0, u64: 0 }];
    let (began, mut sent, mut answered) = (Instant::now(), 0u64, 0u64);
    while answered < requests {
        // The frame changes only when the socket has taken all of it.
        while sent < requests && connection.in_flight() < depth && !connection.wants_write() {
            frame.draw();
            connection.request(&frame.bytes, 0)?;
            sent += 1;
        }
        if poll.wait(&mut events, PATIENCE)?.is_empty() {
            return Err(format!("no answer for {} s", PATIENCE.as_secs()));
        }
        connection.receive(Some(error_at), |_| answered += 1)?;
        connection.send(&frame.bytes)?;
    }
    let seconds = began.elapsed().as_secs_f64();
    Ok(format!("{{\"requests\":{requests},\"seconds\":{seconds:.3}}}"))
}

struct Frame {
    bytes: Vec<u8>,
    keys: u64,
    count: usize,
    key_at: usize,
    key_step: usize,
    crc_at: usize,
    crc_to: usize,
    state: u64,
}

impl Frame {
    /// Other keys, and the checksum over them.
    fn draw(&mut self) {
        for index in 0..self.count {
            let key = self.next() % self.keys;
            let at = self.key_at + index * self.key_step;
            for (place, byte) in self.bytes[at..at + KEY_BYTES].iter_mut().enumerate() {
                *byte = b"0123456789abcdef"[(key >> (4 * (KEY_BYTES - 1 - place))) as usize & 15];
            }
        }
        let crc = crc32c::crc32c(&self.bytes[self.crc_at + CRC_BYTES..self.crc_to]);
        self.bytes[self.crc_at..self.crc_at + CRC_BYTES].copy_from_slice(&crc.to_be_bytes());
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_drawn_into_their_places_and_the_checksum_covers_them() {
        let mut frame = Frame {
            bytes: vec![b'.'; 100],
            keys: 3,
            count: 2,
            key_at: 20,
            key_step: 30,
            crc_at: 8,
            crc_to: 90,
            state: 7,
        };
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..50 {
            frame.draw();
            for at in [20, 50] {
                seen.insert(frame.bytes[at..at + KEY_BYTES].to_vec());
            }
            assert_eq!(frame.bytes[8..12], crc32c::crc32c(&frame.bytes[12..90]).to_be_bytes());
        }
        let keys: Vec<Vec<u8>> = (0..3).map(|key| format!("{key:016x}").into_bytes()).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), keys);
        assert!(
            frame.bytes[..8].iter().chain(&frame.bytes[36..50]).chain(&frame.bytes[66..]).all(|byte| *byte == b'.')
        );
    }
}
