//! Which lane gets what. Each log directory has a lane of its own, so that a disk that stands still holds up no other.
//!
//! Invariants: what is handed over for one directory arrives in its lane in that order. What names no open directory is
//! answered at once, on the caller's thread, by a lane that has no logs.

use crate::command::{Command, DirectoryId, LogRef};
use crate::hub::{Hub, LaneItem, Site};
use crate::lane::Lane;
use crate::lock::{lock, read};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Hub {
    /// Hands commands to their lanes.
    pub fn dispatch(&self, commands: Vec<Command>) {
        for command in &commands {
            if let Command::Open(request) = command {
                lock(&self.opening).insert(request.log, request.directory);
            }
        }
        let mut strays = Vec::new();
        {
            // Held over the push: a directory that closes removes itself first and then has its lane run out.
            let sites = read(&self.sites);
            match sites.values().next() {
                Some(site) if sites.len() == 1 => site.lane.push_commands(commands),
                _ => {
                    let mut by_lane: BTreeMap<DirectoryId, Vec<Command>> = BTreeMap::new();
                    for command in commands {
                        match self.directory_of(&command).filter(|id| sites.contains_key(id)) {
                            Some(id) => by_lane.entry(id).or_default().push(command),
                            None => strays.push(command),
                        }
                    }
                    for (id, commands) in by_lane {
                        if let Some(site) = sites.get(&id) {
                            site.lane.push_commands(commands);
                        }
                    }
                }
            }
        }
        if !strays.is_empty() {
            Lane::default().run(LaneItem::Commands(strays), self);
        }
    }

    pub fn to_lane(&self, directory: DirectoryId, item: LaneItem) {
        let stray = {
            let sites = read(&self.sites);
            match sites.get(&directory) {
                Some(site) => {
                    site.lane.push(item);
                    None
                }
                None => Some(item),
            }
        };
        if let Some(item) = stray {
            Lane::default().run(item, self);
        }
    }

    /// The lane that has the log, or is opening it.
    pub fn directory_of_log(&self, log: LogRef) -> Option<DirectoryId> {
        let open = read(&self.logs).get(&log.slot).filter(|shared| shared.log == log).map(|shared| shared.directory.id);
        open.or_else(|| lock(&self.opening).get(&log).copied())
    }

    fn directory_of(&self, command: &Command) -> Option<DirectoryId> {
        match command {
            Command::Open(request) => Some(request.directory),
            Command::WriteFile { directory, .. }
            | Command::ReadFile { directory, .. }
            | Command::ListFiles { directory, .. }
            | Command::RemoveFile { directory, .. }
            | Command::SetAside { directory, .. }
            | Command::Look { directory, .. }
            | Command::Due { directory, .. }
            | Command::Checkpoint { directory, .. } => Some(*directory),
            _ => log_of(command).and_then(|log| self.directory_of_log(log)),
        }
    }

    pub fn each_site(&self) -> Vec<Arc<Site>> {
        read(&self.sites).values().cloned().collect()
    }
}

/// The log that a command is about; None: it is about a directory.
pub fn log_of(command: &Command) -> Option<LogRef> {
    match command {
        Command::Open(request) => Some(request.log),
        Command::Clean(request) => Some(request.log),
        Command::Close { log, .. }
        | Command::Delete { log, .. }
        | Command::Append { log, .. }
        | Command::Read { log, .. }
        | Command::Watch { log, .. }
        | Command::Truncate { log, .. }
        | Command::StartEpoch { log, .. }
        | Command::SetMarks { log, .. }
        | Command::Configure { log, .. }
        | Command::AdvanceStart { log, .. }
        | Command::Roll { log, .. }
        | Command::Retain { log, .. }
        | Command::Dirt { log, .. }
        | Command::Lookup { log, .. }
        | Command::Sync { log, .. } => Some(*log),
        Command::WriteFile { .. }
        | Command::ReadFile { .. }
        | Command::ListFiles { .. }
        | Command::RemoveFile { .. }
        | Command::SetAside { .. }
        | Command::Look { .. }
        | Command::Due { .. }
        | Command::Checkpoint { .. } => None,
    }
}
