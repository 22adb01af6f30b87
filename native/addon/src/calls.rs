//! What JavaScript can call. `src/native/binding.ts` declares the same functions.

use crate::{mapped, raw, runtime};
use napi::bindgen_prelude::*;
use napi::sys;
use napi_derive::napi;
use odradek_engine::driver::Role;
use odradek_engine::error::Code;
use odradek_reactor as net;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::Ordering;
use std::time::Duration;

#[napi(module_exports)]
pub fn export_raw(exports: Object, env: Env) -> Result<()> {
    let (env, exports) = (env.raw(), exports.raw());
    // SAFETY: both are those of the initialisation under way.
    unsafe {
        raw::export(env, exports, c"turn", turn)?;
        raw::export(env, exports, c"stage", stage)?;
        raw::export(env, exports, c"copyOut", copy_out)?;
        raw::export(env, exports, c"mappedAppend", mapped::mapped_append)?;
        raw::export(env, exports, c"mappedAppendRecord", mapped::mapped_append_record)?;
        raw::export(env, exports, c"mappedAppendPacked", mapped::mapped_append_packed)?;
        raw::export(env, exports, c"mappedAppendBatch", mapped::mapped_append_batch)?;
        raw::export(env, exports, c"mappedRead", mapped::mapped_read)
    }
}

/// Runs a raw call: what it returns becomes a number, its failure or panic an error.
///
/// # Safety
/// `env` is that of the call under way.
pub unsafe fn answer(env: sys::napi_env, act: impl FnOnce() -> std::result::Result<f64, String>) -> sys::napi_value {
    let outcome = catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
        Err(format!("a panic in native code: {text}"))
    });
    // SAFETY: by this function's contract.
    unsafe {
        match outcome {
            Ok(value) => raw::number(env, value),
            Err(text) => raw::throw(env, &text),
        }
    }
}

pub fn gone() -> String {
    "the runtime is closed".into()
}

/// turn(runtime, outbox, length, inbox): number
unsafe extern "C" fn turn(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: the values are those of this call; the two memories are used one after the other and not kept.
    unsafe {
        let [number, outbox, length, inbox] = raw::arguments(env, info);
        let (number, length) = (raw::u32(env, number), raw::u32(env, length) as usize);
        let (outbox, inbox) = (raw::memory(env, outbox), raw::memory(env, inbox));
        answer(env, || {
            let (Some((outbox, outbox_length)), Some((inbox, inbox_length))) = (outbox, inbox) else {
                return Err("outbox and inbox must be Uint8Arrays".into());
            };
            if length > outbox_length {
                return Err("the outbox is shorter than its length".into());
            }
            runtime::with(number, |runtime| {
                runtime.news().counters.native_calls.fetch_add(1, Ordering::Relaxed);
                runtime.dispatch(std::slice::from_raw_parts(outbox, length))?;
                if inbox_length == 0 {
                    return Ok(0.0);
                }
                Ok(runtime.fill(std::slice::from_raw_parts_mut(inbox, inbox_length))? as f64)
            })
            .unwrap_or_else(|| Err(gone()))
        })
    }
}

/// stage(runtime, bytes): handle
unsafe extern "C" fn stage(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: the values are those of this call, and the memory is not kept.
    unsafe {
        let [number, bytes] = raw::arguments(env, info);
        let (number, bytes) = (raw::u32(env, number), raw::memory(env, bytes));
        answer(env, || {
            let (bytes, length) = bytes.ok_or("bytes must be a Uint8Array")?;
            runtime::with(number, |runtime| f64::from(runtime.stage(std::slice::from_raw_parts(bytes, length))))
                .ok_or_else(gone)
        })
    }
}

/// copyOut(runtime, handle, position, into): number
unsafe extern "C" fn copy_out(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    // SAFETY: the values are those of this call, and the memory is not kept.
    unsafe {
        let [number, handle, position, into] = raw::arguments(env, info);
        let (number, handle) = (raw::u32(env, number), raw::u32(env, handle));
        let (position, into) = (raw::f64(env, position), raw::memory(env, into));
        answer(env, || {
            let (into, length) = into.ok_or("into must be a Uint8Array")?;
            runtime::with(number, |runtime| {
                let into = std::slice::from_raw_parts_mut(into, length);
                Ok(runtime.copy_out(handle, position as u64, into)? as f64)
            })
            .unwrap_or_else(|| Err(gone()))
        })
    }
}

