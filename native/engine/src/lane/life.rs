//! How logs come into the lane's hands and leave them: opened, closed, deleted.

use super::{Lane, Opening, Slot};
use crate::cleaner::Stop;
use crate::command::{Answer, Completion, Failure, LogRef, OpenInfo, OpenLog};
use crate::directory::deleted_name;
use crate::error::Code;
use crate::hub::{Deletion, Hub, stale};
use crate::lock::{lock, write};
use crate::log::Log;
use crate::vfs::path;

impl Lane {
    pub(super) fn open(&mut self, request: Box<OpenLog>, hub: &Hub) {
        let (log, ticket) = (request.log, request.ticket);
        self.now_ms = self.now_ms.max(request.now_ms);
        let refuse = |code, text| {
            lock(&hub.opening).remove(&log);
            let outcome = Err(Failure { code, text });
            hub.sink.complete(Completion::Opened { log, ticket, outcome }, true);
        };
        if self.logs.contains_key(&log.slot) {
            return refuse(Code::Internal, format!("slot {} holds another log", log.slot));
        }
        let site = match hub.site(request.directory) {
            Ok(site) => site,
            Err(failure) => return refuse(failure.code, failure.text),
        };
        if !site.directory.claim_log(&request.name) {
            return refuse(Code::Locked, format!("the log {} is open already", request.name));
        }
        hub.queue_open(&site, (*request).clone());
        self.logs.insert(log.slot, Slot::Opening(Box::new(Opening { request, waiting: Vec::new() })));
    }

    pub(super) fn opened(
        &mut self,
        log: LogRef,
        ticket: u32,
        outcome: Result<(Box<Log>, Box<OpenInfo>), Failure>,
        hub: &Hub,
    ) {
        let Some(Slot::Opening(opening)) = self.logs.remove(&log.slot) else { return };
        let Opening { waiting, request } = *opening;
        let OpenLog { directory, name, .. } = *request;
        let outcome = match outcome {
            Ok((owned, info)) => {
                write(&hub.logs).insert(log.slot, owned.shared().clone());
                if !owned.is_settled() {
                    self.used.insert(log.slot);
                }
                self.logs.insert(log.slot, Slot::Open(owned));
                Ok(info)
            }
            Err(failure) => {
                if let Ok(site) = hub.site(directory) {
                    site.directory.release_log(&name);
                }
                Err(failure)
            }
        };
        lock(&hub.opening).remove(&log);
        hub.sink.complete(Completion::Opened { log, ticket, outcome }, true);
        self.drain(waiting, hub);
    }

    fn take(&mut self, log: LogRef, hub: &Hub) -> Option<Box<Log>> {
        if self.logs.get(&log.slot).is_none_or(|slot| slot.log() != log) {
            return None;
        }
        match self.logs.remove(&log.slot)? {
            Slot::Open(owned) => {
                // The slot may be another directory's by now.
                let mut logs = write(&hub.logs);
                if logs.get(&log.slot).is_some_and(|shared| shared.log == log) {
                    logs.remove(&log.slot);
                }
                drop(logs);
                self.used.remove(&log.slot);
                self.open_files.forget(log.slot);
                owned.shared().directory.release_log(&owned.shared().name);
                Some(owned)
            }
            not_here => {
                self.logs.insert(log.slot, not_here);
                None
            }
        }
    }

    pub(super) fn close(&mut self, log: LogRef, ticket: u32, clean: bool, hub: &Hub) {
        let Some(mut owned) = self.take(log, hub) else { return hub.answer(ticket, Err(stale(log))) };
        let shared = owned.shared().clone();
        // Afterwards the folder may be opened again.
        let settled = owned.stop_cleaning(Stop::Closed);
        if !clean || settled.is_err() {
            // What counts as synced is found again when the log is next opened.
            let outcome = settled.and_then(|()| shared.directory.check()).and_then(|()| shared.sync_journaled());
            shared.sync.abandon(stale(log));
            shared.directory.journal.drained(log);
            return hub.answer(ticket, outcome.map(|()| Answer::None));
        }
        let advancing = owned.advance_to_close(self.now_ms);
        if shared.sync.close(ticket) || advancing {
            hub.queue_sync(&shared);
        }
    }

    /// None: the background answers when the new name is on disk.
    pub(super) fn delete(&mut self, log: LogRef, ticket: u32, hub: &Hub) -> Option<Result<Answer, Failure>> {
        let Some(mut owned) = self.take(log, hub) else { return Some(Err(stale(log))) };
        let shared = owned.shared().clone();
        if let Err(failure) = owned.stop_cleaning(Stop::Closed) {
            return Some(Err(failure));
        }
        let directory = &shared.directory;
        if let Err(failure) = directory.check() {
            return Some(Err(failure));
        }
        // A sync that runs on may lose its files from here on, and must not take that for a broken disk.
        shared.sync.abandon(stale(log));
        directory.journal.drained(log);
        let mut unique = unique_of(&shared.name, log);
        let renamed = loop {
            let name = deleted_name(&shared.name, unique);
            let target = path(&directory.path, &name);
            if directory.vfs.list(&target).is_err() {
                break directory.vfs.rename(&shared.folder, &target).map(|()| name);
            }
            unique = unique.wrapping_add(1);
        };
        match renamed {
            Ok(name) => {
                if directory.forget(&shared.name)
                    && let Ok(site) = hub.site(directory.id)
                {
                    site.want_checkpoint();
                }
                hub.deletions.push(Deletion::Folder { directory: directory.clone(), name, ticket: Some(ticket) });
                None
            }
            Err(error) => Some(Err(directory.fail(&format!("deleting {}", shared.name), &error))),
        }
    }
}

/// Enough to tell deleted folders of one name apart; an older one of the same number is stepped over.
fn unique_of(name: &str, log: LogRef) -> u128 {
    let fold = |hash: u128, byte: u8| (hash ^ byte as u128).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
    let seed = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    let place = (log.slot as u64) << 32 | log.generation as u64;
    name.bytes().chain(place.to_be_bytes()).fold(seed, fold)
}
