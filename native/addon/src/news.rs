//! What native has to tell JavaScript, and when JavaScript is woken for it.
//!
//! Invariants: JavaScript is called only while it is parked (its last `take` found nothing), and for what is
//! urgent; what is lazy rides along, or is called for once it is `PATIENCE` old. A call that is not followed by
//! a `take` in time is repeated with back-off, because a runtime may lose one. No call is made after `close`:
//! the thread-safe function is called under a lock of its own, so that `close` is a barrier and nobody waits for
//! a call to hand news over.

use napi::sys;
use odradek_engine::command::Completion;
use odradek_reactor as net;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// How long a call may go unanswered, and lazy news untold.
const PATIENCE: Duration = Duration::from_millis(1);
const LONGEST_BACK_OFF: Duration = Duration::from_millis(64);
/// Test builds lose one wake-up of so many.
const LOST_OF: u64 = 1000;
/// For so long after the last news the reactor looks every `PATIENCE`, so that telling it of each is not needed.
const GUARDED: Duration = Duration::from_millis(3);

pub enum Item {
    Net(net::Event),
    Engine(Completion),
    /// An append whose prepared answer leaves without JavaScript.
    Answered(Completion),
}

struct ThreadsafeFunction(sys::napi_threadsafe_function);

// SAFETY: N-API allows calling a thread-safe function from any thread.
unsafe impl Send for ThreadsafeFunction {}

#[derive(Default)]
pub struct Counters {
    pub native_calls: AtomicU64,
    pub wake_ups: AtomicU64,
    pub re_kicks: AtomicU64,
}

struct State {
    items: VecDeque<Item>,
    parked: bool,
    /// When JavaScript was last called for the items that are there; none since the last `take`.
    called_at: Option<Instant>,
    back_off: Duration,
    /// When the oldest untaken item came.
    oldest: Option<Instant>,
    active_at: Instant,
    /// The reactor will look again within `PATIENCE` without being told.
    guarded: bool,
}

pub struct News {
    state: Mutex<State>,
    function: Mutex<Option<ThreadsafeFunction>>,
    reactor: OnceLock<net::Handle>,
    pub counters: Counters,
}

impl News {
    pub fn new() -> News {
        News {
            state: Mutex::new(State {
                items: VecDeque::new(),
                parked: false,
                called_at: None,
                back_off: PATIENCE,
                oldest: None,
                active_at: Instant::now(),
                guarded: false,
            }),
            function: Mutex::new(None),
            reactor: OnceLock::new(),
            counters: Counters::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn function(&self) -> MutexGuard<'_, Option<ThreadsafeFunction>> {
        self.function.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on JavaScript can be called. Without it nothing is ever called (manual mode).
    pub fn set_function(&self, function: sys::napi_threadsafe_function) {
        *self.function() = Some(ThreadsafeFunction(function));
    }

    /// From now on the reactor watches over calls and lazy news.
    pub fn set_reactor(&self, reactor: net::Handle) {
        // A runtime has one reactor; a second one would be ignored.
        let _ = self.reactor.set(reactor);
    }

    pub fn with_function(&self, act: impl FnOnce(sys::napi_threadsafe_function)) {
        if let Some(function) = &*self.function() {
            act(function.0);
        }
    }

    /// Ends all calling; gives the function back to be released.
    pub fn close(&self) -> Option<sys::napi_threadsafe_function> {
        self.function().take().map(|function| function.0)
    }

    pub fn push(&self, items: impl Iterator<Item = Item>, urgent: bool) {
        let now = Instant::now();
        let (nudge, call) = {
            let mut state = self.state();
            state.items.extend(items);
            state.active_at = now;
            if state.oldest.is_none() {
                state.oldest = Some(now);
            }
            let call = urgent && state.parked && state.called_at.is_none();
            if call {
                state.called_at = Some(now);
            }
            (!std::mem::replace(&mut state.guarded, true), call)
        };
        if call {
            self.call();
        }
        if let Some(reactor) = self.reactor.get().filter(|_| nudge) {
            reactor.nudge();
        }
    }

    fn call(&self) {
        let function = self.function();
        let Some(function) = &*function else { return };
        let wake_ups = self.counters.wake_ups.fetch_add(1, Ordering::Relaxed);
        if cfg!(feature = "lossy-wakeups") && wake_ups % LOST_OF == LOST_OF - 1 {
            return;
        }
        // SAFETY: the function is alive: it is taken out under this lock before it is released.
        unsafe {
            sys::napi_call_threadsafe_function(
                function.0,
                std::ptr::null_mut(),
                sys::ThreadsafeFunctionCallMode::nonblocking,
            );
        }
    }

    /// Moves all news into an empty list. Nothing there: JavaScript counts as parked from now on.
    pub fn take(&self, into: &mut VecDeque<Item>) {
        let mut state = self.state();
        std::mem::swap(into, &mut state.items);
        state.called_at = None;
        state.oldest = None;
        state.back_off = PATIENCE;
        state.parked = into.is_empty();
    }

    /// Called by the reactor before it sleeps: calls for what is overdue, and says when to look again.
    pub fn watch(&self, now: Instant) -> Option<Duration> {
        let mut state = self.state();
        let (wait, call) = self.overdue(&mut state, now);
        let recent = now.saturating_duration_since(state.active_at) < GUARDED;
        let wait = wait.or(recent.then_some(PATIENCE));
        state.guarded = wait.is_some();
        drop(state);
        if call {
            self.call();
        }
        wait
    }

    /// When to look again, and whether to call now.
    fn overdue(&self, state: &mut State, now: Instant) -> (Option<Duration>, bool) {
        let Some(oldest) = state.oldest.filter(|_| state.parked) else { return (None, false) };
        let (since, patience) = match state.called_at {
            Some(called_at) => (called_at, state.back_off),
            None => (oldest, PATIENCE),
        };
        let waited = now.saturating_duration_since(since);
        if waited < patience {
            return (Some(patience - waited), false);
        }
        if state.called_at.is_some() {
            self.counters.re_kicks.fetch_add(1, Ordering::Relaxed);
            state.back_off = (state.back_off * 2).min(LONGEST_BACK_OFF);
        }
        state.called_at = Some(now);
        (Some(state.back_off), true)
    }
}
