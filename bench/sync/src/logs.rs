//! Many logs of the engine itself, each lightly loaded: how long an append waits for the disk, and at what cost.
//!
//!   odradek-sync-bench logs --folder DIR [--logs 10000] [--rate 5000] [--seconds 10] [--bytes 1024] [--journal yes|no]
//!                           [--depth 0]
//!
//! `--rate`: appends a second, spread over all logs in turn, at intended times; a latency counts from then. `--depth N`
//! instead of a rate: N appends in flight, each in its own log. Prints one JSON line.

use odradek_engine::batch::BatchBuilder;
use odradek_engine::command::{Command, Completion, LogRef, OpenLog, Origin, Sink, Wake};
use odradek_engine::config::LogConfig;
use odradek_engine::driver::{Engine, EngineOptions, JournalSize};
use odradek_engine::error::Code;
use odradek_engine::vfs::VfsKind;
use std::os::linux::fs::MetadataExt;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

const NOW: i64 = 1_700_000_000_000;
const WARM_UP: f64 = 0.2;

pub struct Arguments {
    pub folder: String,
    pub logs: usize,
    pub rate: f64,
    pub depth: usize,
    pub seconds: f64,
    pub bytes: usize,
    pub journal: bool,
}

impl Default for Arguments {
    fn default() -> Self {
        Arguments {
            folder: String::new(),
            logs: 10_000,
            rate: 5_000.0,
            depth: 0,
            seconds: 10.0,
            bytes: 1024,
            journal: true,
        }
    }
}

#[derive(Default)]
struct Heard {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    answered: usize,
    problem: Option<String>,
    /// For each log the intended times of appends that wait, by the end that covers them.
    waiting: Vec<Vec<(i64, Instant)>>,
    free: Vec<usize>,
    in_flight: usize,
    latencies: Vec<f64>,
}

impl Sink for Heard {
    fn complete(&self, completion: Completion, _urgent: bool) {
        let state = &mut *self.state.lock().unwrap();
        match completion {
            Completion::Synced { log, synced_end } => {
                let now = Instant::now();
                let waiting = &mut state.waiting[log.slot as usize];
                let done = waiting.iter().take_while(|(end, _)| *end <= synced_end).count();
                for (_, begun) in waiting.drain(..done) {
                    state.latencies.push((now - begun).as_secs_f64());
                }
                state.in_flight -= done;
                if done > 0 {
                    state.free.push(log.slot as usize);
                }
            }
            Completion::Opened { outcome: Ok(_), .. } | Completion::Answered { outcome: Ok(_), .. } => {
                state.answered += 1;
            }
            Completion::Appended { code: Code::Ok, .. } => return,
            other => state.problem = Some(format!("{other:?}")),
        }
        self.changed.notify_one();
    }
}

impl Heard {
    fn wait(&self, done: impl Fn(&State) -> bool) -> Result<(), String> {
        let mut state = self.state.lock().unwrap();
        while !done(&state) {
            if let Some(problem) = &state.problem {
                return Err(problem.clone());
            }
            state = self.changed.wait(state).unwrap();
        }
        Ok(())
    }
}

pub fn run(arguments: &Arguments) -> Result<String, String> {
    let heard = Arc::new(Heard::default());
    heard.state.lock().unwrap().waiting.resize(arguments.logs, Vec::new());
    let journal = if arguments.journal { JournalSize::Usual } else { JournalSize::None };
    let engine = Engine::start(EngineOptions { journal, ..EngineOptions::default() }, heard.clone());
    let directory = engine.open_directory(&arguments.folder, VfsKind::Posix).map_err(|failure| failure.text)?;
    let begun = Instant::now();
    engine.submit((0..arguments.logs).map(|slot| open(directory.id, slot, directory.clean)).collect());
    heard.wait(|state| state.answered == arguments.logs)?;
    let opened = begun.elapsed().as_secs_f64();
    let batch = BatchBuilder::new().record(NOW, None, Some(&vec![b'x'; arguments.bytes])).build();
    let mut load =
        Load { engine: &engine, heard: &heard, arguments, batch: batch.into(), ends: vec![0; arguments.logs], next: 0 };
    // Every segment is there before anything counts.
    load.everywhere()?;
    load.run(arguments.seconds * WARM_UP)?;
    heard.state.lock().unwrap().latencies.clear();
    let (cpu, flushes, begun) = (cpu_seconds(), flushes(&arguments.folder), Instant::now());
    load.run(arguments.seconds)?;
    let (seconds, cpu) = (begun.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    let flushes = flushes_since(&arguments.folder, flushes);
    let mut latencies = std::mem::take(&mut heard.state.lock().unwrap().latencies);
    latencies.sort_by(f64::total_cmp);
    let at = |share: f64| latencies.get(((latencies.len() as f64 - 1.0) * share) as usize).map_or(0.0, |s| s * 1000.0);
    let begun = Instant::now();
    heard.state.lock().unwrap().answered = 0;
    engine.submit(
        (0..arguments.logs).map(|slot| Command::Close { log: log(slot), ticket: slot as u32, clean: true }).collect(),
    );
    heard.wait(|state| state.answered == arguments.logs)?;
    engine.close_directory(directory.id, true, 1).map_err(|failure| failure.text)?;
    engine.stop();
    Ok(format!(
        "{{\"logs\":{},\"journal\":{},\"bytes\":{},\"appendsPerSecond\":{:.0},\"p50Ms\":{:.2},\"p99Ms\":{:.2},\"p999Ms\":{:.2},\
         \"maxMs\":{:.1},\"cpuMicrosPerAppend\":{:.1},\"flushesPerSecond\":{:.0},\"openSeconds\":{opened:.2},\"closeSeconds\":{:.2}}}",
        arguments.logs,
        arguments.journal,
        arguments.bytes,
        latencies.len() as f64 / seconds,
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0),
        cpu * 1e6 / latencies.len().max(1) as f64,
        flushes / seconds,
        begun.elapsed().as_secs_f64(),
    ))
}

