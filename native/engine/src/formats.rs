//! What is written beside the batches, for whoever reads bytes without an engine: native/fuzz.

pub use crate::checkpoint::{
    decode_clean_shutdown, decode_offsets, decode_partition_metadata, encode_clean_shutdown, encode_offsets,
    encode_partition_metadata,
};
pub use crate::journal::record::{Entry, Found, Place, Writer as JournalWriter, read as read_journal};
pub use crate::leader_epochs::{EpochEntry, LeaderEpochs};
pub use crate::offset_index::{
    OffsetEntry, OffsetIndex, floor_in_file as offset_floor_in_file, floor_position_in_file,
};
pub use crate::sums::Sums;
pub use crate::time_index::{TimeIndex, floor_in_file as time_floor_in_file};
pub use crate::txn_index::{AbortedTransaction, decode as decode_txn_index, encode as encode_txn_index};
