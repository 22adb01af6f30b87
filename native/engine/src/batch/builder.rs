//! Builds batches: control batches, and whatever the tests need. Uncompressed unless told otherwise.

/// Collects records and writes one batch.
#[derive(Clone, Debug, Default)]
pub struct BatchBuilder {}

/// One transaction marker batch (COMMIT or ABORT), base offset 0.
pub fn marker(producer_id: i64, producer_epoch: i16, commit: bool, coordinator_epoch: i32, timestamp: i64) -> Vec<u8> {
    let _ = (producer_id, producer_epoch, commit, coordinator_epoch, timestamp);
    Vec::new()
}
