//! OffsetCommit in a closed loop: one commit in flight on each connection, by stable members of classic groups or from
//! outside any group.

use super::classic::{Classic, Options as MemberOptions};
use super::crowd::Crowd;
use super::messages::{Commit, NONE, committed, offset_commit};
use super::wire::Answer;
use crate::figures::Figures;
use crate::options::Options;
use crate::process::cpu_ms;
use std::time::Duration;

struct Committer {
    group: String,
    member: String,
    generation: i32,
}

struct Job {
    topic: String,
    partitions: usize,
    /// Connections take them in turn when there are more than connections, else each connection keeps its own.
    committers: Vec<Committer>,
    connections: usize,
}

pub fn run(options: &Options) -> Result<String, String> {
    let connections = options.number("connections", 1)? as usize;
    let groups = options.number("groups", 1)? as usize;
    let prefix = options.text("prefix", "commits");
    let topic: String = options.required("topic")?;
    let partitions = options.number("partitions", 1)? as usize;
    let pid: u32 = options.required("pid")?;
    let mut crowd = Crowd::connect(options.address()?, connections)?;
    super::await_coordinator(&mut crowd, &prefix)?;
    let committers = if options.number("outside", 0)? == 1 {
        let outside = |group| {
            let group = format!("{prefix}-{group}");
            super::await_offsets(&mut crowd, &group)?;
            Ok(Committer { group, member: String::new(), generation: -1 })
        };
        (0..groups).map(outside).collect::<Result<_, String>>()?
    } else {
        form(&mut crowd, groups, connections, &prefix, &topic)?
    };
    let job = Job { topic, partitions, committers, connections };
    drive(&mut crowd, &job, options.number("warm-up", 0)?)?;
    let (broker, client) = (cpu_ms(pid)?, cpu_ms(std::process::id())?);
    let (seconds, latencies_us) = drive(&mut crowd, &job, options.required("requests")?)?;
    let figures = Figures {
        seconds,
        latencies_us,
        client_cpu_seconds: (cpu_ms(std::process::id())? - client) / 1000.0,
        target_cpu_seconds: Some((cpu_ms(pid)? - broker) / 1000.0),
    };
    Ok(figures.json())
}

/// One member per connection, the connections dealt to the groups in turn; in the order of the connections.
fn form(
    crowd: &mut Crowd,
    groups: usize,
    connections: usize,
    prefix: &str,
    topic: &str,
) -> Result<Vec<Committer>, String> {
    // Heartbeats are frequent here only so that the groups are soon complete.
    let options = MemberOptions { topic: topic.to_string(), partitions: connections, heartbeat_ms: 100 };
    let mut classic = Classic::new(crowd, options);
    for group in 0..groups {
        let added = classic.add(format!("{prefix}-{group}"), (group..connections).step_by(groups));
        classic.start(added)?;
    }
    classic.until(|classic| (0..groups).all(|group| classic.complete(group)))?;
    classic.quiesce()?;
    let mut committers: Vec<(usize, Committer)> = classic
        .identities()
        .map(|(connection, group, member, generation)| {
            let committer = Committer { group: group.to_string(), member: member.to_string(), generation };
            (connection, committer)
        })
        .collect();
    committers.sort_by_key(|(connection, _)| *connection);
    Ok(committers.into_iter().map(|(_, committer)| committer).collect())
}

fn drive(crowd: &mut Crowd, job: &Job, total: u64) -> Result<(f64, Vec<f32>), String> {
    let began = crowd.now_ns();
    let mut latencies = Vec::with_capacity(total as usize);
    let mut started = vec![0; job.connections];
    let mut sent = 0;
    let mut next = |crowd: &mut Crowd, connection: usize, started: &mut [u64]| {
        let turn = if job.committers.len() > job.connections { sent as usize } else { connection };
        let Committer { group, member, generation } = &job.committers[turn % job.committers.len()];
        let commit = Commit {
            group,
            generation: *generation,
            member,
            topic: &job.topic,
            first_partition: 0,
            partitions: job.partitions,
            offset: sent as i64,
        };
        sent += 1;
        started[connection] = crowd.now_ns();
        crowd.send(connection, connection, &offset_commit(0, &commit)).map(|()| sent)
    };
    let mut in_flight = job.connections.min(total as usize) as u64;
    for connection in 0..in_flight as usize {
        next(crowd, connection, &mut started)?;
    }
    let mut issued = in_flight;
    while in_flight > 0 {
        let answers = crowd.receive(Duration::from_secs(30))?;
        if answers.is_empty() {
            return Err("no answer to a commit for 30 s".into());
        }
        for received in answers {
            let connection = received.tag;
            latencies.push((crowd.now_ns() - started[connection]) as f32 / 1000.0);
            match committed(&mut Answer::new(&received.body))? {
                NONE => {}
                code => return Err(format!("OffsetCommit: error {code}")),
            }
            if issued < total {
                issued = next(crowd, connection, &mut started)?;
            } else {
                in_flight -= 1;
            }
        }
    }
    Ok(((crowd.now_ns() - began) as f64 / 1e9, latencies))
}
