//! Decodes the records that JavaScript wrote (`src/native/outbox.ts` has their fields, in the same order) and sorts
//! them into commands for the sockets and commands for the engine.
//!
//! Invariants: commands keep their order within each of the two; every command that carries a ticket is answered, also
//! when it names a handle that is gone (then here, with `Code::Internal`). A record that doesn't fit its kind is a bug
//! of src/native and an error for its caller; nothing of the outbox behind it is carried out.

use crate::held::{Held, HeldTable};
use crate::layout::*;
use crate::pinned::Pinned;
use crate::prepared::Prepared;
use bytes::Bytes;
use odradek_engine::command::{
    AppendedInfo, CleanLog, Command, Completion, Failure, LogRef, Lookup, OpenLog, Origin, ReadFlags, Wake, WatchLimit,
};
use odradek_engine::config::{CompressionType, Flush, LogConfig, TimestampType};
use odradek_engine::error::Code;
use odradek_reactor as net;
use std::sync::Arc;
use std::time::Duration;

/// What an outbox asked for.
#[derive(Default)]
pub struct Orders {
    pub net: Vec<net::Command>,
    pub engine: Vec<Command>,
    /// Answers that appends will send, by ticket.
    pub prepared: Vec<(u32, Prepared)>,
    /// Answers to commands that could not be passed on.
    pub refused: Vec<Completion>,
}

/// A record is shorter than its kind, or names something that does not exist.
#[derive(Debug)]
pub struct BadRecord(pub u16);

struct Reader<'a> {
    record: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let bytes = self.record.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        Some(bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.bytes(4)?.try_into().ok()?))
    }

    fn i32(&mut self) -> Option<i32> {
        Some(self.u32()? as i32)
    }

    fn f64(&mut self) -> Option<f64> {
        Some(f64::from_le_bytes(self.bytes(8)?.try_into().ok()?))
    }

    /// A number of JavaScript; 2^53-1 and above stand for the largest.
    fn i64(&mut self) -> Option<i64> {
        let value = self.f64()?;
        Some(if value >= 9_007_199_254_740_991.0 { i64::MAX } else { value as i64 })
    }

    /// Low word first.
    fn exact(&mut self) -> Option<i64> {
        Some(i64::from_le_bytes(self.bytes(8)?.try_into().ok()?))
    }

    fn text(&mut self, length: u32) -> Option<String> {
        Some(std::str::from_utf8(self.bytes(length as usize)?).ok()?.to_owned())
    }
}

/// Reads all records of `outbox`.
pub fn decode(outbox: &[u8], held: &mut HeldTable, orders: &mut Orders) -> Result<(), BadRecord> {
    let mut rest = outbox;
    while !rest.is_empty() {
        let mut head = Reader { record: rest, at: 0 };
        let size = head.u32().ok_or(BadRecord(0))? as usize;
        let kind = head.u32().ok_or(BadRecord(0))?;
        let (kind, flags) = (kind as u16, (kind >> 16) as u16);
        if size < HEADER_BYTES || size > rest.len() {
            return Err(BadRecord(kind));
        }
        let (record, behind) = rest.split_at(size);
        rest = behind;
        decode_record(kind, flags, record, held, orders).ok_or(BadRecord(kind))?;
    }
    Ok(())
}

