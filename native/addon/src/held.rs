//! What JavaScript holds by number: frames, pinned reads, staged bytes.
//!
//! Invariants: touched by the JavaScript thread alone; a handle that was released is never followed, also when its
//! place is taken again (22 bits of place, 10 bits of use count). 0 is no handle.

use bytes::Bytes;
use odradek_engine::slice::FileSlice;

const PLACE_BITS: u32 = 22;
const PLACE_MASK: u32 = (1 << PLACE_BITS) - 1;

#[derive(Clone)]
pub enum Held {
    Bytes(Bytes),
    Files(Vec<FileSlice>),
}

#[derive(Default)]
pub struct HeldTable {
    places: Vec<(u32, Option<Held>)>,
    free: Vec<u32>,
}

impl HeldTable {
    pub fn insert(&mut self, held: Held) -> u32 {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push((1, None));
            self.places.len() as u32 - 1
        });
        assert!(place < PLACE_MASK, "more handles are held than can be named");
        let (uses, content) = &mut self.places[place as usize];
        *content = Some(held);
        (*uses << PLACE_BITS) | place
    }

    pub fn get(&self, handle: u32) -> Option<&Held> {
        let (uses, held) = self.places.get((handle & PLACE_MASK) as usize)?;
        if *uses == handle >> PLACE_BITS { held.as_ref() } else { None }
    }

    /// Idempotent; unknown handles are ignored.
    pub fn release(&mut self, handle: u32) {
        if self.get(handle).is_none() {
            return;
        }
        let place = handle & PLACE_MASK;
        let (uses, held) = &mut self.places[place as usize];
        *held = None;
        // Use counts run from 1 to 1023, so that no handle is 0.
        *uses = if *uses == (1 << (32 - PLACE_BITS)) - 1 { 1 } else { *uses + 1 };
        self.free.push(place);
    }

    /// A range of bytes in memory, without copying. None: no such handle or range, or it names files.
    pub fn bytes(&self, handle: u32, position: u32, length: u32) -> Option<Bytes> {
        let Some(Held::Bytes(bytes)) = self.get(handle) else { return None };
        let end = (position as usize).checked_add(length as usize)?;
        (end <= bytes.len()).then(|| bytes.slice(position as usize..end))
    }

    /// Copies from `position` on; returns how many bytes were there. None: no such handle, or reading failed.
    pub fn copy_out(&self, handle: u32, position: u64, into: &mut [u8]) -> Option<usize> {
        match self.get(handle)? {
            Held::Bytes(bytes) => {
                let from = bytes.get(usize::try_from(position).ok()?..).unwrap_or_default();
                let length = from.len().min(into.len());
                into[..length].copy_from_slice(&from[..length]);
                Some(length)
            }
            Held::Files(slices) => {
                let mut skipped = position;
                let mut filled = 0;
                for slice in slices {
                    let length = u64::from(slice.length);
                    if skipped >= length {
                        skipped -= length;
                        continue;
                    }
                    let room = &mut into[filled..];
                    let wanted = (room.len() as u64).min(length - skipped) as usize;
                    odradek_engine::vfs::read_exact_at(
                        slice.file.as_ref(),
                        &mut room[..wanted],
                        slice.position + skipped,
                    )
                    .ok()?;
                    filled += wanted;
                    skipped = 0;
                    if filled == into.len() {
                        break;
                    }
                }
                Some(filled)
            }
        }
    }
}
