//! Values that most logs of a directory have in common with the one before them, such as their topic's: kept once.

use crate::lock::lock;
use std::sync::{Arc, Mutex};

/// The last value.
pub struct Alike<T: ?Sized>(Mutex<Option<Arc<T>>>);

impl<T: ?Sized> Default for Alike<T> {
    fn default() -> Self {
        Alike(Mutex::new(None))
    }
}

impl<T: PartialEq + ?Sized> Alike<T> {
    /// The last one, if it is the same; otherwise that of `make`, which is the last one now.
    pub fn share(&self, value: &T, make: impl FnOnce() -> Arc<T>) -> Arc<T> {
        let last = &mut *lock(&self.0);
        match last {
            Some(last) if **last == *value => last.clone(),
            _ => last.insert(make()).clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_value_is_kept_once() {
        let values = Alike::default();
        let share = |value: &str| values.share(value, || Arc::from(value));
        let first = share("a");
        assert!(Arc::ptr_eq(&first, &share("a")));
        assert_eq!(&*share("b"), "b");
        assert_eq!(&*share("a"), "a");
    }
}
