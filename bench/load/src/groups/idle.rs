//! Many groups at rest: what their state costs in memory, and their heartbeats in CPU.
//!
//! Member number j of each group has a connection that it shares with the j-th members of other groups; connections are
//! open and used before the first memory sample, so that the difference is the groups' state alone. At rest means:
//! every member heartbeats at its interval, spread evenly, and nothing else happens.

use super::classic::{Classic, Options as MemberOptions};
use super::consumer::Consumers;
use super::crowd::Crowd;
use crate::options::Options;
use crate::process::{cpu_ms, rss_anon_mb};
use std::time::{Duration, Instant};

pub fn run(options: &Options) -> Result<String, String> {
    let (groups, members) = (options.number("groups", 1000)? as usize, options.number("members", 10)? as usize);
    let connections = options.number("connections", 1000)? as usize;
    let topic: String = options.required("topic")?;
    let prefix = options.text("prefix", "idle");
    let pid: u32 = options.required("pid")?;
    let rest = Duration::from_secs(options.number("rest-seconds", 15)?);
    let settle = Duration::from_secs(options.number("settle-seconds", 5)?);
    let mut crowd = Crowd::connect(options.address()?, connections)?;
    super::await_coordinator(&mut crowd, &prefix)?;
    super::use_all(&mut crowd, connections, &prefix)?;
    std::thread::sleep(Duration::from_secs(2));
    let before_mb = rss_anon_mb(pid)?;
    let began = Instant::now();
    let slots = connections / members;
    let of_group = |group: usize| {
        let first = group % slots * members;
        first..first + members
    };
    let (formed, measured) = match options.text("protocol", "classic").as_str() {
        "classic" => {
            let heartbeat_ms = options.number("heartbeat-ms", 3000)?;
            let mut classic = Classic::new(&mut crowd, MemberOptions { topic, partitions: members, heartbeat_ms });
            for wave in (0..groups).step_by(slots) {
                let last = groups.min(wave + slots);
                for group in wave..last {
                    let added = classic.add(format!("{prefix}-{group}"), of_group(group));
                    classic.start(added)?;
                }
                classic.until(|classic| (wave..last).all(|group| classic.complete(group)))?;
            }
            let formed = began.elapsed();
            classic.rest(settle)?;
            let measured = Measured::begin(pid, classic.heartbeats)?;
            classic.rest(rest)?;
            (formed, measured.end(pid, classic.heartbeats)?)
        }
        "consumer" => {
            let mut consumers = Consumers::new(&mut crowd, topic, members);
            for group in 0..groups {
                consumers.start(format!("{prefix}-{group}"), of_group(group), Duration::from_secs(5));
            }
            consumers.until(|consumers| (0..groups).all(|group| consumers.stable(group)))?;
            let formed = began.elapsed();
            consumers.rest(settle)?;
            let measured = Measured::begin(pid, consumers.heartbeats)?;
            consumers.rest(rest)?;
            (formed, measured.end(pid, consumers.heartbeats)?)
        }
        other => return Err(format!("--protocol: {other} is neither classic nor consumer")),
    };
    let after_mb = rss_anon_mb(pid)?;
    Ok(format!(
        "{{\"members\":{},\"formSeconds\":{:.2},\"rssAnonBeforeMb\":{before_mb:.1},\"rssAnonAfterMb\":{after_mb:.1},\
         \"stateRssAnonMb\":{:.1},{measured}}}",
        groups * members,
        formed.as_secs_f64(),
        after_mb - before_mb,
    ))
}

struct Measured {
    at: Instant,
    broker_ms: f64,
    client_ms: f64,
    heartbeats: u64,
}

impl Measured {
    fn begin(pid: u32, heartbeats: u64) -> Result<Measured, String> {
        Ok(Measured { at: Instant::now(), broker_ms: cpu_ms(pid)?, client_ms: cpu_ms(std::process::id())?, heartbeats })
    }

    fn end(&self, pid: u32, heartbeats: u64) -> Result<String, String> {
        let seconds = self.at.elapsed().as_secs_f64();
        let broker = cpu_ms(pid)? - self.broker_ms;
        let client = cpu_ms(std::process::id())? - self.client_ms;
        let count = (heartbeats - self.heartbeats) as f64;
        Ok(format!(
            "\"restCpuPercent\":{:.2},\"restClientCpuPercent\":{:.2},\"heartbeatsPerSecond\":{:.1},\
             \"brokerCpuUsPerHeartbeat\":{:.2}",
            broker / seconds / 10.0,
            client / seconds / 10.0,
            count / seconds,
            broker * 1000.0 / count,
        ))
    }
}
