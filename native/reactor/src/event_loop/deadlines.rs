//! What becomes due without a socket saying so: mutes that end, idle connections, memory for frames that is short.
//!
//! Invariants: looks for idle connections share their times; while the budget is spent one connection at most may
//! overdraw it. Called by the event loop alone.

use super::{EventLoop, find, push};
use std::time::{Duration, Instant};

/// How long the connection that may overdraw the budget keeps that right without sending.
const OVERDRAW_PATIENCE: Duration = Duration::from_secs(1);

/// While the budget is spent, a frame under way that doesn't grow for this long is given up.
const STALLED_AFTER: Duration = Duration::from_secs(30);
const SHORTAGE_CHECK: Duration = Duration::from_millis(250);
/// Looks for idle connections are at least this far apart, so that many deadlines share one.
const LONGEST_IDLE_PAUSE: Duration = Duration::from_secs(1);

impl EventLoop {
    pub(super) fn obey_deadlines(&mut self) {
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

    pub(super) fn check_idle(&mut self) {
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
    pub(super) fn check_shortage(&mut self) {
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
    pub(super) fn feed_starved(&mut self) {
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
}
