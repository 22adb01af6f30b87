//! Runs the engine: on threads, or stepped by hand. The only file of the crate that spawns or sleeps.

use crate::command::{Command, DirectoryId, Failure, Sink};
use crate::error::Code;
use crate::vfs::VfsKind;
use std::sync::Arc;

#[derive(Clone, Copy, Debug, Default)]
pub struct EngineOptions {
    /// No threads: `Engine::step` runs one task of a role at a time.
    pub manual: bool,
}

/// Who does what. In manual mode each is stepped by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Changes logs: append, truncate, roll, open, close.
    Lane,
    /// Makes them durable.
    Sync,
    /// Reads that may wait for the disk.
    Read,
    /// Deletions and other work without haste.
    Background,
}

/// What opening a log directory found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedDirectory {
    pub id: DirectoryId,
    /// The clean-shutdown file was there (it is deleted by opening).
    pub clean: bool,
    /// The broker epoch in that file, or -1.
    pub broker_epoch: i64,
    /// Folders that hold logs, sorted.
    pub folders: Vec<String>,
}

/// The engine. Cheap to clone; all clones are the same one.
#[derive(Clone)]
pub struct Engine {
    sink: Arc<dyn Sink>,
}

impl Engine {
    pub fn start(options: EngineOptions, sink: Arc<dyn Sink>) -> Engine {
        let _ = options;
        Engine { sink }
    }

    /// Creates the directory where it is missing, locks it, reads its checkpoints, reads and deletes its
    /// clean-shutdown file.
    pub fn open_directory(&self, path: &str, vfs: VfsKind) -> Result<OpenedDirectory, Failure> {
        let _ = (path, vfs, &self.sink);
        Err(Failure { code: Code::Internal, text: String::new() })
    }

    /// All logs of it must be closed before. Writes the checkpoints, the clean-shutdown file (carrying
    /// `broker_epoch`) if `clean`, and gives the lock back.
    pub fn close_directory(&self, id: DirectoryId, clean: bool, broker_epoch: i64) -> Result<(), Failure> {
        let _ = (id, clean, broker_epoch);
        Ok(())
    }

    /// Hands the commands over, in order. A `Read` whose range is hot and whose index is in memory is planned here, on
    /// the caller's thread: its completion is with the sink before this returns.
    pub fn submit(&self, commands: Vec<Command>) {
        let _ = commands;
    }

    /// For the end of the process: syncs every dirty log, within the time given. False if it ran out or something
    /// failed. Writes no clean-shutdown file.
    pub fn flush_all(&self, timeout_ms: u64) -> bool {
        let _ = timeout_ms;
        true
    }

    /// Manual mode: runs one task of the role; false if it had none.
    pub fn step(&self, role: Role) -> bool {
        let _ = role;
        false
    }

    /// Ends and joins the threads; what is queued and not begun is dropped. Idempotent.
    pub fn stop(&self) {}
}
