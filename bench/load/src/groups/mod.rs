//! Consumer groups under load: members that speak the protocol themselves, all of them in this one thread.

mod classic;
mod commits;
mod consumer;
mod crowd;
mod idle;
mod messages;
mod rebalance;
mod schedule;
mod wire;

use crate::options::Options;
use crowd::Crowd;
use std::time::{Duration, Instant};
use wire::Answer;

const KNOWN: [&str; 15] = [
    "address",
    "pid",
    "topic",
    "partitions",
    "prefix",
    "groups",
    "members",
    "connections",
    "heartbeat-ms",
    "warm-up",
    "requests",
    "outside",
    "protocol",
    "rest-seconds",
    "settle-seconds",
];

/// Runs the program of that name; the JSON line that it prints. None: there is no such program.
pub fn run(program: &str, words: impl Iterator<Item = String>) -> Option<Result<String, String>> {
    let run = match program {
        "classic" => rebalance::classic,
        "consumer" => rebalance::consumer,
        "commits" => commits::run,
        "idle" => idle::run,
        "offsets" => offsets,
        _ => return None,
    };
    Some(Options::parse(words, &KNOWN).and_then(|options| run(&options)))
}

/// Waits until the broker says who coordinates the group; the first to ask makes the offsets topic.
fn await_coordinator(crowd: &mut Crowd, group: &str) -> Result<(), String> {
    let frame = messages::find_coordinator(group);
    retry(crowd, &frame, |answer| messages::found_coordinator(answer).map(|code| (code, ()))).map(|_| ())
}

/// Asks once on every connection, so that each has whatever the broker gives to one in use.
fn use_all(crowd: &mut Crowd, connections: usize, group: &str) -> Result<(), String> {
    for connection in 0..connections {
        crowd.send(connection, 0, &messages::find_coordinator(group))?;
    }
    while crowd.in_flight() > 0 {
        crowd.receive(Duration::from_secs(10))?;
    }
    Ok(())
}

/// Milliseconds from the program's start until the group's offsets are answered without an error.
fn offsets(options: &Options) -> Result<String, String> {
    let began = Instant::now();
    let group: String = options.required("prefix")?;
    let mut crowd = Crowd::connect(options.address()?, 1)?;
    await_coordinator(&mut crowd, &group)?;
    let coordinator = began.elapsed();
    let (partitions, largest) = await_offsets(&mut crowd, &group)?;
    Ok(format!(
        "{{\"coordinatorMs\":{:.1},\"offsetsMs\":{:.1},\"offsets\":{partitions},\"largestOffset\":{largest}}}",
        coordinator.as_secs_f64() * 1000.0,
        began.elapsed().as_secs_f64() * 1000.0,
    ))
}

/// Waits until the group's coordinator has loaded it: how many partitions have an offset, and the largest offset.
fn await_offsets(crowd: &mut Crowd, group: &str) -> Result<(usize, i64), String> {
    retry(crowd, &messages::offset_fetch(group), |answer| {
        messages::fetched(answer).map(|(code, partitions, largest)| (code, (partitions, largest)))
    })
}

/// Asks again every 2 ms while the answer is an error that goes away by itself.
fn retry<T>(
    crowd: &mut Crowd,
    frame: &[u8],
    read: impl Fn(&mut Answer) -> Result<(i16, T), String>,
) -> Result<T, String> {
    let deadline = Instant::now() + Duration::from_secs(120);
    while Instant::now() < deadline {
        crowd.send(0, 0, frame)?;
        for received in crowd.receive(Duration::from_secs(60))? {
            match read(&mut Answer::new(&received.body))? {
                (messages::NONE, value) => return Ok(value),
                (code, _) if messages::retriable(code) => std::thread::sleep(Duration::from_millis(2)),
                (code, _) => return Err(format!("the coordinator answered error {code}")),
            }
        }
    }
    Err("the coordinator does not answer within 120 s".into())
}