pub fn on<T>(number: u32, act: impl FnOnce(&mut runtime::Runtime) -> T) -> Result<T> {
    catch_unwind(AssertUnwindSafe(|| runtime::with(number, act)))
        .map_err(|_| Error::from_reason("a panic in native code"))?
        .ok_or_else(|| Error::from_reason(gone()))
}

/// Starts a runtime for this environment. `wake` is called, on the environment's own thread, when there is news.
#[napi]
pub fn open_runtime(env: Env, wake: Function<'_, (), ()>, manual: bool) -> Result<u32> {
    let number = runtime::open(manual).map_err(|error| Error::from_reason(format!("starting threads: {error}")))?;
    if !manual {
        let mut name = ptr::null_mut();
        let mut function = ptr::null_mut();
        // SAFETY: the values are those of this call. The function is released when the runtime is dropped, before its
        // environment ends: the clean-up hook sees to it.
        unsafe {
            check_status!(sys::napi_create_string_utf8(env.raw(), c"odradek".as_ptr(), 7, &mut name))?;
            check_status!(sys::napi_create_threadsafe_function(
                env.raw(),
                wake.raw(),
                ptr::null_mut(),
                name,
                0,
                1,
                ptr::null_mut(),
                None,
                ptr::null_mut(),
                Some(call_wake),
                &mut function,
            ))?;
            sys::napi_unref_threadsafe_function(env.raw(), function);
        }
        on(number, |runtime| runtime.news().set_function(function))?;
    }
    // SAFETY: the argument is a number and outlives everything.
    unsafe {
        check_status!(sys::napi_add_env_cleanup_hook(env.raw(), Some(environment_ends), number as usize as *mut _))?;
    }
    Ok(number)
}

unsafe extern "C" fn call_wake(
    env: sys::napi_env,
    wake: sys::napi_value,
    _context: *mut std::ffi::c_void,
    _data: *mut std::ffi::c_void,
) {
    if env.is_null() || wake.is_null() {
        return;
    }
    // SAFETY: N-API calls this on the environment's thread with its own values. `wake` catches its own exceptions.
    unsafe {
        let mut undefined = ptr::null_mut();
        sys::napi_get_undefined(env, &mut undefined);
        sys::napi_call_function(env, undefined, wake, 0, ptr::null(), ptr::null_mut());
    }
}

unsafe extern "C" fn environment_ends(number: *mut std::ffi::c_void) {
    // An unwinding panic must not cross the C frame.
    let _ = catch_unwind(|| runtime::close(number as usize as u32));
}

/// Joins the runtime's threads and closes its sockets. Idempotent.
#[napi]
pub fn close_runtime(env: Env, runtime: u32) -> Result<()> {
    // SAFETY: the pair that `open_runtime` has added; removing what is not there does nothing.
    unsafe {
        sys::napi_remove_env_cleanup_hook(env.raw(), Some(environment_ends), runtime as usize as *mut _);
    }
    catch_unwind(|| runtime::close(runtime)).map_err(|_| Error::from_reason("a panic in native code"))
}

/// Whether the runtime keeps its process alive.
#[napi]
pub fn keep_alive(env: Env, runtime: u32, alive: bool) -> Result<()> {
    on(runtime, |runtime| {
        runtime.news().with_function(|function| {
            // SAFETY: the function is alive, and this is its environment's thread.
            unsafe {
                if alive {
                    sys::napi_ref_threadsafe_function(env.raw(), function);
                } else {
                    sys::napi_unref_threadsafe_function(env.raw(), function);
                }
            }
        });
    })
}

#[napi(object)]
pub struct DirectoryAnswer {
    pub code: u32,
    pub text: String,
    pub id: u32,
    pub clean: bool,
    pub broker_epoch: f64,
    pub folders: Vec<String>,
}

#[napi]
pub fn open_directory(runtime: u32, path: String, disk: u32) -> Result<DirectoryAnswer> {
    Ok(match on(runtime, |runtime| runtime.open_directory(&path, disk))? {
        Ok(opened) => DirectoryAnswer {
            code: Code::Ok as u32,
            text: String::new(),
            id: opened.id,
            clean: opened.clean,
            broker_epoch: opened.broker_epoch as f64,
            folders: opened.folders,
        },
        Err(failure) => DirectoryAnswer {
            code: failure.code as u32,
            text: failure.text,
            id: 0,
            clean: false,
            broker_epoch: -1.0,
            folders: Vec::new(),
        },
    })
}

