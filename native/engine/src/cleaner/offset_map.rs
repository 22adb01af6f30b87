//! The newest offset of each key in the dirty part of a log, in a table of bounded size. A key is its digest.
//!
//! Invariants: one allocation, made once; when the table is as full as its load factor allows, it takes no new key, and
//! the caller stops where it is. `latest` is the last offset that the table speaks for: everything above stays.

/// The digest of a key.
pub type Digest = [u8; 16];

/// Bytes of one slot: digest and offset.
pub const SLOT_BYTES: u64 = 24;

pub struct OffsetMap {
    /// The offset plus one; zero is a free slot.
    slots: Vec<(Digest, u64)>,
    entries: usize,
    most: usize,
    pub latest: i64,
}

impl OffsetMap {
    /// At most `bytes` of memory, filled up to `load`; no larger than `records` need.
    pub fn new(bytes: u64, load: f64, records: u64) -> OffsetMap {
        let load = if load > 0.0 && load <= 1.0 { load } else { 1.0 };
        // One slot stays free, so that a search for a key that is not there ends.
        let enough = (records as f64 / load) as u64 + 2;
        let slots = (bytes / SLOT_BYTES).clamp(2, enough.max(2)) as usize;
        let most = ((slots as f64 * load) as usize).clamp(1, slots - 1);
        OffsetMap { slots: vec![([0; 16], 0); slots], entries: 0, most, latest: -1 }
    }

    pub fn len(&self) -> usize {
        self.entries
    }

    /// False, and nothing is taken, when the table is full.
    pub fn put(&mut self, key: &Digest, offset: i64) -> bool {
        if self.entries >= self.most {
            return false;
        }
        let at = self.find(key);
        if self.slots[at].1 == 0 {
            self.slots[at].0 = *key;
            self.entries += 1;
        }
        self.slots[at].1 = offset as u64 + 1;
        self.latest = offset;
        true
    }

    /// The newest offset of the key; -1 when it is not there.
    pub fn get(&self, key: &Digest) -> i64 {
        self.slots[self.find(key)].1 as i64 - 1
    }

    /// The slot of the key, or the free one where it would stand.
    fn find(&self, key: &Digest) -> usize {
        let start = u64::from_be_bytes(key[..8].try_into().expect("eight bytes"));
        let mut at = (start % self.slots.len() as u64) as usize;
        while self.slots[at].1 != 0 && self.slots[at].0 != *key {
            at = if at + 1 == self.slots.len() { 0 } else { at + 1 };
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u64) -> Digest {
        // All begin in the same slot.
        let mut key = [0; 16];
        key[8..].copy_from_slice(&n.to_be_bytes());
        key
    }

    #[test]
    fn the_newest_offset_of_a_key_counts() {
        let mut map = OffsetMap::new(1 << 20, 0.9, 1 << 30);
        for (n, offset) in [(1, 0), (2, 1), (1, 5), (3, 6)] {
            assert!(map.put(&key(n), offset));
        }
        assert_eq!((map.get(&key(1)), map.get(&key(2)), map.get(&key(3)), map.get(&key(4))), (5, 1, 6, -1));
        assert_eq!((map.len(), map.latest), (3, 6));
    }

    #[test]
    fn a_full_table_takes_nothing_and_still_answers() {
        let mut map = OffsetMap::new(10 * SLOT_BYTES, 0.5, 1 << 30);
        for n in 0..5 {
            assert!(map.put(&key(n), n as i64));
        }
        assert!(!map.put(&key(5), 5));
        assert_eq!((map.get(&key(5)), map.get(&key(4)), map.latest), (-1, 4, 4));
    }

    #[test]
    fn a_table_for_few_records_is_small_and_never_full() {
        let mut map = OffsetMap::new(128 << 20, 0.9, 3);
        assert!(map.slots.len() < 10);
        assert!((0..3).all(|n| map.put(&key(n), n as i64)));
    }

    #[test]
    fn the_least_table_takes_one_key() {
        let mut map = OffsetMap::new(0, 0.9, 100);
        assert!(map.put(&key(1), 1));
        assert!(!map.put(&key(2), 2));
        assert_eq!((map.get(&key(1)), map.get(&key(2))), (1, -1));
    }
}
