//! The log engine: everything that owns bytes on disk. No N-API, no clock, no randomness, no thread outside the driver.

pub mod batch;
pub mod codec;
pub mod command;
pub mod config;
pub mod driver;
pub mod error;
pub mod producer_state;
pub mod slice;
pub mod validate;
pub mod vfs;
