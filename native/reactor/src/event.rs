//! The vocabulary between the reactor and whoever embeds it (the addon, the tests). Plain data and two traits.
//!
//! Invariants: a connection is announced once by `Connected` and ended once by `Closed`; its frames carry sequences 0,
//! 1, 2 and so on; each delivered request is answered by exactly one `Answer`. A command for a connection that is gone
//! is dropped, and with it everything it pins.

use crate::skim::Skimmed;
use bytes::Bytes;
use std::borrow::Cow;
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Names a connection; a stale generation is ignored, never followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId {
    pub slot: u32,
    pub generation: u32,
}

/// Why a connection ended; for people.
pub type Reason = Cow<'static, str>;

/// Who opened a connection, in the embedder's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opened {
    /// It came in through this listener.
    Listener(u32),
    /// It was asked for with this token.
    Outgoing(u32),
}

#[derive(Debug)]
pub enum Event {
    Connected { connection: ConnectionId, opened: Opened, peer: SocketAddr, local: SocketAddr },
    ConnectFailed { token: u32, reason: Reason },
    Frame(Box<Frame>),
    Closed { connection: ConnectionId, reason: Reason },
}

/// A whole frame, without its length prefix.
#[derive(Debug)]
pub struct Frame {
    pub connection: ConnectionId,
    pub sequence: u32,
    /// A response on an outgoing connection; otherwise a request.
    pub response: bool,
    /// Charged to the budget until its last reference is dropped.
    pub bytes: Bytes,
    /// Present when a skim program fitted.
    pub skimmed: Option<Skimmed>,
    /// Microseconds since the reactor started, wrapping, when its last byte was read.
    pub arrived_us: u32,
}

/// Bytes of a file that a part of an answer names. The embedder pins it; positions are absolute.
pub trait Source: Send + Sync {
    /// For sendfile. None: there is no such descriptor, and the bytes are copied.
    fn raw_fd(&self) -> Option<RawFd>;
    fn read_at(&self, into: &mut [u8], position: u64) -> std::io::Result<usize>;
    /// Whether reading this range would not wait for a disk.
    fn resident(&self, position: u64, length: u64) -> bool;
    /// Makes it so. Waits for the disk; never called by the reactor.
    fn warm(&self, position: u64, length: u64);
}

#[derive(Clone)]
pub enum Part {
    Memory(Bytes),
    File { source: Arc<dyn Source>, position: u64, length: u64 },
}

impl Part {
    pub fn length(&self) -> u64 {
        match self {
            Part::Memory(bytes) => bytes.len() as u64,
            Part::File { length, .. } => *length,
        }
    }
}

/// What to write, its length prefix included, and what to do then.
#[derive(Default)]
pub struct Answer {
    /// The first part, so that an answer of one part needs no list.
    pub head: Bytes,
    pub rest: Vec<Part>,
    pub close_after: bool,
    /// Nothing is written; the request counts as answered.
    pub no_answer: bool,
    /// Stop reading the connection for this long.
    pub mute: Duration,
}

const SHORT_ANSWER: u64 = 16 << 10;

/// Limits of a listener.
#[derive(Clone, Debug)]
pub struct ListenerOptions {
    pub max_frame_bytes: u32,
    /// The first two bytes of a frame, as a number: requests that may overlap one another.
    pub overlap_keys: Vec<i16>,
    /// None: connections may idle for ever.
    pub idle_timeout: Option<Duration>,
    pub limits: Limits,
}

/// Connections that may be open at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of all listeners together.
    pub of_all: u32,
    pub of_listener: u32,
    /// Of one address on one listener.
    pub per_ip: u32,
}

pub enum Command {
    Listen {
        id: u32,
        socket: std::net::TcpListener,
        options: ListenerOptions,
    },
    /// From the next connection on; those that are open stay.
    LimitListener {
        id: u32,
        limits: Limits,
    },
    /// Stops accepting; connections go on.
    CloseListener {
        id: u32,
    },
    Connect {
        token: u32,
        address: SocketAddr,
        max_frame_bytes: u32,
    },
    Answer {
        connection: ConnectionId,
        sequence: u32,
        answer: Answer,
    },
    /// A request on an outgoing connection; `program` names the skim program of its response.
    Send {
        connection: ConnectionId,
        answer: Answer,
        program: Option<(i16, i16)>,
    },
    Close {
        connection: ConnectionId,
        reason: Reason,
    },
    /// A range that `Delegate::warm` was asked for is resident (or could not be made so).
    Warmed {
        connection: ConnectionId,
    },
}

impl Command {
    /// An answer that is written in one go and has no consequences.
    pub(crate) fn is_short_answer(&self) -> bool {
        let Command::Answer { answer, .. } = self else { return false };
        let in_memory = answer.rest.iter().all(|part| matches!(part, Part::Memory(_)));
        let length = || answer.head.len() as u64 + answer.rest.iter().map(Part::length).sum::<u64>();
        !answer.close_after && answer.mute.is_zero() && in_memory && length() <= SHORT_ANSWER
    }
}

/// The other side of the reactor. Called on the reactor's thread; must not block.
pub trait Delegate: Send + Sync {
    /// Takes all events out of the list. `urgent`: someone must hear of them at once.
    fn deliver(&self, events: &mut Vec<Event>, urgent: bool);
    /// Called before the reactor sleeps: how soon it must be called again at the latest.
    fn before_sleep(&self, now: Instant) -> Option<Duration>;
    /// Makes a cold range resident somewhere else and then sends `Command::Warmed`.
    fn warm(&self, connection: ConnectionId, source: Arc<dyn Source>, position: u64, length: u64);
    /// The reactor panicked; it is gone.
    fn fatal(&self, text: String);
}
