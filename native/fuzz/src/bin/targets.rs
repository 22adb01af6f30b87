//! Prints the targets, one a line: name, tab, what it is. For scripts/fuzz.mjs.

use odradek_fuzz::TARGETS;

fn main() {
    for target in TARGETS {
        println!("{}\t{}", target.name, target.what);
    }
}
