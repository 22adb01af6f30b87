//! Log directories come and go: opened, asked what they hold, closed.

use super::{DirectoryUse, Engine, JournalSize, LANE_THREADS, Of, OpenedDirectory, next_of};
use crate::command::{DirectoryId, Failure};
use crate::directory::Directory;
use crate::error::Code;
use crate::hub::{SYNC_THREADS, Site, Tasks};
use crate::journal::HALF_BYTES;
use crate::lock::{lock, read, write};
use crate::vfs::VfsKind;
use std::sync::Arc;
use std::sync::atomic::Ordering;

impl Engine {
    /// Creates the directory where it is missing, locks it, reads its checkpoints and its clean-shutdown file. That
    /// file goes with the first command that changes anything.
    pub fn open_directory(&self, path: &str, vfs: VfsKind) -> Result<OpenedDirectory, Failure> {
        let hub = &self.inner.hub;
        let id = self.inner.next_directory.fetch_add(1, Ordering::Relaxed);
        let path = if path.len() > 1 { path.trim_end_matches('/') } else { path };
        let half_bytes = match self.inner.journal {
            JournalSize::Usual => HALF_BYTES,
            JournalSize::Bytes(bytes) => bytes,
            JournalSize::None => 0,
        };
        let (directory, found) = Directory::open(id, path, vfs.open(), half_bytes, hub.sink.clone())?;
        let directory = Arc::new(directory);
        let tasks = Tasks::new(half_bytes > 0 && directory.vfs.has_disk());
        let site = Arc::new(Site::new(directory.clone(), tasks));
        write(&hub.sites).insert(id, site.clone());
        if !self.inner.manual {
            for _ in 0..LANE_THREADS {
                let site = site.clone();
                self.spawn("lane", Of::Lane(id), move |inner| inner.be_lane(&site));
            }
            for _ in 0..SYNC_THREADS {
                let site = site.clone();
                self.spawn("sync", Of::Directory(id), move |inner| {
                    while let Some(task) = inner.wait_for_task(&site, &site.filled, Tasks::next) {
                        inner.guard(|| inner.hub.run(&site, task));
                    }
                });
            }
        }
        Ok(OpenedDirectory { id, clean: found.clean, broker_epoch: found.broker_epoch, folders: found.folders })
    }

    /// How many threads open logs of the directory at once: what has to be recovered is recovered by so many.
    pub fn set_recovery_threads(&self, id: DirectoryId, threads: usize) -> Result<(), Failure> {
        let site = self.inner.hub.site(id)?;
        let more = lock(&site.tasks).set_recovery_threads(threads);
        site.filled.notify_all();
        site.opens_filled.notify_all();
        for _ in 0..if self.inner.manual { 0 } else { more } {
            let site = site.clone();
            self.spawn("recovery", Of::Directory(id), move |inner| {
                while let Some(task) = inner.wait_for_task(&site, &site.opens_filled, Tasks::next_open) {
                    inner.guard(|| inner.hub.run(&site, task));
                }
            });
        }
        Ok(())
    }

    /// All logs of it must be closed before. Writes the checkpoints, the clean-shutdown file (carrying
    /// `broker_epoch`) if `clean`, and gives the lock back. Where nothing was changed since it was opened, nothing is
    /// written.
    pub fn close_directory(&self, id: DirectoryId, clean: bool, broker_epoch: i64) -> Result<(), Failure> {
        let hub = &self.inner.hub;
        let site = hub.site(id)?;
        let open = read(&hub.logs).values().filter(|shared| shared.directory.id == id).count();
        if open > 0 && clean {
            let text = format!("{open} logs of {} are still open", site.directory.path);
            return Err(Failure { code: Code::Locked, text });
        }
        lock(&site.tasks).closing = true;
        site.filled.notify_all();
        site.opens_filled.notify_all();
        if self.inner.manual {
            while let Some(task) = next_of(&site, Tasks::next_sync) {
                hub.run(&site, task);
            }
        }
        self.join(|of| of == Of::Directory(id));
        // What has been handed to the lane is answered; from here on nothing is.
        write(&hub.sites).remove(&id);
        site.lane.close();
        while self.inner.manual && self.inner.step_lane(&site) {}
        self.join(|of| of == Of::Lane(id));
        lock(&site.owner).abandon_held(hub);
        site.directory.close(clean, broker_epoch)
    }

    /// What the open logs of a directory hold, from memory, and the room on its volume.
    pub fn directory_use(&self, id: DirectoryId) -> Result<DirectoryUse, Failure> {
        let hub = &self.inner.hub;
        let directory = hub.site(id)?.directory.clone();
        directory.check()?;
        let logs = read(&hub.logs)
            .values()
            .filter(|shared| shared.directory.id == id)
            .map(|shared| (shared.name.to_string(), shared.view.state().size()))
            .collect();
        let space = directory.vfs.space(&directory.path).map_err(|error| Failure {
            code: Code::Io,
            text: format!("asking for the room in {}: {error}", directory.path),
        })?;
        Ok(DirectoryUse { logs, space })
    }
}
