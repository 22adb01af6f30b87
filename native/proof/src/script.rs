//! Drives an engine and keeps what is known of its logs, with an image of the disk before every operation on it.
//!
//! Invariants: what a command may leave behind is known before it is submitted; what it takes away, or promises, after
//! it was answered. An error is a promise that the running engine has broken.

use crate::folder;
use crate::model::{Batch, Known, Presence, Replay};
use crate::random::Random;
use crate::rig::*;
use odradek_engine::batch::{BatchBuilder, attributes, marker};
use odradek_engine::command::*;
use odradek_engine::config::{Flush, LogConfig};
use odradek_engine::driver::Role;
use odradek_engine::error::Code;
use odradek_engine::vfs::MemoryVfs;
use std::sync::{Arc, Mutex};

pub type Outcome = Result<(), String>;

/// The disk before one operation, and what was known then.
#[derive(Clone)]
pub struct Cut {
    pub vfs: MemoryVfs,
    pub logs: Arc<Vec<Known>>,
    /// A clean-shutdown file may be there.
    pub may_be_clean: bool,
}

type Interruption = Box<dyn FnOnce(&mut Vec<Known>) + Send>;

/// What the script shares with the observer of its file system.
#[derive(Default)]
struct World {
    logs: Vec<Known>,
    may_be_clean: bool,
    cuts: Vec<Cut>,
    /// Comes before so many more operations.
    interruption: Option<(u64, Interruption)>,
}

pub struct Script {
    pub rig: Rig,
    pub vfs: MemoryVfs,
    pub random: Random,
    pub now_ms: i64,
    world: Arc<Mutex<World>>,
    directory: DirectoryId,
}

/// Small segments, so that a few batches roll; indexes with several entries each.
pub fn small_segments() -> LogConfig {
    LogConfig { segment_bytes: 1000, index_interval_bytes: 100, file_delete_delay_ms: 1000, ..LogConfig::default() }
}

/// What an append brings.
#[derive(Clone, Copy, Debug)]
pub enum Content {
    Plain,
    /// One record.
    Keyed {
        key: u8,
    },
    Idempotent {
        producer: i64,
    },
    Transactional {
        producer: i64,
    },
    Marker {
        producer: i64,
        commit: bool,
    },
}

impl Script {
    pub fn new(seed: u64) -> Result<Script, String> {
        let mut script = Script {
            rig: Rig::new(),
            vfs: MemoryVfs::tracked(),
            random: Random::new(seed),
            now_ms: NOW,
            world: Arc::default(),
            directory: 0,
        };
        script.watch();
        script.open_directory()?;
        Ok(script)
    }

    /// What was collected.
    pub fn into_cuts(self) -> Vec<Cut> {
        self.vfs.stop_observing();
        std::mem::take(&mut lock(&self.world).cuts)
    }

    /// The disk as it is now, and what is known.
    pub fn into_disk(self) -> (MemoryVfs, Vec<Known>) {
        self.vfs.stop_observing();
        let logs = std::mem::take(&mut lock(&self.world).logs);
        (self.vfs.fork(), logs)
    }

    fn watch(&self) {
        let (world, rig) = (self.world.clone(), self.rig.clone());
        self.vfs.observe(move |fork| {
            let mut world = lock(&world);
            let mut logs = world.logs.clone();
            for (slot, known) in logs.iter_mut().enumerate() {
                known.synced = known.synced.max(rig.synced(slot as u32));
            }
            let (logs, may_be_clean) = (Arc::new(logs), world.may_be_clean);
            world.cuts.push(Cut { vfs: fork.clone(), logs, may_be_clean });
            match world.interruption.take() {
                Some((0, act)) => {
                    act(&mut world.logs);
                    drop(world);
                    rig.step(Role::Lane);
                }
                Some((left, act)) => world.interruption = Some((left - 1, act)),
                None => {}
            }
        });
    }

    pub fn known<T>(&self, slot: u32, look: impl FnOnce(&mut Known) -> T) -> T {
        look(&mut lock(&self.world).logs[slot as usize])
    }

