//! Logs that this environment's thread owns itself: `openLog`'s. One call for each append, and nothing made for it but
//! the number that it returns.
//!
//! Invariants: a failed append answers -1 and leaves why to be asked for (`mappedFailure`). Readers and syncs see what
//! was appended before the next `turn`.

use crate::calls::{answer, gone, on};
use crate::{raw, runtime};
use bytes::Bytes;
use napi::bindgen_prelude::*;
use napi::sys;
use napi_derive::napi;
use odradek_engine::command::{Answer, CleanLog, Failure, LogRef};
use odradek_engine::error::Code;
use odradek_engine::mapped::{MappedLog, Marks, Packed, Writer};
use std::collections::BTreeMap;

/// The logs that one runtime's thread owns.
#[derive(Default)]
pub struct MappedLogs {
    logs: BTreeMap<u32, Owned>,
    next: u32,
}

struct Owned {
    log: MappedLog,
    failure: Option<Failure>,
}

impl MappedLogs {
    /// Lets readers and syncs see what was appended.
    pub fn settle(&mut self) {
        for owned in self.logs.values_mut() {
            owned.log.settle();
        }
    }

    pub fn give_all_back(&mut self) {
        for (_, owned) in std::mem::take(&mut self.logs) {
            owned.log.give_back();
        }
    }
}

/// What `act` gives, or -1.
fn append(
    number: u32,
    log: u32,
    act: impl FnOnce(&mut MappedLog) -> std::result::Result<i64, Failure>,
) -> std::result::Result<f64, String> {
    runtime::with(number, |runtime| {
        let owned = runtime.mapped.logs.get_mut(&log).ok_or("the log is closed")?;
        Ok(act(&mut owned.log).map_or_else(
            |failure| {
                owned.failure = Some(failure);
                -1.0
            },
            |offset| offset as f64,
        ))
    })
    .unwrap_or_else(|| Err(gone()))
}

/// mappedAppend(runtime, log, value, length, nowMs): number. `length` -1: no value.
pub unsafe extern "C" fn mapped_append(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: the values are those of this call, and the memory is not kept.
    unsafe {
        let [number, log, value, length, now_ms] = raw::arguments(env, info);
        let (number, log) = (raw::u32(env, number), raw::u32(env, log));
        let (length, now_ms) = (raw::f64(env, length), raw::f64(env, now_ms) as i64);
        let memory = if length < 0.0 { None } else { raw::memory(env, value) };
        answer(env, || {
            let value = match memory {
                None if length < 0.0 => None,
                Some((start, have)) if length as usize <= have => {
                    Some(std::slice::from_raw_parts(start, length as usize))
                }
                _ => return Err("value must be a Uint8Array of at least its length".into()),
            };
            append(number, log, |log| log.append(None, value, now_ms, now_ms))
        })
    }
}

/// mappedAppendRecord(runtime, log, key | null, value | null, timestamp, nowMs): number
pub unsafe extern "C" fn mapped_append_record(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: the values are those of this call, and the memory is not kept.
    unsafe {
        let [number, log, key, value, timestamp, now_ms] = raw::arguments(env, info);
        let (number, log) = (raw::u32(env, number), raw::u32(env, log));
        let (timestamp, now_ms) = (raw::f64(env, timestamp) as i64, raw::f64(env, now_ms) as i64);
        let slice = |value| raw::memory(env, value).map(|(start, length)| std::slice::from_raw_parts(start, length));
        let (key, value) = (slice(key), slice(value));
        answer(env, || append(number, log, |log| log.append(key, value, timestamp, now_ms)))
    }
}

/// mappedAppendPacked(runtime, log, bytes, ends, nowMs): number
pub unsafe extern "C" fn mapped_append_packed(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: the values are those of this call, and neither memory is kept.
    unsafe {
        let [number, log, bytes, ends, now_ms] = raw::arguments(env, info);
        let (number, log, now_ms) = (raw::u32(env, number), raw::u32(env, log), raw::f64(env, now_ms) as i64);
        let (bytes, ends) = (raw::memory(env, bytes), raw::words(env, ends));
        answer(env, || {
            let (bytes, length) = bytes.ok_or("packed must be a Uint8Array")?;
            let (ends, count) = ends.ok_or("ends must be a Uint32Array")?;
            // A copy: one that another thread changes in between must not be read twice.
            let ends = std::slice::from_raw_parts(ends, count).to_vec();
            let values = Packed::new(std::slice::from_raw_parts(bytes, length), &ends)
                .ok_or("ends must ascend and lie inside of packed")?;
            append(number, log, |log| log.append_packed(values, now_ms))
        })
    }
}

