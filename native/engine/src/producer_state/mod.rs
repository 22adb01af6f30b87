//! What a log knows of each producer: its epoch, its last five batches, its open transaction.
//!
//! Invariants: `check` changes nothing and `apply` refuses nothing, so a batch is judged before it is written and
//! taken into account after it; the state at an offset follows from the batches below it (and from a snapshot of it),
//! so recovery and truncation rebuild it by `clear`, `decode_snapshot`, `apply`. Iteration is in producer id order.

mod check;
mod fields;
mod marker;
mod snapshot;

use crate::batch::{Header, add_sequence};
use crate::command::Origin;
use crate::error::Code;
use check::{check_marker, check_sequence, find_duplicate};
use marker::parse_marker;
use std::collections::{BTreeMap, VecDeque};

/// Batches that are remembered for each producer, to know a repeated one again.
const BATCHES_KEPT: usize = 5;
const NO_EPOCH: i16 = -1;
const NO_SEQUENCE: i32 = -1;

/// What `check` found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Append it.
    New,
    /// It is in the log already: answer with where it is, write nothing. `end` is exclusive, `timestamp` the largest
    /// of the batch (which Kafka answers as its log append time).
    Duplicate { base: i64, end: i64, timestamp: i64 },
}

/// A transaction that a marker has closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompletedTransaction {
    pub producer_id: i64,
    pub first_offset: i64,
    /// Offset of the marker.
    pub last_offset: i64,
    pub aborted: bool,
    /// First offset of the oldest transaction still open after it, or the offset after the marker.
    pub last_stable_offset: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct KeptBatch {
    last_sequence: i32,
    last_offset: i64,
    offset_delta: i32,
    timestamp: i64,
}

impl KeptBatch {
    fn first_sequence(&self) -> i32 {
        add_sequence(self.last_sequence, -(self.offset_delta as i64))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Producer {
    epoch: i16,
    /// Epoch of the transaction coordinator that wrote the last marker, or -1.
    coordinator_epoch: i32,
    last_timestamp: i64,
    open_transaction: Option<i64>,
    batches: VecDeque<KeptBatch>,
}

impl Producer {
    fn unknown() -> Producer {
        Producer {
            epoch: NO_EPOCH,
            coordinator_epoch: -1,
            last_timestamp: -1,
            open_transaction: None,
            batches: VecDeque::new(),
        }
    }

    fn set_epoch(&mut self, epoch: i16) {
        if self.epoch != epoch {
            self.batches.clear();
            self.epoch = epoch;
        }
    }

    fn last_sequence(&self) -> i32 {
        self.batches.back().map_or(NO_SEQUENCE, |batch| batch.last_sequence)
    }
}

/// What compaction has to leave of a producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastRecord {
    pub epoch: i16,
    /// Of its last batch; None when only markers are known of it.
    pub offset: Option<i64>,
}

/// The producers of one log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProducerStates {
    producers: BTreeMap<i64, Producer>,
    /// First offset of each open transaction, and whose it is.
    open_transactions: BTreeMap<i64, i64>,
}

impl ProducerStates {
    pub fn new() -> ProducerStates {
        ProducerStates::default()
    }