    fn epoch(&self, slot: u32) -> i32 {
        self.known(slot, |known| known.epoch)
    }

    pub fn end(&self, slot: u32) -> i64 {
        self.known(slot, |known| known.end)
    }

    fn open_directory(&mut self) -> Outcome {
        let opened = self.rig.open_directory(&self.vfs).map_err(|failure| format!("{failure:?}"))?;
        self.directory = opened.id;
        let slots = {
            let world = lock(&self.world);
            world.logs.iter().map(|known| known.presence == Presence::There).collect::<Vec<bool>>()
        };
        for (slot, _) in slots.iter().enumerate().filter(|(_, there)| **there) {
            self.open(slot as u32, opened.clean)?;
        }
        Ok(())
    }

    fn open(&mut self, slot: u32, clean: bool) -> Outcome {
        let (name, config, end, there) =
            self.known(slot, |known| (known.name.clone(), known.config.clone(), known.end, known.presence));
        let request = OpenLog { clean, ..open_request(&self.rig, self.directory, slot, &name, &config) };
        let info = self.rig.open(request)?.map_err(|failure| format!("opening {name}: {failure:?}"))?;
        // Under flush=os what was recovered is synced with what comes next.
        let least = if config.flush == Flush::Group { end } else { 0 };
        if info.end != end || !(least..=end).contains(&info.synced_end) {
            return Err(format!("{name} ended at {end} and opens with {info:?}"));
        }
        let (start, start_asked) = self.known(slot, |known| (known.start, known.start_asked.max(known.start)));
        if !(start..=start_asked).contains(&info.start) || clean && info.start != start_asked {
            return Err(format!("{name} starts at {start} to {start_asked} and opens with {info:?}"));
        }
        if info.created != (there == Presence::Asked) {
            return Err(format!("{name} was {there:?} and opens with {info:?}"));
        }
        // The first log to be opened takes possession of the directory.
        lock(&self.world).may_be_clean = false;
        self.rig.set_synced(slot, info.synced_end);
        self.known(slot, |known| {
            known.presence = Presence::There;
            known.synced = known.synced.max(info.synced_end);
            // A start that was not yet on disk went with the process.
            known.start_asked = info.start;
        });
        Ok(())
    }

    /// A new log, in the next slot.
    pub fn create(&mut self, name: &str, config: LogConfig) -> Result<u32, String> {
        let slot = {
            let mut world = lock(&self.world);
            world.logs.push(Known::new(name, &config));
            world.logs.len() as u32 - 1
        };
        self.rig.set_synced(slot, 0);
        self.open(slot, false)?;
        Ok(slot)
    }

    pub fn delete(&mut self, slot: u32) -> Outcome {
        self.known(slot, |known| known.presence = Presence::Going);
        self.rig.answer(|ticket| Command::Delete { log: log(slot), ticket })?;
        self.known(slot, |known| known.presence = Presence::Gone);
        Ok(())
    }

    fn build(&mut self, slot: u32, content: Content) -> (Vec<u8>, Option<bool>) {
        let replay = self.known(slot, |known| {
            let line: Vec<Batch> = known.line(0).into_iter().cloned().collect();
            Replay::of(line.iter())
        });
        let next = |producer: i64| replay.last.get(&producer).map_or(0, |last| last.last_sequence() + 1);
        let mut builder = match content {
            Content::Marker { producer, commit } => {
                return (marker(producer, 0, commit, 0, self.now_ms), Some(commit));
            }
            Content::Keyed { key } => {
                let value = vec![b'v'; self.random.below(90) as usize];
                return (BatchBuilder::new().record(self.now_ms, Some(&[key]), Some(&value)).build(), None);
            }
            Content::Plain => BatchBuilder::new(),
            Content::Idempotent { producer } => BatchBuilder::new().producer(producer, 0, next(producer)),
            Content::Transactional { producer } => {
                BatchBuilder::new().producer(producer, 0, next(producer)).attributes(attributes::TRANSACTIONAL)
            }
        };
        for _ in 0..1 + self.random.below(3) {
            let mut value = vec![b'v'; self.random.below(120) as usize];
            value.extend(self.random.draw().to_be_bytes());
            let timestamp = self.now_ms - self.random.below(50) as i64;
            builder = builder.record(timestamp, Some(b"key"), Some(&value));
        }
        (builder.build(), None)
    }

