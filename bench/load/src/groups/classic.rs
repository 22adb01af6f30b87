//! Members of classic groups: each joins with the round for its member id, the leader assigns ranges, all sync, and
//! every stable member heartbeats and joins again when it is told to.
//!
//! Invariant: a member has one request in flight at most, so its state says what an answer answers.

use super::crowd::Crowd;
use super::messages::*;
use super::schedule::Schedule;
use super::wire::Answer;
use std::time::Duration;

pub struct Options {
    pub topic: String,
    pub partitions: usize,
    pub heartbeat_ms: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Out,
    Joining,
    Syncing,
    Stable,
}

struct Member {
    group: usize,
    connection: usize,
    id: String,
    generation: i32,
    state: State,
    leads: bool,
    join_sent_ns: u64,
}

pub struct Group {
    pub name: String,
    members: std::ops::Range<usize>,
    /// The newest generation that a member has synced, and how many have.
    generation: i32,
    synced: usize,
    started_ns: u64,
    /// When the last member of the newest generation had its assignment.
    complete_ns: Option<u64>,
    left: bool,
}

/// How a group came to its newest generation, nanoseconds.
pub struct Rebalance {
    pub first_join_to_synced: u64,
    pub last_join_to_synced: u64,
    pub generation: i32,
}

pub struct Classic<'a> {
    crowd: &'a mut Crowd,
    options: Options,
    pub groups: Vec<Group>,
    members: Vec<Member>,
    schedule: Schedule,
    pub heartbeats: u64,
}

/// A tag that is no member's: the answer to the LeaveGroup of group `tag - LEAVING`.
const LEAVING: usize = 1 << 40;

