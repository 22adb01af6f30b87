//! Where each log of a directory stands by its checkpoint files, and which of them are open: one entry a log, however
//! many things are known of it.
//!
//! Invariant: an entry goes when nothing is known of its log and nobody has it open.

use crate::checkpoint;
use crate::directory::future_of;
use std::collections::BTreeMap;
use std::sync::Arc;

/// No such point.
const NONE: i64 = i64::MIN;

/// By folder name (`topic-partition`).
pub type Offsets = BTreeMap<String, i64>;

struct Entry {
    recovery: i64,
    /// As the file on disk has it.
    recovery_on_disk: i64,
    start: i64,
    start_on_disk: i64,
    high_watermark: i64,
    high_watermark_on_disk: i64,
    /// First offset that was not cleaned yet.
    cleaned: i64,
    open: bool,
}

impl Entry {
    fn new() -> Entry {
        Entry {
            recovery: NONE,
            recovery_on_disk: NONE,
            start: NONE,
            start_on_disk: NONE,
            high_watermark: NONE,
            high_watermark_on_disk: NONE,
            cleaned: NONE,
            open: false,
        }
    }

    fn is_empty(&self) -> bool {
        let points = [self.recovery, self.recovery_on_disk, self.start, self.start_on_disk];
        let others = [self.high_watermark, self.high_watermark_on_disk, self.cleaned];
        let mut points = points.into_iter().chain(others);
        !self.open && points.all(|point| point == NONE)
    }
}

/// Which of the checkpoint files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Recovery,
    Start,
    HighWatermark,
    Cleaned,
}

#[derive(Default)]
pub struct Points {
    logs: BTreeMap<Arc<str>, Entry>,
    /// Something changed since the files were written.
    pub changed: bool,
    /// Among it a recovery point.
    pub recovery_changed: bool,
    /// Or how far a log is clean.
    pub cleaned_changed: bool,
}

/// A log on its way from another directory goes by its partition's name, as in Apache Kafka.
fn key(folder: &str) -> &str {
    future_of(folder).unwrap_or(folder)
}

fn some(point: i64) -> Option<i64> {
    (point != NONE).then_some(point)
}

impl Points {
    /// What a file was found to hold.
    pub fn load(&mut self, kind: Kind, offsets: Offsets) {
        for (folder, offset) in offsets {
            let entry = self.logs.entry(Arc::from(folder)).or_insert_with(Entry::new);
            match kind {
                Kind::Recovery => (entry.recovery, entry.recovery_on_disk) = (offset, offset),
                Kind::Start => (entry.start, entry.start_on_disk) = (offset, offset),
                Kind::HighWatermark => (entry.high_watermark, entry.high_watermark_on_disk) = (offset, offset),
                Kind::Cleaned => entry.cleaned = offset,
            }
        }
    }

    pub fn get(&self, kind: Kind, folder: &str) -> Option<i64> {
        let folder = key(folder);
        let entry = self.logs.get(folder)?;
        some(match kind {
            Kind::Recovery => entry.recovery,
            Kind::Start => entry.start,
            Kind::HighWatermark => entry.high_watermark,
            Kind::Cleaned => entry.cleaned,
        })
    }

    /// None takes the point away. True if that is a change.
    pub fn set(&mut self, kind: Kind, folder: &str, offset: Option<i64>) -> bool {
        let folder = key(folder);
        let value = offset.unwrap_or(NONE);
        let Some(entry) = self.logs.get_mut(folder) else {
            if offset.is_some() {
                self.logs.insert(Arc::from(folder), Entry::new());
                return self.set(kind, folder, offset);
            }
            return false;
        };
        let point = match kind {
            Kind::Recovery => &mut entry.recovery,
            Kind::Start => &mut entry.start,
            Kind::HighWatermark => &mut entry.high_watermark,
            Kind::Cleaned => &mut entry.cleaned,
        };
        let moved = std::mem::replace(point, value) != value;
        if entry.is_empty() {
            self.logs.remove(folder);
        }
        self.changed |= moved;
        self.recovery_changed |= moved && kind == Kind::Recovery;
        self.cleaned_changed |= moved && kind == Kind::Cleaned;
        moved
    }

    pub fn recovery_on_disk(&self, folder: &str) -> Option<i64> {
        some(self.logs.get(key(folder))?.recovery_on_disk)
    }

    /// True if the files on disk have a recovery point or a start for which `is` holds.
    pub fn on_disk(&self, folder: &str, is: impl Fn(i64) -> bool) -> bool {
        let Some(entry) = self.logs.get(key(folder)) else { return false };
        some(entry.recovery_on_disk).is_some_and(&is) || some(entry.start_on_disk).is_some_and(&is)
    }

    /// True if the files on disk say anything of the log, or how far it is clean.
    pub fn is_listed(&self, folder: &str) -> bool {
        let Some(entry) = self.logs.get(key(folder)) else { return false };
        let points = [entry.recovery_on_disk, entry.start_on_disk, entry.high_watermark_on_disk, entry.cleaned];
        points.into_iter().any(|point| point != NONE)
    }

