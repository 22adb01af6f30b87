//! The one thread that owns the sockets.
//!
//! Invariants: it never waits for a disk nor for another thread; it sleeps only in `poll`, and only as long as neither
//! its own deadlines nor the delegate's come due. While it sleeps it lies in `Shared::parked`, where whoever submits a
//! short answer may write it; all else is left to the thread. Readiness is edge-triggered: a connection's
//! `readable` and `writable` stay set until the socket has said otherwise, and whatever opens a gate puts the
//! connection back on a list.

mod deadlines;
mod doors;
mod traffic;

use crate::connection::Connection;
use crate::event::{Command, ConnectionId, Delegate, Event};
use crate::listener::Listener;
use crate::outflow::Sent;
use crate::pool::{self, Pool};
use crate::reactor::{Handle, WAKE, lock};
use mio::{Events, Poll, Registry};
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Slots from here on are listeners.
const FIRST_LISTENER: u32 = 0xffff_0000;
const SCRATCH_BYTES: usize = 64 << 10;

pub(crate) struct EventLoop {
    handle: Handle,
    delegate: Arc<dyn Delegate>,
    registry: Registry,
    listeners: Vec<Listener>,
    connections: Vec<Option<Box<Connection>>>,
    generations: Vec<u32>,
    free: Vec<u32>,
    /// Connections that may have something to read or to deliver.
    ready: VecDeque<u32>,
    /// Connections that may have something to write.
    dirty: VecDeque<u32>,
    /// Connections of which no more is read because the budget is spent.
    starved: VecDeque<u32>,
    /// The one connection that may be read all the same, to finish its frame.
    overdrawing: Option<ConnectionId>,
    /// What was held when it had finished: nobody else overdraws until less is held.
    overdrawn: Option<u64>,
    muted: BTreeSet<(Instant, u32)>,
    accepting: bool,
    retry_accept_at: Option<Instant>,
    check_idle_at: Option<Instant>,
    check_shortage_at: Option<Instant>,
    pool: Arc<Pool>,
    trim_pool_at: Option<Instant>,
    events: Vec<Event>,
    urgent: bool,
    scratch: Box<[u8]>,
    now: Instant,
}

impl EventLoop {
    pub fn new(handle: Handle, registry: Registry, delegate: Arc<dyn Delegate>) -> EventLoop {
        EventLoop {
            handle,
            delegate,
            registry,
            listeners: Vec::new(),
            connections: Vec::new(),
            generations: Vec::new(),
            free: Vec::new(),
            ready: VecDeque::new(),
            dirty: VecDeque::new(),
            starved: VecDeque::new(),
            overdrawing: None,
            overdrawn: None,
            muted: BTreeSet::new(),
            accepting: false,
            retry_accept_at: None,
            check_idle_at: None,
            check_shortage_at: None,
            pool: Arc::default(),
            trim_pool_at: None,
            events: Vec::new(),
            urgent: false,
            scratch: vec![0; SCRATCH_BYTES].into(),
            now: Instant::now(),
        }
    }

    pub fn run(self, mut poll: Poll) {
        let mut this = Box::new(self);
        let mut polled = Events::with_capacity(1024);
        let mut commands = Vec::new();
        loop {
            let stop = {
                let mut mailbox = lock(&this.handle.shared.mailbox);
                std::mem::swap(&mut commands, &mut mailbox.commands);
                mailbox.stop
            };
            this.now = Instant::now();
            for command in commands.drain(..) {
                this.obey(command);
            }
            if stop {
                // The last answers leave as far as their sockets take them.
                this.write_dirty();
                return;
            }
            this.obey_deadlines();
            if this.accepting {
                this.accept();
            }
            this.write_dirty();
            this.feed_starved();
            this.read_ready();
            if !this.events.is_empty() {
                this.delegate.deliver(&mut this.events, std::mem::take(&mut this.urgent));
            }
            let outcome;
            (this, outcome) = this.sleep(&mut poll, &mut polled);
            if outcome.is_ok() {
                for event in polled.iter() {
                    this.note(event);
                }
            }
        }
    }

    fn sleep(mut self: Box<Self>, poll: &mut Poll, polled: &mut Events) -> (Box<Self>, std::io::Result<()>) {
        let timeout = self.sleep_for();
        if timeout == Some(Duration::ZERO) || self.is_called() {
            let outcome = poll.poll(polled, Some(Duration::ZERO));
            self.handle.shared.asleep.store(false, Ordering::SeqCst);
            return (self, outcome);
        }
        let shared = Arc::clone(&self.handle.shared);
        *shared.parked() = Some(self);
        let outcome = poll.poll(polled, timeout);
        shared.asleep.store(false, Ordering::SeqCst);
        let this = shared.parked().take().expect("nobody takes the sleeping event loop away");
        (this, outcome)
    }

    /// Announces that it sleeps, and looks whether it was called before that.
    fn is_called(&self) -> bool {
        self.handle.shared.asleep.store(true, Ordering::SeqCst);
        let mailbox = lock(&self.handle.shared.mailbox);
        let held = self.handle.budget.held();
        let fed =
            !self.starved.is_empty() && (!self.handle.budget.spent() || self.overdrawn.is_some_and(|mark| held < mark));
        mailbox.stop || !mailbox.commands.is_empty() || fed
    }