    /// Makes the command, knowing that it may come through.
    fn prepare(&mut self, slot: u32, content: Content) -> (u32, Command, Batch) {
        let (bytes, commits) = self.build(slot, content);
        let (ticket, epoch, now_ms) = (self.rig.ticket(), self.epoch(slot), self.now_ms);
        let batch = self.known(slot, |known| {
            let key = if let Content::Keyed { key } = content { Some(key) } else { None };
            let batch = Batch { key, ..Batch::stamped(bytes.clone(), known.end, epoch, commits) };
            known.may_hold(batch.clone());
            known.end = batch.end();
            batch
        });
        (ticket, append(slot, ticket, bytes, epoch, now_ms, commits.is_some()), batch)
    }

    fn expect(&self, ticket: u32, batch: &Batch) -> Outcome {
        let (code, info) = self.rig.appended(ticket)?;
        if (code, info.base, info.end, info.duplicate) != (Code::Ok, batch.base(), batch.end(), false) {
            return Err(format!("a batch for {} was answered with {code:?} {info:?}", batch.base()));
        }
        Ok(())
    }

    pub fn append(&mut self, slot: u32, content: Content) -> Outcome {
        let (ticket, command, batch) = self.prepare(slot, content);
        self.rig.submit(command);
        self.rig.settle();
        self.expect(ticket, &batch)
    }

    pub fn append_plain(&mut self, slot: u32, count: usize) -> Outcome {
        (0..count).try_for_each(|_| self.append(slot, Content::Plain))
    }

    /// Several appends to several logs at once; lane and syncs take turns as they come.
    pub fn append_together(&mut self, slots: &[u32], count: usize) -> Outcome {
        let mut waiting = Vec::new();
        for _ in 0..count {
            let slot = slots[self.random.below(slots.len() as u64) as usize];
            let (ticket, command, batch) = self.prepare(slot, Content::Plain);
            self.rig.submit(command);
            waiting.push((ticket, batch));
            let role = if self.random.one_in(2) { Role::Lane } else { Role::Sync };
            self.rig.step(role);
        }
        self.rig.settle();
        waiting.iter().try_for_each(|(ticket, batch)| self.expect(*ticket, batch))
    }

    /// An append whose sync another append overtakes.
    pub fn append_during_sync(&mut self, slot: u32) -> Outcome {
        let (first, command, one) = self.prepare(slot, Content::Plain);
        self.rig.submit(command);
        while self.rig.step(Role::Lane) {}
        let (second, command, two) = self.prepare(slot, Content::Plain);
        let rig = self.rig.clone();
        self.interrupt(move |_| rig.submit(command))?;
        self.expect(first, &one)?;
        self.expect(second, &two)
    }

    /// Runs the sync that waits, and `act` and then the lane somewhere within it.
    fn interrupt(&mut self, act: impl FnOnce(&mut Vec<Known>) + Send + 'static) -> Outcome {
        let after = self.random.below(3);
        lock(&self.world).interruption = Some((after, Box::new(act)));
        self.rig.step(Role::Sync);
        if let Some((_, act)) = { lock(&self.world).interruption.take() } {
            act(&mut lock(&self.world).logs);
        }
        self.rig.settle();
        Ok(())
    }

