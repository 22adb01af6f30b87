//! What native has to tell JavaScript, and when JavaScript is woken for it.
//!
//! Invariants: JavaScript is called only while it is parked (its last `take` found nothing), and for what is urgent; what
//! is lazy rides along, or is called for once it is `PATIENCE` old. A call that is not followed by a `take` in time is
//! repeated with back-off, because a runtime may lose one. No call is made after `close`. The thread-safe function is
//! called under the lock, so that `close` is a barrier.

use napi::sys;
use odradek_engine::command::Completion;
use odradek_reactor as net;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
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
    function: Option<ThreadsafeFunction>,
}

pub struct News {
    state: Mutex<State>,
    /// For a thread that waits for one completion.
    arrived: Condvar,
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
                function: None,
            }),
            arrived: Condvar::new(),
            reactor: OnceLock::new(),
            counters: Counters::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on JavaScript can be called. Without it nothing is ever called (manual mode).
    pub fn set_function(&self, function: sys::napi_threadsafe_function) {
        self.state().function = Some(ThreadsafeFunction(function));
    }

    /// From now on the reactor watches over calls and lazy news.
    pub fn set_reactor(&self, reactor: net::Handle) {
        // A runtime has one reactor; a second one would be ignored.
        let _ = self.reactor.set(reactor);
    }

    pub fn with_function(&self, act: impl FnOnce(sys::napi_threadsafe_function)) {
        if let Some(function) = &self.state().function {
            act(function.0);
        }
    }

    /// Ends all calling; gives the function back to be released.
    pub fn close(&self) -> Option<sys::napi_threadsafe_function> {
        self.state().function.take().map(|function| function.0)
    }

    pub fn push(&self, items: impl Iterator<Item = Item>, urgent: bool) {
        let now = Instant::now();
        let nudge = {
            let mut state = self.state();
            state.items.extend(items);
            state.active_at = now;
            if state.oldest.is_none() {
                state.oldest = Some(now);
            }
            if urgent && state.parked && state.called_at.is_none() {
                self.call(&mut state, now);
            }
            self.arrived.notify_all();
            !std::mem::replace(&mut state.guarded, true)
        };
        if let Some(reactor) = self.reactor.get().filter(|_| nudge) {
            reactor.nudge();
        }
    }

    fn call(&self, state: &mut State, now: Instant) {
        let Some(function) = &state.function else { return };
        state.called_at = Some(now);
        let wake_ups = self.counters.wake_ups.fetch_add(1, Ordering::Relaxed);
        if cfg!(feature = "lossy-wakeups") && wake_ups % LOST_OF == LOST_OF - 1 {
            return;
        }
        // SAFETY: the function is alive: it is taken out of the state before it is released.
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
        let wait = self.overdue(&mut state, now);
        let recent = now.saturating_duration_since(state.active_at) < GUARDED;
        let wait = wait.or(recent.then_some(PATIENCE));
        state.guarded = wait.is_some();
        wait
    }

    fn overdue(&self, state: &mut State, now: Instant) -> Option<Duration> {
        let oldest = state.oldest.filter(|_| state.parked)?;
        let (since, patience) = match state.called_at {
            Some(called_at) => (called_at, state.back_off),
            None => (oldest, PATIENCE),
        };
        let waited = now.saturating_duration_since(since);
        if waited < patience {
            return Some(patience - waited);
        }
        if state.called_at.is_some() {
            self.counters.re_kicks.fetch_add(1, Ordering::Relaxed);
            state.back_off = (state.back_off * 2).min(LONGEST_BACK_OFF);
        }
        self.call(state, now);
        Some(state.back_off)
    }

    /// Waits until a completion that `wanted` accepts is there and takes it alone out of the list.
    pub fn wait_for(&self, wanted: impl Fn(&Item) -> bool, patience: Duration) -> Option<Item> {
        let until = Instant::now() + patience;
        let mut state = self.state();
        loop {
            if let Some(index) = state.items.iter().position(&wanted) {
                let item = state.items.remove(index);
                if state.items.is_empty() {
                    state.oldest = None;
                }
                return item;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            state = self.arrived.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