/// mappedAppendBatch(runtime, log, batch, nowMs): number
pub unsafe extern "C" fn mapped_append_batch(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: the values are those of this call, and the memory is copied.
    unsafe {
        let [number, log, batch, now_ms] = raw::arguments(env, info);
        let (number, log, now_ms) = (raw::u32(env, number), raw::u32(env, log), raw::f64(env, now_ms) as i64);
        let batch = raw::memory(env, batch);
        answer(env, || {
            let (start, length) = batch.ok_or("batch must be a Uint8Array")?;
            let batch = Bytes::copy_from_slice(std::slice::from_raw_parts(start, length));
            append(number, log, |log| log.append_batch(batch, now_ms))
        })
    }
}

/// mappedRead(runtime, log, from, maxBytes, into): number. Bytes put there, 0 at the end, -1 for a failure, and below
/// that: the first batch needs so many bytes, negated.
pub unsafe extern "C" fn mapped_read(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: the values are those of this call, and the memory is not kept.
    unsafe {
        let [number, log, from, max_bytes, into] = raw::arguments(env, info);
        let (number, log) = (raw::u32(env, number), raw::u32(env, log));
        let (from, max_bytes) = (raw::f64(env, from) as i64, raw::u32(env, max_bytes));
        let into = raw::memory(env, into);
        answer(env, || {
            let (start, length) = into.ok_or("into must be a Uint8Array")?;
            append(number, log, |log| {
                Ok(match log.read(from, max_bytes)? {
                    None => 0,
                    Some(bytes) if bytes.len() > length => -(bytes.len() as i64),
                    Some(bytes) => {
                        std::slice::from_raw_parts_mut(start, bytes.len()).copy_from_slice(&bytes);
                        bytes.len() as i64
                    }
                })
            })
        })
    }
}

#[napi(object)]
pub struct MarksAnswer {
    pub code: u32,
    pub text: String,
    pub start: f64,
    pub end: f64,
    pub synced: f64,
    pub bytes: f64,
}

fn marks(outcome: std::result::Result<Marks, Failure>) -> MarksAnswer {
    match outcome {
        Ok(marks) => MarksAnswer {
            code: Code::Ok as u32,
            text: String::new(),
            start: marks.start as f64,
            end: marks.end as f64,
            synced: marks.synced as f64,
            bytes: marks.bytes as f64,
        },
        Err(failure) => {
            MarksAnswer { code: failure.code as u32, text: failure.text, start: 0.0, end: 0.0, synced: 0.0, bytes: 0.0 }
        }
    }
}

fn with_log<T>(number: u32, log: u32, act: impl FnOnce(&mut Owned) -> T) -> Result<T> {
    on(number, |runtime| runtime.mapped.logs.get_mut(&log).map(act))?
        .ok_or_else(|| Error::from_reason("the log is closed"))
}

/// Takes an open log out of the engine's hands into this thread's; its number among those, or 0: it isn't open.
/// `writer`: 0 as measurements say, 1 the map, 2 writes.
#[napi]
pub fn take_log(runtime: u32, slot: u32, generation: u32, writer: u32) -> Result<u32> {
    let writer = match writer {
        0 => Writer::Chosen,
        1 => Writer::Map,
        _ => Writer::Write,
    };
    on(runtime, |runtime| {
        let Some(log) = MappedLog::take(runtime.engine(), LogRef { slot, generation }, writer) else { return 0 };
        let mapped = &mut runtime.mapped;
        mapped.next += 1;
        mapped.logs.insert(mapped.next, Owned { log, failure: None });
        mapped.next
    })
}

/// The engine has it again. Nothing happens when it had it already.
#[napi]
pub fn give_log_back(runtime: u32, log: u32) -> Result<()> {
    on(runtime, |runtime| {
        if let Some(owned) = runtime.mapped.logs.remove(&log) {
            owned.log.give_back();
        }
    })
}

/// Why the last append that answered -1 was refused.
#[napi]
pub fn mapped_failure(runtime: u32, log: u32) -> Result<MarksAnswer> {
    with_log(runtime, log, |owned| {
        let unknown = || Failure { code: Code::Internal, text: "no append has failed".into() };
        marks(Err(owned.failure.take().unwrap_or_else(unknown)))
    })
}

#[napi]
pub fn mapped_marks(runtime: u32, log: u32) -> Result<MarksAnswer> {
    with_log(runtime, log, |owned| marks(Ok(owned.log.marks())))
}

/// Asks for everything to be on disk; the ticket is answered then.
#[napi]
pub fn mapped_sync(runtime: u32, log: u32, ticket: u32) -> Result<()> {
    with_log(runtime, log, |owned| owned.log.sync(ticket))
}

