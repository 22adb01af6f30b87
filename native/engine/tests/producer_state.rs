//! Producers and transactions of one log. Idempotent sequences are compared with Apache Kafka's answers in
//! `vectors.rs`; here stand transactions, snapshots, expiry and rebuilding.

use odradek_engine::batch::{BatchBuilder, HEADER_BYTES, Header, attributes, marker};
use odradek_engine::command::Origin;
use odradek_engine::error::Code;
use odradek_engine::producer_state::{CompletedTransaction, ProducerStates, Verdict};
use proptest::prelude::*;

const VERIFIED: i16 = 1;
const NOT_VERIFIED: i16 = -1;

/// A log that keeps only its producers' state: checks, gives offsets, applies.
#[derive(Default)]
struct Log {
    states: ProducerStates,
    end: i64,
    batches: Vec<Vec<u8>>,
}

impl Log {
    fn append(&mut self, mut batch: Vec<u8>, origin: Origin, version: i16) -> Result<Outcome, Code> {
        let header = Header::read(&batch).expect("a header");
        let verdict = self.states.check(&header, &batch[HEADER_BYTES..], origin, version).map_err(|(code, text)| {
            assert!(!text.is_empty());
            code
        })?;
        if let Verdict::Duplicate { base, end, .. } = verdict {
            return Ok(Outcome::Duplicate(base, end));
        }
        batch[..8].copy_from_slice(&self.end.to_be_bytes());
        let completed = self.replay(&batch);
        self.batches.push(batch);
        Ok(completed.map_or(Outcome::Written, Outcome::Completed))
    }

    fn replay(&mut self, batch: &[u8]) -> Option<CompletedTransaction> {
        let header = Header::read(batch).expect("a header");
        self.end = header.next_offset();
        self.states.apply(&header, &batch[HEADER_BYTES..])
    }

    fn write(&mut self, id: i64, epoch: i16, sequence: i32) -> Result<Outcome, Code> {
        self.append(data(id, epoch, sequence, 0), Origin::Client, NOT_VERIFIED)
    }

    fn write_in_transaction(&mut self, id: i64, epoch: i16, sequence: i32, version: i16) -> Result<Outcome, Code> {
        self.append(data(id, epoch, sequence, attributes::TRANSACTIONAL), Origin::Client, version)
    }

    fn mark(&mut self, id: i64, epoch: i16, commit: bool, coordinator: i32, version: i16) -> Result<Outcome, Code> {
        self.append(marker(id, epoch, commit, coordinator, 5000), Origin::Marker, version)
    }
}

#[derive(Debug, PartialEq)]
enum Outcome {
    Written,
    Duplicate(i64, i64),
    Completed(CompletedTransaction),
}

fn data(id: i64, epoch: i16, sequence: i32, bits: i16) -> Vec<u8> {
    BatchBuilder::new()
        .producer(id, epoch, sequence)
        .attributes(bits)
        .record(1000, None, Some(b"a"))
        .record(1001, None, Some(b"b"))
        .build()
}

#[test]
fn a_transaction_is_open_from_its_first_batch_to_its_marker() {
    let mut log = Log::default();
    assert_eq!(log.write(1, 0, 0), Ok(Outcome::Written));
    assert_eq!(log.states.oldest_open_transaction(), None);
    assert_eq!(log.write_in_transaction(2, 0, 0, VERIFIED), Ok(Outcome::Written));
    assert_eq!(log.write_in_transaction(3, 0, 0, VERIFIED), Ok(Outcome::Written));
    assert_eq!(log.write_in_transaction(2, 0, 2, NOT_VERIFIED), Ok(Outcome::Written));
    assert_eq!(log.states.oldest_open_transaction(), Some(2));
    assert_eq!(
        log.mark(2, 0, false, 4, 1),
        Ok(Outcome::Completed(CompletedTransaction {
            producer_id: 2,
            first_offset: 2,
            last_offset: 8,
            aborted: true,
            last_stable_offset: 4,
        }))
    );
    assert_eq!(log.states.oldest_open_transaction(), Some(4));
    assert_eq!(
        log.mark(3, 0, true, 4, 1),
        Ok(Outcome::Completed(CompletedTransaction {
            producer_id: 3,
            first_offset: 4,
            last_offset: 9,
            aborted: false,
            last_stable_offset: 10,
        }))
    );
    assert_eq!(log.states.oldest_open_transaction(), None);
    // A marker that closes nothing says so.
    assert_eq!(log.mark(3, 0, true, 4, 1), Ok(Outcome::Written));
}

