//! The command line.

use std::net::SocketAddr;

pub struct Arguments {
    pub address: SocketAddr,
    pub frame: Vec<u8>,
    pub requests: u64,
    pub warm_up: u64,
    pub connections: usize,
    pub depth: usize,
    /// Requests a second; 0: closed loop.
    pub rate: f64,
    /// The open loop ends early when a file of this name is there.
    pub until: Option<std::path::PathBuf>,
    pub pin: Option<usize>,
    pub pid: Option<u32>,
    pub error_at: Option<usize>,
}

pub fn parse(words: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut address = None;
    let mut frame = None;
    let mut arguments = Arguments {
        address: SocketAddr::from(([127, 0, 0, 1], 0)),
        frame: Vec::new(),
        requests: 0,
        warm_up: 0,
        connections: 1,
        depth: 1,
        rate: 0.0,
        until: None,
        pin: None,
        pid: None,
        error_at: None,
    };
    let mut words = words;
    while let Some(name) = words.next() {
        let value = words.next().ok_or_else(|| format!("{name} wants a value"))?;
        match name.as_str() {
            "--address" => address = Some(number(&name, &value)?),
            "--frame" => frame = Some(std::fs::read(&value).map_err(|error| format!("{value}: {error}"))?),
            "--requests" => arguments.requests = number(&name, &value)?,
            "--warm-up" => arguments.warm_up = number(&name, &value)?,
            "--connections" => arguments.connections = number(&name, &value)?,
            "--depth" => arguments.depth = number(&name, &value)?,
            "--rate" => arguments.rate = number(&name, &value)?,
            "--until" => arguments.until = Some(value.into()),
            "--pin" => arguments.pin = Some(number(&name, &value)?),
            "--pid" => arguments.pid = Some(number(&name, &value)?),
            "--error-at" => arguments.error_at = Some(number(&name, &value)?),
            _ => return Err(format!("unknown option {name}")),
        }
    }
    arguments.address = address.ok_or("--address is missing")?;
    arguments.frame = frame.ok_or("--frame is missing")?;
    let frame = &arguments.frame;
    if frame.len() < 4 || frame.len() - 4 != u32::from_be_bytes([frame[0], frame[1], frame[2], frame[3]]) as usize {
        return Err("--frame: the first four bytes are not the length of the rest".into());
    }
    if arguments.requests == 0 || arguments.connections == 0 || arguments.depth == 0 {
        return Err("--requests, --connections and --depth must be at least 1".into());
    }
    Ok(arguments)
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<T, String> {
    value.parse().map_err(|_| format!("{name}: {value} is no value for it"))
}
