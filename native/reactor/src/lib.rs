//! Sockets: accept, frame, skim, write, sendfile, limits. Knows no Kafka API, no engine and no N-API.

mod budget;
mod connection;
mod event;
mod event_loop;
mod inflow;
mod listener;
mod memory;
mod os;
mod outflow;
mod pool;
mod reactor;
pub mod skim;
mod transport;

pub use budget::Budget;
pub use event::{
    Answer, Command, ConnectionId, Delegate, Event, Frame, Limits, ListenerOptions, Opened, Part, Reason, Source,
};
pub use listener::bind;
pub use reactor::{Counters, Handle, Reactor};
