//! Starting, stopping and calling the reactor's thread; `event_loop.rs` is what it runs.
//!
//! Invariants: whoever submits a command wakes the thread if it sleeps. A panic is caught and told to the delegate; the
//! sockets are closed by then.

use crate::budget::Budget;
use crate::event::{Command, Delegate};
use crate::event_loop::EventLoop;
use crate::skim::Program;
use mio::{Poll, Token, Waker};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Instant;

/// Answers that the submitting thread writes itself, at most.
const AT_ONCE: usize = 2;
pub(crate) const WAKE: Token = Token(usize::MAX);

/// What has happened since the start.
#[derive(Default)]
pub struct Counters {
    pub frames: AtomicU64,
    pub bytes_in: AtomicU64,
    pub bytes_out: AtomicU64,
    pub sendfile_bytes: AtomicU64,
    pub connections: AtomicU64,
    /// Answers that the thread which submitted them wrote.
    pub answered_at_once: AtomicU64,
}

pub(crate) struct Mailbox {
    pub commands: Vec<Command>,
    pub stop: bool,
}

/// (response, API key, version).
type SkimKey = (bool, i16, i16);

pub(crate) struct Shared {
    pub mailbox: Mutex<Mailbox>,
    /// Set by the thread before it looks at the mailbox for the last time and polls.
    pub asleep: AtomicBool,
    waker: Waker,
    /// The event loop, while its thread sleeps in `poll`.
    parked: Mutex<Option<Box<EventLoop>>>,
    pub skims: RwLock<BTreeMap<SkimKey, Arc<Program>>>,
    pub counters: Counters,
    pub started: Instant,
}

impl Shared {
    pub fn parked(&self) -> MutexGuard<'_, Option<Box<EventLoop>>> {
        // Whoever panicked while it wrote an answer has left the event loop in no state to go on.
        self.parked.lock().expect("no panic while an answer was written")
    }

    /// Writes a short answer or two on the caller's thread if the event loop sleeps, which saves waking it. False:
    /// nothing was done. More of them are for the event loop, which writes them while the caller goes on.
    fn answer_now(&self, commands: &mut Vec<Command>) -> bool {
        let few = commands.len() <= AT_ONCE && self.asleep.load(Ordering::SeqCst);
        if !few || !commands.iter().all(Command::is_short_answer) {
            return false;
        }
        // Not held by the event loop for long, but neither worth waiting for.
        let Ok(mut parked) = self.parked.try_lock() else { return false };
        let Some(event_loop) = parked.as_mut() else { return false };
        // What was submitted before comes first.
        if !lock(&self.mailbox).commands.is_empty() {
            return false;
        }
        self.counters.answered_at_once.fetch_add(commands.len() as u64, Ordering::Relaxed);
        let left = event_loop.answer_now(commands);
        drop(parked);
        if left {
            self.wake();
        }
        true
    }

    fn wake(&self) {
        if self.asleep.swap(false, Ordering::SeqCst) {
            // Fails only when the poll is gone, and with it whoever would have to wake.
            let _ = self.waker.wake();
        }
    }
}

/// The way to a running reactor; cheap to clone. After the reactor has stopped its calls do nothing.
#[derive(Clone)]
pub struct Handle {
    pub(crate) shared: Arc<Shared>,
    pub(crate) budget: Arc<Budget>,
}

impl Handle {
    /// Takes all commands out of the list, in order. May write an answer or two to their sockets; never waits for them.
    pub fn submit(&self, commands: &mut Vec<Command>) {
        if commands.is_empty() {
            return;
        }
        if !self.shared.answer_now(commands) {
            self.submit_to_thread(commands);
        }
    }

    /// As `submit`; writes nothing itself.
    pub fn submit_to_thread(&self, commands: &mut Vec<Command>) {
        if !commands.is_empty() {
            lock(&self.shared.mailbox).commands.append(commands);
            self.shared.wake();
        }
    }

    /// Makes the reactor call `before_sleep` again, if it sleeps.
    pub fn nudge(&self) {
        self.shared.wake();
    }

    pub fn register_skim(&self, response: bool, key: i16, version: i16, program: Program) {
        let mut skims = self.shared.skims.write().unwrap_or_else(PoisonError::into_inner);
        skims.insert((response, key, version), Arc::new(program));
    }

    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    pub fn counters(&self) -> &Counters {
        &self.shared.counters
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Owns the thread; dropping it stops the reactor and closes every socket.
pub struct Reactor {
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

impl Reactor {
    /// `delegate` is made from the handle, so that it can submit commands.
    pub fn start(budget_bytes: u64, delegate: impl FnOnce(Handle) -> Arc<dyn Delegate>) -> std::io::Result<Reactor> {
        let poll = Poll::new()?;
        let shared = Arc::new(Shared {
            mailbox: Mutex::new(Mailbox { commands: Vec::new(), stop: false }),
            asleep: AtomicBool::new(false),
            waker: Waker::new(poll.registry(), WAKE)?,
            parked: Mutex::new(None),
            skims: RwLock::default(),
            counters: Counters::default(),
            started: Instant::now(),
        });
        let woken = Arc::clone(&shared);
        let budget = Budget::new(budget_bytes, Box::new(move || woken.wake()));
        let handle = Handle { shared, budget };
        let delegate = delegate(handle.clone());
        let inside = handle.clone();
        let registry = poll.registry().try_clone()?;
        let thread = std::thread::Builder::new().name("odradek-reactor".into()).spawn(move || {
            let told = Arc::clone(&delegate);
            let run = move || EventLoop::new(inside, registry, delegate).run(poll);
            if let Err(panic) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)) {
                let text = panic.downcast_ref::<String>().map(String::as_str);
                let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
                told.fatal(format!("the reactor panicked: {text}"));
            }
        })?;
        Ok(Reactor { handle, thread: Some(thread) })
    }

    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Closes every socket and joins the thread. Idempotent.
    pub fn stop(&mut self) {
        lock(&self.handle.shared.mailbox).stop = true;
        self.handle.shared.wake();
        // The flag is set by the sleeper after it has looked at the mailbox; waking twice is harmless.
        let _ = self.handle.shared.waker.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Reactor {
    fn drop(&mut self) {
        self.stop();
    }
}
