//! What a log knows of each producer: its epoch, its last five batches, its open transaction.
//!
//! Invariants: `check` changes nothing and `apply` refuses nothing, so a batch is judged before it is written and
//! taken into account after it; the state at an offset follows from the batches below it (and from a snapshot of it),
//! so recovery and truncation rebuild it by `clear`, `decode_snapshot`, `apply`. Iteration is in producer id order.

use crate::batch::{Header, add_sequence, control_record};
use crate::command::Origin;
use crate::error::Code;
use std::collections::{BTreeMap, VecDeque};

/// Batches that are remembered for each producer, to know a repeated one again.
const BATCHES_KEPT: usize = 5;
const NO_EPOCH: i16 = -1;
const NO_SEQUENCE: i32 = -1;
const SNAPSHOT_VERSION: i16 = 1;
/// Version, CRC.
const SNAPSHOT_HEAD_BYTES: usize = 6;
const SNAPSHOT_ENTRY_BYTES: usize = 46;

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
        self.batches
            .back()
            .map_or(NO_SEQUENCE, |batch| batch.last_sequence)
    }
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
        let goes_on =
            producer.open_transaction.is_some() && producer.epoch == header.producer_epoch;
        if header.is_transactional() && !goes_on && transaction_version < 0 {
            return Err((
                Code::BadTransactionState,
                format!(
                    "producer {} has no transaction that covers this partition",
                    header.producer_id
                ),
            ));
        }
        if origin == Origin::Client {
            let must_begin = header.is_transactional() && !goes_on && transaction_version >= 2;
            check_sequence(producer, header, must_begin)?;
        }
        if producer.open_transaction.is_some() && !header.is_transactional() {
            return Err((
                Code::BadTransactionState,
                format!(
                    "producer {} writes outside of its open transaction",
                    header.producer_id
                ),
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
        let producer = self
            .producers
            .entry(header.producer_id)
            .or_insert_with(Producer::unknown);
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
            self.open_transactions
                .insert(header.base_offset, header.producer_id);
        }
        None
    }

    fn apply_marker(&mut self, header: &Header, body: &[u8]) -> Option<CompletedTransaction> {
        // An empty control batch is what compaction leaves of a transaction that is gone.
        let marker = parse_marker(header, body).ok()??;
        let producer = self
            .producers
            .entry(header.producer_id)
            .or_insert_with(Producer::unknown);
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
            last_stable_offset: self
                .oldest_open_transaction()
                .unwrap_or(header.next_offset()),
        })
    }

    /// First offset of the oldest open transaction.
    pub fn oldest_open_transaction(&self) -> Option<i64> {
        self.open_transactions.keys().next().copied()
    }

    /// Forgets everything; the caller then loads a snapshot and applies the batches after it.
    pub fn clear(&mut self) {
        self.producers.clear();
        self.open_transactions.clear();
    }

    /// Drops producers whose last batch is `expiration_ms` old or older and that have no open transaction.
    pub fn expire(&mut self, now_ms: i64, expiration_ms: i64) {
        self.producers
            .retain(|_, producer| !is_expired(producer, now_ms, expiration_ms));
    }

    /// The content of a `.snapshot` file.
    pub fn encode_snapshot(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(
            SNAPSHOT_HEAD_BYTES + 4 + self.producers.len() * SNAPSHOT_ENTRY_BYTES,
        );
        bytes.extend_from_slice(&SNAPSHOT_VERSION.to_be_bytes());
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&(self.producers.len() as i32).to_be_bytes());
        for (id, producer) in &self.producers {
            let last = producer.batches.back();
            bytes.extend_from_slice(&id.to_be_bytes());
            bytes.extend_from_slice(&producer.epoch.to_be_bytes());
            bytes.extend_from_slice(&producer.last_sequence().to_be_bytes());
            bytes.extend_from_slice(&last.map_or(-1, |batch| batch.last_offset).to_be_bytes());
            bytes.extend_from_slice(&last.map_or(0, |batch| batch.offset_delta).to_be_bytes());
            bytes.extend_from_slice(&producer.last_timestamp.to_be_bytes());
            bytes.extend_from_slice(&producer.coordinator_epoch.to_be_bytes());
            bytes.extend_from_slice(&producer.open_transaction.unwrap_or(-1).to_be_bytes());
        }
        let crc = crc_fast::crc32_iscsi(&bytes[SNAPSHOT_HEAD_BYTES..]);
        bytes[2..SNAPSHOT_HEAD_BYTES].copy_from_slice(&crc.to_be_bytes());
        bytes
    }

    /// Loads the content of a `.snapshot` file in place of what is known; on an error nothing changes. Expired
    /// producers are left out.
    pub fn decode_snapshot(
        &mut self,
        bytes: &[u8],
        now_ms: i64,
        expiration_ms: i64,
    ) -> Result<(), String> {
        let mut head = Fields { bytes };
        let short = || format!("a producer snapshot of {} bytes is cut short", bytes.len());
        let version = head.i16().ok_or_else(short)?;
        if version != SNAPSHOT_VERSION {
            return Err(format!(
                "a producer snapshot of version {version}; {SNAPSHOT_VERSION} is known"
            ));
        }
        let crc = head.i32().ok_or_else(short)? as u32;
        if crc != crc_fast::crc32_iscsi(head.bytes) {
            return Err("the checksum of a producer snapshot is not that of its bytes".to_owned());
        }
        let count = head.i32().ok_or_else(short)?;
        let mut loaded = ProducerStates::new();
        for _ in 0..count {
            let (id, producer) = head.producer().ok_or_else(short)?;
            if is_expired(&producer, now_ms, expiration_ms) {
                continue;
            }
            if let Some(first_offset) = producer.open_transaction {
                loaded.open_transactions.insert(first_offset, id);
            }
            loaded.producers.insert(id, producer);
        }
        *self = loaded;
        Ok(())
    }
}

