//! Crash images by the million.
//!
//!   images [--count N] [--seed N] [--threads N] [--script NAME]     scripts from this seed on, until N images
//!   images --script NAME --seed N --cut N                           one moment of one script, as a failure names it

use odradek_proof::campaign::{Plan, Tally, campaign, run};
use odradek_proof::scripts::SCRIPTS;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Images between two lines of progress.
const REPORT_EVERY: u64 = 100_000;

fn main() -> ExitCode {
    let mut plan = Plan { images: 1_000_000, seed: 0, threads: 2, script: None, failures: 5 };
    let mut cut = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().unwrap_or_default();
        let number = value.parse::<u64>();
        match (name.as_str(), number) {
            ("--count", Ok(count)) => plan.images = count,
            ("--seed", Ok(seed)) => plan.seed = seed,
            ("--threads", Ok(threads)) => plan.threads = threads as usize,
            ("--cut", Ok(at)) => cut = Some(at as usize),
            ("--script", _) if SCRIPTS.iter().any(|named| named.name == value) => plan.script = Some(value),
            _ => {
                let names: Vec<&str> = SCRIPTS.iter().map(|named| named.name).collect();
                eprintln!("images [--count N] [--seed N] [--threads N] [--script {}] [--cut N]", names.join("|"));
                return ExitCode::from(2);
            }
        }
    }
    let began = Instant::now();
    let (tally, failed) = match cut {
        Some(at) => {
            let chosen = |named: &&odradek_proof::scripts::Named| plan.script.as_deref() == Some(named.name);
            let Some(named) = SCRIPTS.iter().find(chosen) else {
                eprintln!("--cut needs --script");
                return ExitCode::from(2);
            };
            match run(named, plan.seed, Some(at)) {
                Ok(tally) => (tally, Vec::new()),
                Err(failed) => (Tally::default(), vec![failed]),
            }
        }
        None => {
            let reported = AtomicU64::new(0);
            campaign(&plan, |tally| {
                let due = tally.images / REPORT_EVERY;
                if reported.fetch_max(due, Ordering::Relaxed) < due {
                    println!("{} images, {} s", tally.images, began.elapsed().as_secs());
                }
            })
        }
    };
    for one in &failed {
        println!("FAILED  {one}");
    }
    let Tally { scripts, cuts, images } = tally;
    println!(
        "{images} images of {cuts} moments in {scripts} scripts from seed {}, {} failures, {} s",
        plan.seed,
        failed.len(),
        began.elapsed().as_secs()
    );
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