    /// Judges a batch against what is known; changes nothing. `body` holds the records (a marker's coordinator epoch
    /// stands there). `transaction_version`: of a marker, the protocol it was written under; of a client's or a
    /// coordinator's transactional batch, the protocol under which the transaction coordinator has confirmed that
    /// this partition belongs to the transaction, or -1 when nobody has asked it.
    pub fn check(
        &self,
        header: &Header,
        body: &[u8],
        origin: Origin,
        transaction_version: i16,
    ) -> Result<Verdict, (Code, String)> {
        if !header.has_producer_id() || origin == Origin::Replication {
            return Ok(Verdict::New);
        }
        let unknown = Producer::unknown();
        let producer = self.producers.get(&header.producer_id).unwrap_or(&unknown);
        if header.is_control() {
            check_marker(producer, header, body, transaction_version)?;
            return Ok(Verdict::New);
        }
        if origin == Origin::Client
            && let Some(first) = find_duplicate(producer, header)
        {
            return Ok(Verdict::Duplicate {
                base: first.last_offset.saturating_sub(first.offset_delta as i64),
                end: first.last_offset.saturating_add(1),
                timestamp: first.timestamp,
            });
        }
        if header.producer_epoch < producer.epoch {
            return Err((
                Code::StaleProducerEpoch,
                format!(
                    "producer {} sends with epoch {}, its last one here is {}",
                    header.producer_id, header.producer_epoch, producer.epoch
                ),
            ));
        }
        let goes_on = producer.open_transaction.is_some() && producer.epoch == header.producer_epoch;
        if header.is_transactional() && !goes_on && transaction_version < 0 {
            return Err((
                Code::BadTransactionState,
                format!("producer {} has no transaction that covers this partition", header.producer_id),
            ));
        }
        if origin == Origin::Client {
            let must_begin = header.is_transactional() && !goes_on && transaction_version >= 2;
            check_sequence(producer, header, must_begin)?;
        }
        if producer.open_transaction.is_some() && !header.is_transactional() {
            return Err((
                Code::BadTransactionState,
                format!("producer {} writes outside of its open transaction", header.producer_id),
            ));
        }
        Ok(Verdict::New)
    }

    /// Takes a batch that has been written (or read back in recovery) into account. `header` has its final offset.
    pub fn apply(&mut self, header: &Header, body: &[u8]) -> Option<CompletedTransaction> {
        if !header.has_producer_id() {
            return None;
        }
        if header.is_control() {
            return self.apply_marker(header, body);
        }
        let producer = self.producers.entry(header.producer_id).or_insert_with(Producer::unknown);
        producer.set_epoch(header.producer_epoch);
        if producer.batches.len() == BATCHES_KEPT {
            producer.batches.pop_front();
        }
        producer.batches.push_back(KeptBatch {
            last_sequence: header.last_sequence(),
            last_offset: header.last_offset(),
            offset_delta: header.last_offset_delta,
            timestamp: header.max_timestamp,
        });
        producer.last_timestamp = header.max_timestamp;
        if header.is_transactional() && producer.open_transaction.is_none() {
            producer.open_transaction = Some(header.base_offset);
            self.open_transactions.insert(header.base_offset, header.producer_id);
        }
        None
    }

    fn apply_marker(&mut self, header: &Header, body: &[u8]) -> Option<CompletedTransaction> {
        // An empty control batch is what compaction leaves of a transaction that is gone.
        let marker = parse_marker(header, body).ok()??;
        let producer = self.producers.entry(header.producer_id).or_insert_with(Producer::unknown);
        producer.set_epoch(header.producer_epoch);
        producer.coordinator_epoch = marker.coordinator_epoch;
        producer.last_timestamp = marker.timestamp;
        let first_offset = producer.open_transaction.take()?;
        self.open_transactions.remove(&first_offset);
        Some(CompletedTransaction {
            producer_id: header.producer_id,
            first_offset,
            last_offset: header.base_offset,
            aborted: marker.aborted,
            last_stable_offset: self.oldest_open_transaction().unwrap_or(header.next_offset()),
        })
    }

    /// First offset of the oldest open transaction.
    pub fn oldest_open_transaction(&self) -> Option<i64> {
        self.open_transactions.keys().next().copied()
    }

    /// The last record of each producer.
    pub fn last_records(&self) -> BTreeMap<i64, LastRecord> {
        let last = |producer: &Producer| LastRecord {
            epoch: producer.epoch,
            offset: producer.batches.back().map(|batch| batch.last_offset),
        };
        self.producers.iter().map(|(id, producer)| (*id, last(producer))).collect()
    }

    /// Forgets everything; the caller then loads a snapshot and applies the batches after it.
    pub fn clear(&mut self) {
        self.producers.clear();
        self.open_transactions.clear();
    }

    /// Drops producers whose last batch is `expiration_ms` old or older and that have no open transaction.
    pub fn expire(&mut self, now_ms: i64, expiration_ms: i64) {
        self.producers.retain(|_, producer| !is_expired(producer, now_ms, expiration_ms));
    }
}

fn is_expired(producer: &Producer, now_ms: i64, expiration_ms: i64) -> bool {
    producer.open_transaction.is_none() && now_ms.saturating_sub(producer.last_timestamp) >= expiration_ms
}
