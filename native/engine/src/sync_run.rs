//! Carries out what `gather` has chosen: runs of one log, runs of the journal, and the syncs that a full half of it
//! waits for. Blocks on the disk; called on a directory's threads.

use crate::command::Failure;
use crate::error::Code;
use crate::gather::Sync;
use crate::hub::{Hub, Site};
use crate::lock::lock;
use crate::log::LogShared;
use crate::planted::{Bug, planted};
use crate::retire::{self, Retire};
use crate::sync::Again;
use crate::sync_job::Failed;
use std::sync::Arc;

impl Hub {
    pub fn run_sync(&self, site: &Site, sync: Sync) {
        match sync {
            Sync::One(shared) => {
                if self.sync(&shared) {
                    self.queue_sync(&shared);
                }
            }
            Sync::Prepare => {
                let ready = site.directory.journal.prepare(&site.directory).unwrap_or(false);
                lock(&site.tasks).syncs.prepared(ready);
                site.filled.notify_all();
            }
            Sync::Gathered(logs) => self.gather(site, logs),
            Sync::Drain(logs) => {
                let logs: Vec<Arc<LogShared>> = logs.into_iter().filter(|shared| shared.sync.drain()).collect();
                for shared in &logs {
                    shared.sync.journaled().iter().for_each(|file| file.begin_writing());
                }
                for shared in &logs {
                    if self.sync(shared) {
                        self.queue_sync(shared);
                    }
                }
                lock(&site.tasks).syncs.drained();
                site.filled.notify_one();
            }
        }
    }

    /// One run of the journal.
    fn gather(&self, site: &Site, logs: Vec<Arc<LogShared>>) {
        let (run, outcome) = site.directory.journal.run(&site.directory, logs);
        let taken = run.done.len();
        let mut again = Vec::new();
        let mut alone = run.direct;
        for (shared, job) in run.done {
            match shared.sync.finish_journal(job, outcome.clone()) {
                Again::No => {}
                Again::Any => again.push(shared),
                Again::Direct => alone.push(shared),
            }
        }
        let tasks = &mut *lock(&site.tasks);
        tasks.syncs.gathered(taken, run.full, run.later, run.drain);
        again.into_iter().for_each(|shared| tasks.syncs.add(shared));
        alone.into_iter().for_each(|shared| tasks.syncs.add_alone(shared));
        if !tasks.syncs.is_empty() {
            site.filled.notify_all();
        }
    }

    /// Runs the log's sync if it is queued; otherwise somebody is at it, or has been. True: it has to be queued again.
    #[must_use]
    pub fn sync(&self, shared: &Arc<LogShared>) -> bool {
        let directory = &shared.directory;
        let Some(mut job) = shared.sync.begin() else { return false };
        let run = || {
            let mut complete = job.run(&*directory.vfs, &shared.folder)?;
            if let Some(sealed) = shared.sync.overtaken() {
                complete &= sealed.write_durably(&*directory.vfs, &shared.folder)?;
            }
            if let Some(offset) = shared.sync.cut() {
                job.take_back(&*directory.vfs, &shared.folder, offset)?;
            }
            Ok(complete)
        };
        let outcome = match directory.check() {
            Ok(()) => run().map_err(|failed: Failed| {
                if shared.sync.is_over() {
                    // Deleted meanwhile: its files went away under the sync, which harms nobody.
                    return Failure { code: Code::StaleLog, text: failed.what };
                }
                if planted(Bug::StayOnline) {
                    return Failure { code: Code::Io, text: failed.what };
                }
                directory.fail(&failed.what, &failed.error)
            }),
            Err(failure) => Err(failure),
        };
        if job.drains && outcome.is_ok() {
            directory.journal.drained(shared.log);
        }
        let outcome = outcome.and_then(|complete| {
            job.retired = job.retire.bases.is_empty() || self.retire(shared, &job.retire)?;
            Ok(complete)
        });
        let boundary = (job.retired && !job.retire.bases.is_empty()).then_some(job.retire.boundary);
        let again = shared.sync.finish(job, outcome, |offset| directory.set_recovery_point(&shared.name, offset));
        if let Some(boundary) = boundary.filter(|_| !shared.sync.is_retiring()) {
            directory.settle_start(&shared.name, boundary);
        }
        again
    }

    /// Gives the files of retired segments their last names. False: there was no room for the checkpoints.
    fn retire(&self, shared: &LogShared, retire: &Retire) -> Result<bool, Failure> {
        let directory = &shared.directory;
        let cut = || shared.sync.cut().is_some_and(|offset| offset < retire.boundary);
        let go_on = || !directory.is_offline() && !shared.sync.is_over() && !cut();
        let written = if planted(Bug::RemoveBeforeStart) { Ok(()) } else { directory.write_checkpoints() };
        match written {
            Ok(()) => {}
            Err(failure) if failure.code == Code::NoSpace => return Ok(false),
            Err(failure) => return Err(failure),
        }
        retire::rename(&*directory.vfs, &shared.folder, retire, go_on).map_err(|failed| {
            if shared.sync.is_over() {
                return Failure { code: Code::StaleLog, text: failed.what };
            }
            directory.fail(&failed.what, &failed.error)
        })
    }
}
