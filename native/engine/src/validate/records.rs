//! The records of a client's batch, judged one by one while they are walked.

use super::{NO_TIMESTAMP, Refused, Rules};
use crate::batch::{Header, Record, Tee, Walk, WalkError};
use crate::codec::{Codec, InflateError, Inflater, Source};
use crate::config::TimestampType;
use crate::error::Code;

/// Record errors that are listed; a crafted batch could have hundreds of millions.
const MAX_RECORD_ERRORS: usize = 100_000;

/// What the records of a client's batch come to.
pub struct Judge<'a> {
    header: &'a Header,
    rules: &'a Rules,
    now_ms: i64,
    pub max_timestamp: i64,
    pub min_timestamp: i64,
    /// Each record's offset delta is its index.
    pub consecutive: bool,
    errors: Vec<(u32, Code)>,
    error_count: u64,
    /// Text about the first error.
    first_error: String,
}

impl<'a> Judge<'a> {
    pub fn new(header: &'a Header, rules: &'a Rules, now_ms: i64) -> Judge<'a> {
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

    pub fn walk<S: Source, T: Tee>(&mut self, mut walk: Walk<S>, tee: &mut T) -> Result<(), Refused> {
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
            self.error(record.index, Code::BadRecord, || "has no key, and the topic is compacted".to_owned());
        } else if self.rules.timestamp_type == TimestampType::CreateTime && timestamp != NO_TIMESTAMP {
            // Wrapping, as in Java: the far ends of the range count as what they wrap to.
            let age = self.now_ms.wrapping_sub(timestamp);
            if age > self.rules.before_max_ms || age.wrapping_neg() > self.rules.after_max_ms {
                let (now, before, after) = (self.now_ms, self.rules.before_max_ms, self.rules.after_max_ms);
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
        let code = if self.errors.iter().any(|(_, code)| *code == Code::BadTimestamp) {
            Code::BadTimestamp
        } else {
            Code::BadRecord
        };
        let mut text = std::mem::take(&mut self.first_error);
        if self.error_count > 1 {
            text = format!("{text} (the first of {} errors)", self.error_count);
        }
        Err(Refused { record_errors: std::mem::take(&mut self.errors), ..Refused::new(code, text) })
    }
}

/// `bound`: bytes that may come out.
pub fn inflater(codec: Codec, body: &[u8], bound: u64) -> Result<Inflater<'_>, Refused> {
    Inflater::new(codec, body, bound).map_err(not_inflated)
}

fn not_inflated(error: InflateError) -> Refused {
    match error {
        InflateError::Broken(text) => Refused::new(Code::Internal, text),
        InflateError::TooMuch(bound) => too_much(bound),
    }
}

pub fn too_much(bound: u64) -> Refused {
    Refused { too_much: true, ..Refused::new(Code::TooLarge, InflateError::TooMuch(bound).to_string()) }
}
