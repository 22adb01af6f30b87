//! One connection: which frame may be delivered next, which bytes may be read, which answer leaves next.
//!
//! Invariants: a request is delivered only when every earlier one is answered, except that a request whose key is in
//! `overlap_keys` may overlap earlier ones of that kind; answers leave in request order; while a request that may not
//! be overlapped is unanswered, and while more than `UNSENT_CAP` waits to be sent, the socket isn't read.

use crate::event::{Answer, ConnectionId, ListenerOptions, Opened, Part, Reason};
use crate::inflow::Inflow;
use crate::outflow::Outflow;
use crate::transport::Transport;
use bytes::Bytes;
use std::collections::VecDeque;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

/// Unsent bytes of a slow reader, above which nothing more is delivered from it.
const UNSENT_CAP: u64 = 8 << 20;
/// Overlapping requests of one connection that may be unanswered at once.
const MAX_OVERLAPPING: usize = 512;

/// What is read beside large frames, to be copied: the next one's length and its first bytes.
const BESIDE_LARGE: usize = 4 << 10;

struct Slot {
    overlaps: bool,
    answer: Option<Answer>,
}

pub(crate) struct Connection {
    pub id: ConnectionId,
    pub opened: Opened,
    pub peer_ip: IpAddr,
    pub options: Arc<ListenerOptions>,
    pub transport: Transport,
    pub inflow: Inflow,
    pub outflow: Outflow,
    /// Whole frames that may not be delivered yet, with their time of arrival.
    waiting: VecDeque<(Bytes, u32)>,
    /// Delivered requests, oldest first; the front is unanswered, or being moved out.
    unanswered: VecDeque<Slot>,
    /// Skim programs of the responses that an outgoing connection still expects, oldest first.
    expected: VecDeque<Option<(i16, i16)>>,
    next_sequence: u32,
    pub last_active: Instant,
    pub muted_until: Option<Instant>,
    /// The socket may have bytes for us.
    pub readable: bool,
    pub writable: bool,
    /// An outgoing connection whose handshake is under way.
    pub connecting: bool,
    /// The peer has said that nothing more follows what is in the socket.
    pub last_bytes: bool,
    /// Nothing more will arrive.
    pub ended: bool,
    /// The peer takes nothing more.
    pub hung: bool,
    /// Why it is closed as soon as everything is sent.
    pub closing: Option<Reason>,
    pub warming: bool,
    // Whether it stands in the reactor's list of that name.
    pub in_ready: bool,
    pub in_dirty: bool,
    pub in_starved: bool,
}

/// A frame that may be delivered now.
pub(crate) struct Delivery {
    pub sequence: u32,
    pub bytes: Bytes,
    pub arrived_us: u32,
    /// The skim program's (API key, version), when a program could be asked for.
    pub program: Option<(i16, i16)>,
}

impl Connection {
    #[allow(clippy::too_many_arguments)]
    pub fn new(
        id: ConnectionId,
        opened: Opened,
        peer_ip: IpAddr,
        options: Arc<ListenerOptions>,
        transport: Transport,
        inflow: Inflow,
        now: Instant,
    ) -> Connection {
        Connection {
            id,
            opened,
            peer_ip,
            options,
            transport,
            inflow,
            outflow: Outflow::default(),
            waiting: VecDeque::new(),
            unanswered: VecDeque::new(),
            expected: VecDeque::new(),
            next_sequence: 0,
            last_active: now,
            muted_until: None,
            readable: false,
            writable: false,
            connecting: false,
            last_bytes: false,
            ended: false,
            hung: false,
            closing: None,
            warming: false,
            in_ready: false,
            in_dirty: false,
            in_starved: false,
        }
    }

    pub fn outgoing(&self) -> bool {
        matches!(self.opened, Opened::Outgoing(_))
    }