#[napi(object)]
pub struct PlainAnswer {
    pub code: u32,
    pub text: String,
}

/// How many threads open its logs at once.
#[napi]
pub fn set_recovery_threads(runtime: u32, directory: u32, threads: u32) -> Result<PlainAnswer> {
    let outcome = on(runtime, |runtime| runtime.engine().set_recovery_threads(directory, threads as usize))?;
    Ok(match outcome {
        Ok(()) => PlainAnswer { code: Code::Ok as u32, text: String::new() },
        Err(failure) => PlainAnswer { code: failure.code as u32, text: failure.text },
    })
}

#[napi]
pub fn close_directory(runtime: u32, directory: u32, clean: bool, broker_epoch: f64) -> Result<PlainAnswer> {
    let outcome = on(runtime, |runtime| runtime.engine().close_directory(directory, clean, broker_epoch as i64))?;
    Ok(match outcome {
        Ok(()) => PlainAnswer { code: Code::Ok as u32, text: String::new() },
        Err(failure) => PlainAnswer { code: failure.code as u32, text: failure.text },
    })
}

#[napi(object)]
pub struct DirectoryUseAnswer {
    pub code: u32,
    pub text: String,
    pub names: Vec<String>,
    pub sizes: Vec<f64>,
    pub total_bytes: f64,
    pub usable_bytes: f64,
}

/// What the open logs of a directory hold, and the room on its volume; -1 where that isn't known.
#[napi]
pub fn directory_use(runtime: u32, directory: u32) -> Result<DirectoryUseAnswer> {
    let outcome = on(runtime, |runtime| runtime.engine().directory_use(directory))?;
    Ok(match outcome {
        Ok(found) => {
            let (names, sizes) = found.logs.into_iter().map(|(name, size)| (name, size as f64)).unzip();
            let (total_bytes, usable_bytes) =
                found.space.map_or((-1.0, -1.0), |space| (space.total as f64, space.usable as f64));
            DirectoryUseAnswer { code: Code::Ok as u32, text: String::new(), names, sizes, total_bytes, usable_bytes }
        }
        Err(failure) => DirectoryUseAnswer {
            code: failure.code as u32,
            text: failure.text,
            names: Vec::new(),
            sizes: Vec::new(),
            total_bytes: -1.0,
            usable_bytes: -1.0,
        },
    })
}

#[napi]
pub fn create_memory_disk(runtime: u32) -> Result<u32> {
    on(runtime, |runtime| runtime.create_disk())
}

/// Syncs every dirty log, within the time given; false if that failed.
#[napi]
pub fn flush_sync(runtime: u32, timeout_ms: u32) -> Result<bool> {
    on(runtime, |runtime| {
        runtime.mapped.settle();
        runtime.engine().flush_all(u64::from(timeout_ms))
    })
}

/// Manual mode: one task of a role (0 lane, 1 sync, 2 read, 3 background); false if it had none.
#[napi]
pub fn step(runtime: u32, role: u32) -> Result<bool> {
    let role = match role {
        0 => Role::Lane,
        1 => Role::Sync,
        2 => Role::Read,
        3 => Role::Background,
        _ => return Err(Error::from_reason("no such role")),
    };
    on(runtime, |runtime| runtime.step(role))
}

#[napi(object)]
pub struct ListenRequest {
    pub host: String,
    pub port: u16,
    pub backlog: i32,
    pub max_frame_bytes: u32,
    pub overlap_keys: Vec<i32>,
    /// 0: connections may idle for ever.
    pub idle_timeout_ms: f64,
    pub limits: ConnectionLimits,
}

#[napi(object)]
pub struct ConnectionLimits {
    pub of_all: u32,
    pub of_listener: u32,
    pub per_ip: u32,
}

impl From<ConnectionLimits> for net::Limits {
    fn from(limits: ConnectionLimits) -> net::Limits {
        net::Limits { of_all: limits.of_all, of_listener: limits.of_listener, per_ip: limits.per_ip }
    }
}

