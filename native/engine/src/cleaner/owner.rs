//! What a log's owner, the lane or whom it is lent to, does for a pass: begins it, shows what it
//! wrote to readers, ends it.
//!
//! Invariants: one pass of a log at a time. What a pass wrote comes in the place of exactly the segments that it read,
//! or not at all. A log that is cut, closed or deleted stops its pass first; whatever moves names of segments waits
//! until those of an adopted one are final.

use super::pass::{Cleaning, Errand, Found};
use super::range::{CleanRange, base_of};
use super::swap::{Replacement, move_names};
use super::token::{Stop, Token};
use crate::command::{Answer, CleanInfo, CleanLog, Failure};
use crate::error::Code;
use crate::log::Log;
use crate::sums::Order;
use std::sync::Arc;

impl Log {
    /// Shows the cleaned segment to readers in the place of the old ones. False: the log is not the one that was read.
    fn adopt(&mut self, replacement: &Arc<Replacement>) -> bool {
        let state = self.shared.view.state();
        let (old, segments) = (&replacement.old, &state.segments);
        let Some(at) = segments.iter().position(|segment| Arc::ptr_eq(segment, &old[0])) else { return false };
        let same =
            segments.get(at..at + old.len()).is_some_and(|now| now.iter().zip(old).all(|(a, b)| Arc::ptr_eq(a, b)));
        let stopped = self.cleaning.as_ref().is_none_or(|token| token.is_stopped());
        // The active segment is never among them.
        if !same || at + old.len() == segments.len() || self.replacing.is_some() || stopped {
            return false;
        }
        let mut next = segments.to_vec();
        next.splice(at..at + old.len(), [replacement.new.clone()]);
        self.shared.view.update(|view| {
            view.segments = next.into();
            view.truncations += 1;
            view.replacements += 1;
        });
        self.replacing = Some(replacement.clone());
        true
    }

    /// The names have moved: the segment is like any other, and the old files may go later.
    pub fn adopted(&mut self) {
        let Some(replacement) = self.replacing.take() else { return };
        let exact = replacement.old.iter().all(|segment| segment.order().exact);
        replacement.new.know(Order { dense: false, exact }, None);
        replacement.new.seal();
        // The sums speak of the old ones until the next recovery point is written.
        self.advanced.end = -1;
        let due_ms = self.cleaned_ms.saturating_add(self.config.file_delete_delay_ms);
        self.expiring.extend(replacement.old.iter().map(|segment| (due_ms, segment.base)));
    }

    /// Hands over what a pass needs. Where the recovery point holds it back, that is moved, for the next pass; the
    /// second value is true if the log has to be queued for it.
    pub fn begin_cleaning(&mut self, request: &CleanLog) -> Result<(Found, bool), Failure> {
        self.shared.directory.check()?;
        if self.cleaning.is_some() {
            let text = format!("the log {} is being compacted already", self.shared.name);
            return Err(Failure { code: Code::Locked, text });
        }
        let range = self.clean_range(request.limit, request.now_ms);
        // Recovery must not meet the gaps that a pass leaves.
        let recovery = self.shared.directory.points(&self.shared.name).recovery;
        let queue = recovery < range.bound && self.advance(request.now_ms);
        let bound = range.bound.min(base_of(&self.shared.view.state(), recovery));
        let token = Arc::new(Token::default());
        self.cleaning = Some(token.clone());
        self.cleaned_ms = request.now_ms;
        let found = Found {
            shared: self.shared.clone(),
            config: self.config.clone(),
            last_records: self.producers.last_records(),
            range: CleanRange { bound, ..range },
            token,
        };
        Ok((found, queue))
    }

    /// Does what a pass has come for. None: it goes on; otherwise it is over, with this outcome.
    pub fn run_errand(&mut self, cleaning: &mut Cleaning) -> Option<Result<CleanInfo, Failure>> {
        match cleaning.errand.take() {
            Some(Errand::Adopt(replacement)) => {
                let adopted = self.adopt(&replacement);
                cleaning.adopted(adopted);
                None
            }
            Some(Errand::Adopted) => {
                self.adopted();
                None
            }
            Some(Errand::End(outcome)) => {
                self.cleaning = None;
                Some(outcome)
            }
            None => {
                let text = format!("a pass over {} came without an errand", self.shared.name);
                Some(Err(Failure { code: Code::Internal, text }))
            }
        }
    }

    /// What a pass would find.
    pub fn dirt(&self, range: &CleanRange, now_ms: i64) -> Result<Answer, Failure> {
        let overdue_ms = self.overdue_ms(range.first_dirty, now_ms).map_err(|error| Failure {
            code: Code::Io,
            text: format!("asking for the age of a segment of {}: {error}", self.shared.name),
        })?;
        Ok(Answer::Dirt { clean_bytes: range.clean_bytes, dirty_bytes: range.dirty_bytes, overdue_ms })
    }

    /// Ends a pass that runs: what it has not put in place yet is thrown away. Afterwards every name is final.
    pub fn stop_cleaning(&mut self, stop: Stop) -> Result<(), Failure> {
        if let Some(token) = &self.cleaning {
            token.stop(stop);
        }
        self.settle_names()
    }

    /// Has the names of an adopted segment moved now, by whoever is first.
    pub fn settle_names(&mut self) -> Result<(), Failure> {
        let Some(replacement) = self.replacing.clone() else { return Ok(()) };
        move_names(&replacement, &self.shared)?;
        self.adopted();
        Ok(())
    }
}
