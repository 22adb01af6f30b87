//! The requests of a group's members and what their answers say: one version of each API, the one that current clients
//! speak and that still names topics by their name.

use super::wire::{Answer, Frame};

pub const NONE: i16 = 0;
pub const COORDINATOR_LOAD_IN_PROGRESS: i16 = 14;
pub const COORDINATOR_NOT_AVAILABLE: i16 = 15;
pub const NOT_COORDINATOR: i16 = 16;
pub const ILLEGAL_GENERATION: i16 = 22;
pub const UNKNOWN_MEMBER_ID: i16 = 25;
pub const REBALANCE_IN_PROGRESS: i16 = 27;
pub const MEMBER_ID_REQUIRED: i16 = 79;
pub const FENCED_MEMBER_EPOCH: i16 = 110;

/// What goes away by itself while a broker starts.
pub fn retriable(code: i16) -> bool {
    matches!(code, COORDINATOR_LOAD_IN_PROGRESS | COORDINATOR_NOT_AVAILABLE | NOT_COORDINATOR)
}

pub fn find_coordinator(group: &str) -> Vec<u8> {
    let mut frame = Frame::new(10, 4, 0);
    frame.byte(0).count(1).string(group).tags();
    frame.finish()
}

/// The code of the one coordinator that was asked for.
pub fn found_coordinator(answer: &mut Answer) -> Result<i16, String> {
    answer.int32()?;
    answer.count()?;
    answer.string()?;
    answer.int32()?;
    answer.string()?;
    answer.int32()?;
    answer.int16()
}

pub const SESSION_TIMEOUT_MS: i32 = 45_000;
const REBALANCE_TIMEOUT_MS: i32 = 300_000;
const PROTOCOL_TYPE: &str = "consumer";
const ASSIGNOR: &str = "range";

pub fn join_group(correlation: i32, group: &str, member: &str, topic: &str) -> Vec<u8> {
    let mut metadata = Vec::new();
    metadata.extend_from_slice(&3i16.to_be_bytes());
    metadata.extend_from_slice(&1i32.to_be_bytes());
    metadata.extend_from_slice(&(topic.len() as i16).to_be_bytes());
    metadata.extend_from_slice(topic.as_bytes());
    // User data null, nothing owned, generation -1, rack null.
    metadata.extend_from_slice(&(-1i32).to_be_bytes());
    metadata.extend_from_slice(&0i32.to_be_bytes());
    metadata.extend_from_slice(&(-1i32).to_be_bytes());
    metadata.extend_from_slice(&(-1i16).to_be_bytes());
    let mut frame = Frame::new(11, 9, correlation);
    frame.string(group).int32(SESSION_TIMEOUT_MS).int32(REBALANCE_TIMEOUT_MS).string(member).null();
    frame.string(PROTOCOL_TYPE).count(1).string(ASSIGNOR).bytes(&metadata).tags().null().tags();
    frame.finish()
}

pub struct Joined {
    pub code: i16,
    pub generation: i32,
    pub leader: String,
    pub member: String,
    /// Of the leader's answer: every member's id.
    pub members: Vec<String>,
}

pub fn joined(answer: &mut Answer) -> Result<Joined, String> {
    answer.int32()?;
    let code = answer.int16()?;
    let generation = answer.int32()?;
    answer.string()?;
    answer.string()?;
    let leader = answer.string()?;
    answer.byte()?;
    let member = answer.string()?;
    let mut members = Vec::new();
    for _ in 0..answer.count()?.unwrap_or(0) {
        members.push(answer.string()?);
        answer.string()?;
        answer.bytes()?;
        answer.tags()?;
    }
    Ok(Joined { code, generation, leader, member, members })
}

/// `assignments`: of the leader, each member's id with its first partition and their number.
pub fn sync_group(
    correlation: i32,
    group: &str,
    generation: i32,
    member: &str,
    topic: &str,
    assignments: &[(String, usize, usize)],
) -> Vec<u8> {
    let mut frame = Frame::new(14, 5, correlation);
    frame.string(group).int32(generation).string(member).null().string(PROTOCOL_TYPE).string(ASSIGNOR);
    frame.count(assignments.len());
    for (id, first, count) in assignments {
        let mut bytes = Vec::with_capacity(32 + topic.len() + count * 4);
        bytes.extend_from_slice(&3i16.to_be_bytes());
        bytes.extend_from_slice(&1i32.to_be_bytes());
        bytes.extend_from_slice(&(topic.len() as i16).to_be_bytes());
        bytes.extend_from_slice(topic.as_bytes());
        bytes.extend_from_slice(&(*count as i32).to_be_bytes());
        for partition in *first..first + count {
            bytes.extend_from_slice(&(partition as i32).to_be_bytes());
        }
        bytes.extend_from_slice(&(-1i32).to_be_bytes());
        frame.string(id).bytes(&bytes).tags();
    }
    frame.tags();
    frame.finish()
}

/// The code, and how many bytes the member's assignment has.
pub fn synced(answer: &mut Answer) -> Result<(i16, usize), String> {
    answer.int32()?;
    let code = answer.int16()?;
    answer.string()?;
    answer.string()?;
    Ok((code, answer.bytes()?.len()))
}

pub fn heartbeat(correlation: i32, group: &str, generation: i32, member: &str) -> Vec<u8> {
    let mut frame = Frame::new(12, 4, correlation);
    frame.string(group).int32(generation).string(member).null().tags();
    frame.finish()
}

