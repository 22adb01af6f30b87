//! One target under libFuzzer: its name stands in ODRADEK_FUZZ_TARGET, and seeds are written to the folder that
//! ODRADEK_FUZZ_CORPUS names. The arguments are libFuzzer's own. Started by scripts/fuzz.mjs.

#![no_main]

use libfuzzer_sys::fuzz_target;
use odradek_fuzz::{TARGETS, Target};
use std::path::Path;
use std::sync::OnceLock;

static CHOSEN: OnceLock<&Target> = OnceLock::new();

fn choose() {
    let name = std::env::var("ODRADEK_FUZZ_TARGET").expect("ODRADEK_FUZZ_TARGET names a target");
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target has this name");
    CHOSEN.get_or_init(|| target);
    if let Ok(folder) = std::env::var("ODRADEK_FUZZ_CORPUS") {
        for (n, seed) in (target.seeds)().into_iter().enumerate() {
            std::fs::write(Path::new(&folder).join(format!("seed-{n}")), seed).expect("the corpus can be written");
        }
    }
}

fuzz_target!(init: choose(), |input: &[u8]| {
    (CHOSEN.get().expect("init came first").run)(input);
});
