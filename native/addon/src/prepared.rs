//! Answers that JavaScript wrote ahead: each leaves as soon as the append it belongs to is
//! written, without asking again.
//!
//! Invariants: an answer is entered before its append is submitted and taken out by that append's completion, whatever
//! became of it. It leaves only when the batch was written just now, at the time its producer gave it; everything else
//! JavaScript answers itself. Its completion is listed before it leaves, so that what its reader sends next is handled
//! behind it.

use crate::news::Item;
use bytes::Bytes;
use odradek_engine::command::{AppendedInfo, Completion};
use odradek_engine::error::Code;
use odradek_reactor as net;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

pub struct Prepared {
    pub connection: net::ConnectionId,
    pub sequence: u32,
    /// The whole answer, its length prefix included.
    pub bytes: Vec<u8>,
    /// Where in it the first offset goes: an int64, big-endian.
    pub offset_at: usize,
}

/// By the ticket of the append.
#[derive(Default)]
pub struct PreparedAnswers {
    waiting: Mutex<BTreeMap<u32, Prepared>>,
    reactor: OnceLock<net::Handle>,
}

/// Completions as news, and the answers to send once these are listed.
pub struct Settled {
    pub items: Vec<Item>,
    pub answers: Vec<net::Command>,
    /// An answer was dropped: JavaScript must hear at once, and answer.
    pub dropped: bool,
}

impl PreparedAnswers {
    fn waiting(&self) -> MutexGuard<'_, BTreeMap<u32, Prepared>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on answers can leave. Without it every one is left to JavaScript (manual mode).
    pub fn set_reactor(&self, reactor: net::Handle) {
        // A runtime has one reactor; a second one would be ignored.
        let _ = self.reactor.set(reactor);
    }

    pub fn enter(&self, prepared: &mut Vec<(u32, Prepared)>) {
        if !prepared.is_empty() {
            self.waiting().extend(prepared.drain(..));
        }
    }

    pub fn settle(&self, completions: impl Iterator<Item = Completion>) -> Settled {
        let mut settled =
            Settled { items: Vec::with_capacity(completions.size_hint().0), answers: Vec::new(), dropped: false };
        let mut waiting = self.waiting();
        for completion in completions {
            let prepared = match &completion {
                Completion::Appended { ticket, .. } if !waiting.is_empty() => waiting.remove(ticket),
                _ => None,
            };
            let Some(prepared) = prepared else {
                settled.items.push(Item::Engine(completion));
                continue;
            };
            match &completion {
                Completion::Appended { code: Code::Ok, info, .. } if self.reactor.get().is_some() && is_plain(info) => {
                    settled.answers.push(prepared.answer(info.base));
                    settled.items.push(Item::Answered(completion));
                }
                _ => {
                    settled.dropped = true;
                    settled.items.push(Item::Engine(completion));
                }
            }
        }
        settled
    }

    pub fn send(&self, mut answers: Vec<net::Command>) {
        if let Some(reactor) = self.reactor.get() {
            reactor.submit(&mut answers);
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
