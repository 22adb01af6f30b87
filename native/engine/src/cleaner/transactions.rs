//! Which transactions a pass over a log has met: what an aborted one wrote can go at once, and a marker can when
//! nothing that it speaks of is left.
//!
//! Invariant: batches are shown in offset order, and the pass begins where no transaction is open that it has not seen.

use crate::batch::{Header, control_record};
use crate::txn_index::AbortedTransaction;
use std::collections::{BTreeMap, BTreeSet};

/// What the key of a control record says after its version.
const ABORT: i16 = 0;
const COMMIT: i16 = 1;

#[derive(Default)]
pub struct Transactions {
    /// By first offset, the last one first.
    aborted: Vec<AbortedTransaction>,
    /// Begun and not yet ended, by producer; whether batches of it were met.
    open_aborted: BTreeMap<i64, (AbortedTransaction, bool)>,
    /// Producers of open transactions that will commit, of which batches were met.
    open_committed: BTreeSet<i64>,
}

/// What becomes of a marker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MarkerFate {
    /// Nothing of its transaction is left: it may go when its horizon is over.
    pub may_go: bool,
    /// It ends this aborted transaction, of which batches are there: the index keeps it.
    pub keeps: Option<AbortedTransaction>,
}

impl Transactions {
    pub fn new(mut aborted: Vec<AbortedTransaction>) -> Transactions {
        aborted.sort_by_key(|transaction| (std::cmp::Reverse(transaction.first_offset), transaction.producer_id));
        aborted.dedup();
        Transactions { aborted, ..Transactions::default() }
    }

    /// A batch of records; true if it belongs to an aborted transaction.
    pub fn on_batch(&mut self, header: &Header) -> bool {
        self.begin_up_to(header.last_offset());
        if !header.is_transactional() {
            return false;
        }
        match self.open_aborted.get_mut(&header.producer_id) {
            Some((_, met)) => {
                *met = true;
                true
            }
            None => {
                self.open_committed.insert(header.producer_id);
                false
            }
        }
    }

    /// A control batch. `body`: the batch without its header.
    pub fn on_control(&mut self, header: &Header, body: &[u8]) -> Result<MarkerFate, String> {
        self.begin_up_to(header.last_offset());
        if header.count == 0 {
            // What an earlier pass has left of one.
            return Ok(MarkerFate { may_go: true, keeps: None });
        }
        let (_, key, _) = control_record(header, body)?;
        let kind = key.get(2..4).map(|bytes| i16::from_be_bytes([bytes[0], bytes[1]]));
        Ok(match kind {
            Some(ABORT) => match self.open_aborted.remove(&header.producer_id) {
                Some((transaction, true)) => MarkerFate { may_go: false, keeps: Some(transaction) },
                _ => MarkerFate { may_go: true, keeps: None },
            },
            Some(COMMIT) => MarkerFate { may_go: !self.open_committed.remove(&header.producer_id), keeps: None },
            _ => MarkerFate::default(),
        })
    }

    fn begin_up_to(&mut self, offset: i64) {
        while let Some(next) = self.aborted.pop_if(|next| next.first_offset <= offset) {
            self.open_aborted.entry(next.producer_id).or_insert((next, false));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::{BatchBuilder, HEADER_BYTES, attributes, marker};

    fn data(producer: i64, offset: i64) -> Header {
        let bytes = BatchBuilder::new()
            .producer(producer, 0, 0)
            .attributes(attributes::TRANSACTIONAL)
            .record(1, Some(b"k"), Some(b"v"))
            .build();
        Header { base_offset: offset, ..Header::read(&bytes).unwrap() }
    }

    fn end(transactions: &mut Transactions, producer: i64, offset: i64, commit: bool) -> MarkerFate {
        let bytes = marker(producer, 0, commit, 0, 1);
        let header = Header { base_offset: offset, ..Header::read(&bytes).unwrap() };
        transactions.on_control(&header, &bytes[HEADER_BYTES..]).unwrap()
    }

    fn aborted(producer_id: i64, first_offset: i64, last_offset: i64) -> AbortedTransaction {
        AbortedTransaction { producer_id, first_offset, last_offset, last_stable_offset: last_offset }
    }

    #[test]
    fn what_an_aborted_transaction_wrote_goes_and_its_marker_stays_for_one_more_pass() {
        let known = vec![aborted(7, 2, 5), aborted(7, 2, 5)];
        let mut first = Transactions::new(known.clone());
        assert!(!first.on_batch(&data(8, 0)), "another producer's");
        assert!(first.on_batch(&data(7, 2)));
        assert_eq!(end(&mut first, 7, 5, false), MarkerFate { may_go: false, keeps: Some(known[0]) });
        assert!(!first.on_batch(&data(7, 6)), "the next one is not aborted");
        let mut second = Transactions::new(known);
        assert_eq!(end(&mut second, 7, 5, false), MarkerFate { may_go: true, keeps: None });
    }

    #[test]
    fn a_commit_marker_may_go_when_no_batch_of_its_transaction_was_met() {
        let mut transactions = Transactions::new(Vec::new());
        transactions.on_batch(&data(7, 0));
        assert!(!end(&mut transactions, 7, 1, true).may_go);
        assert!(end(&mut transactions, 7, 2, true).may_go);
    }

    #[test]
    fn an_emptied_marker_may_go_and_other_control_batches_stay() {
        let mut transactions = Transactions::default();
        let bytes = BatchBuilder::new().attributes(attributes::CONTROL).build();
        let fate = transactions.on_control(&Header::read(&bytes).unwrap(), &[]).unwrap();
        assert!(fate.may_go);
        let bytes = BatchBuilder::new().attributes(attributes::CONTROL).record(1, Some(&[0, 0, 0, 9]), None).build();
        let fate = transactions.on_control(&Header::read(&bytes).unwrap(), &bytes[HEADER_BYTES..]).unwrap();
        assert!(!fate.may_go);
    }
}
