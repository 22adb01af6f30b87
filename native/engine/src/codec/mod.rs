//! The compression codecs of record batches.
