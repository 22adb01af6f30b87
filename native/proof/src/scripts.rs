//! The scripts whose crash images are enumerated, by name. Each is one pattern of use; its seed draws the sizes and,
//! where it has any, the choices.

use crate::script::{Content, Cut, Outcome, Script, small_segments};
use odradek_engine::config::{Flush, LogConfig};
use odradek_engine::vfs::Operation;

/// ENOSPC.
const NO_SPACE: i32 = 28;

pub struct Named {
    pub name: &'static str,
    run: fn(&mut Script) -> Outcome,
}

/// All of them.
pub const SCRIPTS: [Named; 13] = [
    Named { name: "append", run: append },
    Named { name: "roll", run: roll },
    Named { name: "truncate", run: truncate },
    Named { name: "race", run: race },
    Named { name: "producers", run: producers },
    Named { name: "checkpoint", run: checkpoint },
    Named { name: "retain", run: retain },
    Named { name: "delete-records", run: delete_records },
    Named { name: "compact", run: compact },
    Named { name: "topics", run: topics },
    Named { name: "shutdown", run: shutdown },
    Named { name: "epochs", run: epochs },
    Named { name: "anything", run: anything },
];

impl Named {
    /// Runs it and returns the disk before each of its operations.
    pub fn cuts(&self, seed: u64) -> Result<Vec<Cut>, String> {
        let mut script = Script::new(seed)?;
        (self.run)(&mut script)?;
        if let Some(text) = &script.rig.heard().broken {
            return Err(text.clone());
        }
        Ok(script.into_cuts())
    }
}

fn os() -> LogConfig {
    LogConfig { flush: Flush::Os, ..small_segments() }
}

fn append(s: &mut Script) -> Outcome {
    let (a, b) = (s.create("a-0", small_segments())?, s.create("b-1", os())?);
    s.append_plain(a, 2)?;
    s.append_together(&[a, b], 8)?;
    s.append_during_sync(a)?;
    s.sync(b)?;
    s.append_plain(b, 2)
}

fn roll(s: &mut Script) -> Outcome {
    let (a, b) = (s.create("a-0", small_segments())?, s.create("b-0", os())?);
    s.append_plain(a, 7)?;
    s.roll(a)?;
    s.append_plain(b, 8)?;
    s.append_plain(a, 1)?;
    s.roll(b)?;
    s.append_together(&[a, b], 6)
}

fn truncate(s: &mut Script) -> Outcome {
    let config = if s.random.one_in(3) { os() } else { small_segments() };
    let a = s.create("a-0", config)?;
    for round in 0..3 {
        s.append_plain(a, 6)?;
        s.append(a, Content::Idempotent { producer: 7 })?;
        if round < 2 {
            s.append(a, Content::Transactional { producer: 20 + round })?;
            s.append_plain(a, 1)?;
            s.append(a, Content::Marker { producer: 20 + round, commit: false })?;
            s.now_ms += 61_000;
            s.append_plain(a, 1)?;
        }
        let end = s.end(a);
        let offset = s.random.within(end / 2, end);
        s.truncate(a, offset)?;
        if s.random.one_in(2) {
            s.roll(a)?;
        }
        s.append_plain(a, 1)?;
    }
    s.truncate(a, 0)?;
    s.append_plain(a, 2)
}

fn race(s: &mut Script) -> Outcome {
    let a = s.create("a-0", small_segments())?;
    for round in 0..4 {
        s.append_plain(a, 3)?;
        s.append_during_sync(a)?;
        if round % 2 == 0 {
            s.now_ms += 61_000;
        }
        let end = s.end(a);
        let offset = s.random.within((end - 8).max(0), end);
        s.truncate_during_sync(a, offset)?;
        s.append_plain(a, 1)?;
    }
    Ok(())
}

