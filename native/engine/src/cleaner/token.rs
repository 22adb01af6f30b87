//! Ends a pass from outside: between two of its steps, and never while it makes or removes a name in the log's folder.

use crate::lock::lock;
use std::sync::Mutex;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The log goes on, and the pass takes back what it has not finished.
    Cut,
    /// The folder is somebody else's from now on: nothing in it is touched any more.
    Closed,
}

#[derive(Default)]
pub struct Token {
    stopped: Mutex<Option<Stop>>,
}

impl Token {
    /// Returns when nothing is under way in the folder; afterwards no name is made, and after `Closed` none is removed.
    pub fn stop(&self, stop: Stop) {
        let mut stopped = lock(&self.stopped);
        if *stopped != Some(Stop::Closed) {
            *stopped = Some(stop);
        }
    }

    pub fn is_stopped(&self) -> bool {
        lock(&self.stopped).is_some()
    }

    /// None when it was stopped; no stop returns meanwhile.
    pub fn unless_stopped<T>(&self, run: impl FnOnce() -> T) -> Option<T> {
        let stopped = lock(&self.stopped);
        if stopped.is_some() { None } else { Some(run()) }
    }

    /// As `unless_stopped`, also after a cut.
    pub fn unless_closed(&self, run: impl FnOnce()) {
        let stopped = lock(&self.stopped);
        if *stopped != Some(Stop::Closed) {
            run();
        }
    }
}
