//! The loop: one thread, epoll, all connections.

use crate::arguments::Arguments;
use crate::connection::Connection;
use crate::figures::{Figures, cpu_seconds};
use crate::poll::{Poll, pin};
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(10);
/// Requests between two looks for the file that ends the loop.
const LOOKS_EVERY: u64 = 64;

pub fn run(arguments: &Arguments) -> Result<Figures, String> {
    if let Some(cpu) = arguments.pin {
        pin(cpu)?;
    }
    let poll = Poll::new()?;
    let mut connections = Vec::new();
    for token in 0..arguments.connections {
        let stream = TcpStream::connect(arguments.address).map_err(|error| format!("connect: {error}"))?;
        stream.set_nodelay(true).and_then(|()| stream.set_nonblocking(true)).map_err(|error| error.to_string())?;
        poll.add(stream.as_raw_fd(), token as u64)?;
        connections.push(Connection::new(stream));
    }
    if arguments.warm_up > 0 {
        drive(arguments, &poll, &mut connections, arguments.warm_up, 0.0)?;
    }
    let target = |at: &str| arguments.pid.map(cpu_seconds).transpose().map_err(|error| format!("{at}: {error}"));
    let (target_before, client_before) = (target("before")?, cpu_seconds(std::process::id())?);
    let (seconds, latencies_us) = drive(arguments, &poll, &mut connections, arguments.requests, arguments.rate)?;
    Ok(Figures {
        seconds,
        latencies_us,
        client_cpu_seconds: cpu_seconds(std::process::id())? - client_before,
        target_cpu_seconds: target("after")?.zip(target_before).map(|(after, before)| after - before),
    })
}

/// Sends `total` requests and waits for all answers; returns the time that took and each latency.
fn drive(
    arguments: &Arguments,
    poll: &Poll,
    connections: &mut [Connection],
    mut total: u64,
    rate: f64,
) -> Result<(f64, Vec<f32>), String> {
    let frame = &arguments.frame;
    let began = Instant::now();
    let now = || began.elapsed().as_nanos() as u64;
    let mut latencies = Vec::with_capacity(total as usize);
    let mut sent = 0u64;
    let mut events = vec![libc::epoll_event { events: 0, u64: 0 }; 256];
    let intended = |number: u64| (number as f64 / rate * 1e9) as u64;
    if rate == 0.0 {
        for _ in 0..arguments.depth {
            for connection in connections.iter_mut().take((total - sent) as usize) {
                connection.request(frame, now())?;
                sent += 1;
            }
        }
    }
    while (latencies.len() as u64) < total {
        let mut timeout = PATIENCE;
        if rate > 0.0 {
            while sent < total && intended(sent) <= now() {
                connections[(sent % arguments.connections as u64) as usize].request(frame, intended(sent))?;
                sent += 1;
                if sent.is_multiple_of(LOOKS_EVERY) && arguments.until.as_ref().is_some_and(|path| path.exists()) {
                    total = sent;
                }
            }
            if sent < total {
                timeout = Duration::from_nanos(intended(sent).saturating_sub(now()));
            } else if latencies.len() as u64 == total {
                break;
            }
        }
        let ready = poll.wait(&mut events, timeout)?;
        if ready.is_empty() && timeout == PATIENCE {
            return Err(format!("no answer for 10 s, {} requests in flight", sent - latencies.len() as u64));
        }
        for event in ready {
            let connection = &mut connections[event.u64 as usize];
            let before = latencies.len();
            connection.receive(arguments.error_at, |start_ns| {
                latencies.push((now().saturating_sub(start_ns)) as f32 / 1000.0);
            })?;
            if connection.wants_write() {
                connection.send(frame)?;
            }
            if rate == 0.0 {
                for _ in before..latencies.len() {
                    if sent < total && connection.in_flight() < arguments.depth {
                        connection.request(frame, now())?;
                        sent += 1;
                    }
                }
            }
        }
    }
    Ok((began.elapsed().as_secs_f64(), latencies))
}
