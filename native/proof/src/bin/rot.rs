//! Flips, cuts and runs of zeros in files of closed directories and of crashed ones.
//!
//!   rot [--count N] [--seed N]     so many damages of each; fails when one went unnoticed

use odradek_proof::rot::{Verdict, damages};
use std::collections::BTreeMap;
use std::process::ExitCode;

/// By kind of file: what became of its damages. None: nobody noticed.
type Tally = BTreeMap<String, BTreeMap<Option<Verdict>, u64>>;

fn main() -> ExitCode {
    let (mut count, mut seed) = (5_000, 1);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        match (name.as_str(), arguments.next().unwrap_or_default().parse::<u64>()) {
            ("--count", Ok(value)) => count = value,
            ("--seed", Ok(value)) => seed = value,
            _ => {
                eprintln!("rot [--count N] [--seed N]");
                return ExitCode::from(2);
            }
        }
    }
    let mut unnoticed = 0;
    for closed in [true, false] {
        let mut tally = Tally::new();
        let done = damages(closed, count, seed, |seed, damage, verdict| {
            if let Err(why) = &verdict {
                println!("seed {seed}, {damage:?}: {why}");
                unnoticed += 1;
            }
            let name = damage.file.rsplit('/').next().unwrap_or_default();
            let kind = name.trim_start_matches(|c: char| c.is_ascii_digit()).to_string();
            *tally.entry(kind).or_default().entry(verdict.ok()).or_default() += 1;
        });
        if let Err(why) = done {
            eprintln!("{why}");
            return ExitCode::FAILURE;
        }
        println!("{} directories", if closed { "closed" } else { "crashed" });
        for (kind, verdicts) in &tally {
            let words: Vec<String> = verdicts.iter().map(|(verdict, n)| format!("{} {n}", word(*verdict))).collect();
            println!("  {kind:<36}{}", words.join(", "));
        }
    }
    println!("{unnoticed} of {} went unnoticed, from seed {seed}", 2 * count);
    if unnoticed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn word(verdict: Option<Verdict>) -> &'static str {
    match verdict {
        Some(Verdict::Refused) => "directory refused",
        Some(Verdict::Offline) => "partition offline",
        Some(Verdict::Cut) => "cut and kept beside",
        Some(Verdict::Read) => "read refused",
        Some(Verdict::Fenced) => "leader refused",
        Some(Verdict::Harmless) => "harmless",
        None => "UNNOTICED",
    }
}