    /// The content of a file, as it has to be now.
    pub fn encode(&self, kind: Kind) -> Vec<u8> {
        let offset_of = |entry: &Entry| match kind {
            Kind::Recovery => entry.recovery,
            Kind::Start => entry.start,
            Kind::HighWatermark => entry.high_watermark,
            Kind::Cleaned => entry.cleaned,
        };
        let mut offsets =
            self.logs.iter().filter_map(|(folder, entry)| Some((&**folder, some(offset_of(entry))?))).peekable();
        // All that are empty would have the same checksum, which Apache Kafka's cleaner does not survive.
        if kind == Kind::Cleaned && offsets.peek().is_none() {
            return checkpoint::encode(std::iter::empty());
        }
        checkpoint::encode_offsets(offsets)
    }

    /// What of this kind the file on disk has otherwise; to be given to `written` once it is written.
    pub fn pending(&self, kind: Kind) -> Vec<(Arc<str>, i64)> {
        let differs = |entry: &Entry| match kind {
            Kind::Recovery => (entry.recovery != entry.recovery_on_disk).then_some(entry.recovery),
            Kind::Start => (entry.start != entry.start_on_disk).then_some(entry.start),
            Kind::HighWatermark => {
                (entry.high_watermark != entry.high_watermark_on_disk).then_some(entry.high_watermark)
            }
            Kind::Cleaned => None,
        };
        self.logs.iter().filter_map(|(folder, entry)| Some((folder.clone(), differs(entry)?))).collect()
    }

    pub fn written(&mut self, kind: Kind, pending: Vec<(Arc<str>, i64)>) {
        for (folder, point) in pending {
            let entry = self.logs.entry(folder.clone()).or_insert_with(Entry::new);
            match kind {
                Kind::Recovery => entry.recovery_on_disk = point,
                Kind::Start => entry.start_on_disk = point,
                Kind::HighWatermark => entry.high_watermark_on_disk = point,
                Kind::Cleaned => {}
            }
            if entry.is_empty() {
                self.logs.remove(&folder);
            }
        }
    }

    /// The folder's name, the one that is kept here where there is one.
    pub fn name(&self, folder: &str) -> Arc<str> {
        self.logs.get_key_value(folder).map_or_else(|| Arc::from(folder), |(name, _)| name.clone())
    }

    /// A log is about to be opened. False: it is open already.
    pub fn claim(&mut self, folder: &str) -> bool {
        if let Some(entry) = self.logs.get_mut(folder) {
            return !std::mem::replace(&mut entry.open, true);
        }
        self.logs.insert(Arc::from(folder), Entry { open: true, ..Entry::new() });
        true
    }

    /// It is open no more.
    pub fn release(&mut self, folder: &str) {
        if let Some(entry) = self.logs.get_mut(folder) {
            entry.open = false;
            if entry.is_empty() {
                self.logs.remove(folder);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkpoint::decode_lines;

    #[test]
    fn a_log_is_claimed_once_until_it_is_released() {
        let mut points = Points::default();
        assert!(points.claim("a-0"));
        assert!(!points.claim("a-0"));
        points.release("a-0");
        assert!(points.claim("a-0"));
    }

    #[test]
    fn a_cleaner_file_without_logs_has_no_checksum() {
        let points = Points::default();
        assert_eq!(points.encode(Kind::Cleaned), b"0\n0\n");
        assert!(checkpoint::has_checksum(&points.encode(Kind::HighWatermark)));
    }

    #[test]
    fn what_is_known_of_nothing_leaves_no_entry() {
        let mut points = Points::default();
        points.claim("a-0");
        assert!(points.set(Kind::Recovery, "a-0", Some(3)));
        assert!(!points.set(Kind::Recovery, "a-0", Some(3)));
        let pending = points.pending(Kind::Recovery);
        points.written(Kind::Recovery, pending);
        points.release("a-0");
        assert!(points.set(Kind::Recovery, "a-0", None));
        assert!(points.on_disk("a-0", |_| true));
        let pending = points.pending(Kind::Recovery);
        points.written(Kind::Recovery, pending);
        assert!(points.logs.is_empty());
        assert!(!points.set(Kind::Start, "b-0", None));
        assert!(points.logs.is_empty());
    }

    #[test]
    fn files_list_the_logs_that_have_a_point_in_order() {
        let mut points = Points::default();
        points.set(Kind::HighWatermark, "b-0", Some(2));
        points.set(Kind::HighWatermark, "a-0", Some(1));
        points.set(Kind::Recovery, "a-0", Some(0));
        let lines = |kind| {
            let bytes = points.encode(kind);
            decode_lines(&bytes).unwrap().join("\n")
        };
        assert_eq!(lines(Kind::HighWatermark), "a 0 1\nb 0 2");
        assert_eq!(lines(Kind::Recovery), "a 0 0");
        assert_eq!(lines(Kind::Start), "");
    }
}
