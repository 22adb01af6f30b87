//! Who is due for a heartbeat. A member has one due time; what was set before it no longer counts.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

const NEVER: u64 = u64::MAX;

#[derive(Default)]
pub struct Schedule {
    due_ns: Vec<u64>,
    queue: BinaryHeap<Reverse<(u64, usize)>>,
}

impl Schedule {
    pub fn set(&mut self, member: usize, at_ns: u64) {
        if member >= self.due_ns.len() {
            self.due_ns.resize(member + 1, NEVER);
        }
        self.due_ns[member] = at_ns;
        self.queue.push(Reverse((at_ns, member)));
    }

    pub fn clear(&mut self, member: usize) {
        if let Some(due) = self.due_ns.get_mut(member) {
            *due = NEVER;
        }
    }

    /// The next member whose time has come, with that time; its due time is cleared.
    pub fn take(&mut self, now_ns: u64) -> Option<(usize, u64)> {
        while let Some(&Reverse((at_ns, member))) = self.queue.peek() {
            if self.due_ns[member] != at_ns {
                self.queue.pop();
            } else if at_ns <= now_ns {
                self.queue.pop();
                self.due_ns[member] = NEVER;
                return Some((member, at_ns));
            } else {
                return None;
            }
        }
        None
    }

    /// How long nothing is due, at most `limit`.
    pub fn quiet(&self, now_ns: u64, limit: Duration) -> Duration {
        match self.queue.peek() {
            Some(Reverse((at_ns, _))) => Duration::from_nanos(at_ns.saturating_sub(now_ns)).min(limit),
            None => limit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hands_out_the_due_ones_in_order_and_forgets_what_was_replaced() {
        let mut schedule = Schedule::default();
        for (member, at) in [(0, 30), (1, 10), (2, 20), (1, 40)] {
            schedule.set(member, at);
        }
        schedule.clear(2);
        assert_eq!(schedule.take(29), None);
        assert_eq!(schedule.take(50), Some((0, 30)));
        assert_eq!(schedule.take(50), Some((1, 40)));
        assert_eq!(schedule.take(50), None);
    }
}