    /// What was sent again is answered as the first time.
    pub fn repeat_last(&mut self, slot: u32, producer: i64) -> Outcome {
        let last = self.known(slot, |known| {
            known
                .line(0)
                .into_iter()
                .rfind(|batch| batch.header.producer_id == producer && batch.commits.is_none())
                .cloned()
        });
        let Some(last) = last else { return Ok(()) };
        let again = Batch::stamped(last.bytes.to_vec(), 0, -1, None);
        let ticket = self.rig.ticket();
        self.rig.submit(append(slot, ticket, again.bytes.to_vec(), self.epoch(slot), self.now_ms, false));
        self.rig.settle();
        let (code, info) = self.rig.appended(ticket)?;
        if (code, info.duplicate, info.base, info.end) != (Code::Ok, true, last.base(), last.end()) {
            return Err(format!("the batch at {} sent again is answered with {code:?} {info:?}", last.base()));
        }
        Ok(())
    }

    fn marks(&self, slot: u32, answer: Answer) -> Result<(i64, i64), String> {
        match answer {
            Answer::Marks { start, end, .. } => Ok((start, end)),
            other => Err(format!("log {slot}: {other:?} where marks are due")),
        }
    }

    pub fn truncate(&mut self, slot: u32, offset: i64) -> Outcome {
        let rig = self.rig.clone();
        self.known(slot, |known| before_cut(known, &rig, slot, offset));
        let now_ms = self.now_ms;
        let answer = self.rig.answer(|ticket| Command::Truncate { log: log(slot), ticket, offset, now_ms })?;
        self.truncated(slot, offset, answer)
    }

    fn truncated(&mut self, slot: u32, offset: i64, answer: Answer) -> Outcome {
        let (_, end) = self.marks(slot, answer)?;
        let name = self.known(slot, |known| known.name.clone());
        folder::no_snapshot_above(&self.vfs, &name, end)?;
        self.known(slot, |known| {
            let due = known.cut_at(offset).min(known.end);
            if end != due {
                return Err(format!("{} was cut at {offset} and ends at {end} instead of {due}", known.name));
            }
            known.cut(end);
            known.epoch += 1;
            Ok(())
        })
    }

    /// A truncation that overtakes a running sync, and an append after it.
    pub fn truncate_during_sync(&mut self, slot: u32, offset: i64) -> Outcome {
        let (first, command, _) = self.prepare(slot, Content::Plain);
        self.rig.submit(command);
        while self.rig.step(Role::Lane) {}
        let (ticket, now_ms, rig) = (self.rig.ticket(), self.now_ms, self.rig.clone());
        self.interrupt(move |logs| {
            before_cut(&mut logs[slot as usize], &rig, slot, offset);
            rig.submit(Command::Truncate { log: log(slot), ticket, offset, now_ms });
        })?;
        self.rig.appended(first)?;
        let answer = self.rig.answer_of(ticket)?;
        self.truncated(slot, offset, answer)
    }

    pub fn roll(&mut self, slot: u32) -> Outcome {
        let now_ms = self.now_ms;
        self.rig.answer(|ticket| Command::Roll { log: log(slot), ticket, now_ms }).map(|_| ())
    }

    pub fn start_epoch(&mut self, slot: u32) -> Outcome {
        let (epoch, offset) = self.known(slot, |known| {
            known.epoch += 1;
            (known.epoch, known.end)
        });
        self.rig.answer(|ticket| Command::StartEpoch { log: log(slot), ticket, epoch, offset }).map(|_| ())
    }

    pub fn sync(&mut self, slot: u32) -> Outcome {
        self.rig.answer(|ticket| Command::Sync { log: log(slot), ticket })?;
        let (end, synced) = (self.end(slot), self.rig.synced(slot).max(self.known(slot, |known| known.synced)));
        if synced < end { Err(format!("log {slot} was synced up to {synced} of {end}")) } else { Ok(()) }
    }

    /// The high watermark becomes what is synced.
    pub fn mark(&mut self, slot: u32) {
        let synced = self.rig.synced(slot);
        let high_watermark = self.known(slot, |known| {
            let high_watermark = if known.config.flush == Flush::Group { synced } else { known.end };
            known.high_watermark = known.high_watermark.max(high_watermark);
            high_watermark
        });
        self.rig.submit(Command::SetMarks { log: log(slot), high_watermark });
    }

