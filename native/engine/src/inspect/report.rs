//! The whole of it as one call: paths in, JSON lines out. What each line says:
//!
//! ```text
//! locked   root, process?              somebody has the directory open; what it writes now may look torn
//! file, batch, record, entry, snapshot, producer, text, bad        dump, each with its file
//! finding  severity, file, byte?, what, remedy                      verify, and what repair can't mend
//! totals   files, batches, bytes, errors, warnings, notes           verify, at the end
//! step     what, refused               what repair would do
//! done     what                        what it has done
//! ```

use super::dump::{DumpOptions, dump};
use super::json::Line;
use super::repair::{Refusal, Step, lock_all, plan, repair};
use super::{Finding, Halt, Severity, Target, VerifyOptions, verify};
use crate::journal;
use crate::vfs::{LockFailure, Vfs, path};
use std::collections::BTreeSet;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Dump,
    Verify,
    /// What repair would do.
    Plan,
    Repair,
}

#[derive(Clone, Debug)]
pub struct Request {
    pub mode: Mode,
    pub paths: Vec<String>,
    /// Of verify: inflate every batch, walk its records.
    pub deep: bool,
    /// Of dump: the records, too.
    pub records: bool,
    /// Of dump: the offsets asked for, both included.
    pub from: i64,
    pub to: i64,
    /// Of plan and repair: acknowledged records may go where they are damaged.
    pub accept_loss: bool,
}

/// A repair can uncover what damage hid; more rounds than this it never takes.
const ROUNDS: usize = 8;

/// `emit` takes a line and answers false to end it all. `Err`: a path that can't be read, a lock that is held, a step
/// that failed; one line for people.
pub fn run(vfs: &dyn Vfs, request: &Request, emit: &mut dyn FnMut(String) -> bool) -> Result<(), String> {
    let mut targets = Vec::new();
    for path in &request.paths {
        targets.push(Target::of(vfs, path).map_err(|error| format!("{path}: {error}"))?);
    }
    if request.mode != Mode::Repair && !tell_locks(vfs, &targets, emit) {
        return Ok(());
    }
    if matches!(request.mode, Mode::Plan | Mode::Repair) {
        refuse_journals(vfs, &targets)?;
    }
    let outcome = match request.mode {
        Mode::Dump => {
            dump(vfs, &targets, DumpOptions { records: request.records, from: request.from, to: request.to }, emit)
        }
        Mode::Verify => report(vfs, &targets, request.deep, emit),
        Mode::Plan => steps(vfs, &targets, request.accept_loss).map(|(steps, left)| {
            tell_steps(&steps, left, emit);
        }),
        Mode::Repair => return mend(vfs, &targets, request.accept_loss, emit),
    };
    ended(outcome)
}

/// What a journal holds belongs into the logs before anything of them is mended.
fn refuse_journals(vfs: &dyn Vfs, targets: &[Target]) -> Result<(), String> {
    let roots: BTreeSet<&str> = targets.iter().map(Target::root).collect();
    match roots.iter().find(|root| vfs.list(&path(root, journal::FOLDER)).is_ok()) {
        Some(root) => {
            Err(format!("{root} has a journal with records for its logs; start Odradek there once, then repair"))
        }
        None => Ok(()),
    }
}

fn ended(outcome: Result<(), Halt>) -> Result<(), String> {
    match outcome {
        Ok(()) | Err(Halt::Stopped) => Ok(()),
        Err(Halt::Unreadable(path, error)) => Err(format!("{path}: {error}")),
    }
}

fn tell_locks(vfs: &dyn Vfs, targets: &[Target], emit: &mut dyn FnMut(String) -> bool) -> bool {
    let roots: BTreeSet<&str> = targets.iter().map(Target::root).collect();
    for root in roots {
        let line = Line::new("locked").text("root", root);
        let line = match vfs.lock_holder(&path(root, ".lock")) {
            Ok(Some(LockFailure::HeldElsewhere { process: Some(process) })) => line.number("process", process as i64),
            Ok(Some(_)) => line,
            // A lock that can't be asked for stops nobody who only reads.
            Ok(None) | Err(_) => continue,
        };
        if !emit(line.end()) {
            return false;
        }
    }
    true
}

fn finding_line(finding: &Finding) -> String {
    let line = Line::new("finding").text("severity", finding.severity.name()).text("file", &finding.file);
    let line = match finding.at {
        Some(at) => line.number("byte", at as i64),
        None => line,
    };
    line.text("what", &finding.what).text("remedy", finding.remedy).end()
}

fn report(vfs: &dyn Vfs, targets: &[Target], deep: bool, emit: &mut dyn FnMut(String) -> bool) -> Result<(), Halt> {
    let mut counts = [0i64; 3];
    let totals = verify(vfs, targets, VerifyOptions { deep }, &mut |finding| {
        counts[finding.severity as usize] += 1;
        emit(finding_line(&finding))
    })?;
    let line = Line::new("totals")
        .number("files", totals.files as i64)
        .number("batches", totals.batches as i64)
        .number("bytes", totals.bytes as i64)
        .number("errors", counts[Severity::Error as usize])
        .number("warnings", counts[Severity::Warning as usize])
        .number("notes", counts[Severity::Note as usize]);
    if emit(line.end()) { Ok(()) } else { Err(Halt::Stopped) }
}

/// The plan, and a line for each finding that it leaves.
fn steps(vfs: &dyn Vfs, targets: &[Target], accept_loss: bool) -> Result<(Vec<Step>, Vec<String>), Halt> {
    let mut left = Vec::new();
    let steps = plan(vfs, targets, accept_loss, &mut |finding| {
        if finding.severity > Severity::Note {
            left.push(finding_line(&finding));
        }
        true
    })?;
    Ok((steps, left))
}

fn tell_steps(steps: &[Step], left: Vec<String>, emit: &mut dyn FnMut(String) -> bool) -> bool {
    let lines = steps.iter().map(|step| Line::new("step").text("what", &step.what).flag("refused", step.refused).end());
    left.into_iter().chain(lines).all(emit)
}

fn mend(
    vfs: &dyn Vfs,
    targets: &[Target],
    accept_loss: bool,
    emit: &mut dyn FnMut(String) -> bool,
) -> Result<(), String> {
    let refusal = |refusal: Refusal| match refusal {
        Refusal::Locked(text) => text,
        Refusal::Io(what, error) => format!("{what}: {error}"),
    };
    let _locks = lock_all(vfs, targets).map_err(refusal)?;
    let mut before: Vec<Step> = Vec::new();
    for round in 0.. {
        let (mut planned, left) = match steps(vfs, targets, accept_loss) {
            Ok(planned) => planned,
            Err(halt) => return ended(Err(halt)),
        };
        if round == ROUNDS || planned == before || planned.iter().all(|step| step.refused) {
            tell_steps(&planned, left, emit);
            return Ok(());
        }
        before = planned.clone();
        planned.retain(|step| !step.refused);
        if !tell_steps(&planned, Vec::new(), emit) {
            return Ok(());
        }
        let mut listening = true;
        repair(vfs, &planned, &mut |step| {
            listening &= emit(Line::new("done").text("what", &step.what).end());
        })
        .map_err(refusal)?;
        if !listening {
            return Ok(());
        }
    }
    Ok(())
}
