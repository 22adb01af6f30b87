//! Members of consumer groups (KIP-848): each heartbeats at the interval that the broker names, takes what it is
//! assigned, gives up what it is not, and says at once what it owns when that has changed.
//!
//! Invariant: a member has one heartbeat in flight at most.

use super::crowd::Crowd;
use super::messages::*;
use super::schedule::Schedule;
use super::wire::Answer;
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

struct Member {
    group: usize,
    connection: usize,
    id: String,
    epoch: i32,
    owned: Vec<i32>,
    topic: TopicId,
    /// The broker has been told what is owned.
    told: bool,
}

struct Group {
    name: String,
    members: std::ops::Range<usize>,
    first_join_ns: u64,
    last_join_ns: u64,
    stable_ns: Option<u64>,
}

pub struct Consumers<'a> {
    crowd: &'a mut Crowd,
    topic: String,
    partitions: usize,
    groups: Vec<Group>,
    members: Vec<Member>,
    schedule: Schedule,
    pub heartbeats: u64,
    /// As the broker named it last.
    pub interval_ms: u64,
}

/// Nanoseconds from the first, and from the last, heartbeat that joined until the group was stable.
pub struct Settled {
    pub first_join_to_stable: u64,
    pub last_join_to_stable: u64,
}

impl<'a> Consumers<'a> {
    pub fn new(crowd: &'a mut Crowd, topic: String, partitions: usize) -> Consumers<'a> {
        Consumers {
            crowd,
            topic,
            partitions,
            groups: Vec::new(),
            members: Vec::new(),
            schedule: Schedule::default(),
            heartbeats: 0,
            interval_ms: 5000,
        }
    }

    /// A group whose members join one after the other within `spread`.
    pub fn start(&mut self, name: String, connections: impl Iterator<Item = usize>, spread: Duration) -> usize {
        let (group, first) = (self.groups.len(), self.members.len());
        self.members.extend(connections.enumerate().map(|(number, connection)| Member {
            group,
            connection,
            id: format!("{name}-member-{number:06}"),
            epoch: 0,
            owned: Vec::new(),
            topic: [0; 16],
            told: true,
        }));
        let members = first..self.members.len();
        let now = self.crowd.now_ns();
        for (number, member) in members.clone().enumerate() {
            let share = (group as f64 * 0.618_033_988_75 + number as f64 / members.len() as f64).fract();
            self.schedule.set(member, now + (spread.as_nanos() as f64 * share) as u64);
        }
        self.groups.push(Group { name, members, first_join_ns: u64::MAX, last_join_ns: 0, stable_ns: None });
        group
    }

    pub fn stable(&self, group: usize) -> bool {
        self.groups[group].stable_ns.is_some()
    }

    pub fn settled(&self, group: usize) -> Settled {
        let Group { first_join_ns, last_join_ns, stable_ns, .. } = &self.groups[group];
        let stable = stable_ns.unwrap_or(u64::MAX);
        Settled { first_join_to_stable: stable - first_join_ns, last_join_to_stable: stable - last_join_ns }
    }

    pub fn leave(&mut self, group: usize) -> Result<(), String> {
        self.until(|consumers| consumers.crowd.in_flight() == 0)?;
        for member in self.groups[group].members.clone() {
            self.schedule.clear(member);
            self.members[member].epoch = -1;
            self.heartbeat(member)?;
        }
        self.until(|consumers| consumers.crowd.in_flight() == 0)
    }

    pub fn until(&mut self, done: impl Fn(&Consumers) -> bool) -> Result<(), String> {
        let deadline = self.crowd.now_ns() + 120_000_000_000;
        while !done(self) {
            if self.crowd.now_ns() > deadline {
                return Err(format!("not stable within 120 s; members by epoch and partitions: {:?}", self.census()));
            }
            self.step(Duration::from_millis(100))?;
        }
        Ok(())
    }

    /// How many members of groups that are not stable have that epoch and so many partitions.
    fn census(&self) -> BTreeMap<(i32, usize), usize> {
        let mut census = BTreeMap::new();
        for member in self.members.iter().filter(|member| !self.stable(member.group)) {
            *census.entry((member.epoch, member.owned.len())).or_default() += 1;
        }
        census
    }

    pub fn rest(&mut self, time: Duration) -> Result<(), String> {
        let end = self.crowd.now_ns() + time.as_nanos() as u64;
        while self.crowd.now_ns() < end {
            self.step(Duration::from_millis(10))?;
        }
        Ok(())
    }

    fn step(&mut self, limit: Duration) -> Result<(), String> {
        let now = self.crowd.now_ns();
        while let Some((member, _)) = self.schedule.take(now) {
            self.heartbeat(member)?;
        }
        for received in self.crowd.receive(self.schedule.quiet(now, limit))? {
            self.on_answer(received.tag, consumer_answer(&mut Answer::new(&received.body))?)?;
        }
        Ok(())
    }

    fn heartbeat(&mut self, member: usize) -> Result<(), String> {
        let it = &mut self.members[member];
        let group = &mut self.groups[it.group];
        if it.epoch == 0 {
            let now = self.crowd.now_ns();
            group.first_join_ns = group.first_join_ns.min(now);
            group.last_join_ns = group.last_join_ns.max(now);
        }
        let heartbeat = ConsumerHeartbeat {
            group: &group.name,
            member: &it.id,
            epoch: it.epoch,
            topic: (it.epoch == 0).then_some(self.topic.as_str()),
            owned: (!it.told).then_some((it.topic, it.owned.as_slice())),
        };
        let frame = consumer_heartbeat(0, &heartbeat);
        it.told = true;
        self.heartbeats += 1;
        self.crowd.send(it.connection, member, &frame)
    }

    fn on_answer(&mut self, member: usize, answer: ConsumerAnswer) -> Result<(), String> {
        let now = self.crowd.now_ns();
        let it = &mut self.members[member];
        if it.epoch < 0 {
            return Ok(());
        }
        match answer.code {
            NONE => {}
            FENCED_MEMBER_EPOCH | UNKNOWN_MEMBER_ID => {
                (it.epoch, it.told) = (0, true);
                it.owned.clear();
                return self.heartbeat(member);
            }
            code if retriable(code) => {
                self.schedule.set(member, now + 10_000_000);
                return Ok(());
            }
            code => {
                let group = &self.groups[it.group].name;
                return Err(format!("ConsumerGroupHeartbeat in {group}: error {code}: {}", answer.message));
            }
        }
        it.epoch = answer.epoch;
        self.interval_ms = answer.interval_ms as u64;
        if let Some((topic, mut partitions)) = answer.assignment {
            partitions.sort_unstable();
            if partitions != it.owned {
                it.topic = if partitions.is_empty() { it.topic } else { topic };
                (it.owned, it.told) = (partitions, false);
            }
        }
        let group = it.group;
        if self.members[member].told {
            self.schedule.set(member, now + self.interval_ms * 1_000_000);
            if self.groups[group].stable_ns.is_none() && self.is_stable(group) {
                self.groups[group].stable_ns = Some(now);
            }
            return Ok(());
        }
        self.heartbeat(member)
    }

    /// Every partition has one owner, shares differ by one at most, the broker knows it, and all are in one epoch.
    fn is_stable(&self, group: usize) -> bool {
        let members = &self.members[self.groups[group].members.clone()];
        let (share, rest) = (self.partitions / members.len(), self.partitions % members.len());
        let longest = share + usize::from(rest > 0);
        let epoch = members[0].epoch;
        let fits = |member: &Member| {
            member.told && member.epoch == epoch && epoch > 0 && (share..=longest).contains(&member.owned.len())
        };
        if !members.iter().all(fits) {
            return false;
        }
        let mut unowned: HashSet<i32> = (0..self.partitions as i32).collect();
        members.iter().flat_map(|member| &member.owned).all(|partition| unowned.remove(partition)) && unowned.is_empty()
    }
}
