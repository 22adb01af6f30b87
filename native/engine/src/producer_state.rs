//! What a log knows of each producer: its epoch, its last five batches, its open transaction.

use crate::batch::Header;
use crate::command::Origin;
use crate::error::Code;

/// What `check` found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Append it.
    New,
    /// It is in the log already: answer with where it is, write nothing.
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

#[derive(Clone, Debug, Default)]
pub struct ProducerStates {}

impl ProducerStates {
    pub fn new() -> ProducerStates {
        ProducerStates::default()
    }

    /// Judges a batch against what is known; changes nothing. `body` holds the records (a marker's coordinator epoch
    /// stands there).
    pub fn check(
        &self,
        header: &Header,
        body: &[u8],
        origin: Origin,
        transaction_version: i16,
    ) -> Result<Verdict, (Code, String)> {
        let _ = (header, body, origin, transaction_version);
        Ok(Verdict::New)
    }

    /// Takes a batch that has been written (or read back in recovery) into account. `header` has its final offset.
    pub fn apply(&mut self, header: &Header, body: &[u8], now_ms: i64) -> Option<CompletedTransaction> {
        let _ = (header, body, now_ms);
        None
    }

    /// First offset of the oldest open transaction.
    pub fn oldest_open_transaction(&self) -> Option<i64> {
        None
    }

    /// Forgets everything; the caller then loads a snapshot and applies the batches after it.
    pub fn clear(&mut self) {}

    /// Drops producers whose last batch is older than `expiration_ms` and that have no open transaction.
    pub fn expire(&mut self, now_ms: i64, expiration_ms: i64) {
        let _ = (now_ms, expiration_ms);
    }

    /// The content of a `.snapshot` file.
    pub fn encode_snapshot(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Loads the content of a `.snapshot` file in place of what is known. Expired producers are left out.
    pub fn decode_snapshot(&mut self, bytes: &[u8], now_ms: i64, expiration_ms: i64) -> Result<(), String> {
        let _ = (bytes, now_ms, expiration_ms);
        Ok(())
    }
}
