//! Calls that need no runtime and keep nothing: the codecs of record batches, a hash, regular expressions.

use napi::bindgen_prelude::*;
use napi_derive::napi;
use odradek_engine::codec::{Codec, Deflater, InflateError, Inflater, Source};
use odradek_engine::config::CompressionType;
use odradek_engine::error::Code;
use odradek_regex::Pattern;
use std::panic::{AssertUnwindSafe, catch_unwind};

fn guarded<T>(act: impl FnOnce() -> T) -> Result<T> {
    catch_unwind(AssertUnwindSafe(act)).map_err(|_| Error::from_reason("a panic in native code"))
}

#[napi(object, object_from_js = false)]
pub struct BytesAnswer<'env> {
    pub code: u32,
    pub text: String,
    pub bytes: Uint8ArraySlice<'env>,
}

impl<'env> BytesAnswer<'env> {
    fn new(env: &'env Env, outcome: std::result::Result<Vec<u8>, (Code, String)>) -> Result<BytesAnswer<'env>> {
        let (code, text, bytes) = match outcome {
            Ok(bytes) => (Code::Ok, String::new(), bytes),
            Err((code, text)) => (code, text, Vec::new()),
        };
        // Copied: a buffer that the runtime itself made works everywhere and costs less.
        Ok(BytesAnswer { code: code as u32, text, bytes: Uint8ArraySlice::copy_from(env, bytes)? })
    }
}

fn unknown_codec(codec: u32) -> (Code, String) {
    (Code::UnknownCodec, format!("there is no codec {codec}"))
}

fn inflated(codec: u32, bytes: &[u8], max_bytes: u64) -> std::result::Result<Vec<u8>, (Code, String)> {
    let known = u8::try_from(codec).ok().and_then(Codec::from_id).ok_or_else(|| unknown_codec(codec))?;
    let failed = |error: InflateError| match error {
        InflateError::Broken(_) => (Code::Corrupt, error.to_string()),
        InflateError::TooMuch(_) => (Code::TooLarge, error.to_string()),
    };
    let mut source = Inflater::new(known, bytes, max_bytes).map_err(failed)?;
    let mut all = Vec::new();
    loop {
        let window = source.window().map_err(failed)?;
        if window.is_empty() {
            return Ok(all);
        }
        if (all.len() + window.len()) as u64 > max_bytes {
            return Err(failed(InflateError::TooMuch(max_bytes)));
        }
        all.extend_from_slice(window);
        let length = window.len();
        source.consume(length);
    }
}

/// The records of a batch inflated, up to `max_bytes` of them. `codec`: as bits 0-2 of the batch's attributes name it.
#[napi]
pub fn decompress<'env>(
    env: &'env Env,
    codec: u32,
    bytes: Uint8ArraySlice<'_>,
    max_bytes: f64,
) -> Result<BytesAnswer<'env>> {
    let outcome = guarded(|| inflated(codec, &bytes, max_bytes as u64))?;
    BytesAnswer::new(env, outcome)
}

fn deflated(codec: u32, level: i32, bytes: &[u8]) -> std::result::Result<Vec<u8>, (Code, String)> {
    let target = match codec {
        0 => CompressionType::Uncompressed,
        1 => CompressionType::Gzip { level: level.min(9) },
        2 => CompressionType::Snappy,
        3 => CompressionType::Lz4 { level },
        4 => CompressionType::Zstd { level },
        _ => return Err(unknown_codec(codec)),
    };
    let internal = |text: String| (Code::Internal, text);
    let mut encoder = Deflater::new(target, usize::MAX).map_err(internal)?;
    encoder.write(bytes).map_err(internal)?;
    Ok(encoder.finish().map_err(internal)?.unwrap_or_default())
}

/// Bytes through a codec of record batches. `level`: the codec's own; those that have none pass it over.
#[napi]
pub fn compress<'env>(env: &'env Env, codec: u32, level: i32, bytes: Uint8ArraySlice<'_>) -> Result<BytesAnswer<'env>> {
    let outcome = guarded(|| deflated(codec, level, &bytes))?;
    BytesAnswer::new(env, outcome)
}

/// XXH3, 64 bits, seed 0.
#[napi]
pub fn xxh3(bytes: Uint8ArraySlice<'_>) -> BigInt {
    BigInt::from(twox_hash::XxHash3_64::oneshot(&bytes))
}

/// What is wrong with a subscription's regular expression; empty: nothing.
#[napi]
pub fn check_regex(pattern: String) -> Result<String> {
    guarded(|| Pattern::new(&pattern).err().unwrap_or_default())
}

#[napi(object, object_from_js = false)]
pub struct MatchAnswer<'env> {
    /// Empty on success.
    pub error: String,
    pub indices: Uint32ArraySlice<'env>,
}

/// The indices of the names, one a line, that a regular expression matches whole.
#[napi]
pub fn match_regex<'env>(env: &'env Env, pattern: String, lines: String) -> Result<MatchAnswer<'env>> {
    let outcome = guarded(|| {
        let names = lines.as_bytes().split(|byte| *byte == b'\n');
        Pattern::new(&pattern)?.matching(names).map_err(|error| error.to_string())
    })?;
    let (error, indices) = match outcome {
        Ok(indices) => (String::new(), indices),
        Err(error) => (error, Vec::new()),
    };
    Ok(MatchAnswer { error, indices: Uint32ArraySlice::copy_from(env, indices)? })
}
