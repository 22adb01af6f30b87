//! One native runtime: an engine, a reactor, and what JavaScript holds of them.
//!
//! Invariants: a runtime belongs to the thread of the environment that opened it, and is reached only there, by its
//! number; numbers are never used twice. Closing it (or the end of its environment) joins every thread it has started,
//! after the last call into JavaScript. The engine and the reactor outlive every call that is under way in them.

use crate::held::{Held, HeldTable};
use crate::inbox::Inbox;
use crate::mapped::MappedLogs;
use crate::news::{Item, News};
use crate::outbox::{self, BadRecord, Orders};
use crate::prepared::PreparedAnswers;
use bytes::Bytes;
use napi::sys;
use odradek_engine::command::{Completion, Failure, Sink};
use odradek_engine::driver::{Engine, EngineOptions, OpenedDirectory, Role};
use odradek_engine::vfs::{MemoryVfs, VfsKind};
use odradek_reactor as net;
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Number of the operating system's files when nothing of them may be changed; src/native/engine-commands.ts.
const READ_ONLY_DISK: u32 = u32::MAX;

/// queued.max.request.bytes when it is -1.
const DEFAULT_FRAME_BUDGET: u64 = 64 << 20;

pub struct Runtime {
    news: Arc<News>,
    sink: Arc<EngineSink>,
    engine: Engine,
    /// None in manual mode.
    sockets: Option<Sockets>,
    held: HeldTable,
    /// Taken and not yet encoded.
    taken: VecDeque<Item>,
    orders: Orders,
    disks: BTreeMap<u32, MemoryVfs>,
    /// Logs that this thread owns itself.
    pub mapped: MappedLogs,
    next_number: u32,
}

struct Sockets {
    reactor: net::Reactor,
    cold: ColdRanges,
    warmer: Option<JoinHandle<()>>,
}

/// The way to the thread that warms; None once it is to end.
type ColdRanges = Arc<Mutex<Option<Sender<Cold>>>>;

struct Cold {
    connection: net::ConnectionId,
    source: Arc<dyn net::Source>,
    position: u64,
    length: u64,
}

struct EngineSink {
    news: Arc<News>,
    prepared: PreparedAnswers,
}

impl EngineSink {
    /// `at_once`: an answer or two may be written to their sockets here.
    fn settle(&self, completions: impl Iterator<Item = Completion>, urgent: bool, at_once: bool) {
        let settled = self.prepared.settle(completions);
        // Listed first, sent then: what their readers send next is handled behind them.
        self.news.push(settled.items.into_iter(), urgent || settled.dropped);
        self.prepared.send(settled.answers, at_once);
    }
}

impl Sink for EngineSink {
    fn complete(&self, completion: Completion, urgent: bool) {
        self.settle(std::iter::once(completion), urgent, true);
    }

    fn complete_in_passing(&self, completion: Completion, urgent: bool) {
        self.settle(std::iter::once(completion), urgent, false);
    }

    fn complete_all(&self, completions: Vec<Completion>, urgent: bool) {
        self.settle(completions.into_iter(), urgent, true);
    }
}

struct SocketDelegate {
    news: Arc<News>,
    cold: ColdRanges,
}

impl net::Delegate for SocketDelegate {
    fn deliver(&self, events: &mut Vec<net::Event>, urgent: bool) {
        self.news.push(events.drain(..).map(Item::Net), urgent);
    }

    fn before_sleep(&self, now: Instant) -> Option<Duration> {
        self.news.watch(now)
    }

    fn warm(&self, connection: net::ConnectionId, source: Arc<dyn net::Source>, position: u64, length: u64) {
        let sender = self.cold.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = sender.as_ref() {
            // Fails only while the runtime closes, and the connection with it.
            let _ = sender.send(Cold { connection, source, position, length });
        }
    }

    fn fatal(&self, text: String) {
        self.news.push(std::iter::once(Item::Engine(Completion::Fatal { text })), true);
    }
}

