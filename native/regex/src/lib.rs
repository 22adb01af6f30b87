//! The regular expressions of topic subscriptions: read as Apache Kafka's broker reads them (RE2/J's syntax), matched
//! against whole topic names in linear time.
//!
//! Invariants: topic names are ASCII, so that of every character class only the ASCII part is kept, and what
//! could match other characters alone matches nothing. Pattern length, nesting, the size of the automaton and the
//! work of matching are bounded: a pattern beyond them is refused with a text, it neither allocates much nor
//! takes long. Nothing panics.

mod ascii_set;
mod matcher;
mod parser;
mod unicode_names;

pub use matcher::{Pattern, TooCostly};