struct Load<'a> {
    engine: &'a Engine,
    heard: &'a Heard,
    arguments: &'a Arguments,
    batch: bytes::Bytes,
    ends: Vec<i64>,
    next: usize,
}

impl Load<'_> {
    fn everywhere(&mut self) -> Result<(), String> {
        for _ in 0..self.arguments.logs.div_ceil(64) {
            let commands = (0..64.min(self.arguments.logs)).map(|_| self.append(None, Instant::now())).collect();
            self.engine.submit(commands);
            self.heard.wait(|state| state.in_flight == 0)?;
        }
        self.heard.state.lock().unwrap().free = (0..self.arguments.depth).collect();
        Ok(())
    }

    fn run(&mut self, seconds: f64) -> Result<(), String> {
        let begun = Instant::now();
        let until = begun + Duration::from_secs_f64(seconds);
        let mut sent = 0;
        while Instant::now() < until {
            let mut commands = Vec::new();
            if self.arguments.depth > 0 {
                self.heard.wait(|state| !state.free.is_empty())?;
                let free = std::mem::take(&mut self.heard.state.lock().unwrap().free);
                commands.extend(free.into_iter().map(|slot| self.append(Some(slot), Instant::now())));
            } else {
                let due = (begun.elapsed().as_secs_f64() * self.arguments.rate) as usize;
                while sent < due {
                    let intended = begun + Duration::from_secs_f64(sent as f64 / self.arguments.rate);
                    commands.push(self.append(None, intended));
                    sent += 1;
                }
                if commands.is_empty() {
                    std::thread::sleep(Duration::from_micros(200));
                    continue;
                }
            }
            self.engine.submit(commands);
        }
        self.heard.wait(|state| state.in_flight == 0)
    }

    fn append(&mut self, slot: Option<usize>, intended: Instant) -> Command {
        let slot = slot.unwrap_or_else(|| {
            self.next = (self.next + 1) % self.arguments.logs;
            // Neighbours in time are no neighbours in the directory.
            self.next * 7919 % self.arguments.logs
        });
        self.ends[slot] += 1;
        let state = &mut *self.heard.state.lock().unwrap();
        state.waiting[slot].push((self.ends[slot], intended));
        state.in_flight += 1;
        Command::Append {
            log: log(slot),
            ticket: slot as u32,
            batch: self.batch.clone(),
            leader_epoch: 0,
            origin: Origin::Client,
            wake: Wake::Synced,
            transaction_version: 0,
            now_ms: NOW,
            expected_base: -1,
        }
    }
}

fn log(slot: usize) -> LogRef {
    LogRef { slot: slot as u32, generation: 1 }
}

fn open(directory: u32, slot: usize, clean: bool) -> Command {
    Command::Open(Box::new(OpenLog {
        log: log(slot),
        ticket: slot as u32,
        directory,
        name: format!("bench-{slot}"),
        config: LogConfig::default(),
        topic_id: Some("AAAAAAAAAAAAAAAAAAAAAQ".to_string()),
        clean,
        must_exist: false,
        now_ms: NOW,
    }))
}

/// Flushes that the folder's disk has carried out, by whoever; None where it doesn't count them.
fn flushes(folder: &str) -> Option<f64> {
    let device = std::fs::metadata(folder).ok()?.st_dev();
    let path = format!("/sys/dev/block/{}:{}/stat", libc::major(device), libc::minor(device));
    std::fs::read_to_string(path).ok()?.split_whitespace().nth(15)?.parse().ok()
}

fn flushes_since(folder: &str, before: Option<f64>) -> f64 {
    flushes(folder).zip(before).map_or(0.0, |(now, before)| now - before)
}

fn cpu_seconds() -> f64 {
    // SAFETY: rusage is plain data that the call fills.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}
