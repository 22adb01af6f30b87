//! What the ways of making small appends to many files durable cost on one file system: the figures that group commit
//! is designed from.
//!
//!   odradek-sync-bench --folder DIR [--rounds 3] [--seconds 1] [--files 100,10000] [--bytes 1024] [--only a,b] [--awake 0]
//!                      [--out FILE]
//!
//! `--awake N`: N threads of the lowest priority spin meanwhile. A virtual core that halts may take milliseconds to
//! come back, which a busy broker's does not do; without it a single thread's figure is the host's mood.
//!
//! With `logs` as the first word it measures the engine itself (`logs.rs`).
//!
//! Each way is run in turns, `--rounds` times, and the median counts: durable appends a second,
//! and syncs a second. Linux.

mod files;
mod logs;
mod ways;

use files::Files;
use std::io::Write;
use std::time::{Duration, Instant};
use ways::{Way, ways};

struct Arguments {
    folder: String,
    rounds: usize,
    seconds: f64,
    files: Vec<usize>,
    bytes: usize,
    only: Vec<String>,
    awake: usize,
    out: Option<String>,
}

fn main() {
    let mut words = std::env::args().skip(1).peekable();
    let outcome = match words.next_if(|word| word == "logs") {
        Some(_) => logs_arguments(words).and_then(|arguments| logs::run(&arguments)).map(|line| println!("{line}")),
        None => arguments(words).and_then(|arguments| run(&arguments)),
    };
    if let Err(problem) = outcome {
        eprintln!("odradek-sync-bench: {problem}");
        std::process::exit(1);
    }
}

fn logs_arguments(mut words: impl Iterator<Item = String>) -> Result<logs::Arguments, String> {
    let mut found = logs::Arguments::default();
    while let Some(name) = words.next() {
        let value = words.next().ok_or(format!("{name} needs a value"))?;
        let number = || value.parse::<f64>().map_err(|_| format!("{name} {value} is no number"));
        match name.as_str() {
            "--folder" => found.folder = value,
            "--logs" => found.logs = number()? as usize,
            "--rate" => found.rate = number()?,
            "--depth" => found.depth = number()? as usize,
            "--seconds" => found.seconds = number()?,
            "--bytes" => found.bytes = number()? as usize,
            "--journal" => found.journal = value == "yes",
            _ => return Err(format!("there is no option {name}")),
        }
    }
    if found.folder.is_empty() { Err("--folder is missing".to_string()) } else { Ok(found) }
}

fn arguments(mut words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut found = Arguments {
        folder: String::new(),
        rounds: 3,
        seconds: 1.0,
        files: vec![100, 10_000],
        bytes: 1024,
        only: Vec::new(),
        awake: 0,
        out: None,
    };
    while let Some(name) = words.next() {
        let value = words.next().ok_or(format!("{name} needs a value"))?;
        let wrong = |_| format!("{name} {value} is no number");
        match name.as_str() {
            "--folder" => found.folder = value,
            "--rounds" => found.rounds = value.parse().map_err(wrong)?,
            "--seconds" => found.seconds = value.parse().map_err(|_| format!("{name} {value} is no number"))?,
            "--files" => found.files = value.split(',').map(str::parse).collect::<Result<_, _>>().map_err(wrong)?,
            "--bytes" => found.bytes = value.parse().map_err(wrong)?,
            "--only" => found.only = value.split(',').map(str::to_string).collect(),
            "--awake" => found.awake = value.parse().map_err(wrong)?,
            "--out" => found.out = Some(value),
            _ => return Err(format!("there is no option {name}")),
        }
    }
    if found.folder.is_empty() { Err("--folder is missing".to_string()) } else { Ok(found) }
}

struct Figure {
    name: String,
    appends: Vec<f64>,
    syncs: Vec<f64>,
}

fn run(arguments: &Arguments) -> Result<(), String> {
    for _ in 0..arguments.awake {
        std::thread::spawn(spin);
    }
    let mut lines = Vec::new();
    for count in &arguments.files {
        let failed = |error: std::io::Error| format!("{}: {error}", arguments.folder);
        let files = Files::new(&arguments.folder, *count, arguments.bytes).map_err(failed)?;
        let chosen: Vec<(String, Way)> = ways(*count)
            .into_iter()
            .filter(|(name, _)| arguments.only.is_empty() || arguments.only.iter().any(|part| name.contains(part)))
            .collect();
        let mut figures: Vec<Figure> = chosen
            .iter()
            .map(|(name, _)| Figure { name: name.clone(), appends: Vec::new(), syncs: Vec::new() })
            .collect();
        for _ in 0..arguments.rounds {
            for ((name, way), figure) in chosen.iter().zip(&mut figures) {
                let begun = Instant::now();
                let until = begun + Duration::from_secs_f64(arguments.seconds);
                let done = way.run(&files, until).map_err(|error| format!("{name}: {error}"))?;
                let seconds = begun.elapsed().as_secs_f64();
                figure.appends.push(done.appends as f64 / seconds);
                figure.syncs.push(done.syncs as f64 / seconds);
                files.settle().map_err(failed)?;
            }
        }
        println!("{count} files, appends of {} bytes, median of {} rounds", arguments.bytes, arguments.rounds);
        for figure in &mut figures {
            let (appends, syncs) = (median(&mut figure.appends), median(&mut figure.syncs));
            println!("  {:<44} {appends:>9.0} appends/s {syncs:>8.0} syncs/s", figure.name);
            lines.push(format!(
                "{{\"files\":{count},\"bytes\":{},\"way\":\"{}\",\"appendsPerSecond\":{appends:.0},\"syncsPerSecond\":{syncs:.0}}}",
                arguments.bytes, figure.name
            ));
        }
        files.remove().map_err(failed)?;
    }
    if let Some(out) = &arguments.out {
        let mut file = std::fs::File::create(out).map_err(|error| format!("{out}: {error}"))?;
        writeln!(file, "[\n{}\n]", lines.join(",\n")).map_err(|error| format!("{out}: {error}"))?;
    }
    Ok(())
}

fn spin() {
    // SAFETY: the parameters are plain data of the right size.
    unsafe {
        let priority: libc::sched_param = std::mem::zeroed();
        libc::sched_setscheduler(0, libc::SCHED_IDLE, &raw const priority);
    }
    loop {
        std::hint::spin_loop();
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