#[napi(object)]
pub struct ListenAnswer {
    /// The system's name of the error; empty when it listens.
    pub error: String,
    pub text: String,
    pub id: u32,
    pub host: String,
    pub port: u16,
}

#[napi]
pub fn listen(runtime: u32, request: ListenRequest) -> Result<ListenAnswer> {
    let options = net::ListenerOptions {
        max_frame_bytes: request.max_frame_bytes.min(i32::MAX as u32),
        overlap_keys: request.overlap_keys.iter().map(|key| *key as i16).collect(),
        idle_timeout: (request.idle_timeout_ms > 0.0).then(|| Duration::from_millis(request.idle_timeout_ms as u64)),
        limits: request.limits.into(),
    };
    let outcome = on(runtime, |runtime| runtime.listen((&request.host, request.port, request.backlog), options))?;
    Ok(match outcome {
        Ok((id, address)) => ListenAnswer {
            error: String::new(),
            text: String::new(),
            id,
            host: address.ip().to_string(),
            port: address.port(),
        },
        Err(error) => ListenAnswer {
            error: match error.kind() {
                std::io::ErrorKind::AddrInUse => "EADDRINUSE".into(),
                std::io::ErrorKind::AddrNotAvailable => "EADDRNOTAVAIL".into(),
                std::io::ErrorKind::PermissionDenied => "EACCES".into(),
                _ => "ELISTEN".into(),
            },
            text: error.to_string(),
            id: 0,
            host: String::new(),
            port: 0,
        },
    })
}

#[napi]
pub fn limit_listener(runtime: u32, id: u32, limits: ConnectionLimits) -> Result<()> {
    let limit = net::Command::LimitListener { id, limits: limits.into() };
    on(runtime, |runtime| runtime.reactor().map(|reactor| reactor.submit(&mut vec![limit])))?
        .map_err(Error::from_reason)
}

#[napi]
pub fn close_listener(runtime: u32, id: u32) -> Result<()> {
    on(runtime, |runtime| {
        runtime.reactor().map(|reactor| reactor.submit(&mut vec![net::Command::CloseListener { id }]))
    })?
    .map_err(Error::from_reason)
}

/// How frames of one (direction, API key, version) are copied without their record bytes.
#[napi]
pub fn register_skim(runtime: u32, response: bool, api_key: i32, version: i32, program: Uint8Array) -> Result<()> {
    let program = net::skim::Program::parse(&program)
        .map_err(|bad| Error::from_reason(format!("skim program of API {api_key} version {version}: {bad}")))?;
    on(runtime, |runtime| {
        runtime.reactor().map(|reactor| reactor.register_skim(response, api_key as i16, version as i16, program))
    })?
    .map_err(Error::from_reason)
}

#[napi]
pub fn set_frame_budget(runtime: u32, bytes: f64) -> Result<()> {
    on(runtime, |runtime| runtime.reactor().map(|reactor| reactor.budget().set_limit(bytes as u64)))?
        .map_err(Error::from_reason)
}

#[napi(object)]
pub struct CountersAnswer {
    pub native_calls: f64,
    pub wake_ups: f64,
    pub re_kicks: f64,
    pub requests: f64,
    pub bytes_in: f64,
    pub bytes_out: f64,
    pub sendfile_bytes: f64,
    pub held_frame_bytes: f64,
    pub connections: f64,
}

#[napi]
pub fn counters(runtime: u32) -> Result<CountersAnswer> {
    on(runtime, |runtime| {
        let own = &runtime.news().counters;
        let read = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed) as f64;
        let sockets = runtime.reactor().ok();
        let of = |field: fn(&net::Counters) -> &std::sync::atomic::AtomicU64| {
            sockets.map_or(0.0, |reactor| read(field(reactor.counters())))
        };
        CountersAnswer {
            native_calls: read(&own.native_calls),
            wake_ups: read(&own.wake_ups),
            re_kicks: read(&own.re_kicks),
            requests: of(|counters| &counters.frames),
            bytes_in: of(|counters| &counters.bytes_in),
            bytes_out: of(|counters| &counters.bytes_out),
            sendfile_bytes: of(|counters| &counters.sendfile_bytes),
            held_frame_bytes: sockets.map_or(0.0, |reactor| reactor.budget().held() as f64),
            connections: of(|counters| &counters.connections),
        }
    })
}