    /// One read; returns its bytes and keeps `readable` and `ended` true to what the socket said. With `to_finish` no
    /// more is read than what the frame under way lacks; `most` bounds it by all means.
    pub fn read_once(
        &mut self,
        scratch: &mut [u8],
        most: usize,
        to_finish: bool,
        now: Instant,
        arrived_us: u32,
    ) -> Result<usize, Reason> {
        let beyond = if to_finish { 0 } else { BESIDE_LARGE };
        let scratch_most = most.min(scratch.len());
        let after_large = self.inflow.after_large();
        let (outcome, asked, direct) = match self.inflow.direct() {
            Some((memory, limit, finishes)) => {
                let (limit, beyond) = match (most.checked_sub(limit), finishes) {
                    (None, _) => (most, 0),
                    (Some(_), false) => (limit, 0),
                    (Some(left), true) => (limit, beyond.min(left)),
                };
                (self.transport.read_append(memory, limit, &mut scratch[..beyond]), limit + beyond, limit)
            }
            None => {
                let most = match (to_finish, after_large) {
                    (true, _) => self.inflow.wanted().min(scratch_most),
                    (false, true) => beyond.min(scratch_most),
                    (false, false) => scratch_most,
                };
                (self.transport.read_into(&mut scratch[..most]), most, 0)
            }
        };
        match outcome {
            Ok(read) => {
                let waiting = &mut self.waiting;
                let grown = read.min(direct);
                if direct > 0
                    && let Some(frame) = self.inflow.grew(grown, now)
                {
                    waiting.push_back((frame, arrived_us));
                }
                self.inflow.feed(&scratch[..read - grown], now, |frame| waiting.push_back((frame, arrived_us)))?;
                Ok(self.noted(read, asked, now))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.readable = false;
                Ok(0)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(0),
            Err(error) => Err(format!("reading: {error}").into()),
        }
    }

    fn noted(&mut self, read: usize, asked: usize, now: Instant) -> usize {
        if read == 0 {
            self.ended = true;
            self.readable = false;
        } else {
            self.last_active = now;
            // A stream socket that gave less than it was asked for is empty, and says so when it no longer is; only its
            // end is not said twice.
            if read < asked && !self.last_bytes && !self.hung {
                self.readable = false;
            }
        }
        read
    }

    /// It may have something to read or to deliver.
    pub fn wants_turn(&self) -> bool {
        self.readable || !self.waiting.is_empty()
    }

    /// Nothing is owed to the peer and nothing of it is under way.
    pub fn is_quiet(&self) -> bool {
        self.unanswered.is_empty() && self.expected.is_empty() && self.waiting.is_empty() && self.outflow.is_empty()
    }

    /// How much of it may be read out of turn: nothing unless it is quiet, and never more than `most` of a frame.
    pub fn little(&self, most: usize) -> usize {
        if self.is_quiet() { most.saturating_sub(self.inflow.held()) } else { 0 }
    }

    pub fn may_read(&self) -> bool {
        self.readable
            && !self.connecting
            && !self.ended
            && self.closing.is_none()
            && self.muted_until.is_none()
            && self.waiting.is_empty()
            && self.unanswered.back().is_none_or(|slot| slot.overlaps)
            && self.unanswered.len() < MAX_OVERLAPPING
            && self.outflow.cost() < UNSENT_CAP
    }

    /// The next frame, if the order of answers allows it. Call until None.
    pub fn deliver(&mut self) -> Option<Delivery> {
        let (frame, _) = self.waiting.front()?;
        if self.closing.is_some() || self.muted_until.is_some() || self.outflow.cost() >= UNSENT_CAP {
            return None;
        }
        let program = if self.outgoing() {
            self.expected.pop_front().flatten()
        } else {
            let word = |at: usize| Some(i16::from_be_bytes([*frame.get(at)?, *frame.get(at + 1)?]));
            let key = word(0);
            let overlaps = key.is_some_and(|key| self.options.overlap_keys.contains(&key));
            let free = match self.unanswered.back() {
                None => true,
                Some(last) => overlaps && last.overlaps && self.unanswered.len() < MAX_OVERLAPPING,
            };
            if !free {
                return None;
            }
            self.unanswered.push_back(Slot { overlaps, answer: None });
            key.zip(word(2))
        };
        let (bytes, arrived_us) = self.waiting.pop_front()?;
        let sequence = self.next_sequence;
        self.next_sequence = sequence.wrapping_add(1);
        Some(Delivery { sequence, bytes, arrived_us, program })
    }

    /// Whether the frame with this sequence was delivered and is unanswered; then the answer is queued in its place.
    pub fn answer(&mut self, sequence: u32, answer: Answer) -> bool {
        let first = self.next_sequence.wrapping_sub(self.unanswered.len() as u32);
        let index = sequence.wrapping_sub(first) as usize;
        match self.unanswered.get_mut(index) {
            Some(slot) if slot.answer.is_none() => slot.answer = Some(answer),
            _ => return false,
        }
        while let Some(answer) = self.unanswered.front_mut().and_then(|slot| slot.answer.take()) {
            self.unanswered.pop_front();
            if self.closing.is_some() {
                continue;
            }
            let close_after = answer.close_after;
            self.send(answer);
            if close_after {
                self.closing = Some("closed after the answer".into());
            }
        }
        true
    }

    pub fn request(&mut self, request: Answer, program: Option<(i16, i16)>) {
        if !request.no_answer {
            self.expected.push_back(program);
        }
        self.send(Answer { no_answer: false, ..request });
    }

    fn send(&mut self, answer: Answer) {
        if !answer.no_answer {
            self.outflow.push(Part::Memory(answer.head));
            for part in answer.rest {
                self.outflow.push(part);
            }
        }
    }
}
