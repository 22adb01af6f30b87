//! Judges one batch before it is appended, and rewrites it where the log's settings ask for it.
//!
//! Answers are those of Apache Kafka 4.3 (test/vectors/produce holds its own, and the few places where ours differ on
//! purpose). A client's batch is looked at record by record, compressed or not; memory stays at the window of the
//! codec, plus at most `max.message.bytes` when the records are encoded anew. What that takes is not known from the
//! bytes: `validate_quickly` gives up where it is much.

mod frame;
mod records;

use crate::batch::{
    HEADER_BYTES, Header, INFLATED_MAX_BYTES, LOG_OVERHEAD, Rewriter, Rewritten, Walk, attributes, codec_bits,
    crc_of_parts, verify_crc,
};
use crate::codec::Codec;
use crate::command::Origin;
use crate::config::{CompressionType, TimestampType};
use crate::error::Code;
use bytes::Bytes;
use frame::{bad_crc, check_envelope, check_header, single_batch, too_large};
use records::{Judge, inflater, too_much};

const NO_TIMESTAMP: i64 = -1;
/// Inflated bytes that are looked at quickly: some milliseconds for the slowest codec at most, and of few compressed
/// bytes only as many as clients usually make of them.
const QUICK_BYTES: u64 = 4 << 20;
const QUICK_BYTES_OF_FEW: u64 = 256 << 10;
const QUICK_RATIO: u64 = 16;
/// Bytes that are encoded anew quickly.
const QUICK_REWRITTEN_BYTES: u64 = 64 << 10;

/// What a log asks of its batches.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    pub origin: Origin,
    pub max_message_bytes: u32,
    pub compression_type: CompressionType,
    pub timestamp_type: TimestampType,
    pub before_max_ms: i64,
    pub after_max_ms: i64,
    /// Each record needs a key.
    pub compacted: bool,
}

/// A batch that may be written: `head` then `body`.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// Final but for base offset and leader epoch (`batch::patch`), which stand outside the CRC.
    pub head: [u8; HEADER_BYTES],
    /// The records: a slice of the input, without a copy, unless they were encoded anew.
    pub body: Bytes,
    /// `head`, parsed; its base offset is the one that came in.
    pub header: Header,
    /// The time stamped on the batch, or -1 under CreateTime.
    pub log_append_time: i64,
}

/// Why a batch may not be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    pub code: Code,
    /// Index of the record in its batch and what is wrong with it; empty when the batch as a whole is at fault.
    pub record_errors: Vec<(u32, Code)>,
    pub text: String,
    /// More came out of the records than was looked at.
    too_much: bool,
}

impl Refused {
    fn new(code: Code, text: impl Into<String>) -> Refused {
        Refused { code, record_errors: Vec::new(), text: text.into(), too_much: false }
    }
}

/// Inflated bytes that are looked at, and those of them that are encoded anew.
#[derive(Clone, Copy)]
struct Bounds {
    seen: u64,
    rewritten: u64,
}

const ALL: Bounds = Bounds { seen: INFLATED_MAX_BYTES, rewritten: INFLATED_MAX_BYTES };

/// Judges `batch`, which must be one record batch. From a client, bytes after it that are no whole batch are left
/// out, as Kafka does; from anywhere else they are an error.
pub fn validate(batch: &Bytes, rules: &Rules, now_ms: i64) -> Result<Accepted, Refused> {
    validate_within(ALL, batch, rules, now_ms)
}

/// The same, for a thread that others wait for. None: there is more to look at than that has time for.
pub fn validate_quickly(batch: &Bytes, rules: &Rules, now_ms: i64) -> Option<Result<Accepted, Refused>> {
    let seen = (batch.len() as u64 * QUICK_RATIO).clamp(QUICK_BYTES_OF_FEW, QUICK_BYTES);
    match validate_within(Bounds { seen, rewritten: QUICK_REWRITTEN_BYTES }, batch, rules, now_ms) {
        Err(refused) if refused.too_much => None,
        outcome => Some(outcome),
    }
}

fn validate_within(bounds: Bounds, batch: &Bytes, rules: &Rules, now_ms: i64) -> Result<Accepted, Refused> {
    if rules.origin != Origin::Client {
        return validate_own(batch, rules);
    }
    let total = single_batch(batch)?;
    let batch = batch.slice(..total);
    let header = check_envelope(&batch, rules)?;
    let codec = Codec::from_id(header.codec()).ok_or_else(|| {
        Refused::new(Code::UnknownCodec, format!("codec {} is not known; 0 to 4 are", header.codec()))
    })?;
    check_header(&header)?;
    let body = batch.slice(HEADER_BYTES..);
    let target = match rules.compression_type {
        CompressionType::Producer => codec as i16,
        other => codec_bits(other),
    };
    if target == codec as i16 {
        accept_in_place(bounds.seen, &header, body, codec, rules, now_ms)
    } else {
        accept_rewritten(bounds.rewritten, &header, &body, codec, rules, now_ms)
    }
}

