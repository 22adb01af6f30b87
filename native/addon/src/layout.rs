//! The records that cross the boundary: kinds and flags. The twin of src/native/layout.ts; a test compares the two.
//!
//! Little-endian, 8-aligned. Every record begins with a header of 16 bytes: u32 size (header and padding included), u16
//! kind, u16 flags, u32 slot, u32 generation (of the connection or log; of a directory its id and 0). The fields behind
//! it are written down where they are encoded (`inbox.rs`, src/native/inbox.ts) and decoded (`outbox.rs`,
//! src/native/outbox.ts). Offsets, positions, times and byte counts are f64; producer ids and timestamps two u32.

pub const HEADER_BYTES: usize = 16;

// To JavaScript.
pub const REQUEST: u16 = 1;
pub const RESPONSE: u16 = 2;
pub const CONNECTED: u16 = 3;
pub const CLOSED: u16 = 4;
pub const CONNECT_FAILED: u16 = 5;
pub const APPENDED: u16 = 8;
pub const SYNCED: u16 = 9;
pub const READ_DONE: u16 = 10;
pub const ANSWER: u16 = 11;
pub const DIRECTORY_FAILED: u16 = 12;
pub const FATAL: u16 = 13;
pub const OPENED: u16 = 14;

// To native.
pub const REPLY: u16 = 32;
pub const SEND: u16 = 33;
pub const CONNECT: u16 = 34;
pub const CLOSE: u16 = 35;
pub const RELEASE: u16 = 36;
pub const WATCH: u16 = 37;
pub const APPEND: u16 = 40;
pub const READ: u16 = 41;
pub const TRUNCATE: u16 = 42;
pub const START_EPOCH: u16 = 43;
pub const SET_MARKS: u16 = 44;
pub const CONFIGURE: u16 = 45;
pub const ADVANCE_START: u16 = 46;
pub const RETAIN: u16 = 47;
pub const LOOKUP: u16 = 48;
pub const SYNC: u16 = 49;
pub const WRITE_FILE: u16 = 50;
pub const READ_FILE: u16 = 51;
pub const LIST_FILES: u16 = 52;
pub const REMOVE_FILE: u16 = 53;
pub const CHECKPOINT: u16 = 54;
pub const OPEN_LOG: u16 = 55;
pub const CLOSE_LOG: u16 = 56;
pub const DELETE_LOG: u16 = 57;
pub const ROLL: u16 = 58;
pub const SET_ASIDE: u16 = 59;
pub const PREPARE: u16 = 60;
pub const DIRT: u16 = 70;
pub const CLEAN: u16 = 71;
pub const LOOK: u16 = 72;
pub const DUE: u16 = 73;

// Flags, each of the kind in its name.
/// The bytes are cut; the frame is held and the rest is copied out of it.
pub const REQUEST_MORE: u16 = 1;
pub const APPENDED_DUPLICATE: u16 = 1;
/// A prepared answer has left.
pub const APPENDED_ANSWERED: u16 = 2;
pub const PREPARE_UNTIL_SYNCED: u16 = 1;
pub const OPENED_CREATED: u16 = 1;
pub const CONNECTED_OUTGOING: u16 = 1;
pub const REPLY_CLOSE_AFTER: u16 = 1;
pub const REPLY_NO_ANSWER: u16 = 2;
pub const READ_AT_LEAST_ONE: u16 = 1;
pub const READ_ABORTED_LIST: u16 = 2;
pub const READ_TO_MEMORY: u16 = 4;
pub const OPEN_CLEAN: u16 = 1;
pub const OPEN_MUST_EXIST: u16 = 2;
pub const CLOSE_LOG_CLEAN: u16 = 1;
pub const LOOK_SWEEP: u16 = 1;

// What an ANSWER carries.
pub const ANSWER_NONE: u32 = 0;
pub const ANSWER_FOUND: u32 = 1;
pub const ANSWER_MARKS: u32 = 2;
pub const ANSWER_FILE: u32 = 3;
pub const ANSWER_NAMES: u32 = 4;
pub const ANSWER_DIRT: u32 = 10;
pub const ANSWER_CLEANED: u32 = 11;

// What a part of a REPLY is.
pub const PART_INLINE: u32 = 0;
pub const PART_HANDLE: u32 = 1;

// What a LOOKUP looks for.
pub const LOOKUP_TIME: u32 = 0;
pub const LOOKUP_MAX_TIME: u32 = 1;
pub const LOOKUP_EPOCH_END: u32 = 2;