fn producers(s: &mut Script) -> Outcome {
    let a = s.create("a-0", small_segments())?;
    for round in 0..3 {
        s.append(a, Content::Idempotent { producer: 7 })?;
        s.append(a, Content::Transactional { producer: 20 + round })?;
        s.append(a, Content::Idempotent { producer: 8 })?;
        s.append(a, Content::Transactional { producer: 30 })?;
        let commit = s.random.one_in(2);
        s.append(a, Content::Marker { producer: 20 + round, commit })?;
        s.append(a, Content::Idempotent { producer: 7 })?;
        s.repeat_last(a, 7)?;
        s.append(a, Content::Marker { producer: 30, commit: round == 1 })?;
        if round == 0 {
            s.now_ms += 61_000;
        }
        if round == 1 {
            s.restart(true)?;
            s.repeat_last(a, 8)?;
        }
    }
    s.append(a, Content::Transactional { producer: 40 })?;
    s.kill()?;
    s.repeat_last(a, 7)?;
    let end = s.end(a);
    let offset = s.random.within(end / 2, end);
    s.truncate(a, offset)?;
    s.repeat_last(a, 7)?;
    s.append(a, Content::Idempotent { producer: 7 })
}

fn checkpoint(s: &mut Script) -> Outcome {
    let (a, b) = (s.create("a-0", small_segments())?, s.create("b-0", os())?);
    for _ in 0..3 {
        s.append_together(&[a, b], 5)?;
        s.now_ms += 61_000;
        s.append_plain(a, 1)?;
        s.append_plain(b, 1)?;
        s.mark(a);
        s.checkpoint()?;
        s.append_plain(a, 1)?;
    }
    Ok(())
}

fn retain(s: &mut Script) -> Outcome {
    let kept = LogConfig { retention_ms: 1000, ..small_segments() };
    let (a, b) = (
        s.create("a-0", kept.clone())?,
        s.create("b-0", LogConfig { retention_bytes: 900, retention_ms: -1, flush: Flush::Os, ..kept })?,
    );
    for round in 0..3 {
        s.append(a, Content::Idempotent { producer: 7 })?;
        s.append_plain(a, 6)?;
        s.append_plain(b, 7)?;
        s.now_ms += if round == 1 { 61_000 } else { 1003 };
        s.append_plain(a, 1)?;
        s.retain(a)?;
        s.retain(b)?;
        if round == 1 {
            s.checkpoint()?;
        }
    }
    s.repeat_last(a, 7)
}

fn delete_records(s: &mut Script) -> Outcome {
    let a = s.create("a-0", LogConfig { retention_ms: -1, ..small_segments() })?;
    for round in 0..3 {
        s.append_plain(a, 6)?;
        s.mark(a);
        let (end, start) = s.known(a, |known| (known.end, known.start_asked));
        let offset = s.random.within(start, end);
        s.advance_start(a, offset)?;
        if round != 1 {
            s.checkpoint()?;
        }
        s.now_ms += 2000;
        s.retain(a)?;
        s.append_plain(a, 1)?;
    }
    let end = s.end(a);
    s.mark(a);
    s.advance_start(a, end)?;
    s.restart(true)
}

fn compact(s: &mut Script) -> Outcome {
    let a = s.create("a-0", LogConfig { compacted: true, deletes: false, ..small_segments() })?;
    for round in 0..3 {
        for _ in 0..14 {
            let key = s.random.below(5) as u8;
            s.append(a, Content::Keyed { key })?;
        }
        if round == 1 {
            s.roll(a)?;
        }
        // The first pass may do no more than move the recovery point.
        s.clean(a)?;
        s.append(a, Content::Keyed { key: 9 })?;
        s.clean(a)?;
        // The files that it has replaced go.
        s.now_ms += 2000;
        s.append(a, Content::Keyed { key: 0 })?;
        if round == 0 {
            s.checkpoint()?;
            s.restart(true)?;
        }
        if round == 1 {
            s.kill()?;
        }
    }
    s.clean(a)
}

