//! Answers that JavaScript wrote ahead: each leaves as soon as the append it belongs to is written, or is on disk,
//! without asking again.
//!
//! Invariants: an answer is entered before its append is submitted and taken out by that append's completion, whatever
//! became of it. It leaves only when the batch was written just now, at the time its producer gave it; everything else
//! JavaScript answers itself. One that awaits the sync lies here until a `Synced` covers its batch, or is forgotten
//! when none ever will: then JavaScript, which hears why, answers. Its completion is listed before it leaves, so that
//! what its reader sends next is handled behind it. JavaScript may answer first, when its patience ends: the reactor
//! takes one answer.

use crate::news::Item;
use bytes::Bytes;
use odradek_engine::command::{AppendedInfo, Completion, LogRef};
use odradek_engine::error::Code;
use odradek_reactor as net;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

pub struct Prepared {
    pub connection: net::ConnectionId,
    pub sequence: u32,
    /// The whole answer, its length prefix included.
    pub bytes: Vec<u8>,
    /// Where in it the first offset goes: an int64, big-endian.
    pub offset_at: usize,
    /// The log that it is appended to, where being written is not enough.
    pub awaits_sync: Option<LogRef>,
}

#[derive(Default)]
pub struct PreparedAnswers {
    waiting: Mutex<Waiting>,
    reactor: OnceLock<net::Handle>,
}

#[derive(Default)]
struct Waiting {
    /// By the ticket of the append.
    appends: BTreeMap<u32, Prepared>,
    /// Logs of which answers await a sync, or will.
    syncs: BTreeMap<LogRef, Awaited>,
}

struct Awaited {
    /// Appends that have not completed.
    under_way: usize,
    /// What was told since the first of them was on its way: a sync may be listed before the last append that it
    /// covers.
    synced_end: i64,
    /// With the ends of their batches, ascending.
    answers: VecDeque<(i64, net::Command)>,
}

/// Completions as news, and the answers to send once these are listed.
pub struct Settled {
    pub items: Vec<Item>,
    pub answers: Vec<net::Command>,
    /// An answer was dropped: JavaScript must hear at once, and answer.
    pub dropped: bool,
}

impl PreparedAnswers {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on answers can leave. Without it every one is left to JavaScript (manual mode).
    pub fn set_reactor(&self, reactor: net::Handle) {
        // A runtime has one reactor; a second one would be ignored.
        let _ = self.reactor.set(reactor);
    }

    pub fn enter(&self, prepared: &mut Vec<(u32, Prepared)>) {
        if prepared.is_empty() {
            return;
        }
        let waiting = &mut *self.waiting();
        for (ticket, prepared) in prepared.drain(..) {
            if let Some(log) = prepared.awaits_sync {
                let none = || Awaited { under_way: 0, synced_end: -1, answers: VecDeque::new() };
                waiting.syncs.entry(log).or_insert_with(none).under_way += 1;
            }
            waiting.appends.insert(ticket, prepared);
        }
    }

    pub fn settle(&self, completions: impl Iterator<Item = Completion>) -> Settled {
        let mut settled =
            Settled { items: Vec::with_capacity(completions.size_hint().0), answers: Vec::new(), dropped: false };
        let mut waiting = self.waiting();
        for completion in completions {
            let prepared = match &completion {
                Completion::Appended { ticket, .. } if !waiting.appends.is_empty() => waiting.appends.remove(ticket),
                Completion::Synced { log, synced_end } => {
                    waiting.synced(*log, *synced_end, &mut settled.answers);
                    None
                }
                Completion::NeverSynced { log, above } => {
                    waiting.never_synced(*log, *above);
                    continue;
                }
                _ => None,
            };
            let Some(prepared) = prepared else {
                settled.items.push(Item::Engine(completion));
                continue;
            };
            let awaits = prepared.awaits_sync;
            let outcome = match &completion {
                Completion::Appended { code: Code::Ok, info, .. } if self.reactor.get().is_some() && is_plain(info) => {
                    Some((info.end, prepared.answer(info.base)))
                }
                _ => None,
            };
            settled.dropped |= outcome.is_none();
            settled.items.push(if outcome.is_some() { Item::Answered(completion) } else { Item::Engine(completion) });
            match awaits {
                Some(log) => waiting.appended(log, outcome, &mut settled.answers),
                None => settled.answers.extend(outcome.map(|(_, answer)| answer)),
            }
        }
        settled
    }

    pub fn send(&self, mut answers: Vec<net::Command>, at_once: bool) {
        let Some(reactor) = self.reactor.get() else { return };
        if at_once {
            reactor.submit(&mut answers);
        } else {
            reactor.submit_to_thread(&mut answers);
        }
    }
}

impl Waiting {
    /// An append has completed whose answer awaits the sync; None: that answer is not to be given.
    fn appended(&mut self, log: LogRef, answer: Option<(i64, net::Command)>, leaving: &mut Vec<net::Command>) {
        let Some(awaited) = self.syncs.get_mut(&log) else { return };
        awaited.under_way -= 1;
        awaited.answers.extend(answer);
        self.leave(log, leaving);
    }

    fn synced(&mut self, log: LogRef, end: i64, leaving: &mut Vec<net::Command>) {
        let Some(awaited) = self.syncs.get_mut(&log) else { return };
        awaited.synced_end = end;
        self.leave(log, leaving);
    }

    fn never_synced(&mut self, log: LogRef, above: i64) {
        let Some(awaited) = self.syncs.get_mut(&log) else { return };
        awaited.synced_end = awaited.synced_end.min(above);
        awaited.answers.retain(|(end, _)| *end <= above);
        self.leave(log, &mut Vec::new());
    }

    fn leave(&mut self, log: LogRef, leaving: &mut Vec<net::Command>) {
        let Some(awaited) = self.syncs.get_mut(&log) else { return };
        while awaited.answers.front().is_some_and(|(end, _)| *end <= awaited.synced_end) {
            leaving.extend(awaited.answers.pop_front().map(|(_, answer)| answer));
        }
        if awaited.under_way == 0 && awaited.answers.is_empty() {
            self.syncs.remove(&log);
        }
    }
}

/// Nothing but its first offset was unknown when the answer was written.
fn is_plain(info: &AppendedInfo) -> bool {
    !info.duplicate && info.log_append_time == -1
}

impl Prepared {
    fn answer(mut self, base: i64) -> net::Command {
        self.bytes[self.offset_at..self.offset_at + 8].copy_from_slice(&base.to_be_bytes());
        let answer = net::Answer { head: Bytes::from(self.bytes), ..net::Answer::default() };
        net::Command::Answer { connection: self.connection, sequence: self.sequence, answer }
    }
}