#[test]
fn a_transaction_that_the_coordinator_has_not_confirmed_is_refused() {
    let mut log = Log::default();
    assert_eq!(log.write_in_transaction(1, 0, 0, NOT_VERIFIED), Err(Code::BadTransactionState));
    assert_eq!(log.write_in_transaction(1, 0, 0, VERIFIED), Ok(Outcome::Written));
    assert_eq!(log.mark(1, 0, true, 0, 1), Ok(completed(1, 0, 2)));
    assert_eq!(log.write_in_transaction(1, 0, 2, NOT_VERIFIED), Err(Code::BadTransactionState));
    assert_eq!(log.write_in_transaction(1, 0, 2, VERIFIED), Ok(Outcome::Written));
}

fn completed(producer_id: i64, first_offset: i64, last_offset: i64) -> Outcome {
    Outcome::Completed(CompletedTransaction {
        producer_id,
        first_offset,
        last_offset,
        aborted: false,
        last_stable_offset: last_offset + 1,
    })
}

#[test]
fn a_batch_outside_of_the_open_transaction_is_refused() {
    let mut log = Log::default();
    assert_eq!(log.write_in_transaction(1, 0, 0, VERIFIED), Ok(Outcome::Written));
    assert_eq!(log.write(1, 0, 2), Err(Code::BadTransactionState));
    assert_eq!(log.write(1, 0, 9), Err(Code::OutOfOrderSequence));
    // The same batch again is a duplicate all the same.
    assert_eq!(log.write_in_transaction(1, 0, 0, NOT_VERIFIED), Ok(Outcome::Duplicate(0, 2)));
}

#[test]
fn a_stale_epoch_is_refused_before_anything_else() {
    let mut log = Log::default();
    assert_eq!(log.write(1, 3, 0), Ok(Outcome::Written));
    assert_eq!(log.write_in_transaction(1, 2, 0, NOT_VERIFIED), Err(Code::StaleProducerEpoch));
    assert_eq!(log.write(1, 2, 0), Err(Code::StaleProducerEpoch));
    assert_eq!(log.append(data(1, 2, -1, 0), Origin::Coordinator, NOT_VERIFIED), Err(Code::StaleProducerEpoch));
    assert_eq!(log.mark(1, 2, true, 0, 1), Err(Code::StaleProducerEpoch));
    // A replica takes what its leader has taken.
    assert_eq!(log.append(data(1, 2, 0, 0), Origin::Replication, NOT_VERIFIED), Ok(Outcome::Written));
}

#[test]
fn a_marker_of_protocol_1_may_keep_the_epoch_and_one_of_protocol_2_must_raise_it() {
    let mut log = Log::default();
    assert_eq!(log.write_in_transaction(1, 3, 0, 1), Ok(Outcome::Written));
    assert_eq!(log.mark(1, 3, true, 0, 2), Err(Code::StaleProducerEpoch));
    assert_eq!(log.mark(1, 4, true, 0, 2), Ok(completed(1, 0, 2)));
    // The same marker once more, when its answer was lost: written again, harmless.
    assert_eq!(log.mark(1, 4, true, 0, 2), Ok(Outcome::Written));
    assert_eq!(log.mark(1, 3, true, 0, 2), Err(Code::StaleProducerEpoch));
    assert_eq!(log.mark(1, 4, true, 0, 1), Ok(Outcome::Written));
    // The epoch is new, so the sequence begins anew.
    assert_eq!(log.write_in_transaction(1, 4, 2, 2), Err(Code::OutOfOrderSequence));
    assert_eq!(log.write_in_transaction(1, 4, 0, 2), Ok(Outcome::Written));
}

#[test]
fn a_marker_of_protocol_2_passes_with_the_last_epoch_there_is() {
    let mut log = Log::default();
    assert_eq!(log.write_in_transaction(1, i16::MAX, 0, 2), Ok(Outcome::Written));
    assert_eq!(log.mark(1, i16::MAX, true, 0, 2), Ok(completed(1, 0, 2)));
}

