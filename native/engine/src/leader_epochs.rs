//! Where each leader epoch of a log begins. Answers where an epoch ends, which is how replicas and consumers find out
//! that they diverged.
//!
//! Invariant: epochs and start offsets both strictly ascend.

use crate::checkpoint;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEntry {
    pub epoch: i32,
    pub start: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaderEpochs {
    entries: Vec<EpochEntry>,
}

impl LeaderEpochs {
    /// Takes the entries in order, dropping those that a later one contradicts.
    pub fn from_entries(entries: impl IntoIterator<Item = EpochEntry>) -> LeaderEpochs {
        let mut epochs = LeaderEpochs::default();
        for entry in entries {
            epochs.assign(entry.epoch, entry.start);
        }
        epochs
    }

    pub fn entries(&self) -> &[EpochEntry] {
        &self.entries
    }

    /// The epoch of the batch that holds this offset; None where that is not known.
    pub fn at(&self, offset: i64) -> Option<i32> {
        let above = self.entries.partition_point(|entry| entry.start <= offset);
        above.checked_sub(1).map(|at| self.entries[at].epoch)
    }

    /// The last epoch, or -1.
    pub fn latest(&self) -> i32 {
        self.entries.last().map_or(-1, |entry| entry.epoch)
    }

    /// Begins an epoch. Entries that contradict it (a later epoch or start) go; true if anything changed.
    pub fn assign(&mut self, epoch: i32, start: i64) -> bool {
        let entry = EpochEntry { epoch, start };
        if epoch < 0 || start < 0 || self.entries.last() == Some(&entry) {
            return false;
        }
        self.entries.retain(|old| old.epoch < epoch && old.start < start);
        if self.entries.is_empty() {
            // Most logs never have another.
            self.entries.reserve_exact(1);
        }
        self.entries.push(entry);
        true
    }

    /// As Kafka answers OffsetsForLeaderEpoch: the epoch that is known at or below the one asked for, and the offset
    /// after its last record. (-1, -1) when there is none.
    pub fn end_offset_for(&self, epoch: i32, log_end: i64) -> (i32, i64) {
        if epoch < 0 {
            return (-1, -1);
        }
        if self.latest() == epoch {
            return (epoch, log_end);
        }
        let above = self.entries.partition_point(|entry| entry.epoch <= epoch);
        match (above.checked_sub(1).map(|at| self.entries[at]), self.entries.get(above)) {
            (_, None) => (-1, -1),
            (None, Some(next)) => (epoch, next.start),
            (Some(floor), Some(next)) => (floor.epoch, next.start),
        }
    }

    /// Forgets epochs that begin at or after `end`; true if anything changed.
    pub fn truncate_from_end(&mut self, end: i64) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.start < end);
        before != self.entries.len()
    }

    /// The epoch that holds `start` begins there now; earlier ones go. True if anything changed.
    pub fn truncate_from_start(&mut self, start: i64) -> bool {
        let at_or_below = self.entries.partition_point(|entry| entry.start <= start);
        if at_or_below == 0 || (at_or_below == 1 && self.entries[0].start == start) {
            return false;
        }
        self.entries.drain(..at_or_below - 1);
        self.entries[0].start = start;
        true
    }

    /// The content of `leader-epoch-checkpoint`.
    pub fn encode(&self) -> Vec<u8> {
        checkpoint::encode(self.entries.iter().map(|entry| format!("{} {}", entry.epoch, entry.start)))
    }

    pub fn decode(bytes: &[u8]) -> Result<LeaderEpochs, String> {
        let lines = checkpoint::decode(bytes)?;
        let mut entries = Vec::with_capacity(lines.len());
        for line in lines {
            let (epoch, start) = line.split_once(' ').ok_or_else(|| format!("no epoch and offset in line {line:?}"))?;
            match (epoch.parse(), start.parse()) {
                (Ok(epoch), Ok(start)) => entries.push(EpochEntry { epoch, start }),
                _ => return Err(format!("no epoch and offset in line {line:?}")),
            }
        }
        Ok(LeaderEpochs::from_entries(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(entries: &[(i32, i64)]) -> LeaderEpochs {
        LeaderEpochs::from_entries(entries.iter().map(|&(epoch, start)| EpochEntry { epoch, start }))
    }

    #[test]
    fn assign_drops_entries_that_the_new_one_contradicts() {
        let mut known = epochs(&[(1, 0), (3, 10), (5, 20)]);
        assert!(known.assign(6, 15));
        assert_eq!(known, epochs(&[(1, 0), (3, 10), (6, 15)]));
        assert!(!known.assign(6, 15));
        assert!(!known.assign(-1, 30));
    }

    #[test]
    fn the_end_of_an_epoch_is_the_start_of_the_next_one() {
        let known = epochs(&[(2, 5), (4, 11), (9, 30)]);
        assert_eq!(known.end_offset_for(9, 77), (9, 77));
        assert_eq!(known.end_offset_for(4, 77), (4, 30));
        assert_eq!(known.end_offset_for(5, 77), (4, 30));
        assert_eq!(known.end_offset_for(1, 77), (1, 5));
        assert_eq!(known.end_offset_for(10, 77), (-1, -1));
        assert_eq!(known.end_offset_for(-1, 77), (-1, -1));
    }

    #[test]
    fn truncation_keeps_the_epoch_that_holds_the_new_bound() {
        let mut known = epochs(&[(2, 5), (4, 11), (9, 30)]);
        assert!(known.truncate_from_end(30));
        assert_eq!(known.latest(), 4);
        assert!(known.truncate_from_start(20));
        assert_eq!(known, epochs(&[(4, 20)]));
        assert!(!known.truncate_from_start(20));
        assert!(!known.truncate_from_start(3));
    }

    #[test]
    fn the_checkpoint_reads_back_and_has_kafkas_lines() {
        let known = epochs(&[(0, 0), (7, 123)]);
        assert_eq!(known.encode(), b"0\n2\n0 0\n7 123\n");
        assert_eq!(LeaderEpochs::decode(&known.encode()), Ok(known));
        assert_eq!(LeaderEpochs::decode(b""), Ok(LeaderEpochs::default()));
        assert!(LeaderEpochs::decode(b"0\n2\n0 0\n").is_err());
        assert!(LeaderEpochs::decode(b"1\n0\n").is_err());
    }
}