fn warm_all(cold: Receiver<Cold>, reactor: net::Handle) {
    for range in cold {
        range.source.warm(range.position, range.length);
        reactor.submit(&mut vec![net::Command::Warmed { connection: range.connection }]);
    }
}

impl Sockets {
    fn start(news: &Arc<News>) -> std::io::Result<Sockets> {
        let (sender, receiver) = channel();
        let cold = Arc::new(Mutex::new(Some(sender)));
        let delegate = SocketDelegate { news: Arc::clone(news), cold: Arc::clone(&cold) };
        let reactor = net::Reactor::start(DEFAULT_FRAME_BUDGET, |handle| {
            news.set_reactor(handle);
            Arc::new(delegate)
        })?;
        let handle = reactor.handle().clone();
        let warmer =
            std::thread::Builder::new().name("odradek-warm".into()).spawn(move || warm_all(receiver, handle))?;
        Ok(Sockets { reactor, cold, warmer: Some(warmer) })
    }

    fn stop(&mut self) {
        self.reactor.stop();
        if let Some(warmer) = self.warmer.take() {
            *self.cold.lock().unwrap_or_else(PoisonError::into_inner) = None;
            // A panic there is a panic of a file's `warm`; there is nobody left to tell.
            let _ = warmer.join();
        }
    }
}

/// What `turn` and its kin can fail with; thrown as an error in JavaScript.
pub type Failed = String;

impl Runtime {
    fn start(manual: bool) -> std::io::Result<Runtime> {
        let news = Arc::new(News::new());
        let sink = Arc::new(EngineSink { news: Arc::clone(&news), prepared: PreparedAnswers::default() });
        let engine = Engine::start(EngineOptions { manual, ..EngineOptions::default() }, sink.clone());
        let sockets = if manual { None } else { Some(Sockets::start(&news)?) };
        if let Some(sockets) = &sockets {
            sink.prepared.set_reactor(sockets.reactor.handle().clone());
        }
        Ok(Runtime {
            news,
            sink,
            engine,
            sockets,
            held: HeldTable::default(),
            taken: VecDeque::new(),
            orders: Orders::default(),
            disks: BTreeMap::new(),
            mapped: MappedLogs::default(),
            next_number: 1,
        })
    }

    pub fn news(&self) -> &Arc<News> {
        &self.news
    }

    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    pub fn reactor(&self) -> Result<&net::Handle, Failed> {
        let sockets = self.sockets.as_ref().ok_or("a manual runtime has no sockets")?;
        Ok(sockets.reactor.handle())
    }

    fn number(&mut self) -> u32 {
        self.next_number += 1;
        self.next_number - 1
    }

    /// Carries out what JavaScript has written.
    pub fn dispatch(&mut self, outbox: &[u8]) -> Result<(), Failed> {
        if outbox.is_empty() {
            return Ok(());
        }
        self.mapped.settle();
        let decoded = outbox::decode(outbox, &mut self.held, &mut self.orders);
        if !self.orders.net.is_empty() {
            match &self.sockets {
                Some(sockets) => sockets.reactor.handle().submit(&mut self.orders.net),
                None => self.orders.net.clear(),
            }
        }
        // Before their appends, which complete on another thread.
        self.sink.prepared.enter(&mut self.orders.prepared);
        if !self.orders.engine.is_empty() {
            self.engine.submit(std::mem::take(&mut self.orders.engine));
        }
        if !self.orders.refused.is_empty() {
            self.sink.settle(self.orders.refused.drain(..), true, true);
        }
        decoded.map_err(|BadRecord(kind)| format!("a record of kind {kind} in the outbox is malformed"))
    }

    /// Fills the inbox. 0: there is nothing, and a wake-up will come when there is.
    pub fn fill(&mut self, memory: &mut [u8]) -> Result<usize, Failed> {
        if self.taken.is_empty() {
            self.news.take(&mut self.taken);
        }
        let mut inbox = Inbox::new(memory, &mut self.held);
        while let Some(item) = self.taken.front() {
            if !inbox.encode(item) {
                if inbox.filled() == 0 {
                    return Err("the inbox is too small for a record".into());
                }
                break;
            }
            self.taken.pop_front();
        }
        Ok(inbox.filled())
    }

