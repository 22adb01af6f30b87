//! Which logs hold their active file open, and whose are closed when they get too many: the descriptors of a process
//! are few, its logs may be many.
//!
//! Invariant: a file with bytes that are not on disk is never closed, since an error of the disk would be told to
//! nobody. So the bound is passed while syncs are under way; at twice the bound the lane waits for them.

use std::collections::BTreeMap;

#[derive(Default)]
pub struct OpenFiles {
    /// By slot, when it was last written to: a count of uses.
    last_used: BTreeMap<u32, u64>,
    uses: u64,
    /// So many have to be open before it is worth while to look for some to close.
    next_look: usize,
}

impl OpenFiles {
    /// The log was written to. True if it is time to close some.
    pub fn used(&mut self, slot: u32, most: usize) -> bool {
        self.uses += 1;
        self.last_used.insert(slot, self.uses);
        self.last_used.len() > most.max(self.next_look)
    }

    /// Its file is closed, or nobody's any more.
    pub fn forget(&mut self, slot: u32) {
        self.last_used.remove(&slot);
    }

    /// Tries to close half of `most` and what is above, beginning with the one not used for the longest time. `close`
    /// says whether it could, and hears whether it has to. True if there are still too many.
    pub fn close(&mut self, most: usize, mut close: impl FnMut(u32, bool) -> bool) -> bool {
        let mut by_age: Vec<(u64, u32)> = self.last_used.iter().map(|(slot, used)| (*used, *slot)).collect();
        by_age.sort_unstable();
        by_age.truncate(by_age.len().saturating_sub(most / 2));
        for (_, slot) in by_age {
            let must = self.last_used.len() > most * 2;
            if close(slot, must) {
                self.last_used.remove(&slot);
            }
        }
        self.next_look = self.last_used.len() + most / 8;
        self.last_used.len() > most
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn the_ones_not_used_for_the_longest_time_are_closed() {
        let mut files = OpenFiles::default();
        for slot in [1, 2, 3, 4, 1] {
            assert!(!files.used(slot, 4));
        }
        assert!(files.used(5, 4));
        let closed = RefCell::new(Vec::new());
        files.close(4, |slot, _| {
            closed.borrow_mut().push(slot);
            true
        });
        assert_eq!(closed.into_inner(), [2, 3, 4]);
    }

    #[test]
    fn at_twice_the_bound_the_oldest_have_to_be_closed() {
        let mut files = OpenFiles::default();
        for slot in 0..20 {
            files.used(slot, 8);
        }
        assert!(files.close(8, |_, must| must));
        assert_eq!(files.last_used.keys().copied().collect::<Vec<_>>(), (4..20).collect::<Vec<_>>());
    }

    #[test]
    fn while_none_can_be_closed_it_is_not_tried_at_each_use() {
        let mut files = OpenFiles::default();
        let mut tries = 0;
        for slot in 0..1000 {
            if files.used(slot, 80) {
                tries += 1;
                files.close(80, |_, _| false);
            }
        }
        assert!(tries <= 920 / 10 + 1, "{tries}");
    }
}
