#![allow(dead_code)] // Each test program uses its own part of this.
//! A reactor under test: its events come through a channel, its answers are given by the test.

use bytes::Bytes;
use odradek_reactor::*;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub const PATIENCE: Duration = Duration::from_secs(10);
/// Long enough to see that something does not happen.
pub const QUIET: Duration = Duration::from_millis(100);

struct Recorder {
    events: Mutex<Sender<Event>>,
    handle: Handle,
}

impl Delegate for Recorder {
    fn deliver(&self, events: &mut Vec<Event>, _urgent: bool) {
        let sender = self.events.lock().unwrap();
        for event in events.drain(..) {
            let _ = sender.send(event);
        }
    }

    fn before_sleep(&self, _now: Instant) -> Option<Duration> {
        None
    }

    fn warm(&self, connection: ConnectionId, source: Arc<dyn Source>, position: u64, length: u64) {
        let handle = self.handle.clone();
        std::thread::spawn(move || {
            source.warm(position, length);
            handle.submit(&mut vec![Command::Warmed { connection }]);
        });
    }

    fn fatal(&self, text: String) {
        panic!("{text}");
    }
}

pub struct Bench {
    pub reactor: Reactor,
    pub address: SocketAddr,
    events: Receiver<Event>,
}

pub fn options() -> ListenerOptions {
    ListenerOptions {
        max_frame_bytes: 100 << 20,
        overlap_keys: vec![0],
        idle_timeout: None,
        limits: Limits { of_all: 1000, of_listener: 1000, per_ip: 1000 },
    }
}

impl Bench {
    pub fn with(budget: u64, options: ListenerOptions) -> Bench {
        let (sender, events) = channel();
        let reactor =
            Reactor::start(budget, |handle| Arc::new(Recorder { events: Mutex::new(sender), handle })).unwrap();
        let socket = bind("127.0.0.1", 0, 128).unwrap();
        let address = socket.local_addr().unwrap();
        reactor.handle().submit(&mut vec![Command::Listen { id: 1, socket, options }]);
        Bench { reactor, address, events }
    }

    pub fn new() -> Bench {
        Bench::with(64 << 20, options())
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    pub fn event(&self) -> Event {
        self.events.recv_timeout(PATIENCE).expect("an event")
    }

    /// The next frame; the connections that are announced on the way are passed over.
    pub fn frame(&self) -> Frame {
        loop {
            match self.event() {
                Event::Frame(frame) => return *frame,
                Event::Connected { .. } => {}
                other => panic!("a frame was expected, not {other:?}"),
            }
        }
    }

    pub fn closed(&self) -> String {
        loop {
            match self.event() {
                Event::Closed { reason, .. } => return reason.into_owned(),
                Event::Connected { .. } => {}
                other => panic!("an end was expected, not {other:?}"),
            }
        }
    }

    /// The next frame, unless none comes for a while.
    pub fn try_frame(&self) -> Option<Frame> {
        loop {
            match self.events.recv_timeout(2 * QUIET) {
                Ok(Event::Frame(frame)) => return Some(*frame),
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }

    pub fn assert_no_frame(&self) {
        let until = Instant::now() + QUIET;
        loop {
            match self.events.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(Event::Connected { .. }) => {}
                Ok(other) => panic!("nothing was expected, not {other:?}"),
                Err(RecvTimeoutError::Timeout) => return,
                Err(error) => panic!("{error}"),
            }
        }
    }

    pub fn command(&self, command: Command) {
        self.reactor.handle().submit(&mut vec![command]);
    }

    pub fn answer(&self, frame: &Frame, answer: Answer) {
        self.command(Command::Answer { connection: frame.connection, sequence: frame.sequence, answer });
    }

    pub fn reply(&self, frame: &Frame, body: &[u8]) {
        self.answer(frame, Answer { head: framed(body), ..Answer::default() });
    }
}

pub fn framed(body: &[u8]) -> Bytes {
    [&(body.len() as i32).to_be_bytes(), body].concat().into()
}

/// A request of this API key, with a mark to know it by.
pub fn request(key: i16, mark: u8) -> Bytes {
    let [high, low] = key.to_be_bytes();
    framed(&[high, low, 0, 9, mark])
}

pub fn mark(frame: &Frame) -> u8 {
    *frame.bytes.last().unwrap()
}

pub fn send(stream: &mut TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).unwrap();
}

pub fn receive(stream: &mut TcpStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).unwrap();
    bytes
}

/// Reads to the end; a reset counts as one.
pub fn drain(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut piece = [0; 65536];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => return bytes,
            Ok(read) => bytes.extend_from_slice(&piece[..read]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return bytes,
            Err(error) => panic!("{error}"),
        }
    }
}
