//! Memory of large frames that are gone, for the large frames to come: mapping pages and having them cleared costs more
//! than reading a frame into them.
//!
//! Invariants: what lies unused is bounded by `KEPT` bytes, and what was unused for a whole `PAUSE` goes back to the
//! system. A frame under way may have memory for its whole declared length only out of the pool, and all such frames
//! together only `LENT` bytes of it: what is received bounds what is held, give or take these constants.
//! Memory comes back on whichever thread drops a frame's last reference.

use crate::memory::Memory;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const KEPT: usize = 32 << 20;
const LENT: usize = 32 << 20;
/// Between two looks for memory that nobody needs.
pub(crate) const PAUSE: Duration = Duration::from_millis(500);

#[derive(Default)]
struct State {
    /// Last returned, first taken: its bytes may still be in a cache.
    unused: Vec<Memory>,
    bytes: usize,
    /// The least that lay unused since the last look.
    least: usize,
    /// Capacity of taken memory whose frame is still under way.
    lent: usize,
}

#[derive(Default)]
pub(crate) struct Pool {
    state: Mutex<State>,
    /// Buffers that exist, used or not.
    alive: AtomicUsize,
}

impl Pool {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Unused memory that holds this many bytes and not many more.
    pub fn take(self: &Arc<Pool>, length: usize) -> Option<Buffer> {
        let mut state = self.state();
        let room = LENT - state.lent;
        let fits = |memory: &Memory| (length..=2 * length).contains(&memory.capacity()) && memory.capacity() <= room;
        let index = state.unused.iter().rposition(fits)?;
        let memory = state.unused.remove(index);
        state.bytes -= memory.capacity();
        state.least = state.least.min(state.bytes);
        state.lent += memory.capacity();
        let lent = memory.capacity();
        Some(Buffer { memory: Some(memory), lent, pool: Arc::clone(self) })
    }

    /// New memory, which will come to the pool.
    pub fn make(self: &Arc<Pool>, capacity: usize) -> Buffer {
        self.alive.fetch_add(1, Ordering::Relaxed);
        Buffer { memory: Some(Memory::new(capacity)), lent: 0, pool: Arc::clone(self) }
    }

    fn give(&self, mut memory: Memory) {
        memory.clear();
        let mut state = self.state();
        if state.bytes + memory.capacity() <= KEPT {
            state.bytes += memory.capacity();
            state.unused.push(memory);
        } else {
            drop(state);
            self.unmap(vec![memory]);
        }
    }

    fn unmap(&self, memory: Vec<Memory>) {
        self.alive.fetch_sub(memory.len(), Ordering::Relaxed);
    }

    /// Whether there is, or will be, something for `trim`.
    pub fn is_used(&self) -> bool {
        self.alive.load(Ordering::Relaxed) > 0
    }

    /// Lets go of what was not needed since the last call.
    pub fn trim(&self) {
        let mut state = self.state();
        let mut surplus = std::mem::replace(&mut state.least, 0);
        let mut count = 0;
        for memory in &state.unused {
            let Some(left) = surplus.checked_sub(memory.capacity()) else { break };
            surplus = left;
            count += 1;
        }
        let dropped: Vec<Memory> = state.unused.drain(..count).collect();
        state.bytes -= dropped.iter().map(Memory::capacity).sum::<usize>();
        state.least = state.bytes;
        drop(state);
        self.unmap(dropped);
    }
}

/// Memory that goes to the pool when it is dropped.
pub(crate) struct Buffer {
    /// None only while it is dropped.
    memory: Option<Memory>,
    lent: usize,
    pool: Arc<Pool>,
}

impl Buffer {
    pub fn memory(&mut self) -> &mut Memory {
        self.memory.as_mut().expect("a buffer has its memory until it is dropped")
    }

    /// Its frame is whole, or given up.
    pub fn settle(&mut self) {
        let lent = std::mem::take(&mut self.lent);
        if lent > 0 {
            self.pool.state().lent -= lent;
        }
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self.memory.as_ref().map_or(&[], Memory::as_ref)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.settle();
        if let Some(memory) = self.memory.take() {
            self.pool.give(memory);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unused(pool: &Arc<Pool>) -> usize {
        pool.state().bytes
    }

    #[test]
    fn lends_what_came_back_if_it_fits_and_keeps_no_more_than_its_bound() {
        let pool = Arc::new(Pool::default());
        assert!(pool.take(1 << 20).is_none());
        let mut made = pool.make(1 << 20);
        made.memory().append(&[1; 100]);
        std::thread::spawn(move || drop(made)).join().unwrap();
        assert!(pool.take((1 << 20) + 1).is_none());
        assert!(pool.take((1 << 19) - 1).is_none());
        let taken = pool.take(1_000_000).unwrap();
        assert_eq!((taken.as_ref().len(), unused(&pool)), (0, 0));
        drop(taken);
        drop((0..40).map(|_| pool.make(1 << 20)).collect::<Vec<_>>());
        assert_eq!(unused(&pool), KEPT);
        assert_eq!(pool.alive.load(Ordering::Relaxed), KEPT >> 20);
    }

    #[test]
    fn lends_frames_under_way_no_more_than_its_bound_however_often_it_is_filled() {
        let pool = Arc::new(Pool::default());
        let mut lent = Vec::new();
        for _ in 0..100 {
            drop(pool.make(1 << 20));
            lent.extend(pool.take(1 << 20));
        }
        assert_eq!(lent.len(), LENT >> 20);
        lent[0].settle();
        assert!(pool.take(1 << 20).is_some());
    }

    #[test]
    fn lets_go_of_what_was_not_needed_for_a_pause_and_of_nothing_else() {
        let pool = Arc::new(Pool::default());
        drop((0..8).map(|_| pool.make(1 << 20)).collect::<Vec<_>>());
        pool.trim();
        let used: Vec<_> = (0..3).map(|_| pool.take(1 << 20).unwrap()).collect();
        drop(used);
        pool.trim();
        assert_eq!(unused(&pool), 3 << 20);
        pool.trim();
        assert_eq!((unused(&pool), pool.is_used()), (0, false));
    }
}
