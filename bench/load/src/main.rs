//! The raw load generator: sends one pre-encoded frame over and over on plain connections and times every answer.
//!
//!   odradek-load --address 127.0.0.1:9092 --frame produce.bin --requests 100000 [--warm-up 1000]
//!                [--connections 1] [--depth 1] [--rate 0] [--pin CPU] [--pid PID] [--error-at OFFSET]
//!
//! Closed loop (`--rate 0`): each connection keeps `--depth` requests in flight. Open loop (`--rate R`): R requests a
//! second over all connections at intended start times, and a latency counts from the intended start, so that a stall of
//! the broker is charged to every request that it delayed. `--frame` holds the 4-byte length and the request. `--pid`
//! names the broker, whose CPU time is read before and after. `--error-at` is where in an answer (behind its length) an
//! error code lies; one that is not 0 ends the run with exit code 1. Prints one JSON line.

mod arguments;
mod connection;
mod figures;
mod load;

fn main() {
    let arguments = match arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(problem) => {
            eprintln!("odradek-load: {problem}");
            std::process::exit(2);
        }
    };
    match load::run(&arguments) {
        Ok(figures) => println!("{}", figures.json()),
        Err(problem) => {
            eprintln!("odradek-load: {problem}");
            std::process::exit(1);
        }
    }
}