/// The code of a Heartbeat's and of a LeaveGroup's answer.
pub fn code_behind_throttle(answer: &mut Answer) -> Result<i16, String> {
    answer.int32()?;
    answer.int16()
}

pub fn leave_group<'a>(correlation: i32, group: &str, members: impl ExactSizeIterator<Item = &'a str>) -> Vec<u8> {
    let mut frame = Frame::new(13, 5, correlation);
    frame.string(group).count(members.len());
    for member in members {
        frame.string(member).null().null().tags();
    }
    frame.tags();
    frame.finish()
}

pub type TopicId = [u8; 16];

pub struct ConsumerHeartbeat<'a> {
    pub group: &'a str,
    pub member: &'a str,
    pub epoch: i32,
    /// Of the first heartbeat: the subscription.
    pub topic: Option<&'a str>,
    /// What the member owns, when that has changed.
    pub owned: Option<(TopicId, &'a [i32])>,
}

pub fn consumer_heartbeat(correlation: i32, heartbeat: &ConsumerHeartbeat) -> Vec<u8> {
    let mut frame = Frame::new(68, 1, correlation);
    frame.string(heartbeat.group).string(heartbeat.member).int32(heartbeat.epoch).null().null();
    match heartbeat.topic {
        Some(topic) => frame.int32(REBALANCE_TIMEOUT_MS).count(1).string(topic),
        None => frame.int32(-1).null(),
    };
    frame.null().null();
    match heartbeat.owned {
        None if heartbeat.topic.is_none() => frame.null(),
        None => frame.count(0),
        Some((_, [])) => frame.count(0),
        Some((topic, partitions)) => {
            frame.count(1).raw(&topic).count(partitions.len());
            for partition in partitions {
                frame.int32(*partition);
            }
            frame.tags()
        }
    };
    frame.tags();
    frame.finish()
}

pub struct ConsumerAnswer {
    pub code: i16,
    pub message: String,
    pub epoch: i32,
    pub interval_ms: i32,
    /// None: unchanged. The id is that of the one topic that the group reads.
    pub assignment: Option<(TopicId, Vec<i32>)>,
}

pub fn consumer_answer(answer: &mut Answer) -> Result<ConsumerAnswer, String> {
    answer.int32()?;
    let code = answer.int16()?;
    let message = answer.string()?;
    answer.string()?;
    let epoch = answer.int32()?;
    let interval_ms = answer.int32()?;
    let assignment = if answer.byte()? == 0xff {
        None
    } else {
        let (mut topic, mut partitions) = ([0; 16], Vec::new());
        for _ in 0..answer.count()?.unwrap_or(0) {
            topic = answer.take(16)?.try_into().expect("sixteen bytes");
            for _ in 0..answer.count()?.unwrap_or(0) {
                partitions.push(answer.int32()?);
            }
            answer.tags()?;
        }
        Some((topic, partitions))
    };
    Ok(ConsumerAnswer { code, message, epoch, interval_ms, assignment })
}

pub struct Commit<'a> {
    pub group: &'a str,
    /// -1 with an empty member: a commit from outside the group.
    pub generation: i32,
    pub member: &'a str,
    pub topic: &'a str,
    pub first_partition: usize,
    pub partitions: usize,
    pub offset: i64,
}

pub fn offset_commit(correlation: i32, commit: &Commit) -> Vec<u8> {
    let mut frame = Frame::new(8, 9, correlation);
    frame.string(commit.group).int32(commit.generation).string(commit.member).null();
    frame.count(1).string(commit.topic).count(commit.partitions);
    for partition in commit.first_partition..commit.first_partition + commit.partitions {
        frame.int32(partition as i32).int64(commit.offset).int32(0).string("").tags();
    }
    frame.tags().tags();
    frame.finish()
}

/// The first code that is not 0, or 0.
pub fn committed(answer: &mut Answer) -> Result<i16, String> {
    answer.int32()?;
    for _ in 0..answer.count()?.unwrap_or(0) {
        answer.bytes()?;
        for _ in 0..answer.count()?.unwrap_or(0) {
            answer.int32()?;
            let code = answer.int16()?;
            if code != NONE {
                return Ok(code);
            }
            answer.tags()?;
        }
        answer.tags()?;
    }
    Ok(NONE)
}

/// All offsets of one group.
pub fn offset_fetch(group: &str) -> Vec<u8> {
    let mut frame = Frame::new(9, 9, 0);
    frame.count(1).string(group).null().int32(-1).null().tags().byte(0).tags();
    frame.finish()
}

/// The group's code, how many partitions have an offset, and the largest offset.
pub fn fetched(answer: &mut Answer) -> Result<(i16, usize, i64), String> {
    answer.int32()?;
    let (mut code, mut partitions, mut largest) = (NONE, 0, -1);
    for _ in 0..answer.count()?.unwrap_or(0) {
        answer.string()?;
        for _ in 0..answer.count()?.unwrap_or(0) {
            answer.string()?;
            for _ in 0..answer.count()?.unwrap_or(0) {
                answer.int32()?;
                largest = largest.max(answer.int64()?);
                answer.int32()?;
                answer.string()?;
                let of_partition = answer.int16()?;
                code = if code == NONE { of_partition } else { code };
                answer.tags()?;
                partitions += 1;
            }
            answer.tags()?;
        }
        let of_group = answer.int16()?;
        code = if of_group == NONE { code } else { of_group };
        answer.tags()?;
    }
    Ok((code, partitions, largest))
}
