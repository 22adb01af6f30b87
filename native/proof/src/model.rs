//! What somebody who drives a log knows of it: every batch that ever stood at an offset, and how much of it was
//! acknowledged as on disk. Cheap to clone: images keep what was known when they were taken.

use odradek_engine::batch::{Header, attributes};
use odradek_engine::config::LogConfig;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One batch as it has to stand in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    pub header: Header,
    /// With its offset and leader epoch.
    pub bytes: Arc<[u8]>,
    /// Of a marker: whether it commits.
    pub commits: Option<bool>,
    /// Of its only record, where a script gave it one to be compacted by.
    pub key: Option<u8>,
}

impl Batch {
    /// `bytes` as they were handed in, stamped as the engine stamps them.
    pub fn stamped(mut bytes: Vec<u8>, base: i64, leader_epoch: i32, commits: Option<bool>) -> Batch {
        bytes[..8].copy_from_slice(&base.to_be_bytes());
        bytes[12..16].copy_from_slice(&leader_epoch.to_be_bytes());
        let header = Header::read(&bytes).expect("a whole batch");
        Batch { header, bytes: bytes.into(), commits, key: None }
    }

    pub fn base(&self) -> i64 {
        self.header.base_offset
    }

    pub fn end(&self) -> i64 {
        self.header.next_offset()
    }
}

/// Whether the log is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Its creation was not answered: it may be there.
    Asked,
    There,
    /// Its deletion was not answered: it is there as a whole, or gone.
    Going,
    Gone,
}

#[derive(Clone, Debug)]
pub struct Known {
    pub name: String,
    pub config: LogConfig,
    pub presence: Presence,
    /// Everything below is on disk, by what the engine has said.
    pub synced: i64,
    pub end: i64,
    /// The least that the start can be: answered and on disk.
    pub start: i64,
    /// The most that was asked for.
    pub start_asked: i64,
    /// The highest that was ever told, or -1.
    pub high_watermark: i64,
    /// Compaction may have taken superseded batches below it.
    pub cleaned: i64,
    /// The highest leader epoch that was ever asked for.
    pub epoch: i32,
    /// All that ever stood at a base offset, the newest last.
    pub ever: Arc<BTreeMap<i64, Vec<Batch>>>,
}

impl Known {
    pub fn new(name: &str, config: &LogConfig) -> Known {
        Known {
            name: name.to_string(),
            config: config.clone(),
            presence: Presence::Asked,
            synced: 0,
            end: 0,
            start: 0,
            start_asked: 0,
            high_watermark: -1,
            cleaned: 0,
            epoch: 0,
            ever: Arc::default(),
        }
    }

    /// A batch is about to be appended: a crash in the middle may leave it.
    pub fn may_hold(&mut self, batch: Batch) {
        Arc::make_mut(&mut self.ever).entry(batch.base()).or_default().push(batch);
    }

    /// What was cut stays away once the cut is answered.
    pub fn cut(&mut self, end: i64) {
        self.end = end;
        Arc::make_mut(&mut self.ever).retain(|base, _| *base < end);
    }

    /// The newest batches from the one that holds `from` on, one after the other.
    pub fn line(&self, from: i64) -> Vec<&Batch> {
        let mut line: Vec<&Batch> = Vec::new();
        let newest = self.ever.values().filter_map(|ever| ever.last());
        for batch in newest.filter(|batch| batch.end() > from) {
            if line.last().is_none_or(|last| last.end() == batch.base()) {
                line.push(batch);
            }
        }
        line
    }

    /// Of the batches from `from` to `to`, the first that may not be missing beside those that are held: compaction
    /// takes a batch when a later one has its key.
    pub fn missing(&self, from: i64, to: i64, held: &[Batch]) -> Option<&Batch> {
        let key_at = |base: i64| self.ever.get(&base).and_then(|ever| ever.last()).and_then(|batch| batch.key);
        let superseded = |batch: &Batch| {
            let is_later = |later: &Batch| later.base() > batch.base() && key_at(later.base()) == batch.key;
            batch.end() <= self.cleaned && batch.key.is_some() && held.iter().any(is_later)
        };
        self.line(0).into_iter().find(|batch| batch.end() > from && batch.base() < to && !superseded(batch))
    }

    /// Where a truncation to `offset` cuts: batches go as a whole.
    pub fn cut_at(&self, offset: i64) -> i64 {
        self.line(0).iter().find(|batch| batch.base() <= offset && offset < batch.end()).map_or(offset, |b| b.base())
    }
}

/// A transaction that was aborted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aborted {
    pub producer_id: i64,
    pub first: i64,
    pub last: i64,
}

/// What follows from the batches of a log.
#[derive(Debug, Default)]
pub struct Replay {
    /// The last batch of each producer.
    pub last: BTreeMap<i64, Header>,
    /// First offset of the open transaction of each producer.
    pub open: BTreeMap<i64, i64>,
    pub aborted: Vec<Aborted>,
}

impl Replay {
    pub fn of<'a>(batches: impl Iterator<Item = &'a Batch>) -> Replay {
        let mut replay = Replay::default();
        for batch in batches.filter(|batch| batch.header.has_producer_id()) {
            let (header, id) = (batch.header, batch.header.producer_id);
            if let Some(commits) = batch.commits {
                if let Some(first) = replay.open.remove(&id).filter(|_| !commits) {
                    replay.aborted.push(Aborted { producer_id: id, first, last: header.last_offset() });
                }
            } else {
                if header.attributes & attributes::TRANSACTIONAL != 0 {
                    replay.open.entry(id).or_insert(header.base_offset);
                }
                replay.last.insert(id, header);
            }
        }
        replay
    }

    pub fn oldest_open(&self) -> i64 {
        self.open.values().copied().min().unwrap_or(-1)
    }
}
