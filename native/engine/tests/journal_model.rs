//! Logs that share one sync through the directory's journal, by random scripts against a model.

mod common;
#[path = "common/journaled.rs"]
mod journaled;

use common::*;
use journaled::*;
use odradek_engine::command::*;
use odradek_engine::driver::Role;
use odradek_engine::vfs::Keep;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Append {
        from: u32,
        logs: u32,
        count: usize,
        size: usize,
    },
    Truncate {
        slot: u32,
        at: u8,
    },
    Replace {
        slot: u32,
    },
    Roll {
        slot: u32,
    },
    Minute,
    Restart {
        clean: bool,
    },
    /// In the middle of appends, after so many steps of the engine.
    Crash {
        seed: u64,
        keep: usize,
        steps: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let slot = || 0..LOGS;
    prop_oneof![
        10 => (slot(), 1..=LOGS, 1usize..3, 8usize..300)
            .prop_map(|(from, logs, count, size)| Step::Append { from, logs, count, size }),
        2 => (slot(), any::<u8>()).prop_map(|(slot, at)| Step::Truncate { slot, at }),
        1 => slot().prop_map(|slot| Step::Replace { slot }),
        1 => slot().prop_map(|slot| Step::Roll { slot }),
        1 => Just(Step::Minute),
        1 => any::<bool>().prop_map(|clean| Step::Restart { clean }),
        3 => (any::<u64>(), 0..KEEPS.len(), 0usize..40)
            .prop_map(|(seed, keep, steps)| Step::Crash { seed, keep, steps }),
    ]
}

impl Script {
    fn step(&mut self, step: Step) {
        match step {
            Step::Append { from, logs, count, size } => {
                self.append((from..from + logs).map(|slot| slot % LOGS), count, size);
            }
            Step::Truncate { slot, at } => {
                let end = self.known.lock().unwrap()[slot as usize].end();
                self.truncate(slot, end * i64::from(at) / 256);
            }
            Step::Replace { slot } => self.replace(slot),
            Step::Roll { slot } => {
                let (log, now_ms) = (self.reference(slot), self.now);
                self.rig.answer(|ticket| Command::Roll { log, ticket, now_ms }).unwrap();
            }
            Step::Minute => self.now += 61_000,
            Step::Restart { clean } => {
                for slot in 0..LOGS {
                    let log = self.reference(slot);
                    self.rig.answer(|ticket| Command::Close { log, ticket, clean }).unwrap();
                }
                self.rig.engine.close_directory(self.directory, clean, 5).unwrap();
                assert!(!has_journal(&self.vfs));
                self.open();
            }
            Step::Crash { seed, keep, steps } => {
                self.submit(0..LOGS, 1, 50);
                let roles = [Role::Lane, Role::Sync, Role::Sync, Role::Background];
                for n in 0..steps {
                    self.rig.engine.step(roles[(seed as usize >> (n % 32)) % roles.len()]);
                }
                self.take_synced();
                let image = self.vfs.crash(seed, KEEPS[keep]);
                let world = self.known.lock().unwrap().clone();
                let found = check(&image.fork(), &world, &self.config, self.epoch, "after a crash");
                *self.known.lock().unwrap() = found;
                self.vfs = image;
                self.rig = rig();
                self.epoch += 1;
                self.open();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn logs_that_share_a_journal_are_as_their_model(steps in prop::collection::vec(step(), 1..50)) {
        let mut script = Script::start(small_segments());
        for step in steps {
            script.step(step);
        }
        script.rig.settle();
        script.take_synced();
        let world = script.known.lock().unwrap().clone();
        for (slot, known) in world.iter().enumerate() {
            assert_eq!(known.synced, known.end(), "log {slot}");
        }
        check(&script.vfs.crash(3, Keep::None), &world, &script.config, script.epoch, "at the end");
    }
}
