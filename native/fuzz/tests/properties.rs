//! Every target on arbitrary bytes, on its seeds, and on seeds with a few changes: what `npm test` runs of the fuzzing.

use odradek_fuzz::{TARGETS, Target};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};

const CASES: u32 = 300;

/// A change to some bytes.
#[derive(Clone, Debug)]
enum Change {
    Set(Index, u8),
    Flip(Index, u8),
    /// Four bytes that are a length or count at its worst.
    Extreme(Index, usize),
    Cut(Index),
    Remove(Index, usize),
    Insert(Index, Vec<u8>),
    Repeat(Index, usize),
}

const EXTREMES: [[u8; 4]; 6] =
    [[0xff; 4], [0; 4], [0x7f, 0xff, 0xff, 0xff], [0x80, 0, 0, 0], [0xff, 0xff, 0xff, 0x7f], [0, 0, 0, 1]];

fn any_change() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        2 => (any::<Index>(), 0u8..8).prop_map(|(at, bit)| Change::Flip(at, bit)),
        2 => (any::<Index>(), 0..EXTREMES.len()).prop_map(|(at, which)| Change::Extreme(at, which)),
        1 => any::<Index>().prop_map(Change::Cut),
        1 => (any::<Index>(), 1usize..20).prop_map(|(at, count)| Change::Remove(at, count)),
        1 => (any::<Index>(), prop::collection::vec(any::<u8>(), 1..20)).prop_map(|(at, more)| Change::Insert(at, more)),
        1 => (any::<Index>(), 1usize..64).prop_map(|(at, count)| Change::Repeat(at, count)),
    ]
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    if bytes.is_empty() {
        return;
    }
    let place = |at: &Index| at.index(bytes.len());
    match change {
        Change::Set(at, byte) => {
            let at = place(at);
            bytes[at] = *byte;
        }
        Change::Flip(at, bit) => {
            let at = place(at);
            bytes[at] ^= 1 << bit;
        }
        Change::Extreme(at, which) => {
            let at = place(at);
            let count = (bytes.len() - at).min(4);
            bytes[at..at + count].copy_from_slice(&EXTREMES[*which][..count]);
        }
        Change::Cut(at) => bytes.truncate(place(at)),
        Change::Remove(at, count) => {
            let at = place(at);
            let end = (at + count).min(bytes.len());
            bytes.drain(at..end);
        }
        Change::Insert(at, more) => {
            let at = place(at);
            bytes.splice(at..at, more.iter().copied());
        }
        Change::Repeat(at, count) => {
            let at = place(at);
            let piece = bytes[at..(at + count).min(bytes.len())].to_vec();
            bytes.splice(at..at, piece);
        }
    }
}

fn any_input(target: &Target) -> impl Strategy<Value = Vec<u8>> + use<> {
    let changed = (prop::sample::select((target.seeds)()), prop::collection::vec(any_change(), 0..6));
    let changed = changed.prop_map(|(mut bytes, changes)| {
        changes.iter().for_each(|change| apply(&mut bytes, change));
        bytes
    });
    prop_oneof![1 => prop::collection::vec(any::<u8>(), 0..300), 5 => changed]
}

fn hold(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target has this name");
    for seed in (target.seeds)() {
        (target.run)(&seed);
    }
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let run = |input: Vec<u8>| {
        (target.run)(&input);
        Ok(())
    };
    TestRunner::new(config).run(&any_input(target), run).unwrap_or_else(|failure| panic!("{failure}"));
}

macro_rules! properties {
    ($($test:ident: $name:literal,)*) => {
        $(
            #[test]
            fn $test() {
                hold($name);
            }
        )*

        #[test]
        fn every_target_has_its_property_test() {
            assert_eq!(TARGETS.iter().map(|target| target.name).collect::<Vec<_>>(), [$($name),*]);
        }
    };
}

properties! {
    a_batch_of_any_bytes_is_walked_or_refused: "batch",
    a_produced_batch_of_any_bytes_is_accepted_whole_or_refused: "validate",
    gzip_inflates_any_bytes_within_its_limit_and_its_own_exactly: "gzip",
    snappy_inflates_any_bytes_within_its_limit_and_its_own_exactly: "snappy",
    lz4_inflates_any_bytes_within_its_limit_and_its_own_exactly: "lz4",
    zstd_inflates_any_bytes_within_its_limit_and_its_own_exactly: "zstd",
    an_offset_index_of_any_bytes_keeps_its_sound_front: "offset-index",
    a_time_index_of_any_bytes_keeps_its_sound_front: "time-index",
    a_transaction_index_of_any_bytes_keeps_its_sound_front: "txn-index",
    a_producer_snapshot_of_any_bytes_is_loaded_whole_or_not_at_all: "snapshot",
    sums_of_any_bytes_are_themselves_or_refused: "sums",
    leader_epochs_of_any_bytes_ascend_or_are_refused: "leader-epochs",
    a_checkpoint_of_any_bytes_reads_back_or_is_refused: "checkpoint",
    a_journal_record_of_any_bytes_reads_back_or_is_none: "journal",
    a_skim_of_any_program_and_frame_loses_no_byte: "skim",
    an_inspection_of_any_file_answers_in_lines: "inspect",
}
