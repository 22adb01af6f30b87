//! Judges one batch before it is appended, and rewrites it where the log's settings ask for it. Runs on the lane.
//!
//! Answers are those of Apache Kafka 4.3 (test/vectors/produce holds its own, and the few places where ours differ on
//! purpose). A client's batch is looked at record by record, compressed or not; memory stays at the window of the
//! codec, plus at most `max.message.bytes` when the records are encoded anew.

use crate::batch::{
    HEADER_BYTES, Header, INFLATED_MAX_BYTES, Record, Rewriter, Rewritten, Walk, WalkError,
    attributes, codec_bits, crc_of_parts, verify_crc,
};
use crate::codec::{Codec, InflateError, Inflater, Source};
use crate::command::Origin;
use crate::config::{CompressionType, TimestampType};
use crate::error::Code;
use bytes::Bytes;

/// Record errors that are listed; a crafted batch could have hundreds of millions.
const MAX_RECORD_ERRORS: usize = 100_000;
/// Base offset and length: what the length field doesn't count.
const LOG_OVERHEAD: usize = 12;
/// The smallest length that any format of a batch can have.
const MIN_LENGTH: i32 = 14;
/// Where the magic stands.
const MAGIC_AT: usize = 16;
const NO_TIMESTAMP: i64 = -1;

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
}

impl Refused {
    fn new(code: Code, text: impl Into<String>) -> Refused {
        Refused {
            code,
            record_errors: Vec::new(),
            text: text.into(),
        }
    }
}

/// Judges `batch`, which must be one record batch. From a client, bytes after it that are no whole batch are left
/// out, as Kafka does; from anywhere else they are an error.
pub fn validate(batch: &Bytes, rules: &Rules, now_ms: i64) -> Result<Accepted, Refused> {
    if rules.origin != Origin::Client {
        return validate_own(batch, rules);
    }
    let total = single_batch(batch)?;
    let batch = batch.slice(..total);
    let header = check_envelope(&batch, rules)?;
    let codec = Codec::from_id(header.codec()).ok_or_else(|| {
        Refused::new(
            Code::UnknownCodec,
            format!("codec {} is not known; 0 to 4 are", header.codec()),
        )
    })?;
    check_header(&header)?;
    let body = batch.slice(HEADER_BYTES..);
    let target = match rules.compression_type {
        CompressionType::Producer => codec as i16,
        other => codec_bits(other),
    };
    if target == codec as i16 {
        accept_in_place(&header, body, codec, rules, now_ms)
    } else {
        accept_rewritten(&header, &body, codec, rules, now_ms)
    }
}

/// A batch that a coordinator, the metadata log's leader or a replica made: its frame and its CRC count, the bytes
/// stay as they are.
fn validate_own(batch: &Bytes, rules: &Rules) -> Result<Accepted, Refused> {
    let header = Header::read(batch).ok_or_else(|| {
        Refused::new(
            Code::Corrupt,
            format!(
                "a batch has at least {HEADER_BYTES} bytes, this one {}",
                batch.len()
            ),
        )
    })?;
    if header.magic != 2 {
        return Err(Refused::new(
            Code::OldMagic,
            format!("a batch of format {}; only 2 is written", header.magic),
        ));
    }
    if header.length < 0 || header.total_bytes() != batch.len() {
        return Err(Refused::new(
            Code::Corrupt,
            format!(
                "the batch's length field makes it {} bytes, {} are there",
                header.total_bytes(),
                batch.len()
            ),
        ));
    }
    let sized = matches!(rules.origin, Origin::Coordinator | Origin::Marker);
    if sized && batch.len() > rules.max_message_bytes as usize {
        return Err(too_large(batch.len(), rules));
    }
    if header.last_offset_delta < 0 || header.count < 0 {
        return Err(Refused::new(
            Code::Corrupt,
            format!(
                "a last offset delta of {} and {} records",
                header.last_offset_delta, header.count
            ),
        ));
    }
    if !verify_crc(batch) {
        return Err(bad_crc(&header));
    }
    Ok(kept(&header, batch.slice(HEADER_BYTES..), NO_TIMESTAMP))
}