fn decode_record(kind: u16, flags: u16, record: &[u8], held: &mut HeldTable, orders: &mut Orders) -> Option<()> {
    let mut reader = Reader { record, at: 8 };
    let (slot, generation) = (reader.u32()?, reader.u32()?);
    let log = LogRef { slot, generation };
    let connection = net::ConnectionId { slot, generation };
    let r = &mut reader;
    match kind {
        REPLY | SEND => {
            let sequence = r.u32()?;
            let frame = r.u32()?;
            let mute_ms = r.u32()?;
            let parts = r.u32()?;
            let mut answer = net::Answer {
                close_after: flags & REPLY_CLOSE_AFTER != 0,
                no_answer: flags & REPLY_NO_ANSWER != 0,
                mute: Duration::from_millis(u64::from(mute_ms)),
                ..net::Answer::default()
            };
            if parts > 0 && !decode_parts(r, parts, held, &mut answer)? {
                // A part names bytes that are gone: the answer can't be given, and nothing later on this connection.
                let reason = "an answer named bytes that are gone".into();
                orders.net.push(net::Command::Close { connection, reason });
            }
            if kind == SEND {
                let program = (frame != u32::MAX).then_some(((frame >> 16) as i16, frame as i16));
                orders.net.push(net::Command::Send { connection, answer, program });
            } else {
                held.release(frame);
                orders.net.push(net::Command::Answer { connection, sequence, answer });
            }
        }
        CONNECT => {
            let max_frame_bytes = r.u32()?;
            let length = r.u32()?;
            let address = r.text(length)?.parse().ok()?;
            orders.net.push(net::Command::Connect { token: slot, address, max_frame_bytes });
        }
        CLOSE => {
            let length = r.u32()?;
            let reason = r.text(length)?.into();
            orders.net.push(net::Command::Close { connection, reason });
        }
        RELEASE => held.release(r.u32()?),
        PREPARE => {
            let (ticket, sequence) = (r.u32()?, r.u32()?);
            let log = LogRef { slot: r.u32()?, generation: r.u32()? };
            let awaits_sync = (flags & PREPARE_UNTIL_SYNCED != 0).then_some(log);
            let (offset_at, length) = (r.u32()? as usize, r.u32()? as usize);
            if offset_at.checked_add(8)? > length {
                return None;
            }
            let bytes = r.bytes(length)?.to_vec();
            orders.prepared.push((ticket, Prepared { connection, sequence, bytes, offset_at, awaits_sync }));
        }
        APPEND => decode_append(log, r, held, orders)?,
        READ => {
            let (ticket, max_bytes) = (r.u32()?, r.u32()?);
            let (from, limit) = (r.i64()?, r.i64()?);
            orders.engine.push(Command::Read {
                log,
                ticket,
                from,
                limit,
                max_bytes,
                last_fetched_epoch: r.i32()?,
                flags: ReadFlags {
                    at_least_one: flags & READ_AT_LEAST_ONE != 0,
                    aborted_list: flags & READ_ABORTED_LIST != 0,
                    to_memory: flags & READ_TO_MEMORY != 0,
                },
            });
        }
        WATCH => {
            let limit = if r.u32()? == WatchLimit::Synced as u32 { WatchLimit::Synced } else { WatchLimit::End };
            r.u32()?;
            orders.engine.push(Command::Watch { log, offset: r.i64()?, limit });
        }
        TRUNCATE => {
            let (ticket, offset, now_ms) = ticket_offset_now(r)?;
            orders.engine.push(Command::Truncate { log, ticket, offset, now_ms });
        }
        ADVANCE_START => {
            let (ticket, offset, now_ms) = ticket_offset_now(r)?;
            orders.engine.push(Command::AdvanceStart { log, ticket, offset, now_ms });
        }
        ROLL => {
            let (ticket, _, now_ms) = ticket_offset_now(r)?;
            orders.engine.push(Command::Roll { log, ticket, now_ms });
        }
        RETAIN => {
            let (ticket, _, now_ms) = ticket_offset_now(r)?;
            orders.engine.push(Command::Retain { log, ticket, now_ms });
        }
        DIRT => {
            let (ticket, limit, now_ms) = ticket_offset_now(r)?;
            orders.engine.push(Command::Dirt { log, ticket, limit, now_ms });
        }
        CLEAN => {
            let (ticket, buffer_bytes) = (r.u32()?, r.u32()?);
            let (limit, now_ms) = (r.i64()?, r.i64()?);
            let map_bytes = u64::try_from(r.i64()?).ok()?;
            orders.engine.push(Command::Clean(Box::new(CleanLog {
                log,
                ticket,
                limit,
                now_ms,
                map_bytes,
                load_factor: r.f64()?,
                buffer_bytes,
                bytes_per_second: r.f64()?,
            })));
        }
        START_EPOCH => {
            let (ticket, epoch) = (r.u32()?, r.i32()?);
            orders.engine.push(Command::StartEpoch { log, ticket, epoch, offset: r.i64()? });
        }
        SET_MARKS => orders.engine.push(Command::SetMarks { log, high_watermark: r.i64()? }),
        CONFIGURE => {
            let ticket = r.u32()?;
            r.u32()?;
            let now_ms = r.i64()?;
            let config = Box::new(decode_config(r)?);
            orders.engine.push(Command::Configure { log, ticket, config, now_ms });
        }
        LOOKUP => {
            let (ticket, what) = (r.u32()?, r.u32()?);
            let limit = r.i64()?;
            let timestamp = r.exact()?;
            let epoch = r.i32()?;
            let lookup = match what {
                LOOKUP_TIME => Lookup::Time { timestamp },
                LOOKUP_MAX_TIME => Lookup::MaxTime,
                LOOKUP_EPOCH_END => Lookup::EpochEnd { epoch },
                _ => return None,
            };
            orders.engine.push(Command::Lookup { log, ticket, lookup, limit });
        }
        SYNC => orders.engine.push(Command::Sync { log, ticket: r.u32()? }),
        CLOSE_LOG => orders.engine.push(Command::Close { log, ticket: r.u32()?, clean: flags & CLOSE_LOG_CLEAN != 0 }),
        DELETE_LOG => orders.engine.push(Command::Delete { log, ticket: r.u32()? }),
        OPEN_LOG => {
            let (ticket, directory) = (r.u32()?, r.u32()?);
            let now_ms = r.i64()?;
            let (name_length, topic_id_length) = (r.u32()?, r.u32()?);
            let config = decode_config(r)?;
            let name = r.text(name_length)?;
            let topic_id = if topic_id_length > 0 { Some(r.text(topic_id_length)?) } else { None };
            orders.engine.push(Command::Open(Box::new(OpenLog {
                log,
                ticket,
                directory,
                name,
                config,
                topic_id,
                clean: flags & OPEN_CLEAN != 0,
                must_exist: flags & OPEN_MUST_EXIST != 0,
                now_ms,
            })));
        }
        DUE => {
            let (ticket, _, now_ms) = (r.u32()?, r.u32()?, r.i64()?);
            orders.engine.push(Command::Due { directory: slot, ticket, now_ms });
        }
        LOOK => {
            let (ticket, _, now_ms) = (r.u32()?, r.u32()?, r.i64()?);
            orders.engine.push(Command::Look { directory: slot, ticket, now_ms, sweep: flags & LOOK_SWEEP != 0 });
        }
        WRITE_FILE | READ_FILE | LIST_FILES | REMOVE_FILE | SET_ASIDE | CHECKPOINT => {
            let (directory, ticket, handle, length) = (slot, r.u32()?, r.u32()?, r.u32()?);
            let path = r.text(length)?;
            orders.engine.push(match kind {
                WRITE_FILE => {
                    let content = match held.get(handle) {
                        Some(Held::Bytes(bytes)) => bytes.clone(),
                        None if handle == 0 => Bytes::new(),
                        _ => return None,
                    };
                    held.release(handle);
                    Command::WriteFile { directory, ticket, path, content }
                }
                READ_FILE => Command::ReadFile { directory, ticket, path },
                LIST_FILES => Command::ListFiles { directory, ticket, path },
                REMOVE_FILE => Command::RemoveFile { directory, ticket, path },
                SET_ASIDE => {
                    let (folder, name) = path.split_once('/')?;
                    Command::SetAside { directory, ticket, folder: folder.into(), name: name.into() }
                }
                _ => Command::Checkpoint { directory, ticket },
            });
        }
        _ => return None,
    }
    Some(())
}

