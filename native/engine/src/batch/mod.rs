//! Record batches, format v2: the 61-byte header, the CRC, the walk over the records, and a builder for control
//! batches and tests.
//!
//! Invariants: nothing here trusts a length that stands in the data; reading never copies keys or values; a batch
//! that was handed in is never changed in place.

mod builder;
mod control;
mod header;
mod records;
mod rewrite;
mod walk;

pub use builder::{BatchBuilder, codec_bits, marker};
pub use control::control_record;
pub use header::{HEADER_BYTES, Header, LOG_OVERHEAD, add_sequence, attributes, crc_of_parts, patch, verify_crc};
pub use records::{INFLATED_MAX_BYTES, RecordMeta, Records};
pub use rewrite::{Rewriter, Rewritten};
pub use walk::{Record, Tee, Walk, WalkError, get_varint, put_varint, put_varlong};