/// The bytes of the one batch that a client sent.
fn single_batch(bytes: &[u8]) -> Result<usize, Refused> {
    let Some(total) = next_batch(bytes)? else {
        return Err(Refused::new(
            Code::BadRecord,
            format!(
                "no whole record batch in the {} bytes of this partition",
                bytes.len()
            ),
        ));
    };
    if bytes[MAGIC_AT] != 2 {
        return Err(Refused::new(
            Code::BadRecord,
            format!(
                "a batch of format {}; only format 2 is accepted",
                bytes[MAGIC_AT]
            ),
        ));
    }
    if next_batch(&bytes[total..])?.is_some() {
        return Err(Refused::new(
            Code::BadRecord,
            "more than one record batch for this partition; send one",
        ));
    }
    Ok(total)
}

/// Bytes of the batch that begins here; None when it isn't there as a whole.
fn next_batch(bytes: &[u8]) -> Result<Option<usize>, Refused> {
    let Some(length) = bytes.get(8..LOG_OVERHEAD) else {
        return Ok(None);
    };
    let length = i32::from_be_bytes([length[0], length[1], length[2], length[3]]);
    if length < MIN_LENGTH {
        return Err(Refused::new(
            Code::Corrupt,
            format!("a batch's length field says {length}"),
        ));
    }
    match bytes.get(MAGIC_AT) {
        None => return Ok(None),
        Some(0..=2) => {}
        Some(&magic) => {
            return Err(Refused::new(
                Code::Corrupt,
                format!("format {} of a batch doesn't exist", magic as i8),
            ));
        }
    }
    let total = LOG_OVERHEAD + length as usize;
    Ok(if bytes.len() < total {
        None
    } else {
        Some(total)
    })
}

/// Base offset, size, CRC.
fn check_envelope(batch: &[u8], rules: &Rules) -> Result<Header, Refused> {
    let base_offset = i64::from_be_bytes(batch[..8].try_into().expect("eight bytes"));
    if base_offset != 0 {
        return Err(Refused::new(
            Code::BadRecord,
            format!(
                "a produced batch has base offset 0, this one {base_offset}: the broker gives offsets"
            ),
        ));
    }
    if batch.len() > rules.max_message_bytes as usize {
        return Err(too_large(batch.len(), rules));
    }
    let header = Header::read(batch).ok_or_else(|| {
        Refused::new(
            Code::Corrupt,
            format!(
                "a batch has at least {HEADER_BYTES} bytes, this one {}",
                batch.len()
            ),
        )
    })?;
    if !verify_crc(batch) {
        return Err(bad_crc(&header));
    }
    Ok(header)
}

/// Count, flags and sequence.
fn check_header(header: &Header) -> Result<(), Refused> {
    if header.last_offset_delta < 0 {
        return Err(Refused::new(
            Code::BadRecord,
            format!(
                "the last offset delta is {}, so the batch has no offsets",
                header.last_offset_delta
            ),
        ));
    }
    if header.count <= 0 {
        return Err(Refused::new(
            Code::BadRecord,
            format!("a record count of {}", header.count),
        ));
    }
    if header.last_offset_delta as i64 + 1 != header.count as i64 {
        return Err(Refused::new(
            Code::BadRecord,
            format!(
                "{} records, but a last offset delta of {}",
                header.count, header.last_offset_delta
            ),
        ));
    }
    if header.is_control() {
        return Err(Refused::new(
            Code::BadRecord,
            "control records are the broker's to write",
        ));
    }
    if header.has_producer_id() && header.base_sequence < 0 {
        return Err(Refused::new(
            Code::BadRecord,
            format!(
                "producer {} sent the negative sequence {}",
                header.producer_id, header.base_sequence
            ),
        ));
    }
    Ok(())
}

