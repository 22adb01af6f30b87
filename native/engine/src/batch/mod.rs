//! Record batches, format v2: the 61-byte header, the CRC, the walk over the records, and a builder for control
//! batches and tests.
//!
//! Invariants: nothing here trusts a length that stands in the data; reading never copies keys or values; a batch
//! that was handed in is never changed in place.

mod builder;
mod header;
mod records;

pub use builder::{BatchBuilder, marker};
pub use header::{HEADER_BYTES, Header, add_sequence, attributes, crc_of_parts, patch, verify_crc};
pub use records::{RecordMeta, Records};
