//! What an append costs a program in Rust that owns its log, by writer and size: one JSON line for each,
//! nanoseconds of this thread's time and of the clock's. `cargo run --release -p odradek-engine --example
//! append -- FOLDER [MEGABYTES]`

use odradek_engine::command::{Command, Completion, LogRef, OpenLog, Sink};
use odradek_engine::config::{Flush, LogConfig};
use odradek_engine::driver::{Engine, EngineOptions};
use odradek_engine::mapped::{MappedLog, Writer};
use odradek_engine::vfs::VfsKind;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Instant;

/// A moment; nothing here depends on which.
const NOW: i64 = 1_700_000_000_000;

struct Told(Sender<Completion>);

impl Sink for Told {
    fn complete(&self, completion: Completion, _urgent: bool) {
        // Nobody listens at the end.
        let _ = self.0.send(completion);
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().expect("a folder");
    let megabytes: usize = arguments.next().map_or(64, |text| text.parse().expect("megabytes"));
    let (sender, told) = channel();
    let engine = Engine::start(EngineOptions::default(), Arc::new(Told(sender)));
    let directory = engine.open_directory(&folder, VfsKind::Posix).expect("the folder opens");
    let mut slot = 0;
    for size in [100, 1024, 16 << 10, 128 << 10] {
        for (name, writer) in [("mapped", Writer::Map), ("written", Writer::Write)] {
            let log = LogRef { slot, generation: 0 };
            engine.submit(vec![Command::Open(Box::new(OpenLog {
                log,
                ticket: slot,
                directory: directory.id,
                name: format!("append-{slot}"),
                config: LogConfig { flush: Flush::Os, ..LogConfig::default() },
                topic_id: None,
                clean: false,
                must_exist: false,
                now_ms: NOW,
            }))]);
            while !matches!(told.recv(), Ok(Completion::Opened { ticket, .. }) if ticket == slot) {}
            let mut log = MappedLog::take(&engine, log, writer).expect("an open log");
            let value = vec![7; size];
            let count = (megabytes << 20) / (size + 68);
            let began = Instant::now();
            for _ in 0..count {
                log.append(None, Some(&value), NOW, NOW).expect("there is room");
            }
            let each = began.elapsed().as_nanos() as f64 / count as f64;
            println!("{{\"writer\":\"{name}\",\"bytes\":{size},\"nanoseconds\":{each:.0}}}");
            log.give_back();
            slot += 1;
        }
    }
    engine.stop();
}
