//! The one thread that owns the sockets.
//!
//! Invariants: it never waits for a disk nor for another thread; it sleeps only in `poll`, and only as long as neither
//! its own deadlines nor the delegate's come due. While it sleeps it lies in `Shared::parked`, where whoever submits a
//! short answer may write it; all else is left to the thread. Readiness is edge-triggered: a connection's `readable` and `writable`
//! stay set until the socket has said otherwise, and whatever opens a gate puts the connection back on a list.

use crate::connection::Connection;
use crate::event::{Command, ConnectionId, Delegate, Event, Frame, ListenerOptions, Opened, Reason};
use crate::inflow::Inflow;
use crate::listener::Listener;
use crate::outflow::{Flushed, Sent};
use crate::pool::{self, Pool};
use crate::reactor::{Handle, WAKE, lock};
use crate::transport::Transport;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Registry, Token};
use std::collections::{BTreeSet, VecDeque};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

/// Slots from here on are listeners.
const FIRST_LISTENER: u32 = 0xffff_0000;
const SCRATCH_BYTES: usize = 64 << 10;
/// Reads of one connection before the others have their turn.
const READS_PER_TURN: u32 = 4;
const ACCEPTS_PER_TURN: u32 = 64;
/// A frame up to this size is copied whole, so it is not skimmed.
const COPIED_WHOLE: usize = 4096;
/// What is read of a connection that owes and is owed nothing even when the budget is spent, so that whoever holds it by
/// frames that never end can't keep small requests waiting.
const LITTLE: usize = 4096;
/// How long the connection that may overdraw the budget keeps that right without sending.
const OVERDRAW_PATIENCE: Duration = Duration::from_secs(1);
/// While the budget is spent, a frame under way that doesn't grow for this long is given up.
const STALLED_AFTER: Duration = Duration::from_secs(30);
const SHORTAGE_CHECK: Duration = Duration::from_millis(250);
const ACCEPT_RETRY: Duration = Duration::from_millis(100);
/// Looks for idle connections are at least this far apart, so that many deadlines share one.
const LONGEST_IDLE_PAUSE: Duration = Duration::from_secs(1);

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

    fn listen(&mut self, id: u32, socket: std::net::TcpListener, options: ListenerOptions) {
        let mut socket = mio::net::TcpListener::from_std(socket);
        let token = Token((FIRST_LISTENER as usize) | self.listeners.len());
        // Registering fails only for lack of memory or descriptors; then nothing is accepted on this port.
        if self.registry.register(&mut socket, token, Interest::READABLE).is_ok() {
            self.listeners.push(Listener::new(id, socket, options));
            self.accepting = true;
        }
    }

    fn accept(&mut self) {
        self.accepting = false;
        for index in 0..self.listeners.len() {
            for turn in 0.. {
                if turn == ACCEPTS_PER_TURN {
                    self.accepting = true;
                    break;
                }
                let listener = &mut self.listeners[index];
                let Some(socket) = &listener.socket else { break };
                match socket.accept() {
                    Ok((stream, peer)) => {
                        if listener.admit(peer.ip()) {
                            let (opened, options) = (Opened::Listener(listener.id), Arc::clone(&listener.options));
                            self.enter(stream, peer, opened, options, false);
                        }
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => {}
                    Err(_) => {
                        // Out of descriptors or memory: connections that end make room.
                        self.retry_accept_at = Some(self.now + ACCEPT_RETRY);
                        break;
                    }
                }
            }
        }
    }

    fn connect(&mut self, token: u32, address: SocketAddr, max_frame_bytes: u32) {
        let options = ListenerOptions {
            max_frame_bytes,
            overlap_keys: Vec::new(),
            idle_timeout: None,
            max_connections: 1,
            max_connections_per_ip: 1,
        };
        match TcpStream::connect(address) {
            Ok(stream) => self.enter(stream, address, Opened::Outgoing(token), Arc::new(options), true),
            Err(error) => self.tell(Event::ConnectFailed { token, reason: error.to_string().into() }, true),
        }
    }

    fn finish_connect(&mut self, id: ConnectionId) {
        let Some(connection) = find(&mut self.connections, id) else { return };
        let Opened::Outgoing(token) = connection.opened else { return };
        let stream = connection.transport.stream();
        let failed = match stream.take_error() {
            Ok(None) => None,
            Ok(Some(error)) | Err(error) => Some(error),
        };
        let event = match (failed, stream.peer_addr(), stream.local_addr()) {
            (Some(error), ..) => Event::ConnectFailed { token, reason: error.to_string().into() },
            (None, Ok(peer), Ok(local)) => {
                connection.connecting = false;
                connection.readable = true;
                connection.writable = true;
                push(&mut self.ready, &mut connection.in_ready, id.slot);
                push(&mut self.dirty, &mut connection.in_dirty, id.slot);
                Event::Connected { connection: id, opened: connection.opened, peer, local }
            }
            // Neither an error nor a peer: the handshake is still under way.
            _ => return,
        };
        if matches!(event, Event::ConnectFailed { .. }) {
            self.remove(id);
        }
        self.tell(event, true);
    }

    fn enter(
        &mut self,
        mut stream: TcpStream,
        peer: SocketAddr,
        opened: Opened,
        options: Arc<ListenerOptions>,
        connecting: bool,
    ) {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.connections.push(None);
            self.generations.push(0);
            self.connections.len() as u32 - 1
        });
        let id = ConnectionId { slot, generation: self.generations[slot as usize] };
        let token = Token(((id.generation as usize) << 32) | slot as usize);
        // Small answers must not wait for the acknowledgement of earlier ones; a socket that refuses works all the same.
        let _ = stream.set_nodelay(true);
        let registered = self.registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE);
        let local = if connecting { Ok(peer) } else { stream.local_addr() };
        let idle_timeout = options.idle_timeout;
        let inflow = Inflow::new(options.max_frame_bytes, &self.handle.budget, &self.pool, self.now);
        let mut connection =
            Connection::new(id, opened, peer.ip(), options, Transport::Plain(stream), inflow, self.now);
        connection.connecting = connecting;
        connection.writable = !connecting;
        self.connections[slot as usize] = Some(Box::new(connection));
        self.handle.shared.counters.connections.fetch_add(1, Ordering::Relaxed);
        let (Ok(()), Ok(local)) = (registered, local) else {
            self.remove(id);
            if let Opened::Outgoing(token) = opened {
                self.tell(Event::ConnectFailed { token, reason: "no descriptor to spare".into() }, true);
            }
            return;
        };
        if let Some(timeout) = idle_timeout {
            let at = self.now + timeout;
            self.check_idle_at = Some(self.check_idle_at.map_or(at, |earlier| earlier.min(at)));
        }
        if !connecting {
            self.tell(Event::Connected { connection: id, opened, peer, local }, false);
        }
    }

    fn tell(&mut self, event: Event, urgent: bool) {
        self.urgent |= urgent;
        self.events.push(event);
    }

    fn close(&mut self, id: ConnectionId, reason: Reason) {
        if let Some(connection) = self.remove(id) {
            if connection.connecting {
                if let Opened::Outgoing(token) = connection.opened {
                    self.tell(Event::ConnectFailed { token, reason }, true);
                }
            } else {
                let urgent = connection.outgoing();
                self.tell(Event::Closed { connection: id, reason }, urgent);
            }
        }
    }

    fn remove(&mut self, id: ConnectionId) -> Option<Box<Connection>> {
        find(&mut self.connections, id)?;
        let mut connection = self.connections[id.slot as usize].take()?;
        // Closing the descriptor deregisters it as well; an error here changes nothing.
        let _ = self.registry.deregister(connection.transport.stream());
        self.generations[id.slot as usize] = id.generation.wrapping_add(1);
        self.free.push(id.slot);
        self.handle.shared.counters.connections.fetch_sub(1, Ordering::Relaxed);
        if let Some(until) = connection.muted_until {
            self.muted.remove(&(until, id.slot));
        }
        if self.overdrawing == Some(id) {
            self.overdrawing = None;
        }
        if let Opened::Listener(listener) = connection.opened {
            if let Some(listener) = self.listeners.iter_mut().find(|candidate| candidate.id == listener) {
                listener.leave(connection.peer_ip);
            }
            if self.retry_accept_at.is_some() {
                self.retry_accept_at = None;
                self.accepting = true;
            }
        }
        Some(connection)
    }

    fn obey_deadlines(&mut self) {
        while let Some(&(until, slot)) = self.muted.first().filter(|(until, _)| *until <= self.now) {
            self.muted.remove(&(until, slot));
            if let Some(connection) = self.connections[slot as usize].as_deref_mut() {
                connection.muted_until = None;
                push(&mut self.ready, &mut connection.in_ready, slot);
            }
        }
        if self.retry_accept_at.is_some_and(|at| at <= self.now) {
            self.retry_accept_at = None;
            self.accepting = true;
        }
        if self.check_idle_at.is_some_and(|at| at <= self.now) {
            self.check_idle();
        }
        if self.check_shortage_at.is_some_and(|at| at <= self.now) {
            self.check_shortage();
        }
        if self.trim_pool_at.take_if(|at| *at <= self.now).is_some() {
            self.pool.trim();
        }
    }

    fn check_idle(&mut self) {
        let mut next: Option<Instant> = None;
        let mut pause = LONGEST_IDLE_PAUSE;
        let mut idle = Vec::new();
        for connection in self.connections.iter().flatten() {
            let Some(timeout) = connection.options.idle_timeout else { continue };
            pause = pause.min(timeout / 4);
            let at = connection.last_active + timeout;
            if at <= self.now && connection.is_quiet() {
                idle.push(connection.id);
            } else {
                let at = if at > self.now { at } else { self.now + timeout };
                next = Some(next.map_or(at, |earlier| earlier.min(at)));
            }
        }
        self.check_idle_at = next.map(|at| at.max(self.now + pause));
        for id in idle {
            self.close(id, "idle for too long".into());
        }
    }

    /// While the budget is spent: passes the right to overdraw on, and gives up frames that don't grow.
    fn check_shortage(&mut self) {
        if !self.handle.budget.spent() || self.starved.is_empty() {
            self.check_shortage_at = None;
            self.overdrawing = None;
            self.overdrawn = None;
            return;
        }
        self.check_shortage_at = Some(self.now + SHORTAGE_CHECK);
        if let Some(id) = self.overdrawing {
            let stuck = find(&mut self.connections, id)
                .is_none_or(|holder| self.now.saturating_duration_since(holder.inflow.grew_at) >= OVERDRAW_PATIENCE);
            if stuck {
                self.overdrawing = None;
            }
        }
        let stalled = self
            .connections
            .iter()
            .flatten()
            .filter(|connection| connection.inflow.is_partial() && !connection.readable)
            .map(|connection| (connection.inflow.grew_at, connection.id))
            .filter(|(grew_at, _)| self.now.saturating_duration_since(*grew_at) >= STALLED_AFTER)
            .min();
        if let Some((_, id)) = stalled {
            self.close(id, "a frame stalled while memory for frames was short".into());
        }
    }

    /// Puts the connections that waited for the budget back on the ready list: all when it is no longer spent, else the
    /// one that may overdraw.
    fn feed_starved(&mut self) {
        if self.starved.is_empty() {
            return;
        }
        let budget = &self.handle.budget;
        budget.wait_below(self.overdrawn.unwrap_or(0));
        if self.overdrawn.is_some_and(|mark| budget.held() < mark) {
            self.overdrawn = None;
        }
        if !budget.spent() {
            self.overdrawing = None;
            self.overdrawn = None;
            while let Some(slot) = self.starved.pop_front() {
                if let Some(connection) = self.connections[slot as usize].as_deref_mut() {
                    connection.in_starved = false;
                    push(&mut self.ready, &mut connection.in_ready, slot);
                }
            }
            return;
        }
        if self.check_shortage_at.is_none() {
            self.check_shortage_at = Some(self.now + SHORTAGE_CHECK);
        }
        if self.overdrawing.is_some() || self.overdrawn.is_some() {
            return;
        }
        let connections = &self.connections;
        let partial = |slot: &u32| connections[*slot as usize].as_deref().is_some_and(|one| one.inflow.is_partial());
        // Those that have begun a frame come first: finishing it is what gives memory back.
        let index = self.starved.iter().position(partial).unwrap_or(0);
        let Some(slot) = self.starved.remove(index) else { return };
        if let Some(connection) = self.connections[slot as usize].as_deref_mut() {
            connection.in_starved = false;
            connection.inflow.grew_at = self.now;
            self.overdrawing = Some(connection.id);
            push(&mut self.ready, &mut connection.in_ready, slot);
        }
    }

    fn read_ready(&mut self) {
        for _ in 0..self.ready.len() {
            let Some(slot) = self.ready.pop_front() else { return };
            let Some(connection) = self.connections[slot as usize].as_deref_mut() else { continue };
            connection.in_ready = false;
            let id = connection.id;
            self.deliver_from(slot);
            if let Err(reason) = self.read(slot) {
                self.close(id, reason);
            }
        }
    }

    fn read(&mut self, slot: u32) -> Result<(), Reason> {
        for _ in 0..READS_PER_TURN {
            let Some(connection) = self.connections[slot as usize].as_deref_mut() else { return Ok(()) };
            if !connection.may_read() {
                return if connection.hung { Err("the peer closed".into()) } else { Ok(()) };
            }
            let may_overdraw = self.overdrawing == Some(connection.id);
            let short = self.handle.budget.spent() && !may_overdraw;
            let most = if short { connection.little(LITTLE) } else { usize::MAX };
            if most == 0 {
                push(&mut self.starved, &mut connection.in_starved, slot);
                return Ok(());
            }
            let arrived_us = self.now.saturating_duration_since(self.handle.shared.started).as_micros() as u32;
            let read = connection.read_once(&mut self.scratch, most, may_overdraw, self.now, arrived_us)?;
            if may_overdraw && !connection.inflow.is_partial() {
                self.overdrawing = None;
                self.overdrawn = (read > 0).then(|| self.handle.budget.held());
            }
            self.handle.shared.counters.bytes_in.fetch_add(read as u64, Ordering::Relaxed);
            self.deliver_from(slot);
            let Some(connection) = self.connections[slot as usize].as_deref_mut() else { return Ok(()) };
            if connection.ended && (connection.hung || connection.is_quiet()) {
                return Err("the peer closed".into());
            }
        }
        if let Some(connection) = self.connections[slot as usize].as_deref_mut() {
            push(&mut self.ready, &mut connection.in_ready, slot);
        }
        Ok(())
    }

    fn deliver_from(&mut self, slot: u32) {
        let Some(connection) = self.connections[slot as usize].as_deref_mut() else { return };
        while let Some(delivery) = connection.deliver() {
            let response = connection.outgoing();
            let program =
                delivery.program.filter(|_| delivery.bytes.len() > COPIED_WHOLE).and_then(|(key, version)| {
                    let skims = self.handle.shared.skims.read().unwrap_or_else(PoisonError::into_inner);
                    skims.get(&(response, key, version)).cloned()
                });
            let skimmed = program.and_then(|program| program.run(&delivery.bytes));
            self.handle.shared.counters.frames.fetch_add(1, Ordering::Relaxed);
            self.urgent = true;
            self.events.push(Event::Frame(Box::new(Frame {
                connection: connection.id,
                sequence: delivery.sequence,
                response,
                bytes: delivery.bytes,
                skimmed,
                arrived_us: delivery.arrived_us,
            })));
        }
    }

    fn write_dirty(&mut self) {
        for _ in 0..self.dirty.len() {
            let Some(slot) = self.dirty.pop_front() else { return };
            let Some(connection) = self.connections[slot as usize].as_deref_mut() else { continue };
            connection.in_dirty = false;
            if connection.connecting || connection.warming || !connection.writable {
                continue;
            }
            let id = connection.id;
            let mut sent = Sent::default();
            let flushed = connection.outflow.flush(&mut connection.transport, &mut sent);
            if sent.bytes > 0 {
                connection.last_active = self.now;
                let counters = &self.handle.shared.counters;
                counters.bytes_out.fetch_add(sent.bytes, Ordering::Relaxed);
                counters.sendfile_bytes.fetch_add(sent.by_sendfile, Ordering::Relaxed);
            }
            match flushed {
                Flushed::Drained => {
                    if let Some(reason) = connection.closing.take() {
                        self.close(id, reason);
                        continue;
                    }
                    if connection.ended && connection.is_quiet() {
                        self.close(id, "the peer closed".into());
                        continue;
                    }
                }
                Flushed::Blocked => connection.writable = false,
                Flushed::Turn => push(&mut self.dirty, &mut connection.in_dirty, slot),
                Flushed::Cold(source, position, length) => {
                    connection.warming = true;
                    self.delegate.warm(id, source, position, length);
                }
                Flushed::Failed(reason) => {
                    self.close(id, reason);
                    continue;
                }
            }
            if connection.wants_turn() {
                push(&mut self.ready, &mut connection.in_ready, slot);
            }
        }
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