#[test]
fn a_producer_of_protocol_2_without_state_begins_at_sequence_0() {
    let mut log = Log::default();
    assert_eq!(log.write_in_transaction(1, 0, 5, 2), Err(Code::OutOfOrderSequence));
    assert_eq!(log.write_in_transaction(1, 0, 5, 1), Ok(Outcome::Written));
    assert_eq!(log.write_in_transaction(2, 0, 0, 2), Ok(Outcome::Written));
}

#[test]
fn a_marker_of_an_older_coordinator_is_fenced() {
    let mut log = Log::default();
    assert_eq!(log.mark(1, 0, true, 7, 1), Ok(Outcome::Written));
    assert_eq!(log.mark(1, 0, true, 6, 1), Err(Code::CoordinatorFenced));
    assert_eq!(log.mark(1, 0, true, 7, 1), Ok(Outcome::Written));
    assert_eq!(log.mark(1, 0, true, 8, 1), Ok(Outcome::Written));
}

#[test]
fn a_coordinator_writes_without_sequences() {
    let mut log = Log::default();
    for _ in 0..3 {
        let batch = data(1, 0, -1, attributes::TRANSACTIONAL);
        assert_eq!(log.append(batch, Origin::Coordinator, VERIFIED), Ok(Outcome::Written));
    }
    assert_eq!(log.states.oldest_open_transaction(), Some(0));
    let batch = data(2, 0, -1, attributes::TRANSACTIONAL);
    assert_eq!(log.append(batch, Origin::Coordinator, NOT_VERIFIED), Err(Code::BadTransactionState));
}

#[test]
fn a_control_batch_that_is_no_marker_is_refused() {
    let mut log = Log::default();
    for key in [&b"\0\0\0\x02"[..], b"\0\0", b""] {
        let batch = BatchBuilder::new()
            .producer(1, 0, -1)
            .attributes(attributes::CONTROL | attributes::TRANSACTIONAL)
            .record(0, Some(key), Some(&[0; 6]))
            .build();
        assert_eq!(log.append(batch, Origin::Marker, 1), Err(Code::BadRecord), "{key:?}");
    }
    let without_epoch = BatchBuilder::new()
        .producer(1, 0, -1)
        .attributes(attributes::CONTROL | attributes::TRANSACTIONAL)
        .record(0, Some(b"\0\0\0\x01"), Some(&[0; 3]))
        .build();
    assert_eq!(log.append(without_epoch, Origin::Marker, 1), Err(Code::BadRecord));
}

#[test]
fn a_producer_expires_by_its_last_timestamp_unless_its_transaction_is_open() {
    let mut log = Log::default();
    assert_eq!(log.write(1, 0, 0), Ok(Outcome::Written));
    assert_eq!(log.write_in_transaction(2, 0, 0, VERIFIED), Ok(Outcome::Written));
    log.states.expire(1000 + 500, 500);
    assert_eq!(log.write(1, 0, 0), Ok(Outcome::Duplicate(0, 2)));
    log.states.expire(1001 + 500, 500);
    // Nothing is known of it any more: any sequence will do.
    assert_eq!(log.write(1, 0, 40), Ok(Outcome::Written));
    assert_eq!(log.write_in_transaction(2, 0, 2, NOT_VERIFIED), Ok(Outcome::Written));

    // A marker counts as a batch of its own time.
    assert_eq!(log.mark(3, 0, true, 0, 1), Ok(Outcome::Written));
    log.states.expire(5000 + 499, 500);
    assert_eq!(log.mark(3, -1, true, 0, 1), Err(Code::StaleProducerEpoch));
    log.states.expire(5000 + 500, 500);
    assert_eq!(log.mark(3, -1, true, 0, 1), Ok(Outcome::Written));

    let snapshot = log.states.encode_snapshot();
    let mut loaded = ProducerStates::new();
    loaded.decode_snapshot(&snapshot, 1001 + 500, 500).expect("it is whole");
    assert_eq!(loaded.oldest_open_transaction(), Some(2));
    let mut expected = log.states.clone();
    expected.expire(1001 + 500, 500);
    assert_eq!(loaded.encode_snapshot(), expected.encode_snapshot());
}

