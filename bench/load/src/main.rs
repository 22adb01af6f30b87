//! The raw load generator: sends one pre-encoded frame over and over on plain connections and times every answer.
//!
//!   odradek-load --address 127.0.0.1:9092 --frame produce.bin --requests 100000 [--warm-up 1000]
//!                [--connections 1] [--depth 1] [--rate 0] [--until FILE] [--pin CPU] [--pid PID] [--error-at OFFSET]
//!
//! Closed loop (`--rate 0`): each connection keeps `--depth` requests in flight. Open loop (`--rate R`): R requests a
//! second over all connections at intended start times, and a latency counts from the intended start, so that a
//! stall of the broker is charged to every request that it delayed; it ends early once FILE is there. `--frame`
//! holds the 4-byte length and the request. `--pid` names the broker, whose CPU time is read before and after.
//! `--error-at` is where in an answer (behind its length) an error code lies; one that is not 0 ends the run with
//! exit code 1. Prints one JSON line.
//!
//!   odradek-load keys --address 127.0.0.1:9092 --frame produce.bin …
//!
//! Fills a log with keys that come again: the frame, each time with other keys in it (`keys.rs` says what it wants).
//!
//!   odradek-load classic|consumer|commits|idle|offsets --address 127.0.0.1:9092 --pid PID --topic T …
//!
//! Members of consumer groups: how long a classic or a KIP-848 group takes to form, commits in a closed loop, groups at
//! rest, and when a group's offsets can be read after a start. The options of each stand where
//! it reads them, in groups/.

mod arguments;
mod connection;
mod figures;
mod groups;
mod keys;
mod load;
mod options;
mod poll;
mod process;

fn main() {
    let mut words = std::env::args().skip(1).peekable();
    let program = words.next_if(|word| !word.starts_with("--"));
    let result = match &program {
        Some(name) if name == "keys" => keys::run(words),
        Some(name) => match groups::run(name, words) {
            Some(result) => result,
            None => return end(2, &format!("there is no program {name}")),
        },
        None => match arguments::parse(words) {
            Ok(arguments) => load::run(&arguments).map(|figures| figures.json()),
            Err(problem) => return end(2, &problem),
        },
    };
    match result {
        Ok(line) => println!("{line}"),
        Err(problem) => end(1, &problem),
    }
}

fn end(code: i32, problem: &str) {
    eprintln!("odradek-load: {problem}");
    std::process::exit(code);
}