/// Looks at every record and changes at most the header.
fn accept_in_place(
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
        judge.walk(
            Walk::new(inflater(codec, &body)?, header.count as u32),
            &mut (),
        )?;
    }
    if codec != Codec::None && !judge.consecutive {
        // Kafka sets out to encode the batch anew here and fails over the keys that it skipped.
        return Err(Refused::new(
            Code::Internal,
            "the offset deltas of a compressed batch are not 0, 1, 2 and so on",
        ));
    }
    let stamped = rules.timestamp_type == TimestampType::LogAppendTime;
    let (max_timestamp, log_append_time) = if stamped {
        (now_ms, now_ms)
    } else {
        (judge.max_timestamp, NO_TIMESTAMP)
    };
    if header.is_log_append_time() == stamped && header.max_timestamp == max_timestamp {
        return Ok(kept(header, body, log_append_time));
    }
    let used = attributes::CODEC_MASK
        | attributes::TRANSACTIONAL
        | attributes::CONTROL
        | attributes::DELETE_HORIZON;
    let mut changed = *header;
    changed.attributes = header.attributes & used
        | if stamped {
            attributes::LOG_APPEND_TIME
        } else {
            0
        };
    changed.max_timestamp = max_timestamp;
    Ok(sealed(changed, body, log_append_time))
}

/// Looks at every record while encoding it anew for `compression.type`.
fn accept_rewritten(
    header: &Header,
    body: &[u8],
    codec: Codec,
    rules: &Rules,
    now_ms: i64,
) -> Result<Accepted, Refused> {
    let internal = |text: String| Refused::new(Code::Internal, text);
    let limit = (rules.max_message_bytes as usize).saturating_sub(HEADER_BYTES);
    let mut rewriter = Rewriter::new(header, rules.compression_type, limit).map_err(internal)?;
    let mut judge = Judge::new(header, rules, now_ms);
    if codec == Codec::None {
        judge.walk(Walk::new(body, header.count as u32), &mut rewriter)?;
    } else {
        judge.walk(
            Walk::new(inflater(codec, body)?, header.count as u32),
            &mut rewriter,
        )?;
    }
    // What Kafka's builder refuses to encode.
    if judge.min_timestamp < NO_TIMESTAMP {
        return Err(internal(format!(
            "a record has the timestamp {}",
            judge.min_timestamp
        )));
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
    let Rewritten {
        body,
        base_timestamp,
        count,
    } = rewriter.finish().map_err(internal)?;
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
    let (max_timestamp, log_append_time) = if stamped {
        (now_ms, now_ms)
    } else {
        (judge.max_timestamp, NO_TIMESTAMP)
    };
    let written = Header {
        length: (HEADER_BYTES - LOG_OVERHEAD + body.len()) as i32,
        attributes: codec_bits(rules.compression_type)
            | header.attributes & attributes::TRANSACTIONAL
            | if stamped {
                attributes::LOG_APPEND_TIME
            } else {
                0
            },
        last_offset_delta: count - 1,
        base_timestamp,
        max_timestamp,
        count,
        ..*header
    };
    Ok(sealed(written, Bytes::from(body), log_append_time))
}

/// What the records of a client's batch come to.
struct Judge<'a> {
    header: &'a Header,
    rules: &'a Rules,
    now_ms: i64,
    max_timestamp: i64,
    min_timestamp: i64,
    /// Each record's offset delta is its index.
    consecutive: bool,
    errors: Vec<(u32, Code)>,
    error_count: u64,
    /// Text about the first error.
    first_error: String,
}

