//! How long a directory takes to be served again, and what its idle logs hold: a program for
//! `npm run bench -- storage`.
//!
//!   restart fill FOLDER LOGS BYTES BATCH group|os   writes BYTES over LOGS logs in batches of BATCH, and ends as a kill does
//!   restart open FOLDER group|os                    opens them all and appends to the last; prints one JSON line
//!
//! Folders are named `t-0`, `t-1` and so on. `open` ends as a kill does too, so that it can be asked again.

use bytes::Bytes;
use odradek_engine::batch::BatchBuilder;
use odradek_engine::command::{Command, Completion, LogRef, OpenLog, Origin, Sink, Wake};
use odradek_engine::config::{Flush, LogConfig};
use odradek_engine::driver::{Engine, EngineOptions};
use odradek_engine::error::Code;
use odradek_engine::vfs::VfsKind;
use std::fs::{read_dir, read_to_string};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Appends that wait for their answer at most.
const IN_FLIGHT: usize = 256;
const TOPIC_ID: &str = "AAAAAAAAAAAAAAAAAAAAAQ";

struct Answers(Mutex<Sender<Result<u64, String>>>);

impl Sink for Answers {
    fn complete(&self, completion: Completion, _urgent: bool) {
        let answer = match completion {
            Completion::Opened { outcome, .. } => outcome.map(|info| info.end as u64).map_err(|failure| failure.text),
            Completion::Appended { code, info, .. } => {
                if code == Code::Ok {
                    Ok(info.end as u64)
                } else {
                    Err(info.text)
                }
            }
            Completion::DirectoryFailed { text, .. } | Completion::Fatal { text } => Err(text),
            _ => return,
        };
        let sender = self.0.lock().expect("nobody panics while sending").clone();
        let _ = sender.send(answer);
    }
}

struct Rig {
    engine: Engine,
    answers: Receiver<Result<u64, String>>,
    directory: u32,
    clean: bool,
    config: LogConfig,
}

impl Rig {
    fn start(folder: &str, flush: &str) -> Rig {
        let (sender, answers) = channel();
        let engine = Engine::start(EngineOptions::default(), Arc::new(Answers(Mutex::new(sender))));
        let opened = engine.open_directory(folder, VfsKind::Posix).unwrap_or_else(|failure| fail(&failure.text));
        let flush = if flush == "os" { Flush::Os } else { Flush::Group };
        let config = LogConfig { flush, ..LogConfig::default() };
        Rig { engine, answers, directory: opened.id, clean: opened.clean, config }
    }

    fn open(&self, slots: std::ops::Range<u32>) {
        let open = |slot| {
            Command::Open(Box::new(OpenLog {
                log: LogRef { slot, generation: 1 },
                ticket: slot,
                directory: self.directory,
                name: format!("t-{slot}"),
                config: self.config.clone(),
                topic_id: Some(TOPIC_ID.to_string()),
                clean: self.clean,
                must_exist: false,
                now_ms: now_ms(),
            }))
        };
        let count = slots.len();
        self.engine.submit(slots.map(open).collect());
        self.take(count);
    }

    fn append(&self, slot: u32, batch: Bytes) {
        self.engine.submit(vec![Command::Append {
            log: LogRef { slot, generation: 1 },
            ticket: slot,
            batch,
            leader_epoch: 1,
            origin: Origin::Client,
            wake: Wake::Appended,
            transaction_version: 0,
            now_ms: now_ms(),
            expected_base: -1,
        }]);
    }

    fn take(&self, count: usize) {
        for _ in 0..count {
            match self.answers.recv() {
                Ok(Ok(_)) => {}
                Ok(Err(text)) => fail(&text),
                Err(error) => fail(&error.to_string()),
            }
        }
    }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["fill", folder, logs, bytes, batch, flush] => {
            fill(folder, number(logs) as u32, number(bytes), number(batch), flush)
        }
        ["open", folder, flush] => open(folder, flush),
        _ => fail("usage: restart fill FOLDER LOGS BYTES BATCH group|os, or restart open FOLDER group|os"),
    }
}

fn fill(folder: &str, logs: u32, bytes: u64, batch: u64, flush: &str) {
    let rig = Rig::start(folder, flush);
    let began = Instant::now();
    rig.open(0..logs);
    let created = began.elapsed();
    let value = vec![b'x'; (batch as usize).saturating_sub(80).min(1000)];
    let mut builder = BatchBuilder::new();
    for _ in 0..(batch as usize / (value.len() + 10)).max(1) {
        builder = builder.record(now_ms(), None, Some(&value));
    }
    let batch = Bytes::from(builder.build());
    let count = bytes / batch.len() as u64;
    for at in 0..count {
        if at >= IN_FLIGHT as u64 {
            rig.take(1);
        }
        rig.append((at % logs as u64) as u32, batch.clone());
    }
    rig.take((count as usize).min(IN_FLIGHT));
    println!("{{\"createdMs\":{},\"filledMs\":{}}}", created.as_millis(), began.elapsed().as_millis());
    std::process::exit(0);
}

fn open(folder: &str, flush: &str) {
    let logs = read_dir(folder).map_or(0, |entries| {
        entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with("t-")).count()
    }) as u32;
    let before = anonymous_kb();
    let began = Instant::now();
    let rig = Rig::start(folder, flush);
    rig.open(0..logs);
    let opened = began.elapsed();
    rig.append(logs - 1, Bytes::from(BatchBuilder::new().record(now_ms(), None, Some(b"x")).build()));
    rig.take(1);
    let served = began.elapsed();
    let held = (anonymous_kb().saturating_sub(before)) * 1024 / logs.max(1) as u64;
    println!(
        "{{\"logs\":{logs},\"clean\":{},\"openedMs\":{},\"servedMs\":{},\"bytesPerLog\":{held},\"descriptors\":{}}}",
        rig.clean,
        opened.as_secs_f64() * 1e3,
        served.as_secs_f64() * 1e3,
        read_dir("/proc/self/fd").map_or(0, Iterator::count),
    );
    std::process::exit(0);
}

fn anonymous_kb() -> u64 {
    let status = read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

fn number(word: &str) -> u64 {
    word.parse().unwrap_or_else(|_| fail(&format!("{word:?} is no number")))
}

fn fail(text: &str) -> ! {
    eprintln!("restart: {text}");
    std::process::exit(1)
}
