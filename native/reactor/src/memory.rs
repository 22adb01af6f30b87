//! Memory of one large frame: it grows without being copied (on Linux by moving pages), and goes back to the operating
//! system at once when it is dropped, whatever the allocator would do with it.
//!
//! Invariants: the first `filled` bytes are initialised; nobody but its owner writes to it. Pages that were never
//! written to cost nothing.

use std::mem::MaybeUninit;
use std::ptr::NonNull;

const PAGE: usize = 4096;

pub(crate) struct Memory {
    start: NonNull<u8>,
    capacity: usize,
    filled: usize,
}

// SAFETY: it owns what it points to, like a Vec.
unsafe impl Send for Memory {}
// SAFETY: behind a shared reference it is only read.
unsafe impl Sync for Memory {}

impl Memory {
    /// Room for at least `capacity` bytes, which is not 0. Aborts when there is none, like every allocation.
    pub fn new(capacity: usize) -> Memory {
        let capacity = capacity.next_multiple_of(PAGE);
        Memory { start: pages::map(capacity), capacity, filled: 0 }
    }

    pub fn capacity(&self) -> usize {
        self.capacity
    }

    pub fn filled(&self) -> usize {
        self.filled
    }

    /// What it held is forgotten.
    pub fn clear(&mut self) {
        self.filled = 0;
    }

    pub fn grow(&mut self, capacity: usize) {
        let capacity = capacity.next_multiple_of(PAGE);
        if capacity > self.capacity {
            // SAFETY: `start` came from `map` or `remap` with this capacity, and nothing refers into it.
            self.start = unsafe { pages::remap(self.start, self.capacity, capacity) };
            self.capacity = capacity;
        }
    }

    pub fn spare(&mut self) -> &mut [MaybeUninit<u8>] {
        // SAFETY: the range is ours, and needs no initialisation as MaybeUninit.
        unsafe {
            let first = self.start.as_ptr().add(self.filled).cast();
            std::slice::from_raw_parts_mut(first, self.capacity - self.filled)
        }
    }

    /// # Safety
    /// The first `bytes` bytes of `spare` were initialised.
    pub unsafe fn advance(&mut self, bytes: usize) {
        debug_assert!(bytes <= self.capacity - self.filled);
        self.filled += bytes;
    }

    /// Appends; the room must be there.
    pub fn append(&mut self, bytes: &[u8]) {
        let spare = &mut self.spare()[..bytes.len()];
        // SAFETY: both ranges are as long, and don't overlap; the bytes are initialised by the copy.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), spare.as_mut_ptr().cast(), bytes.len());
            self.advance(bytes.len());
        }
    }
}

impl AsRef<[u8]> for Memory {
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the first `filled` bytes are initialised and ours.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.filled) }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: `start` came from `map` or `remap` with this capacity, and nothing refers into it any more.
        unsafe { pages::unmap(self.start, self.capacity) }
    }
}

#[cfg(target_os = "linux")]
mod pages {
    use std::alloc::{Layout, handle_alloc_error};
    use std::ptr::NonNull;

    fn checked(address: *mut libc::c_void, capacity: usize) -> NonNull<u8> {
        match NonNull::new(address.cast()) {
            Some(start) if address != libc::MAP_FAILED => start,
            _ => handle_alloc_error(Layout::array::<u8>(capacity).unwrap_or(Layout::new::<u8>())),
        }
    }

    pub fn map(capacity: usize) -> NonNull<u8> {
        let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a fresh mapping at an address of the system's choice touches nothing of ours.
        checked(unsafe { libc::mmap(std::ptr::null_mut(), capacity, protection, flags, -1, 0) }, capacity)
    }

    pub unsafe fn remap(start: NonNull<u8>, capacity: usize, wanted: usize) -> NonNull<u8> {
        // SAFETY: the caller's promise.
        checked(unsafe { libc::mremap(start.as_ptr().cast(), capacity, wanted, libc::MREMAP_MAYMOVE) }, wanted)
    }

    pub unsafe fn unmap(start: NonNull<u8>, capacity: usize) {
        // SAFETY: the caller's promise. It fails only for addresses that are no mapping's.
        unsafe { libc::munmap(start.as_ptr().cast(), capacity) };
    }
}

#[cfg(not(target_os = "linux"))]
mod pages {
    use std::alloc::{Layout, alloc, dealloc, handle_alloc_error, realloc};
    use std::ptr::NonNull;

    fn layout(capacity: usize) -> Layout {
        Layout::array::<u8>(capacity).expect("a frame is under 2 GiB")
    }

    pub fn map(capacity: usize) -> NonNull<u8> {
        // SAFETY: the capacity is not 0.
        NonNull::new(unsafe { alloc(layout(capacity)) }).unwrap_or_else(|| handle_alloc_error(layout(capacity)))
    }

    pub unsafe fn remap(start: NonNull<u8>, capacity: usize, wanted: usize) -> NonNull<u8> {
        // SAFETY: the caller's promise.
        let moved = unsafe { realloc(start.as_ptr(), layout(capacity), wanted) };
        NonNull::new(moved).unwrap_or_else(|| handle_alloc_error(layout(wanted)))
    }

    pub unsafe fn unmap(start: NonNull<u8>, capacity: usize) {
        // SAFETY: the caller's promise.
        unsafe { dealloc(start.as_ptr(), layout(capacity)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_its_bytes_when_it_grows_and_forgets_them_when_cleared() {
        let mut memory = Memory::new(10);
        assert_eq!(memory.capacity(), PAGE);
        memory.append(&[7; PAGE]);
        assert!(memory.spare().is_empty());
        memory.grow(3 << 20);
        memory.append(&vec![8; (3 << 20) - PAGE]);
        assert!(memory.as_ref()[..PAGE].iter().all(|byte| *byte == 7));
        assert!(memory.as_ref()[PAGE..].iter().all(|byte| *byte == 8));
        memory.clear();
        assert_eq!((memory.as_ref().len(), memory.capacity()), (0, 3 << 20));
    }
}