fn ticket_offset_now(r: &mut Reader<'_>) -> Option<(u32, i64, i64)> {
    let ticket = r.u32()?;
    r.u32()?;
    Some((ticket, r.i64()?, r.i64()?))
}

/// n x {u32 type, u32 length, u32 handle, u32 from}, then the inline bytes, the answer's length prefix among them.
/// False: a part names bytes that are gone. All handles are released.
fn decode_parts(r: &mut Reader<'_>, parts: u32, held: &mut HeldTable, answer: &mut net::Answer) -> Option<bool> {
    let table = r.bytes(parts as usize * 16)?;
    let mut whole = true;
    for (index, entry) in table.chunks_exact(16).enumerate() {
        let mut entry = Reader { record: entry, at: 0 };
        let (form, length, handle, from) = (entry.u32()?, entry.u32()?, entry.u32()?, entry.u32()?);
        if form == PART_INLINE {
            let part = Bytes::copy_from_slice(r.bytes(length as usize)?);
            if index == 0 {
                answer.head = part;
            } else {
                answer.rest.push(net::Part::Memory(part));
            }
        } else {
            whole &= pin(held, handle, from, length, &mut answer.rest);
        }
    }
    for entry in table.chunks_exact(16) {
        let mut entry = Reader { record: entry, at: 0 };
        let (form, _, handle) = (entry.u32()?, entry.u32()?, entry.u32()?);
        if form == PART_HANDLE {
            held.release(handle);
        }
    }
    Some(whole)
}

