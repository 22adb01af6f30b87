//! Encodes news as records for JavaScript. Each `encode_` function writes down its record's fields;
//! `src/native/inbox.ts` reads them.
//!
//! Invariants: a record is written whole or not at all; what JavaScript comes to hold (frames, reads, file contents) is
//! entered in the table at the same moment. A frame copied whole is freed here, a skimmed or cut one is held.

use crate::held::{Held, HeldTable};
use crate::layout::*;
use crate::news::Item;
use bytes::Bytes;
use odradek_engine::command::{Answer, AppendedInfo, Completion, Failure, LogRef, OpenInfo, ReadBytes, ReadInfo};
use odradek_engine::error::Code;
use odradek_reactor::{ConnectionId, Event, Frame, Opened};

const SAFE_INTEGER: i64 = (1 << 53) - 1;
/// A frame up to this size is copied whole even if it could be skimmed.
const COPIED_WHOLE: usize = 4096;
const MAX_TEXT: usize = 4096;

/// An int64 as JavaScript holds it.
fn number(value: i64) -> f64 {
    value.clamp(-SAFE_INTEGER, SAFE_INTEGER) as f64
}

fn count(value: u64) -> f64 {
    value.min(SAFE_INTEGER as u64) as f64
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

pub struct Inbox<'a> {
    memory: &'a mut [u8],
    filled: usize,
    held: &'a mut HeldTable,
}

/// A record under way. Its room was reserved, so writing can't fail.
struct Record<'a> {
    memory: &'a mut [u8],
    at: usize,
}