    pub fn checkpoint(&mut self) -> Outcome {
        let directory = self.directory;
        let starts: Vec<i64> = lock(&self.world).logs.iter().map(|known| known.start_asked).collect();
        self.rig.answer(|ticket| Command::Checkpoint { directory, ticket })?;
        for (known, start) in lock(&self.world).logs.iter_mut().zip(starts) {
            known.start = known.start.max(start);
        }
        Ok(())
    }

    /// Deletes the records below `offset`.
    pub fn advance_start(&mut self, slot: u32, offset: i64) -> Outcome {
        self.known(slot, |known| known.start_asked = known.start_asked.max(offset));
        let now_ms = self.now_ms;
        let answer = self.rig.answer(|ticket| Command::AdvanceStart { log: log(slot), ticket, offset, now_ms })?;
        let (start, _) = self.marks(slot, answer)?;
        let due = self.known(slot, |known| known.start_asked);
        if start == due { Ok(()) } else { Err(format!("log {slot} starts at {start}, {due} was asked for")) }
    }

    /// Old segments go, as far as the high watermark lets them.
    pub fn retain(&mut self, slot: u32) -> Outcome {
        self.mark(slot);
        let before = self.known(slot, |known| {
            let before = known.start_asked;
            known.start_asked = known.end.min(known.high_watermark).max(before);
            before
        });
        let now_ms = self.now_ms;
        let answer = self.rig.answer(|ticket| Command::Retain { log: log(slot), ticket, now_ms })?;
        let (start, _) = self.marks(slot, answer)?;
        self.known(slot, |known| known.start_asked = start.max(before));
        Ok(())
    }

    /// Compacts what is below the high watermark.
    pub fn clean(&mut self, slot: u32) -> Outcome {
        self.mark(slot);
        self.known(slot, |known| known.cleaned = known.cleaned.max(known.high_watermark));
        let now_ms = self.now_ms;
        let request = |ticket| CleanLog {
            log: log(slot),
            ticket,
            limit: i64::MAX,
            now_ms,
            map_bytes: 1 << 20,
            load_factor: 0.9,
            buffer_bytes: 300,
            bytes_per_second: 0.0,
        };
        match self.rig.answer(|ticket| Command::Clean(Box::new(request(ticket))))? {
            Answer::Cleaned(_) => Ok(()),
            other => Err(format!("a pass is answered with {other:?}")),
        }
    }

    pub fn configure(&mut self, slot: u32, config: LogConfig) -> Outcome {
        self.known(slot, |known| known.config = config.clone());
        let now_ms = self.now_ms;
        let config = Box::new(config);
        self.rig.answer(|ticket| Command::Configure { log: log(slot), ticket, config, now_ms }).map(|_| ())
    }

    /// Closes the logs and the directory, and opens them again.
    pub fn restart(&mut self, clean: bool) -> Outcome {
        self.shut_down(clean)?;
        self.open_directory()
    }

    pub fn shut_down(&mut self, clean: bool) -> Outcome {
        let open: Vec<u32> = {
            let world = lock(&self.world);
            let there = |slot: &u32| world.logs[*slot as usize].presence == Presence::There;
            (0..world.logs.len() as u32).filter(there).collect()
        };
        for slot in open {
            self.rig.answer(|ticket| Command::Close { log: log(slot), ticket, clean })?;
        }
        lock(&self.world).may_be_clean |= clean;
        self.rig.close_directory(self.directory, clean).map_err(|failure| format!("{failure:?}"))
    }

    /// The process ends and another one begins; what the system's cache has stays.
    pub fn kill(&mut self) -> Outcome {
        self.vfs.stop_observing();
        self.rig.stop();
        self.rig = Rig::new();
        self.watch();
        self.open_directory()
    }
}

/// What a truncation takes back before it is answered.
fn before_cut(known: &mut Known, rig: &Rig, slot: u32, offset: i64) {
    let end = known.cut_at(offset);
    known.synced = known.synced.min(end);
    rig.lower_synced(slot, end);
}
