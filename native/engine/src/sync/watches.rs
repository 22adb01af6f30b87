//! Who waits for the log's end or its synced end to pass an offset.

use super::LogSync;
use crate::command::{Completion, WatchLimit};
use crate::lock::lock;

impl LogSync {
    /// Whether the end at `end` is awaited: then the completion that tells of it is urgent. The watch is over by it.
    pub fn passes_end_watch(&self, end: i64) -> bool {
        let state = &mut *lock(&self.state);
        let passed = state.end_watch.is_some_and(|offset| end > offset);
        if passed {
            state.end_watch = None;
        }
        passed
    }

    /// The next move of the limit past `offset` is urgent; if it has passed already, that is said at once.
    pub fn watch(&self, offset: i64, limit: WatchLimit) {
        let state = &mut *lock(&self.state);
        let (passed, watch) = match limit {
            WatchLimit::End => (state.written > offset, &mut state.end_watch),
            WatchLimit::Synced => (state.synced > offset, &mut state.synced_watch),
        };
        if passed {
            self.sink.complete(Completion::Synced { log: self.log, synced_end: state.synced }, true);
        } else {
            *watch = Some(watch.map_or(offset, |known| known.min(offset)));
        }
    }
}
