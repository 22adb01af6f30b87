//! The one bound on bytes held in frames, across all connections: charged as bytes arrive, credited when the frame's
//! last reference is dropped, on whichever thread that happens.
//!
//! Invariants: what is held is the sum of all live charges; a credit that ends a shortage wakes the reactor. The limit
//! stops reading, it does not refuse a charge: the reactor checks `spent` before it reads.

use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub struct Budget {
    limit: AtomicU64,
    held: AtomicU64,
    /// The reactor waits for less than this to be held; 0: it doesn't.
    waited_for: AtomicU64,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl Budget {
    pub fn new(limit: u64, wake: Box<dyn Fn() + Send + Sync>) -> Arc<Budget> {
        Arc::new(Budget { limit: AtomicU64::new(limit), held: AtomicU64::new(0), waited_for: AtomicU64::new(0), wake })
    }

    pub fn set_limit(&self, limit: u64) {
        self.limit.store(limit, Ordering::Relaxed);
        self.wake_waiting();
    }

    pub fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    pub fn spent(&self) -> bool {
        self.held.load(Ordering::SeqCst) >= self.limit.load(Ordering::Relaxed)
    }

    /// The credit that brings what is held below this mark, or below the limit if that is higher, wakes the reactor.
    /// Look again afterwards: it may have come before.
    pub(crate) fn wait_below(&self, mark: u64) {
        self.waited_for.store(mark.max(self.limit.load(Ordering::Relaxed)), Ordering::SeqCst);
    }

    fn wake_waiting(&self) {
        let mark = self.waited_for.load(Ordering::SeqCst);
        let below = self.held.load(Ordering::SeqCst) < mark.max(self.limit.load(Ordering::Relaxed));
        if mark > 0 && below && self.waited_for.swap(0, Ordering::SeqCst) > 0 {
            (self.wake)();
        }
    }
}

/// Bytes charged to a budget for as long as it lives.
pub(crate) struct Charge {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Charge {
    pub fn new(budget: &Arc<Budget>) -> Charge {
        Charge { budget: Arc::clone(budget), bytes: 0 }
    }

    pub fn add(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
        self.budget.held.fetch_add(bytes as u64, Ordering::SeqCst);
    }

    /// What has been charged so far, as a charge of its own.
    pub fn take(&mut self) -> Charge {
        let bytes = std::mem::take(&mut self.bytes);
        Charge { budget: Arc::clone(&self.budget), bytes }
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.budget.held.fetch_sub(self.bytes, Ordering::SeqCst);
            self.budget.wake_waiting();
        }
    }
}

/// A frame's memory together with its charge.
struct Held<T> {
    bytes: T,
    _charge: Charge,
}

impl<T: AsRef<[u8]>> AsRef<[u8]> for Held<T> {
    fn as_ref(&self) -> &[u8] {
        self.bytes.as_ref()
    }
}

/// Makes a frame whose charge ends with its last reference.
pub(crate) fn charged(bytes: impl AsRef<[u8]> + Send + 'static, charge: Charge) -> Bytes {
    Bytes::from_owner(Held { bytes, _charge: charge })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU32;

    #[test]
    fn a_charge_ends_with_the_last_reference_and_wakes_only_who_waits() {
        let wakes = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&wakes);
        let budget = Budget::new(
            10,
            Box::new(move || {
                counted.fetch_add(1, Ordering::SeqCst);
            }),
        );
        let mut charge = Charge::new(&budget);
        charge.add(12);
        assert!(budget.spent());
        let frame = charged(vec![1; 12], charge.take());
        drop(charge);
        let slice = frame.slice(3..5);
        budget.wait_below(0);
        drop(frame);
        assert_eq!((budget.held(), wakes.load(Ordering::SeqCst)), (12, 0));
        drop(slice);
        assert_eq!((budget.held(), wakes.load(Ordering::SeqCst)), (0, 1));
        let mut charge = Charge::new(&budget);
        charge.add(12);
        drop(charge);
        assert_eq!(wakes.load(Ordering::SeqCst), 1);
    }
}