    /// Called while it sleeps, on the thread that submits: writes short answers. True: something is left to do.
    pub fn answer_now(&mut self, answers: &mut Vec<Command>) -> bool {
        self.now = Instant::now();
        for answer in answers.drain(..) {
            self.obey(answer);
        }
        self.write_dirty();
        !self.ready.is_empty() || !self.dirty.is_empty() || !self.events.is_empty() || self.accepting
    }

    fn sleep_for(&mut self) -> Option<Duration> {
        if !self.ready.is_empty() || !self.dirty.is_empty() || self.accepting {
            return Some(Duration::ZERO);
        }
        if self.trim_pool_at.is_none() && self.pool.is_used() {
            self.trim_pool_at = Some(self.now + pool::PAUSE);
        }
        let deadlines = [
            self.muted.first().map(|(at, _)| *at),
            self.retry_accept_at,
            self.check_idle_at,
            self.check_shortage_at,
            self.trim_pool_at,
        ];
        let own = deadlines.into_iter().flatten().min().map(|at| at.saturating_duration_since(Instant::now()));
        match (own, self.delegate.before_sleep(Instant::now())) {
            (Some(own), Some(other)) => Some(own.min(other)),
            (own, other) => own.or(other),
        }
    }

    fn note(&mut self, event: &mio::event::Event) {
        let token = event.token();
        if token == WAKE {
            return;
        }
        let id = ConnectionId { slot: token.0 as u32, generation: (token.0 >> 32) as u32 };
        if id.slot >= FIRST_LISTENER {
            self.accepting = true;
            return;
        }
        let Some(connection) = find(&mut self.connections, id) else { return };
        if connection.connecting {
            self.finish_connect(id);
            return;
        }
        if event.is_error() || (event.is_read_closed() && event.is_write_closed()) {
            // No answer can be delivered any more; requests that have arrived are still served.
            connection.hung = true;
        }
        connection.last_bytes |= event.is_read_closed();
        if event.is_readable() || event.is_read_closed() || connection.hung {
            connection.readable = true;
            push(&mut self.ready, &mut connection.in_ready, id.slot);
        }
        if event.is_writable() {
            connection.writable = true;
            push(&mut self.dirty, &mut connection.in_dirty, id.slot);
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Listen { id, socket, options } => self.listen(id, socket, options),
            Command::LimitListener { id, limits } => {
                if let Some(listener) = self.listeners.iter_mut().find(|listener| listener.id == id) {
                    listener.limits = limits;
                }
            }
            Command::CloseListener { id } => {
                if let Some(listener) = self.listeners.iter_mut().find(|listener| listener.id == id) {
                    listener.socket = None;
                }
            }
            Command::Connect { token, address, max_frame_bytes } => self.connect(token, address, max_frame_bytes),
            Command::Answer { connection: id, sequence, answer } => {
                let Some(connection) = find(&mut self.connections, id) else { return };
                let mute = answer.mute;
                if !connection.answer(sequence, answer) {
                    return;
                }
                if !mute.is_zero() {
                    let until = self.now + mute;
                    if let Some(before) = connection.muted_until.replace(until) {
                        self.muted.remove(&(before, id.slot));
                    }
                    self.muted.insert((until, id.slot));
                }
                push(&mut self.dirty, &mut connection.in_dirty, id.slot);
                if connection.wants_turn() {
                    push(&mut self.ready, &mut connection.in_ready, id.slot);
                }
            }
            Command::Send { connection: id, answer, program } => {
                let Some(connection) = find(&mut self.connections, id) else { return };
                connection.request(answer, program);
                push(&mut self.dirty, &mut connection.in_dirty, id.slot);
            }
            Command::Close { connection: id, reason } => {
                // What was answered before leaves first, as far as the socket takes it.
                if let Some(connection) = find(&mut self.connections, id)
                    && !connection.connecting
                    && connection.writable
                {
                    let mut sent = Sent::default();
                    connection.outflow.flush(&mut connection.transport, &mut sent);
                    self.handle.shared.counters.bytes_out.fetch_add(sent.bytes, Ordering::Relaxed);
                }
                self.close(id, reason);
            }
            Command::Warmed { connection: id } => {
                let Some(connection) = find(&mut self.connections, id) else { return };
                connection.warming = false;
                connection.outflow.warmed();
                push(&mut self.dirty, &mut connection.in_dirty, id.slot);
            }
        }
    }

    fn tell(&mut self, event: Event, urgent: bool) {
        self.urgent |= urgent;
        self.events.push(event);
    }
}

fn find(connections: &mut [Option<Box<Connection>>], id: ConnectionId) -> Option<&mut Connection> {
    connections.get_mut(id.slot as usize)?.as_deref_mut().filter(|connection| connection.id == id)
}

/// Puts a slot on a list unless it stands there.
fn push(list: &mut VecDeque<u32>, listed: &mut bool, slot: u32) {
    if !std::mem::replace(listed, true) {
        list.push_back(slot);
    }
}
