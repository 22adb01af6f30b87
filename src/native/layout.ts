/**
 * The records that cross the boundary: kinds and flags. The twin of native/addon/src/layout.rs, which says how a record
 * begins; test/native/layout.test.ts compares the two. Names are the same on both sides so that it can.
 */
export const HEADER_BYTES = 16

// To JavaScript.
export const REQUEST = 1
export const RESPONSE = 2
export const CONNECTED = 3
export const CLOSED = 4
export const CONNECT_FAILED = 5
export const APPENDED = 8
export const SYNCED = 9
export const READ_DONE = 10
export const ANSWER = 11
export const DIRECTORY_FAILED = 12
export const FATAL = 13
export const OPENED = 14

// To native.
export const REPLY = 32
export const SEND = 33
export const CONNECT = 34
export const CLOSE = 35
export const RELEASE = 36
export const WATCH = 37
export const APPEND = 40
export const READ = 41
export const TRUNCATE = 42
export const START_EPOCH = 43
export const SET_MARKS = 44
export const CONFIGURE = 45
export const ADVANCE_START = 46
export const RETAIN = 47
export const LOOKUP = 48
export const SYNC = 49
export const WRITE_FILE = 50
export const READ_FILE = 51
export const LIST_FILES = 52
export const REMOVE_FILE = 53
export const CHECKPOINT = 54
export const OPEN_LOG = 55
export const CLOSE_LOG = 56
export const DELETE_LOG = 57
export const ROLL = 58
export const SET_ASIDE = 59
export const PREPARE = 60
export const DIRT = 70
export const CLEAN = 71
export const LOOK = 72
export const DUE = 73

// Flags, each of the kind in its name.
/** The bytes are cut; the frame is held and the rest is copied out of it. */
export const REQUEST_MORE = 1
export const APPENDED_DUPLICATE = 1
/** A prepared answer has left, or leaves with the sync that it awaits. */
export const APPENDED_ANSWERED = 2
/** The answer leaves when the batch is on disk. */
export const PREPARE_UNTIL_SYNCED = 1
export const OPENED_CREATED = 1
export const CONNECTED_OUTGOING = 1
export const REPLY_CLOSE_AFTER = 1
export const REPLY_NO_ANSWER = 2
export const READ_AT_LEAST_ONE = 1
export const READ_ABORTED_LIST = 2
export const READ_TO_MEMORY = 4
export const OPEN_CLEAN = 1
export const OPEN_MUST_EXIST = 2
export const CLOSE_LOG_CLEAN = 1
export const LOOK_SWEEP = 1

// What an ANSWER carries.
export const ANSWER_NONE = 0
export const ANSWER_FOUND = 1
export const ANSWER_MARKS = 2
export const ANSWER_FILE = 3
export const ANSWER_NAMES = 4
export const ANSWER_DIRT = 10
export const ANSWER_CLEANED = 11

// What a part of a REPLY is.
export const PART_INLINE = 0
export const PART_HANDLE = 1

// What a LOOKUP looks for.
export const LOOKUP_TIME = 0
export const LOOKUP_MAX_TIME = 1
export const LOOKUP_EPOCH_END = 2