/// Adds the parts that `length` bytes from `from` of a handle consist of. False: they are not all there.
fn pin(held: &HeldTable, handle: u32, from: u32, length: u32, parts: &mut Vec<net::Part>) -> bool {
    match held.get(handle) {
        None => length == 0,
        Some(Held::Bytes(_)) => match held.bytes(handle, from, length) {
            Some(bytes) => {
                parts.push(net::Part::Memory(bytes));
                true
            }
            None => false,
        },
        Some(Held::Files(slices)) => {
            let (mut skipped, mut left) = (u64::from(from), u64::from(length));
            for slice in slices {
                let available = u64::from(slice.length);
                if skipped >= available {
                    skipped -= available;
                    continue;
                }
                let taken = left.min(available - skipped);
                if taken > 0 {
                    let source = Arc::new(Pinned(Arc::clone(&slice.file)));
                    parts.push(net::Part::File { source, position: slice.position + skipped, length: taken });
                }
                left -= taken;
                skipped = 0;
            }
            left == 0
        }
    }
}

fn decode_append(log: LogRef, r: &mut Reader<'_>, held: &mut HeldTable, orders: &mut Orders) -> Option<()> {
    let (ticket, frame, position, length) = (r.u32()?, r.u32()?, r.u32()?, r.u32()?);
    let leader_epoch = r.i32()?;
    let [origin, wake, version_low, version_high] = *r.bytes(4)? else { return None };
    let (now_ms, expected_base) = (r.i64()?, r.i64()?);
    let batch = if frame == 0 {
        Some(Bytes::copy_from_slice(r.bytes(length as usize)?))
    } else {
        held.bytes(frame, position, length)
    };
    let Some(batch) = batch else {
        let text = "the append names bytes that are gone".into();
        let info = AppendedInfo { base: -1, end: -1, log_append_time: -1, text, ..AppendedInfo::default() };
        orders.refused.push(Completion::Appended { log, ticket, code: Code::Internal, info });
        return Some(());
    };
    let origin = match origin {
        0 => Origin::Client,
        1 => Origin::Coordinator,
        2 => Origin::Raft,
        3 => Origin::Replication,
        4 => Origin::Marker,
        _ => return None,
    };
    let wake = match wake {
        0 => Wake::Never,
        1 => Wake::Appended,
        2 => Wake::Synced,
        _ => return None,
    };
    let transaction_version = i16::from_le_bytes([version_low, version_high]);
    orders.engine.push(Command::Append {
        log,
        ticket,
        batch,
        leader_epoch,
        origin,
        wake,
        transaction_version,
        now_ms,
        expected_base,
    });
    Some(())
}

/// u32 flush, segmentBytes, segmentIndexBytes, indexIntervalBytes, maxMessageBytes, compressionType, i32 level, u32
/// timestampType, compacted, deletes; f64 segmentMs, segmentJitterMs, timestampBeforeMaxMs, timestampAfterMaxMs,
/// producerIdExpirationMs, retentionMs, retentionBytes, fileDeleteDelayMs, flushMessages, flushMs.
fn decode_config(r: &mut Reader<'_>) -> Option<LogConfig> {
    let flush = if r.u32()? == 0 { Flush::Group } else { Flush::Os };
    let (segment_bytes, segment_index_bytes) = (r.u32()?, r.u32()?);
    let (index_interval_bytes, max_message_bytes) = (r.u32()?, r.u32()?);
    let (compression, level) = (r.u32()?, r.i32()?);
    let compression_type = match compression {
        0 => CompressionType::Producer,
        1 => CompressionType::Uncompressed,
        2 => CompressionType::Gzip { level },
        3 => CompressionType::Snappy,
        4 => CompressionType::Lz4 { level },
        5 => CompressionType::Zstd { level },
        _ => return None,
    };
    let timestamp_type = if r.u32()? == 0 { TimestampType::CreateTime } else { TimestampType::LogAppendTime };
    let compacted = r.u32()? != 0;
    let deletes = r.u32()? != 0;
    Some(LogConfig {
        flush,
        segment_bytes,
        segment_ms: r.i64()?,
        segment_jitter_ms: r.i64()?,
        segment_index_bytes,
        index_interval_bytes,
        max_message_bytes,
        compression_type,
        timestamp_type,
        timestamp_before_max_ms: r.i64()?,
        timestamp_after_max_ms: r.i64()?,
        compacted,
        deletes,
        producer_id_expiration_ms: r.i64()?,
        retention_ms: r.i64()?,
        retention_bytes: r.i64()?,
        file_delete_delay_ms: r.i64()?,
        delete_retention_ms: r.i64()?,
        min_compaction_lag_ms: r.i64()?,
        max_compaction_lag_ms: r.i64()?,
        flush_messages: r.i64()?,
        flush_ms: r.i64()?,
    })
}

/// For calls that fail before the engine sees them.
pub fn failure(text: impl Into<String>) -> Failure {
    Failure { code: Code::Internal, text: text.into() }
}
