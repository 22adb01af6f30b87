//! Compaction of one log: of each key its newest record stays. In steps, each a bounded piece of reading, so that
//! whoever runs it can stop, wait or do something else between two of them.
//!
//! A pass takes the newest offset of each key in the dirty part into a table (`offset_map`), then writes the
//! segments from the log's first one up to what the table speaks for anew (`filter`, `rewrite`, `output`), a group
//! of them at a time, and puts each new one in the place of its group (`swap`) before it goes on. Who is cleaned
//! when is the caller's decision.
//!
//! Invariants: a pass works on the sealed segments that the log's owner handed over, and changes nothing of the log;
//! the owner adopts what it wrote, or refuses because the log is another one by now. What is cleaned lies below a
//! recovery point on disk: recovery never meets the gaps. Damage ends the pass, and nothing is written over it.

mod batches;
mod filter;
mod md5;
mod offset_map;
mod output;
mod owner;
mod pass;
mod range;
mod records;
mod rewrite;
mod swap;
mod token;
mod transactions;

pub use pass::{Cleaning, Errand, Progress};
pub use swap::Replacement;
pub use token::{Stop, Token};
