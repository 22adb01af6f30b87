//! The inspection of log directories from outside, as one call for the `log` commands.

use napi::bindgen_prelude::*;
use napi_derive::napi;
use odradek_engine::inspect::{Mode, Request, run};
use odradek_engine::vfs::VfsKind;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Characters of JSON lines that JavaScript gets at once.
const CHUNK: usize = 64 * 1024;

#[napi(object, object_to_js = false)]
pub struct InspectRequest {
    /// dump, verify, plan or repair.
    pub mode: String,
    pub paths: Vec<String>,
    pub deep: bool,
    pub records: bool,
    pub from: f64,
    pub to: f64,
    pub accept_loss: bool,
}

fn mode(name: &str) -> Result<Mode> {
    match name {
        "dump" => Ok(Mode::Dump),
        "verify" => Ok(Mode::Verify),
        "plan" => Ok(Mode::Plan),
        "repair" => Ok(Mode::Repair),
        other => Err(Error::from_reason(format!("there is no inspection {other:?}"))),
    }
}

/// Reads log directories and hands JSON lines to `take`, many at once, until it answers false. On the calling thread,
/// however long that takes. What it returns is empty, or says which path or step failed.
#[napi]
pub fn inspect(request: InspectRequest, take: Function<'_, String, bool>) -> Result<String> {
    let request = Request {
        mode: mode(&request.mode)?,
        paths: request.paths,
        deep: request.deep,
        records: request.records,
        from: request.from as i64,
        to: request.to as i64,
        accept_loss: request.accept_loss,
    };
    let mut chunk = String::new();
    let mut thrown: Option<Error> = None;
    let mut hand = |chunk: &mut String| match take.call(std::mem::take(chunk)) {
        Ok(more) => more,
        Err(error) => {
            thrown = Some(error);
            false
        }
    };
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        run(&*VfsKind::Posix.open(), &request, &mut |line| {
            chunk.push_str(&line);
            chunk.push('\n');
            chunk.len() < CHUNK || hand(&mut chunk)
        })
    }));
    if !chunk.is_empty() {
        hand(&mut chunk);
    }
    if let Some(error) = thrown {
        return Err(error);
    }
    match outcome {
        Ok(outcome) => Ok(outcome.err().unwrap_or_default()),
        Err(_) => Err(Error::from_reason("a panic in native code")),
    }
}