/// As after a crash: all five that were in flight are in the log, and none was answered.
#[test]
fn batches_that_a_snapshot_has_forgotten_are_known_to_be_repeated() {
    let mut log = Log::default();
    for sequence in [i32::MAX - 5, i32::MAX - 3, i32::MAX - 1, 0, 2] {
        assert_eq!(log.write(1, 0, sequence), Ok(Outcome::Written));
    }
    let mut loaded = Log { end: log.end, ..Log::default() };
    loaded.states.decode_snapshot(&log.states.encode_snapshot(), 0, i64::MAX).expect("it is whole");
    for sequence in [i32::MAX - 5, i32::MAX - 3, i32::MAX - 1, 0] {
        assert_eq!(loaded.write(1, 0, sequence), Err(Code::DuplicateSequence), "{sequence}");
    }
    assert_eq!(loaded.write(1, 0, 2), Ok(Outcome::Duplicate(8, 10)));
    assert_eq!(loaded.write(1, 0, 1), Err(Code::OutOfOrderSequence), "half of what is known");
    assert_eq!(loaded.write(1, 0, 6), Err(Code::OutOfOrderSequence));
    assert_eq!(loaded.write(1, 0, 4), Ok(Outcome::Written));
    assert_eq!(loaded.write(1, 0, 0), Err(Code::DuplicateSequence));
    // Once the five are known again, what is older is no repetition of something in flight.
    for sequence in [6, 8, 10, 12] {
        assert_eq!(loaded.write(1, 0, sequence), Ok(Outcome::Written));
    }
    assert_eq!(loaded.write(1, 0, 2), Err(Code::OutOfOrderSequence));
    // Of another epoch nothing was forgotten.
    assert_eq!(loaded.write(1, 1, 0), Ok(Outcome::Written));
    assert_eq!(loaded.write(1, 1, i32::MAX - 1), Err(Code::OutOfOrderSequence));
}

#[test]
fn a_damaged_snapshot_is_refused_and_changes_nothing() {
    let mut log = Log::default();
    assert_eq!(log.write_in_transaction(9, 2, 7, VERIFIED), Ok(Outcome::Written));
    let whole = log.states.encode_snapshot();
    let before = log.states.clone();
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        assert!(log.states.decode_snapshot(&damaged, 0, i64::MAX).is_err(), "byte {at}");
        assert!(log.states.decode_snapshot(&whole[..at], 0, i64::MAX).is_err(), "{at} bytes");
    }
    // A count that promises more than there is, under a checksum that fits.
    let mut counted = whole.clone();
    counted[6..10].copy_from_slice(&i32::MAX.to_be_bytes());
    let crc = crc32c::crc32c(&counted[6..]);
    counted[2..6].copy_from_slice(&crc.to_be_bytes());
    assert!(log.states.decode_snapshot(&counted, 0, i64::MAX).is_err());
    assert_eq!(log.states, before);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// What recovery relies on: a snapshot at any offset, with the batches after it applied, leads to the state that
    /// all batches lead to (but for the older ones of the five that a snapshot leaves out).
    #[test]
    fn a_snapshot_and_the_batches_after_it_give_the_same_state(
        steps in prop::collection::vec((1i64..4, 0i16..3, any::<bool>(), 0u8..5), 1..40),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut log = Log::default();
        let mut next = std::collections::BTreeMap::new();
        for (id, epoch, transactional, kind) in steps {
            if kind == 0 {
                let _ = log.mark(id, epoch, transactional, 0, 1);
            } else {
                let sequence = next.entry((id, epoch)).or_insert(0);
                let bits = if transactional { attributes::TRANSACTIONAL } else { 0 };
                if log.append(data(id, epoch, *sequence, bits), Origin::Client, VERIFIED) == Ok(Outcome::Written) {
                    *sequence += 2;
                }
            }
        }
        let cut = cut.index(log.batches.len() + 1);
        let mut before = Log::default();
        for batch in &log.batches[..cut] {
            before.replay(batch);
        }
        let mut rebuilt = Log::default();
        rebuilt.states.decode_snapshot(&before.states.encode_snapshot(), 0, i64::MAX).expect("it is whole");
        for batch in &log.batches[cut..] {
            rebuilt.replay(batch);
        }
        prop_assert_eq!(rebuilt.states.encode_snapshot(), log.states.encode_snapshot());
        prop_assert_eq!(rebuilt.states.oldest_open_transaction(), log.states.oldest_open_transaction());
    }
}