    pub fn stage(&mut self, bytes: &[u8]) -> u32 {
        self.held.insert(Held::Bytes(Bytes::copy_from_slice(bytes)))
    }

    pub fn copy_out(&self, handle: u32, position: u64, into: &mut [u8]) -> Result<usize, Failed> {
        self.held.copy_out(handle, position, into).ok_or_else(|| "no such handle, or its file can't be read".into())
    }

    pub fn create_disk(&mut self) -> u32 {
        let number = self.number();
        self.disks.insert(number, MemoryVfs::new());
        number
    }

    /// `disk` 0 is the operating system's, `READ_ONLY_DISK` the same without a change.
    pub fn open_directory(&self, path: &str, disk: u32) -> Result<OpenedDirectory, Failure> {
        let vfs = match (disk, self.disks.get(&disk)) {
            (0, _) => VfsKind::Posix,
            (READ_ONLY_DISK, _) => VfsKind::ReadOnly(Box::new(VfsKind::Posix)),
            (_, Some(memory)) => VfsKind::Memory(memory.clone()),
            (_, None) => return Err(outbox::failure("no such memory disk")),
        };
        self.engine.open_directory(path, vfs)
    }

    /// Binds here, so that a port in use is an error here; returns the listener's number and its address.
    pub fn listen(
        &mut self,
        (host, port, backlog): (&str, u16, i32),
        options: net::ListenerOptions,
    ) -> std::io::Result<(u32, std::net::SocketAddr)> {
        let socket = net::bind(host, port, backlog)?;
        let address = socket.local_addr()?;
        let id = self.number();
        let reactor = self.reactor().map_err(std::io::Error::other)?;
        reactor.submit(&mut vec![net::Command::Listen { id, socket, options }]);
        Ok((id, address))
    }

    pub fn step(&self, role: Role) -> bool {
        self.engine.step(role)
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if let Some(function) = self.news.close() {
            // SAFETY: it was created with one thread's count, and nobody calls it after `close`.
            unsafe {
                sys::napi_release_threadsafe_function(function, sys::ThreadsafeFunctionReleaseMode::abort);
            }
        }
        if let Some(sockets) = &mut self.sockets {
            sockets.stop();
        }
        self.mapped.give_all_back();
        self.engine.stop();
    }
}

static NEXT_RUNTIME: AtomicU32 = AtomicU32::new(1);

type Shared = Rc<RefCell<Runtime>>;

thread_local! {
    static RUNTIMES: RefCell<Vec<(u32, Shared)>> = const { RefCell::new(Vec::new()) };
}

/// Starts a runtime that belongs to this thread; returns its number.
pub fn open(manual: bool) -> std::io::Result<u32> {
    let runtime = Runtime::start(manual)?;
    let number = NEXT_RUNTIME.fetch_add(1, Ordering::Relaxed);
    RUNTIMES.with_borrow_mut(|runtimes| runtimes.push((number, Rc::new(RefCell::new(runtime)))));
    Ok(number)
}

/// The runtime with this number, if this thread opened it and has not closed it.
pub fn with<T>(number: u32, act: impl FnOnce(&mut Runtime) -> T) -> Option<T> {
    let runtime = RUNTIMES.with_borrow(|runtimes| {
        runtimes.iter().find(|(candidate, _)| *candidate == number).map(|(_, runtime)| Rc::clone(runtime))
    })?;
    // Native never calls JavaScript from inside a runtime, so it can't be borrowed twice.
    Some(act(&mut runtime.borrow_mut()))
}

/// Joins its threads. Idempotent.
pub fn close(number: u32) {
    let closed = RUNTIMES.with_borrow_mut(|runtimes| {
        let index = runtimes.iter().position(|(candidate, _)| *candidate == number)?;
        Some(runtimes.swap_remove(index))
    });
    drop(closed);
}