impl<'a> Classic<'a> {
    pub fn new(crowd: &'a mut Crowd, options: Options) -> Classic<'a> {
        Classic {
            crowd,
            options,
            groups: Vec::new(),
            members: Vec::new(),
            schedule: Schedule::default(),
            heartbeats: 0,
        }
    }

    /// A group with one member on each of the connections; nothing is sent yet.
    pub fn add(&mut self, name: String, connections: impl Iterator<Item = usize>) -> usize {
        let (group, first) = (self.groups.len(), self.members.len());
        self.members.extend(connections.map(|connection| Member {
            group,
            connection,
            id: String::new(),
            generation: -1,
            state: State::Out,
            leads: false,
            join_sent_ns: 0,
        }));
        let members = first..self.members.len();
        self.groups.push(Group {
            name,
            members,
            generation: 0,
            synced: 0,
            started_ns: 0,
            complete_ns: None,
            left: false,
        });
        group
    }

    /// Every member joins at once.
    pub fn start(&mut self, group: usize) -> Result<(), String> {
        self.groups[group].started_ns = self.crowd.now_ns();
        for member in self.groups[group].members.clone() {
            self.join(member)?;
        }
        Ok(())
    }

    /// The leader of a stable group joins again; the others learn it from their next heartbeat, which is soon.
    pub fn disturb(&mut self, group: usize) -> Result<(), String> {
        let now = self.crowd.now_ns();
        self.groups[group].started_ns = now;
        self.groups[group].complete_ns = None;
        for member in self.groups[group].members.clone() {
            if self.members[member].leads {
                self.schedule.clear(member);
                self.join(member)?;
            } else {
                self.schedule.set(member, now + 10_000_000);
            }
        }
        Ok(())
    }

    pub fn leave(&mut self, group: usize) -> Result<(), String> {
        let members = self.groups[group].members.clone();
        for member in members.clone() {
            self.schedule.clear(member);
        }
        let ids = self.members[members.clone()].iter().map(|member| member.id.as_str());
        let frame = leave_group(0, &self.groups[group].name, ids);
        self.crowd.send(self.members[members.start].connection, LEAVING + group, &frame)?;
        self.until(|classic| classic.groups[group].left)
    }

    pub fn complete(&self, group: usize) -> bool {
        self.groups[group].complete_ns.is_some()
    }

    pub fn rebalance(&self, group: usize) -> Rebalance {
        let Group { started_ns, complete_ns, generation, members, .. } = &self.groups[group];
        let complete = complete_ns.unwrap_or(u64::MAX);
        let last_join = self.members[members.clone()].iter().map(|member| member.join_sent_ns).max().unwrap_or(0);
        Rebalance {
            first_join_to_synced: complete - started_ns,
            last_join_to_synced: complete - last_join,
            generation: *generation,
        }
    }

    /// Connection, group, member id and generation of each member, for commits in its name.
    pub fn identities(&self) -> impl Iterator<Item = (usize, &str, &str, i32)> {
        self.members.iter().map(|member| {
            let group = self.groups[member.group].name.as_str();
            (member.connection, group, member.id.as_str(), member.generation)
        })
    }

    /// No more heartbeats; waits for the answers to those in flight.
    pub fn quiesce(&mut self) -> Result<(), String> {
        for member in 0..self.members.len() {
            self.schedule.clear(member);
        }
        self.until(|classic| classic.crowd.in_flight() == 0)
    }

    pub fn until(&mut self, done: impl Fn(&Classic) -> bool) -> Result<(), String> {
        let deadline = self.crowd.now_ns() + 120_000_000_000;
        while !done(self) {
            if self.crowd.now_ns() > deadline {
                return Err("the groups did not become stable within 120 s".into());
            }
            self.step(Duration::from_millis(100))?;
        }
        Ok(())
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
        while let Some((member, due)) = self.schedule.take(now) {
            self.due(member, due)?;
        }
        for received in self.crowd.receive(self.schedule.quiet(now, limit))? {
            let mut answer = Answer::new(&received.body);
            if received.tag >= LEAVING {
                let group = &mut self.groups[received.tag - LEAVING];
                match code_behind_throttle(&mut answer)? {
                    NONE => group.left = true,
                    code => return Err(format!("LeaveGroup of {}: error {code}", group.name)),
                }
                continue;
            }
            match self.members[received.tag].state {
                State::Joining => self.on_joined(received.tag, joined(&mut answer)?)?,
                State::Syncing => self.on_synced(received.tag, synced(&mut answer)?.0)?,
                State::Stable => self.on_heartbeat(received.tag, code_behind_throttle(&mut answer)?)?,
                State::Out => return Err("an answer for a member that asked nothing".into()),
            }
        }
        Ok(())
    }

    fn due(&mut self, member: usize, due_ns: u64) -> Result<(), String> {
        let Member { state, group, connection, id, generation, .. } = &self.members[member];
        if *state != State::Stable {
            return self.join(member);
        }
        let frame = heartbeat(0, &self.groups[*group].name, *generation, id);
        self.heartbeats += 1;
        self.crowd.send(*connection, member, &frame)?;
        // Counted from the due time, so that the members stay spread over the interval.
        self.schedule.set(member, due_ns + self.options.heartbeat_ms * 1_000_000);
        Ok(())
    }

    fn join(&mut self, member: usize) -> Result<(), String> {
        let now = self.crowd.now_ns();
        let it = &mut self.members[member];
        (it.state, it.join_sent_ns) = (State::Joining, now);
        let frame = join_group(0, &self.groups[it.group].name, &it.id, &self.options.topic);
        self.crowd.send(it.connection, member, &frame)
    }

    fn on_joined(&mut self, member: usize, joined: Joined) -> Result<(), String> {
        let it = &mut self.members[member];
        match joined.code {
            NONE => {
                it.generation = joined.generation;
                it.leads = joined.leader == joined.member;
                it.state = State::Syncing;
                let assignments = if it.leads { ranges(joined.members, self.options.partitions) } else { Vec::new() };
                let group = &self.groups[it.group].name;
                let frame = sync_group(0, group, it.generation, &it.id, &self.options.topic, &assignments);
                self.crowd.send(it.connection, member, &frame)
            }
            MEMBER_ID_REQUIRED => {
                it.id = joined.member;
                self.join(member)
            }
            UNKNOWN_MEMBER_ID => {
                it.id = String::new();
                self.join(member)
            }
            REBALANCE_IN_PROGRESS => self.join(member),
            code if retriable(code) => {
                it.state = State::Out;
                let soon = self.crowd.now_ns() + 10_000_000;
                self.schedule.set(member, soon);
                Ok(())
            }
            code => Err(format!("JoinGroup of {}: error {code}", self.groups[it.group].name)),
        }
    }

    fn on_synced(&mut self, member: usize, code: i16) -> Result<(), String> {
        match code {
            NONE => {
                let now = self.crowd.now_ns();
                let it = &mut self.members[member];
                it.state = State::Stable;
                let group = &mut self.groups[it.group];
                if it.generation > group.generation {
                    (group.generation, group.synced, group.complete_ns) = (it.generation, 0, None);
                }
                if it.generation == group.generation {
                    group.synced += 1;
                    if group.synced == group.members.len() {
                        group.complete_ns = Some(now);
                    }
                }
                // The first heartbeat at a share of the interval that differs from member to member.
                let share = (member as f64 * 0.618_033_988_75).fract();
                let interval_ns = self.options.heartbeat_ms * 1_000_000;
                self.schedule.set(member, now + (interval_ns as f64 * share) as u64);
                Ok(())
            }
            REBALANCE_IN_PROGRESS | ILLEGAL_GENERATION => self.join(member),
            code => Err(format!("SyncGroup of {}: error {code}", self.groups[self.members[member].group].name)),
        }
    }

    fn on_heartbeat(&mut self, member: usize, code: i16) -> Result<(), String> {
        match code {
            NONE => Ok(()),
            REBALANCE_IN_PROGRESS | ILLEGAL_GENERATION | UNKNOWN_MEMBER_ID => {
                if code == UNKNOWN_MEMBER_ID {
                    self.members[member].id = String::new();
                }
                self.schedule.clear(member);
                self.join(member)
            }
            code => Err(format!("Heartbeat in {}: error {code}", self.groups[self.members[member].group].name)),
        }
    }
}

/// As the clients' range assignor does: members in the order of their ids, contiguous ranges, the first ones longer.
fn ranges(mut members: Vec<String>, partitions: usize) -> Vec<(String, usize, usize)> {
    members.sort();
    let (share, rest) = (partitions / members.len().max(1), partitions % members.len().max(1));
    let mut first = 0;
    let assign = |(index, id)| {
        let count = share + usize::from(index < rest);
        first += count;
        (id, first - count, count)
    };
    members.into_iter().enumerate().map(assign).collect()
}

#[cfg(test)]
mod tests {
    use super::ranges;

    #[test]
    fn gives_each_partition_to_one_member_in_the_order_of_ids() {
        let members = ["c", "a", "b"].map(String::from).to_vec();
        let assigned = [("a", 0, 4), ("b", 4, 3), ("c", 7, 3)];
        assert_eq!(ranges(members, 10), assigned.map(|(id, first, count)| (id.to_string(), first, count)));
    }
}
