//! The little of N-API that the hot calls use directly: a `#[napi]` function costs four times as much.

use napi::sys;
use std::ffi::CStr;
use std::ptr;

/// # Safety
/// `env` and `exports` are those of the module's initialisation.
pub unsafe fn export(
    env: sys::napi_env,
    exports: sys::napi_value,
    name: &CStr,
    function: unsafe extern "C" fn(sys::napi_env, sys::napi_callback_info) -> sys::napi_value,
) -> napi::Result<()> {
    let mut value = ptr::null_mut();
    // SAFETY: by this function's contract.
    unsafe {
        napi::check_status!(sys::napi_create_function(
            env,
            name.as_ptr(),
            name.count_bytes() as isize,
            Some(function),
            ptr::null_mut(),
            &mut value,
        ))?;
        napi::check_status!(sys::napi_set_named_property(env, exports, name.as_ptr(), value))
    }
}

/// The arguments of the call; missing ones are `undefined`.
///
/// # Safety
/// `env` and `info` are those of the call under way.
pub unsafe fn arguments<const N: usize>(env: sys::napi_env, info: sys::napi_callback_info) -> [sys::napi_value; N] {
    let mut count = N;
    let mut values = [ptr::null_mut(); N];
    // SAFETY: by this function's contract; `values` has room for `count`.
    unsafe {
        sys::napi_get_cb_info(env, info, &mut count, values.as_mut_ptr(), ptr::null_mut(), ptr::null_mut());
    }
    values
}

/// 0 when it isn't a number.
///
/// # Safety
/// `env` and `value` are those of the call under way.
pub unsafe fn u32(env: sys::napi_env, value: sys::napi_value) -> u32 {
    let mut number = 0;
    // SAFETY: by this function's contract.
    unsafe { sys::napi_get_value_uint32(env, value, &mut number) };
    number
}

/// 0 when it isn't a number.
///
/// # Safety
/// `env` and `value` are those of the call under way.
pub unsafe fn f64(env: sys::napi_env, value: sys::napi_value) -> f64 {
    let mut number = 0.0;
    // SAFETY: by this function's contract.
    unsafe { sys::napi_get_value_double(env, value, &mut number) };
    number
}

/// Address and length of a Uint8Array's memory; None when it isn't one.
///
/// # Safety
/// `env` and `value` are those of the call under way; the memory is JavaScript's and must not
/// be touched after the call.
pub unsafe fn memory(env: sys::napi_env, value: sys::napi_value) -> Option<(*mut u8, usize)> {
    let (mut kind, mut length, mut data) = (0, 0, ptr::null_mut());
    // SAFETY: by this function's contract.
    let status = unsafe {
        sys::napi_get_typedarray_info(env, value, &mut kind, &mut length, &mut data, ptr::null_mut(), ptr::null_mut())
    };
    if status != sys::Status::napi_ok || kind != sys::TypedarrayType::uint8_array {
        return None;
    }
    // An empty array may have no memory at all.
    let data = if data.is_null() { ptr::NonNull::dangling().as_ptr() } else { data.cast() };
    Some((data, length))
}

/// Address and length of a Uint32Array's memory, in words; None when it isn't one.
///
/// # Safety
/// As `memory`.
pub unsafe fn words(env: sys::napi_env, value: sys::napi_value) -> Option<(*const u32, usize)> {
    let (mut kind, mut length, mut data) = (0, 0, ptr::null_mut());
    // SAFETY: by this function's contract.
    let status = unsafe {
        sys::napi_get_typedarray_info(env, value, &mut kind, &mut length, &mut data, ptr::null_mut(), ptr::null_mut())
    };
    if status != sys::Status::napi_ok || kind != sys::TypedarrayType::uint32_array {
        return None;
    }
    let data = if data.is_null() { ptr::NonNull::<u32>::dangling().as_ptr().cast() } else { data };
    Some((data.cast_const().cast(), length))
}

/// # Safety
/// `env` is that of the call under way.
pub unsafe fn number(env: sys::napi_env, value: f64) -> sys::napi_value {
    let mut result = ptr::null_mut();
    // SAFETY: by this function's contract.
    unsafe { sys::napi_create_double(env, value, &mut result) };
    result
}

/// # Safety
/// `env` is that of the call under way.
pub unsafe fn throw(env: sys::napi_env, text: &str) -> sys::napi_value {
    let text = text.replace('\0', " ") + "\0";
    // SAFETY: by this function's contract; the text ends with a zero byte.
    unsafe { sys::napi_throw_error(env, ptr::null(), text.as_ptr().cast()) };
    ptr::null_mut()
}