/// The same, waited for here.
#[napi]
pub fn mapped_sync_now(runtime: u32, log: u32) -> Result<MarksAnswer> {
    with_log(runtime, log, |owned| {
        let outcome = owned.log.sync_now();
        marks(outcome.map(|()| owned.log.marks()))
    })
}

/// Offset of the first record at or after the timestamp, as `end`; -1: there is none.
#[napi]
pub fn mapped_find(runtime: u32, log: u32, timestamp: f64) -> Result<MarksAnswer> {
    with_log(runtime, log, |owned| {
        let found = owned.log.find(timestamp as i64);
        marks(found.map(|found| Marks { end: found.unwrap_or(-1), ..owned.log.marks() }))
    })
}

/// Records below the offset count as deleted.
#[napi]
pub fn mapped_trim(runtime: u32, log: u32, before: f64, now_ms: f64) -> Result<MarksAnswer> {
    with_log(runtime, log, |owned| marks(owned.log.trim(before as i64, now_ms as i64)))
}

/// Retention, and what else comes due with time.
#[napi]
pub fn mapped_tend(runtime: u32, log: u32, now_ms: f64) -> Result<MarksAnswer> {
    with_log(runtime, log, |owned| marks(owned.log.tend(now_ms as i64)))
}

#[napi(object)]
pub struct DirtAnswer {
    pub code: u32,
    pub text: String,
    pub clean_bytes: f64,
    pub dirty_bytes: f64,
    pub overdue_ms: f64,
}

/// What a pass of compaction would find.
#[napi]
pub fn mapped_dirt(runtime: u32, log: u32, now_ms: f64) -> Result<DirtAnswer> {
    with_log(runtime, log, |owned| match owned.log.dirt(now_ms as i64) {
        Ok(Answer::Dirt { clean_bytes, dirty_bytes, overdue_ms }) => DirtAnswer {
            code: Code::Ok as u32,
            text: String::new(),
            clean_bytes: clean_bytes as f64,
            dirty_bytes: dirty_bytes as f64,
            overdue_ms: overdue_ms as f64,
        },
        other => {
            let unknown = || Failure { code: Code::Internal, text: "an answer that is none".into() };
            let Failure { code, text } = other.err().unwrap_or_else(unknown);
            DirtAnswer { code: code as u32, text, clean_bytes: 0.0, dirty_bytes: 0.0, overdue_ms: 0.0 }
        }
    })
}

#[napi(object)]
pub struct CleanRequest {
    pub now_ms: f64,
    pub map_bytes: f64,
    pub load_factor: f64,
    pub buffer_bytes: u32,
    pub bytes_per_second: f64,
}

/// Begins a pass. The ticket is answered when it comes with an errand, or can't begin.
#[napi]
pub fn mapped_clean(runtime: u32, log: u32, ticket: u32, request: CleanRequest) -> Result<()> {
    with_log(runtime, log, |owned| {
        let request = CleanLog {
            log: owned.log.log(),
            ticket,
            limit: i64::MAX,
            now_ms: request.now_ms as i64,
            map_bytes: request.map_bytes as u64,
            load_factor: request.load_factor,
            buffer_bytes: request.buffer_bytes,
            bytes_per_second: request.bytes_per_second,
        };
        owned.log.clean(request);
    })
}

#[napi(object)]
pub struct ErrandAnswer {
    /// Of the pass, when it is over.
    pub code: u32,
    pub text: String,
    pub over: bool,
    pub cleaned_to: f64,
    pub read_bytes: f64,
    pub written_bytes: f64,
    pub keyless_records: f64,
}

/// Does the errand of the pass that has come with one; unless it is over, it is to be sent on.
#[napi]
pub fn mapped_errand(runtime: u32, log: u32) -> Result<ErrandAnswer> {
    with_log(runtime, log, |owned| {
        let (over, code, text, info) = match owned.log.errand() {
            None => (false, Code::Ok, String::new(), Default::default()),
            Some(Ok(info)) => (true, Code::Ok, String::new(), info),
            Some(Err(failure)) => (true, failure.code, failure.text, Default::default()),
        };
        ErrandAnswer {
            code: code as u32,
            text,
            over,
            cleaned_to: info.cleaned_to as f64,
            read_bytes: info.read_bytes as f64,
            written_bytes: info.written_bytes as f64,
            keyless_records: info.keyless_records as f64,
        }
    })
}

/// The pass goes on; the ticket is answered at its next errand.
#[napi]
pub fn mapped_go_on(runtime: u32, log: u32, ticket: u32) -> Result<()> {
    with_log(runtime, log, |owned| owned.log.go_on(ticket))
}
