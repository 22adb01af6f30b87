//! Bytes in and out of the sockets that are ready.
//!
//! Invariants: each connection has a turn of bounded length; one that stands on no list has nothing to read, deliver or
//! write that its socket, its gates or a deadline will not announce. Called by the event loop alone.

use super::{EventLoop, push};
use crate::event::{Event, Frame, Reason};
use crate::outflow::{Flushed, Sent};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

/// Reads of one connection before the others have their turn.
const READS_PER_TURN: u32 = 4;

/// A frame up to this size is copied whole, so it is not skimmed.
const COPIED_WHOLE: usize = 4096;
/// What is read of a connection that owes and is owed nothing even when the budget is spent, so that whoever holds it
/// by frames that never end can't keep small requests waiting.
const LITTLE: usize = 4096;

impl EventLoop {
    pub(super) fn read_ready(&mut self) {
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

    pub(super) fn read(&mut self, slot: u32) -> Result<(), Reason> {
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

    pub(super) fn deliver_from(&mut self, slot: u32) {
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

    pub(super) fn write_dirty(&mut self) {
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