fn is_expired(producer: &Producer, now_ms: i64, expiration_ms: i64) -> bool {
    producer.open_transaction.is_none()
        && now_ms.saturating_sub(producer.last_timestamp) >= expiration_ms
}

/// The remembered batch with exactly this epoch and these sequences.
fn find_duplicate<'a>(producer: &'a Producer, header: &Header) -> Option<&'a KeptBatch> {
    if producer.epoch != header.producer_epoch {
        return None;
    }
    let last_sequence = header.last_sequence();
    producer.batches.iter().find(|batch| {
        batch.first_sequence() == header.base_sequence && batch.last_sequence == last_sequence
    })
}

/// `must_begin`: the first batch of a transaction under protocol 2, where a producer without state starts at 0.
fn check_sequence(
    producer: &Producer,
    header: &Header,
    must_begin: bool,
) -> Result<(), (Code, String)> {
    let sequence = header.base_sequence;
    let refuse = |expected: i32| {
        Err((
            Code::OutOfOrderSequence,
            format!(
                "producer {} with epoch {} sent sequence {sequence}, expected {expected}",
                header.producer_id, header.producer_epoch
            ),
        ))
    };
    if must_begin && producer.batches.is_empty() && sequence != 0 {
        return refuse(0);
    }
    // Nothing is known, perhaps because all of its batches were deleted: any sequence will do.
    if producer.epoch == NO_EPOCH {
        return Ok(());
    }
    if header.producer_epoch != producer.epoch {
        return if sequence == 0 { Ok(()) } else { refuse(0) };
    }
    let expected = add_sequence(producer.last_sequence(), 1);
    if sequence == expected {
        Ok(())
    } else {
        refuse(expected)
    }
}

fn check_marker(
    producer: &Producer,
    header: &Header,
    body: &[u8],
    transaction_version: i16,
) -> Result<(), (Code, String)> {
    let Some(marker) = parse_marker(header, body).map_err(|text| (Code::BadRecord, text))? else {
        return Ok(());
    };
    let (epoch, known) = (header.producer_epoch, producer.epoch);
    // Under protocol 2 the coordinator raises the epoch before each marker; the same one again is a marker repeated,
    // harmless when no transaction is open (or when epochs have run out).
    let stale = if transaction_version >= 2 {
        epoch < known || epoch == known && producer.open_transaction.is_some() && epoch != i16::MAX
    } else {
        epoch < known
    };
    if stale {
        return Err((
            Code::StaleProducerEpoch,
            format!(
                "a marker for producer {} has epoch {epoch}, the last one here is {known}",
                header.producer_id
            ),
        ));
    }
    if marker.coordinator_epoch < producer.coordinator_epoch {
        return Err((
            Code::CoordinatorFenced,
            format!(
                "a marker for producer {} comes from coordinator epoch {}, the last one here is {}",
                header.producer_id, marker.coordinator_epoch, producer.coordinator_epoch
            ),
        ));
    }
    Ok(())
}

struct Marker {
    aborted: bool,
    coordinator_epoch: i32,
    timestamp: i64,
}

/// The transaction marker in a control batch; None when the batch is empty.
fn parse_marker(header: &Header, body: &[u8]) -> Result<Option<Marker>, String> {
    if header.count == 0 {
        return Ok(None);
    }
    let (timestamp_delta, key, value) = control_record(header, body)?;
    let mut key = Fields { bytes: &key };
    let kind = key
        .i16()
        .zip(key.i16())
        .filter(|(version, _)| *version >= 0)
        .map(|(_, kind)| kind);
    let aborted = match kind {
        Some(0) => true,
        Some(1) => false,
        other => {
            return Err(format!(
                "a control record of type {other:?} is no transaction marker"
            ));
        }
    };
    let mut value = Fields { bytes: &value };
    let coordinator_epoch = value
        .i16()
        .zip(value.i32())
        .filter(|(version, _)| *version >= 0)
        .ok_or("a transaction marker without a coordinator epoch")?
        .1;
    Ok(Some(Marker {
        aborted,
        coordinator_epoch,
        timestamp: header.timestamp_of(timestamp_delta),
    }))
}

/// Reads big-endian fields.
struct Fields<'a> {
    bytes: &'a [u8],
}

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.bytes.split_first_chunk::<N>()?;
        self.bytes = rest;
        Some(*taken)
    }

    fn i16(&mut self) -> Option<i16> {
        self.take().map(i16::from_be_bytes)
    }

    fn i32(&mut self) -> Option<i32> {
        self.take().map(i32::from_be_bytes)
    }

    fn i64(&mut self) -> Option<i64> {
        self.take().map(i64::from_be_bytes)
    }

    /// One entry of a snapshot: the producer's id and state.
    fn producer(&mut self) -> Option<(i64, Producer)> {
        let id = self.i64()?;
        let epoch = self.i16()?;
        let last_sequence = self.i32()?;
        let last_offset = self.i64()?;
        let offset_delta = self.i32()?;
        let last_timestamp = self.i64()?;
        let coordinator_epoch = self.i32()?;
        let open_transaction = Some(self.i64()?).filter(|offset| *offset >= 0);
        let mut batches = VecDeque::new();
        if last_offset >= 0 {
            batches.push_back(KeptBatch {
                last_sequence,
                last_offset,
                offset_delta,
                timestamp: last_timestamp,
            });
        }
        Some((
            id,
            Producer {
                epoch,
                coordinator_epoch,
                last_timestamp,
                open_transaction,
                batches,
            },
        ))
    }
}
