//! The way through a directory's journal: a log whose unsynced bytes are few and lie together may have them made
//! durable there, with those of others, and sync its own files later.
//!
//! Invariants: a log goes through the journal only when it needs nothing but its bytes, and all of those that are not
//! on disk. Its files stay dirty, and the recovery point stays below, until a run of its own has synced them.

use super::{LogSync, Phase, State};
use crate::command::Failure;
use crate::journal::LOG_BYTES;
use crate::lock::lock;
use crate::vfs::File;
use std::sync::Arc;

/// Bytes that lie together in one segment.
pub struct Span {
    file: Arc<dyn File>,
    base: i64,
    from: u64,
    to: u64,
    /// The log's end before them and behind them.
    first: i64,
    end: i64,
}

/// What the journal is to hold of one log.
pub struct JournalJob {
    pub file: Arc<dyn File>,
    pub base: i64,
    pub from: u64,
    pub to: u64,
    /// The log's end behind them.
    pub upto: i64,
    first: i64,
}

/// What a log needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    No,
    /// A run of any kind.
    Any,
    /// A run of its own.
    Direct,
}

impl LogSync {
    /// The journal takes the log's bytes. None: it needs a run of its own, if any.
    pub fn begin_journal(&self) -> Option<JournalJob> {
        let state = &mut *lock(&self.state);
        let alone = state.names || state.drain || state.closing.is_some() || state.cutting.is_some();
        if state.phase != Phase::Queued || state.failed.is_some() || alone {
            return None;
        }
        let whole = |span: &mut Span| {
            span.first <= state.synced && span.end == state.written && span.to - span.from <= LOG_BYTES
        };
        let span = state.span.take_if(whole)?;
        state.phase = Phase::Running;
        state.wanted = false;
        state.cap = i64::MAX;
        let Span { file, base, from, to, first, end } = span;
        Some(JournalJob { file, base, from, to, upto: end, first })
    }

    /// The journal could not take it after all.
    pub fn give_back(&self, job: JournalJob) {
        let state = &mut *lock(&self.state);
        if state.failed.is_none() {
            state.phase = Phase::Queued;
        }
        let JournalJob { file, base, from, to, upto, first } = job;
        state.span = match state.span.take() {
            _ if state.cap != i64::MAX || state.cutting.is_some() => None,
            None => Some(Span { file, base, from, to, first, end: upto }),
            Some(next) if next.base == base && next.from == to => Some(Span { from, first, ..next }),
            // Not together: a run of its own syncs both.
            Some(next) => Some(next),
        };
    }

    /// The journal has it, or has failed.
    pub fn finish_journal(&self, job: JournalJob, outcome: Result<(), Failure>) -> Again {
        let state = &mut *lock(&self.state);
        if let Err(failure) = outcome {
            self.end(state, failure);
            return Again::No;
        }
        if state.failed.is_some() {
            return Again::No;
        }
        if !state.journaled.iter().any(|known| Arc::ptr_eq(known, &job.file)) {
            state.journaled.push(job.file);
        }
        self.reached(state, job.upto);
        state.phase = Phase::Idle;
        let more = state.advance.is_some() || !state.snapshots.is_empty() || state.may_retire();
        let direct = more || state.names || state.drain || state.closing.is_some();
        if !(state.wanted || direct) {
            return Again::No;
        }
        state.queue();
        if direct { Again::Direct } else { Again::Any }
    }

    /// The files that a journal vouches for.
    pub fn journaled(&self) -> Vec<Arc<dyn File>> {
        lock(&self.state).journaled.clone()
    }

    /// The journal wants to be rid of this log. True if the caller is to run it now; one that waits or
    /// runs comes to it by itself.
    pub fn drain(&self) -> bool {
        let state = &mut *lock(&self.state);
        if state.failed.is_some() || state.journaled.is_empty() {
            return false;
        }
        state.drain = true;
        state.queue()
    }
}

impl State {
    /// Bytes were written behind `self.written`.
    pub(super) fn extend_span(&mut self, file: &Arc<dyn File>, (base, from, to): (i64, u64, u64), end: i64) {
        match &mut self.span {
            Some(span) if span.base == base && span.to == from && span.end == self.written => {
                span.to = to;
                span.end = end;
            }
            span => *span = Some(Span { file: file.clone(), base, from, to, first: self.written, end }),
        }
    }
}
