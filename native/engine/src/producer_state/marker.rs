//! Transaction markers: what a control batch with a producer id says.

use super::fields::Fields;
use crate::batch::{Header, control_record};

pub struct Marker {
    pub aborted: bool,
    pub coordinator_epoch: i32,
    pub timestamp: i64,
}

/// The transaction marker in a control batch; None when the batch is empty.
pub fn parse_marker(header: &Header, body: &[u8]) -> Result<Option<Marker>, String> {
    if header.count == 0 {
        return Ok(None);
    }
    let (timestamp_delta, key, value) = control_record(header, body)?;
    let mut key = Fields { bytes: &key };
    let kind = key.i16().zip(key.i16()).filter(|(version, _)| *version >= 0).map(|(_, kind)| kind);
    let aborted = match kind {
        Some(0) => true,
        Some(1) => false,
        other => {
            return Err(format!("a control record of type {other:?} is no transaction marker"));
        }
    };
    let mut value = Fields { bytes: &value };
    let coordinator_epoch = value
        .i16()
        .zip(value.i32())
        .filter(|(version, _)| *version >= 0)
        .ok_or("a transaction marker without a coordinator epoch")?
        .1;
    Ok(Some(Marker { aborted, coordinator_epoch, timestamp: header.timestamp_of(timestamp_delta) }))
}
