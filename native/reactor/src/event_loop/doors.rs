//! Connections come and go: listening, accepting, connecting, closing.
//!
//! Invariants: a slot that is used again has a new generation, so that nobody reaches the new connection by the old
//! one's name. A connection that fails to come is told once, by `ConnectFailed`; one that came, by `Closed`. Called
//! by the event loop alone.

use super::{EventLoop, FIRST_LISTENER, find, push};
use crate::connection::Connection;
use crate::event::{ConnectionId, Event, Limits, ListenerOptions, Opened, Reason};
use crate::inflow::Inflow;
use crate::listener::Listener;
use crate::os;
use crate::transport::Transport;
use mio::net::TcpStream;
use mio::{Interest, Token};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

const ACCEPTS_PER_TURN: u32 = 64;
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

impl EventLoop {
    pub(super) fn listen(&mut self, id: u32, socket: std::net::TcpListener, options: ListenerOptions) {
        let mut socket = mio::net::TcpListener::from_std(socket);
        let token = Token((FIRST_LISTENER as usize) | self.listeners.len());
        // Registering fails only for lack of memory or descriptors; then nothing is accepted on this port.
        if self.registry.register(&mut socket, token, Interest::READABLE).is_ok() {
            self.listeners.push(Listener::new(id, socket, options));
            self.accepting = true;
        }
    }

    pub(super) fn accept(&mut self) {
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
                    Ok((stream, _)) if os::is_kept(stream.as_raw_fd()) => {
                        // It would take one of those that files need: as below.
                        self.retry_accept_at = Some(self.now + ACCEPT_RETRY);
                        break;
                    }
                    Ok((stream, peer)) => {
                        let all = self.listeners.iter().map(|listener| listener.connections).sum();
                        let listener = &mut self.listeners[index];
                        if listener.admit(peer.ip(), all) {
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

    pub(super) fn connect(&mut self, token: u32, address: SocketAddr, max_frame_bytes: u32) {
        let options = ListenerOptions {
            max_frame_bytes,
            overlap_keys: Vec::new(),
            idle_timeout: None,
            limits: Limits { of_all: 1, of_listener: 1, per_ip: 1 },
        };
        match TcpStream::connect(address) {
            Ok(stream) => self.enter(stream, address, Opened::Outgoing(token), Arc::new(options), true),
            Err(error) => self.tell(Event::ConnectFailed { token, reason: error.to_string().into() }, true),
        }
    }

    pub(super) fn finish_connect(&mut self, id: ConnectionId) {
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

    pub(super) fn enter(
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
        // Small answers must not wait for the acknowledgement of earlier ones; a socket that
        // refuses works all the same.
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

    pub(super) fn close(&mut self, id: ConnectionId, reason: Reason) {
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

    pub(super) fn remove(&mut self, id: ConnectionId) -> Option<Box<Connection>> {
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
}
