//! The aborted transactions whose ABORT marker lies in one segment: 34 bytes an entry. Consumers that read committed
//! records drop the records of these producers.
//!
//! Invariant: entries are in the order of their markers.

pub const ENTRY_BYTES: usize = 34;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTransaction {
    pub producer_id: i64,
    pub first_offset: i64,
    /// Offset of the ABORT marker.
    pub last_offset: i64,
    /// Last stable offset after the marker.
    pub last_stable_offset: i64,
}

pub fn encode(entries: &[AbortedTransaction]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(entries.len() * ENTRY_BYTES);
    for entry in entries {
        bytes.extend(0i16.to_be_bytes());
        for field in [entry.producer_id, entry.first_offset, entry.last_offset, entry.last_stable_offset] {
            bytes.extend(field.to_be_bytes());
        }
    }
    bytes
}

/// The entries up to the first that can't be one: a crash leaves zeros, or a part of an entry, behind those that were
/// synced.
pub fn decode(bytes: &[u8]) -> Vec<AbortedTransaction> {
    let mut entries: Vec<AbortedTransaction> = Vec::new();
    for raw in bytes.chunks_exact(ENTRY_BYTES) {
        let field = |n: usize| i64::from_be_bytes(raw[2 + 8 * n..10 + 8 * n].try_into().expect("eight bytes"));
        let entry = AbortedTransaction {
            producer_id: field(0),
            first_offset: field(1),
            last_offset: field(2),
            last_stable_offset: field(3),
        };
        let ascends = entries.last().is_none_or(|last| entry.last_offset > last.last_offset);
        // The marker comes after a record of its transaction.
        let possible = entry.producer_id >= 0 && (0..entry.last_offset).contains(&entry.first_offset);
        if raw[..2] != [0, 0] || !ascends || !possible {
            break;
        }
        entries.push(entry);
    }
    entries
}

/// Adds those of one segment that overlap `from..upper`; true when no later segment can hold more.
pub fn collect(entries: &[AbortedTransaction], from: i64, upper: i64, into: &mut Vec<(i64, i64)>) -> bool {
    for entry in entries {
        if entry.last_offset >= from && entry.first_offset < upper {
            into.push((entry.producer_id, entry.first_offset));
        }
        if entry.last_stable_offset >= upper {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(producer_id: i64, first_offset: i64, last_offset: i64, last_stable_offset: i64) -> AbortedTransaction {
        AbortedTransaction { producer_id, first_offset, last_offset, last_stable_offset }
    }

    #[test]
    fn entries_read_back_up_to_damage() {
        let entries = vec![entry(7, 0, 10, 11), entry(8, 4, 20, 15)];
        let mut bytes = encode(&entries);
        assert_eq!(bytes.len(), 68);
        assert_eq!(decode(&bytes), entries);
        assert_eq!(decode(&bytes[..67]), entries[..1]);
        bytes.extend([0; 34]);
        assert_eq!(decode(&bytes), entries);
        bytes[35] = 9;
        assert_eq!(decode(&bytes), entries[..1]);
        assert_eq!(decode(&[0; 34]), []);
    }

    #[test]
    fn collect_takes_what_overlaps_and_stops_when_nothing_later_can() {
        let entries = [entry(1, 0, 10, 5), entry(2, 5, 20, 30), entry(3, 40, 50, 51)];
        let mut found = Vec::new();
        assert!(!collect(&entries[..1], 11, 25, &mut found));
        assert!(collect(&entries, 11, 25, &mut found));
        assert_eq!(found, [(2, 5)]);
    }
}
