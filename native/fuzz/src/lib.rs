//! What bytes of any kind may do to whatever reads bytes: nothing but be refused. Each target takes a byte string and
//! panics when a promise is broken. `tests/properties.rs` runs all of them on changed seeds in `npm test`, libFuzzer
//! one of them for as long as asked (`bin/fuzz.rs`).
//!
//! Invariant: a target depends on its bytes alone, so that an input that was kept fails again.

pub mod batches;
pub mod codecs;
pub mod files;
pub mod inspection;
pub mod skimming;

/// Something that reads bytes.
pub struct Target {
    pub name: &'static str,
    /// What it reads, and what else is promised of it.
    pub what: &'static str,
    pub run: fn(&[u8]),
    /// Sound inputs to begin from.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

macro_rules! target {
    ($name:literal, $run:path, $seeds:path, $what:literal) => {
        Target { name: $name, what: $what, run: $run, seeds: $seeds }
    };
}

pub const TARGETS: &[Target] = &[
    target!("batch", batches::walk, batches::seeds, "header, checksum, records and control record of a batch"),
    target!(
        "validate",
        batches::validate,
        batches::validate_seeds,
        "a produced batch; what is accepted can be read back"
    ),
    target!("gzip", codecs::gzip, codecs::gzip_seeds, "the codec, both ways; bounded by its limit"),
    target!(
        "snappy",
        codecs::snappy,
        codecs::snappy_seeds,
        "the codec, raw and framed, both ways; bounded by its limit"
    ),
    target!("lz4", codecs::lz4, codecs::lz4_seeds, "the codec, both ways; bounded by its limit"),
    target!("zstd", codecs::zstd, codecs::zstd_seeds, "the codec, both ways; bounded by its limit"),
    target!("offset-index", files::offset_index, files::offset_index_seeds, ".index files, in memory and on disk"),
    target!("time-index", files::time_index, files::time_index_seeds, ".timeindex files, in memory and on disk"),
    target!("txn-index", files::txn_index, files::txn_index_seeds, ".txnindex files"),
    target!(
        "snapshot",
        files::snapshot,
        files::snapshot_seeds,
        "producer snapshots, and what is done with their producers"
    ),
    target!("sums", files::sums, files::sums_seeds, "odradek-sums"),
    target!("leader-epochs", files::leader_epochs, files::leader_epochs_seeds, "leader-epoch-checkpoint"),
    target!(
        "checkpoint",
        files::checkpoint,
        files::checkpoint_seeds,
        "checkpoints of offsets, partition.metadata, clean shutdown"
    ),
    target!("journal", files::journal, files::journal_seeds, "records of the journal"),
    target!("skim", skimming::skim, skimming::seeds, "a skim program and its frame; the copy is the frame's bytes"),
    target!("inspect", inspection::inspect, inspection::seeds, "dump, verify and plan of each kind of file"),
];

/// Numbers for a target, off the front of its input: zeros where it is too short.
pub(crate) struct Choices<'a>(pub &'a [u8]);

impl Choices<'_> {
    pub fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().map_or((0, self.0), |(first, rest)| (*first, rest));
        self.0 = rest;
        first
    }

    pub fn u64(&mut self) -> u64 {
        (0..8).fold(0, |value, _| value << 8 | u64::from(self.byte()))
    }
}