fn topics(s: &mut Script) -> Outcome {
    let (a, b) = (s.create("a-0", small_segments())?, s.create("b-0", small_segments())?);
    s.append_plain(a, 5)?;
    s.append_plain(b, 3)?;
    s.now_ms += 61_000;
    s.append_plain(b, 1)?;
    s.checkpoint()?;
    s.delete(b)?;
    let again = s.create("b-0", small_segments())?;
    s.append_plain(again, 2)?;
    let c = s.create("c-0", os())?;
    s.append_together(&[a, again, c], 4)?;
    s.delete(a)?;
    s.restart(true)?;
    let a = s.create("a-0", small_segments())?;
    s.append_plain(a, 1)
}

fn shutdown(s: &mut Script) -> Outcome {
    let (a, b) = (s.create("a-0", small_segments())?, s.create("b-0", os())?);
    for round in 0..3 {
        s.append_together(&[a, b], 5)?;
        s.restart(round != 1)?;
        s.append_plain(a, 1)?;
        s.append_plain(b, 1)?;
        s.kill()?;
    }
    s.append_plain(a, 1)?;
    s.shut_down(true)
}

fn epochs(s: &mut Script) -> Outcome {
    let a = s.create("a-0", small_segments())?;
    for round in 0..4 {
        s.start_epoch(a)?;
        s.append_plain(a, 3)?;
        if round % 2 == 0 {
            s.now_ms += 61_000;
        }
        if round == 2 {
            // No room for the file: the recovery point stays where it is.
            s.vfs.fail_at(Operation::Write, "leader-epoch-checkpoint", 1, NO_SPACE);
        }
        s.start_epoch(a)?;
        s.append_plain(a, 2)?;
        if round == 1 {
            let end = s.end(a);
            let offset = s.random.within(end / 2, end);
            s.truncate(a, offset)?;
        }
        if round == 2 {
            s.mark(a);
            let offset = s.end(a) / 2;
            s.advance_start(a, offset)?;
            s.restart(true)?;
        }
    }
    Ok(())
}

/// Whatever comes, in any order, on three logs.
fn anything(s: &mut Script) -> Outcome {
    let kept = LogConfig { retention_bytes: 2500, ..small_segments() };
    let mut slots = [s.create("a-0", small_segments())?, s.create("b-0", kept.clone())?, s.create("c-0", os())?];
    for step in 0..26 {
        let at = s.random.below(3) as usize;
        let slot = slots[at];
        match s.random.below(22) {
            0..=4 => s.append_plain(slot, 2)?,
            5..=7 => s.append_together(&slots, 4)?,
            8 => s.append_during_sync(slot)?,
            9 | 10 => s.append(slot, Content::Idempotent { producer: 7 })?,
            11 => {
                s.append(slot, Content::Transactional { producer: 50 + step })?;
                if s.random.one_in(2) {
                    let commit = s.random.one_in(2);
                    s.append(slot, Content::Marker { producer: 50 + step, commit })?;
                }
            }
            12 => {
                let (end, least) = s.known(slot, |known| (known.end, known.start_asked.max(known.high_watermark)));
                let offset = s.random.within(least.min(end), end);
                if s.random.one_in(2) { s.truncate(slot, offset)? } else { s.truncate_during_sync(slot, offset)? }
            }
            13 => s.roll(slot)?,
            14 => s.start_epoch(slot)?,
            15 => {
                s.mark(slot);
                let (bound, start) = s.known(slot, |known| (known.high_watermark, known.start_asked));
                let offset = s.random.within(start, bound.max(start));
                s.advance_start(slot, offset)?;
            }
            16 => s.retain(slot)?,
            17 => s.checkpoint()?,
            18 => s.now_ms += 61_000,
            19 => {
                let clean = s.random.one_in(2);
                s.restart(clean)?;
            }
            20 => s.kill()?,
            _ => {
                let name = s.known(slot, |known| known.name.clone());
                s.delete(slot)?;
                slots[at] = s.create(&name, kept.clone())?;
            }
        }
    }
    Ok(())
}
