//! The part of the active segment's file that stores go to: on disk and in memory ahead of the end.
//!
//! Measured: zeros written in large pieces and then mapped cost half of reserved blocks whose pages the map brings in,
//! and their room is reserved by the write. So the next piece is filled ahead, by another thread where there is one,
//! and a store meets no page that is not there.
//!
//! Invariants: nobody writes where a piece is being filled: whoever needs the file's end waits for that first. A piece
//! that could not be filled leaves the file as long as it was. Behind the end pages are given back to the system.

use crate::lock::lock;
use crate::segment::Segment;
use crate::vfs::{File, Map, is_no_space, write_all_at};
use std::io;
use std::sync::{Arc, Mutex};

const PAGE_BYTES: u64 = 4096;
/// Filled at once: from this in a small segment up to that in a large one.
const PIECE_LEAST: u64 = 64 << 10;
const PIECE_MOST: u64 = 1 << 20;

static ZEROS: [u8; PIECE_MOST as usize] = [0; PIECE_MOST as usize];

/// A piece of the file that is to be filled, by whoever comes first.
pub struct Piece {
    file: Arc<dyn File>,
    from: u64,
    upto: u64,
    outcome: Mutex<Option<Result<(), (io::ErrorKind, String)>>>,
}

impl Piece {
    /// Fills it unless that is done; waits while another thread is at it.
    pub fn fill(&self) -> io::Result<()> {
        let mut outcome = lock(&self.outcome);
        let done = outcome.get_or_insert_with(|| {
            write_zeros(&*self.file, self.from, self.upto).map_err(|error| (error.kind(), error.to_string()))
        });
        done.clone().map_err(|(kind, text)| io::Error::new(kind, text))
    }
}

pub fn write_zeros(file: &dyn File, mut at: u64, upto: u64) -> io::Result<()> {
    while at < upto {
        let bytes = (upto - at).min(PIECE_MOST);
        write_all_at(file, &ZEROS[..bytes as usize], at)?;
        at += bytes;
    }
    Ok(())
}

/// How far zeros go behind the `end` of the batches, in a file of `length` bytes at most.
pub fn reach_of_zeros(end: u64, length: u64) -> u64 {
    (end + (end / 2).clamp(PIECE_LEAST, PIECE_MOST)).next_multiple_of(PAGE_BYTES).min(length)
}

pub struct Window {
    map: Box<dyn Map>,
    file: Arc<dyn File>,
    /// Bytes that the map spans.
    length: u64,
    /// Stores may go up to here.
    ready: u64,
    /// The file is this long.
    filled: u64,
    next: Option<Arc<Piece>>,
}

impl Window {
    /// For stores from `at` on, the end of the segment's batches.
    pub fn open(segment: &Segment, file: Arc<dyn File>, at: u64, segment_bytes: u64) -> io::Result<Window> {
        debug_assert!(segment.is_active());
        let length = segment_bytes.max(at).next_multiple_of(PAGE_BYTES);
        let map = file.map(length)?;
        let filled = file.len()?.max(at);
        Ok(Window { map, file, length, ready: at / PAGE_BYTES * PAGE_BYTES, filled, next: None })
    }

    #[inline]
    pub fn covers(&self, at: u64, bytes: usize) -> bool {
        at + bytes as u64 <= self.ready
    }

    pub fn file(&self) -> Arc<dyn File> {
        self.file.clone()
    }

    /// Makes room for `bytes` at `at`. `Unsupported`: the map can't hold them. `ahead` hands a
    /// piece to whoever fills it.
    pub fn reach(&mut self, at: u64, bytes: usize, ahead: impl FnOnce(Arc<Piece>)) -> io::Result<()> {
        let need = (at + bytes as u64).next_multiple_of(PAGE_BYTES);
        if need > self.length {
            return Err(io::ErrorKind::Unsupported.into());
        }
        self.settle()?;
        if need > self.filled {
            let piece = self.piece(need);
            self.fill(&piece).or_else(|error| match is_no_space(&error) {
                true => self.fill(&Piece { upto: need, ..piece }),
                false => Err(error),
            })?;
        }
        // After a sync more may be there than is needed soon.
        let upto = (self.filled / PAGE_BYTES * PAGE_BYTES).min(need + PIECE_MOST);
        let from = self.ready.max(at / PAGE_BYTES * PAGE_BYTES);
        self.map.populate(from, upto - from)?;
        self.ready = upto;
        self.map.leave(at / PAGE_BYTES * PAGE_BYTES);
        if self.filled < self.length.min(need + PIECE_MOST) {
            let piece = Arc::new(self.piece(self.filled));
            self.next = Some(piece.clone());
            ahead(piece);
        }
        Ok(())
    }

    /// The file was written by other means up to here, after `settle`.
    pub fn written(&mut self, upto: u64) {
        self.filled = self.filled.max(upto);
    }

    /// What is to be filled next, and at least up to `need`.
    fn piece(&self, need: u64) -> Piece {
        let upto = reach_of_zeros(self.filled, self.length).max(need).min(self.length);
        Piece { file: self.file.clone(), from: self.filled, upto, outcome: Mutex::new(None) }
    }

    fn fill(&mut self, piece: &Piece) -> io::Result<()> {
        match piece.fill() {
            Ok(()) => {
                self.filled = piece.upto;
                Ok(())
            }
            Err(error) => {
                // What it got before it failed is of use to others.
                self.file.set_len(self.filled)?;
                Err(error)
            }
        }
    }

    /// Nobody is at the end of the file afterwards. A piece that could not be filled is forgotten:
    /// who needs it tries again.
    pub fn settle(&mut self) -> io::Result<()> {
        let Some(piece) = self.next.take() else { return Ok(()) };
        match self.fill(&piece) {
            Err(error) if !is_no_space(&error) => Err(error),
            _ => Ok(()),
        }
    }

    #[inline]
    pub fn bytes(&mut self, at: u64, bytes: usize) -> &mut [u8] {
        self.map.bytes(at, bytes)
    }

    /// As `Map::stored`.
    #[inline]
    pub fn stored(&mut self, at: u64, bytes: usize) -> bool {
        self.map.stored(at, bytes)
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        // Its error is nobody's: the file is cut to its batches before anything else happens to it.
        let _ = self.settle();
    }
}
