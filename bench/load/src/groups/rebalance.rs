//! One group after the other: all members join at once, and (classic) the leader joins again. Medians over the groups.

use super::classic::{Classic, Options as MemberOptions};
use super::consumer::Consumers;
use super::crowd::Crowd;
use crate::options::Options;
use crate::process::cpu_ms;
use std::time::Duration;

pub fn classic(options: &Options) -> Result<String, String> {
    let (members, groups) = (options.number("members", 100)? as usize, options.number("groups", 5)? as usize);
    let warm_up = options.number("warm-up", 0)? as usize;
    let prefix = options.text("prefix", "classic");
    let pid: u32 = options.required("pid")?;
    let member_options = MemberOptions {
        topic: options.required("topic")?,
        partitions: options.number("partitions", 1000)? as usize,
        heartbeat_ms: options.number("heartbeat-ms", 3000)?,
    };
    let mut crowd = Crowd::connect(options.address()?, members)?;
    super::await_coordinator(&mut crowd, &prefix)?;
    let mut classic = Classic::new(&mut crowd, member_options);
    let mut table = Table::default();
    for round in 0..warm_up + groups {
        let group = classic.add(format!("{prefix}-{round}"), 0..members);
        let cpu = [cpu_ms(pid)?, cpu_ms(std::process::id())?];
        classic.start(group)?;
        classic.until(|classic| classic.complete(group))?;
        let formed = [cpu_ms(pid)?, cpu_ms(std::process::id())?];
        let first = classic.rebalance(group);
        classic.rest(Duration::from_millis(50))?;
        let before = cpu_ms(pid)?;
        classic.disturb(group)?;
        classic.until(|classic| classic.complete(group))?;
        let again = classic.rebalance(group);
        let after = cpu_ms(pid)?;
        classic.quiesce()?;
        classic.leave(group)?;
        if round >= warm_up {
            table.add("lastJoinToSyncedMs", first.last_join_to_synced as f64 / 1e6);
            table.add("firstJoinToSyncedMs", first.first_join_to_synced as f64 / 1e6);
            table.add("generations", f64::from(first.generation));
            table.add("brokerCpuMs", formed[0] - cpu[0]);
            table.add("clientCpuMs", formed[1] - cpu[1]);
            table.add("liveLastJoinToSyncedMs", again.last_join_to_synced as f64 / 1e6);
            table.add("liveBrokerCpuMs", after - before);
        }
    }
    Ok(table.json())
}

pub fn consumer(options: &Options) -> Result<String, String> {
    let (members, groups) = (options.number("members", 100)? as usize, options.number("groups", 1)? as usize);
    let partitions = options.number("partitions", 1000)? as usize;
    let prefix = options.text("prefix", "consumer");
    let pid: u32 = options.required("pid")?;
    let mut crowd = Crowd::connect(options.address()?, members)?;
    super::await_coordinator(&mut crowd, &prefix)?;
    let mut consumers = Consumers::new(&mut crowd, options.required("topic")?, partitions);
    let mut table = Table::default();
    for round in 0..groups {
        let cpu = [cpu_ms(pid)?, cpu_ms(std::process::id())?];
        let heartbeats = consumers.heartbeats;
        let group = consumers.start(format!("{prefix}-{round}"), 0..members, Duration::ZERO);
        consumers.until(|consumers| consumers.stable(group))?;
        let settled = consumers.settled(group);
        table.add("lastJoinToStableMs", settled.last_join_to_stable as f64 / 1e6);
        table.add("firstJoinToStableMs", settled.first_join_to_stable as f64 / 1e6);
        table.add("heartbeatIntervalMs", consumers.interval_ms as f64);
        table.add("heartbeats", (consumers.heartbeats - heartbeats) as f64);
        table.add("brokerCpuMs", cpu_ms(pid)? - cpu[0]);
        table.add("clientCpuMs", cpu_ms(std::process::id())? - cpu[1]);
        consumers.leave(group)?;
    }
    Ok(table.json())
}

/// Figures by name, several of each; written as their medians in the order of their first appearance.
#[derive(Default)]
struct Table(Vec<(&'static str, Vec<f64>)>);

impl Table {
    fn add(&mut self, name: &'static str, value: f64) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => values.push(value),
            None => self.0.push((name, vec![value])),
        }
    }

    fn json(mut self) -> String {
        let median = |(name, values): &mut (&str, Vec<f64>)| {
            values.sort_by(f64::total_cmp);
            let middle = (values[(values.len() - 1) / 2] + values[values.len() / 2]) / 2.0;
            format!("\"{name}\":{middle:.3}")
        };
        format!("{{{}}}", self.0.iter_mut().map(median).collect::<Vec<_>>().join(","))
    }
}