impl Record<'_> {
    fn u16(&mut self, value: u16) {
        self.bytes(&value.to_le_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.bytes(&value.to_le_bytes());
    }

    fn i32(&mut self, value: i32) {
        self.bytes(&value.to_le_bytes());
    }

    fn f64(&mut self, value: f64) {
        self.bytes(&value.to_le_bytes());
    }

    /// Low word first.
    fn exact(&mut self, value: i64) {
        self.bytes(&value.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.memory[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }
}

impl<'a> Inbox<'a> {
    pub fn new(memory: &'a mut [u8], held: &'a mut HeldTable) -> Inbox<'a> {
        Inbox { memory, filled: 0, held }
    }

    pub fn filled(&self) -> usize {
        self.filled
    }

    /// False: it doesn't fit any more, and goes into the next inbox.
    pub fn encode(&mut self, item: &Item) -> bool {
        match item {
            Item::Net(event) => match event {
                Event::Frame(frame) => self.encode_frame(frame),
                Event::Connected { connection, opened, peer, local } => {
                    let (peer_ip, local_ip) = (peer.ip().to_canonical(), local.ip().to_canonical());
                    let (peer_ip, local_ip) = (peer_ip.to_string(), local_ip.to_string());
                    let (flags, by) = match opened {
                        Opened::Listener(id) => (0, *id),
                        Opened::Outgoing(token) => (CONNECTED_OUTGOING, *token),
                    };
                    self.record(CONNECTED, flags, pair(*connection), 12 + peer_ip.len() + local_ip.len(), |record| {
                        record.u32(by);
                        record.u16(peer.port());
                        record.u16(local.port());
                        record.u16(peer_ip.len() as u16);
                        record.u16(local_ip.len() as u16);
                        record.bytes(peer_ip.as_bytes());
                        record.bytes(local_ip.as_bytes());
                    })
                }
                Event::Closed { connection, reason } => self.encode_text(CLOSED, pair(*connection), 0, cut(reason)),
                Event::ConnectFailed { token, reason } => self.encode_text(CONNECT_FAILED, (*token, 0), 0, cut(reason)),
            },
            Item::Engine(completion) => self.encode_completion(completion, 0),
            Item::Answered(completion) => self.encode_completion(completion, APPENDED_ANSWERED),
        }
    }

    /// `appended` is added to the flags of an APPENDED.
    fn encode_completion(&mut self, completion: &Completion, appended: u16) -> bool {
        match completion {
            Completion::Opened { log, ticket, outcome } => self.encode_opened(*log, *ticket, outcome),
            Completion::Appended { log, ticket, code, info } => {
                self.encode_appended(*log, *ticket, *code, info, appended)
            }
            Completion::Synced { log, synced_end } => {
                self.record(SYNCED, 0, (log.slot, log.generation), 8, |record| record.f64(number(*synced_end)))
            }
            // Of prepared answers alone.
            Completion::NeverSynced { .. } => true,
            Completion::ReadDone { log, ticket, outcome } => self.encode_read(*log, *ticket, outcome),
            Completion::Answered { ticket, outcome } => self.encode_answer(*ticket, outcome),
            Completion::DirectoryFailed { directory, code, errno, text } => {
                let text = cut(text);
                self.record(DIRECTORY_FAILED, 0, (*directory, 0), 12 + text.len(), |record| {
                    record.u32(text.len() as u32);
                    record.u32(*code as u32);
                    record.i32(*errno);
                    record.bytes(text.as_bytes());
                })
            }
            Completion::Fatal { text } => self.encode_text(FATAL, (0, 0), 0, cut(text)),
        }
    }

    /// Reserves a whole record, or says that there is no room.
    fn record(
        &mut self,
        kind: u16,
        flags: u16,
        (slot, generation): (u32, u32),
        body_bytes: usize,
        write: impl FnOnce(&mut Record<'_>),
    ) -> bool {
        let size = (HEADER_BYTES + body_bytes).next_multiple_of(8);
        let Some(memory) = self.memory.get_mut(self.filled..self.filled + size) else { return false };
        let mut record = Record { memory, at: 0 };
        record.u32(size as u32);
        record.u16(kind);
        record.u16(flags);
        record.u32(slot);
        record.u32(generation);
        write(&mut record);
        debug_assert_eq!(record.at, HEADER_BYTES + body_bytes);
        self.filled += size;
        true
    }

    /// u32 length, u32 extra; text.
    fn encode_text(&mut self, kind: u16, name: (u32, u32), extra: u32, text: &str) -> bool {
        self.record(kind, 0, name, 8 + text.len(), |record| {
            record.u32(text.len() as u32);
            record.u32(extra);
            record.bytes(text.as_bytes());
        })
    }

    /// u32 sequence, u32 frame, u32 frameBytes, u32 copiedBytes, u32 n, u32 arrivedUs; n x {u32 at, u32 position, u32
    /// length}; bytes.
    fn encode_frame(&mut self, frame: &Frame) -> bool {
        let half = self.memory.len() / 2;
        let kind = if frame.response { RESPONSE } else { REQUEST };
        let bytes = &frame.bytes;
        let skimmed = frame.skimmed.as_ref().filter(|skimmed| {
            bytes.len() > COPIED_WHOLE && 12 * skimmed.elisions.len() + skimmed.copied as usize <= half
        });
        let copied = skimmed.map_or(bytes.len().min(half), |skimmed| skimmed.copied as usize);
        let elisions = skimmed.map_or(&[][..], |skimmed| &skimmed.elisions);
        let body = 24 + 12 * elisions.len() + copied;
        if self.memory.len() - self.filled < HEADER_BYTES + body + 8 {
            return false;
        }
        let more = skimmed.is_none() && copied < bytes.len();
        let handle = if skimmed.is_some() || more { self.held.insert(Held::Bytes(bytes.clone())) } else { 0 };
        let flags = if more { REQUEST_MORE } else { 0 };
        self.record(kind, flags, pair(frame.connection), body, |record| {
            record.u32(frame.sequence);
            record.u32(handle);
            record.u32(bytes.len() as u32);
            record.u32(copied as u32);
            record.u32(elisions.len() as u32);
            record.u32(frame.arrived_us);
            for elision in elisions {
                record.u32(elision.at);
                record.u32(elision.position);
                record.u32(elision.length);
            }
            match skimmed {
                Some(skimmed) => {
                    for range in &skimmed.kept {
                        record.bytes(&bytes[range.start as usize..range.end as usize]);
                    }
                }
                None => record.bytes(&bytes[..copied]),
            }
        })
    }

    /// u32 ticket, u32 code, f64 base, end, logAppendTime, logStart, bytesEnd, oldestOpenTransaction,
    /// closedTransactionFirst, u32 n, u32 textLength; n x {u32 record, u32 code}; text.
    fn encode_appended(&mut self, log: LogRef, ticket: u32, code: Code, info: &AppendedInfo, flags: u16) -> bool {
        let flags = flags | if info.duplicate { APPENDED_DUPLICATE } else { 0 };
        let most = self.memory.len() / 2 / 8 - 1024;
        let errors = &info.record_errors[..info.record_errors.len().min(most)];
        let text = cut(&info.text);
        self.record(APPENDED, flags, (log.slot, log.generation), 72 + 8 * errors.len() + text.len(), |record| {
            record.u32(ticket);
            record.u32(code as u32);
            record.f64(number(info.base));
            record.f64(number(info.end));
            record.f64(number(info.log_append_time));
            record.f64(number(info.log_start));
            record.f64(count(info.bytes_end));
            record.f64(number(info.oldest_open_transaction));
            record.f64(number(info.closed_transaction_first));
            record.u32(errors.len() as u32);
            record.u32(text.len() as u32);
            for (index, code) in errors {
                record.u32(*index);
                record.u32(*code as u32);
            }
            record.bytes(text.as_bytes());
        })
    }

    /// u32 ticket, u32 code, u32 handle, u32 aborted n, f64 bytes, bytesStart, firstOffset, logStart,
    /// end, divergingEnd, i32 divergingEpoch (-1: none), u32 textLength; n x {u32 lo, u32 hi producer
    /// id, f64 firstOffset}; text.
    fn encode_read(&mut self, log: LogRef, ticket: u32, outcome: &Result<Box<ReadInfo>, Failure>) -> bool {
        let half = self.memory.len() / 2;
        let too_many = Failure { code: Code::Internal, text: "more aborted transactions than can be listed".into() };
        let outcome = match outcome {
            Ok(info) if 16 * info.aborted.len() > half - 4096 => Err(&too_many),
            Ok(info) => Ok(info),
            Err(failure) => Err(failure),
        };
        let aborted = outcome.map_or(0, |info| info.aborted.len());
        let text = outcome.err().map_or("", |failure| cut(&failure.text));
        let body = 72 + 16 * aborted + text.len();
        if self.memory.len() - self.filled < HEADER_BYTES + body + 8 {
            return false;
        }
        let handle = match outcome {
            Ok(info) if info.total > 0 => self.held.insert(match &info.bytes {
                ReadBytes::Files(slices) => Held::Files(slices.clone()),
                ReadBytes::Memory(bytes) => Held::Bytes(bytes.clone()),
            }),
            _ => 0,
        };
        self.record(READ_DONE, 0, (log.slot, log.generation), body, |record| {
            record.u32(ticket);
            record.u32(outcome.err().map_or(Code::Ok, |failure| failure.code) as u32);
            record.u32(handle);
            record.u32(aborted as u32);
            let info = outcome.ok();
            record.f64(info.map_or(0.0, |info| count(info.total)));
            record.f64(info.map_or(0.0, |info| count(info.bytes_start)));
            record.f64(info.map_or(-1.0, |info| number(info.first_offset)));
            record.f64(info.map_or(-1.0, |info| number(info.log_start)));
            record.f64(info.map_or(-1.0, |info| number(info.end)));
            let diverging = info.and_then(|info| info.diverging);
            record.f64(diverging.map_or(-1.0, |(_, end)| number(end)));
            record.i32(diverging.map_or(-1, |(epoch, _)| epoch));
            record.u32(text.len() as u32);
            for (producer_id, first_offset) in info.iter().flat_map(|info| &info.aborted) {
                record.exact(*producer_id);
                record.f64(number(*first_offset));
            }
            record.bytes(text.as_bytes());
        })
    }

    /// u32 ticket, u32 code, u32 form, u32 handle, f64 x 3 (found: offset, epoch; marks: start, end, syncedEnd; dirt:
    /// clean bytes, dirty bytes, overdue; cleaned: cleaned to, bytes read, bytes written; file and names: bytes behind
    /// the handle), u32 lo, u32 hi (found: timestamp; cleaned: records without a key), u32 textLength; text.
    fn encode_answer(&mut self, ticket: u32, outcome: &Result<Answer, Failure>) -> bool {
        let text = outcome.as_ref().err().map_or("", |failure| cut(&failure.text));
        if self.memory.len() - self.filled < HEADER_BYTES + 64 + text.len() + 8 {
            return false;
        }
        let mut values = [0.0; 3];
        let mut timestamp = -1;
        let mut content = None;
        let form = match outcome {
            Err(_) | Ok(Answer::None) => ANSWER_NONE,
            Ok(Answer::Found { offset, timestamp: found, epoch }) => {
                values = [number(*offset), f64::from(*epoch), 0.0];
                timestamp = *found;
                ANSWER_FOUND
            }
            Ok(Answer::Marks { start, end, synced_end }) => {
                values = [number(*start), number(*end), number(*synced_end)];
                ANSWER_MARKS
            }
            Ok(Answer::Dirt { clean_bytes, dirty_bytes, overdue_ms }) => {
                values = [count(*clean_bytes), count(*dirty_bytes), number(*overdue_ms)];
                ANSWER_DIRT
            }
            Ok(Answer::Cleaned(info)) => {
                values = [number(info.cleaned_to), count(info.read_bytes), count(info.written_bytes)];
                timestamp = info.keyless_records as i64;
                ANSWER_CLEANED
            }
            Ok(Answer::File(bytes)) => {
                content = Some(bytes.clone());
                ANSWER_FILE
            }
            Ok(Answer::Names(names)) => {
                content = Some(Bytes::from(names.join("\0")));
                ANSWER_NAMES
            }
        };
        let handle = match content {
            Some(bytes) if !bytes.is_empty() => {
                values[0] = count(bytes.len() as u64);
                self.held.insert(Held::Bytes(bytes))
            }
            _ => 0,
        };
        self.record(ANSWER, 0, (0, 0), 52 + text.len(), |record| {
            record.u32(ticket);
            record.u32(outcome.as_ref().err().map_or(Code::Ok, |failure| failure.code) as u32);
            record.u32(form);
            record.u32(handle);
            values.iter().for_each(|value| record.f64(*value));
            record.exact(timestamp);
            record.u32(text.len() as u32);
            record.bytes(text.as_bytes());
        })
    }

    /// u32 ticket, u32 code, f64 start, end, syncedEnd, bytesEnd, oldestOpenTransaction, highWatermark, cutBytes,
    /// cutRecords, i32 latestEpoch, u32 recoveredSegments, u32 topicIdLength, u32 textLength; topic id; text.
    fn encode_opened(&mut self, log: LogRef, ticket: u32, outcome: &Result<Box<OpenInfo>, Failure>) -> bool {
        let nothing = OpenInfo::default();
        let info = outcome.as_ref().map_or(&nothing, |info| info);
        let text = outcome.as_ref().err().map_or("", |failure| cut(&failure.text));
        let topic_id = info.topic_id.as_deref().map_or("", cut);
        let flags = if info.created { OPENED_CREATED } else { 0 };
        let body = 88 + topic_id.len() + text.len();
        self.record(OPENED, flags, (log.slot, log.generation), body, |record| {
            record.u32(ticket);
            record.u32(outcome.as_ref().err().map_or(Code::Ok, |failure| failure.code) as u32);
            record.f64(number(info.start));
            record.f64(number(info.end));
            record.f64(number(info.synced_end));
            record.f64(count(info.bytes_end));
            record.f64(number(info.oldest_open_transaction));
            record.f64(number(info.high_watermark));
            record.f64(count(info.cut_bytes));
            record.f64(count(info.cut_records));
            record.i32(info.latest_epoch);
            record.u32(info.recovered_segments);
            record.u32(topic_id.len() as u32);
            record.u32(text.len() as u32);
            record.bytes(topic_id.as_bytes());
            record.bytes(text.as_bytes());
        })
    }
}

fn pair(connection: ConnectionId) -> (u32, u32) {
    (connection.slot, connection.generation)
}