/// A batch that a coordinator, the metadata log's leader or a replica made: its frame and its CRC count, the bytes
/// stay as they are.
fn validate_own(batch: &Bytes, rules: &Rules) -> Result<Accepted, Refused> {
    let header = Header::read(batch).ok_or_else(|| {
        Refused::new(Code::Corrupt, format!("a batch has at least {HEADER_BYTES} bytes, this one {}", batch.len()))
    })?;
    if header.magic != 2 {
        return Err(Refused::new(Code::OldMagic, format!("a batch of format {}; only 2 is written", header.magic)));
    }
    if header.length < 0 || header.total_bytes() != batch.len() {
        return Err(Refused::new(
            Code::Corrupt,
            format!("the batch's length field makes it {} bytes, {} are there", header.total_bytes(), batch.len()),
        ));
    }
    let sized = matches!(rules.origin, Origin::Coordinator | Origin::Marker);
    if sized && batch.len() > rules.max_message_bytes as usize {
        return Err(too_large(batch.len(), rules));
    }
    if header.last_offset_delta < 0 || header.count < 0 {
        return Err(Refused::new(
            Code::Corrupt,
            format!("a last offset delta of {} and {} records", header.last_offset_delta, header.count),
        ));
    }
    if !verify_crc(batch) {
        return Err(bad_crc(&header));
    }
    Ok(kept(&header, batch.slice(HEADER_BYTES..), NO_TIMESTAMP))
}

/// Looks at every record and changes at most the header.
fn accept_in_place(
    bound: u64,
    header: &Header,
    body: Bytes,
    codec: Codec,
    rules: &Rules,
    now_ms: i64,
) -> Result<Accepted, Refused> {
    let mut judge = Judge::new(header, rules, now_ms);
    if codec == Codec::None {
        judge.walk(Walk::new(&body[..], header.count as u32), &mut ())?;
    } else {
        judge.walk(Walk::new(inflater(codec, &body, bound)?, header.count as u32), &mut ())?;
    }
    if codec != Codec::None && !judge.consecutive {
        // Kafka sets out to encode the batch anew here and fails over the keys that it skipped.
        return Err(Refused::new(Code::Internal, "the offset deltas of a compressed batch are not 0, 1, 2 and so on"));
    }
    let stamped = rules.timestamp_type == TimestampType::LogAppendTime;
    let (max_timestamp, log_append_time) = if stamped { (now_ms, now_ms) } else { (judge.max_timestamp, NO_TIMESTAMP) };
    if header.is_log_append_time() == stamped && header.max_timestamp == max_timestamp {
        return Ok(kept(header, body, log_append_time));
    }
    let used = attributes::CODEC_MASK | attributes::TRANSACTIONAL | attributes::CONTROL | attributes::DELETE_HORIZON;
    let mut changed = *header;
    changed.attributes = header.attributes & used | if stamped { attributes::LOG_APPEND_TIME } else { 0 };
    changed.max_timestamp = max_timestamp;
    Ok(sealed(changed, body, log_append_time))
}

/// Looks at every record while encoding it anew for `compression.type`.
fn accept_rewritten(
    bound: u64,
    header: &Header,
    body: &[u8],
    codec: Codec,
    rules: &Rules,
    now_ms: i64,
) -> Result<Accepted, Refused> {
    let internal = |text: String| Refused::new(Code::Internal, text);
    if codec == Codec::None && body.len() as u64 > bound {
        return Err(too_much(bound));
    }
    let limit = (rules.max_message_bytes as usize).saturating_sub(HEADER_BYTES);
    let mut rewriter = Rewriter::new(header, rules.compression_type, limit).map_err(internal)?;
    let mut judge = Judge::new(header, rules, now_ms);
    if codec == Codec::None {
        judge.walk(Walk::new(body, header.count as u32), &mut rewriter)?;
    } else {
        judge.walk(Walk::new(inflater(codec, body, bound)?, header.count as u32), &mut rewriter)?;
    }
    // What Kafka's builder refuses to encode.
    if judge.min_timestamp < NO_TIMESTAMP {
        return Err(internal(format!("a record has the timestamp {}", judge.min_timestamp)));
    }
    let odd_producer = if header.producer_id == -1 {
        header.is_transactional()
    } else {
        header.producer_epoch == -1 || header.base_sequence < 0
    };
    if odd_producer {
        return Err(internal(format!(
            "producer id {}, epoch {} and sequence {} don't go together",
            header.producer_id, header.producer_epoch, header.base_sequence
        )));
    }
    let Rewritten { body, base_timestamp, count } = rewriter.finish().map_err(internal)?;
    let Some(body) = body else {
        return Err(Refused::new(
            Code::TooLarge,
            format!(
                "encoded as the topic asks, the batch is larger than max.message.bytes={}",
                rules.max_message_bytes
            ),
        ));
    };
    let stamped = rules.timestamp_type == TimestampType::LogAppendTime;
    let (max_timestamp, log_append_time) = if stamped { (now_ms, now_ms) } else { (judge.max_timestamp, NO_TIMESTAMP) };
    let written = Header {
        length: (HEADER_BYTES - LOG_OVERHEAD + body.len()) as i32,
        attributes: codec_bits(rules.compression_type)
            | header.attributes & attributes::TRANSACTIONAL
            | if stamped { attributes::LOG_APPEND_TIME } else { 0 },
        last_offset_delta: count - 1,
        base_timestamp,
        max_timestamp,
        count,
        ..*header
    };
    Ok(sealed(written, Bytes::from(body), log_append_time))
}

/// The batch as it came.
fn kept(header: &Header, body: Bytes, log_append_time: i64) -> Accepted {
    let mut head = [0; HEADER_BYTES];
    header.write(&mut head);
    Accepted { head, body, header: *header, log_append_time }
}

/// The batch with another header, whose CRC is computed here.
fn sealed(mut header: Header, body: Bytes, log_append_time: i64) -> Accepted {
    let mut head = [0; HEADER_BYTES];
    header.write(&mut head);
    header.crc = crc_of_parts(&head, &body);
    head[17..21].copy_from_slice(&header.crc.to_be_bytes());
    Accepted { head, body, header, log_append_time }
}
