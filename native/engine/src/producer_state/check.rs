//! The rules by which a producer's batch or marker is taken or refused.

use super::marker::parse_marker;
use super::{KeptBatch, NO_EPOCH, Producer};
use crate::batch::{Header, add_sequence};
use crate::error::Code;

/// The remembered batch with exactly this epoch and these sequences.
pub fn find_duplicate<'a>(producer: &'a Producer, header: &Header) -> Option<&'a KeptBatch> {
    if producer.epoch != header.producer_epoch {
        return None;
    }
    let last_sequence = header.last_sequence();
    producer
        .batches
        .iter()
        .find(|batch| batch.first_sequence() == header.base_sequence && batch.last_sequence == last_sequence)
}

/// A batch that precedes what a snapshot has left of its producer was written: a producer sends the next one only when
/// that was so, or in order behind it. `must_begin`: the first batch of a transaction under protocol 2, where a
/// producer without state starts at 0.
pub fn check_sequence(producer: &Producer, header: &Header, must_begin: bool) -> Result<(), (Code, String)> {
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
        return Ok(());
    }
    if producer.is_abridged && precedes_known(producer, header) {
        return Err((
            Code::DuplicateSequence,
            format!("producer {} sent sequence {sequence} again, {expected} is due", header.producer_id),
        ));
    }
    refuse(expected)
}

/// Whether the batch ends before the oldest that is remembered. Sequences wrap, so that half of them are before.
fn precedes_known(producer: &Producer, header: &Header) -> bool {
    producer.batches.front().is_some_and(|oldest| {
        let ahead = (oldest.first_sequence() as i64 - header.last_sequence() as i64).rem_euclid(1 << 31);
        (1..1 << 30).contains(&ahead)
    })
}

pub fn check_marker(
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
            format!("a marker for producer {} has epoch {epoch}, the last one here is {known}", header.producer_id),
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
