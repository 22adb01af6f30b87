//! What the engine's threads do: they wait for tasks, and run one at a time.
//!
//! Invariants: a lane's items go one after another, whichever of its threads carries them out: who has one is the lane,
//! and only who has none syncs. A task's panic goes no further than `guard`.

use super::Inner;
use crate::cleaner::Cleaning;
use crate::hub::{LaneItem, Queue, Site, Task, Tasks};
use crate::lock::lock;
use crate::log::LogShared;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, PoisonError};
use std::time::Duration;

impl Inner {
    /// One of the threads that are a directory's lane in turn.
    pub(super) fn be_lane(&self, site: &Site) {
        while let Some(item) = self.next_for_lane(&site.lane) {
            let asked = self.carry_out(site, item);
            if let Some(shared) = self.end_turn(site, asked) {
                self.guard(|| self.hub.sync_on_lane(site, &shared));
            }
        }
    }

    /// The logs whose sync is due by it.
    fn carry_out(&self, site: &Site, item: LaneItem) -> Vec<Arc<LogShared>> {
        self.guard(|| lock(&site.owner).run(item, &self.hub));
        lock(&site.owner).take_asked()
    }

    /// Who gets an item is the lane until `end_turn`.
    fn next_for_lane(&self, lane: &Queue<LaneItem>) -> Option<LaneItem> {
        let mut items = lock(&lane.items);
        loop {
            if self.stopping.load(Ordering::Acquire) {
                return None;
            }
            if !items.busy
                && let Some(item) = items.queue.pop_front()
            {
                items.busy = true;
                return Some(item);
            }
            if items.closed && items.queue.is_empty() {
                lane.filled.notify_all();
                return None;
            }
            items.sleeping += 1;
            items = lane.filled.wait(items).unwrap_or_else(PoisonError::into_inner);
            items.sleeping -= 1;
        }
    }

    /// The one log that this thread syncs itself: nothing else waits, and another thread is the lane meanwhile. That
    /// spares waking a thread before the sync and costs nothing: who comes wakes one as ever.
    fn end_turn(&self, site: &Site, mut asked: Vec<Arc<LogShared>>) -> Option<Arc<LogShared>> {
        let mut items = lock(&site.lane.items);
        let free = asked.len() == 1 && items.queue.is_empty() && items.sleeping > 0;
        let own = if free && lock(&site.tasks).begin_here() { asked.pop() } else { None };
        if !asked.is_empty() {
            drop(items);
            asked.iter().for_each(|shared| self.hub.queue_sync(shared));
            items = lock(&site.lane.items);
        }
        // Only now: who looks behind this item whether everything is settled has to find what it asked for.
        items.busy = false;
        own
    }

    pub(super) fn wait<T>(&self, queue: &Queue<T>) -> Option<T> {
        let mut items = lock(&queue.items);
        loop {
            if self.stopping.load(Ordering::Acquire) {
                return None;
            }
            if let Some(item) = items.queue.pop_front() {
                return Some(item);
            }
            if items.closed {
                return None;
            }
            items.sleeping += 1;
            items = queue.filled.wait(items).unwrap_or_else(PoisonError::into_inner);
            items.sleeping -= 1;
        }
    }

    /// Runs one item of the directory's lane, if there is one.
    pub(super) fn step_lane(&self, site: &Site) -> bool {
        let item = site.lane.pop();
        item.map(|item| self.carry_out(site, item).iter().for_each(|shared| self.hub.queue_sync(shared))).is_some()
    }

    pub(super) fn wait_for_task(
        &self,
        site: &Site,
        filled: &Condvar,
        next: fn(&mut Tasks) -> Option<Task>,
    ) -> Option<Task> {
        let mut tasks = lock(&site.tasks);
        loop {
            if self.stopping.load(Ordering::Acquire) {
                return None;
            }
            if let Some(task) = next(&mut tasks) {
                return Some(task);
            }
            if tasks.closing {
                return None;
            }
            tasks = filled.wait(tasks).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// One step of a pass, and the wait that keeps it below its ceiling. None: it is the lane's, or all ends.
    pub(super) fn clean(&self, cleaning: Box<Cleaning>) -> Option<Box<Cleaning>> {
        let per_second = cleaning.request.bytes_per_second;
        let (cleaning, bytes) = self.hub.run_cleaning(cleaning)?;
        let mut left_ms = if per_second > 0.0 { (bytes as f64 * 1000.0 / per_second) as u64 } else { 0 };
        while left_ms > 0 && !self.stopping.load(Ordering::Acquire) {
            let slice_ms = left_ms.min(100);
            std::thread::sleep(Duration::from_millis(slice_ms));
            left_ms -= slice_ms;
        }
        (!self.stopping.load(Ordering::Acquire)).then_some(cleaning)
    }

    /// Runs a task; its panic takes the directories offline and is told, it goes no further.
    pub(super) fn guard(&self, task: impl FnOnce()) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(task)) {
            self.hub.panicked(format!("the engine panicked: {}", text_of(&*panic)));
        }
    }
}

fn text_of(panic: &(dyn Any + Send)) -> &str {
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text,
        _ => "no message",
    }
}
