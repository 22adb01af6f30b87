//! Batches whose records take long to look at: another thread judges them, and the lane goes on with other logs.
//!
//! Invariants: what comes for the log of such a batch meanwhile waits here, in its order, and is carried out behind it.
//! The rules are those of the moment when its turn came: a command that changes them waits too.

use super::Lane;
use crate::append::Pending;
use crate::command::{Command, DirectoryId, LogRef};
use crate::hub::Hub;
use crate::log::Log;
use crate::validate::{Rules, validate};
use std::sync::mpsc::SyncSender;

/// One such batch.
pub struct Judging {
    pub directory: DirectoryId,
    log: LogRef,
    pending: Pending,
    rules: Rules,
}

impl Judging {
    /// Runs on a thread that nobody else waits for.
    pub fn judge(&mut self) {
        let Judging { pending, rules, .. } = self;
        pending.judged = Some(Box::new(validate(&pending.batch, rules, pending.now_ms)));
    }
}

/// What waits for it.
pub struct Held {
    log: LogRef,
    /// Those behind it in its group.
    appends: Vec<Pending>,
    commands: Vec<Command>,
    lends: Vec<SyncSender<Option<Box<Log>>>>,
}

impl Lane {
    /// The command, unless it has to wait.
    pub(super) fn unless_held(&mut self, log: LogRef, command: Command) -> Option<Command> {
        match self.held.get_mut(&log.slot) {
            Some(held) if held.log == log => {
                held.commands.push(command);
                None
            }
            _ => Some(command),
        }
    }

    /// Who wants to have the log, unless they have to wait.
    pub(super) fn lend_later(
        &mut self,
        log: LogRef,
        to: SyncSender<Option<Box<Log>>>,
    ) -> Option<SyncSender<Option<Box<Log>>>> {
        match self.held.get_mut(&log.slot) {
            Some(held) if held.log == log => {
                held.lends.push(to);
                None
            }
            _ => Some(to),
        }
    }

    /// The first of the appends takes long; the others wait behind it.
    pub(super) fn hold(&mut self, log: LogRef, mut appends: Vec<Pending>, hub: &Hub) {
        let Some(owned) = self.open_log(log) else { return };
        let pending = appends.remove(0);
        let rules = owned.rules(pending.origin);
        self.held.insert(log.slot, Held { log, appends, commands: Vec::new(), lends: Vec::new() });
        hub.judgings.push(Box::new(Judging { directory: self.directory, log, pending, rules }));
    }

    /// It has been looked at: it is carried out, and what waited behind it as far as the next such batch.
    pub(super) fn judged(&mut self, judging: Judging, hub: &Hub) {
        let Judging { log, pending, .. } = judging;
        // Its directory was closed meanwhile: as it is answered when there is no such log.
        let Some(held) = self.held.remove(&log.slot) else { return self.append(log, vec![pending], hub) };
        let mut group = vec![pending];
        group.extend(held.appends);
        self.append(log, group, hub);
        self.drain(held.commands, hub);
        for to in held.lends {
            if let Some(to) = self.lend_later(log, to) {
                let _ = to.send(self.lend(log));
            }
        }
    }

    /// The directory was closed before its logs were: what waits is answered as what comes from here on.
    pub fn abandon_held(&mut self, hub: &Hub) {
        let mut nobody = Lane::default();
        for held in std::mem::take(&mut self.held).into_values() {
            nobody.append(held.log, held.appends, hub);
            nobody.drain(held.commands, hub);
        }
    }
}
