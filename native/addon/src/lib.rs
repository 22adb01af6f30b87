//! The boundary between JavaScript and the native half of Odradek: the only crate that knows N-API.
//!
//! Invariants: no native thread reads or writes JavaScript memory, and none keeps a pointer to it past the call; a
//! panic becomes an error of the call. The functions called for every batch are registered raw, the others by
//! `#[napi]`. The library stays loaded until the process ends (napi-rs pins it), because its threads may outlive the
//! last environment that holds it by a moment.

// What JavaScript calls is registered by a constructor that test builds leave out.
#![cfg_attr(test, allow(dead_code))]

mod calls;
mod held;
mod inbox;
mod inspect;
mod layout;
mod mapped;
mod news;
mod outbox;
mod pinned;
mod prepared;
mod pure;
mod raw;
mod runtime;
