//! The raw load generator.
fn main() {}