impl<'a> Judge<'a> {
    fn new(header: &'a Header, rules: &'a Rules, now_ms: i64) -> Judge<'a> {
        Judge {
            header,
            rules,
            now_ms,
            max_timestamp: NO_TIMESTAMP,
            min_timestamp: i64::MAX,
            consecutive: true,
            errors: Vec::new(),
            error_count: 0,
            first_error: String::new(),
        }
    }

    fn walk<S: Source, T: crate::batch::Tee>(
        &mut self,
        mut walk: Walk<S>,
        tee: &mut T,
    ) -> Result<(), Refused> {
        loop {
            match walk.next(tee) {
                Ok(Some(record)) => self.record(&record),
                Ok(None) => return self.verdict(),
                Err(WalkError::Shape(text)) => return Err(Refused::new(Code::BadRecord, text)),
                Err(WalkError::Inflate(error)) => return Err(not_inflated(error)),
            }
        }
    }

    #[inline]
    fn record(&mut self, record: &Record) {
        let timestamp = self.header.timestamp_of(record.timestamp_delta);
        self.max_timestamp = self.max_timestamp.max(timestamp);
        self.min_timestamp = self.min_timestamp.min(timestamp);
        self.consecutive &= record.offset_delta as i64 == record.index as i64;
        if self.rules.compacted && !record.has_key {
            self.error(record.index, Code::BadRecord, || {
                "has no key, and the topic is compacted".to_owned()
            });
        } else if self.rules.timestamp_type == TimestampType::CreateTime
            && timestamp != NO_TIMESTAMP
        {
            // Wrapping, as in Java: the far ends of the range count as what they wrap to.
            let age = self.now_ms.wrapping_sub(timestamp);
            if age > self.rules.before_max_ms || age.wrapping_neg() > self.rules.after_max_ms {
                let (now, before, after) = (
                    self.now_ms,
                    self.rules.before_max_ms,
                    self.rules.after_max_ms,
                );
                self.error(record.index, Code::BadTimestamp, || {
                    format!(
                        "has timestamp {timestamp}, outside of {} to {}",
                        now.saturating_sub(before),
                        now.saturating_add(after)
                    )
                });
            }
        } else if self.header.is_log_append_time() {
            self.error(record.index, Code::BadTimestamp, || {
                "comes in a batch marked LogAppendTime, which is the broker's to set".to_owned()
            });
        }
    }

    #[cold]
    fn error(&mut self, index: u32, code: Code, text: impl FnOnce() -> String) {
        self.error_count += 1;
        if self.errors.is_empty() {
            self.first_error = format!("record {index} {}", text());
        }
        if self.errors.len() < MAX_RECORD_ERRORS {
            self.errors.push((index, code));
        }
    }

    fn verdict(&mut self) -> Result<(), Refused> {
        if self.errors.is_empty() {
            return Ok(());
        }
        let code = if self
            .errors
            .iter()
            .any(|(_, code)| *code == Code::BadTimestamp)
        {
            Code::BadTimestamp
        } else {
            Code::BadRecord
        };
        let mut text = std::mem::take(&mut self.first_error);
        if self.error_count > 1 {
            text = format!("{text} (the first of {} errors)", self.error_count);
        }
        Err(Refused {
            code,
            record_errors: std::mem::take(&mut self.errors),
            text,
        })
    }
}

fn inflater(codec: Codec, body: &[u8]) -> Result<Inflater<'_>, Refused> {
    Inflater::new(codec, body, INFLATED_MAX_BYTES).map_err(not_inflated)
}

fn not_inflated(error: InflateError) -> Refused {
    let code = match error {
        InflateError::Broken(_) => Code::Internal,
        InflateError::TooMuch(_) => Code::TooLarge,
    };
    Refused::new(code, error.to_string())
}

fn too_large(bytes: usize, rules: &Rules) -> Refused {
    Refused::new(
        Code::TooLarge,
        format!(
            "the batch has {bytes} bytes, more than max.message.bytes={}",
            rules.max_message_bytes
        ),
    )
}

fn bad_crc(header: &Header) -> Refused {
    Refused::new(
        Code::Corrupt,
        format!(
            "the batch's checksum {:#010x} is not that of its bytes",
            header.crc
        ),
    )
}

/// The batch as it came.
fn kept(header: &Header, body: Bytes, log_append_time: i64) -> Accepted {
    let mut head = [0; HEADER_BYTES];
    header.write(&mut head);
    Accepted {
        head,
        body,
        header: *header,
        log_append_time,
    }
}

/// The batch with another header, whose CRC is computed here.
fn sealed(mut header: Header, body: Bytes, log_append_time: i64) -> Accepted {
    let mut head = [0; HEADER_BYTES];
    header.write(&mut head);
    header.crc = crc_of_parts(&head, &body);
    head[17..21].copy_from_slice(&header.crc.to_be_bytes());
    Accepted {
        head,
        body,
        header,
        log_append_time,
    }
}
